"""The ring reads: names, list, show, load, from whichever store is meant."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.rings import Claiming, Refused, Rings, Table

import keywright
from keywright import Options, Registry, Secret, Setting, State, StoreBackend, hookimpl
from keywright.errors import (
    ConfigError,
    CorruptedStoreError,
    FormatError,
    KeyNotFoundError,
    PolicyError,
    SealError,
    UnknownPluginError,
)
from keywright.stores.memory import MemoryBackend

TWO = {"stores": {"main": {"backend": "memory"}, "other": {"backend": "memory"}}, "default_store": "main"}


def test_names_come_in_the_order_of_their_bytes(ring: Rings) -> None:
    """`names` gives what starts with a prefix, in order."""
    opened = ring()
    for name in ("b", "a/2", "a.1", "a", "a-1"):
        opened.generate(name, type="oct")

    assert [*opened.names()] == ["a", "a-1", "a.1", "a/2", "b"]
    assert [*opened.names("a/")] == ["a/2"]
    assert [*opened.names("c")] == []


def test_a_list_tells_phases_and_may_be_narrowed(ring: Rings) -> None:
    """`list` gives each name with the phases of its versions, or those whose newest has all `labels`; `show` one."""
    opened = ring()
    opened.generate("a", labels={"x": "1", "y": "1"})
    opened.generate("b", labels={"x": "1"})
    opened.rotate("b")
    opened.label("b@2", {"x": "2"})
    opened.generate("c")
    opened.disable("c")

    found = [(one.name, [version.phase.value for version in one.versions]) for one in opened.list()]

    assert found == [("a", ["signing"]), ("b", ["verifying", "signing"]), ("c", ["disabled"])]
    assert [opened.show(name) for name in "abc"] == [*opened.list()]
    assert [one.name for one in opened.list("b")] == ["b"]
    for labels, names in (({"x": "1"}, ["a"]), ({"x": "2"}, ["b"]), ({"x": "1", "y": "2"}, [])):
        assert [one.name for one in opened.list(labels=labels)] == names


def test_load_gives_the_primary_or_a_version(ring: Rings, refused: Refused) -> None:
    """`NAME` is the primary, `NAME@N` any version in whatever state; where nothing signs, the newest is suggested."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a")
    opened.disable("a@1")

    assert [opened.load("a").kid, opened.load("a@1").kid] == ["a-2", "a-1"]
    assert opened.load("a@1").secret is not None
    opened.compromise("a@2")
    with refused(
        PolicyError,
        "a has no version that signs: version 2 is compromised, and older versions are not used again; name "
        "a version, such as a@2; to sign, run `keywright rotate a`",
    ):
        opened.load("a")


def test_the_store_is_chosen_by_what_is_said_nearest(ring: Rings) -> None:
    """An argument goes before the ring's own store, that before [keys.NAME], that before default_store."""
    tables = {
        "stores": {name: {"backend": "memory"} for name in ("main", "table", "rings", "said")},
        "default_store": "main",
        "keys": {"b": {"store": "table"}},
    }
    opened, own = ring(**tables), ring(store="rings", **tables)

    found = [
        opened.open_store(name="a"),
        opened.open_store(name="b"),
        own.open_store(name="b"),
        own.open_store("said", name="b"),
        own.open_store(),
    ]

    wanted = [(opened, "main"), (opened, "table"), (own, "rings"), (own, "said"), (own, "rings")]
    assert all(store is ring.open_store(name) for store, (ring, name) in zip(found, wanted, strict=True))


def test_stores_hold_their_own(ring: Rings) -> None:
    """One name in two stores is two keys."""
    opened = ring(**TWO)
    first = opened.generate("a")
    second = opened.generate("a", store="other")

    assert first.public != second.public
    assert opened.verify("a", b"data", opened.sign("a", b"data", store="other"), store="other") == second
    assert opened.show("a", store="other").versions[0].info == second
    assert [*opened.list(store="other")] == [opened.show("a", store="other")]
    assert opened.load("a", store="other").public == second.public
    assert opened.export("a", store="other") != opened.export("a")


def test_stores_that_are_not_used_are_not_looked_at(ring: Rings, refused: Refused) -> None:
    """A store with a wrong setting, or of a backend that is not installed, is reported when it is used."""
    stores = {
        "main": {"backend": "memory"},
        "x": {"backend": "cloud"},
        "y": {"backend": "memory", "path": "keys.db"},
    }
    opened = ring(stores=stores, default_store="main")

    assert [*opened.names()] == []
    with refused(
        UnknownPluginError,
        "given settings: stores.x.backend: no store backend is called 'cloud'; installed: chain, memory, "
        "memory-signing; the setting `plugins` leaves out: audit, env, file, policy, seal, sqlite",
    ):
        opened.names(store="x")
    with refused(
        ConfigError,
        "given settings: stores.y.path is not a setting of store backend 'memory'; store backend 'memory' has: id",
    ):
        opened.names(store="y")
    with refused(ConfigError, "given settings: stores.z is not configured; available: main, x, y"):
        opened.names(store="z")


