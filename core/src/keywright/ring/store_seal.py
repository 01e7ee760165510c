"""The seal of one configured store: opened once, with what it needs to seal as others did there before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, cast

from keywright.errors import ConfigError, KeyNotFoundError, KeywrightError, SealError
from keywright.files import ProcessLock
from keywright.protocols import OpenedSeal, RenewableSeal, Seal, Store
from keywright.records import RecordInfo, State
from keywright.ring.located import located
from keywright.ring.sealing import check_sealed, inside_of, seal_payload, sealed_with, unseal_payload
from keywright.secret import Secret
from keywright.settings.values import check_options

if TYPE_CHECKING:
    from keywright.config.load import Config
    from keywright.config.model import SealTable, StoreTable
    from keywright.plugins.registry import Registry

__all__ = ["StoreSeal", "open_seal"]

_LOOKED_AT = 1000
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
        self._sealed_with: set[str | None] = set()
        self._lock = ProcessLock()
        if table.seal is None:
            return
        self._table, self._plugins = config.seals[table.seal], plugins
        self.name = _plugin_of(self._table, plugins).name

    def sealed(self, payload: Secret, info: RecordInfo) -> Secret:
        """What is to be stored for these bytes of a format.

        Raises:
            ConfigError: as `open_seal`.
            SealError: it cannot be sealed, or the seal does not give it back; or what the store holds has another
                seal, or is sealed where the store has none, or the reverse.
        """
        seal = self._as_before()
        self._check_all_alike()
        return self._sealed(payload, info, seal)

    def _sealed(self, payload: Secret, info: RecordInfo, seal: OpenedSeal | None) -> Secret:
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
        return self._sealed(self.unsealed(payload, info), info, self._as_before())

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
                for payload in self._stored_before():
                    made_with = sealed_with(payload)
                    self._sealed_with.add(made_with)
                    if made_with is not None and made_with == self.name and hasattr(seal, "adopt"):
                        cast(RenewableSeal, seal).adopt(inside_of(payload))
            self._has_looked = True
        return seal

    def _check_all_alike(self) -> None:
        """Refuse to add to a store what could not be read with what it holds, whatever seal is set."""
        others = self._sealed_with - {self.name}
        if not others:
            return
        store = self._store_name
        if self.name is None:
            raise SealError(
                f"store {store!r} holds sealed keys and has no seal, so another one would lie open among them; set "
                f"stores.{store}.seal"
            )
        found = " and ".join(
            sorted("keys that are not sealed" if one is None else f"keys sealed with {one!r}" for one in others)
        )
        raise SealError(
            f"store {store!r} holds {found}, which its seal {self.name!r} does not open, so another one is not added; "
            "set the seal that they have, and migrate them into a store with this one"
        )

    def _stored_before(self) -> Iterator[Secret]:
        """The first payloads of the store, as far as it gives them."""
        store, number, failure = self._store(), 0, None
        for name in store.names(limit=_LOOKED_AT):
            try:
                for info in store.versions(name):
                    # A store of nothing but tombstones would else be read to its end.
                    payload = None if info.state is State.DESTROYED else store.get(name, info.version).payload
                    if payload is not None:
                        number += 1
                        yield payload
                    if number == _ENOUGH:
                        return
            except KeyNotFoundError:
                continue  # somebody took it away
            except KeywrightError as error:
                failure = error
        if failure is not None and not number and self.name is not None:
            raise failure  # what was sealed, and how, is not known
