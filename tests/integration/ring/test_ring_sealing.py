"""The ring seals what a store is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.rings import Refused, Rings, Table, writable

from keywright import KeyRing, Options, Record, Registry, Seal, Secret, Setting, hookimpl
from keywright.errors import ConfigError, CorruptedStoreError, SealError, StoreUnavailableError, UnknownPluginError
from keywright.ring.sealing import sealed_with
from keywright.testing import assert_hidden, everything_in
from keywright.testing.leaks import refusal

UNSEAL = (
    "{} in store 'main': seals.master: the payload cannot be unsealed: its master key is another one, or its bytes or "
    "its record were changed; give the master key that sealed it, or restore the record from a backup"
)


@pytest.fixture
def sealed_again(ring: Rings, shared: Table, canary_seal: Table) -> Callable[[], KeyRing]:
    """Opens rings whose one store has a seal; the records are shared by id with rings that have none."""
    return lambda: ring(stores={"main": {**shared, "seal": "master"}}, seals={"master": canary_seal})


@pytest.fixture
def sealed(sealed_again: Callable[[], KeyRing]) -> KeyRing:
    """One of them."""
    return sealed_again()


def payload_of(ring: KeyRing, name: str, version: int = 1) -> Secret:
    """What the store keeps of a version."""
    payload = ring.open_store().get(name, version).payload
    assert payload is not None
    return payload


def put(ring: KeyRing, name: str, payload: Secret, version: int = 1, **changes: Any) -> None:
    """Give a version another payload or metadata, as someone might who can write to the store."""
    store = writable(ring)
    record = store.get(name, version)
    revision = store.replace_payload(name, version, payload, record.info.revision).revision
    store.update_info(replace(record.info, **changes), revision)


def test_public_keys_are_not_sealed(sealed: KeyRing) -> None:
    """A public key has no payload to seal, and a destroyed one has none any more."""
    sealed.generate("a")
    sealed.import_key("b", sealed.export("a"), public=True)
    sealed.destroy("a")

    assert [sealed.open_store().get(name, 1).payload for name in ("a", "b")] == [None, None]
    assert sealed.load("b").public == sealed.load("a@1").public


def test_a_payload_is_bound_to_its_format(sealed: KeyRing, refused: Refused) -> None:
    """Under metadata of another format it does not open. (`test_sealed_stores` changes everything else, on disk.)"""
    sealed.generate("a", type="oct")
    put(sealed, "a", payload_of(sealed, "a"), format="nix")

    with refused(SealError, UNSEAL.format("a@1")):
        sealed.load("a@1")


def test_a_payload_needs_the_seal_that_it_was_made_with(
    ring: Rings, registry: Registry, sealed: KeyRing, refused: Refused, shared: Table
) -> None:
    """No other one opens it, and none; a plain payload in a sealed store may have been put there by anybody."""
    sealed.generate("a")
    unsealed = ring(stores={"main": shared})
    registry.add(Reversing(), "reversing")
    other = ring(stores={"main": {**shared, "seal": "master"}}, seals={"master": {"seal": "reversing"}})

    for opened, has in ((unsealed, "no seal"), (other, "'reversing'")):
        with refused(
            SealError,
            f"a@1 is sealed with 'memory', and store 'main' has {has}; set stores.main.seal to the name of a "
            f"table in seals with seal = 'memory'",
        ):
            opened.load("a")
    put(sealed, "a", sealed.export("a", secret=True))
    with refused(
        SealError,
        "a@1 is not sealed, though store 'main' has a seal, so it is not trusted; move it in with `keywright migrate` "
        "from a store without a seal",
    ):
        sealed.load("a")


class Reversing:
    """A seal `reversing` that hides nothing, and may be broken in some way."""

    KEYWRIGHT_API = 1
    settings: tuple[Setting, ...] = ()

    name = "reversing"

    def __init__(self, lost: int = 0) -> None:
        self._lost = lost
        self.opened = 0

    @hookimpl
    def keywright_register_seals(self) -> Sequence[Seal]:
        return (self,)

    def open(self, options: Options) -> Reversing:
        self.opened += 1
        return self

    def seal(self, payload: Secret, context: bytes) -> Secret:
        return Secret(payload.reveal()[::-1])

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        return Secret(payload.reveal()[::-1][self._lost :])


def test_a_seal_that_loses_bytes_is_found_out(ring: Rings, registry: Registry, refused: Refused) -> None:
    """What was sealed is opened again before it is stored, for a key that does not come back would be lost."""
    registry.add(Reversing(lost=1), "reversing")
    opened = ring(stores={"main": {"backend": "memory", "seal": "x"}}, seals={"x": {"seal": "reversing"}})

    with refused(
        SealError,
        "seal 'reversing' did not read back what it wrote; nothing was stored; report it to the plugin's author",
    ):
        opened.generate("a")

    assert [*opened.names()] == []


def test_a_seal_that_does_not_seal_shows_no_key_in_its_error(ring: Rings, registry: Registry) -> None:
    class Idle(Reversing):
        name = "idle"

        def seal(self, payload: Secret, context: bytes) -> Secret:
            self.payload = payload
            return payload

    idle = Idle(lost=1)
    registry.add(idle, "idle")
    opened = ring(stores={"main": {"backend": "memory", "seal": "x"}}, seals={"x": {"seal": "idle"}})

    error = refusal(SealError, opened.generate, "a")

    assert_hidden(idle.payload, everything_in(error))


def test_a_seal_is_opened_once_and_late(ring: Rings, registry: Registry) -> None:
    """The master key is asked for when a payload is first sealed or opened, and then no more."""
    seal = Reversing()
    registry.add(seal, "reversing")
    opened = ring(stores={"main": {"backend": "memory", "seal": "x"}}, seals={"x": {"seal": "reversing"}})

    assert [*opened.names()] == []
    before = seal.opened
    opened.generate("a")
    opened.load("a")

    assert (before, seal.opened) == (0, 1)


@pytest.mark.parametrize("name", ["keywright-sealed", "keywright-sealed-1"])
def test_a_key_may_be_called_like_the_mark(ring: Rings, sealed: KeyRing, name: str) -> None:
    """A nix key of the name that sealed payloads start with is not a sealed payload."""
    for opened in (ring(), sealed):
        info = opened.generate(name)

        assert info.kid == "keywright-sealed-1"
        assert opened.export(name, secret=True).reveal().startswith(b"keywright-sealed-1:")
        assert opened.verify(name, b"data", opened.sign(name, b"data")) == info


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (b"keywright-sealed-1:memory\n\x00", "memory"),
        (b"keywright-sealed-1:two-words-2\n", "two-words-2"),
        (b"keywright-sealed-1:memory", None),
        (b"keywright-sealed-1:\n", None),
        (b"keywright-sealed-1:Memory\n", None),
        (b"keywright-sealed-1:" + b"x" * 101 + b"\n", None),
        (b" keywright-sealed-1:memory\n", None),
        (b"keywright-sealed-2:memory\n", None),
        (b"", None),
    ],
)
def test_the_first_line_says_which_seal(payload: bytes, name: str | None) -> None:
    """A payload is sealed if its whole first line says so, and then by what it says."""
    assert sealed_with(Secret(payload)) == name


@pytest.mark.parametrize(
    ("change", "ending"),
    [
        pytest.param(
            lambda payload: payload.replace(b"a-1:", b"b-1:"),
            "is another key than its metadata says; restore it from a backup",
            id="another name",
        ),
        pytest.param(
            lambda payload: payload + b"\n",
            "was modified after it was written; restore it from a backup",
            id="a line feed more",
        ),
        pytest.param(
            lambda payload: payload[:4],
            "does not decode: nothing follows the colon of the Nix key; write NAME:BASE64",
            id="cut",
        ),
        pytest.param(
            lambda payload: b"a-1:tVeHVMaFaKi8lieGBErmScEOuxlSJLA7eO6IPrT1VGc=",
            "was modified after it was written; restore it from a backup",
            id="a public key",
        ),
    ],
)
def test_damaged_payloads_are_told(
    ring: Rings, refused: Refused, change: Callable[[bytes], bytes], ending: str
) -> None:
    """A payload that is not what was written is damage, never another key."""
    opened = ring()
    opened.generate("a")
    put(opened, "a", Secret(change(payload_of(opened, "a").reveal())))

    with refused(CorruptedStoreError, f"a@1 in store 'main' {ending}"):
        opened.load("a")


def test_settings_of_seals_are_read_when_the_seal_is_used(
    ring: Rings, refused: Refused, shared: dict[str, str]
) -> None:
    """A seal that is not installed is told when the store is opened; a master key that is missing, when one is used."""
    stores = {"main": shared, "x": {**shared, "seal": "x"}, "y": {**shared, "seal": "y"}}
    seals = {"x": {"seal": "hsm"}, "y": {"seal": "memory", "master": {"env": "RING_UNSET"}}}
    opened = ring(stores=stores, seals=seals, default_store="main")

    assert [*opened.names()] == []
    with refused(
        UnknownPluginError,
        "given settings: seals.x.seal: no seal is called 'hsm'; installed: memory; the setting `plugins` "
        "leaves out: audit, env, file, policy, seal, sqlite",
    ):
        opened.open_store("x")
    with refused(
        ConfigError,
        (
            "given settings: seals.y.master points to the environment variable RING_UNSET, which is not set; set "
            "it, or change the setting"
        ),
    ):
        opened.generate("a", store="y")
    assert list(opened.list(store="y")) == []


def test_a_setting_that_the_backend_refuses_is_told_with_its_place(
    ring: Rings, registry: Registry, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a backend says of a setting when it opens comes with the file and the dotted path."""

    def open_store(self: object, options: Options) -> object:
        raise ConfigError("id must be short; choose another")

    monkeypatch.setattr(type(registry.store_backend("memory")), "open", open_store)

    with refused(ConfigError, "given settings: stores.main.id must be short; choose another"):
        ring().names()


