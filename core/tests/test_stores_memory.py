"""The stand-ins for tests: the store backends `memory` and `memory-signing`, and the seal `memory`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from refusals import refuses
from tables import cases
from toy_signer import ToySigner

from keywright import (
    Capabilities,
    Guard,
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


def test_what_the_stand_ins_declare() -> None:
    """Stores keep metadata and take writes, and are neither shared nor persistent; one signs inside; `id` is `""`."""
    memory = Capabilities(writable=True, metadata=True, shared=False, persistent=False, guarded=True)
    options = check_options({}, MemoryBackend.settings, owner="o", path="p", source="s")

    assert options.text("id") == ""
    assert MemoryBackend.capabilities == memory
    assert MemorySigningBackend.capabilities == memory._replace(keys_stay_inside=True)
    assert isinstance(MemorySigningBackend({}), StoreBackend)
    assert isinstance(MemorySeal(), Seal)
    assert (MemorySigningBackend.name, MemorySeal.name) == ("memory-signing", "memory")
    assert [(setting.name, setting.type) for setting in MemorySeal.settings] == [("master", "secret")]


@cases(
    ("act", "error", "message"),
    {
        "absent name": (
            lambda store: store.get("b", 1),
            KeyNotFoundError,
            'the store has no key "b@1"; run `keywright show b` to see its versions',
        ),
        "absent version": (
            lambda store: store.get("a", 2),
            KeyNotFoundError,
            'the store has no key "a@2"; run `keywright show a` to see its versions',
        ),
        "taken version": (
            lambda store: store.create(Record(_INFO, None)),
            KeyExistsError,
            '"a@1" already exists; nothing was written; run `keywright rotate a` to create the next version',
        ),
        "stale update": (
            lambda store: store.update_info(_INFO, Revision("x")),
            ConflictError,
            '"a@1" changed since it was read; nothing was written; read it again, then repeat the change',
        ),
        "changed guard": (
            lambda store: store.create(Record(replace(_INFO, version=2), None), guard=Guard("a", 1, Revision("x"))),
            ConflictError,
            '"a@1" changed since it was read; nothing was written; read it again, then repeat the change',
        ),
        "destroyed by an update": (
            lambda store: store.update_info(replace(_INFO, state=State.DESTROYED), store.get("a", 1).info.revision),
            UnsupportedOperationError,
            '"a@1" has a payload, so its state cannot be "destroyed"; call destroy, or leave the payload out',
        ),
        "destroyed in another state": (
            lambda store: store.destroy(_INFO, store.get("a", 1).info.revision),
            UnsupportedOperationError,
            'destroy needs metadata of "a@1" in state "destroyed"; call update_info',
        ),
        "remove of an absent name": (
            lambda store: store.remove("b", []),
            KeyNotFoundError,
            'the store has no key "b"; run `keywright list` to see its keys',
        ),
        "stale remove": (
            lambda store: store.remove("a", []),
            ConflictError,
            '"a" changed since it was read; nothing was written; read it again, then repeat the change',
        ),
    },
)
def test_messages(act: Callable[[MemoryStore], object], error: type[Exception], message: str) -> None:
    """Each refusal says subject, rule and what to do."""
    store = MemoryStore()
    store.create(Record(_INFO, Secret(b"payload")))

    with refuses(error, message):
        act(store)


def test_what_comes_out_cannot_change_what_is_held() -> None:
    """Labels of a record that was read are the reader's own."""
    store = MemoryStore()
    store.create(Record(replace(_INFO, labels={"x": "1"}), None))

    for info in (store.get("a", 1).info, store.versions("a")[0]):
        assert isinstance(info.labels, dict)
        info.labels["x"] = "2"

    assert store.get("a", 1).info.labels == {"x": "1"}


class _Symmetric(ToySigner):
    """A type whose keys have no public half."""

    name = "symmetric"

    def validate(self, key: Key) -> Key:
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

    store.destroy(replace(info, state=State.DESTROYED), info.revision)

    assert store._keys == {}


def _sign_with_a_public_half(store: MemorySigningStore) -> None:
    store.create(Record(replace(_INFO, public=b"public"), None))
    store.signer("a", 1, "EdDSA")


def _replace_the_payload(store: MemorySigningStore) -> None:
    info = _generate(store)
    store.replace_payload(info.name, info.version, Secret(b"key"), info.revision)


@cases(
    ("act", "error", "message"),
    {
        "unknown key type": (
            lambda store: _generate(store, replace(_INFO, key_type="rsa")),
            UnsupportedOperationError,
            "a@1: this store cannot make keys of type 'rsa'; it knows: symmetric, toy-signer",
        ),
        "no public half": (
            lambda store: _generate(store, replace(_INFO, key_type="symmetric")),
            UnsupportedOperationError,
            (
                "a@1: keys of type 'symmetric' have no public half, and nothing else leaves this store; use another "
                "type or store"
            ),
        ),
        "a payload, created": (
            lambda store: store.create(Record(replace(_INFO, version=2), Secret(b"key"))),
            UnsupportedOperationError,
            "a@2: this store takes no secret half in; generate the key inside it",
        ),
        "a payload, replaced": (
            _replace_the_payload,
            UnsupportedOperationError,
            '"a@1" has no payload to replace; create a new version',
        ),
        "no secret half": (
            _sign_with_a_public_half,
            NotExportableError,
            "a@1: has no secret half in this store, it was destroyed or never came; use another version",
        ),
    },
)
def test_refusals_of_a_signing_store(
    store: MemorySigningStore, act: Callable[[MemorySigningStore], object], error: type[Exception], message: str
) -> None:
    """Each says subject, rule and what to do; nothing was stored that was refused."""
    with refuses(error, message):
        act(store)

    assert "symmetric" not in [info.key_type for name in store.names() for info in store.versions(name)]


def test_what_the_seal_refuses() -> None:
    """A seal without master key does not open; what cannot be unsealed is refused with what may have happened."""
    with refuses(SealError, "the master key of the memory seal is empty; give one"):
        _opened(b"")
    message = (
        "the payload cannot be unsealed: its master key is another one, or its bytes or its record were changed; "
        "give the master key that sealed it, or restore the record from a backup"
    )
    with refuses(SealError, message):
        _opened().unseal(Secret(b"x" * 80), b"a@1")


def test_the_sealed_form() -> None:
    """Nonce, tag and as many bytes as the payload has; context and ciphertext are authenticated as two things."""
    opened = _opened()
    sealed = opened.seal(Secret(b"12345"), b"a@1")
    shorter = Secret(sealed.reveal()[:64] + sealed.reveal()[65:])

    assert len(sealed) == 64 + 5
    with pytest.raises(SealError):
        opened.unseal(shorter, b"a@1" + sealed.reveal()[64:65])
