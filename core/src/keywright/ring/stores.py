"""Configured stores: opened on first use, chains of them, and the versions that they have."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from itertools import repeat
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from keywright import lifecycle
from keywright.config.layers import listed
from keywright.errors import (
    ConfigError,
    KeyNotFoundError,
    KeywrightError,
    NotExportableError,
    PluginError,
    PolicyError,
    ReadOnlyStoreError,
    StoreUnavailableError,
)
from keywright.files import ProcessLock
from keywright.keys import is_reserved
from keywright.protocols import ScannedStore, SigningStore, Store, WritableStore
from keywright.records import State
from keywright.ring.arguments import check_texts, error_context, options_of
from keywright.ring.codec import KeyCodec
from keywright.ring.sealing import StoreSeal
from keywright.text import did_you_mean

if TYPE_CHECKING:
    from keywright.config.load import Config
    from keywright.config.model import StoreConfig
    from keywright.keys import Key, Reference
    from keywright.plugins.registry import Registry
    from keywright.protocols import Capabilities, StoreBackend
    from keywright.records import RecordInfo

CHAIN: Final = "chain"
"""The backend of a chain."""

_WRITING: Final = ("create", "update_info", "replace_payload", "destroy", "remove")
_RENAMED: Final = {"update": "`update_info`, `replace_payload` and `destroy`"}


class _Handle(NamedTuple):
    process: int
    context: AbstractContextManager[Store]
    store: Store


class _Connection:
    """The store of a backend, opened on first use, and again after a fork or after it was closed."""

    def __init__(self, table: StoreConfig, registry: Registry) -> None:
        """Check the settings; nothing is opened yet. Raises: as `Stores.get`."""
        self._table = table
        with error_context(table.source, f"{table.path}.backend"):
            self.backend = registry.store_backend(table.backend)
        owner = f"store backend {self.backend.name!r}"
        self.options = options_of(table, self.backend.settings, owner, ("backend", "seal"))
        self._lock = ProcessLock()
        # One object, so that no thread sees half of what another opens or closes.
        self._handle: _Handle | None = None
        self._inherited: list[_Handle] = []

    def store(self) -> Store:
        """The opened store. Raises: as `OpenStore.store`."""
        handle = self._handle
        if handle is not None and handle.process == os.getpid():
            return handle.store
        with self._lock.mine():
            handle = self._handle
            if handle is None or handle.process != os.getpid():
                if handle is not None:
                    # The parent's, from before a fork, is kept and not used: closed here, or collected as garbage, it
                    # could drop the parent's locks.
                    self._inherited.append(handle)
                handle = self._handle = self._open()
            return handle.store

    def _open(self) -> _Handle:
        table = self._table
        try:
            context = self.backend.open(self.options)
            handle = _Handle(os.getpid(), context, context.__enter__())
        except (ConfigError, PluginError) as error:
            given = None if error.setting is None else table.given.get(error.setting)
            source = table.source if given is None else given.source  # the value may come from another layer
            raise error.prefixed(f"{source}: {table.path}.") from None
        with error_context(table.source, table.path):
            _check_members(handle.store, self.backend)
        return handle

    def close(self) -> None:
        """Close the store, if this process opened it."""
        with self._lock.mine():
            handle = self._handle
            if handle is not None and handle.process == os.getpid():
                self._handle = None
                handle.context.__exit__(None, None, None)


def _check_members(store: Store, backend: StoreBackend) -> None:
    """Refuse a store of keywright 0.1.

    Raises:
        PluginError: it has members that were renamed, or lacks those that its backend promises.
    """
    lacking = [name for name in _WRITING if backend.capabilities.writable and not hasattr(store, name)]
    renamed = [f"`{old}` is {new} now" for old, new in _RENAMED.items() if lacking and hasattr(store, old)]
    if hasattr(store, "examine") and not hasattr(store, "check"):
        lacking, renamed = [*lacking, "check"], [*renamed, "`examine` is `check` now"]
    if lacking:
        raise PluginError(
            f"a store of backend {backend.name!r} lacks {', '.join(lacking)}",
            hint="; ".join([*renamed, "install a version of the plugin for keywright 0.2"]),
        )


class OpenStore:
    """One store of the configuration, which keys are written to and read from.

    Attributes:
        name: as the configuration calls it.
        seal: seals its payloads; its `name` is None if the store has no seal.
        codec: turns keys into records and back.
        chain: what messages call the chain that this store was chosen from, if no store of it has the name; else None.
    """

    __slots__ = ("_connection", "_refusal", "chain", "codec", "name", "seal")

    def __init__(
        self,
        name: str,
        connection: _Connection,
        seal: StoreSeal,
        codec: KeyCodec,
        *,
        refusal: tuple[str, str] | None = None,
        chain: str | None = None,
    ) -> None:
        """`refusal`: message and hint of the error if something is to be written; None: it may be written."""
        self.name = name
        self.seal = seal
        self.codec = codec
        self.chain = chain
        self._connection = connection
        self._refusal = refusal

    def restricted(self, *, refusal: tuple[str, str] | None = None, chain: str | None = None) -> OpenStore:
        """The same store with another `refusal` or `chain`."""
        return OpenStore(self.name, self._connection, self.seal, self.codec, refusal=refusal, chain=chain)

    @property
    def capabilities(self) -> Capabilities:
        """What stores of this kind can do."""
        return self._connection.backend.capabilities

    @property
    def store(self) -> Store:
        """The backend's store.

        Raises:
            StoreUnavailableError, AccessDeniedError, CorruptedStoreError: it cannot be opened.
            ConfigError: the backend refuses a setting, with which its message starts.
        """
        return self._connection.store()

    @property
    def writable(self) -> WritableStore:
        """The store, for writing.

        Raises:
            ReadOnlyStoreError: stores of this kind are read-only, or this one is not to be written.
        """
        if self._refusal is not None:
            message, hint = self._refusal
            raise ReadOnlyStoreError(message, hint=hint)
        if not self.capabilities.writable:
            backend = self._connection.backend.name
            raise ReadOnlyStoreError(
                f"store {self.name!r} is read-only (backend {backend!r})", hint="pass a writable one with --store"
            )
        return cast(WritableStore, self.store)

    @property
    def signing(self) -> SigningStore | None:
        """The store if its keys never leave it, else None."""
        return cast(SigningStore, self.store) if self.capabilities.keys_stay_inside else None

    def close(self) -> None:
        """Close the store, if this process opened it; the next use opens it again."""
        self._connection.close()

    def names(self, prefix: str = "") -> Iterator[str]:
        """The names of keys that start with `prefix`: those of the store without the reserved ones."""
        return (name for name in self.store.names(prefix) if not is_reserved(name))

    def scan(self, prefix: str = "") -> Iterator[Sequence[RecordInfo]]:
        """The versions of each name, in the order of `names`."""
        if not hasattr(self.store, "scan"):
            return (self.store.versions(name) for name in self.names(prefix))
        return (infos for infos in cast(ScannedStore, self.store).scan(prefix) if not is_reserved(infos[0].name))

    def load(self, info: RecordInfo) -> Key:
        """The key of a version, with its secret half if that is available.

        Raises:
            KeyNotFoundError: the version was removed meanwhile.
            SealError, CorruptedStoreError, FormatError: as `KeyCodec.unpack`.
        """
        return self.codec.unpack(self.store.get(info.name, info.version))

    def described(self, info: RecordInfo) -> RecordInfo:
        """`info`, completed from the payload if the store has no metadata. Raises: as `load`."""
        if self.capabilities.metadata:
            return info
        record = self.store.get(info.name, info.version)
        return record.info if record.payload is None else self.codec.complete(info, record.payload)

    def is_same_place(self, other: OpenStore) -> bool:
        """Whether the two are one store under two names, as far as their settings show."""
        own, others = self._connection, other._connection
        if (own.backend.name, dict(own.options)) == (others.backend.name, dict(others.options)):
            return True
        return _is_one_file(own.options.get("path"), others.options.get("path"))


def _is_one_file(path: object, other: object) -> bool:
    """Whether two paths are one file or directory, or one is inside the other."""
    if not isinstance(path, str) or not isinstance(other, str):
        return False
    try:
        first, second = os.path.realpath(path), os.path.realpath(other)
        return os.path.commonpath((first, second)) in (first, second) or os.path.samefile(path, other)
    except (OSError, ValueError):
        return False


def check_secret(key: Key, info: RecordInfo, opened: OpenStore) -> Key:
    """`key`, if it has its secret half.

    Raises:
        NotExportableError: the secret half was destroyed, never leaves its store, or was never imported.
    """
    if key.secret is not None:
        return key
    if info.state is State.DESTROYED:
        raise NotExportableError(
            f"{info.reference} is destroyed, and its secret half with it", hint="rotate it to create a new version"
        )
    if opened.capabilities.keys_stay_inside:
        raise NotExportableError(
            f"the secret half of {info.reference} never leaves store {opened.name!r}",
            hint=f"leave out --secret, or sign with `keywright sign {info.name}`",
        )
    raise NotExportableError(
        f"{info.reference} is a public key, imported without its secret half", hint="ask its owner to sign"
    )


class Chain:
    """Several stores as one: the first that has a name is used for it, and new names go to one of them.

    Attributes:
        name: as the configuration calls it.
        stores: the names of its stores, in order.
    """

    def __init__(
        self,
        table: StoreConfig,
        backend: StoreBackend,
        stores: Mapping[str, StoreConfig],
        open_store: Callable[[str], OpenStore],
        report_skipped: Callable[[str, str], None],
    ) -> None:
        """Check the settings; nothing is opened yet. `open_store` opens a configured store by its name.

        `report_skipped` is called with the name of a store that could not be reached and was skipped, and a sentence.

        Raises:
            ConfigError: a setting is wrong; it names no store, one that is not configured, a chain, or one twice; it
                has a seal, which only its stores can have.
        """
        self.name = table.name
        self._open_store = open_store
        self._report_skipped = report_skipped
        options = options_of(table, backend.settings, f"store backend {backend.name!r}", ("backend",))
        self.stores = options.texts("stores")
        self._write_to = options.optional_text("write_to")
        self._skips = options.text("on_unavailable") == "skip"

        def refuse(setting: str, rule: str, hint: str | None = None) -> ConfigError:
            return ConfigError(f"{table.source}: {table.path}.{setting} {rule}", hint=hint)

        for name in self.stores:
            if name not in stores:
                raise refuse(
                    "stores", f"names a store that is not configured{did_you_mean(name, stores)}", listed(stores)
                )
            if stores[name].backend == CHAIN:
                raise refuse("stores", f"names {name!r}, which is a chain itself; name its stores")
        if not self.stores or len(set(self.stores)) < len(self.stores):
            raise refuse("stores", "must name one store at least, and none twice")
        if self._write_to is not None and self._write_to not in self.stores:
            raise refuse("write_to", f"must be one of its stores: {', '.join(self.stores)}")
        if table.seal is not None:
            raise refuse("seal", "has no meaning for a chain; set it for the stores that need one")

    def holder(self, name: str) -> OpenStore:
        """The first store that has a name; if no store has it, the one that new names go to.

        A name stays where it is: writing to another store than `write_to` is refused, with the command that moves it.

        Raises:
            StoreUnavailableError: a store before it cannot be reached, and `on_unavailable` is `fail`; or one cannot be
                reached, and no other store has the name.
            AccessDeniedError, CorruptedStoreError: a store before it denies access or is damaged, also with `skip`.
        """
        silent: dict[str, StoreUnavailableError] = {}
        for store in self.stores:
            opened = self._open_store(store)
            try:
                found = opened.store.versions(name)
            except StoreUnavailableError as error:
                if not self._skips:
                    raise
                silent[store] = error
                continue
            if found:
                for unreachable, reason in silent.items():
                    self._report(unreachable, reason)
                return opened if store == self._write_to else self._not_written(opened, name)
        for reason in silent.values():
            raise reason  # this store may have the name, so KeyNotFoundError would be a guess
        asked = f"{self.name!r} ({', '.join(self.stores)})"
        if self._write_to is not None:
            return self._open_store(self._write_to).restricted(chain=asked)
        return self._open_store(self.stores[-1]).restricted(
            chain=asked, refusal=(self._read_only(), f"set stores.{self.name}.write_to to one of its stores")
        )

    def names(self, prefix: str) -> Iterator[tuple[str, OpenStore]]:
        """All names in the order of their bytes, each with the first store that has it. Raises: as `holder`."""
        from heapq import merge

        members = list(self._reachable())
        last = None
        listings = (zip(opened.names(prefix), repeat(place)) for place, opened in enumerate(members))
        for name, place in merge(*listings):
            if name != last:
                last = name
                yield name, members[place]

    def _reachable(self) -> Iterator[OpenStore]:
        """Its stores in order; without those that cannot be opened, if it skips them."""
        for store in self.stores:
            opened = self._open_store(store)
            try:
                _ = opened.store
            except StoreUnavailableError as error:
                if not self._skips:
                    raise
                self._report(store, error)
                continue
            yield opened

    def _report(self, store: str, error: StoreUnavailableError) -> None:
        self._report_skipped(
            store, f"chain {self.name!r} continues without store {store!r}, which is not available: {error}"
        )

    def _not_written(self, opened: OpenStore, name: str) -> OpenStore:
        hint = f"pass --store {opened.name}"
        if self._write_to is None:
            return opened.restricted(refusal=(self._read_only(), hint))
        message = f"{name} is in store {opened.name!r}, and the chain {self.name!r} writes to {self._write_to!r}"
        move = f"move it with `keywright migrate --from {opened.name} --to {self._write_to} {name}`"
        return opened.restricted(refusal=(message, f"{move}, or {hint}"))

    def _read_only(self) -> str:
        return f"store {self.name!r} is read-only: a chain without write_to"


class Stores:
    """The stores of a ring: opens them, closes them, and finds versions in them.

    Attributes:
        default: the store that the ring itself was given, which takes precedence over the configuration; or None.
    """

    __slots__ = ("_chains", "_clock", "_config", "_opened", "_registry", "_report", "_skipped", "default")

    def __init__(
        self,
        config: Config,
        registry: Registry,
        *,
        default: str | None,
        clock: Callable[[], datetime],
        report: Callable[[str], None],
    ) -> None:
        """Nothing is opened yet. `report` is called with a sentence about each store that a chain skipped.

        Raises:
            ConfigError: `default` is empty.
        """
        check_texts(store=default)
        self.default = default
        self._config = config
        self._registry = registry
        self._clock = clock
        self._report = report
        self._chains: dict[str, Chain] = {}
        self._opened: dict[str, OpenStore] = {}
        self._skipped: set[str] = set()

    def close(self) -> None:
        """Close every store that is open."""
        with ExitStack() as closing:
            # They are kept, closed: a signer that opens its store again opens the one that the ring knows.
            for opened in list(self._opened.values()):
                closing.callback(opened.close)

    def get(self, store: str | None = None, *, name: str | None = None) -> OpenStore:
        """The configured store called `store`, or the one for the key `name`, or the default.

        Raises:
            ConfigError: no such store is configured, its settings are wrong, or `store` is empty; it is a chain, and
                there is no `name`.
            UnknownPluginError: its backend or seal is not installed.
            StoreError: (a chain) one of its stores fails before it is known which has the name.
        """
        table = self.table(store, name)
        if table.backend != CHAIN:
            return self._open(table)
        if name is None:
            raise ConfigError(f"store {table.name!r} is a chain of stores", hint="name one of them")
        return self.chain(table).holder(name)

    def table(self, store: str | None, name: str | None) -> StoreConfig:
        """The table of the store that `get` opens. Raises: ConfigError, as `get`."""
        check_texts(store=store, name=name)
        wanted = self.default if store is None else store
        return self.configured(name) if wanted is None else self._config.store(wanted)

    def configured(self, name: str | None) -> StoreConfig:
        """The table of the store that the configuration has for a key. Raises: ConfigError, as `get`."""
        return self._config.store(None if name is None else self._config.key(name).common().optional_text("store"))

    def option(self, opened: OpenStore, name: str) -> str:
        """` --store NAME`, for a command in a hint that would use another store by itself; else empty."""
        try:
            usual = self.configured(name)
        except ConfigError:
            return f" --store {opened.name}"
        return "" if usual.backend == CHAIN or usual.name == opened.name else f" --store {opened.name}"

    def chain(self, table: StoreConfig) -> Chain:
        """The chain of this table. Raises: ConfigError, as `Chain`."""
        chain = self._chains.get(table.name)
        if chain is None:
            made = Chain(
                table,
                self._registry.store_backend(table.backend),
                self._config.stores,
                lambda store: self._open(self._config.store(store)),
                self._report_skipped,
            )
            chain = self._chains.setdefault(table.name, made)
        return chain

    def _report_skipped(self, store: str, sentence: str) -> None:
        """Report each store of a chain once, or a service that signs all day would report nothing else."""
        if store not in self._skipped:
            self._skipped.add(store)
            self._report(sentence)

    def _open(self, table: StoreConfig) -> OpenStore:
        opened = self._opened.get(table.name)
        if opened is None:
            connection = _Connection(table, self._registry)
            seal = StoreSeal(table, self._config, self._registry, connection.store)
            has_metadata = connection.backend.capabilities.metadata
            codec = KeyCodec(self._registry, seal, table.name, has_metadata=has_metadata)
            # setdefault is atomic: threads that come at once get one store, for a second one might have other keys.
            opened = self._opened.setdefault(table.name, OpenStore(table.name, connection, seal, codec))
        return opened

    def names(self, prefix: str, store: str | None) -> Iterator[tuple[str, OpenStore]]:
        """The names of a store that start with `prefix`, each with the store that has it."""
        table = self.table(store, None)
        if table.backend == CHAIN:
            return self.chain(table).names(prefix)
        opened = self._open(table)
        return ((name, opened) for name in opened.names(prefix))

    def scan(self, prefix: str, store: str | None) -> Iterator[tuple[OpenStore, Sequence[RecordInfo]]]:
        """As `names`, with the versions of each name that still has any."""
        table = self.table(store, None)
        if table.backend == CHAIN:
            found = ((opened, opened.store.versions(name)) for name, opened in self.chain(table).names(prefix))
        else:
            opened = self._open(table)
            found = ((opened, infos) for infos in opened.scan(prefix))
        return ((opened, infos) for opened, infos in found if infos)

    def versions(self, opened: OpenStore, name: str, version: int | None = None) -> Sequence[RecordInfo]:
        """The versions of a name; `version` has to be one of them.

        Raises:
            KeyNotFoundError: there is no such name or version.
        """
        infos = opened.store.versions(name)
        if not infos and not opened.capabilities.writable and opened.chain is None:
            # The store's own error names the place where it looked, which helps more than how to create a key.
            opened.store.get(name, version or 1)
        if not infos:
            raise self.not_found(opened, name)
        if version is not None and all(info.version != version for info in infos):
            known = ", ".join(str(info.version) for info in infos)
            raise KeyNotFoundError(f"{name} has no version {version} in store {opened.name!r}", hint=f"it has: {known}")
        return infos

    def resolve(
        self, reference: Reference, store: str | None, *, or_single: bool = False, only_single: bool = False
    ) -> tuple[OpenStore, RecordInfo]:
        """The version that a reference names: that one, or the primary; with `or_single`, also an only version.

        With `only_single`, an only version and no primary.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: the reference names no version, and the name has no primary.
        """
        opened = self.get(store, name=reference.name)
        infos = self.versions(opened, reference.name, reference.version)
        if reference.version is not None:
            return opened, next(info for info in infos if info.version == reference.version)
        if (or_single or only_single) and len(infos) == 1:
            return opened, infos[0]
        if only_single:
            known = ", ".join(info.reference for info in infos)
            raise PolicyError(
                f"{reference} has several versions, and a rotation meanwhile would change which one is meant",
                hint=f"name one of them: {known}",
            )
        now = self._clock()
        info = lifecycle.primary(infos, now)
        if info is None:
            reason, hint = lifecycle.why_not(infos, now, self.option(opened, infos[-1].name))
            raise PolicyError(
                f"{reference} has no version that signs: {reason}",
                hint=f"name a version, such as {infos[-1].reference}; to sign, {hint}",
            )
        return opened, info

    def not_found(self, opened: OpenStore, name: str) -> KeyNotFoundError:
        """The error for a name that a store lacks, with the store that has it."""
        holders, silent = self.elsewhere(opened, name)
        unasked = f" (could not be read: {', '.join(silent)})" if silent else ""
        asked = f"store {opened.name!r}" if opened.chain is None else f"chain {opened.chain}"
        none = f"{asked} has no key {name}"
        if not holders:
            return KeyNotFoundError(
                none,
                hint=f"create it with `keywright generate {name}{self.option(opened, name)}`, or pass another --store"
                f"{unasked}",
            )
        first = holders[0]
        way = f"move it with `keywright migrate --from {first} --to {opened.name} {name}`, or pass --store {first}"
        return KeyNotFoundError(f"{none}, and store {first!r} has it{unasked}", hint=way)

    def elsewhere(self, opened: OpenStore, name: str) -> tuple[list[str], list[str]]:
        """Which other configured stores have a version of a name that is not destroyed, and which could not be read."""
        holders: list[str] = []
        silent: list[str] = []
        for other, table in self._config.stores.items():
            if other == opened.name or table.backend == CHAIN:
                continue
            try:
                infos = self._open(table).store.versions(name)
            except KeywrightError:
                # Wrong settings included: a misspelt one must not hide the key that the store has.
                silent.append(other)
            else:
                if any(info.state is not State.DESTROYED for info in infos):
                    holders.append(other)
        return holders, silent
