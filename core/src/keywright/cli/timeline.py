"""Versions drawn over time, and what comes next in words. For terminals; programs read JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from keywright.durations import format_duration
from keywright.lifecycle import Phase, VersionPhase, newest_in_use, why_not
from keywright.record import RecordInfo, State

__all__ = ["Axis", "axis_of", "bar", "columns", "cut", "folded", "in_words", "legend", "what_next"]

_ALONE: Final = timedelta(days=1)
_UNITS: Final = ((86_400 * 365, "year"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_DRAWN: Final = {Phase.ANNOUNCED: "·", Phase.SIGNING: "█", Phase.VERIFYING: "▒"}
_PLAIN: Final = {Phase.ANNOUNCED: ".", Phase.SIGNING: "#", Phase.VERIFYING: "-"}
_COLUMNS: Final = 80  # where nobody can say
_ORDER: Final = (Phase.SIGNING, Phase.VERIFYING, Phase.ANNOUNCED)


class Axis(NamedTuple):
    """A stretch of time as so many characters."""

    start: datetime
    end: datetime
    now: datetime
    width: int

    def at(self, place: int) -> datetime:
        """The moment in the middle of a character."""
        return self.start + (self.end - self.start) * ((place + 0.5) / self.width)

    def place(self, time: datetime) -> int:
        """The character that a moment falls on."""
        return min(int((time - self.start) / (self.end - self.start) * self.width), self.width - 1)


def axis_of(versions: Sequence[VersionPhase], now: datetime, width: int) -> Axis:
    """From the first version's making to the last change that is known, and a little beyond."""
    times = [now]
    for one in versions:
        info = one.info
        known = (info.created, info.activates, info.expires, one.superseded, one.verifies_until, _ended(one))
        times += [time for time in known if time is not None]
    start, end = min(times), max(times)
    margin = max((end - start) / 12, _ALONE / 12)
    latest = datetime.max.replace(tzinfo=end.tzinfo)
    return Axis(start, min(end, latest - margin) + margin, now, width)


def bar(versions: Sequence[VersionPhase], axis: Axis) -> str:
    """What these versions of one name do, character by character; where one starts to sign stands its number.

    A number for which there is no room is left out: what is left of it, or it beside the next, would be another's.
    """
    glyphs = _glyphs()
    drawn = []
    for place in range(axis.width):
        phases = {_phase_at(one, axis.at(place)) for one in versions}
        drawn.append(next((glyphs[phase] for phase in _ORDER if phase in phases), " "))
    for one in reversed(versions):
        begin = one.info.activates or one.info.created
        if begin is not None and axis.start <= begin and _phase_at(one, begin) is Phase.SIGNING:
            number, start = str(one.info.version), axis.place(begin)
            end = start + len(number)
            rest = range(start + 1, end)
            is_alone = end == axis.width or (end < axis.width and not drawn[end].isdigit())
            if is_alone and all(_phase_at(one, axis.at(place)) is Phase.SIGNING for place in rest):
                drawn[start:end] = number
    return "".join(drawn)


def legend(axis: Axis) -> tuple[str, str]:
    """Two lines: where now is on the axis, and what the characters say."""
    glyphs = _glyphs()
    words = ", ".join(f"{glyphs[phase]} {phase.value}" for phase in (Phase.ANNOUNCED, Phase.SIGNING, Phase.VERIFYING))
    return " " * axis.place(axis.now) + "^ now", f"{words}; a number: that version starts to sign"


def columns() -> int:
    """How wide the terminal is."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _COLUMNS
    except (OSError, ValueError):
        return _COLUMNS


def folded(parts: Sequence[str], width: int) -> Iterator[str]:
    """Lines of parts, two blanks between them, as many to a line as fit into the width; no part is broken."""
    line = ""
    for part in parts:
        longer = f"{line}  {part}" if line else part
        if line and len(longer) > width:
            yield line
            longer = part
        line = longer
    if line:
        yield line


def cut(text: str, width: int) -> str:
    """The text, or as much of it as fits into the width, with a sign that it goes on."""
    return text if len(text) <= width else text[: width - 1] + ("…" if _glyphs() is _DRAWN else "~")


def what_next(
    versions: Sequence[VersionPhase], now: datetime, rotate_every: timedelta | None = None
) -> list[tuple[datetime | None, str]]:
    """What will happen to a name by itself, soonest first: a time (None: already) and a sentence."""
    found: list[tuple[datetime | None, str]] = list(_events(versions, now))
    infos = [one.info for one in versions]
    signing = [one.info for one in versions if one.phase is Phase.SIGNING]
    newest = newest_in_use(infos, now)
    if rotate_every is not None and newest is not None:
        found.append(_rotation(newest, rotate_every, now))
    found.sort(key=lambda event: now if event[0] is None else event[0])
    if not signing:
        found.insert(0, (None, f"no version signs: {why_not(infos, now)}"))
    return found or [(None, f"nothing is planned: version {signing[0].version} signs until somebody rotates it")]


def in_words(time: datetime | None, now: datetime) -> str:
    """`in 6 days (2027-01-08 12:00 UTC)`; `now` for what is already."""
    if time is None:
        return "now"
    seconds = (time - now).total_seconds()
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), (1, "second"))
    count = round(seconds / size)
    return f"in {count} {unit}{'s' if count != 1 else ''} ({time:%Y-%m-%d %H:%M} UTC)"


def _events(versions: Sequence[VersionPhase], now: datetime) -> Iterator[tuple[datetime, str]]:
    for one in versions:
        info = one.info
        if one.phase is Phase.ANNOUNCED and info.activates is not None and info.activates > now:
            overlap = (
                "" if info.overlap is None else f"; those before it verify for {format_duration(info.overlap)} more"
            )
            yield info.activates, f"version {info.version} starts to sign{overlap}"
        if one.phase in (Phase.SIGNING, Phase.VERIFYING, Phase.ANNOUNCED) and one.verifies_until is not None:
            why = "expires" if one.verifies_until == info.expires else "verifies no more"
            yield one.verifies_until, f"version {info.version} {why}"


def _rotation(newest: RecordInfo, rotate_every: timedelta, now: datetime) -> tuple[datetime | None, str]:
    """When `rotate --due` makes the next version."""
    has_expired = newest.expires is not None and newest.expires <= now
    if newest.created is None and not has_expired:
        why = f"it is not known when version {newest.version} was made"
        return None, f"{why}, so it is never due for rotation by the clock; rotate it by hand"
    due = now if newest.created is None or has_expired else newest.created + rotate_every
    return (due if due > now else None), "it is due for rotation"


def _phase_at(one: VersionPhase, time: datetime) -> Phase | None:
    """What a version does, or did, at a moment; None: nothing."""
    info, ended = one.info, _ended(one)
    if info.created is not None and time < info.created:
        return None
    if (one.verifies_until is not None and time >= one.verifies_until) or (ended is not None and time >= ended):
        return None
    if info.activates is not None and time < info.activates:
        return Phase.ANNOUNCED
    return Phase.SIGNING if one.superseded is None or time < one.superseded else Phase.VERIFYING


def _ended(one: VersionPhase) -> datetime | None:
    """When a keeper put the version away."""
    return None if one.info.state is State.ENABLED else one.info.state_since


def _glyphs() -> dict[Phase, str]:
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        "".join(_DRAWN.values()).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return _PLAIN
    return _DRAWN
