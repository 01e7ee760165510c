"""The contracts: what a plugin object must be able to do, by role.

The objects are found by hook and named by configuration; the work is done by plain calls of these methods. A test
class for each contract stands in `keywright.testing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol, runtime_checkable

from keywright.keys import Key
from keywright.records import Record, RecordInfo, Revision
from keywright.secret import Secret
from keywright.settings.model import Options, Setting

__all__ = [
    "Capabilities",
    "ExaminedPlugin",
    "ExaminedStore",
    "Format",
    "KeyType",
    "LenientFormat",
    "OpenedSeal",
    "RenewableSeal",
    "Seal",
    "SigningStore",
    "Store",
    "StoreBackend",
    "WritableStore",
]


@runtime_checkable
class KeyType(Protocol):
    """Generates and checks keys of one type, and binds them for use. Serves generation.

    Attributes (read-only):
        name: `a-z`, digits and `-`, such as `ed25519`.
        settings: what `generate` can be told, such as `bits` with its bounds.
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
        """Make a fresh key with both halves, `kid` `""` and no attributes.

        Raises:
            ConfigError: an option is out of its setting's bounds.
        """
        ...

    def complete(self, key: Key) -> Key:
        """Derive a missing public half, and check the mathematics of what is there.

        Raises:
            InvalidKeyError: there is no half at all, one has the wrong length or value, or the two do not belong
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

        The call raises InvalidSignatureError if the signature does not hold.

        Raises:
            UnsupportedOperationError: the type cannot sign, or not with this algorithm.
            InvalidKeyError: the key is too weak for the algorithm.
            NotExportableError: (`oct`) there are no octets to check with.
        """
        ...


@runtime_checkable
class Format(Protocol):
    """Turns a key into bytes and back. Pure: no I/O, clock or randomness. Serves encoding.

    A format checks syntax and lengths; `KeyType.complete` does the mathematics.

    Attributes (read-only):
        name: `a-z`, digits and `-`, such as `nix`.
        key_types: names of the key types that it can carry, the one that it implies first.
    """

    @property
    def name(self) -> str: ...
    @property
    def key_types(self) -> tuple[str, ...]: ...

    def encode_secret(self, key: Key) -> Secret:
        """The canonical encoding of a key with both halves.

        Raises:
            UnsupportedKeyError: the type, the kid or an attribute cannot be carried, or there is no secret half.
        """
        ...

    def encode_public(self, key: Key) -> bytes:
        """The canonical encoding of the public half: an allow-list of members, never the secret key less something.

        Raises:
            UnsupportedKeyError: the type or kid cannot be carried, or the type has no public half.
        """
        ...

    def decode(self, data: Secret, *, default_kid: str) -> Key:
        """Read a secret or public key, strictly: only what this format's rules allow.

        A public key comes back with `secret` None. `default_kid` is the kid of a key that carries none itself.

        Raises:
            MalformedKeyError: the bytes are no key of this format.
            UnsupportedKeyError: it is a key of a type that this format cannot carry here.
        """
        ...

    def default_kid(self, name: str, version: int, key: Key) -> str | None:
        """The kid for a key stored as `name`, version `version`; None: 128 random bits are drawn."""
        ...

    def sniff(self, data: Secret) -> bool:
        """Whether the bytes could be this format's; cheap, and free to be wrong about damaged data."""
        ...


@runtime_checkable
class LenientFormat(Format, Protocol):
    """A format with a second, lenient reading: what other programs accept, though the rules do not."""

    def decode_lenient(self, data: Secret, *, default_kid: str) -> tuple[Key, tuple[str, ...]]:
        """Read leniently. Returns the key and one sentence for each deviation, without input bytes.

        Raises:
            MalformedKeyError, UnsupportedKeyError: as `decode`, where no lenience helps.
        """
        ...


class Store(Protocol):
    """One opened store. Safe to use from threads.

    Every method may raise StoreUnavailableError (not reachable), AccessDeniedError (not allowed) and
    DamagedStoreError (what is there is not what was written), and ConfigError where what it finds contradicts itself.
    """

    def get(self, name: str, version: int) -> Record:
        """One record, bytes exactly as they came.

        Raises:
            KeyNotFoundError: the store answered and has no such version.
        """
        ...

    def versions(self, name: str) -> Sequence[RecordInfo]:
        """All versions of a name, ascending, tombstones included; `()` if there are none."""
        ...

    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        """Names that start with `prefix` and sort after `after`, in the order of their bytes, at most `limit`."""
        ...


class ExaminedStore(Store, Protocol):
    """A store that can say what is wrong with the place where it keeps its records. Any store may be one."""

    def examine(self) -> Iterator[str]:
        """One sentence for each fault, `SUBJECT: FAULT; WAY OUT`, on one line and without input bytes. Reads only.

        Faults of the place: permissions, integrity, schema, what an interrupted writer left. `keywright doctor` asks,
        and reads every record besides. A store that is sound, in use or not, has none.
        """
        ...


