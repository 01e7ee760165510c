"""Appending a line: under the lock, after the last whole one, on the disk before it counts as written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256

from keywright import format_time
from keywright_audit.faults import Confirming, Writing
from keywright_audit.line import Kind, write_line
from keywright_audit.log_file import LONGEST_WAIT_SECONDS, locked, sync_directory
from keywright_audit.tail import Tail, read_tail

__all__ = ["append"]


def append(path: str, kind: Kind, members: Mapping[str, object], *, patience: float = LONGEST_WAIT_SECONDS) -> None:
    """Append a line of `members`, with this host and process, and chain it to the line before.

    What a crash left of a line stays as it is; a line of the kind `recovered` after it says how many bytes that are.

    Raises:
        AccessDeniedError: the file or its directory cannot be written, or others may change it.
        ReadOnlyStoreError: it is on a file system that is mounted read-only.
        StoreUnavailableError: there is no room, or another process held the file for `patience` seconds.
        DamagedStoreError: the last line is not as it was written, or the file is no log.
        DurabilityUnknownError: the line is written, and perhaps not on the disk.
    """
    with Writing(path):
        locked(path, lambda descriptor: _append(descriptor, path, kind, members), patience=patience)


def _append(descriptor: int, path: str, kind: Kind, members: Mapping[str, object]) -> None:
    tail = read_tail(descriptor, path)
    previous = tail.hash
    data = b"" if tail.is_ended else b"\n"
    if tail.cut:
        line, previous = write_line("recovered", _recovered(tail), previous)
        data += line
    data += write_line(kind, {**members, **_here()}, previous)[0]
    _write(descriptor, data, tail.size)
    with Confirming(path):
        os.fsync(descriptor)
        if tail.hash is None:
            sync_directory(path)


def _recovered(tail: Tail) -> Mapping[str, object]:
    cut = {"cut_bytes": len(tail.cut), "cut_sha256": sha256(tail.cut).hexdigest()}
    return {"time": format_time(datetime.now(UTC)), **cut, **_here()}


def _here() -> Mapping[str, object]:
    return {"host": os.uname().nodename, "pid": os.getpid()}


def _write(descriptor: int, data: bytes, size: int) -> None:
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except BaseException:
        # A part of a line would have to be explained for ever; where this fails too, the next writer does.
        with suppress(OSError):
            os.ftruncate(descriptor, size)
        raise
