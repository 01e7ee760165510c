"""The ring changes what is kept of a version: labels and states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from keywright import lifecycle
from keywright.errors import ConfigError, ConflictError, KeywrightError
from keywright.keys import Reference, parse_reference
from keywright.records import Record, RecordInfo, State
from keywright.ring.base import RingBase
from keywright.ring.given_texts import check_mappings
from keywright.ring.labels import check_labels
from keywright.ring.operation import describe

if TYPE_CHECKING:
    from keywright.events import Operation, ReviewRequest
    from keywright.protocols import WritableStore
    from keywright.ring.opened import OpenedStore

__all__ = ["Changing"]

_RETRIES = 20
_LONGEST_REASON = 1000
_FOR_GOOD = ("compromise", "destroy")


def _check_reason(reason: object) -> None:
    rule = f"a reason must be printable text of at most {_LONGEST_REASON} characters"
    if not isinstance(reason, str):
        raise ConfigError(f"{rule}; pass such a text")
    if not reason.isprintable():
        raise ConfigError(f"{rule}; take line breaks and control characters out of it")
    if len(reason) > _LONGEST_REASON:
        raise ConfigError(f"{rule}; shorten it")


def _check_room(reason: str, after: RecordInfo) -> None:
    """Refuse a new reason that does not fit beside those before; without one a version can always be put away."""
    kept = len(after.reason) - len(reason)
    if reason and kept and len(after.reason) > _LONGEST_REASON:
        raise ConfigError(
            f"the reasons kept with {after.reference} may have {_LONGEST_REASON} characters together, and there is "
            f"room for {max(_LONGEST_REASON - kept, 0)} more; shorten the new one, or leave it out"
        )


def _restless(info: RecordInfo) -> ConflictError:
    return ConflictError(f"{info.reference} kept changing while it was to be changed; try again")


def _as_it_is(store: WritableStore, info: RecordInfo, operation: Operation) -> Record:
    """The record; for `destroy` without its payload, so that a version whose key is damaged can be destroyed too."""
    if operation == "destroy":
        for found in store.versions(info.name):
            if found.version == info.version:
                return Record(found, None)
    return store.get(info.name, info.version)


class Changing(RingBase):
    """Labels, disables, enables, compromises and destroys versions."""

    def label(self, reference: str, labels: Mapping[str, str | None], *, store: str | None = None) -> RecordInfo:
        """Write labels on a version; None takes one off.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: `NAME` has no primary.
            ConfigError: a label is none.
        """

        check_mappings(labels=labels)

        def relabelled(info: RecordInfo) -> RecordInfo:
            merged = {**info.labels, **labels}
            kept = check_labels({name: value for name, value in merged.items() if value is not None})
            return replace(info, labels=kept)

        return self._change("label", parse_reference(reference), store, relabelled)

    def disable(self, reference: str, *, reason: str = "", store: str | None = None) -> RecordInfo:
        """Stop a version from signing and verifying, until it is enabled again. Raises: as `destroy`."""
        return self._change_state("disable", reference, State.DISABLED, reason, store)

    def enable(self, reference: str, *, reason: str = "", store: str | None = None) -> RecordInfo:
        """Let a disabled version sign and verify again, as far as its time has not passed. Raises: as `destroy`."""
        return self._change_state("enable", reference, State.ENABLED, reason, store)

    def compromise(self, reference: str, *, reason: str = "", store: str | None = None) -> RecordInfo:
        """Stop a version from signing and verifying, at once and for good.

        `NAME` alone is enough where it has one version. Raises: as `destroy`.
        """
        return self._change_state("compromise", reference, State.COMPROMISED, reason, store)

    def destroy(self, reference: str, *, reason: str = "", store: str | None = None) -> RecordInfo:
        """Take a version's payload away for good; a tombstone with its public half stays.

        `NAME` alone is enough where it has one version.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: the version cannot come into that state; or `NAME` has several versions, for what can be
                taken back: several and no primary.
            ConflictError: others kept changing the record meanwhile.
            ConfigError: the reason is no printable text, or over 1000 characters with those of its states before,
                which are kept behind it.
        """
        return self._change_state("destroy", reference, State.DESTROYED, reason, store)

    def _change_state(
        self, operation: Operation, reference: str, state: State, reason: str, store: str | None
    ) -> RecordInfo:
        _check_reason(reason)

        def moved(info: RecordInfo) -> RecordInfo:
            after = lifecycle.change_state(info, state, self._clock(), reason)
            if after is not info:
                _check_room(reason, after)
            return after

        return self._change(operation, parse_reference(reference), store, moved)

    def _change(
        self, operation: Operation, reference: Reference, store: str | None, change: Callable[[RecordInfo], RecordInfo]
    ) -> RecordInfo:
        """Read, change and write back one version, again if somebody else wrote meanwhile.

        Each attempt is reviewed and observed by itself: what was reviewed before somebody else wrote is not what is
        written then.
        """
        opened, info = self._resolve(reference, store, any_single=True, no_other=operation in _FOR_GOOD)
        for _ in range(_RETRIES):
            try:
                return self._attempt(operation, opened, info, change)
            except ConflictError:
                _, info = self._resolve(Reference(info.name, info.version), opened.name)
        raise _restless(info)

    def _attempt(
        self, operation: Operation, opened: OpenedStore, info: RecordInfo, change: Callable[[RecordInfo], RecordInfo]
    ) -> RecordInfo:
        """Change a version that is as `info` says. Raises: ConflictError, if it is not so any more."""
        writable = opened.writable
        reviewed: list[ReviewRequest] = []

        def planned() -> ReviewRequest:
            try:
                after = change(info)
            except KeywrightError:
                after = info  # what `write` will refuse is told of all the same
            reviewed.append(describe(operation, opened, after, self._clock()))
            return reviewed[-1]

        def write() -> RecordInfo:
            record = _as_it_is(writable, info, operation)
            after = change(record.info)
            changed = Record(after, None if after.state is State.DESTROYED else record.payload)
            if changed == record:
                return record.info
            if reviewed and reviewed[-1].labels != after.labels:
                raise _restless(info)  # somebody else wrote labels meanwhile, and who guards them has not seen these
            return writable.update(changed, expected=record.info.revision)

        return self._perform(planned, write)
