"""The ring seals what a store is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.rings import Refused, Rings, Table

from keywright import KeyRing, Options, Record, Registry, Seal, Secret, Setting, hookimpl
from keywright.errors import ConfigError, DamagedStoreError, SealError, StoreUnavailableError, UnknownPluginError
from keywright.ring.sealing import sealed_with
from keywright.testing import assert_hidden

UNSEAL = (
    "{} in store 'main': seals.master: the payload cannot be unsealed: its master key is another one, or its bytes or "
    "its record were changed; give the master key that sealed it, or restore the record from a backup"
)


@pytest.fixture
def sealed(ring: Rings, shared: dict[str, str], canary_seal: Table) -> KeyRing:
    """A ring whose one store has a seal; the records are shared by id with rings that have none."""
    return ring(stores={"main": {**shared, "seal": "master"}}, seals={"master": canary_seal})


def payload_of(ring: KeyRing, name: str, version: int = 1) -> Secret:
    """What the store keeps of a version."""
    payload = ring.open_store().store.get(name, version).payload
    assert payload is not None
    return payload


def put(ring: KeyRing, name: str, payload: Secret, version: int = 1) -> None:
    """Give a version another payload, as somebody might who can write to the store."""
    store = ring.open_store().writable
    record = store.get(name, version)
    store.update(Record(record.info, payload), expected=record.info.revision)


def test_a_sealed_key_is_used_as_any_other(sealed: KeyRing) -> None:
    """Keys in a sealed store load, export, sign, verify, rotate and change state."""
    info = sealed.generate("a", type="oct", attributes={"use": "sig"})
    secret = sealed.export("a", secret=True)

    assert sealed.verify("a", b"data", sealed.sign("a", b"data")) == info
    assert sealed.load("a").attributes == {"use": "sig"}
    assert sealed.rotate("a").version == 2
    assert sealed.disable("a@1").reference == "a@1"
    assert sealed.import_key("b", secret).reference == "b@1"


def test_the_store_sees_no_secret(sealed: KeyRing) -> None:
    """What the store is given starts with the name of its seal and shows nothing of the key."""
    sealed.generate("a")

    payload = payload_of(sealed, "a")

    assert payload.reveal().startswith(b"keywright-sealed-1:memory\n")
    assert_hidden(sealed.load("a").secret or Secret(b""), payload.reveal())
    assert sealed_with(payload) == "memory"


def test_public_keys_are_not_sealed(sealed: KeyRing) -> None:
    """A public key has no payload to seal, and a destroyed one has none any more."""
    sealed.generate("a")
    sealed.import_key("b", sealed.export("a"), public=True)
    sealed.destroy("a")

    assert [sealed.open_store().store.get(name, 1).payload for name in ("a", "b")] == [None, None]
    assert sealed.load("b").public == sealed.load("a@1").public


def test_swapped_payloads_do_not_open(sealed: KeyRing, refused: Refused) -> None:
    """A payload is bound to its record: between versions and between names they cannot be exchanged."""
    sealed.generate("a", type="oct")
    sealed.rotate("a")
    sealed.generate("b", type="oct")
    payloads = [payload_of(sealed, "a"), payload_of(sealed, "a", 2), payload_of(sealed, "b")]
    put(sealed, "a", payloads[1])
    put(sealed, "a", payloads[2], 2)
    put(sealed, "b", payloads[0])

    for reference in ("a@1", "a@2", "b@1"):
        with refused(SealError, UNSEAL.format(reference)):
            sealed.load(reference)


@pytest.mark.parametrize("change", [{"kid": "other"}, {"format": "nix"}])
def test_a_payload_is_bound_to_kid_and_format(sealed: KeyRing, refused: Refused, change: dict[str, Any]) -> None:
    """Metadata that tells another kid or format does not open the payload."""
    sealed.generate("a", type="oct")
    store = sealed.open_store().writable
    record = store.get("a", 1)
    store.update(Record(replace(record.info, **change), record.payload), expected=record.info.revision)

    with refused(SealError, UNSEAL.format("a@1")):
        sealed.load("a@1")


def test_changed_bytes_do_not_open(sealed: KeyRing, refused: Refused) -> None:
    """Sealed bytes that were changed do not open."""
    sealed.generate("a")
    put(sealed, "a", Secret(payload_of(sealed, "a").reveal()[:-1] + b"\x00"))

    with refused(SealError, UNSEAL.format("a@1")):
        sealed.load("a")


def test_an_unsealed_payload_is_not_trusted(
    ring: Rings, sealed: KeyRing, refused: Refused, shared: dict[str, str]
) -> None:
    """A plain payload in a sealed store may have been put there by anybody who can write to it."""
    ring(stores={"main": shared}).generate("a")

    with refused(
        SealError,
        "a@1 is not sealed, though store 'main' has a seal, so it is not trusted; move it in with `keywright migrate` "
        "from a store without a seal",
    ):
        sealed.load("a")


def test_a_sealed_payload_needs_its_seal(
    ring: Rings, sealed: KeyRing, refused: Refused, shared: dict[str, str]
) -> None:
    """A store without a seal says which one the payload was made with."""
    sealed.generate("a")

    with refused(
        SealError,
        "a@1 is sealed with 'memory', and store 'main' has no seal; set stores.main.seal to the seal it was made with",
    ):
        ring(stores={"main": shared}).load("a")


def test_another_master_key_does_not_open(
    ring: Rings, sealed: KeyRing, refused: Refused, shared: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another master key nothing opens."""
    sealed.generate("a")
    monkeypatch.setenv("RING_MASTER", "another")
    seals = {"master": {"seal": "memory", "master": {"env": "RING_MASTER"}}}
    opened = ring(stores={"main": {**shared, "seal": "master"}}, seals=seals)

    with refused(SealError, UNSEAL.format("a@1")):
        opened.load("a")


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


