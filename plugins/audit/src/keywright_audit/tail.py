"""The end of the log: the last whole line, and what a crash left behind it."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from keywright.errors import DamagedStoreError
from keywright_audit.line import HEAD_BYTES, LONGEST_BYTES, Line, begins_a_log, read_line

__all__ = ["Tail", "read_tail"]

_FIRST_BYTES: Final = 4096


class Tail(NamedTuple):
    """Where the next line goes.

    Attributes:
        hash: of the last whole line; None: there is none.
        cut: what stands behind it and is no line: one that was being written when the system or the disk ended.
        is_ended: whether the file ends with a line feed, or is empty.
        size: of the whole file, in bytes.
    """

    hash: str | None
    cut: bytes
    is_ended: bool
    size: int


def read_tail(descriptor: int, path: str) -> Tail:
    """Look at the end of an open log, as far back as it takes to find a whole line.

    Raises:
        OSError: it cannot be read.
        DamagedStoreError: the last line is not as it was written, or the file is no log.
    """
    size = os.fstat(descriptor).st_size
    if size == 0:
        return Tail(None, b"", True, 0)
    if not begins_a_log(os.pread(descriptor, HEAD_BYTES, 0)):
        raise _no_log(path)
    length = 0
    while length < min(size, LONGEST_BYTES):
        length = min(size, max(_FIRST_BYTES, 4 * length))
        data = _read(descriptor, length, size - length)
        tail = _tail_of(data, path, size, is_whole=length == size)
        if tail is not None:
            return tail
    raise _changed(path)


def _read(descriptor: int, length: int, offset: int) -> bytes:
    data = b""
    while len(data) < length:
        part = os.pread(descriptor, length - len(data), offset + len(data))
        if not part:
            break
        data += part
    return data


def _tail_of(data: bytes, path: str, size: int, *, is_whole: bool) -> Tail | None:
    """What the end of a file says; None if more of it is needed."""
    if data.endswith(b"\n"):
        start = data.rfind(b"\n", 0, -1) + 1
        if start == 0 and not is_whole:
            return None
        line = read_line(data[start:-1])
        if line is None:
            raise _changed(path)
        return Tail(_sound(line, path), b"", True, size)
    end = len(data)
    while end > 0:
        start = data.rfind(b"\n", 0, end) + 1
        if start == 0 and not is_whole:
            return None
        line = read_line(data[start:end])
        if line is not None:
            # A line that lacks nothing but its line feed is none that was cut.
            return Tail(_sound(line, path), data[end + 1 :], False, size)
        end = start - 1
    return Tail(None, data, False, size)


def _sound(line: Line, path: str) -> str:
    if not line.is_sound:
        raise _changed(path)
    return line.hash


def _changed(path: str) -> DamagedStoreError:
    return DamagedStoreError(
        f"{path}: the last line of the audit log is not as it was written; see `keywright audit verify`, and move the "
        "file away to begin another"
    )


def _no_log(path: str) -> DamagedStoreError:
    return DamagedStoreError(f"{path}: is no audit log, and nothing was written to it; set another path")
