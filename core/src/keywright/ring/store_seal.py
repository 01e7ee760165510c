"""The seal of one configured store: opened once, with what it needs to seal as others did there before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, cast

from keywright.errors import ConfigError, KeywrightError, SealError
from keywright.protocols import OpenedSeal, RenewableSeal, Seal, Store
from keywright.record import RecordInfo
from keywright.ring.located import located
from keywright.ring.process_lock import ProcessLock
from keywright.ring.sealing import check_sealed, inside_of, seal_payload, sealed_with, unseal_payload
from keywright.secret import Secret
from keywright.settings import check_options

if TYPE_CHECKING:
    from keywright.config import Config, SealTable, StoreTable
    from keywright.registry import Registry

__all__ = ["StoreSeal", "open_seal"]

_LOOKED_AT = 64
_ENOUGH = 3


def open_seal(table: SealTable, plugins: Registry) -> OpenedSeal:
    """The seal of a `[seals.NAME]`, whose settings are read now, and not before anybody needs it.

    Raises:
        UnknownPluginError: no plugin for it.
        ConfigError: a setting is wrong, or what it points to cannot be read.
        SealError: there is no usable master key.
    """
    plugin = _plugin_of(table, plugins)
    options = check_options(
        table.given,
        plugin.settings,
        owner=f"seal {plugin.name!r}",
        path=table.path,
        source=table.source,
        beside=("seal",),
    )
    with located(table.source, table.path):
        return plugin.open(options)


def _plugin_of(table: SealTable, plugins: Registry) -> Seal:
    with located(table.source, f"{table.path}.seal"):
        return plugins.seal(table.seal)


class StoreSeal:
    """What a store is given goes through it, and what comes back; without a seal as it is."""

    def __init__(self, table: StoreTable, config: Config, plugins: Registry, store: Callable[[], Store]) -> None:
        """Nothing is read or opened yet but the seal's name. `store` gives the opened store.

        Raises:
            UnknownPluginError: no plugin for the seal.
        """
        self.name: str | None = None
        self._store_name = table.name
        self._store = store
        self._seal: OpenedSeal | None = None
        self._has_looked = False
        self._holds_sealed = False
        self._lock = ProcessLock()
        if table.seal is None:
            return
        self._table, self._plugins = config.seals[table.seal], plugins
        self.name = _plugin_of(self._table, plugins).name

    def sealed(self, payload: Secret, info: RecordInfo) -> Secret:
        """What is to be stored for these bytes of a format.

        Raises:
            ConfigError: as `open_seal`.
            SealError: it cannot be sealed, or the seal does not give it back; or the store has no seal, and holds
                sealed payloads.
        """
        seal = self._as_before()
        if seal is None and self._holds_sealed:
            raise SealError(
                f"store {self._store_name!r} holds sealed keys and has no seal, so another one would lie open among "
                f"them; set stores.{self._store_name}.seal"
            )
        with self._of(info):
            stored = payload if seal is None or self.name is None else seal_payload(self.name, seal, payload, info)
        if self.unsealed(stored, info) != payload:
            raise SealError(f"seal {self.name!r} gives back something else than it got; nothing was stored")
        return stored

    def unsealed(self, payload: Secret, info: RecordInfo) -> Secret:
        """The format's bytes of a payload.

        Raises:
            ConfigError: as `open_seal`.
            SealError: as `check_sealed` and `open_seal`; or the seal does not open it.
        """
        seal = self._opened()
        if not check_sealed(payload, self.name, info, self._store_name) or seal is None:
            return payload
        with self._of(info):
            return unseal_payload(seal, payload, info)

    def renewed(self, payload: Secret, info: RecordInfo) -> Secret | None:
        """The payload, sealed anew; None if that would change nothing: it has the current master key.

        Raises:
            ConfigError: as `renewable`.
            SealError: it cannot be unsealed or sealed.
        """
        seal = self.renewable()
        with self._of(info):
            is_current = seal.is_current(inside_of(payload))
        if is_current:
            return None
        return self.sealed(self.unsealed(payload, info), info)

    def renewable(self) -> RenewableSeal:
        """The seal.

        Raises:
            ConfigError: the store has none, or one whose master key cannot be changed; as `open_seal`.
            SealError: it has no usable master key.
        """
        seal = self._opened()
        if seal is None or not hasattr(seal, "is_current"):
            what = "has no seal" if seal is None else f"has a seal {self.name!r} whose master key does not change"
            raise ConfigError(f"store {self._store_name!r} {what}; there is nothing to seal anew")
        return cast(RenewableSeal, seal)

    def _of(self, info: RecordInfo) -> AbstractContextManager[None]:
        """Says of which record, store and seal an error is: the plugin's seal knows none of them."""
        path = "" if self.name is None else self._table.path
        return located(f"{info.reference} in store {self._store_name!r}", path)

    def _opened(self) -> OpenedSeal | None:
        with self._lock.mine():
            if self.name is not None and self._seal is None:
                self._seal = open_seal(self._table, self._plugins)
            return self._seal

    def _as_before(self) -> OpenedSeal | None:
        """The seal, once it has seen some of what was sealed in this store before."""
        seal = self._opened()
        with self._lock.mine():
            if not self._has_looked:
                for payload in self._sealed_before():
                    self._holds_sealed = True
                    if sealed_with(payload) == self.name and hasattr(seal, "adopt"):
                        cast(RenewableSeal, seal).adopt(inside_of(payload))
            self._has_looked = True
        return seal

    def _sealed_before(self) -> Iterator[Secret]:
        """A sealed payload of each of the first names that have one, as far as the store tells."""
        store, number, failure = self._store(), 0, None
        # Without a seal it is a guard against one that was forgotten, and every first write of a process pays for it.
        for name in store.names(limit=_LOOKED_AT if self.name is not None else _ENOUGH):
            try:
                payloads = (store.get(name, info.version).payload for info in store.versions(name))
                found = next((one for one in payloads if one is not None and sealed_with(one) is not None), None)
            except KeywrightError as error:
                failure = error
                continue
            number += found is not None
            if found is not None:
                yield found
            if number == _ENOUGH:
                return
        if failure is not None and not number and self.name is not None:
            raise failure  # what was sealed, and how, is not known
