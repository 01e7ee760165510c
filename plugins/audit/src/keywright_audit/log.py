"""The log: lines of JSON, each with the hash of the one before and its own, appended under a lock."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Literal, NamedTuple, TypeVar

from keywright import Problem, format_time
from keywright.errors import CorruptedStoreError, DurabilityError, StoreError
from keywright.files import ErrorTable, Report, check_owner, locked, sync

Kind = Literal["intent", "outcome", "recovered"]
HEAD: Final = b'{"kind":"'
LONGEST_BYTES: Final = 16 * 1024 * 1024
"""Longer than any line: a kid has at most 1 MiB, and a character of it at most 12 bytes in JSON."""
LONGEST_WAIT_SECONDS: Final = 60.0  # a stopped writer must not hang everybody

_HASH: Final = "[0-9a-f]{64}"
_LINE: Final = re.compile(
    rb'(?s)(\{"kind":"([a-z]+)",.*,"previous":(?:null|"(%b)")),"hash":"(%b)"\}' % ((_HASH.encode(),) * 2)
)
_FIRST_BYTES: Final = 4096
_OPEN_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# O_NONBLOCK: a FIFO in the place of the file must not make us wait for its other end.
_OPEN_FILE: Final = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_MISPLACED: Final = Report(
    "{subject}: a link or another kind of file is in the place of the audit log or its directory",
    "move it away, or set another path",
)
_WRITING: Final = ErrorTable(
    denied=Report(
        "{subject}: the audit log cannot be written ({reason})", "run as its owner, or change its permissions"
    ),
    read_only=Report(
        "{subject}: the audit log is on a file system that is mounted read-only", "remount it, or set another path"
    ),
    full=Report("{subject}: the disk of the audit log is full ({reason})", "free disk space and try again"),
    misplaced=_MISPLACED,
    missing=Report("{subject}: its parent directory does not exist", "create it, or set another path"),
    other=Report("{subject}: the audit log cannot be written ({reason})", "fix the cause and try again"),
)
_UNCONFIRMED: Final = Report(
    "{subject}: a line was written, but the system did not confirm that it is on the disk ({reason})",
    "check the disk",
    DurabilityError,
)
_CONFIRMING: Final = ErrorTable(other=_UNCONFIRMED)
_BUSY: Final = "{}: another process has been writing to the audit log for too long"
_END_IT: Final = "end that process, and try again"
_encode = json.JSONEncoder(separators=(",", ":")).encode
_T = TypeVar("_T")


# Lines.


class Line(NamedTuple):
    """A line that is whole, whether or not it is as it was written.

    Attributes:
        kind: `intent`, `outcome` or `recovered`.
        previous: the hash of the line before, in lower-case hexadecimal; None: it is the first of its file.
        hash: its own, as it says.
        is_sound: whether that is the SHA-256 of all that is before it in the line.
        text: all of it, without the line feed.
    """

    kind: str
    previous: str | None
    hash: str
    is_sound: bool
    text: bytes

    def members(self) -> Mapping[str, object] | None:
        """What the line says; None where that is not a JSON object."""
        try:
            members = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        return members if isinstance(members, dict) else None


def write_line(kind: Kind, members: Mapping[str, object], previous: str | None) -> tuple[bytes, str]:
    """The line, with its line feed, and its hash."""
    body = _encode({"kind": kind, **members, "previous": previous})[:-1].encode()
    hash_ = sha256(body).hexdigest()
    return b'%b,"hash":"%b"}\n' % (body, hash_.encode()), hash_


def read_line(text: bytes) -> Line | None:
    """A line without its line feed; None if it is not a whole one."""
    match = _LINE.fullmatch(text)
    if match is None:
        return None
    body, kind, previous, hash_ = match.groups()
    is_sound = sha256(body).hexdigest().encode() == hash_
    return Line(kind.decode(), None if previous is None else previous.decode(), hash_.decode(), is_sound, text)


def begins_a_log(data: bytes) -> bool:
    """Whether a file that starts with `data` may be a log, or what a crash left of one."""
    first, _, _ = data.partition(b"\n")
    return first.startswith(HEAD) or (first != b"" and HEAD.startswith(first))


def is_hash(text: str) -> bool:
    """Whether a text could be the hash of a line."""
    return re.fullmatch(_HASH, text) is not None


# The end of the log: the last whole line, and what a crash left behind it.


class Tail(NamedTuple):
    """Where the next line goes.

    Attributes:
        hash: of the last whole line; None without one.
        cut: what is behind it and is not a line: one that was being written when the system or the disk ended.
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
        CorruptedStoreError: the last line is not as it was written, or the file is not a log.
    """
    size = os.fstat(descriptor).st_size
    if size == 0:
        return Tail(None, b"", True, 0)
    if not begins_a_log(os.pread(descriptor, len(HEAD), 0)):
        raise CorruptedStoreError(
            f"{path}: is not an audit log, and nothing was written to it", hint="set another path"
        )
    length = 0
    while length < min(size, LONGEST_BYTES):
        length = min(size, max(_FIRST_BYTES, 4 * length))
        tail = _tail_of(_read(descriptor, length, size - length), path, size, is_whole=length == size)
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
    is_ended = data.endswith(b"\n")
    end = len(data) - is_ended
    while end > 0 or is_ended:
        start = data.rfind(b"\n", 0, end) + 1
        if start == 0 and not is_whole:
            return None
        line = read_line(data[start:end])
        if line is not None:
            if not line.is_sound:
                raise _changed(path)
            # A line that lacks only its line feed was not cut.
            return Tail(line.hash, data[end + 1 :], is_ended, size)
        if is_ended:
            raise _changed(path)
        end = start - 1
    return Tail(None, data, False, size)


def _changed(path: str) -> CorruptedStoreError:
    return CorruptedStoreError(
        f"{path}: the last line of the audit log was modified",
        hint="run `keywright audit verify`, and move the file away to begin a new one",
    )


# Appending.


def append(path: str, kind: Kind, members: Mapping[str, object], *, patience: float = LONGEST_WAIT_SECONDS) -> None:
    """Append a line of `members`, with this host and process, and chain it to the line before.

    It is on the disk before this returns. What a crash left of a line stays as it is; a line of the kind `recovered`
    after it says how many bytes that are.

    Raises:
        AccessDeniedError: the file or its directory cannot be written, or others may change it.
        ReadOnlyStoreError: it is on a file system that is mounted read-only.
        StoreUnavailableError: there is no room, or another process held the file for `patience` seconds.
        CorruptedStoreError: the last line is not as it was written, or the file is not a log.
        DurabilityError: the line is written, and perhaps not on the disk.
    """
    with _WRITING.about(path):
        under_lock(path, lambda above, log: _append(above, log, path, kind, members), patience=patience)


def _append(directory: int, descriptor: int, path: str, kind: Kind, members: Mapping[str, object]) -> None:
    tail = read_tail(descriptor, path)
    here = {"host": os.uname().nodename, "pid": os.getpid()}
    previous = tail.hash
    data = b"" if tail.is_ended else b"\n"
    if tail.cut:
        cut = {"cut_bytes": len(tail.cut), "cut_sha256": sha256(tail.cut).hexdigest()}
        line, previous = write_line("recovered", {"time": format_time(datetime.now(UTC)), **cut, **here}, previous)
        data += line
    data += write_line(kind, {**members, **here}, previous)[0]
    _write(descriptor, data, tail.size)
    with _CONFIRMING.about(path):
        sync(descriptor)
        if tail.hash is None:
            sync(directory)


def _write(descriptor: int, data: bytes, size: int) -> None:
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except BaseException:
        # A part of a line would have to be explained forever; where this fails too, the next writer does.
        with suppress(OSError):
            os.ftruncate(descriptor, size)
        raise


def under_lock(path: str, work: Callable[[int, int], _T], *, patience: float = LONGEST_WAIT_SECONDS) -> _T:
    """What `work` returns, given the directory and the file at `path`, open to read and to append, and locked.

    The file is made, mode 0600, if it does not exist, and so is its directory (0700); not what is above that. Every
    use opens the file, so that threads exclude each other too.

    Raises:
        OSError: it cannot be opened, made or locked.
        AccessDeniedError: the file or its directory belongs to another user, or may be changed by others.
        CorruptedStoreError: it is not a regular file.
        StoreUnavailableError: another writer held it for `patience` seconds.
    """
    deadline = time.monotonic() + patience
    above, name = os.path.split(path)
    try:
        directory = os.open(above, _OPEN_DIRECTORY)
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.mkdir(above, 0o700)
        directory = os.open(above, _OPEN_DIRECTORY)
    try:
        _check_directory(directory, path)
        while True:
            descriptor = _open_or_make(directory, name)
            try:
                found = _check_file(descriptor, path)

                def do() -> list[_T]:
                    """Nothing: it was moved away while we waited; what is written next belongs to the new one."""
                    return [work(directory, descriptor)] if _is_still_there(directory, name, found) else []  # noqa: B023

                done = locked(
                    descriptor, do, patience=deadline - time.monotonic(), busy=_BUSY.format(path), hint=_END_IT
                )
            finally:
                os.close(descriptor)
            if done:
                return done[0]
    finally:
        os.close(directory)


def settled_size(descriptor: int, path: str, *, patience: float = LONGEST_WAIT_SECONDS) -> int:
    """How many bytes an open log has while there is no writer: a line that is being written is not damage.

    Raises:
        OSError: it cannot be locked.
        StoreUnavailableError: a writer held it for `patience` seconds.
    """
    return locked(
        descriptor,
        lambda: os.fstat(descriptor).st_size,
        patience=patience,
        busy=_BUSY.format(path),
        hint=_END_IT,
        shared=True,
    )


def _open_or_make(directory: int, name: str) -> int:
    while True:
        try:
            return os.open(name, _OPEN_FILE, dir_fd=directory)
        except FileNotFoundError:
            pass
        with suppress(FileExistsError):
            descriptor = os.open(name, _OPEN_FILE | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory)
            os.fchmod(descriptor, 0o600)  # a umask may have taken more away than it should
            return descriptor


def _check_directory(descriptor: int, path: str) -> None:
    check_owner(os.fstat(descriptor), path, "the directory of the audit log")


def _check_file(descriptor: int, path: str) -> os.stat_result:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise CorruptedStoreError(_MISPLACED.message.format(subject=path), hint=_MISPLACED.hint)
    check_owner(found, path, "the audit log")
    return found


def _is_still_there(directory: int, name: str, found: os.stat_result) -> bool:
    try:
        now = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (now.st_dev, now.st_ino) == (found.st_dev, found.st_ino)


# What would keep a line from being written, found out without writing one.


def check(path: str) -> Iterator[Problem]:
    """The problems of the place that the log at `path` is in, or would be created in. Writes nothing."""
    try:
        with _WRITING.about(path):
            _check(path)
    except StoreError as error:
        yield Problem.of(path, error)


def _check(path: str) -> None:
    """Raises: OSError, and StoreError as `append`, where a line could not be written."""
    above, name = os.path.split(path)
    try:
        directory = os.open(above, _OPEN_DIRECTORY)
    except FileNotFoundError:
        # The first line makes it, and nothing above it.
        _check_room_for_an_entry(os.path.dirname(above))
        return
    try:
        _check_directory(directory, path)
        descriptor = os.open(name, _OPEN_FILE, dir_fd=directory)
    except FileNotFoundError:
        _check_room_for_an_entry(above)
        return
    finally:
        os.close(directory)
    try:
        _check_file(descriptor, path)
        # A line that is being written just now has no end yet, and counts as cut.
        read_tail(descriptor, path)
    finally:
        os.close(descriptor)


def _check_room_for_an_entry(directory: str) -> None:
    if not stat.S_ISDIR(os.stat(directory).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "")
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, "")
    if not os.access(directory, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(errno.EACCES, "")