@pytest.mark.parametrize(
    ("payload", "kind", "message"),
    [
        pytest.param(
            b"0123456789abcdef", FormatError,
            "a@1 in store 'ci': unrecognized key format; correct it, or install its plugin; installed formats: jwk, "
            "nix",
            id="no format claims it",
        ),
        pytest.param(
            b'{"k":"","kty":"oct"}', CorruptedStoreError,
            "a@1 in store 'ci' does not decode: the JWK member k must be text that is not empty; export the key again "
            "from the program that made it",
            id="its format does not read it",
        ),
    ],
)  # fmt: skip
def test_a_payload_that_is_wrong_is_told(
    ring: Rings, refused: Refused, plain: dict[str, Secret], payload: bytes, kind: type[Exception], message: str
) -> None:
    """With its reference and store."""
    plain["a"] = Secret(payload)
    opened = ring(stores={"ci": {"backend": "plain"}})

    with refused(kind, message):
        opened.load("a")


def test_a_payload_is_not_guessed_and_not_trusted(
    ring: Rings, refused: Refused, registry: Registry, plain: dict[str, Secret], canary_seal: Table
) -> None:
    """One that two formats claim is not guessed; a seal asks for sealed payloads here as elsewhere."""
    plain["a"] = Secret(b'{"k":"AyM1SysPpbyDfgZld3umjw","kty":"oct"}')
    sealed = ring(stores={"ci": {"backend": "plain", "seal": "master"}}, seals={"master": canary_seal})
    with pytest.raises(SealError):
        sealed.show("a")

    registry.add(Claiming("greedy", registry.format("jwk")), "greedy")
    opened = ring(stores={"ci": {"backend": "plain"}})
    message = "a@1 in store 'ci': the format could be greedy or jwk; import it into a store that keeps metadata"
    for read in (opened.load, opened.show):
        with refused(FormatError, message):
            read("a")


def test_a_store_without_metadata_is_read_by_its_payloads(ring: Rings, plain: dict[str, Secret]) -> None:
    """Where the store knows payloads alone, type, format, kid, public half and public attributes come from them."""
    made = ring()
    made.generate("a")
    attributes = {"use": "sig", "key_ops": ["sign"], "note": "secret as the rest"}
    made.generate("b", type="ec-p256", kid="kb", attributes=attributes)
    for name in ("a", "b"):
        plain[name] = made.export(name, secret=True)
    opened = ring(stores={"ci": {"backend": "plain"}})

    infos = [one.versions[0].info for one in opened.list()]

    assert [(info.key_type, info.format, info.kid) for info in infos] == [
        ("ed25519", "nix", "a-1"),
        ("ec-p256", "jwk", "kb"),
    ]
    assert infos == [opened.show(name).versions[0].info for name in ("a", "b")]
    assert infos[1].attributes == {"use": "sig", "key_ops": ["verify"]}
    assert [info.public for info in infos] == [made.load(name).public for name in ("a", "b")]
    for name in ("a", "b"):
        assert opened.load(name) == made.load(name)
        assert opened.export(name) == made.export(name)
        assert opened.export(name, secret=True) == plain[name]


class Slow(MemoryBackend):
    """A memory backend `slow`, whose stores take their time to open; it counts them."""

    KEYWRIGHT_API = 1
    name = "slow"
    settings: tuple[Setting, ...] = ()  # type: ignore[assignment]  # each store is a fresh one

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []
        self.broken = False

    @hookimpl
    def keywright_register_store_backends(self) -> Sequence[StoreBackend]:
        return (self,)

    @contextmanager
    def _opened(self) -> Any:
        self.log.append("open")
        with super().open(Options({"id": ""})) as store:
            yield store
        self.log.append("close")
        if self.broken:
            raise RuntimeError("does not close")

    def open(self, options: Options) -> Any:
        return self._opened()


def test_two_who_open_at_once_get_one_store(ring: Rings, registry: Registry) -> None:
    """Someone who asks for a store while another asks for it first gets the same one, for keys may be in it."""
    slow = Slow()
    registry.add(slow, "slow")
    opened = ring(stores={"main": {"backend": "slow"}})
    others: list[object] = []

    class Settings(tuple[Setting, ...]):
        def __iter__(self) -> Iterator[Setting]:
            if not others:
                others.append(None)
                others[0] = opened.open_store()
            return super().__iter__()

    slow.settings = Settings()

    assert opened.open_store() is others[0]


def test_threads_share_one_store(ring: Rings, registry: Registry) -> None:
    """Threads that come at once to a store that is not open yet get one and the same."""
    slow = Slow()
    registry.add(slow, "slow")
    opened = ring(stores={"main": {"backend": "slow"}})

    with ThreadPoolExecutor(8) as pool:
        [*pool.map(lambda number: opened.generate(f"a{number}", type="oct"), range(16))]

    assert len([*opened.names()]) == 16
    assert slow.log == ["open"]


