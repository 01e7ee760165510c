"""One line of the log: JSON in ASCII, which ends in the hash of the line before and the hash of itself."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from types import TracebackType
from typing import Final, Literal, NamedTuple, TypeVar

from keywright import format_time
from keywright.errors import (
    AccessDeniedError,
    DamagedStoreError,
    DurabilityUnknownError,
    ReadOnlyStoreError,
    StoreError,
    StoreUnavailableError,
)

Kind = Literal["intent", "outcome", "recovered"]
_HEAD: Final = b'{"kind":"'
HEAD_BYTES: Final = len(_HEAD)
"""How much of a file `begins_a_log` needs."""
LONGEST_BYTES: Final = 16 * 1024 * 1024
"""Longer than any line: a kid has at most 1 MiB, and a character of it at most 12 bytes in JSON."""

_HASH: Final = "[0-9a-f]{64}"
_LINE: Final = re.compile(
    rb'(?s)(\{"kind":"([a-z]+)",.*,"previous":(?:null|"(%b)")),"hash":"(%b)"\}' % ((_HASH.encode(),) * 2)
)
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Line(NamedTuple):
    """A line that is whole, whether or not it is as it was written.

    Attributes:
        kind: `intent`, `outcome` or `recovered`.
        previous: the hash of the line before, in lower-case hexadecimal; None: it is the first of its file.
        hash: its own, as it says.
        is_sound: whether that is the SHA-256 of all that stands before it in the line.
        text: all of it, without the line feed.
    """

    kind: str
    previous: str | None
    hash: str
    is_sound: bool
    text: bytes

    def members(self) -> Mapping[str, object] | None:
        """What the line says; None where that is no JSON object."""
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
    """A line without its line feed; None if it is no whole one."""
    match = _LINE.fullmatch(text)
    if match is None:
        return None
    body, kind, previous, hash_ = match.groups()
    is_sound = sha256(body).hexdigest().encode() == hash_
    return Line(kind.decode(), None if previous is None else previous.decode(), hash_.decode(), is_sound, text)


def begins_a_log(data: bytes) -> bool:
    """Whether a file that starts with `data` may be a log, or what a crash left of one."""
    first, _, _ = data.partition(b"\n")
    return first.startswith(_HEAD) or (first != b"" and _HEAD.startswith(first))


def is_hash(text: str) -> bool:
    """Whether a text could be the hash of a line."""
    return re.fullmatch(_HASH, text) is not None


_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MISPLACED: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO})


class Writing:
    """Turns an `OSError` of its block into the error for somebody who wanted to append to `path`."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, OSError):
            raise self.error(error) from None

    def error(self, error: OSError) -> StoreError:
        """The error to raise instead."""
        reason = os.strerror(error.errno or 0)
        if error.errno in _DENIED:
            return AccessDeniedError(
                f"{self.path}: the audit log cannot be written ({reason}); run as its owner, or correct the permissions"
            )
        if error.errno == errno.EROFS:
            return ReadOnlyStoreError(
                f"{self.path}: the audit log is on a file system that is mounted read-only; remount it, or set another "
                "path"
            )
        if error.errno in _FULL:
            return StoreUnavailableError(
                f"{self.path}: there is no room for the audit log ({reason}); make room and try again"
            )
        if error.errno in _MISPLACED:
            return DamagedStoreError(
                f"{self.path}: a link or another kind of file stands where the audit log or its directory should be; "
                "move it away, or set another path"
            )
        if error.errno == errno.ENOENT:
            return StoreUnavailableError(
                f"{self.path}: there is no directory to make the audit log's in; make it, or set another path"
            )
        return StoreUnavailableError(
            f"{self.path}: the audit log cannot be written ({reason}); mend that and try again"
        )


class Confirming(Writing):
    """The same once the line is visible."""

    __slots__ = ()

    def error(self, error: OSError) -> StoreError:
        """The error to raise instead."""
        return DurabilityUnknownError(
            f"{self.path}: a line is written, but the system would not confirm that it is on the disk "
            f"({os.strerror(error.errno or 0)}); check the disk"
        )


LONGEST_WAIT_SECONDS: Final = 60.0  # a stopped writer must not hang everybody
_FIRST_PAUSE_SECONDS: Final = 0.000_5
_LONGEST_PAUSE_SECONDS: Final = 0.01
OPEN_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: a FIFO in the place of the file must not make us wait for its other end.
OPEN_FILE: Final = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
_T = TypeVar("_T")


