"""A signing store for tests: what a hardware security module does, in this process's memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from keywright import Capabilities, Guard, Key, KeyType, Options, Record, RecordInfo, Revision
from keywright.errors import NotExportableError, UnsupportedOperationError
from keywright.stores.memory import ID_SETTING, MemoryStore


class _InsideSigner:
    """A `BatchSigner`."""

    def __init__(self, sign: Callable[[bytes], bytes]) -> None:
        self._sign = sign

    def __call__(self, message: bytes) -> bytes:
        return self._sign(message)

    def sign_many(self, messages: Sequence[bytes]) -> Sequence[bytes]:
        return [self._sign(message) for message in messages]


class MemorySigningStore(MemoryStore):
    """A `SigningStore`: generates and signs inside. No method gives a secret half out, and it takes none in."""

    def __init__(self, key_types: Mapping[str, KeyType]) -> None:
        super().__init__()
        self._key_types = key_types
        self._keys: dict[tuple[str, int], Key] = {}

    def generate(self, info: RecordInfo, options: Options, kid: Callable[[bytes], str]) -> RecordInfo:
        """Make a key of `info.key_type` and keep it.

        Raises:
            KeyExistsError: the version exists already.
            UnsupportedOperationError: the store knows no such key type, or keys of this type have no public half.
        """
        key_type = self._key_types.get(info.key_type)
        if key_type is None:
            known = ", ".join(sorted(self._key_types)) or "none"
            raise UnsupportedOperationError(
                f"{info.reference}: this store cannot make keys of type {info.key_type!r}", hint=f"it knows: {known}"
            )
        key = key_type.validate(key_type.generate(options))
        if key.public is None:
            raise UnsupportedOperationError(
                f"{info.reference}: keys of type {info.key_type!r} have no public half, and nothing else leaves this "
                "store",
                hint="use another type or store",
            )
        with self._lock:
            stored = super().create(Record(replace(info, public=key.public, kid=kid(key.public)), None))
            self._keys[info.name, info.version] = key
        return stored

    def signer(self, name: str, version: int, algorithm: str) -> Callable[[bytes], bytes]:
        """Bind a key for signing.

        Raises:
            KeyNotFoundError: the version does not exist.
            NotExportableError: the version has no key inside: it was destroyed, or came as a public half.
            UnsupportedOperationError: the key cannot sign with this algorithm.
        """
        with self._lock:
            info = self.get(name, version).info
            key = self._keys.get((name, version))
        if key is None:
            raise NotExportableError(
                f"{info.reference}: has no secret half in this store, it was destroyed or never came",
                hint="use another version",
            )
        return _InsideSigner(self._key_types[key.type].signer(key, algorithm))

    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        """Add a version without a payload: a public half, or a tombstone.

        Raises:
            KeyExistsError: it exists already.
            ConflictError: the record of `guard` has another revision.
            UnsupportedOperationError: the record has a payload.
        """
        if record.payload is not None:
            raise UnsupportedOperationError(
                f"{record.info.reference}: this store takes no secret half in", hint="generate the key inside it"
            )
        return super().create(record, guard=guard)

    def destroy(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        """Replace a version's metadata and forget its key. Raises: as `MemoryStore.destroy`."""
        with self._lock:
            stored = super().destroy(info, expected, guard=guard)
            self._keys.pop((info.name, info.version), None)
        return stored

    def remove(self, name: str, expected: Sequence[Revision]) -> None:
        """Remove a whole name, keys included.

        Raises:
            KeyNotFoundError: the name does not exist.
            ConflictError: the revisions of its versions differ.
        """
        with self._lock:
            super().remove(name, expected)
            for reference in [reference for reference in self._keys if reference[0] == name]:
                del self._keys[reference]


class MemorySigningBackend:
    """The store backend `memory-signing`, for tests; constructed with the key types that its stores can make."""

    name = "memory-signing"
    settings = (ID_SETTING,)
    capabilities = Capabilities(
        writable=True, metadata=True, keys_stay_inside=True, shared=False, persistent=False, guarded=True
    )

    def __init__(self, key_types: Mapping[str, KeyType]) -> None:
        self._key_types = dict(key_types)
        self._stores: dict[str, MemorySigningStore] = {}

    def open(self, options: Options) -> AbstractContextManager[MemorySigningStore]:
        """Open the store of this id, or a new one for the empty id."""
        identity = options.text("id")
        store = MemorySigningStore(self._key_types)
        return nullcontext(self._stores.setdefault(identity, store) if identity else store)
