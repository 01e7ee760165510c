"""The seal of one configured store: opened once, with what it needs to seal as others did there before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

from keywright.errors import ConfigError, KeywrightError, SealError
from keywright.protocols import OpenedSeal, RenewableSeal, Store
from keywright.record import RecordInfo
from keywright.ring.located import located
from keywright.ring.process_lock import ProcessLock
from keywright.ring.sealing import inside_of, seal_payload, sealed_with, unseal_payload
from keywright.secret import Secret
from keywright.settings import check_options

if TYPE_CHECKING:
    from keywright.config import Config, StoreTable
    from keywright.registry import Registry

__all__ = ["StoreSeal"]

_LOOKED_AT = 64
_ENOUGH = 3


class StoreSeal:
    """What a store is given goes through it, and what comes back; without a seal as it is."""

    def __init__(self, table: StoreTable, config: Config, plugins: Registry, store: Callable[[], Store]) -> None:
        """Check the settings; nothing is opened yet. `store` gives the opened store.

        Raises:
            UnknownPluginError: no plugin for the seal.
            ConfigError: a setting is wrong.
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
        seal_table = config.seals[table.seal]
        with located(seal_table.source, f"{seal_table.path}.seal"):
            self._plugin = plugins.seal(seal_table.seal)
        self.name = self._plugin.name
        self._options = check_options(
            seal_table.given,
            self._plugin.settings,
            owner=f"seal {self.name!r}",
            path=seal_table.path,
            source=seal_table.source,
        )

    def sealed(self, payload: Secret, info: RecordInfo) -> Secret:
        """What is to be stored for these bytes of a format.

        Raises:
            SealError: it cannot be sealed, or the seal does not give it back; or the store has no seal, and holds
                sealed payloads.
        """
        seal = self._as_before()
        if seal is None and self._holds_sealed:
            raise SealError(
                f"store {self._store_name!r} holds sealed keys and has no seal, so another one would lie open among "
                f"them; set stores.{self._store_name}.seal"
            )
        stored = payload if seal is None or self.name is None else seal_payload(self.name, seal, payload, info)
        if self.unsealed(stored, info) != payload:
            raise SealError(f"seal {self.name!r} gives back something else than it got; nothing was stored")
        return stored

    def unsealed(self, payload: Secret, info: RecordInfo) -> Secret:
        """The format's bytes of a payload. Raises: SealError, as `unseal_payload`."""
        return unseal_payload(self.name, self._opened(), payload, info, self._store_name)

    def renewed(self, payload: Secret, info: RecordInfo) -> Secret | None:
        """The payload, sealed anew; None if that would change nothing: it has the current master key.

        Raises:
            ConfigError: as `renewable`.
            SealError: it cannot be unsealed or sealed.
        """
        if self.renewable().is_current(inside_of(payload)):
            return None
        return self.sealed(self.unsealed(payload, info), info)

    def renewable(self) -> RenewableSeal:
        """The seal.

        Raises:
            ConfigError: the store has none, or one whose master key cannot be changed.
            SealError: it has no usable master key.
        """
        seal = self._opened()
        if seal is None or not hasattr(seal, "is_current"):
            what = "has no seal" if seal is None else f"has a seal {self.name!r} whose master key does not change"
            raise ConfigError(f"store {self._store_name!r} {what}; there is nothing to seal anew")
        return cast(RenewableSeal, seal)

    def _opened(self) -> OpenedSeal | None:
        with self._lock.mine():
            if self.name is not None and self._seal is None:
                self._seal = self._plugin.open(self._options)
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