class ExaminedPlugin(Protocol):
    """What `keywright_configure` returned, if it can say what is wrong with what its settings name. It need not."""

    def examine(self) -> Iterator[str]:
        """One sentence for each fault, `SUBJECT: FAULT; WAY OUT`, on one line and without input bytes. Reads only.

        Faults that would show when something is done with a key: a file that cannot be written, a service that is not
        there. `keywright doctor` and `keywright config check` ask.
        """
        ...


class WritableStore(Store, Protocol):
    """A store that takes writes. What a method returned is durable: it survives kill -9 and power loss.

    Every write may also raise ReadOnlyStoreError (nothing was written) and DurabilityUnknownError (a sync failed,
    and is not retried: the write was given up, or is visible but perhaps not on the medium, or is done but perhaps not
    all old bytes are gone; the message says which).
    """

    def create(self, record: Record) -> RecordInfo:
        """Add a version, iff no such (name, version) is there. Returns its info with the revision filled in.

        Raises:
            KeyExistsError: the version is there already; nothing was written.
            UnsupportedOperationError: the store takes no such record (`destroyed` with a payload).
        """
        ...

    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        """Replace a version's metadata, or its payload, iff its revision is `expected`. Returns the new info.

        A change of both at once is only a destruction: the state becomes `destroyed` and the payload None.

        Raises:
            KeyNotFoundError: there is no such version.
            ConflictError: its revision is another; nothing was written.
            UnsupportedOperationError: metadata and payload change at once without a destruction.
        """
        ...

    def remove(self, name: str, *, expected: Sequence[Revision]) -> None:
        """Take a whole name away, iff the revisions of all its versions, ascending, are `expected`. For migration.

        Raises:
            KeyNotFoundError: there is no such name.
            ConflictError: a version changed, came or went; nothing was removed.
        """
        ...


class SigningStore(WritableStore, Protocol):
    """A store whose keys never leave it: it generates and signs inside (HSM, KMS). Its records have no payload.

    `create` refuses a record with a payload by UnsupportedOperationError unless the store can take keys in.
    """

    def generate(self, info: RecordInfo, options: Options, kid: Callable[[bytes], str]) -> RecordInfo:
        """Make a key of `info.key_type` inside and add it as `info` says; only its public half comes back.

        `options` are the key type's settings. `info.kid` and `info.public` are empty: `kid` is called with the
        public half and returns the kid to store; if it raises, nothing is kept.

        Raises:
            KeyExistsError: the version is there already.
            UnsupportedOperationError: the store cannot make a key of this type or with these options.
        """
        ...

    def signer(self, name: str, version: int, algorithm: str) -> Callable[[bytes], bytes]:
        """Bind a key for signing inside. Signatures are in JOSE form.

        Raises:
            KeyNotFoundError: there is no such version.
            UnsupportedOperationError: the key cannot sign with this algorithm.
        """
        ...


class Capabilities(NamedTuple):
    """What stores of one kind can do.

    Attributes:
        writable: they are `WritableStore`s.
        metadata: they keep what `RecordInfo` says; otherwise only the payload is theirs.
        signing: they are `SigningStore`s.
        shared: several processes may use one at once.
        persistent: it outlives the process.
    """

    writable: bool
    metadata: bool
    signing: bool = False
    shared: bool = True
    persistent: bool = True


class Known(NamedTuple):
    """What a plugin's settings can name, so that a misspelled name in a rule is found.

    Attributes:
        key_types, formats: the names of those that are installed, sorted.
        sizable_key_types: those of the key types that have a setting `bits`; every key of the others has one size.
    """

    key_types: tuple[str, ...]
    formats: tuple[str, ...]
    sizable_key_types: frozenset[str] = frozenset()


@runtime_checkable
class StoreBackend(Protocol):
    """Opens stores of one kind. Serves storage.

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

        Opening creates what does not exist yet where the store is writable, or leaves that to the first write.
        """
        ...


class OpenedSeal(Protocol):
    """A seal with its master key at hand."""

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
        """Whether a sealed payload says that it was made with the master key, salt and parameters `seal` uses now."""
        ...

    def adopt(self, payload: Secret) -> None:
        """Seal from now on with the salt of this payload, which the store holds, current master key or previous.

        So a passphrase is stretched once for a store, and not for each process that ever wrote to it. Raises nothing;
        in a store of which no master key opens anything, `seal` may refuse afterwards.
        """
        ...


@runtime_checkable
class Seal(Protocol):
    """Encrypts what a store is given (envelope encryption).

    Attributes (read-only): `name` (`passphrase`), `settings` (what a `[seals.X]` table may set).
    """

    @property
    def name(self) -> str: ...
    @property
    def settings(self) -> Sequence[Setting]: ...

    def open(self, options: Options) -> OpenedSeal:
        """Make ready, with the master key that the settings say.

        Raises:
            SealError: there is no usable master key.
        """
        ...
