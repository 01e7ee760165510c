"""What happened to the versions of a name and what comes next, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from keywright.lifecycle import Phase, VersionPhase, change_state, newest_in_use, primary, why_not
from keywright.records import RecordInfo, State
from keywright.text import format_duration

__all__ = ["Event", "in_words", "what_happened", "what_next"]

_UNITS: Final = ((86_400 * 365, "year"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_IN_USE: Final = (Phase.SIGNING, Phase.VERIFYING, Phase.ANNOUNCED)


class Event(NamedTuple):
    """What will happen to a name by itself, or is the case.

    Attributes:
        time: when; None: already.
        event: a word for programs: `starts` (to sign), `ends` (verifies no more), `expires`, `due` (for rotation),
            `unknown` (when it is due), `unsigned` (no version signs), `nothing` (is planned).
        version: the version that it is about; None: the name.
        what: a sentence.
    """

    time: datetime | None
    event: str
    version: int | None
    what: str


def what_next(versions: Sequence[VersionPhase], now: datetime, rotate_every: timedelta | None = None) -> list[Event]:
    """What will happen to a name by itself, soonest first."""
    found = list(_events(versions, now))
    infos = [one.info for one in versions]
    signing = [one.info for one in versions if one.phase is Phase.SIGNING]
    newest = newest_in_use(infos, now)
    if rotate_every is not None and newest is not None:
        found.append(_rotation(newest, rotate_every, now))
    found.sort(key=lambda event: event.time or now)
    if not signing:
        found.insert(
            0, Event(None, "unsigned", None, f"no version signs: {why_not(infos, now)}{_enabling(infos, now)}")
        )
    if found:
        return found
    version = signing[0].version
    return [Event(None, "nothing", version, f"nothing is planned: version {version} signs until somebody rotates it")]


def what_happened(versions: Sequence[VersionPhase]) -> list[tuple[datetime, str]]:
    """What keepers did to the versions of a name, and why, by version: a time and a sentence."""
    return [
        (one.info.state_since, f"version {one.info.version} was {one.info.state.value}{_because(one.info.reason)}")
        for one in versions
        if one.info.state_since is not None and (one.info.state is not State.ENABLED or one.info.reason)
    ]


def in_words(time: datetime | None, now: datetime) -> str:
    """`in 6 days (2027-01-08 12:00 UTC)`, `6 days ago (…)`; `now` for what is already."""
    if time is None:
        return "now"
    seconds = abs((time - now).total_seconds())
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), (1, "second"))
    count = round(seconds / size)
    ahead = f"{count} {unit}{'s' if count != 1 else ''}"
    return f"{f'in {ahead}' if time >= now else f'{ahead} ago'} ({time:%Y-%m-%d %H:%M} UTC)"


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _events(versions: Sequence[VersionPhase], now: datetime) -> Iterator[Event]:
    for place, one in enumerate(versions):
        info = one.info
        if one.phase is Phase.ANNOUNCED and info.activates is not None and info.activates > now:
            overlap = ""
            if info.overlap is not None and any(_verifies_at(before, info.activates) for before in versions[:place]):
                overlap = f"; those before it verify for {format_duration(info.overlap)} more"
            yield Event(info.activates, "starts", info.version, f"version {info.version} starts to sign{overlap}")
        if one.phase in _IN_USE and one.verifies_until is not None:
            event, what = ("expires", "expires") if one.verifies_until == info.expires else ("ends", "verifies no more")
            yield Event(one.verifies_until, event, info.version, f"version {info.version} {what}")


def _verifies_at(one: VersionPhase, time: datetime) -> bool:
    return one.phase in _IN_USE and (one.verifies_until is None or one.verifies_until > time)


def _rotation(newest: RecordInfo, rotate_every: timedelta, now: datetime) -> Event:
    """When `rotate --due` makes the next version."""
    version, has_expired = newest.version, newest.expires is not None and newest.expires <= now
    if newest.created is None and not has_expired:
        why = f"it is not known when version {version} was made"
        what = f"{why}, so it is never due for rotation by the clock; rotate it by hand"
        return Event(None, "unknown", version, what)
    due = now if newest.created is None or has_expired else newest.created + rotate_every
    if due > now:
        return Event(due, "due", version, "it is due for rotation")
    command = f"`keywright rotate --due {newest.name}`"
    return Event(None, "due", version, f"it is due for rotation; {command} makes the next version")


def _enabling(infos: Sequence[RecordInfo], now: datetime) -> str:
    """The command that lets a disabled version sign, if there is one that would."""
    for info in reversed(infos):
        if info.state is State.DISABLED:
            enabled = change_state(info, State.ENABLED, now)
            signing = primary([enabled if one is info else one for one in infos], now)
            if signing is enabled:
                return f" (`keywright enable {info.reference}` enables version {info.version})"
    return ""
