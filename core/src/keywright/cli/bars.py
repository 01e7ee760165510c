"""Bars: the versions of a name drawn over time, a character for a period, as `list` and `show` print them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from keywright.lifecycle import Phase, VersionPhase
from keywright.records import State

IN_USE: Final = (Phase.SIGNING, Phase.VERIFYING, Phase.ANNOUNCED)
MARKED: Final = (Phase.DISABLED, Phase.DESTROYED, Phase.COMPROMISED)  # drawn in this order, the most serious last
_SIGNS: Final = (Phase.ANNOUNCED, Phase.SIGNING, Phase.VERIFYING, *MARKED)
_DRAWN: Final = dict(zip(_SIGNS, "·█▒‖×!", strict=True))
_PLAIN: Final = dict(zip(_SIGNS, ".#-=x!", strict=True))
_DAY: Final = timedelta(days=1)


class Axis(NamedTuple):
    """A period of time, drawn as `width` characters."""

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
    """From the creation of the first version to the last known change, and a twelfth more."""
    times = [now]
    for one in versions:
        info = one.info
        known = (info.created, info.activates, info.expires, one.superseded, one.verifies_until, _ended(one))
        times += [time for time in known if time is not None]
    start, end = min(times), max(times)
    margin = max(end - start, _DAY) / 12
    latest = datetime.max.replace(tzinfo=end.tzinfo)
    return Axis(start, min(end, latest - margin) + margin, now, width)


def bar(versions: Sequence[VersionPhase], axis: Axis) -> str:
    """What these versions of one name do, character by character; where one starts to sign stands its number.

    A number without enough room is left out: cut off, or next to another number, it would read as another version.
    A mark stands where a version was disabled, compromised or destroyed.
    """
    signs = glyphs()
    rows = [_phases_of(one, axis) for one in versions]
    drawn = [next((signs[phase] for phase in IN_USE if phase in column), " ") for column in zip(*rows, strict=True)]
    _draw_numbers(drawn, versions, axis)
    _draw_marks(drawn, versions, axis)
    return "".join(drawn)


def _phases_of(one: VersionPhase, axis: Axis) -> list[Phase | None]:
    """What a version does, character by character. A period shorter than a character still gets one."""
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
    signs = glyphs()
    marked = [one for one in versions if one.phase in MARKED]
    for one in sorted(marked, key=lambda one: MARKED.index(one.phase)):
        ended = _ended(one)
        if ended is None:
            continue
        at = axis.place(ended)
        # Beside a number: before the next version's, behind its own.
        near = (at, at - 1, at + 1) if at and drawn[at - 1].strip() else (at, at + 1)
        free = (place for place in near if place < axis.width and not drawn[place].isdigit())
        place = next(free, None)
        if place is not None:
            drawn[place] = signs[one.phase]


def legend(axis: Axis, bars: Sequence[str]) -> tuple[list[str], str]:
    """Lines below the bars: where now is, and both dates if there is room; and what the characters mean."""
    signs = glyphs()
    shown = [phase for phase in _SIGNS if phase not in MARKED or any(signs[phase] in line for line in bars)]
    words = ", ".join(f"{signs[phase]}\xa0{phase.value}" for phase in shown)
    start, end = f"{axis.start:%Y-%m-%d}", f"{axis.end:%Y-%m-%d}"
    if start == end:
        start, end = f"{axis.start:%Y-%m-%d %H:%M}", f"{axis.end:%H:%M} UTC"
    room = axis.width - len(start)
    dates = [f"{start}{end:>{room}}"] if len(end) < room else []
    return [" " * axis.place(axis.now) + "^ now", *dates], f"{words}; a number: that version starts to sign"


def _phase_at(one: VersionPhase, time: datetime) -> Phase | None:
    """What a version does, or did, at a moment; None: nothing."""
    info, ended = one.info, _ended(one)
    if info.created is not None and time < info.created:
        return None
    if (one.verifies_until is not None and time >= one.verifies_until) or (ended is not None and time >= ended):
        return None
    # Superseded first, as in `keywright.lifecycle`: a version that was passed over is no longer announced.
    if one.superseded is not None and time >= one.superseded:
        return Phase.VERIFYING
    return Phase.SIGNING if info.activates is None or time >= info.activates else Phase.ANNOUNCED


def _ended(one: VersionPhase) -> datetime | None:
    """When the version was disabled, compromised or destroyed."""
    return None if one.info.state is State.ENABLED else one.info.state_since


def glyphs() -> dict[Phase, str]:
    """The character of each phase: of ASCII, if the encoding of stdout lacks the others."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        "".join(_DRAWN.values()).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return _PLAIN
    return _DRAWN
