"""The stand-ins for tests: the store backends `memory` and `memory-signing`, and the seal `memory`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from toy_signer import ToySigner

from keywright import (
    Capabilities,
    Key,
    KeyType,
    OpenedSeal,
    Options,
    Record,
    RecordInfo,
    Revision,
    Seal,
    Secret,
    State,
    StoreBackend,
)
from keywright.errors import (
    ConflictError,
    KeyExistsError,
    KeyNotFoundError,
    NotExportableError,
    SealError,
    UnsupportedOperationError,
)
from keywright.settings.values import check_options
from keywright.stores.memory import MemoryBackend, MemoryStore
from keywright.testing import (
    MemorySeal,
    MemorySigningBackend,
    OpenSeal,
    OpenSigningStore,
    OpenWritableStore,
    PluginContract,
    SealContract,
    SigningStoreContract,
    WritableStoreContract,
    assert_hidden,
)
from keywright.testing.stores.memory import MemorySigningStore

_INFO = RecordInfo(name="a", version=1)
_SIGNING_INFO = replace(_INFO, key_type="toy-signer")


class TestMemoryStore(WritableStoreContract):
    """The contract of writable stores."""

    capabilities = MemoryBackend.capabilities

    @pytest.fixture
    def open_store(self) -> OpenWritableStore:
        """One id, so that opening it again finds what was written."""
        backend = MemoryBackend()
        return lambda: backend.open(Options({"id": "shared"}))


class TestMemoryPlugin(PluginContract):
    """The contract of plugins."""

    module = "keywright.stores.memory"


class TestMemorySigningStore(SigningStoreContract):
    """The contract of signing stores."""

    capabilities = MemorySigningBackend.capabilities

    @pytest.fixture
    def key_type(self) -> KeyType:
        """What the store can make."""
        return ToySigner()

    @pytest.fixture
    def open_store(self, key_type: KeyType) -> OpenSigningStore:
        """One id, so that opening it again finds what was written."""
        backend = MemorySigningBackend({key_type.name: key_type})
        return lambda: backend.open(Options({"id": "shared"}))


def _opened(master: bytes = b"one master key") -> OpenedSeal:
    return MemorySeal().open(Options({"master": Secret(master)}))


class TestMemorySeal(SealContract):
    """The contract of seals."""

    @pytest.fixture
    def open_seal(self) -> OpenSeal:
        """One master key."""
        return _opened

    @pytest.fixture
    def open_other_seal(self) -> OpenSeal:
        """Another master key."""
        return lambda: _opened(b"another master key")


@pytest.mark.parametrize("backend", [MemoryBackend(), MemorySigningBackend({})], ids=lambda one: str(one.name))
def test_two_openings_share_what_has_one_id(backend: MemoryBackend | MemorySigningBackend) -> None:
    """Stores of one id share what they hold; without an id, or with another, a store is empty."""
    with backend.open(Options({"id": "one"})) as one, backend.open(Options({"id": ""})) as fresh:
        one.create(Record(_INFO, None))
        fresh.create(Record(_INFO, None))

    for identity, held in (("one", ["a"]), ("two", []), ("", [])):
        with backend.open(Options({"id": identity})) as store:
            assert list(store.names()) == held, identity


def test_the_id_is_empty_unless_given() -> None:
    """The setting `id` has the default `""`."""
    options = check_options({}, MemoryBackend.settings, owner="o", path="p", source="s")

    assert options.text("id") == ""


def test_the_capabilities_say_that_it_ends_with_the_process() -> None:
    """Both keep metadata and take writes, and are neither shared nor persistent; one signs inside."""
    memory = Capabilities(writable=True, metadata=True, signing=False, shared=False, persistent=False)

    assert MemoryBackend.capabilities == memory
    assert MemorySigningBackend.capabilities == memory._replace(signing=True)
    assert isinstance(MemorySigningBackend({}), StoreBackend)
    assert MemorySigningBackend.name == "memory-signing"


def test_a_revision_of_a_removed_record_never_recurs() -> None:
    """A name that was removed and made again is not mistaken for the one before."""
    store = MemoryStore()
    record = Record(_INFO, None)
    before = store.create(record)
    store.remove("a", expected=[before.revision])

    after = store.create(record)

    assert after.revision != before.revision


def test_what_comes_out_cannot_change_what_is_held() -> None:
    """Labels of a record that was read are the reader's own."""
    store = MemoryStore()
    store.create(Record(replace(_INFO, labels={"x": "1"}), None))

    for info in (store.get("a", 1).info, store.versions("a")[0]):
        assert isinstance(info.labels, dict)
        info.labels["x"] = "2"

    assert store.get("a", 1).info.labels == {"x": "1"}


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        pytest.param(
            lambda store: store.get("b", 1),
            KeyNotFoundError,
            "b: the store has no such name; `keywright list` shows those it has",
            id="absent name",
        ),
        pytest.param(
            lambda store: store.get("a", 2),
            KeyNotFoundError,
            "a@2: the store has no such version; `keywright show a` lists those it has",
            id="absent version",
        ),
        pytest.param(
            lambda store: store.create(Record(_INFO, None)),
            KeyExistsError,
            "a@1: is in the store already; nothing was written; take the next version",
            id="taken version",
        ),
        pytest.param(
            lambda store: store.update(Record(_INFO, None), expected=Revision("x")),
            ConflictError,
            "a@1: changed since it was read; nothing was written, read it again",
            id="stale update",
        ),
        pytest.param(
            lambda store: store.update(Record(replace(_INFO, kid="k"), None), expected=store.get("a", 1).info.revision),
            UnsupportedOperationError,
            "a@1: metadata and payload do not change in one update; make two updates",
            id="both at once",
        ),
        pytest.param(
            lambda store: store.remove("a", expected=[]),
            ConflictError,
            "a: changed since it was read; nothing was removed, read it again",
            id="stale remove",
        ),
    ],
)
def test_messages(act: Callable[[MemoryStore], object], error: type[Exception], message: str) -> None:
    """Each refusal says subject, rule and what to do."""
    store = MemoryStore()
    store.create(Record(_INFO, Secret(b"payload")))

    with pytest.raises(error) as caught:
        act(store)

    assert str(caught.value) == message


