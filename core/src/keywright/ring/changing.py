"""The ring changes what is kept of a version: labels and states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from keywright import lifecycle
from keywright.errors import ConfigError, ConflictError
from keywright.names import parse_reference
from keywright.record import Record, RecordInfo, State
from keywright.ring.base import RingBase
from keywright.ring.labels import check_labels
from keywright.ring.operation import describe

if TYPE_CHECKING:
    from keywright.events import Operation

__all__ = ["Changing"]

_RETRIES = 20
_LONGEST_REASON = 1000


class Changing(RingBase):
    """Labels, disables, enables, compromises and destroys versions."""

    def label(self, reference: str, labels: Mapping[str, str | None], *, store: str | None = None) -> RecordInfo:
        """Write labels on a version; None takes one off.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: `NAME` has no primary.
            ConfigError: a label is none.
        """

        def relabelled(record: Record) -> Record:
            merged = {**record.info.labels, **labels}
            kept = check_labels({name: value for name, value in merged.items() if value is not None})
            return Record(replace(record.info, labels=kept), record.payload)

        return self._change("label", reference, store, relabelled)

    def disable(self, reference: str, *, reason: str = "", store: str | None = None) -> RecordInfo:
        """Stop a version from signing and verifying, until it is enabled again. Raises: as `destroy`."""
        return self._change_state("disable", reference, State.DISABLED, reason, store)

    def enable(self, reference: str, *, reason: str = "", store: str | None = None) -> RecordInfo:
        """Let a disabled version sign and verify again, as far as its time has not passed. Raises: as `destroy`."""
        return self._change_state("enable", reference, State.ENABLED, reason, store)

    def compromise(self, reference: str, *, reason: str = "", store: str | None = None) -> RecordInfo:
        """Stop a version from signing and verifying, at once and for good. Raises: as `destroy`."""
        return self._change_state("compromise", reference, State.COMPROMISED, reason, store)

    def destroy(self, reference: str, *, reason: str = "", store: str | None = None) -> RecordInfo:
        """Take a version's payload away for good; a tombstone with its public half stays.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: the version cannot come into that state, or `NAME` names no single version.
            ConflictError: others kept changing the record meanwhile.
            ConfigError: the reason is no printable text, or over 1000 characters.
        """
        return self._change_state("destroy", reference, State.DESTROYED, reason, store)

    def _change_state(
        self, operation: Operation, reference: str, state: State, reason: str, store: str | None
    ) -> RecordInfo:
        if not reason.isprintable() or len(reason) > _LONGEST_REASON:
            raise ConfigError(f"a reason must be printable text of at most {_LONGEST_REASON} characters; shorten it")

        def moved(record: Record) -> Record:
            info = lifecycle.change_state(record.info, state, self._clock(), reason)
            return Record(info, None if state is State.DESTROYED else record.payload)

        return self._change(operation, reference, store, moved)

    def _change(
        self, operation: Operation, reference: str, store: str | None, change: Callable[[Record], Record]
    ) -> RecordInfo:
        """Read, change and write back one version, again if somebody else wrote meanwhile."""
        opened, info = self._resolve(parse_reference(reference), store, any_single=True)
        writable = opened.writable

        def write() -> RecordInfo:
            for _ in range(_RETRIES):
                record = writable.get(info.name, info.version)
                changed = change(record)
                if changed == record:
                    return record.info
                try:
                    return writable.update(changed, expected=record.info.revision)
                except ConflictError:
                    continue
            raise ConflictError(f"{info.reference} kept changing while it was to be changed; try again")

        return self._perform(lambda: describe(operation, opened, info, self._clock()), write)
