"""Files and directories of the store, opened relative to one another, never through a link; the words of errors."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from keywright import Secret
from keywright.errors import (
    AccessDeniedError,
    DamagedStoreError,
    DurabilityUnknownError,
    ReadOnlyStoreError,
    StoreError,
    StoreUnavailableError,
)

_DENIED = frozenset({errno.EACCES, errno.EPERM})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MISPLACED = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EISDIR})


def damaged(subject: str, fault: str) -> DamagedStoreError:
    """`SUBJECT: FAULT; …`."""
    return DamagedStoreError(f"{subject}: {fault}; restore it from a backup")


def misplaced(subject: str) -> DamagedStoreError:
    """Something of another kind stands where the store keeps a file or directory."""
    return damaged(subject, "a link or another kind of file stands where the store keeps its own")


def _typed(error: OSError, subject: str, outcome: str) -> StoreError:
    """The error for the caller; `outcome` (`nothing was written; `, or nothing) says what became of a write."""
    reason = os.strerror(error.errno or 0)
    if error.errno in _DENIED:
        return AccessDeniedError(
            f"{subject}: the system denies access ({reason}); {outcome}run as the store's owner, or correct the "
            "permissions"
        )
    if error.errno == errno.EROFS:
        return ReadOnlyStoreError(
            f"{subject}: the file system is mounted read-only; {outcome}remount it, or use another store"
        )
    if error.errno in _FULL:
        return StoreUnavailableError(f"{subject}: there is no room ({reason}); {outcome}make room and try again")
    if error.errno in _MISPLACED:
        return misplaced(subject)
    return StoreUnavailableError(f"{subject}: the system reports: {reason}; {outcome}mend that and try again")


class Reading:
    """Turns an `OSError` of its block into the error for somebody who reads `subject`."""

    __slots__ = ("subject",)

    def __init__(self, subject: str) -> None:
        self.subject = subject

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, OSError):
            raise self.error(error) from None

    def error(self, error: OSError) -> StoreError:
        """The error to raise instead."""
        return _typed(error, self.subject, "")


class Writing(Reading):
    """The same for somebody who writes, as long as nothing of it is visible."""

    __slots__ = ()

    def error(self, error: OSError) -> StoreError:
        """The error to raise instead."""
        return _typed(error, self.subject, "nothing was written; ")


class Confirming(Reading):
    """The same around the sync of something that is not visible yet, and is given up if the sync fails."""

    __slots__ = ()

    def error(self, error: OSError) -> StoreError:
        """The error to raise instead."""
        return DurabilityUnknownError(
            f"{self.subject}: the system would not confirm a write ({os.strerror(error.errno or 0)}), so it was given "
            "up and the store holds what it held; check the disk"
        )


class Completing(Reading):
    """The same once the change is visible: whatever fails now, the change may not be on the medium."""

    __slots__ = ()

    def error(self, error: OSError) -> StoreError:
        """The error to raise instead."""
        return DurabilityUnknownError(
            f"{self.subject}: the change is made, but the system would not confirm or complete it "
            f"({os.strerror(error.errno or 0)}); check the disk, then read it again before relying on it"
        )


LONGEST_FILE_BYTES: Final = 16 * 1024 * 1024  # what is longer is no key, and might not fit into memory
_OPEN_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# O_NONBLOCK: a FIFO in the place of a file must not make us wait for its other end.
_OPEN_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
_OPEN_TO_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Directory:
    """An open directory; leaving the block closes it.

    It is only read from, so a close that fails takes nothing back, and the descriptor is gone all the same.
    """

    __slots__ = ("descriptor", "status")

    def __init__(self, name: str, subject: str, *, parent: int | None = None) -> None:
        """Open `name` in `parent`; without a parent it is a path of the user's, whose links are followed.

        Raises:
            OSError: it cannot be opened, `FileNotFoundError` if it is not there.
            AccessDeniedError: another user owns it or may change what is in it.
        """
        flags = _OPEN_DIRECTORY if parent is not None else _OPEN_DIRECTORY & ~os.O_NOFOLLOW
        self.descriptor = os.open(name, flags, dir_fd=parent)
        try:
            self.status = os.fstat(self.descriptor)
            _check_keeper(self.status, subject, "directory")
        except BaseException:
            os.close(self.descriptor)
            raise

    def __enter__(self) -> int:
        return self.descriptor

    def __exit__(self, _kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        with suppress(OSError):
            os.close(self.descriptor)


def make_directory(parent: int, name: str) -> None:
    """Make a directory for its owner alone, whatever the umask. What is there already is left as it is.

    Raises:
        OSError: it cannot be made.
    """
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        return
    os.chmod(name, 0o700, dir_fd=parent)


def open_or_make(parent: int, name: str, subject: str) -> Directory:
    """Open a directory in another; make it, for its owner alone, if it is not there.

    Raises:
        OSError: it can be neither opened nor made.
        AccessDeniedError: another user owns it or may change what is in it.
    """
    try:
        return Directory(name, subject, parent=parent)
    except FileNotFoundError:
        make_directory(parent, name)
        return Directory(name, subject, parent=parent)


class NewFile:
    """A file that was not there before, written but not synced yet; leaving the block closes it."""

    __slots__ = ("_descriptor", "_subject")

    def __init__(self, parent: int, name: str, data: Secret, stamp: int, subject: str) -> None:
        """Write it, for its owner alone from the first byte.

        `stamp` becomes its time, in nanoseconds since the epoch (see `Lock.stamp`).

        Raises:
            OSError: it could not be written, `FileExistsError` if there is one already.
        """
        self._subject = subject
        self._descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=parent)
        try:
            os.fchmod(self._descriptor, 0o600)  # a umask may have taken more away than it should
            written = 0
            while written < len(data):
                written += os.write(self._descriptor, data.reveal()[written:])
            os.utime(self._descriptor, ns=(stamp, stamp))
        except BaseException:
            os.close(self._descriptor)
            raise

    def confirm(self) -> os.stat_result:
        """Sync it, and say what it is.

        Raises:
            DurabilityUnknownError: the sync failed.
        """
        confirm(self._descriptor, self._subject)
        return os.fstat(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        os.close(self._descriptor)


def write_file(parent: int, name: str, data: Secret, stamp: int, subject: str) -> None:
    """Write a file that must not be there yet, and sync it (see `NewFile`).

    Raises:
        OSError: it could not be written.
        DurabilityUnknownError: the sync failed.
    """
    with NewFile(parent, name, data, stamp, subject) as file:
        file.confirm()


def read_file(parent: int, name: str, subject: str) -> tuple[Secret, os.stat_result]:
    """Read a whole file, and say what it is.

    Raises:
        OSError: it cannot be read, `FileNotFoundError` if it is not there.
        AccessDeniedError: another user owns it or may change it.
        DamagedStoreError: it is no plain file, longer than `LONGEST_FILE_BYTES`, or changed while it was read.
    """
    descriptor = os.open(name, _OPEN_FILE, dir_fd=parent)
    try:
        status = os.fstat(descriptor)
        check_file(status, subject)
        if status.st_size > LONGEST_FILE_BYTES:
            raise damaged(subject, "a file is longer than any that keywright writes")
        data = Secret(os.read(descriptor, status.st_size + 1))
    finally:
        os.close(descriptor)
    if len(data) != status.st_size:
        raise damaged(subject, "a file changed while it was read")
    return data, status


def check_key_file(status: os.stat_result, subject: str) -> None:
    """Refuse a payload file that others than its owner may touch.

    Raises:
        AccessDeniedError: another user owns it or may read or change it.
        DamagedStoreError: it is no plain file.
    """
    check_file(status, subject)
    if status.st_mode & _OPEN_TO_OTHERS:
        raise AccessDeniedError(
            f"{subject}: the key file may be read or changed by others; take that away with chmod 0600, and count the "
            "key as seen"
        )


def check_file(status: os.stat_result, subject: str) -> None:
    """Refuse a file that others than its owner may change.

    Raises:
        AccessDeniedError: another user owns it or may change it.
        DamagedStoreError: it is no plain file.
    """
    if not stat.S_ISREG(status.st_mode):
        raise misplaced(subject)
    _check_keeper(status, subject, "file")


def _check_keeper(status: os.stat_result, subject: str, kind: str) -> None:
    if status.st_uid and status.st_uid != os.geteuid():
        raise AccessDeniedError(f"{subject}: the {kind} belongs to another user; run as that user, or change its owner")
    if status.st_mode & _WRITABLE_BY_OTHERS:
        raise AccessDeniedError(f"{subject}: the {kind} may be changed by other users; take that away with chmod go-w")


def sync(descriptor: int) -> None:
    """Have the medium hold what was written to a file, or the entries of a directory.

    Raises:
        OSError: the system does not confirm it.
    """
    if sys.platform == "darwin":
        # There fsync stops at the drive's own cache. Not every file system there knows the stronger call.
        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        except OSError:
            os.fsync(descriptor)
    else:
        os.fsync(descriptor)


def confirm(descriptor: int, subject: str) -> None:
    """`sync` before the change is visible.

    Raises:
        DurabilityUnknownError: the system does not confirm it; the change is to be given up.
    """
    with Confirming(subject):
        sync(descriptor)
