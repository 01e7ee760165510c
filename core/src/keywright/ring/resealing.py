"""The ring seals a store anew, with another master key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from keywright.errors import ConflictError, KeyNotFoundError, KeywrightError
from keywright.records import Record, RecordInfo, Revision
from keywright.ring.base import RingBase
from keywright.ring.opened import OpenedStore
from keywright.ring.operation import describe

__all__ = ["Resealed", "Resealing"]

_RETRIES: Final = 20


class Resealed(NamedTuple):
    """What became of a version.

    Attributes:
        reference: `NAME@N`; of a name whose versions cannot be listed `NAME`.
        is_changed: it was sealed anew; otherwise it had the current master key already, or has no payload.
        error: why it could not be sealed anew.
    """

    reference: str
    is_changed: bool
    error: KeywrightError | None = None


class Resealing(RingBase):
    """Changes master keys."""

    def reseal(self, *, store: str | None = None) -> Iterator[Resealed]:
        """Seal every payload of a store that is not sealed with the current master key; say of each what came of it.

        The seal's `previous` must still open what is there. Each record is replaced by one write, so that it can be
        read at every moment; interrupted, the same call goes on where it stopped. One that fails stops no other.

        Raises:
            ConfigError: the store has no seal, or one whose master key does not change.
            ReadOnlyStoreError: it takes no writes.
            SealError: the seal has no usable master key.
            StoreError: its names cannot be listed.
        """
        opened = self.open_store(store)
        writable = opened.writable
        opened.check_renewable()
        for name in writable.names():
            try:
                infos = writable.versions(name)
            except KeywrightError as error:
                yield Resealed(name, is_changed=False, error=error)
                continue
            for info in infos:
                try:
                    yield Resealed(info.reference, is_changed=self._reseal(opened, info))
                except KeywrightError as error:
                    yield Resealed(info.reference, is_changed=False, error=error)

    def _reseal(self, opened: OpenedStore, info: RecordInfo) -> bool:
        writable = opened.writable
        for _ in range(_RETRIES):
            try:
                record = writable.get(info.name, info.version)
            except KeyNotFoundError:
                return False  # removed since it was listed
            renewed = opened.resealed(record)
            if renewed is None:
                return False
            try:
                self._replace(opened, renewed, record.info.revision)
            except ConflictError:
                continue
            return True
        raise ConflictError(f"{info.reference} kept changing while it was to be sealed anew; run the command again")

    def _replace(self, opened: OpenedStore, renewed: Record, expected: Revision) -> None:
        self._perform(
            lambda: describe("reseal", opened, renewed.info, self._clock()),
            lambda: opened.writable.update(renewed, expected=expected),
        )
