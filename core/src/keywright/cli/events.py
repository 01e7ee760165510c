"""Events: what will happen to a name, and what happened to its versions, in sentences for `show`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from keywright.cli.bars import IN_USE
from keywright.lifecycle import Phase, VersionPhase, newest_in_use, why_not
from keywright.records import RecordInfo, State
from keywright.text import format_duration

_UNITS: Final = ((86_400 * 365, "year"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


class Event(NamedTuple):
    """What will happen to a name without a command, or is the case now.

    Attributes:
        time: when; None: already.
        event: a word for programs: `starts` (to sign), `ends` (no longer verifies), `expires`, `due` (for rotation),
            `unknown` (when it is due), `unsigned` (no version signs), `nothing` (is planned).
        version: the version that it is about; None for the name.
        what: a sentence.
    """

    time: datetime | None
    event: str
    version: int | None
    what: str


def upcoming(versions: Sequence[VersionPhase], now: datetime, rotate_every: timedelta | None = None) -> list[Event]:
    """What will happen to a name without a command, soonest first."""
    found = list(_events(versions, now))
    infos = [one.info for one in versions]
    signing = [one.info for one in versions if one.phase is Phase.SIGNING]
    newest = newest_in_use(infos, now)
    if rotate_every is not None and newest is not None:
        found.append(_rotation(newest, rotate_every, now))
    found.sort(key=lambda event: event.time or now)
    if not signing:
        reason, hint = why_not(infos, now)
        found.insert(0, Event(None, "unsigned", None, f"no version signs: {reason}; {hint}"))
    if found:
        return found
    version = signing[0].version
    return [Event(None, "nothing", version, f"nothing is planned: version {version} signs until it is rotated")]


def history(versions: Sequence[VersionPhase]) -> list[tuple[datetime, str]]:
    """When the state of a version was changed, and why, by version: a time and a sentence."""
    return [
        (info.state_since, f"version {info.version} was {info.state.value}{f': {info.reason}' if info.reason else ''}")
        for info in (one.info for one in versions)
        if info.state_since is not None and (info.state is not State.ENABLED or info.reason)
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


def _events(versions: Sequence[VersionPhase], now: datetime) -> Iterator[Event]:
    for place, one in enumerate(versions):
        info = one.info
        if one.phase is Phase.ANNOUNCED and info.activates is not None and info.activates > now:
            overlap = ""
            if info.overlap is not None and any(_verifies_at(before, info.activates) for before in versions[:place]):
                overlap = f"; those before it verify for {format_duration(info.overlap)} more"
            yield Event(info.activates, "starts", info.version, f"version {info.version} starts to sign{overlap}")
        if one.phase in IN_USE and one.verifies_until is not None:
            event, what = ("expires", "expires") if one.verifies_until == info.expires else ("ends", "stops verifying")
            yield Event(one.verifies_until, event, info.version, f"version {info.version} {what}")


def _verifies_at(one: VersionPhase, time: datetime) -> bool:
    return one.phase in IN_USE and (one.verifies_until is None or one.verifies_until > time)


def _rotation(newest: RecordInfo, rotate_every: timedelta, now: datetime) -> Event:
    """When `rotate --due` creates the next version."""
    version, has_expired = newest.version, newest.expires is not None and newest.expires <= now
    if newest.created is None and not has_expired:
        why = f"the creation time of version {version} is unknown"
        what = f"{why}, so it is never due automatically; run `keywright rotate {newest.name}`"
        return Event(None, "unknown", version, what)
    due = now if newest.created is None or has_expired else newest.created + rotate_every
    if due > now:
        return Event(due, "due", version, "it is due for rotation")
    command = f"`keywright rotate --due {newest.name}`"
    return Event(None, "due", version, f"it is due for rotation; {command} creates the next version")
