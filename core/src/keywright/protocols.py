"""The contracts: the methods and attributes of plugin objects, by role.

Hooks return the objects and configuration names them; keywright calls these methods directly. `keywright.testing` has
a test class for each contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, Protocol, Self, runtime_checkable

from keywright.errors import KeywrightError
from keywright.keys import Key
from keywright.records import Record, RecordInfo, Revision
from keywright.secret import Secret
from keywright.settings.model import Options, Setting

__all__ = [
    "BatchSigner",
    "BatchStore",
    "Capabilities",
    "CheckedPlugin",
    "CheckedStore",
    "CreateResult",
    "EncryptedFormat",
    "ExtensibleFormat",
    "Format",
    "Guard",
    "GuardedStore",
    "InstalledNames",
    "JWKKeyType",
    "KeyType",
    "LenientFormat",
    "OpenedSeal",
    "Problem",
    "RenewableSeal",
    "ScannedStore",
    "Seal",
    "SigningStore",
    "Store",
    "StoreBackend",
    "WritableStore",
]


@runtime_checkable
class KeyType(Protocol):
    """Generates and checks keys of one type, and binds them for use.

    Attributes (read-only):
        name: `a-z`, digits and `-`, such as `ed25519`.
        settings: the options of `generate`, such as `bits` with its bounds.
        algorithms: JWA names that it can sign with (RFC 7518 §3.1, RFC 8037 §3.1), the default first; `()` if it
            cannot sign.
    """

    @property
    def name(self) -> str: ...
    @property
    def settings(self) -> Sequence[Setting]: ...
    @property
    def algorithms(self) -> tuple[str, ...]: ...

    def generate(self, options: Options) -> Key:
        """Generate a new key with both halves, `kid` `""` and no attributes.

        Raises:
            ConfigError: an option is out of its setting's bounds.
        """
        ...

    def validate(self, key: Key) -> Key:
        """Check both halves mathematically, and derive a missing public half. Returns the key with both.

        Raises:
            InvalidKeyError: the key has no half at all, one has the wrong length or value, or the two do not belong
                together.
        """
        ...

    def bits(self, key: Key) -> int:
        """The size in bits as the field counts it (RSA modulus, curve, `oct` length), from either half."""
        ...

    def signer(self, key: Key, algorithm: str) -> Callable[[bytes], bytes]:
        """Bind the secret half: a call signs a message. Signatures are in JOSE form (EC: r ‖ s, RFC 7518 §3.4).

        Raises:
            UnsupportedOperationError: the type cannot sign, or not with this algorithm.
            InvalidKeyError: the key is too weak for the algorithm (HS*: shorter than the hash, RFC 7518 §3.2).
            NotExportableError: the key has no secret half.
        """
        ...

    def verifier(self, key: Key, algorithm: str) -> Callable[[bytes, bytes], None]:
        """Bind the public half (`oct`: the secret): a call checks `(message, signature)`.

        The call raises InvalidSignatureError if the signature is not valid.

        Raises:
            UnsupportedOperationError: the type cannot sign, or not with this algorithm.
            InvalidKeyError: the key is too weak for the algorithm.
            NotExportableError: (`oct`) the key has no octets to check with.
        """
        ...


@runtime_checkable
class JWKKeyType(KeyType, Protocol):
    """A key type that describes its JWK members, so that `jwk` can represent its keys. Optional."""

    def jwk_members(self, key: Key) -> Mapping[str, str]:
        """The members of a key: `kty` and those of its halves; without a secret half, only those of the public one.

        The members of the public half are those of the thumbprint (RFC 7638 §3.2), so optional ones do not belong here.
        """
        ...

    def key_from_jwk(self, members: Mapping[str, object]) -> Key | None:
        """The key with these members; None if they are of another type. `validate` is called with it.

        Raises:
            MalformedKeyError: they are of this type, and one is missing or is not what it has to be.
        """
        ...


@runtime_checkable
class Format(Protocol):
    """Encodes a key as bytes and decodes it. Pure: no I/O, clock or randomness.

    A format checks syntax and lengths; `KeyType.validate` checks the mathematics.

    Attributes (read-only):
        name: `a-z`, digits and `-`, such as `nix`.
        key_types: names of the key types that it can represent, the implied one first.
        carries_kid: whether an encoding contains the kid. If not, a store keeps the kid in the metadata alone, and
            `export` and `convert` report that it is left behind, unless `default_kid` derives it from the key.
    """

    @property
    def name(self) -> str: ...
    @property
    def key_types(self) -> tuple[str, ...]: ...
    @property
    def carries_kid(self) -> bool: ...

    def encode_secret(self, key: Key) -> Secret:
        """The canonical encoding of a key with both halves.

        Raises:
            UnsupportedKeyError: the type, the kid or an attribute cannot be represented, or the key has no secret half.
        """
        ...

    def encode_public(self, key: Key) -> bytes:
        """The canonical encoding of the public half: an allow-list of members, never the secret key with some removed.

        Raises:
            UnsupportedKeyError: the type or kid cannot be represented, or the type has no public half.
        """
        ...

    def decode(self, data: Secret, *, default_kid: str) -> Key:
        """Decode a secret or public key, strictly: only what this format's rules allow.

        A public key is returned with `secret` None. `default_kid` is the kid of a key whose encoding has none.

        Raises:
            MalformedKeyError: the bytes are not a key in this format.
            UnsupportedKeyError: it is a key of a type that this format cannot represent here.
        """
        ...

    def default_kid(self, name: str, version: int, key: Key) -> str | None:
        """The kid for a key stored as `name`, version `version`; None: 128 random bits are drawn."""
        ...

    def sniff(self, data: Secret) -> bool:
        """Whether the bytes could be in this format; fast, and may be wrong about damaged data."""
        ...


@runtime_checkable
class LenientFormat(Format, Protocol):
    """A format that can also decode leniently: what other programs accept although the rules do not."""

    def decode_lenient(self, data: Secret, *, default_kid: str) -> tuple[Key, tuple[str, ...]]:
        """Decode leniently. Returns the key and one sentence for each deviation, without input bytes.

        Raises:
            MalformedKeyError, UnsupportedKeyError: as `decode`, if not even lenient decoding is possible.
        """
        ...


@runtime_checkable
class EncryptedFormat(Format, Protocol):
    """A format whose secret keys may be encrypted with a passphrase. Optional.

    `decode` of encrypted data raises PassphraseNeededError. A store keeps the plain canonical encoding, which its seal
    encrypts.
    """

    def is_encrypted(self, data: Secret) -> bool:
        """Whether the bytes are an encrypted key of this format; fast, and may be wrong about damaged data."""
        ...

    def decode_encrypted(self, data: Secret, passphrase: Secret, *, default_kid: str) -> Key:
        """Decrypt and decode a secret key. The cost that the data asks for is bounded.

        Raises:
            MalformedKeyError: the passphrase is wrong or the data is damaged (one message for both), or the data is not
                an encrypted key of this format.
            UnsupportedKeyError: a cipher or key derivation is not supported, or costs more than is allowed; or as
                `decode`.
        """
        ...

    def encode_encrypted(self, key: Key, passphrase: Secret, *, entropy: Secret) -> Secret:
        """Encode and encrypt a key with both halves. `entropy` is 64 random bytes: salts and nonces come from it.

        Raises:
            UnsupportedKeyError: as `encode_secret`.
        """
        ...


@runtime_checkable
class ExtensibleFormat(Format, Protocol):
    """A format that can also represent key types of other plugins. Optional."""

    def with_key_types(self, key_types: Sequence[JWKKeyType]) -> Format:
        """The same format with these key types beside its own."""
        ...


class Store(Protocol):
    """An open store. Safe to use from threads.

    Every method may raise StoreUnavailableError (not reachable), AccessDeniedError (not allowed), CorruptedStoreError
    (the content is not what was written), and ConfigError if the configuration or the content contradicts itself.
    """

    def get(self, name: str, version: int) -> Record:
        """One record, with exactly the bytes that were stored.

        Raises:
            KeyNotFoundError: the store answered and has no such version.
        """
        ...

    def versions(self, name: str) -> Sequence[RecordInfo]:
        """All versions of a name, ascending, tombstones included; `()` if the name does not exist."""
        ...

    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        """Names that start with `prefix` and sort after `after`, in the order of their bytes, at most `limit`."""
        ...


class Problem(NamedTuple):
    """A problem that a check found. Its texts are one line each, without secrets and input bytes.

    Attributes:
        subject: what has the problem: a path, a record, a setting.
        message: what the problem is.
        hint: what to do.
    """

    subject: str
    message: str
    hint: str

    @classmethod
    def of(cls, subject: str, error: KeywrightError) -> Self:
        """The problem that an error reports; its message without the subject, where it begins with that."""
        return cls(subject, str(error).removeprefix(subject).lstrip(": "), error.hint or "correct it")


class ScannedStore(Store, Protocol):
    """A store that reads the metadata of many names at once. Optional for every store."""

    def scan(self, prefix: str = "") -> Iterator[Sequence[RecordInfo]]:
        """The versions of each name that starts with `prefix`: in the order of `names`, each as `versions` returns it.

        `list` uses it where it exists, and otherwise asks for the versions of each name.
        """
        ...


class CheckedStore(Store, Protocol):
    """A store that can check the place where it keeps its records. Optional for every store."""

    def check(self) -> Iterator[Problem]:
        """The problems of the place: permissions, integrity, schema, leftovers of an interrupted writer. Read-only.

        `keywright doctor` calls it and also reads every record. A store without problems yields nothing, also while
        others use it.
        """
        ...


class CheckedPlugin(Protocol):
    """An object returned by `keywright_configure` that can check what its settings refer to. Optional."""

    def check(self) -> Iterator[Problem]:
        """The problems that would otherwise appear when a key is used: a file that cannot be written, for example.

        Read-only. `keywright doctor` and `keywright config check` call it.
        """
        ...


class WritableStore(Store, Protocol):
    """A store that can be written. When a method returns, its change is durable: it survives kill -9 and power loss.

    Every write may also raise ReadOnlyStoreError (nothing was written) and DurabilityError (a sync failed and is not
    retried: the write was abandoned, or is visible but may not be on the medium, or is complete but some old bytes may
    remain; the message says which). `expected` is the revision that the caller has read.
    """

    def create(self, record: Record) -> RecordInfo:
        """Add a version if it does not exist yet. Returns its info with the revision filled in.

        Raises:
            KeyExistsError: the version exists already; nothing was written.
            UnsupportedOperationError: the store does not accept such a record (`destroyed` with a payload).
        """
        ...

    def update_info(self, info: RecordInfo, expected: Revision) -> RecordInfo:
        """Replace a version's metadata and keep its payload. Returns the new info.

        Raises:
            KeyNotFoundError: the version does not exist.
            ConflictError: its revision differs; nothing was written.
            UnsupportedOperationError: the state is `destroyed`, and the version has a payload; use `destroy`.
        """
        ...

    def replace_payload(self, name: str, version: int, payload: Secret, expected: Revision) -> RecordInfo:
        """Replace a version's payload and keep its metadata. Returns the info with the new revision.

        Raises:
            KeyNotFoundError: the version does not exist.
            ConflictError: its revision differs; nothing was written.
            UnsupportedOperationError: the version is destroyed, or has no payload.
        """
        ...

    def destroy(self, info: RecordInfo, expected: Revision) -> RecordInfo:
        """Replace a version's metadata, whose state is `destroyed`, and erase its payload. Returns the new info.

        Raises:
            KeyNotFoundError: the version does not exist.
            ConflictError: its revision differs; nothing was written.
            UnsupportedOperationError: the state is not `destroyed`.
        """
        ...

    def remove(self, name: str, expected: Sequence[Revision]) -> None:
        """Remove a whole name if the revisions of all its versions, ascending, are `expected`. For migration.

        Raises:
            KeyNotFoundError: the name does not exist.
            ConflictError: a version was changed, added or removed; nothing was removed.
        """
        ...


class Guard(NamedTuple):
    """A condition of a write: the record `name`, `version` still has this revision.

    Attributes:
        name, version: another record of the same store.
        revision: the revision that it was read with.
    """

    name: str
    version: int
    revision: Revision


class GuardedStore(WritableStore, Protocol):
    """A store whose writes may depend on another record (capability `guarded`). Optional.

    With `guard`, the write happens only while that record has that revision: both are one step for every other writer.
    Otherwise, and if the record does not exist, ConflictError is raised and nothing is written. `create_many` of a
    store that has it takes a guard likewise, which is compared once for the whole batch.
    """

    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        """As `WritableStore.create`."""
        ...

    def update_info(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        """As `WritableStore.update_info`."""
        ...

    def replace_payload(
        self, name: str, version: int, payload: Secret, expected: Revision, *, guard: Guard | None = None
    ) -> RecordInfo:
        """As `WritableStore.replace_payload`."""
        ...

    def destroy(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        """As `WritableStore.destroy`."""
        ...


class CreateResult(NamedTuple):
    """What became of one record of `BatchStore.create_many`.

    Attributes:
        outcome: `created`; `exists`: the version existed already; `failed`: nothing was written; `unknown`: the store
            does not know, for the answer was lost, and the caller has to look.
        info: the info with its revision, if it was created.
        error: why it was not, or why that is unknown: what `create` would have raised.
    """

    outcome: Literal["created", "exists", "failed", "unknown"]
    info: RecordInfo | None = None
    error: KeywrightError | None = None


class BatchStore(WritableStore, Protocol):
    """A store that adds many records in fewer steps than one each. Optional."""

    def create_many(self, records: Sequence[Record]) -> Sequence[CreateResult]:
        """Add versions in the given order. Returns a result for each, in that order.

        A record that exists or fails does not stop those after it. A crash leaves a prefix of the records.

        Raises:
            StoreUnavailableError, AccessDeniedError, ReadOnlyStoreError: nothing was written.
        """
        ...


class BatchSigner(Protocol):
    """What `SigningStore.signer` may return: it can also sign many messages in fewer steps than one each. Optional."""

    def __call__(self, message: bytes) -> bytes:
        """The signature of a message, in JOSE form."""
        ...

    def sign_many(self, messages: Sequence[bytes]) -> Sequence[bytes]:
        """The signatures of messages, in their order. All of them, or an error."""
        ...


class SigningStore(WritableStore, Protocol):
    """A store whose keys never leave it: it generates and signs inside (HSM, KMS). Its records have no payload.

    `create` raises UnsupportedOperationError for a record with a payload, unless the store can import keys.
    """

    def generate(self, info: RecordInfo, options: Options, kid: Callable[[bytes], str]) -> RecordInfo:
        """Generate a key of `info.key_type` inside and add it with `info`; only its public half is returned.

        `options` are the key type's settings. `info.kid` and `info.public` are empty: `kid` is called with the
        public half and returns the kid to store; if it raises, nothing is stored.

        Raises:
            KeyExistsError: the version exists already.
            UnsupportedOperationError: the store cannot generate a key of this type or with these options.
        """
        ...

    def signer(self, name: str, version: int, algorithm: str) -> Callable[[bytes], bytes]:
        """Bind a key for signing inside. Signatures are in JOSE form.

        Raises:
            KeyNotFoundError: the version does not exist.
            UnsupportedOperationError: the key cannot sign with this algorithm.
        """
        ...


class Capabilities(NamedTuple):
    """What stores of one kind can do.

    Attributes:
        writable: they are `WritableStore`s.
        metadata: they store `RecordInfo`; otherwise only the payload.
        keys_stay_inside: they are `SigningStore`s.
        shared: several processes may use one at the same time.
        persistent: their content outlives the process.
        remote: they are reached over a network, where a reply may be lost after the write happened.
        guarded: they are `GuardedStore`s.
    """

    writable: bool
    metadata: bool
    keys_stay_inside: bool = False
    shared: bool = True
    persistent: bool = True
    remote: bool = False
    guarded: bool = False


class InstalledNames(NamedTuple):
    """Names that a plugin's settings can refer to, so that a misspelled name in a rule is detected.

    Attributes:
        key_types, formats: the installed ones, sorted.
        sizable_key_types: the key types with a setting `bits`; all keys of any other type have the same size.
    """

    key_types: tuple[str, ...]
    formats: tuple[str, ...]
    sizable_key_types: frozenset[str] = frozenset()


@runtime_checkable
class StoreBackend(Protocol):
    """Opens stores of one kind.

    Attributes (read-only): `name` (`sqlite`), `settings` (what a `[stores.X]` table may set), `capabilities`.
    """

    @property
    def name(self) -> str: ...
    @property
    def settings(self) -> Sequence[Setting]: ...
    @property
    def capabilities(self) -> Capabilities: ...

    def open(self, options: Options) -> AbstractContextManager[Store]:
        """Open a store; leaving the context closes it. Entering it may raise what `Store` methods may.

        If the store is writable, opening creates what does not exist yet, or leaves that to the first write.

        Raises:
            ConfigError: a setting is wrong; the message begins with its name, and `setting` is its name. The table is
                put before it, and the file, profile or variable that the setting came from.
        """
        ...


class OpenedSeal(Protocol):
    """A seal with its master key."""

    def seal(self, payload: Secret, context: bytes) -> Secret:
        """Encrypt, and authenticate `context` (the record's identity) with it."""
        ...

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        """The reverse of `seal`.

        Raises:
            SealError: another master key, changed bytes, or another context.
        """
        ...


class RenewableSeal(OpenedSeal, Protocol):
    """A seal whose master key can be changed while older ones still open. Any opened seal may be one."""

    def is_current(self, payload: Secret) -> bool:
        """Whether a payload was sealed with the master key, salt and parameters that `seal` uses now."""
        ...

    def adopt(self, payload: Secret) -> None:
        """From now on, seal with the salt of this payload from the store, sealed with the current or a previous key.

        A passphrase is then derived once for a store, and not for each process that ever wrote to it. Raises nothing;
        if no master key opens anything in the store, `seal` may refuse afterwards.
        """
        ...


@runtime_checkable
class Seal(Protocol):
    """Encrypts payloads before a store gets them (envelope encryption).

    Attributes (read-only): `name` (`passphrase`), `settings` (what a `[seals.X]` table may set).
    """

    @property
    def name(self) -> str: ...
    @property
    def settings(self) -> Sequence[Setting]: ...

    def open(self, options: Options) -> OpenedSeal:
        """Open the seal with the master key from the settings.

        Raises:
            SealError: the master key is not usable.
        """
        ...