def test_a_ring_closes_what_it_opened(ring: Rings, registry: Registry) -> None:
    """Leaving the ring closes its stores, each once, even if one fails to; used again, it opens them again."""
    slow = Slow()
    registry.add(slow, "slow")
    stores = {name: {"backend": "slow"} for name in ("main", "other", "unused")}
    opened = ring(stores=stores, default_store="main")

    with opened as same:
        assert same is opened
        opened.generate("a", allow_duplicate=True)
        assert slow.log == ["open"]
    opened.close()
    assert slow.log == ["open", "close"]
    assert [*opened.names()] == [*opened.names(store="other")] == []
    assert slow.log == ["open", "close", "open", "open"]
    slow.broken = True
    with pytest.raises(RuntimeError):
        opened.close()
    opened.close()
    assert slow.log[4:] == ["close", "close"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.parametrize("backend", ["file", "sqlite"])
def test_a_child_process_opens_its_stores_again(tmp_path: Path, backend: str) -> None:
    """After a fork the child opens the store again, and both processes see what the other one makes."""
    table = {"backend": backend, "path": str(tmp_path / "keys")}
    with keywright.open({"stores": {"main": table}}) as ring:
        ring.generate("a", type="oct")
        signer = ring.signer("a")
        parents = ring.open_store()

        child = os.fork()
        if child == 0:
            status = 1
            try:
                ring.rotate("a")
                ring.verify("a", b"data", signer.sign(b"data"))
                status = 0 if ring.open_store() is not parents else 2
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)

        assert os.waitstatus_to_exitcode(status) == 0
        assert ring.open_store() is parents
        assert [one.info.version for one in ring.show("a").versions] == [1, 2]
        assert ring.rotate("a").version == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_child_process_leaves_the_parents_handles_alone(ring: Rings, registry: Registry) -> None:
    """A child that closes the ring does not close what the parent opened, which could drop the parent's locks."""
    slow = Slow()
    registry.add(slow, "slow")
    opened = ring(stores={"main": {"backend": "slow"}})
    opened.names()

    child = os.fork()
    if child == 0:
        opened.close()
        os._exit(len(slow.log))
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == len(["open"])


def test_a_ring_opens_from_a_file_or_a_mapping(tmp_path: Path, registry: Registry) -> None:
    """`keywright.open` takes a path or a mapping, options on top, and keeps the system's time."""
    path = tmp_path / "keywright.toml"
    path.write_text('[stores.main]\nbackend = "memory"\n[keys.a]\ntype = "oct"\n')

    with keywright.open(path, options=[("keys.a.bits", "512")], registry=registry) as ring:
        ring.ensure()

        assert len(ring.load("a").secret or b"") == 64
        assert ring.now().tzinfo is not None
        assert ring.show("a").versions[0].info.created is not None


def test_a_record_is_its_metadata_and_its_key(ring: Rings, plain: dict[str, Secret]) -> None:
    """Of `NAME@N` that version in whatever state, of `NAME` the primary; where there is no metadata, from the key."""
    opened = ring(stores={"main": {"backend": "memory"}, "ci": {"backend": "plain"}}, default_store="main")
    first = opened.generate("a")
    second = opened.rotate("a")
    opened.destroy("a@1")
    plain["a"] = opened.export("a", secret=True)

    info, key = opened.get_record("a")
    gone, without = opened.get_record("a@1")
    described, bare = opened.get_record("a@1", store="ci")

    assert (info, key) == (second, opened.load("a"))
    assert key.secret is not None
    assert (gone.state, without.secret, without.public) == (State.DESTROYED, None, first.public)
    assert (described.kid, described.format, bare) == ("a-2", "nix", key)
    assert opened.get_record("a", store="ci") == (described, bare)
    with pytest.raises(KeyNotFoundError):
        opened.get_record("a@3")
    opened.disable("a")
    with pytest.raises(PolicyError):
        opened.get_record("a")


def test_capabilities_are_known_without_opening_a_store(
    ring: Rings, plain: dict[str, Secret], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the store that `open_store` would return: the named one, that of a key, or the default."""
    stores = {"main": {"backend": "memory"}, "hsm": {"backend": "memory-signing"}, "ci": {"backend": "plain"}}
    opened = ring(stores=stores, default_store="main", keys={"a": {"store": "hsm"}})
    assert opened.capabilities().metadata  # the plugin is loaded
    monkeypatch.setattr(MemoryBackend, "open", None)

    assert opened.capabilities().metadata
    assert not opened.capabilities().keys_stay_inside
    assert opened.capabilities(name="a").keys_stay_inside
    assert opened.capabilities("main", name="a") == opened.capabilities() == MemoryBackend.capabilities
    assert not opened.capabilities("ci").writable
