"""Versions drawn over time. For terminals; programs read JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from keywright.lifecycle import Phase, VersionPhase
from keywright.records import State

__all__ = ["Axis", "axis_of", "bar", "columns", "cut", "filled", "folded", "legend"]

_ALONE: Final = timedelta(days=1)
_COLUMNS: Final = 80  # where nobody can say
_ORDER: Final = (Phase.SIGNING, Phase.VERIFYING, Phase.ANNOUNCED)
_MARKED: Final = (Phase.DISABLED, Phase.DESTROYED, Phase.COMPROMISED)  # the gravest last, over the others
_SIGNS: Final = (Phase.ANNOUNCED, Phase.SIGNING, Phase.VERIFYING, *_MARKED)
_DRAWN: Final = dict(zip(_SIGNS, "·█▒‖×!", strict=True))
_PLAIN: Final = dict(zip(_SIGNS, ".#-=x!", strict=True))


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
    Where a keeper put a version away stands a mark.
    """
    glyphs = _glyphs()
    rows = [_phases_of(one, axis) for one in versions]
    drawn = [next((glyphs[phase] for phase in _ORDER if phase in column), " ") for column in zip(*rows, strict=True)]
    _draw_numbers(drawn, versions, axis)
    _draw_marks(drawn, versions, axis)
    return "".join(drawn)


def _phases_of(one: VersionPhase, axis: Axis) -> list[Phase | None]:
    """What a version does, character by character; one that does it for less than a character has one all the same."""
    phases = [_phase_at(one, axis.at(place)) for place in range(axis.width)]
    begin = one.info.created or one.info.activates
    if begin is not None and begin >= axis.start and not any(phases):
        phases[axis.place(begin)] = _phase_at(one, begin) or Phase.SIGNING
    return phases


def _draw_numbers(drawn: list[str], versions: Sequence[VersionPhase], axis: Axis) -> None:
    for one in reversed(versions):
        begin = one.info.activates or one.info.created
        if begin is not None and axis.start <= begin and _phase_at(one, begin) is Phase.SIGNING:
            number, start = str(one.info.version), axis.place(begin)
            end = start + len(number)
            rest = range(start + 1, end)
            is_alone = end == axis.width or (end < axis.width and not drawn[end].isdigit())
            if is_alone and all(_phase_at(one, axis.at(place)) is Phase.SIGNING for place in rest):
                drawn[start:end] = number


def _draw_marks(drawn: list[str], versions: Sequence[VersionPhase], axis: Axis) -> None:
    glyphs = _glyphs()
    marked = [one for one in versions if one.phase in _MARKED]
    for one in sorted(marked, key=lambda one: _MARKED.index(one.phase)):
        ended = _ended(one)
        if ended is None:
            continue
        at = axis.place(ended)
        # Beside a number: before the next version's, behind its own.
        near = (at, at - 1, at + 1) if at and drawn[at - 1].strip() else (at, at + 1)
        free = (place for place in near if place < axis.width and not drawn[place].isdigit())
        place = next(free, None)
        if place is not None:
            drawn[place] = glyphs[one.phase]


def legend(axis: Axis, bars: Sequence[str]) -> tuple[list[str], str]:
    """Lines below the bars: where now is, from when to when they go if there is room; and what their characters say."""
    glyphs = _glyphs()
    said = [phase for phase in _SIGNS if phase not in _MARKED or any(glyphs[phase] in line for line in bars)]
    words = ", ".join(f"{glyphs[phase]}\xa0{phase.value}" for phase in said)
    lines = [" " * axis.place(axis.now) + "^ now", *_ends(axis)]
    return lines, f"{words}; a number: that version starts to sign"


def _ends(axis: Axis) -> Iterator[str]:
    """The dates of both ends of the axis, and within one day the times."""
    start, end = f"{axis.start:%Y-%m-%d}", f"{axis.end:%Y-%m-%d}"
    if start == end:
        start, end = f"{axis.start:%Y-%m-%d %H:%M}", f"{axis.end:%H:%M} UTC"
    room = axis.width - len(start)
    if len(end) < room:
        yield f"{start}{end:>{room}}"


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


def filled(text: str, width: int, *, indent: int = 0) -> str:
    """Lines of text, those after the first further in by two; no option or other word is broken, and no `\\xa0`."""
    from textwrap import fill

    first, rest = " " * indent, " " * (indent + 2)
    lines = fill(
        text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False, break_long_words=False
    )
    return lines.replace("\xa0", " ")


def cut(text: str, width: int) -> str:
    """The text, or as much of it as fits into the width, with a sign that it goes on."""
    return text if len(text) <= width else text[: width - 1] + ("…" if _glyphs() is _DRAWN else "~")


def _phase_at(one: VersionPhase, time: datetime) -> Phase | None:
    """What a version does, or did, at a moment; None: nothing."""
    info, ended = one.info, _ended(one)
    if info.created is not None and time < info.created:
        return None
    if (one.verifies_until is not None and time >= one.verifies_until) or (ended is not None and time >= ended):
        return None
    # Superseded first, as in `keywright.lifecycle`: what another passed over is announced no more.
    if one.superseded is not None and time >= one.superseded:
        return Phase.VERIFYING
    return Phase.SIGNING if info.activates is None or time >= info.activates else Phase.ANNOUNCED


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
