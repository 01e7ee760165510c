"""The contract of stores whose keys never leave them."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import ClassVar, Final, cast

import pytest

from keywright import BatchSigner, Key, KeyType, Options, Record, RecordInfo, Secret, SigningStore
from keywright.errors import InvalidSignatureError, KeyExistsError, KeyNotFoundError, UnsupportedOperationError
from keywright.settings.values import check_options
from keywright.testing.processes import run_in_threads
from keywright.testing.stores.contract import (
    check_only,
    clear,
    create,
    destroy,
    listed,
    read,
    replace_payload,
    update_info,
)
from keywright.testing.stores.writable import WritableStoreContract

OpenSigningStore = Callable[[], AbstractContextManager[SigningStore]]
"""As `OpenStore`, for a store that signs inside."""

_INFO: Final = RecordInfo(name="a", version=1, labels={"x": "1"})


def _kid(public: bytes) -> str:
    return f"kid-of-{public[:4].hex()}"


def _sign(open_store: OpenSigningStore, key_type: KeyType, message: bytes = b"message", version: int = 1) -> bytes:
    with open_store() as store:
        return store.signer("a", version, key_type.algorithms[0])(message)


def _check_signs(open_store: OpenSigningStore, key_type: KeyType, stored: RecordInfo) -> None:
    """Assert that the key inside is the one whose public half is in the record."""
    verify = key_type.verifier(Key(key_type.name, public=stored.public), key_type.algorithms[0])
    verify(b"message", _sign(open_store, key_type, version=stored.version))


class SigningStoreContract(WritableStoreContract):
    """The rules for a store that generates and signs inside.

    Subclass it as `TestX`, declare what the store can do, and give it two fixtures:

    * `capabilities`: as the store's backend declares them;
    * `open_store`: a function that opens the store again each time it is called, empty at first;
    * `key_type`: a key type that the store can make, to check its signatures with; it has a public half.

    It has the rules of `WritableStoreContract` too. Those about payloads (STORE-50 to STORE-59) are skipped, for
    `capabilities` says that keys stay inside.
    """

    proves: ClassVar[frozenset[str]] = frozenset({"keys_stay_inside"})

    @pytest.fixture
    def key_type(self) -> KeyType:
        """Override this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `key_type`")

    def options(self, key_type: KeyType) -> Options:
        """The options for `generate`. Override it where the defaults do not fit."""
        return check_options({}, key_type.settings, owner="the key type", path="keys", source="the test")

    def generate(
        self,
        open_store: OpenSigningStore,
        key_type: KeyType,
        info: RecordInfo = _INFO,
        kid: Callable[[bytes], str] = _kid,
    ) -> RecordInfo:
        """Generate a key in a store opened for that alone."""
        with open_store() as store:
            return store.generate(replace(info, key_type=key_type.name), self.options(key_type), kid)

    def test_signing_01_a_generated_key_shows_its_public_half_alone(
        self, open_store: OpenSigningStore, key_type: KeyType
    ) -> None:
        """SIGNING-01: `generate` stores the info with public half, kid and revision; its record has no payload.

        Why: Of a key that never leaves its store, only the public half is visible; without it no one can verify,
        and with more the key has left the store.

        Do: Return the info as it was given, with `public`, the `kid` that the callback named and a revision;
        `get` gives payload None.
        """
        stored = self.generate(open_store, key_type)

        assert stored.public
        assert stored.kid == _kid(stored.public)
        assert stored.revision
        assert replace(stored, public=None, kid="", revision=_INFO.revision) == replace(_INFO, key_type=key_type.name)
        check_only(open_store, Record(stored, None))

    def test_signing_02_signatures_hold_under_the_public_half(
        self, open_store: OpenSigningStore, key_type: KeyType
    ) -> None:
        """SIGNING-02: The key type verifies what `signer` of the reopened store signs, and only for that message.

        Why: A signature that only this store accepts is useless.

        Do: Sign with the key of exactly this record, and turn the module's own form of signatures into JOSE
        form (ECDSA: r and s, each of full length).
        """
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
        """SIGNING-03: Two versions have two keys, and `signer` takes the one that was asked for.

        Why: After a rotation, a signature of the wrong version is refused by everybody who trusts the kid.

        Do: Find the key inside by name and version, not by name alone, nor by a label that both share.
        """
        one, two = (self.generate(open_store, key_type, replace(_INFO, version=version)) for version in (1, 2))

        _check_signs(open_store, key_type, two)
        with pytest.raises(InvalidSignatureError):
            key_type.verifier(Key(key_type.name, public=one.public), key_type.algorithms[0])(
                b"message", _sign(open_store, key_type, version=2)
            )

    def test_signing_04_a_taken_version_is_refused(self, open_store: OpenSigningStore, key_type: KeyType) -> None:
        """SIGNING-04: `generate` of a version that is there raises KeyExistsError and keeps the key that is there.

        Why: A key that was overwritten inside cannot be restored.

        Do: Claim the version before you generate the key, or make sure that the loser's key is removed.
        """
        stored = self.generate(open_store, key_type)

        with pytest.raises(KeyExistsError):
            self.generate(open_store, key_type)

        assert read(open_store).info == stored
        _check_signs(open_store, key_type, stored)

    def test_signing_05_an_unknown_key_type_is_refused(self, open_store: OpenSigningStore) -> None:
        """SIGNING-05: `generate` of a key type that the store cannot make is refused, and nothing is stored.

        Why: Verifiers would notice a key of the wrong type weeks later.

        Do: Raise UnsupportedOperationError before anything is created.
        """
        with open_store() as store, pytest.raises(UnsupportedOperationError):
            store.generate(replace(_INFO, key_type="no-such-type"), Options(), _kid)

        assert listed(open_store) == []

    def test_signing_06_a_kid_that_is_refused_leaves_nothing(
        self, open_store: OpenSigningStore, key_type: KeyType
    ) -> None:
        """SIGNING-06: If the caller refuses to name a kid, nothing is stored.

        Why: The ring refuses a kid that another version has; a key left inside without a record is never found
        again, and may be billed.

        Do: Call `kid` before anything is stored, or remove the key again; do not change the callback's own error.
        """

        def refuse(_public: bytes) -> str:
            raise KeyExistsError("the kid is taken")

        with pytest.raises(KeyExistsError, match="the kid is taken"):
            self.generate(open_store, key_type, kid=refuse)

        assert listed(open_store) == []

    def test_signing_07_an_absent_version_has_no_signer(self, open_store: OpenSigningStore, key_type: KeyType) -> None:
        """SIGNING-07: `signer` of an absent name or version raises KeyNotFoundError.

        Why: Looking up a signer is how the ring finds out that a version is gone.

        Do: Raise KeyNotFoundError; only a store that could not be asked is StoreUnavailableError.
        """
        self.generate(open_store, key_type)

        for name, version in (("no-such/name", 1), ("a", 2)):
            with open_store() as store, pytest.raises(KeyNotFoundError):
                store.signer(name, version, key_type.algorithms[0])

    @pytest.mark.parametrize("algorithm", ["", "none", "no-such-algorithm"])
    def test_signing_08_an_unknown_algorithm_is_refused(
        self, open_store: OpenSigningStore, key_type: KeyType, algorithm: str
    ) -> None:
        """SIGNING-08: `signer` with an algorithm that the key does not know raises UnsupportedOperationError.

        Why: An algorithm that is not checked here is refused, or worse, accepted by the module.

        Do: Compare with the algorithms of the key's type, and raise UnsupportedOperationError for any other
        text.
        """
        self.generate(open_store, key_type)

        with open_store() as store, pytest.raises(UnsupportedOperationError):
            store.signer("a", 1, algorithm)

    def test_signing_09_a_destroyed_key_signs_no_more(self, open_store: OpenSigningStore, key_type: KeyType) -> None:
        """SIGNING-09: After destruction, `signer` raises UnsupportedOperationError; the public half stays.

        Why: An owner destroys a key when it must never sign again.

        Do: Destroy the key inside together with the change of the record's state; keep `public`, so that old
        signatures can still be identified.
        """
        stored = self.generate(open_store, key_type)

        destroy(open_store, stored)

        with pytest.raises(UnsupportedOperationError):
            _sign(open_store, key_type)
        assert read(open_store).info.public == stored.public

    def test_signing_10_a_removed_key_signs_no_more(self, open_store: OpenSigningStore, key_type: KeyType) -> None:
        """SIGNING-10: After removal the key is gone, and a public half stored under its name has no signer.

        Why: A key that still signs under a later record signs with the wrong key.

        Do: Remove the keys inside with the records of their name, and never find a key by name alone.
        """
        stored = self.generate(open_store, key_type)

        clear(open_store)

        with pytest.raises(KeyNotFoundError):
            _sign(open_store, key_type)
        create(open_store, replace(_INFO, key_type=key_type.name, public=stored.public))
        with pytest.raises(UnsupportedOperationError):
            _sign(open_store, key_type)

    def test_signing_11_updated_metadata_leave_the_key(self, open_store: OpenSigningStore, key_type: KeyType) -> None:
        """SIGNING-11: After an update of the metadata, the same key signs.

        Why: Labels and states change often; the key must not change with them.

        Do: Update the record, and leave the key inside alone.
        """
        stored = self.generate(open_store, key_type)

        update_info(open_store, replace(stored, labels={}))

        _check_signs(open_store, key_type, stored)

    def test_signing_12_a_refused_kid_leaves_the_version_free(
        self, open_store: OpenSigningStore, key_type: KeyType
    ) -> None:
        """SIGNING-12: Any exception of `kid` is passed on unchanged, and the version can be generated afterwards.

        Why: If an unknown key occupies a version, every later rotation fails.

        Do: Undo in a `finally` or `except BaseException`, not for errors that you expect alone.
        """

        class Interrupted(BaseException):
            pass

        def refuse(_public: bytes) -> str:
            raise Interrupted

        with pytest.raises(Interrupted):
            self.generate(open_store, key_type, kid=refuse)

        stored = self.generate(open_store, key_type)
        check_only(open_store, Record(stored, None))
        _check_signs(open_store, key_type, stored)

    def test_signing_13_a_key_inside_is_not_replaced(self, open_store: OpenSigningStore, key_type: KeyType) -> None:
        """SIGNING-13: `replace_payload` raises UnsupportedOperationError, and the key inside goes on signing.

        Why: If a payload replaces a key inside, it is unknown which key the record means.

        Do: Raise it before anything is written.
        """
        stored = self.generate(open_store, key_type)
        with pytest.raises(UnsupportedOperationError):
            replace_payload(open_store, stored, Secret(b"payload"))

        assert read(open_store) == Record(stored, None)
        _check_signs(open_store, key_type, stored)

    def test_signing_16_many_messages_are_signed_in_order(
        self, open_store: OpenSigningStore, key_type: KeyType
    ) -> None:
        """SIGNING-16: If what `signer` returns has `sign_many`, it gives a valid signature for each message, in order.

        Why: A cache signs thousands of files at once; a signature of another file makes both useless.

        Do: Match the replies of a batch to its messages by position or id, and raise if one of them failed.
        """
        stored = self.generate(open_store, key_type)
        algorithm = key_type.algorithms[0]
        messages = [b"%d" % number for number in range(600)]
        with open_store() as store:
            sign = store.signer("a", 1, algorithm)
            if not hasattr(sign, "sign_many"):
                pytest.skip("the store signs one message at a time")
            signatures = list(cast("BatchSigner", sign).sign_many(messages))
            assert list(cast("BatchSigner", sign).sign_many([])) == []

        verify = key_type.verifier(Key(key_type.name, stored.kid, public=stored.public), algorithm)
        assert len(signatures) == len(messages)
        for message, signature in zip(messages, signatures, strict=True):
            verify(message, signature)

    def test_signing_14_a_payload_does_not_come_back(self, open_store: OpenSigningStore) -> None:
        """SIGNING-14: `create` with a payload is refused and stores nothing, or imports the key and never returns it.

        Why: The owner of a signing store relies on keys never leaving it.

        Do: Raise UnsupportedOperationError; or import the key into the module, and answer `get` with payload None.
        """
        try:
            create(open_store, _INFO, Secret(b"payload"))
        except UnsupportedOperationError:
            assert listed(open_store) == []
        else:
            assert read(open_store).payload is None

    def test_signing_15_one_of_many_threads_generates_a_version(
        self, open_store: OpenSigningStore, key_type: KeyType
    ) -> None:
        """SIGNING-15: Of eight threads that generate one version at once, one wins, and its key is the one that signs.

        Why: A record with the public half of another key makes signatures that are not valid under any public half.

        Do: Store key and record together, under one lock, and delete the key of the thread that came second.
        """

        def generate(store: SigningStore) -> RecordInfo | None:
            try:
                return store.generate(replace(_INFO, key_type=key_type.name), self.options(key_type), _kid)
            except KeyExistsError:
                return None

        with open_store() as store:
            results = run_in_threads([partial(generate, store)] * 8)

        (winner,) = [stored for stored in results if stored is not None]
        check_only(open_store, Record(winner, None))
        _check_signs(open_store, key_type, winner)
