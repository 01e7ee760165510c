"""The contract of stores whose keys never leave them."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest

from keywright.errors import (
    InvalidSignatureError,
    KeyExistsError,
    KeyNotFoundError,
    UnsupportedOperationError,
)
from keywright.key import Key
from keywright.protocols import KeyType, SigningStore
from keywright.record import Record, RecordInfo, State
from keywright.secret import Secret
from keywright.settings import Options, check_options
from keywright.testing.record_stores import RecordStoreContract, clear

__all__ = ["OpenSigningStore", "SigningStoreContract"]

OpenSigningStore = Callable[[], AbstractContextManager[SigningStore]]
"""As `OpenStore`, for a store that signs inside."""

_INFO = RecordInfo(name="a", version=1, labels={"x": "1"})


def _kid(public: bytes) -> str:
    return f"kid-of-{public[:4].hex()}"


class SigningStoreContract(RecordStoreContract):
    """What a store promises that generates and signs inside. Subclass it as `TestX` and give it two fixtures:

    * `open_store`: a function that opens the store anew each time it is called, empty at first;
    * `key_type`: a key type that the store can make, to check its signatures with; it has a public half.
    """

    @pytest.fixture
    def open_store(self) -> OpenSigningStore:
        """To be overridden."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `open_store`")

    @pytest.fixture
    def key_type(self) -> KeyType:
        """To be overridden."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `key_type`")

    def payload(self, data: bytes) -> Secret | None:  # noqa: ARG002 - no store of this kind takes a payload
        """None."""
        return None

    def generate(self, open_store: OpenSigningStore, key_type: KeyType, info: RecordInfo = _INFO) -> RecordInfo:
        """Generate a key in a store opened for that alone."""
        with open_store() as store:
            return store.generate(replace(info, key_type=key_type.name), self.options(key_type), _kid)

    def options(self, key_type: KeyType) -> Options:
        """What `generate` is told. Override it where the defaults do not do."""
        return check_options({}, key_type.settings, owner="the key type", path="keys", source="the test")

    def test_signing_01_a_generated_key_shows_its_public_half_alone(
        self, open_store: OpenSigningStore, key_type: KeyType
    ) -> None:
        """SIGNING-01: `generate` stores the info with public half, kid and revision; its record has no payload."""
        stored = self.generate(open_store, key_type)

        assert stored.public
        assert stored.kid == _kid(stored.public)
        assert stored.revision
        assert replace(stored, public=None, kid="", revision=_INFO.revision) == replace(_INFO, key_type=key_type.name)
        with open_store() as store:
            assert store.get("a", 1) == Record(stored, None)
            assert list(store.versions("a")) == [stored]
            assert list(store.names()) == ["a"]

    def test_signing_02_signatures_hold_under_the_public_half(
        self, open_store: OpenSigningStore, key_type: KeyType
    ) -> None:
        """SIGNING-02: What `signer` signs, in the store opened anew, the key type verifies, for that message alone."""
        stored = self.generate(open_store, key_type)
        for algorithm in key_type.algorithms:
            with open_store() as store:
                signatures = [store.signer("a", 1, algorithm)(message) for message in (b"", b"message")]
            verify = key_type.verifier(Key(key_type.name, stored.kid, public=stored.public), algorithm)

            verify(b"", signatures[0])
            verify(b"message", signatures[1])
            with pytest.raises(InvalidSignatureError):
                verify(b"massage", signatures[1])

    def test_signing_03_each_version_has_a_key_of_its_own(
        self, open_store: OpenSigningStore, key_type: KeyType
    ) -> None:
        """SIGNING-03: Two versions have two keys, and `signer` takes the one that was asked for."""
        infos = [self.generate(open_store, key_type, replace(_INFO, version=version)) for version in (1, 2)]
        with open_store() as store:
            signature = store.signer("a", 2, key_type.algorithms[0])(b"message")

        one, two = (key_type.verifier(Key(key_type.name, public=info.public), key_type.algorithms[0]) for info in infos)
        two(b"message", signature)
        with pytest.raises(InvalidSignatureError):
            one(b"message", signature)

    def test_signing_04_a_taken_version_is_refused(self, open_store: OpenSigningStore, key_type: KeyType) -> None:
        """SIGNING-04: `generate` of a version that is there raises KeyExistsError and keeps the key that is there."""
        stored = self.generate(open_store, key_type)

        with pytest.raises(KeyExistsError):
            self.generate(open_store, key_type)

        with open_store() as store:
            assert store.get("a", 1).info == stored
            signature = store.signer("a", 1, key_type.algorithms[0])(b"m")
        key_type.verifier(Key(key_type.name, public=stored.public), key_type.algorithms[0])(b"m", signature)

    def test_signing_05_an_unknown_key_type_is_refused(self, open_store: OpenSigningStore) -> None:
        """SIGNING-05: `generate` of a key type that the store cannot make is refused, and nothing is stored."""
        with open_store() as store, pytest.raises(UnsupportedOperationError):
            store.generate(replace(_INFO, key_type="no-such-type"), Options(), _kid)

        with open_store() as store:
            assert list(store.names()) == []

    def test_signing_06_a_kid_that_is_refused_leaves_nothing(
        self, open_store: OpenSigningStore, key_type: KeyType
    ) -> None:
        """SIGNING-06: If the caller refuses to name a kid, nothing is stored."""

        def refuse(_public: bytes) -> str:
            raise KeyExistsError("the kid is taken")

        with open_store() as store, pytest.raises(KeyExistsError, match="the kid is taken"):
            store.generate(replace(_INFO, key_type=key_type.name), self.options(key_type), refuse)

        with open_store() as store:
            assert list(store.names()) == []

    def test_signing_07_an_absent_version_has_no_signer(self, open_store: OpenSigningStore, key_type: KeyType) -> None:
        """SIGNING-07: `signer` of an absent name or version raises KeyNotFoundError."""
        self.generate(open_store, key_type)

        for name, version in (("no-such/name", 1), ("a", 2)):
            with open_store() as store, pytest.raises(KeyNotFoundError):
                store.signer(name, version, key_type.algorithms[0])

    @pytest.mark.parametrize("algorithm", ["", "none", "no-such-algorithm"])
    def test_signing_08_an_unknown_algorithm_is_refused(
        self, open_store: OpenSigningStore, key_type: KeyType, algorithm: str
    ) -> None:
        """SIGNING-08: `signer` with an algorithm that the key does not know raises UnsupportedOperationError."""
        self.generate(open_store, key_type)

        with open_store() as store, pytest.raises(UnsupportedOperationError):
            store.signer("a", 1, algorithm)

    def test_signing_09_a_destroyed_key_signs_no_more(self, open_store: OpenSigningStore, key_type: KeyType) -> None:
        """SIGNING-09: After destruction, `signer` raises UnsupportedOperationError; the public half stays."""
        stored = self.generate(open_store, key_type)

        with open_store() as store:
            store.update(Record(replace(stored, state=State.DESTROYED), None), expected=stored.revision)

        with open_store() as store, pytest.raises(UnsupportedOperationError):
            store.signer("a", 1, key_type.algorithms[0])
        with open_store() as store:
            assert store.get("a", 1).info.public == stored.public

    def test_signing_10_a_removed_key_signs_no_more(self, open_store: OpenSigningStore, key_type: KeyType) -> None:
        """SIGNING-10: After removal the key is gone, and a public half stored under its name has no signer."""
        stored = self.generate(open_store, key_type)

        clear(open_store)

        with open_store() as store, pytest.raises(KeyNotFoundError):
            store.signer("a", 1, key_type.algorithms[0])
        self.create(open_store, replace(_INFO, key_type=key_type.name, public=stored.public))
        with open_store() as store, pytest.raises(UnsupportedOperationError):
            store.signer("a", 1, key_type.algorithms[0])

    def test_signing_11_updated_metadata_leave_the_key(self, open_store: OpenSigningStore, key_type: KeyType) -> None:
        """SIGNING-11: After an update of the metadata, the same key signs."""
        stored = self.generate(open_store, key_type)

        with open_store() as store:
            store.update(Record(replace(stored, labels={}), None), expected=stored.revision)

        with open_store() as store:
            signature = store.signer("a", 1, key_type.algorithms[0])(b"m")
        key_type.verifier(Key(key_type.name, public=stored.public), key_type.algorithms[0])(b"m", signature)
