"""Sealed payloads: what a seal writes, the identity that a payload is bound to, and the seal of a store.

What is written is the line `keywright-sealed-1:SEAL`, with the name of the plugin's seal, and then the bytes that the
seal returned for the format's bytes and the identity (name, version, format and kid, as JSON). The line distinguishes
sealed payloads from a format's own bytes, and from those of another seal. The bytes after the line are the plugin's:
those of `passphrase` and `master-key` are described in `keywright_seal.envelope`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, cast

from keywright.errors import ConfigError, KeyNotFoundError, KeywrightError, SealError
from keywright.files import ProcessLock
from keywright.keys import is_reserved
from keywright.protocols import OpenedSeal, RenewableSeal, Seal, Store
from keywright.records import RecordInfo, State
from keywright.ring.arguments import error_context, options_of
from keywright.secret import Secret

if TYPE_CHECKING:
    from keywright.config.load import Config
    from keywright.config.model import SealConfig, StoreConfig
    from keywright.plugins.registry import Registry

_MARK = b"keywright-sealed-1:"
# The whole line: `keywright-sealed-1:` alone could be the start of a Nix key of that name.
_FIRST_LINE = _MARK + b"([a-z0-9-]{1,100})\n"
_NAMES_READ = 1000
_PAYLOADS_READ = 3


def sealed_with(payload: Secret) -> str | None:
    """The name of the seal that made a payload; None if it is not sealed."""
    line = re.match(_FIRST_LINE, payload.reveal())
    return None if line is None else line[1].decode()


def _sealed_part(payload: Secret) -> Secret:
    """What the seal itself made, without the line that names it."""
    return Secret(payload.reveal().partition(b"\n")[2])


def _context(info: RecordInfo) -> bytes:
    """The identity that is authenticated with a payload: moved to another record, it does not open."""
    return json.dumps([info.name, info.version, info.format, info.kid]).encode()


def open_seal(table: SealConfig, registry: Registry) -> OpenedSeal:
    """The seal of a `[seals.NAME]`. Its settings are read now.

    Raises:
        UnknownPluginError: no plugin for it is installed.
        ConfigError: a setting is wrong, or what it points to cannot be read.
        SealError: it has no usable master key.
    """
    plugin = _find_seal(table, registry)
    options = options_of(table, plugin.settings, f"seal {plugin.name!r}", ("seal",))
    with error_context(table.source, table.path):
        return plugin.open(options)


def _find_seal(table: SealConfig, registry: Registry) -> Seal:
    with error_context(table.source, f"{table.path}.seal"):
        return registry.seal(table.seal)


class StoreSeal:
    """Seals and unseals the payloads of one store; without a seal they stay as they are.

    Attributes:
        name: the name of the plugin's seal; None: the store has no seal.
    """

    def __init__(self, table: StoreConfig, config: Config, registry: Registry, store: Callable[[], Store]) -> None:
        """Only the name of the seal is looked up now. `store` returns the opened store.

        Raises:
            UnknownPluginError: no plugin for the seal is installed.
        """
        self._store_name = table.name
        self._store = store
        self._table = None if table.seal is None else config.seals[table.seal]
        self._registry = registry
        self.name = None if self._table is None else _find_seal(self._table, registry).name
        self._seal: OpenedSeal | None = None
        self._has_looked = False
        self._sealed_with: set[str | None] = set()
        self._lock = ProcessLock()

    def sealed(self, payload: Secret, info: RecordInfo) -> Secret:
        """What to store for these bytes of a format.

        Raises:
            ConfigError: as `open_seal`.
            SealError: it cannot be sealed, or the seal does not return it; or what the store has is sealed with another
                seal, or is sealed where the store has no seal, or the reverse.
        """
        seal = self._prepared()
        self._check_same_seal()
        return self._sealed(payload, info, seal)

    def _sealed(self, payload: Secret, info: RecordInfo, seal: OpenedSeal | None) -> Secret:
        stored = payload
        if seal is not None and self.name is not None:
            with self._error_context(info):
                stored = Secret(
                    _MARK + self.name.encode() + b"\n" + seal.seal(payload, _context(info)).reveal()
                )  # in no variable of its own: a seal that does not seal would show the key in a traceback
        if self.unsealed(stored, info) != payload:
            raise SealError(
                f"seal {self.name!r} did not read back what it wrote; nothing was stored",
                hint="report it to the plugin's author",
            )
        return stored

    def unsealed(self, payload: Secret, info: RecordInfo) -> Secret:
        """The format's bytes of a payload.

        Raises:
            ConfigError: as `open_seal`.
            SealError: as `open_seal`; or the payload is sealed and the store has no seal, or another; or it is not
                sealed though the store has a seal (another writer may have put it there); or the seal does not open it.
        """
        seal = self._opened()
        self._check_sealed(payload, info)
        if seal is None:
            return payload
        with self._error_context(info):
            return seal.unseal(_sealed_part(payload), _context(info))

    def _check_sealed(self, payload: Secret, info: RecordInfo) -> None:
        made_with, store = sealed_with(payload), self._store_name
        if made_with == self.name:
            return
        if made_with is None:
            raise SealError(
                f"{info.reference} is not sealed, though store {store!r} has a seal, so it is not trusted",
                hint="move it in with `keywright migrate` from a store without a seal",
            )
        raise SealError(
            f"{info.reference} is sealed with {made_with!r}, and store {store!r} has "
            f"{('no seal' if self.name is None else repr(self.name))}",
            hint=f"set stores.{store}.seal to the name of a table in seals with seal = {made_with!r}",
        )

    def renewed(self, payload: Secret, info: RecordInfo) -> Secret | None:
        """The payload, sealed with the current master key; None if it has that already.

        Raises:
            ConfigError: as `renewable`.
            SealError: it cannot be unsealed or sealed.
        """
        seal = self.renewable()
        with self._error_context(info):
            is_current = seal.is_current(_sealed_part(payload))
        return None if is_current else self._sealed(self.unsealed(payload, info), info, self._prepared())

    def renewable(self) -> RenewableSeal:
        """The seal.

        Raises:
            ConfigError: the store has no seal, or one whose master key cannot be changed; as `open_seal`.
            SealError: it has no usable master key.
        """
        seal = self._opened()
        if seal is None or not hasattr(seal, "is_current"):
            what = "has no seal" if seal is None else f"has a seal {self.name!r} whose master key cannot change"
            raise ConfigError(
                f"store {self._store_name!r} {what}, so it cannot be rewrapped", hint="pass another --store"
            )
        return cast(RenewableSeal, seal)

    def _error_context(self, info: RecordInfo) -> AbstractContextManager[None]:
        """Names the record, store and seal in an error: the plugin's seal knows none of them."""
        path = "" if self._table is None else self._table.path
        return error_context(f"{info.reference} in store {self._store_name!r}", path)

    def _opened(self) -> OpenedSeal | None:
        with self._lock.mine():
            if self._table is not None and self._seal is None:
                self._seal = open_seal(self._table, self._registry)
            return self._seal

    def _prepared(self) -> OpenedSeal | None:
        """The seal, ready to seal: it was shown some payloads of the store, and which seals made them is known."""
        seal = self._opened()
        with self._lock.mine():
            if not self._has_looked:
                for payload in self._stored_before():
                    made_with = sealed_with(payload)
                    self._sealed_with.add(made_with)
                    if made_with is not None and made_with == self.name and hasattr(seal, "adopt"):
                        cast(RenewableSeal, seal).adopt(_sealed_part(payload))
            self._has_looked = True
        return seal

    def _check_same_seal(self) -> None:
        """Refuse to add a payload to a store whose payloads have another seal: no setting could read them all."""
        others = self._sealed_with - {self.name}
        if not others:
            return
        store = self._store_name
        if self.name is None:
            raise SealError(
                f"store {store!r} has sealed keys, and no seal is configured for it; nothing was written",
                hint=f"set stores.{store}.seal to the seal of these keys",
            )
        found = " and ".join(
            sorted("keys that are not sealed" if one is None else f"keys sealed with {one!r}" for one in others)
        )
        raise SealError(
            f"store {store!r} has {found}, which its seal {self.name!r} does not open; nothing was written",
            hint=f"set stores.{store}.seal back to their seal, then run `keywright migrate` to a store with this one",
        )

    def _stored_before(self) -> Iterator[Secret]:
        """The first payloads of the store that can be read."""
        store, number, failure = self._store(), 0, None
        for name in store.names(limit=_NAMES_READ):
            if is_reserved(name):
                continue  # keywright's own records are not sealed
            try:
                for info in store.versions(name):
                    # Tombstones are not read: a store may have very many, and nothing else.
                    payload = None if info.state is State.DESTROYED else store.get(name, info.version).payload
                    if payload is not None:
                        number += 1
                        yield payload
                    if number == _PAYLOADS_READ:
                        return
            except KeyNotFoundError:
                continue  # another process removed it
            except KeywrightError as error:
                failure = error
        if failure is not None and not number and self.name is not None:
            raise failure  # it is unknown which seal the store's payloads have
