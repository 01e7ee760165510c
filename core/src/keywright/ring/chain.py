"""Several stores as one: the first that has a name answers, and new names go to one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from heapq import merge
from typing import TYPE_CHECKING

from keywright.errors import ConfigError, StoreUnavailableError
from keywright.settings.values import check_options
from keywright.text import did_you_mean

if TYPE_CHECKING:
    from keywright.config.model import StoreTable
    from keywright.protocols import StoreBackend
    from keywright.ring.opened import OpenedStore

__all__ = ["BACKEND", "Chain"]

BACKEND = "chain"


class Chain:
    """One `[stores.NAME]` of the backend `chain`."""

    def __init__(
        self,
        table: StoreTable,
        backend: StoreBackend,
        stores: Mapping[str, StoreTable],
        open_store: Callable[[str], OpenedStore],
        passed_over: Callable[[str, str], None],
    ) -> None:
        """Check the settings; nothing is opened yet. `open_store` opens a configured store by its name.

        `passed_over` hears the name of a store that could not be reached and was not waited for, and a sentence.

        Raises:
            ConfigError: a setting is wrong; it names no store, one that is not configured, a chain, or one twice; it
                has a seal, which is its stores' to have.
        """
        self.name = table.name
        self._open_store = open_store
        self._passed_over = passed_over
        options = check_options(
            table.given,
            backend.settings,
            owner=f"store backend {backend.name!r}",
            path=table.path,
            source=table.source,
            beside=("backend",),
        )
        self.stores = options.texts("stores")
        self._write_to = options.optional_text("write_to")
        self._goes_on = options.text("on_unreachable") == "next"

        def refuse(setting: str, rule: str) -> ConfigError:
            return ConfigError(f"{table.source}: {table.path}.{setting} {rule}")

        for name in self.stores:
            if name not in stores:
                raise refuse("stores", f"names a store that is not configured{did_you_mean(name, stores)}")
            if stores[name].backend == BACKEND:
                raise refuse("stores", f"names {name!r}, which is a chain itself; name its stores")
        if not self.stores or len(set(self.stores)) < len(self.stores):
            raise refuse("stores", "must name one store at least, and none twice")
        if self._write_to is not None and self._write_to not in self.stores:
            raise refuse("write_to", f"must be one of its stores: {', '.join(self.stores)}")
        if table.seal is not None:
            raise refuse("seal", "has no meaning for a chain; set it for the stores that need one")

    def holder(self, name: str) -> OpenedStore:
        """The first store that has a name; of one that none has, the one that new names go to.

        A name stays where it is: what writes to another store than `write_to` is refused, and told to migrate it.

        Raises:
            StoreUnavailableError: a store before it cannot be reached, and `on_unreachable` is `stop`; or one cannot be
                reached, and none of the others has the name.
            AccessDeniedError, DamagedStoreError: a store before it denies or is damaged, whatever is set.
        """
        silent: dict[str, StoreUnavailableError] = {}
        for store in self.stores:
            opened = self._open_store(store)
            try:
                found = opened.store.versions(name)
            except StoreUnavailableError as error:
                if not self._goes_on:
                    raise
                silent[store] = error
                continue
            if found:
                for unreachable, reason in silent.items():
                    self._report(unreachable, reason)
                return opened if opened.name == self._write_to else self._not_written(opened, name)
        for reason in silent.values():
            raise reason  # it may have the name, so that nobody can say that there is none
        asked = f"{self.name!r} ({', '.join(self.stores)})"
        if self._write_to is not None:
            return self._open_store(self._write_to).of_chain(asked)
        last = self._open_store(self.stores[-1]).of_chain(asked)
        return last.read_only(f"store {self.name!r} is a chain without write_to, so it takes no writes; set it")

    def reachable(self) -> Iterator[OpenedStore]:
        """Its stores in order, those left out that cannot be opened, where that is set. Raises: as `holder`."""
        for store in self.stores:
            opened = self._open_store(store)
            try:
                _ = opened.store
            except StoreUnavailableError as error:
                if not self._goes_on:
                    raise
                self._report(store, error)
                continue
            yield opened

    def names(self, prefix: str) -> Iterator[tuple[str, OpenedStore]]:
        """All names in the order of their bytes, each with the first store that has it. Raises: as `holder`."""
        members = list(self.reachable())
        last = None
        for name, place in merge(*(self._names_of(opened, prefix, place) for place, opened in enumerate(members))):
            if name != last:
                last = name
                yield name, members[place]

    def _report(self, store: str, error: StoreUnavailableError) -> None:
        self._passed_over(store, f"chain {self.name!r} goes on without store {store!r}, which is not reached: {error}")

    def _names_of(self, opened: OpenedStore, prefix: str, place: int) -> Iterator[tuple[str, int]]:
        return ((name, place) for name in opened.store.names(prefix))

    def _not_written(self, opened: OpenedStore, name: str) -> OpenedStore:
        if self._write_to is None:
            return opened.read_only(
                f"store {self.name!r} is a chain without write_to, so it takes no writes; name store {opened.name!r}"
            )
        return opened.read_only(
            f"{name} is in store {opened.name!r}, and the chain {self.name!r} writes to {self._write_to!r}; move it "
            f"with `keywright migrate --from {opened.name} --to {self._write_to} {name}`, or name store {opened.name!r}"
        )
