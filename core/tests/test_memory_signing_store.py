"""The store backend `memory-signing`, with a key type made of hashes alone."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from keywright.errors import (
    ConfigError,
    InvalidKeyError,
    InvalidSignatureError,
    NotExportableError,
    UnsupportedOperationError,
)
from keywright.keys import Key
from keywright.protocols import Capabilities, KeyType, StoreBackend
from keywright.records import Record, RecordInfo, State
from keywright.secret import Secret
from keywright.settings.model import Options, Setting
from keywright.testing import (
    KeyTypeContract,
    MemorySigningBackend,
    OpenSigningStore,
    SigningStoreContract,
    assert_hidden,
)
from keywright.testing.stores.memory_signing import MemorySigningStore

_BITS = 256
_HASH = 32


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class Lamport:
    """One-time signatures by Lamport: the secret half is a 32-byte seed, the public half the hash of 512 hashes.

    A signature shows, for each bit of the message's hash, one of two secrets and the hash of the other.
    """

    name = "lamport"
    settings = (
        Setting("bits", "integer", default=256, minimum=256, maximum=512, multiple_of=256, help="the seed, in bits"),
    )
    algorithms = ("LAMPORT",)

    def generate(self, options: Options) -> Key:
        bits = options.integer("bits")
        if bits not in (256, 512):
            raise ConfigError("bits must be 256 or 512")
        return self.complete(Key(self.name, secret=Secret(os.urandom(bits // 8))))

    def complete(self, key: Key) -> Key:
        if key.type != self.name:
            raise InvalidKeyError("this is no lamport key; use its own type")
        if key.secret is not None:
            if len(key.secret) not in (32, 64):
                raise InvalidKeyError("a lamport seed has 32 or 64 bytes; use another")
            derived = _hash(b"".join(_hash(part.reveal()) for pair in self._pairs(key.secret) for part in pair))
            derived += len(key.secret).to_bytes(1)
            if key.public not in (None, derived):
                raise InvalidKeyError("the halves of this lamport key do not belong together; use one of them")
            return replace(key, public=derived)
        if key.public is None or len(key.public) != _HASH + 1 or key.public[-1] not in (32, 64):
            raise InvalidKeyError("a lamport public half has 33 bytes; use another")
        return key

    def bits(self, key: Key) -> int:
        return 8 * (self.complete(key).public or b"\0")[-1]

    def signer(self, key: Key, algorithm: str) -> Callable[[bytes], bytes]:
        self._check(algorithm)
        self.complete(key)
        if key.secret is None:
            raise NotExportableError("this lamport key has no secret half; use another")
        seed = key.secret

        def sign(message: bytes) -> bytes:
            parts = []
            for bit, pair in zip(self._message_bits(message), self._pairs(seed), strict=True):
                shown = (
                    [pair[0].reveal(), _hash(pair[1].reveal())]
                    if bit == 0
                    else [_hash(pair[0].reveal()), pair[1].reveal()]
                )
                parts += shown
            return b"".join(parts)

        return sign

    def verifier(self, key: Key, algorithm: str) -> Callable[[bytes, bytes], None]:
        self._check(algorithm)
        public = self.complete(key).public or b""

        def verify(message: bytes, signature: bytes) -> None:
            parts = [signature[at : at + _HASH] for at in range(0, len(signature), _HASH)]
            if len(signature) != 2 * _BITS * _HASH:
                raise InvalidSignatureError("the signature does not hold")
            for number, bit in enumerate(self._message_bits(message)):
                parts[2 * number + bit] = _hash(parts[2 * number + bit])
            if _hash(b"".join(parts)) != public[:-1]:
                raise InvalidSignatureError("the signature does not hold")

        return verify

    def _check(self, algorithm: str) -> None:
        if algorithm not in self.algorithms:
            raise UnsupportedOperationError("a lamport key signs with LAMPORT alone; use that")

    def _pairs(self, seed: Secret) -> Iterator[tuple[Secret, Secret]]:
        for number in range(_BITS):
            yield (
                Secret(hmac.digest(seed.reveal(), b"0 %d" % number, "sha256")),
                Secret(hmac.digest(seed.reveal(), b"1 %d" % number, "sha256")),
            )

    def _message_bits(self, message: bytes) -> Iterator[int]:
        number = int.from_bytes(_hash(message))
        return (number >> position & 1 for position in range(_BITS))


class Symmetric(Lamport):
    """A type whose keys have no public half."""

    name = "symmetric"

    def complete(self, key: Key) -> Key:
        return replace(key, public=None)


class TestLamport(KeyTypeContract):
    """The contract of key types, for the type that the signing store is tested with."""

    option_sets = ({}, {"bits": 512})
    samples = 16

    @pytest.fixture
    def key_type(self) -> KeyType:
        """The type under test."""
        return Lamport()


class TestMemorySigningStore(SigningStoreContract):
    """The contract of signing stores."""

    capabilities = MemorySigningBackend.capabilities

    @pytest.fixture
    def key_type(self) -> KeyType:
        """What the store can make."""
        return Lamport()

    @pytest.fixture
    def open_store(self, key_type: KeyType) -> OpenSigningStore:
        """One id, so that opening anew finds what was written."""
        backend = MemorySigningBackend({key_type.name: key_type})
        return lambda: backend.open(Options({"id": "shared"}))


@pytest.fixture
def store() -> MemorySigningStore:
    """A signing store that can make `lamport` and `symmetric` keys."""
    return MemorySigningStore({"lamport": Lamport(), "symmetric": Symmetric()})


_INFO = RecordInfo(name="a", version=1, key_type="lamport")
_OPTIONS = Options({"bits": 256})


def _kid(_public: bytes) -> str:
    return "kid"


def test_it_is_a_backend_of_signing_stores() -> None:
    """The backend satisfies the protocol and says what its stores can do."""
    backend = MemorySigningBackend({})

    assert isinstance(backend, StoreBackend)
    assert backend.name == "memory-signing"
    assert backend.capabilities == Capabilities(
        writable=True, metadata=True, signing=True, shared=False, persistent=False
    )


def test_an_empty_id_opens_a_fresh_store_each_time() -> None:
    """Without an id, nothing is shared between two openings."""
    backend = MemorySigningBackend({"lamport": Lamport()})
    with backend.open(Options({"id": ""})) as opened:
        opened.generate(_INFO, _OPTIONS, _kid)

    with backend.open(Options({"id": ""})) as opened:
        assert list(opened.names()) == []


def test_nothing_that_comes_out_holds_the_seed(store: MemorySigningStore) -> None:
    """Record, metadata and the store's repr are free of the secret half."""
    store.generate(_INFO, _OPTIONS, _kid)
    seed = store._keys["a", 1].secret
    assert seed is not None

    record = store.get("a", 1)

    assert record.payload is None
    assert_hidden(seed, f"{record!r} {store.versions('a')!r} {store!r} {store.signer('a', 1, 'LAMPORT')!r}")


