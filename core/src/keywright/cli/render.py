"""What commands print about records: JSON documents, the text of `list` and `show`, bars over time, and events."""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from keywright.cli.io import is_terminal, printable
from keywright.lifecycle import Phase, VersionPhase, newest_in_use, why_not
from keywright.records import RecordInfo, State, format_time
from keywright.text import format_duration

_UNITS: Final = ((86_400 * 365, "year"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_IN_USE: Final = (Phase.SIGNING, Phase.VERIFYING, Phase.ANNOUNCED)
_MARKED: Final = (Phase.DISABLED, Phase.DESTROYED, Phase.COMPROMISED)  # drawn in this order, the most serious last
_SIGNS: Final = (Phase.ANNOUNCED, Phase.SIGNING, Phase.VERIFYING, *_MARKED)
_DRAWN: Final = dict(zip(_SIGNS, "·█▒‖×!", strict=True))
_PLAIN: Final = dict(zip(_SIGNS, ".#-=x!", strict=True))
_COLUMNS: Final = 80  # where the width is unknown
_DAY: Final = timedelta(days=1)
# Characters: of a bar in `list` and in `show` at most, of any bar and of a kid at least, and between columns.
_NARROW, _WIDE = 30, 60
_LEAST, _KID = 10, 12
_FOLDED: Final = 20  # of a last column that is folded at least
_GAP = 2
_LIST_HEADER: Final = ("NAME", "PHASE", "TYPE", "KID")
_SHOW_HEADER: Final = ("VERSION", "PHASE", "TYPE", "FORMAT", "CREATED", "SIGNS FROM", "ENDS", "LABELS", "KID")


def info_document(info: RecordInfo) -> dict[str, Any]:
    """A record's metadata as JSON values; the public half in base64, times in RFC 3339, durations as text."""
    return {
        "name": info.name,
        "version": info.version,
        "reference": info.reference,
        "key_type": info.key_type,
        "format": info.format,
        "kid": info.kid,
        "public": None if info.public is None else b64encode(info.public).decode(),
        "attributes": info.attributes.plain(),
        "state": info.state.value,
        "state_since": _time(info.state_since),
        "reason": info.reason,
        "created": _time(info.created),
        "activates": _time(info.activates),
        "expires": _time(info.expires),
        "overlap": None if info.overlap is None else format_duration(info.overlap),
        "labels": dict(info.labels),
    }


def phase_document(one: VersionPhase) -> dict[str, Any]:
    """`info_document` with the phase and the times that follow from the other versions."""
    return {
        **info_document(one.info),
        "phase": one.phase.value,
        "superseded": _time(one.superseded),
        "verifies_until": _time(one.verifies_until),
    }


def list_text(listed: Sequence[Sequence[VersionPhase]], now: datetime) -> str:
    """What `list` prints: a line for each name. On a terminal a bar stands before each, if there is room."""
    # The version that stands for its name: the primary, else the newest.
    shown = [next((one for one in versions if one.phase is Phase.SIGNING), versions[-1]) for versions in listed]
    rows = [(one.info.reference, one.phase.value, one.info.key_type, one.info.kid) for one in shown]
    if not is_terminal():
        return table(_LIST_HEADER, rows)
    others = [max(map(len, column)) + _GAP for column in list(zip(_LIST_HEADER, *rows, strict=True))[:-1]]
    room = columns() - sum(others)
    width = min(_NARROW, room - _GAP - _KID)
    is_drawn = width >= _LEAST
    # What is left of a longer kid distinguishes it from others; show, --json and a pipe have all of it.
    kid_width = max(room - (width + _GAP if is_drawn else 0), _KID)
    rows = [(reference, phase, key_type, cut(kid, kid_width)) for reference, phase, key_type, kid in rows]
    if not is_drawn:
        return table(_LIST_HEADER, rows)
    axis = axis_of([one for versions in listed for one in versions], now, width)
    bars = [bar(versions, axis) for versions in listed]
    drawn = table((f"{'TIME':{width}}", *_LIST_HEADER), [(line, *row) for line, row in zip(bars, rows, strict=True)])
    below, words = legend(axis, bars)
    return "\n".join((drawn, *below, filled(words, columns())))


def show_text(versions: Sequence[VersionPhase], events: Sequence[Event], now: datetime) -> str:
    """What `show` prints: a line for each version; on a terminal their bars, their history and `events` below."""
    rows = [_cells(one) for one in versions]
    if not is_terminal():
        reasons = [(one.info.reason,) if one.info.reason else () for one in versions]
        return table((), [(*row, *reason) for row, reason in zip(rows, reasons, strict=True)])
    beside = [f"{one.info.reference} {one.phase.value}" for one in versions]
    room = columns() - 2 * _GAP - max(map(len, beside))
    axis = axis_of(versions, now, max(min(_WIDE, room), _LEAST))
    bars = [bar([one], axis) for one in versions]
    below, words = legend(axis, bars)
    drawn = (*(f"{line}  {label}" for line, label in zip(bars, beside, strict=True)), *below)
    happened = (f"{in_words(time, now)}: {escaped(what)}" for time, what in history(versions))
    planned = (f"{in_words(one.time, now)}: {one.what}" for one in events)
    texts = (filled(text, columns(), indent=_GAP) for text in (words, "", *happened, *planned))
    return "\n".join((_versions_table(rows), "", *(f"  {line}" for line in drawn), *texts))


def _versions_table(rows: Sequence[Sequence[str]]) -> str:
    """For a terminal: a table, or if it is too narrow for that a few lines for each version."""
    text, width = table(_SHOW_HEADER, rows), columns()
    if max(map(len, text.split("\n"))) <= width:
        return text
    lines: list[str] = []
    for reference, phase, *cells in rows:
        named = [f"{name.lower()} {escaped(cell)}" for name, cell in zip(_SHOW_HEADER[2:], cells, strict=True) if cell]
        lines += [f"{reference}  {phase}", *(f"  {line}" for line in folded(named, width - _GAP))]
    return "\n".join(lines)


def _cells(one: VersionPhase) -> tuple[str, ...]:
    """One version as a row below `_SHOW_HEADER`."""
    info = one.info
    labels = " ".join(f"{name}={value}" for name, value in info.labels.items())
    activates = info.activates
    is_passed_over = one.superseded is not None and activates is not None and one.superseded <= activates
    signs_from = None if one.phase in _MARKED or is_passed_over else activates or info.created
    # A version that was compromised or destroyed ended then, even if the other versions let it verify for longer.
    ends = (one.verifies_until, info.state_since if one.phase in (Phase.COMPROMISED, Phase.DESTROYED) else None)
    end = min((time for time in ends if time is not None), default=None)
    times = (time and format_time(time.replace(microsecond=0)) for time in (info.created, signs_from, end))
    cells = (info.reference, one.phase.value, info.key_type, info.format, *times, labels, info.kid)
    return tuple(cell or "" for cell in cells)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, folds: bool = False) -> str:
    """Rows as text: on a terminal aligned under a header, elsewhere separated by tabs and without one.

    With `folds`, a last cell that is too wide for the terminal goes on below itself. What does not print, and the
    backslash, stands as a backslash escape: a kid can be anything.
    """
    rows = [[escaped(cell) for cell in row] for row in rows]
    if not is_terminal():
        return "\n".join("\t".join(row) for row in rows)
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    indent = sum(widths[:-1]) + _GAP * (len(widths) - 1)
    room = columns() - indent
    lines: list[str] = []
    for row in (header, *rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        if folds and room >= _FOLDED and len(line) > columns():
            first, *rest = filled(row[-1], room).split("\n")
            lines += [line[:indent] + first, *(" " * indent + part.lstrip() for part in rest)]
        else:
            lines.append(line)
    return "\n".join(lines)


def escaped(text: str) -> str:
    """The text with a backslash escape for what does not print, and for the backslash."""
    return printable(text.replace("\\", r"\\"))


def _time(time: datetime | None) -> str | None:
    return None if time is None else format_time(time)


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
        if one.phase in _IN_USE and one.verifies_until is not None:
            event, what = ("expires", "expires") if one.verifies_until == info.expires else ("ends", "stops verifying")
            yield Event(one.verifies_until, event, info.version, f"version {info.version} {what}")


def _verifies_at(one: VersionPhase, time: datetime) -> bool:
    return one.phase in _IN_USE and (one.verifies_until is None or one.verifies_until > time)


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
    glyphs = _glyphs()
    rows = [_phases_of(one, axis) for one in versions]
    drawn = [next((glyphs[phase] for phase in _IN_USE if phase in column), " ") for column in zip(*rows, strict=True)]
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
    """Lines below the bars: where now is, and both dates if there is room; and what the characters mean."""
    glyphs = _glyphs()
    shown = [phase for phase in _SIGNS if phase not in _MARKED or any(glyphs[phase] in line for line in bars)]
    words = ", ".join(f"{glyphs[phase]}\xa0{phase.value}" for phase in shown)
    start, end = f"{axis.start:%Y-%m-%d}", f"{axis.end:%Y-%m-%d}"
    if start == end:
        start, end = f"{axis.start:%Y-%m-%d %H:%M}", f"{axis.end:%H:%M} UTC"
    room = axis.width - len(start)
    dates = [f"{start}{end:>{room}}"] if len(end) < room else []
    return [" " * axis.place(axis.now) + "^ now", *dates], f"{words}; a number: that version starts to sign"


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
    """The text, cut to the width with an ellipsis if it is longer."""
    return text if len(text) <= width else text[: width - 1] + ("…" if _glyphs() is _DRAWN else "~")


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


def _glyphs() -> dict[Phase, str]:
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        "".join(_DRAWN.values()).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return _PLAIN
    return _DRAWN
