"""The lifecycle: from the records of one name and a time, which version signs and which verify. Pure functions.

None of this is stored. Version k signs from its activation until a later version supersedes it. It verifies from its
creation until the `overlap` after a later version's activation is over; of several overlaps, the one that ends first
counts. A version that left `enabled` before its activation never supersedes; a superseded version never signs again;
if no version may sign, the result is a reason, never an older key.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from keywright.errors import PolicyError
from keywright.records import RecordInfo, State

__all__ = [
    "Phase",
    "VersionPhase",
    "change_state",
    "newest_in_use",
    "overdue",
    "phases",
    "primary",
    "primary_until",
    "verifying",
    "why_not",
]

_ALWAYS = datetime.min.replace(tzinfo=UTC)


class Phase(StrEnum):
    """The phase of a version at some time."""

    ANNOUNCED = "announced"  # verifies already, signs later
    SIGNING = "signing"  # the primary
    VERIFYING = "verifying"  # superseded, still within the overlap
    RETIRED = "retired"  # superseded, and the overlap is over
    EXPIRED = "expired"
    DISABLED = "disabled"
    COMPROMISED = "compromised"
    DESTROYED = "destroyed"


class VersionPhase(NamedTuple):
    """A version, its phase, and the times that follow from the other versions (None: not determined yet)."""

    info: RecordInfo
    phase: Phase
    superseded: datetime | None
    verifies_until: datetime | None


def phases(infos: Sequence[RecordInfo], now: datetime) -> tuple[VersionPhase, ...]:
    """The phase of each version of one name at `now`, ascending by version."""
    ascending = sorted(infos, key=lambda info: info.version)
    return tuple(_phase(info, ascending[place + 1 :], now) for place, info in enumerate(ascending))


def primary(infos: Sequence[RecordInfo], now: datetime) -> RecordInfo | None:
    """The one version that signs at `now`, or None; `why_not` says why."""
    return next((one.info for one in phases(infos, now) if one.phase is Phase.SIGNING), None)


def primary_until(infos: Sequence[RecordInfo], now: datetime) -> datetime | None:
    """When the current primary stops signing, as known now; None: no end is known, or no primary exists."""
    for one in phases(infos, now):
        if one.phase is Phase.SIGNING:
            return min((end for end in (one.superseded, one.info.expires) if end is not None), default=None)
    return None


def verifying(infos: Sequence[RecordInfo], now: datetime) -> tuple[RecordInfo, ...]:
    """The versions that may verify at `now`: the primary first, then newest to oldest."""
    able = [one for one in phases(infos, now) if one.phase in (Phase.ANNOUNCED, Phase.SIGNING, Phase.VERIFYING)]
    able.sort(key=lambda one: (one.phase is not Phase.SIGNING, -one.info.version))
    return tuple(one.info for one in able)


def overdue(infos: Sequence[RecordInfo], rotate_every: timedelta, now: datetime) -> RecordInfo | None:
    """The version that a new one should follow: the newest that signs or will, if it is that old; else None.

    Also None if no version signs, unless the newest expired: a key that was disabled or destroyed is not replaced by a
    timer. And None if its age is unknown; `newest_in_use` returns the version in that case.
    """
    newest = newest_in_use(infos, now)
    if newest is None or (newest.expires is not None and newest.expires <= now):
        return newest  # it expired before it was rotated
    return newest if newest.created is not None and now - newest.created >= rotate_every else None


def newest_in_use(infos: Sequence[RecordInfo], now: datetime) -> RecordInfo | None:
    """The version whose age counts: the newest that signs or will, or that expired; None if no version is in use."""
    known = phases(infos, now)
    if known and known[-1].phase is Phase.EXPIRED:
        return known[-1].info
    coming = [one.info for one in known if one.phase in (Phase.SIGNING, Phase.ANNOUNCED)]
    return None if primary(infos, now) is None else coming[-1]


def why_not(infos: Sequence[RecordInfo], now: datetime, option: str = "") -> tuple[str, str]:
    """Why no version signs, from the state of the newest that would; and what to do, by commands with `option`."""
    known = phases(infos, now)
    waiting = [one.info for one in known if one.phase is Phase.ANNOUNCED]
    first = min(waiting, key=_activation, default=None)
    announced = f"signs from {_activation(first):%Y-%m-%d %H:%M:%S} UTC" if first is not None else ""
    name = infos[0].name if infos else "NAME"
    hint = f"run `keywright rotate {name}{option}{'' if first is None else ' --activate-in 0s'}`"
    enabled = _to_enable(infos, now)
    if enabled is not None:
        hint = f"run `keywright enable {enabled.reference}{option}`, or {hint}"
    if first is not None:
        hint = f"wait until then, or {hint}"
    active = [one for one in known if _supersedes(one.info) and _active(one.info, now)]
    if not active:
        return f"version {first.version} is announced and {announced}" if first else "no version was ever active", hint
    newest = active[-1]
    reason = f"version {newest.info.version} is {newest.phase.value}, and older versions are not used again"
    return f"{reason}; version {first.version} {announced}" if first else reason, hint


def _to_enable(infos: Sequence[RecordInfo], now: datetime) -> RecordInfo | None:
    """The newest disabled version that would sign if it were enabled."""
    for info in reversed(infos):
        if info.state is State.DISABLED:
            enabled = change_state(info, State.ENABLED, now)
            if primary([enabled if one is info else one for one in infos], now) is enabled:
                return info
    return None


def change_state(info: RecordInfo, state: State, now: datetime, reason: str = "") -> RecordInfo:
    """The record info after a change to `state` at `now`; the same object if it is in that state already.

    The reason for an earlier state other than `enabled` is kept after the new one, together with that state.

    Raises:
        PolicyError: the change is not allowed: from `destroyed` to anything, from `compromised` to `enabled` or
            `disabled`.
    """
    if info.state is state:
        return info
    if info.state is State.DESTROYED:
        raise PolicyError(f"{info.reference} is destroyed permanently", hint="rotate it to create a new version")
    if info.state is State.COMPROMISED and state is not State.DESTROYED:
        raise PolicyError(
            f"{info.reference} is compromised permanently",
            hint="rotate it to create a new version, or destroy this one",
        )
    never_active = _left_early(info)
    if state is not State.ENABLED and info.state is not State.ENABLED:
        reason = _reason_after(reason, info)
    changed = info.replace(state=state, state_since=now, reason=reason)
    if never_active and state is not State.ENABLED:
        # A version that never signed must not start to supersede because its state changes once more.
        return changed.replace(state_since=info.state_since)
    if never_active and info.activates is not None and info.activates <= now:
        # Enabled late: it takes over now, not at a past time, or its predecessor's overlap would shrink.
        return changed.replace(activates=now)
    return changed


def _reason_after(reason: str, info: RecordInfo) -> str:
    """The reason, followed by the one that was given for the state that the version leaves."""
    before = f"was {info.state.value}: {info.reason}" if info.reason else f"was {info.state.value}"
    return f"{reason}; {before}" if reason else before


def _phase(info: RecordInfo, later: Sequence[RecordInfo], now: datetime) -> VersionPhase:
    heirs = [one for one in later if _supersedes(one)]
    superseded = min((_activation(one) for one in heirs), default=None)
    # An overlap applies to all versions before it, so that an overlap of zero ends them all.
    ends = (info.expires, *(_overlap_ends(one) for one in heirs))
    until = min((end for end in ends if end is not None), default=None)
    if info.state is not State.ENABLED:
        phase = Phase(info.state.value)
    elif info.expires is not None and now >= info.expires:
        phase = Phase.EXPIRED
    elif any(_active(one, now) for one in heirs):
        phase = Phase.VERIFYING if until is None or now < until else Phase.RETIRED
    else:
        phase = Phase.SIGNING if _active(info, now) else Phase.ANNOUNCED
    return VersionPhase(info, phase, superseded, until)


def _active(info: RecordInfo, now: datetime) -> bool:
    # No time: active at once on every clock, or a machine whose clock is behind would sign with the old key.
    return info.activates is None or info.activates <= now


def _activation(info: RecordInfo) -> datetime:
    return info.activates or info.created or _ALWAYS


def _overlap_ends(heir: RecordInfo) -> datetime | None:
    if heir.overlap is None:
        return None
    try:
        return _activation(heir) + heir.overlap
    except OverflowError:
        return None  # beyond the range of datetime, so never


def _supersedes(info: RecordInfo) -> bool:
    """Whether it supersedes at its activation: not if it left `enabled` before, or was enabled too late."""
    # One that is enabled after it expired would only stop its predecessor from signing.
    never_signs = info.expires is not None and info.activates is not None and info.expires <= info.activates
    return not never_signs and not _left_early(info)


def _left_early(info: RecordInfo) -> bool:
    """Whether it left `enabled` before its activation."""
    return (
        info.state is not State.ENABLED
        and info.activates is not None
        and info.state_since is not None
        and info.state_since < info.activates
    )