def test_a_destruction_forgets_the_key(store: MemorySigningStore) -> None:
    """After the update to `destroyed` the secret half is gone from the store, not only out of reach."""
    info = store.generate(_INFO, _OPTIONS, _kid)

    store.update(Record(replace(info, state=State.DESTROYED), None), expected=info.revision)

    assert store._keys == {}


def test_an_unknown_key_type_is_refused(store: MemorySigningStore) -> None:
    """A key type that the store was not given is refused with those that it knows."""
    with pytest.raises(UnsupportedOperationError) as caught:
        store.generate(replace(_INFO, key_type="rsa"), _OPTIONS, _kid)

    assert str(caught.value) == "a@1: this store cannot make keys of type 'rsa'; it knows: lamport, symmetric"


def test_a_type_without_public_half_is_refused(store: MemorySigningStore) -> None:
    """A symmetric key would be of no use to anybody outside."""
    with pytest.raises(UnsupportedOperationError) as caught:
        store.generate(replace(_INFO, key_type="symmetric"), _OPTIONS, _kid)

    assert str(caught.value) == (
        "a@1: keys of type 'symmetric' have no public half, and nothing else leaves this store; "
        "use another type or store"
    )
    assert list(store.names()) == []


def test_a_payload_is_refused(store: MemorySigningStore) -> None:
    """Keys do not come in, neither by `create` nor by `update`."""
    info = store.generate(_INFO, _OPTIONS, _kid)

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
        store.signer("a", 1, "LAMPORT")

    assert str(caught.value) == (
        "a@1: has no secret half in this store, it was destroyed or never came; use another version"
    )