def test_a_store_that_does_not_open_is_asked_again(
    ring: Rings, registry: Registry, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that could not be opened is opened by the next call, once it can be."""
    opened = ring()
    kind = type(registry.store_backend("memory"))
    with monkeypatch.context() as broken:

        def open_store(self: object, options: Options) -> object:
            raise StoreUnavailableError("not there; start it")

        broken.setattr(kind, "open", open_store)
        with refused(StoreUnavailableError, "not there; start it"):
            opened.generate("a")

    assert opened.generate("a").version == 1


NOT_ADDED = (
    "store 'main' has keys {}, which its seal 'memory' does not open; nothing was written; set "
    "stores.main.seal back to their seal, then run `keywright migrate` to a store with this one"
)


def test_a_key_is_not_left_open_among_sealed_ones(
    ring: Rings, sealed: KeyRing, refused: Refused, shared: Table
) -> None:
    """A store that holds sealed keys, and whose seal was taken out of the configuration, takes no open ones."""
    sealed.generate("a")

    with refused(
        SealError,
        "store 'main' has sealed keys, and no seal is configured for it; nothing was written; set "
        "stores.main.seal to the seal of these keys",
    ):
        ring(stores={"main": shared}).generate("b")
    assert [*sealed.names()] == ["a"]


@pytest.mark.parametrize(
    ("place", "holds"),
    [(0, "that are not sealed"), (1, "that are not sealed"), (2, "that are not sealed"), (0, "sealed with 'other'")],
)
def test_a_sealed_key_is_not_added_to_others(
    sealed: KeyRing, sealed_again: Callable[[], KeyRing], refused: Refused, place: int, holds: str
) -> None:
    """Of open ones from before, or those of another seal, three are looked at before another key is added."""
    for number, name in enumerate("abc"):
        sealed.generate(name)
        if number == place:
            other = payload_of(sealed, name).reveal().replace(b":memory\n", b":other\n", 1)
            put(sealed, name, Secret(other) if "other" in holds else sealed.export(name, secret=True))

    with refused(SealError, NOT_ADDED.format(holds)):
        sealed_again().generate("d")
    assert [*sealed.names()] == ["a", "b", "c"]


def test_tombstones_hide_nothing(ring: Rings, sealed: KeyRing, shared: dict[str, str]) -> None:
    """However many keys were destroyed, those that are left tell how the store is sealed."""
    for number in range(70):
        sealed.generate(f"a{number:02}", type="oct")
        sealed.destroy(f"a{number:02}")
    sealed.generate("z")

    with pytest.raises(SealError, match="has sealed keys, and no seal is configured for it"):
        ring(stores={"main": shared}).generate("b")
    assert "b" not in sealed.names()


@pytest.mark.parametrize("type", ["ed25519", "ec-p256"])
def test_a_public_half_that_was_exchanged_is_told(sealed: KeyRing, refused: Refused, type: str) -> None:
    """The metadata are not sealed: a key whose public half there is another one is not used, whatever its kid."""
    sealed.generate("a", type=type, format="jwk")
    sealed.generate("b", type=type, format="jwk")
    store = writable(sealed)
    record, other = store.get("a", 1), store.get("b", 1)
    changed = replace(record.info, public=other.info.public)
    store.update_info(changed, record.info.revision)

    for use in (sealed.load, sealed.signer, lambda name: sealed.export(name, secret=True)):
        with refused(
            CorruptedStoreError,
            "a@1 in store 'main' is another key than its metadata says; restore it from a backup",
        ):
            use("a")


def unreadable(monkeypatch: pytest.MonkeyPatch, opened: KeyRing, *names: str) -> None:
    """The store fails to give the records of these names."""
    store = opened.open_store()
    get = store.get

    def fail(name: str, version: int) -> Record:
        if name in names:
            raise CorruptedStoreError(f"{name}@{version}: the key file is damaged; restore it from a backup")
        return get(name, version)

    monkeypatch.setattr(store, "get", fail)


def test_nothing_is_sealed_beside_what_nobody_can_read(
    sealed: KeyRing, sealed_again: Callable[[], KeyRing], refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no record can be read, no one knows how those before were sealed; one that can be is enough."""
    sealed.generate("a")
    again = sealed_again()
    with monkeypatch.context() as broken:
        unreadable(broken, again, "a")
        with refused(CorruptedStoreError, "a@1: the key file is damaged; restore it from a backup"):
            again.generate("b")
    assert [*sealed.names()] == ["a"]

    sealed.generate("b")
    again = sealed_again()
    unreadable(monkeypatch, again, "a")
    assert again.generate("c").reference == "c@1"


def test_without_a_seal_a_damaged_record_stops_no_other(
    ring: Rings, monkeypatch: pytest.MonkeyPatch, shared: Table
) -> None:
    """In a store without a seal nothing depends on how the records before were sealed."""
    ring(stores={"main": shared}).generate("a")
    again = ring(stores={"main": shared})
    unreadable(monkeypatch, again, "a")

    assert again.generate("b").reference == "b@1"


def test_what_has_no_master_key_to_change_is_refused(ring: Rings, registry: Registry, refused: Refused) -> None:
    """A store without a seal, though it holds nothing, and a seal that cannot say which master key is current."""
    registry.add(Reversing(), "reversing")
    opened = ring(stores={"main": {"backend": "memory", "seal": "x"}}, seals={"x": {"seal": "reversing"}})
    opened.generate("a")

    with refused(
        ConfigError,
        (
            "store 'main' has a seal 'reversing' whose master key cannot change, so it cannot be rewrapped; pass "
            "another --store"
        ),
    ):
        list(opened.rewrap())
    with refused(ConfigError, "store 'main' has no seal, so it cannot be rewrapped; pass another --store"):
        list(ring().rewrap())