class _Symmetric(ToySigner):
    """A type whose keys have no public half."""

    name = "symmetric"

    def complete(self, key: Key) -> Key:
        return replace(key, public=None)


@pytest.fixture
def store() -> MemorySigningStore:
    """A signing store that can make `toy-signer` and `symmetric` keys."""
    return MemorySigningStore({"toy-signer": ToySigner(), "symmetric": _Symmetric()})


def _generate(store: MemorySigningStore, info: RecordInfo = _SIGNING_INFO) -> RecordInfo:
    return store.generate(info, Options(), lambda _public: "kid")


def test_nothing_that_comes_out_holds_the_seed(store: MemorySigningStore) -> None:
    """Record, metadata and the store's repr are free of the secret half."""
    _generate(store)
    seed = store._keys["a", 1].secret
    assert seed is not None

    record = store.get("a", 1)

    assert record.payload is None
    assert_hidden(seed, f"{record!r} {store.versions('a')!r} {store!r} {store.signer('a', 1, 'EdDSA')!r}")


def test_a_destruction_forgets_the_key(store: MemorySigningStore) -> None:
    """After the update to `destroyed` the secret half is gone from the store, not only out of reach."""
    info = _generate(store)

    store.update(Record(replace(info, state=State.DESTROYED), None), expected=info.revision)

    assert store._keys == {}


def test_an_unknown_key_type_is_refused(store: MemorySigningStore) -> None:
    """A key type that the store was not given is refused with those that it knows."""
    with pytest.raises(UnsupportedOperationError) as caught:
        _generate(store, replace(_INFO, key_type="rsa"))

    assert str(caught.value) == "a@1: this store cannot make keys of type 'rsa'; it knows: symmetric, toy-signer"


def test_a_type_without_public_half_is_refused(store: MemorySigningStore) -> None:
    """A symmetric key would be of no use to anybody outside."""
    with pytest.raises(UnsupportedOperationError) as caught:
        _generate(store, replace(_INFO, key_type="symmetric"))

    assert str(caught.value) == (
        "a@1: keys of type 'symmetric' have no public half, and nothing else leaves this store; "
        "use another type or store"
    )
    assert list(store.names()) == []


def test_a_payload_is_refused(store: MemorySigningStore) -> None:
    """Keys do not come in, neither by `create` nor by `update`."""
    info = _generate(store)

    with pytest.raises(UnsupportedOperationError) as created:
        store.create(Record(replace(_INFO, version=2), Secret(b"key")))
    with pytest.raises(UnsupportedOperationError) as updated:
        store.update(Record(info, Secret(b"key")), expected=info.revision)

    assert str(created.value) == "a@2: this store takes no secret half in; generate the key inside it"
    assert str(updated.value) == "a@1: this store takes no secret half in; generate the key inside it"


def test_a_public_half_does_not_sign(store: MemorySigningStore) -> None:
    """A version that came as a public half has no signer."""
    store.create(Record(replace(_INFO, public=b"public"), None))

    with pytest.raises(NotExportableError) as caught:
        store.signer("a", 1, "EdDSA")

    assert str(caught.value) == (
        "a@1: has no secret half in this store, it was destroyed or never came; use another version"
    )


def test_it_is_a_seal() -> None:
    """The object satisfies the protocol, under the name `memory`."""
    assert isinstance(MemorySeal(), Seal)
    assert MemorySeal.name == "memory"
    assert [(setting.name, setting.type) for setting in MemorySeal.settings] == [("master", "secret")]


def test_the_sealed_form_is_64_bytes_longer() -> None:
    """A sealed payload is nonce, tag and as many bytes as the payload has."""
    sealed = _opened().seal(Secret(b"12345"), b"a@1")

    assert len(sealed) == 64 + 5


def test_an_empty_master_key_is_refused() -> None:
    """A seal without master key does not open."""
    with pytest.raises(SealError) as caught:
        _opened(b"")

    assert str(caught.value) == "the master key of the memory seal is empty; give one"


def test_the_message_of_a_refusal() -> None:
    """What cannot be unsealed is refused with what may have happened and what to do."""
    with pytest.raises(SealError) as caught:
        _opened().unseal(Secret(b"x" * 80), b"a@1")

    assert str(caught.value) == (
        "the payload cannot be unsealed: its master key is another one, or its bytes or its record were changed; "
        "give the master key that sealed it, or restore the record from a backup"
    )


def test_a_byte_does_not_move_from_body_to_context() -> None:
    """Context and ciphertext are authenticated as two things, not as one text that could be parted elsewhere."""
    opened = _opened()
    sealed = opened.seal(Secret(b"12345"), b"a@1")
    shorter = Secret(sealed.reveal()[:64] + sealed.reveal()[65:])

    with pytest.raises(SealError):
        opened.unseal(shorter, b"a@1" + sealed.reveal()[64:65])
