"""What commands print of records: JSON documents, and lines for people."""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keywright.durations import format_duration
from keywright.metadata import format_time

if TYPE_CHECKING:
    from datetime import datetime

    from keywright.lifecycle import VersionPhase
    from keywright.record import RecordInfo

__all__ = ["info_document", "phase_document", "table"]


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


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows as text: on a terminal aligned under a header, elsewhere parted by tabs and without one."""
    if not sys.stdout.isatty():
        return "\n".join("\t".join(row) for row in rows)
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows)]
    return "\n".join(line.rstrip() for line in lines)


def _time(time: datetime | None) -> str | None:
    return None if time is None else format_time(time)
