"""What people read of a line: parted by tabs, on a terminal in columns."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

__all__ = ["header", "row_of"]

_COLUMNS: Final = (("TIME", 27), ("WHO", 8), ("OPERATION", 10), ("KEY", 24), ("STORE", 8), ("OUTCOME", 0))


def header() -> Iterator[str]:
    """The line over the columns, on a terminal."""
    if _is_terminal():
        yield _joined([name for name, _ in _COLUMNS])


def row_of(members: Mapping[str, object]) -> str:
    """time, who, operation, key, store and outcome (`…` of an intent); then the kid, where there is one."""
    kind = members.get("kind")
    if kind == "recovered":
        outcome = f"{members.get('cut_bytes')} bytes before this were cut while they were written"
        return _joined([_text(members, "time"), "", "recovered", "", "", outcome])
    key = f"{_text(members, 'name')}@{_text(members, 'version')}"
    outcome = "…" if kind == "intent" else _text(members, "outcome")
    kid = _text(members, "kid")
    told = [*(_text(members, name) for name in ("time", "who", "operation")), key, _text(members, "store")]
    return _joined([*told, f"{outcome} (kid {kid})" if kid else outcome])


def _text(members: Mapping[str, object], name: str) -> str:
    text = str(members.get(name, ""))
    # A kid can be anything, a terminal's control characters too.
    return "".join(one if one.isprintable() and one != "\\" else one.encode("unicode_escape").decode() for one in text)


def _joined(cells: Sequence[str]) -> str:
    if not _is_terminal():
        return "\t".join(cells)
    return "  ".join(cell.ljust(width) for cell, (_, width) in zip(cells, _COLUMNS, strict=True)).rstrip()


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()
