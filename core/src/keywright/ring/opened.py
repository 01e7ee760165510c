"""A configured store, opened: its backend's store and its seal, and the way of a key in and out of them."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from keywright.errors import (
    DamagedStoreError,
    FormatError,
    InvalidKeyError,
    NotExportableError,
    PluginError,
    ReadOnlyStoreError,
    UnsupportedKeyError,
)
from keywright.files import ProcessLock
from keywright.keys import Key
from keywright.protocols import Capabilities, Format, SigningStore, Store, WritableStore
from keywright.records import Record, RecordInfo, State
from keywright.ring.conversion import check_carried, claimants, decode_key, public_attributes, read_back, warn
from keywright.ring.located import located
from keywright.ring.store_seal import StoreSeal
from keywright.secret import Secret
from keywright.settings.values import check_options

if TYPE_CHECKING:
    from keywright.config.load import Config
    from keywright.config.model import StoreTable
    from keywright.plugins.registry import Registry

__all__ = ["OpenedStore", "secret_of"]


class _Handle(NamedTuple):
    process: int
    context: AbstractContextManager[Store]
    store: Store


class _Handles:
    """What is open, shared by an opened store and its read-only twins.

    `current` is one object, so that no thread sees half of what another opens or closes.
    """

    def __init__(self) -> None:
        self.current: _Handle | None = None
        self.inherited: list[_Handle] = []


class OpenedStore:
    """One store of the configuration. Opened on first use, and again after a fork, or when it is used once closed."""

    def __init__(self, table: StoreTable, config: Config, plugins: Registry) -> None:
        """Check the settings; nothing is opened yet.

        Raises:
            UnknownPluginError: no plugin for the backend or the seal.
            ConfigError: a setting of the backend is wrong.
        """
        self.name = table.name
        self._plugins = plugins
        self._source, self._path = table.source, table.path
        with located(table.source, f"{table.path}.backend"):
            self._backend = plugins.store_backend(table.backend)
        self._options = check_options(
            table.given,
            self._backend.settings,
            owner=f"store backend {self._backend.name!r}",
            path=table.path,
            source=table.source,
            beside=("backend", "seal"),
        )
        self._seal = StoreSeal(table, config, plugins, lambda: self.store)
        self._lock = ProcessLock()
        self._handles = _Handles()
        self._refusal: str | None = None
        self.chain: str | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What stores of this kind can do."""
        return self._backend.capabilities

    @property
    def store(self) -> Store:
        """The backend's store.

        Raises:
            StoreUnavailableError, AccessDeniedError, DamagedStoreError: it cannot be opened.
            ConfigError: the backend finds fault with a setting, which its message starts with.
        """
        handle = self._handles.current
        if handle is not None and handle.process == os.getpid():
            return handle.store
        with self._lock.mine():
            handle = self._handles.current
            if handle is None or handle.process != os.getpid():
                if handle is not None:
                    # The parent's, before a fork, is kept and left alone: closed here, or collected as garbage, it
                    # could drop the parent's locks.
                    self._handles.inherited.append(handle)
                handle = self._handles.current = self._open()
            return handle.store

    def _open(self) -> _Handle:
        with located(self._source, f"{self._path}."):
            context = self._backend.open(self._options)
            return _Handle(os.getpid(), context, context.__enter__())

    def close(self) -> None:
        """Close the store, if this process opened it; whoever uses it next opens it again."""
        with self._lock.mine():
            handle = self._handles.current
            if handle is not None and handle.process == os.getpid():
                self._handles.current = None
                handle.context.__exit__(None, None, None)

    def read_only(self, why: str) -> OpenedStore:
        """The same store, not to be written: `why` is the message of who tries."""
        twin = copy(self)
        twin._refusal = why  # noqa: SLF001  (its own kind)
        return twin

    def of_chain(self, chain: str) -> OpenedStore:
        """The same store, where none of a chain has the name in question; `chain` is what messages call that."""
        twin = copy(self)
        twin.chain = chain
        return twin

    @property
    def writable(self) -> WritableStore:
        """The store, for writing.

        Raises:
            ReadOnlyStoreError: stores of this kind take no writes, or this one is not to be written.
        """
        if self._refusal is not None:
            raise ReadOnlyStoreError(self._refusal)
        if not self.capabilities.writable:
            raise ReadOnlyStoreError(
                f"store {self.name!r} is read-only (backend {self._backend.name!r}); name a writable one with --store"
            )
        return cast(WritableStore, self.store)

    @property
    def signing(self) -> SigningStore | None:
        """The store if its keys never leave it, else None."""
        return cast(SigningStore, self.store) if self.capabilities.signing else None

    def pack(self, key: Key, info: RecordInfo, *, lenient: bool = False) -> Record:
        """A record for `key` as `info` says: encoded, read back and compared, and sealed if the store has a seal.

        With `lenient`, what the format's lenient reading alone takes back is good enough.

        Raises:
            UnknownPluginError: there is no such format.
            PluginError: the key is another one than `info` says, so that it would never be read again.
            UnsupportedKeyError: the format cannot carry the key and all that is on it.
            SealError: it cannot be sealed, or the seal does not give it back.
        """
        if (key.type, key.kid, key.public) != (info.key_type, info.kid, info.public):
            raise PluginError(
                f"key type {info.key_type!r} gave another key than its metadata would say, so nothing was stored; "
                f"report it to the plugin's author"
            )
        format_ = self._plugins.format(info.format or "")
        payload = None if key.secret is None else format_.encode_secret(key)
        encoded = Secret(format_.encode_public(key)) if payload is None else payload
        again = self._plugins.key_type(key.type).complete(read_back(format_, encoded, lenient=lenient))
        check_carried(format_, key, again)
        if again != key:
            raise UnsupportedKeyError(f"format {format_.name!r} gives another key back than it got; nothing was stored")
        return Record(info, None if payload is None else self._seal.sealed(payload, info))

    def encoded(self, key: Key, info: RecordInfo) -> Secret:
        """The payload of a key with both halves, before any seal. Raises: as `Format.encode_secret`."""
        return self._plugins.format(info.format or "").encode_secret(key)

    def bits(self, key: Key) -> int | None:
        """The size of a key as its type counts it; None if it has no half."""
        return None if key.secret is None and key.public is None else self._plugins.key_type(key.type).bits(key)

    def record_of(self, info: RecordInfo, payload: Secret | None) -> Record:
        """A record of the format's own bytes, sealed if the store has a seal.

        Raises:
            SealError: it cannot be sealed, or the seal does not give it back.
        """
        return Record(info, None if payload is None else self._seal.sealed(payload, info))

    def is_same_place(self, other: OpenedStore) -> bool:
        """Whether the two are one store under two names, as far as their settings tell."""
        if (self._backend.name, dict(self._options)) == (other._backend.name, dict(other._options)):
            return True
        return _is_one_file(self._options.get("path"), other._options.get("path"))

    @property
    def seal_name(self) -> str | None:
        """The name of the plugin's seal that the store has; None: none."""
        return self._seal.name

    def resealed(self, record: Record) -> Record | None:
        """The record, sealed anew; None if that would change nothing. Raises: as `StoreSeal.renewed`."""
        payload = None if record.payload is None else self._seal.renewed(record.payload, record.info)
        return None if payload is None else Record(record.info, payload)

    def check_renewable(self) -> None:
        """Raises: as `StoreSeal.renewable`."""
        self._seal.renewable()

    def load(self, info: RecordInfo) -> Key:
        """The key of a version, with its secret half if there is one to be had.

        Raises:
            KeyNotFoundError: the version is gone meanwhile.
            SealError: it cannot be unsealed.
            DamagedStoreError: the payload is no key of its format, not as the format writes it, or not the key that
                the metadata describes.
            FormatError: the store does not know the format, and no format or several claim the payload.
        """
        record = self.store.get(info.name, info.version)
        return self.unpack(record)

    def unpack(self, record: Record) -> Key:
        """The key of a record as the store gave it. Raises: as `load`."""
        info = record.info
        if record.payload is None:
            return Key(info.key_type, info.kid, None, info.public, info.attributes)
        payload = self._seal.unsealed(record.payload, info)
        if not self.capabilities.metadata:
            return self._unpack_plain(payload, info)[1]
        format_ = self._plugins.format(info.format or "")
        try:
            # Leniently, for a key that was imported so; it has to be what this format itself wrote all the same.
            key = self._plugins.key_type(info.key_type).complete(read_back(format_, payload, lenient=True))
            canonical = key.secret is not None and format_.encode_secret(key) == payload
        except (FormatError, InvalidKeyError) as error:
            raise self._undecodable(info, error) from None
        if not canonical:
            raise DamagedStoreError(
                f"{info.reference} in store {self.name!r} is not as it was written; restore it from a backup"
            )
        if (key.type, key.kid, key.public) != (info.key_type, info.kid, info.public):
            raise DamagedStoreError(
                f"{info.reference} in store {self.name!r} is another key than its metadata says; "
                f"restore it from a backup"
            )
        return key

    def _unpack_plain(self, payload: Secret, info: RecordInfo) -> tuple[Format, Key]:
        """The format and the key of a payload that came without metadata."""
        format_ = self._only_claimant(payload, info)
        try:
            key = decode_key(self._plugins, format_, payload, lenient=False, report=warn)
        except (FormatError, InvalidKeyError) as error:
            raise self._undecodable(info, error) from None
        return format_, replace(key, kid=key.kid or format_.default_kid(info.name, info.version, key) or "")

    def _only_claimant(self, payload: Secret, info: RecordInfo) -> Format:
        claiming = claimants(self._plugins, payload)
        if len(claiming) == 1:
            return claiming[0]
        where = f"{info.reference} in store {self.name!r}"
        if claiming:
            names = " or ".join(format_.name for format_ in claiming)
            raise FormatError(f"{where} could be {names}, and this store cannot say; import it into one that can")
        known = ", ".join(self._plugins.formats) or "none"
        raise FormatError(
            f"{where} is a key of no format that is installed ({known}); correct it, or install its plugin"
        )

    def _undecodable(self, info: RecordInfo, error: FormatError | InvalidKeyError) -> DamagedStoreError:
        return DamagedStoreError(f"{info.reference} in store {self.name!r} does not decode: {error}")

    def public_key(self, info: RecordInfo) -> Key:
        """The public half of a version that `described` completed; its payload is not opened."""
        return Key(info.key_type, info.kid, None, info.public, info.attributes)

    def described(self, info: RecordInfo) -> RecordInfo:
        """`info`, completed from the payload where the store keeps no metadata. Raises: as `load`."""
        if self.capabilities.metadata:
            return info
        record = self.store.get(info.name, info.version)
        if record.payload is None:
            return record.info
        format_, key = self._unpack_plain(self._seal.unsealed(record.payload, info), info)
        attributes = public_attributes(format_, key)
        return replace(
            info, key_type=key.type, format=format_.name, kid=key.kid, public=key.public, attributes=attributes
        )


def _is_one_file(path: object, other: object) -> bool:
    """Whether two paths are one file or directory, or one lies inside the other."""
    if not isinstance(path, str) or not isinstance(other, str):
        return False
    try:
        first, second = os.path.realpath(path), os.path.realpath(other)
        return os.path.commonpath((first, second)) in (first, second) or os.path.samefile(path, other)
    except (OSError, ValueError):
        return False


def secret_of(key: Key, info: RecordInfo, store: OpenedStore) -> Key:
    """`key`, if its secret half is there.

    Raises:
        NotExportableError: it was destroyed, never leaves its store, or never came along.
    """
    if key.secret is not None:
        return key
    if info.state is State.DESTROYED:
        raise NotExportableError(
            f"{info.reference} is destroyed, and its secret half with it; rotate to make a new version"
        )
    if store.capabilities.signing:
        raise NotExportableError(
            f"the secret half of {info.reference} never leaves store {store.name!r}; sign with it there"
        )
    raise NotExportableError(
        f"{info.reference} is a public key, imported without its secret half; ask its owner to sign"
    )
