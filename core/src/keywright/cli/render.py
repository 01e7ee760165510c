"""What commands print about records: JSON documents, and the text of `list` and `show`."""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from keywright.cli.bars import MARKED, axis_of, bar, glyphs, legend
from keywright.cli.events import Event, history, in_words
from keywright.cli.io import is_terminal, printable
from keywright.lifecycle import Phase, VersionPhase
from keywright.records import RecordInfo, format_time
from keywright.text import format_duration

_COLUMNS: Final = 80  # where the width is unknown
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
    signs_from = None if one.phase in MARKED or is_passed_over else activates or info.created
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
    return text if len(text) <= width else text[: width - 1] + ("…" if not glyphs()[Phase.SIGNING].isascii() else "~")
