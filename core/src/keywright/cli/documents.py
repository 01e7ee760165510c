"""What commands print of records: JSON documents, and lines for people."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from keywright.cli.streams import is_terminal, printable
from keywright.records import format_time
from keywright.secret import Secret
from keywright.text import format_duration

if TYPE_CHECKING:
    from datetime import datetime

    from keywright.lifecycle import VersionPhase
    from keywright.records import RecordInfo

__all__ = ["escaped", "info_document", "key_document", "phase_document", "table"]


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


def key_document(about: Mapping[str, object], data: bytes | Secret, *, is_base64: bool = False) -> Secret:
    """`about` with the key's bytes as text, one line of JSON."""
    import json

    hidden = data if isinstance(data, Secret) else Secret(data)
    return Secret(json.dumps({**about, **_as_text(hidden, is_base64=is_base64)}, sort_keys=True).encode() + b"\n")


def _as_text(data: Secret, *, is_base64: bool) -> dict[str, str]:
    if is_base64:
        return {"data": data.reveal().decode(), "encoding": "base64"}
    try:
        return {"data": data.reveal().decode()}
    except UnicodeDecodeError:
        return {"data": b64encode(data.reveal()).decode(), "encoding": "base64"}


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows as text: on a terminal aligned under a header, elsewhere parted by tabs and without one.

    What does not print, and the backslash, stands as a backslash escape: a kid can be anything.
    """
    rows = [[escaped(cell) for cell in row] for row in rows]
    if not is_terminal():
        return "\n".join("\t".join(row) for row in rows)
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows)]
    return "\n".join(line.rstrip() for line in lines)


def escaped(text: str) -> str:
    """The text with a backslash escape for what does not print, and for the backslash."""
    return printable(text.replace("\\", r"\\"))


def _time(time: datetime | None) -> str | None:
    return None if time is None else format_time(time)
