"""Reading a narinfo, and writing it anew so that whoever looks sees the old one or the new one, a kill notwithstanding.

Where signatures are only added at the end, they are appended in place by one write, which is ten times cheaper than a
rename. One write is whole for everybody if it stays in one page of the file: the kernel looks for a fatal signal and
makes room between pages, and the file's new length is seen once the bytes are there. Otherwise a new file is written
beside, and takes the old one's place once it is on the medium (`keywright_nix.batch`).

A loss of power is another matter: ext4 may have written the new length before the bytes, and then the new lines are
zeros. They are on the medium once their batch is synced; until then `without_zeros` mends what was hit.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from typing import Final, NamedTuple, TypeAlias

from keywright.errors import AccessDeniedError, FormatError, KeywrightError, ReadOnlyStoreError, StoreUnavailableError
from keywright_nix.cache import temporary
from keywright_nix.parts import MAXIMUM_BYTES

__all__ = ["Identity", "Replacement", "discard", "read_narinfo", "replace", "rewrite", "without_zeros"]

_PAGE: Final = 4096
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_APPEND: Final = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


Identity: TypeAlias = tuple[int, int, int]
"""What tells whether a file is still what it was: inode, size in bytes, time of the last change in ns."""


class Replacement(NamedTuple):
    """A narinfo that was written anew beside the old one.

    Attributes:
        path: the old one's.
        beside: the new one's.
        old: what the old one was when it was read.
    """

    path: str
    beside: str
    old: Identity


def read_narinfo(path: str) -> tuple[bytes, os.stat_result]:
    """The bytes of a narinfo, and what the file was then.

    Raises:
        FileNotFoundError: it is gone.
        FormatError: it has more than 8 MiB, or is no regular file.
        AccessDeniedError, StoreUnavailableError: it cannot be read.
    """
    try:
        descriptor = os.open(path, _READ)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _irregular(path)
            if status.st_size > MAXIMUM_BYTES:
                raise FormatError(f"{path}: has more than {MAXIMUM_BYTES} bytes; this is no narinfo")
            return os.read(descriptor, status.st_size + 1), status
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unread(path, error) from None


def without_zeros(data: bytes) -> bytes:
    """A narinfo without the zero bytes that a loss of power left in the place of lines that were appended."""
    return data.rstrip(b"\0") if data.endswith(b"\0") else data


def rewrite(path: str, old: bytes, new: bytes, status: os.stat_result) -> Replacement | None:
    """Make a narinfo of the bytes `old` (as `read_narinfo` gave them, with `status`) into `new`.

    None: it is done. Otherwise `new` waits beside it for `replace` or `discard`. Mode and owner stay. A file with
    other names (hard links), or that its owner may not write, is replaced by a new one: the other names keep the old
    bytes. A new one has no extended attributes.

    Raises:
        FileNotFoundError: it is gone.
        StoreUnavailableError: it changed meanwhile, or the disk is full or fails; the narinfo is as it was.
        AccessDeniedError, ReadOnlyStoreError: it may not be written; the narinfo is as it was.
    """
    try:
        if _can_append(old, new, status):
            _append(path, new[len(old) :], status)
            return None
        return _write_beside(path, new, status)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _failed(path, "written", error) from None


def replace(replacement: Replacement) -> None:
    """Put the new narinfo, which must be on the medium, in the old one's place.

    Raises:
        FileNotFoundError: the old one is gone; the new one is, too.
        StoreUnavailableError: the old one changed meanwhile, or the disk fails; the narinfo is as it was.
        AccessDeniedError, ReadOnlyStoreError: the directory may not be written; the narinfo is as it was.
    """
    path, beside, old = replacement
    try:
        _check_unchanged(path, os.lstat(path), old)
        os.rename(beside, path)
    except BaseException as error:
        discard(replacement)
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise _failed(path, "written", error) from None
        raise


def discard(replacement: Replacement) -> None:
    """Take the new narinfo away, if it is there."""
    with suppress(OSError):
        os.unlink(replacement.beside)


def _identity(status: os.stat_result) -> Identity:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _can_append(old: bytes, new: bytes, status: os.stat_result) -> bool:
    return (
        new.startswith(old)
        and len(old) // _PAGE == (len(new) - 1) // _PAGE
        and status.st_nlink == 1
        and bool(status.st_mode & stat.S_IWUSR)
    )


def _append(path: str, tail: bytes, status: os.stat_result) -> None:
    descriptor = os.open(path, _APPEND)
    try:
        _check_unchanged(path, os.fstat(descriptor), _identity(status))
        is_whole = False
        try:
            is_whole = os.write(descriptor, tail) == len(tail)
        finally:
            if not is_whole:
                _take_back(descriptor, path, status.st_size)
        if not is_whole:
            raise StoreUnavailableError(f"{path}: could not be written whole; the narinfo is as it was: make room")
    finally:
        os.close(descriptor)


def _take_back(descriptor: int, path: str, size: int) -> None:
    try:
        if os.fstat(descriptor).st_size > size:
            os.ftruncate(descriptor, size)
    except OSError as error:
        raise StoreUnavailableError(
            f"{path}: was written in part, and that cannot be taken back ({error.strerror}); look to the disk, then "
            f"cut the file to {size} bytes (truncate -s {size})"
        ) from None


def _write_beside(path: str, new: bytes, status: os.stat_result) -> Replacement:
    directory, _, name = path.rpartition("/")
    replacement = Replacement(path, f"{directory}/{temporary(name)}", _identity(status))
    try:
        descriptor = os.open(replacement.beside, _CREATE, 0o600)
    except FileExistsError:
        raise StoreUnavailableError(
            f"{replacement.beside}: stands where the new narinfo is to be written; take it away"
        ) from None
    try:
        try:
            written = 0
            while written < len(new):
                written += os.write(descriptor, new[written:])
            with suppress(PermissionError):  # who may not give files away keeps them
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
            if sys.platform != "linux":  # elsewhere a sync of everything does not wait until it is done
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        discard(replacement)
        raise
    return replacement


def _check_unchanged(path: str, now: os.stat_result, then: Identity) -> None:
    if _identity(now) != then:
        raise StoreUnavailableError(f"{path}: changed while it was signed; it was left alone: run the command again")


def _unread(path: str, error: OSError) -> KeywrightError:
    if error.errno == errno.ELOOP:
        return FormatError(f"{path}: is a symbolic link; sign the file that it leads to")
    return _irregular(path) if error.errno == errno.ENXIO else _failed(path, "read", error)


def _irregular(path: str) -> FormatError:
    return FormatError(f"{path}: is no regular file; take it out of the cache")


def _failed(path: str, done: str, error: OSError) -> KeywrightError:
    if isinstance(error, PermissionError):
        return AccessDeniedError(f"{path}: cannot be {done} ({error.strerror}); run as its owner")
    if error.errno == errno.EROFS:
        return ReadOnlyStoreError(f"{path}: is on a file system that takes no writes; remount it")
    return StoreUnavailableError(f"{path}: cannot be {done} ({error.strerror}); the narinfo is as it was")
