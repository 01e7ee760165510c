"""The file of the log: opened for appending by one writer at a time, and only where nobody else writes."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from keywright.errors import AccessDeniedError, DamagedStoreError, StoreUnavailableError

__all__ = [
    "LONGEST_WAIT_SECONDS",
    "OPEN_DIRECTORY",
    "OPEN_FILE",
    "check_directory",
    "check_file",
    "locked",
    "settled_size",
    "sync_directory",
]

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