def locked(path: str, work: Callable[[int], _T], *, patience: float = LONGEST_WAIT_SECONDS) -> _T:
    """What `work` returns, given the file at `path`, open to read and to append; nobody else writes it meanwhile.

    It is made, mode 0600, if it is not there, and so is its directory (0700); not what is above that. Every use opens
    the file anew, so that threads exclude each other too; the kernel lets go when the process ends, however it ends.
    It is no `with` block of its own: a signal handler that raises, as Ctrl-C does, may come between an `__enter__` in
    Python and the block, and nobody would let go.

    Raises:
        OSError: it cannot be opened, made or locked.
        AccessDeniedError: the file or its directory belongs to another user, or may be changed by others.
        DamagedStoreError: it is no plain file.
        StoreUnavailableError: another writer held it for `patience` seconds.
    """
    deadline = time.monotonic() + patience
    directory = _open_directory(os.path.dirname(path), path)
    try:
        while True:
            descriptor = _open_or_make(directory, os.path.basename(path))
            try:
                found = check_file(descriptor, path)
                _wait(descriptor, fcntl.LOCK_EX, path, deadline)
                if _is_still_there(directory, os.path.basename(path), found):
                    return work(descriptor)
            finally:
                try:
                    # Said aloud: a child that another thread forked meanwhile has this descriptor open too.
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
                except OSError:
                    pass
                finally:
                    os.close(descriptor)
            # Somebody moved it away while we waited; what is written next belongs to the new one.
    finally:
        os.close(directory)


def settled_size(descriptor: int, path: str, *, patience: float = LONGEST_WAIT_SECONDS) -> int:
    """How many bytes an open log has while nobody writes: a line that is being written is no damage.

    Who is interrupted here closes the file, and so lets go.

    Raises:
        OSError: it cannot be locked.
        StoreUnavailableError: a writer held it for `patience` seconds.
    """
    try:
        _wait(descriptor, fcntl.LOCK_SH, path, time.monotonic() + patience)
        return os.fstat(descriptor).st_size
    finally:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def sync_directory(path: str) -> None:
    """Have the medium hold the entry of the file at `path`.

    Raises:
        OSError: the system does not confirm it.
    """
    directory = os.open(os.path.dirname(path), OPEN_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _open_directory(directory: str, path: str) -> int:
    try:
        descriptor = os.open(directory, OPEN_DIRECTORY)
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.mkdir(directory, 0o700)
        descriptor = os.open(directory, OPEN_DIRECTORY)
    try:
        check_directory(descriptor, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _open_or_make(directory: int, name: str) -> int:
    while True:
        try:
            return os.open(name, OPEN_FILE, dir_fd=directory)
        except FileNotFoundError:
            pass
        with suppress(FileExistsError):
            descriptor = os.open(name, OPEN_FILE | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory)
            os.fchmod(descriptor, 0o600)  # a umask may have taken more away than it should
            return descriptor


def check_directory(descriptor: int, path: str) -> None:
    """Raises: AccessDeniedError, if others may change what is in the open directory."""
    _check_keeper(os.fstat(descriptor), path, "the directory of the audit log")


def check_file(descriptor: int, path: str) -> os.stat_result:
    """What the open file is.

    Raises:
        AccessDeniedError: others may change it.
        DamagedStoreError: it is no plain file.
    """
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise DamagedStoreError(
            f"{path}: a link or another kind of file stands where the audit log or its directory should be; "
            "move it away, or set another path"
        )
    _check_keeper(found, path, "the audit log")
    return found


def _check_keeper(found: os.stat_result, path: str, what: str) -> None:
    if found.st_uid and found.st_uid != os.geteuid():
        raise AccessDeniedError(f"{path}: {what} belongs to another user; run as that user, or change its owner")
    if found.st_mode & _WRITABLE_BY_OTHERS:
        raise AccessDeniedError(f"{path}: {what} may be changed by other users; take that away with chmod go-w")


def _wait(descriptor: int, operation: int, path: str, deadline: float) -> None:
    pause = _FIRST_PAUSE_SECONDS
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
            return
        if time.monotonic() >= deadline:
            raise StoreUnavailableError(
                f"{path}: another process has been writing to the audit log for too long; end it and try again"
            )
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _is_still_there(directory: int, name: str, found: os.stat_result) -> bool:
    try:
        now = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (now.st_dev, now.st_ino) == (found.st_dev, found.st_ino)


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


def examine(path: str) -> Iterator[str]:
    """One sentence for each fault of the place that the log at `path` is in, or would be made in. Makes nothing."""
    try:
        with Writing(path):
            _check(path)
    except StoreError as error:
        yield str(error)


def _check(path: str) -> None:
    """Raises: OSError, and StoreError as `append`, where a line could not be written."""
    try:
        directory = os.open(os.path.dirname(path), OPEN_DIRECTORY)
    except FileNotFoundError:
        # The first line makes it, and nothing above it.
        _check_room_for_an_entry(os.path.dirname(os.path.dirname(path)))
        return
    try:
        check_directory(directory, path)
        try:
            descriptor = os.open(os.path.basename(path), OPEN_FILE, dir_fd=directory)
        except FileNotFoundError:
            _check_room_for_an_entry(os.path.dirname(path))
            return
    finally:
        os.close(directory)
    try:
        check_file(descriptor, path)
        # A line that somebody is writing just now has no end yet, and counts as cut.
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
