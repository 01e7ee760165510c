"""What every part of a key ring stands on: its configuration, its plugins, its clock and its opened stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from keywright import lifecycle
from keywright.errors import ConfigError, KeyNotFoundError, KeywrightError, PolicyError
from keywright.keys import Reference
from keywright.records import RecordInfo, State
from keywright.ring.chain import BACKEND as CHAIN
from keywright.ring.chain import Chain
from keywright.ring.given_texts import check_texts
from keywright.ring.opened import OpenedStore
from keywright.ring.operation import describe, perform
from keywright.ring.times import checked_clock

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from keywright.config.load import Config
    from keywright.config.model import StoreTable
    from keywright.events import ReviewRequest
    from keywright.keys import Key
    from keywright.plugins.registry import Registry

__all__ = ["RingBase"]

_T = TypeVar("_T")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class RingBase:
    """Opens and closes stores, and finds versions in them."""

    def __init__(
        self,
        config: Config,
        plugins: Registry,
        *,
        clock: Callable[[], datetime] = _utc_now,
        store: str | None = None,
    ) -> None:
        """A ring over what `config` says; nothing is opened before it is needed.

        `clock` gives the time, with a zone; one without is a ConfigError in whatever asks for it. `store` goes before
        whatever the configuration says.

        Raises:
            ConfigError: `store` is empty, or `clock` cannot be called; as `Registry.observers`.
            PluginError: as `Registry.observers`.
        """
        self.config = config
        self.plugins = plugins
        self.observers = plugins.observers(config)
        self._clock = clock if clock is _utc_now else checked_clock(clock)
        check_texts(store=store)
        self._store = store
        self._chains: dict[str, Chain] = {}
        self._opened: dict[str, OpenedStore] = {}
        self._passed_over: set[str] = set()
        self._era = object()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every store that is open; a signer or thread that goes on opens its store again.

        What another thread is about meanwhile may fail with StoreUnavailableError.
        """
        with ExitStack() as all_of_them:
            # They are kept, closed: a signer that opens its store again opens the one that the ring knows.
            for opened in list(self._opened.values()):
                all_of_them.callback(opened.close)

    def now(self) -> datetime:
        """The time by the ring's clock, in UTC."""
        return self._clock()

    def open_store(self, store: str | None = None, *, name: str | None = None) -> OpenedStore:
        """The configured store called `store`, or the one for the key `name`, or the default; opened on first use.

        Of a chain it is that of its stores which has `name`.

        Raises:
            ConfigError: no such store is configured, its settings are wrong, or `store` is empty; it is a chain, and
                there is no `name`.
            UnknownPluginError: its backend or seal is not installed.
            StoreError: (a chain) one of its stores fails before it is known which has the name.
        """
        table = self._table(store, name)
        if table.backend != CHAIN:
            return self._open(table)
        if name is None:
            raise ConfigError(f"store {table.name!r} is a chain of stores; name one of them")
        return self._chain(table).holder(name)

    def _table(self, store: str | None, name: str | None) -> StoreTable:
        check_texts(store=store, name=name)
        wanted = self._store if store is None else store
        if wanted is None and name is not None:
            wanted = self.config.key(name).common().optional_text("store")
        return self.config.store(wanted)

    def _chain(self, table: StoreTable) -> Chain:
        chain = self._chains.get(table.name)
        if chain is None:
            backend = self.plugins.store_backend(table.backend)
            made = Chain(
                table,
                backend,
                self.config.stores,
                lambda one: self._open(self.config.store(one)),
                self._report_passed_over,
            )
            chain = self._chains.setdefault(table.name, made)
        return chain

    def _report_passed_over(self, store: str, sentence: str) -> None:
        """Once for each store of a chain, or a service that signs all day would say nothing else."""
        if store not in self._passed_over:
            self._passed_over.add(store)
            self.observers.report(sentence)

    def _names(self, prefix: str, store: str | None) -> Iterator[tuple[str, OpenedStore]]:
        """The names of a store that start with `prefix`, each with the store that has it."""
        table = self._table(store, None)
        if table.backend == CHAIN:
            return self._chain(table).names(prefix)
        opened = self._open(table)
        return ((name, opened) for name in opened.store.names(prefix))

    def _open(self, table: StoreTable) -> OpenedStore:
        opened = self._opened.get(table.name)
        if opened is None:
            # setdefault is atomic: threads that come at once get one store, for a second one might hold other keys.
            opened = self._opened.setdefault(table.name, OpenedStore(table, self.config, self.plugins))
        return opened

    def _versions(self, opened: OpenedStore, name: str, version: int | None = None) -> Sequence[RecordInfo]:
        infos = opened.store.versions(name)
        if not infos and not opened.capabilities.writable and opened.chain is None:
            # It knows better where it looked than that a key could be made there.
            opened.store.get(name, version or 1)
        if not infos:
            raise self._not_found(opened, name)
        if version is not None and all(info.version != version for info in infos):
            known = ", ".join(str(info.version) for info in infos)
            raise KeyNotFoundError(f"{name} has no version {version} in store {opened.name!r}; it has: {known}")
        return infos

    def _not_found(self, opened: OpenedStore, name: str) -> KeyNotFoundError:
        holders, silent = self._elsewhere(opened, name)
        unasked = f" (not asked: {', '.join(silent)})" if silent else ""
        asked = f"store {opened.name!r}" if opened.chain is None else f"chain {opened.chain}"
        none = f"{asked} has no key {name}"
        if not holders:
            return KeyNotFoundError(f"{none}; make one with generate or import, or name another --store{unasked}")
        first = holders[0]
        way = f"move it with `keywright migrate --from {first} --to {opened.name} {name}`, or say --store {first}"
        return KeyNotFoundError(f"{none}, and store {first!r} has it{unasked}; {way}")

    def _elsewhere(self, opened: OpenedStore, name: str) -> tuple[list[str], list[str]]:
        """Which other configured stores have a name that is not at its end, and which could not be asked."""
        holders: list[str] = []
        silent: list[str] = []
        for other, table in self.config.stores.items():
            if other == opened.name or table.backend == CHAIN:
                continue
            try:
                infos = self.open_store(other).store.versions(name)
            except KeywrightError:
                # Settings that are wrong are no answer either: a misspelt one must not hide the key that is there.
                silent.append(other)
            else:
                if any(info.state is not State.DESTROYED for info in infos):
                    holders.append(other)
        return holders, silent

    def _resolve(
        self, reference: Reference, store: str | None, *, any_single: bool = False, no_other: bool = False
    ) -> tuple[OpenedStore, RecordInfo]:
        """The version that a reference names: that one, or the primary; with `any_single`, also an only version.

        With `no_other`, an only version alone.
        """
        opened = self.open_store(store, name=reference.name)
        infos = self._versions(opened, reference.name, reference.version)
        if reference.version is not None:
            return opened, next(info for info in infos if info.version == reference.version)
        if (any_single or no_other) and len(infos) == 1:
            return opened, infos[0]
        if no_other:
            known = ", ".join(info.reference for info in infos)
            raise PolicyError(
                f"{reference} has several versions, and a rotation meanwhile would make it another one; say which is "
                f"meant: {known}"
            )
        now = self._clock()
        info = lifecycle.primary(infos, now)
        if info is None:
            raise PolicyError(
                f"{reference} has no version that signs, so say which is meant, such as {infos[-1].reference}: "
                f"{lifecycle.why_not(infos, now)}"
            )
        return opened, info

    def _loaded(self, opened: OpenedStore, info: RecordInfo) -> Key:
        """The key of a version. To hand out a secret half is an `export`. Raises: as `OpenedStore.load`."""
        record = opened.store.get(info.name, info.version)
        if record.payload is None:
            return opened.unpack(record)
        return self._perform(
            lambda: describe("export", opened, opened.described(info), self._clock()),
            lambda: opened.unpack(record),
            changes=False,
        )

    def _perform(self, request: Callable[[], ReviewRequest], action: Callable[[], _T], *, changes: bool = True) -> _T:
        try:
            return perform(self.observers, request, self._clock, action)
        finally:
            if changes:
                # Whatever came of it: a write that failed may be visible all the same.
                self._era = object()