def test_another_seal_does_not_open(
    ring: Rings, registry: Registry, sealed: KeyRing, refused: Refused, shared: dict[str, str]
) -> None:
    """A payload is opened by the seal that made it and by no other."""
    sealed.generate("a")
    registry.add(Reversing(), "reversing")
    opened = ring(stores={"main": {**shared, "seal": "master"}}, seals={"master": {"seal": "reversing"}})

    with refused(
        SealError,
        "a@1 is sealed with 'memory', and store 'main' has 'reversing'; set stores.main.seal to the seal it was made "
        "with",
    ):
        opened.load("a")


def test_a_seal_that_loses_bytes_is_found_out(ring: Rings, registry: Registry, refused: Refused) -> None:
    """What was sealed is opened again before it is stored, for a key that does not come back would be lost."""
    registry.add(Reversing(lost=1), "reversing")
    opened = ring(stores={"main": {"backend": "memory", "seal": "x"}}, seals={"x": {"seal": "reversing"}})

    with refused(SealError, "seal 'reversing' gives back something else than it got; nothing was stored"):
        opened.generate("a")

    assert [*opened.names()] == []


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
    """A nix key of the name that sealed payloads start with is no sealed payload."""
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
            lambda payload: payload + b"\n", "is not as it was written; restore it from a backup", id="a line feed more"
        ),
        pytest.param(
            lambda payload: payload[:4],
            "does not decode: nothing follows the colon of the Nix key; write NAME:BASE64",
            id="cut",
        ),
        pytest.param(
            lambda payload: b"a-1:tVeHVMaFaKi8lieGBErmScEOuxlSJLA7eO6IPrT1VGc=",
            "is not as it was written; restore it from a backup",
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

    with refused(DamagedStoreError, f"a@1 in store 'main' {ending}"):
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
        "given settings: seals.x.seal: no seal is called 'hsm'; installed: memory; left out by the setting `plugins`: "
        "audit, chain, env, file, policy, seal, sqlite",
    ):
        opened.open_store("x")
    with refused(
        ConfigError,
        "given settings: seals.y.master points to the environment variable RING_UNSET, which is not set; set it",
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


def test_a_key_is_not_left_open_among_sealed_ones(
    ring: Rings, sealed: KeyRing, refused: Refused, shared: dict[str, str]
) -> None:
    """A store that holds sealed keys, and whose seal was taken out of the configuration, takes no open ones."""
    sealed.generate("a")

    with refused(
        SealError,
        "store 'main' holds sealed keys and has no seal, so another one would lie open among them; set "
        "stores.main.seal",
    ):
        ring(stores={"main": shared}).generate("b")
    assert [*sealed.names()] == ["a"]


def test_a_sealed_key_is_not_added_to_open_ones(
    ring: Rings, canary_seal: Table, refused: Refused, shared: dict[str, str]
) -> None:
    """A store that holds keys from before it had a seal would be one that no configuration reads whole."""
    ring(stores={"main": shared}).generate("a")
    sealing = ring(stores={"main": {**shared, "seal": "master"}}, seals={"master": canary_seal})

    with refused(
        SealError,
        "store 'main' holds keys that are not sealed, which its seal 'memory' does not open, so another one is not "
        "added; set the seal that they have, and migrate them into a store with this one",
    ):
        sealing.generate("b")
    assert [*sealing.names()] == ["a"]


def test_a_key_is_not_added_to_those_of_another_seal(
    ring: Rings, sealed: KeyRing, canary_seal: Table, refused: Refused, shared: dict[str, str]
) -> None:
    """Of two kinds of seal in one store, each would refuse the other's keys."""
    sealed.generate("a")
    payload = payload_of(sealed, "a").reveal().replace(b":memory\n", b":other\n", 1)
    put(sealed, "a", Secret(payload))

    with refused(
        SealError,
        "store 'main' holds keys sealed with 'other', which its seal 'memory' does not open, so another one is not "
        "added; set the seal that they have, and migrate them into a store with this one",
    ):
        ring(stores={"main": {**shared, "seal": "master"}}, seals={"master": canary_seal}).generate("b")


def test_tombstones_hide_nothing(ring: Rings, sealed: KeyRing, shared: dict[str, str]) -> None:
    """However many keys were destroyed, those that are left tell how the store is sealed."""
    for number in range(70):
        sealed.generate(f"a{number:02}", type="oct")
        sealed.destroy(f"a{number:02}")
    sealed.generate("z")

    with pytest.raises(SealError, match="holds sealed keys and has no seal"):
        ring(stores={"main": shared}).generate("b")
    assert "b" not in sealed.names()


@pytest.mark.parametrize("type", ["ed25519", "ec-p256"])
def test_a_public_half_that_was_exchanged_is_told(sealed: KeyRing, refused: Refused, type: str) -> None:
    """The metadata are not sealed: a key whose public half there is another one is not used, whatever its kid."""
    sealed.generate("a", type=type, format="jwk")
    sealed.generate("b", type=type, format="jwk")
    store = sealed.open_store().writable
    record, other = store.get("a", 1), store.get("b", 1)
    changed = replace(record.info, public=other.info.public)
    store.update(Record(changed, record.payload), expected=record.info.revision)

    for use in (sealed.load, sealed.signer, lambda name: sealed.export(name, secret=True)):
        with refused(
            DamagedStoreError,
            "a@1 in store 'main' is another key than its metadata says; restore it from a backup",
        ):
            use("a")


@pytest.mark.parametrize("place", [1, 2])
def test_more_than_one_key_is_looked_at(
    ring: Rings, sealed: KeyRing, refused: Refused, shared: dict[str, str], place: int
) -> None:
    """An open key that somebody put behind a sealed one is found before another is added: three are looked at."""
    names = ["a", "b", "c"]
    for number, name in enumerate(names):
        sealed.generate(name)
        if number == place:
            put(sealed, name, sealed.export(name, secret=True))

    with refused(
        SealError,
        "store 'main' holds keys that are not sealed, which its seal 'memory' does not open, so another one is not "
        "added; set the seal that they have, and migrate them into a store with this one",
    ):
        ring(
            stores={"main": {**shared, "seal": "master"}},
            seals={"master": {"seal": "memory", "master": {"env": "RING_MASTER"}}},
        ).generate("d")


def unreadable(monkeypatch: pytest.MonkeyPatch, opened: KeyRing, *names: str) -> None:
    """The store fails to give the records of these names."""
    store = opened.open_store().store
    get = store.get

    def fail(name: str, version: int) -> Record:
        if name in names:
            raise DamagedStoreError(f"{name}@{version}: the key file is damaged; restore it from a backup")
        return get(name, version)

    monkeypatch.setattr(store, "get", fail)


def test_nothing_is_sealed_beside_what_nobody_can_read(
    sealed: KeyRing, ring: Rings, refused: Refused, monkeypatch: pytest.MonkeyPatch, shared: dict[str, str]
) -> None:
    """Where no record can be read, nobody knows how those before were sealed; without a seal nothing hangs on it."""
    sealed.generate("a")
    again = ring(
        stores={"main": {**shared, "seal": "master"}},
        seals={"master": {"seal": "memory", "master": {"env": "RING_MASTER"}}},
    )
    unreadable(monkeypatch, again, "a")

    with refused(DamagedStoreError, "a@1: the key file is damaged; restore it from a backup"):
        again.generate("b")

    assert [*sealed.names()] == ["a"]
    monkeypatch.undo()


def test_one_that_can_be_read_tells_how_the_others_were_sealed(
    sealed: KeyRing, ring: Rings, monkeypatch: pytest.MonkeyPatch, shared: dict[str, str]
) -> None:
    """A damaged record stops no other from being added, as long as one can be read."""
    sealed.generate("a")
    sealed.generate("b")
    again = ring(
        stores={"main": {**shared, "seal": "master"}},
        seals={"master": {"seal": "memory", "master": {"env": "RING_MASTER"}}},
    )
    unreadable(monkeypatch, again, "a")

    assert again.generate("c").reference == "c@1"


def test_without_a_seal_a_damaged_record_stops_no_other(
    ring: Rings, monkeypatch: pytest.MonkeyPatch, shared: dict[str, str]
) -> None:
    """In a store without a seal nothing depends on how the records before were sealed."""
    ring(stores={"main": shared}).generate("a")
    again = ring(stores={"main": shared})
    unreadable(monkeypatch, again, "a")

    assert again.generate("b").reference == "b@1"


def test_a_seal_whose_master_key_stays_is_not_renewed(ring: Rings, registry: Registry, refused: Refused) -> None:
    """A seal that cannot say whether a payload has its current master key has nothing to seal anew."""
    registry.add(Reversing(), "reversing")
    opened = ring(stores={"main": {"backend": "memory", "seal": "x"}}, seals={"x": {"seal": "reversing"}})
    opened.generate("a")

    with refused(
        ConfigError,
        "store 'main' has a seal 'reversing' whose master key does not change; there is nothing to seal anew",
    ):
        list(opened.reseal())


def test_a_store_without_a_seal_is_refused_though_it_holds_nothing(ring: Rings, refused: Refused) -> None:
    """What cannot be sealed anew is said at once, and not of each record, or never."""
    with refused(ConfigError, "store 'main' has no seal; there is nothing to seal anew"):
        list(ring().reseal())
