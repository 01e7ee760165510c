"""What SQLite and the system report, as errors that say what to do next."""

from __future__ import annotations

import errno
import sqlite3
from typing import Final

from keywright.errors import (
    AccessDeniedError,
    DamagedStoreError,
    DurabilityUnknownError,
    InvalidNameError,
    ReadOnlyStoreError,
    StoreError,
    StoreUnavailableError,
)

__all__ = ["is_full", "lookup_error", "read_only", "store_error", "system_error", "translate"]

_BYTE: Final = 0xFF  # the low byte of an extended result code is the primary one (sqlite.org/rescode.html §4)
_UNSYNCED: Final = (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC)
_DAMAGE: Final = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_ERROR,  # our own statements are right, so a table or column is not
    sqlite3.SQLITE_SCHEMA,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
)
_REFUSED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


def translate(path: str, error: BaseException) -> None:
    """Raise what SQLite raised as an error about the database at `path`; return if it was no error of SQLite's."""
    if isinstance(error, sqlite3.Error):
        raise store_error(path, error) from None
    if isinstance(error, UnicodeDecodeError):  # of what SQLite would have said
        raise _damaged(path) from None
    if isinstance(error, OverflowError | UnicodeEncodeError):
        raise InvalidNameError(
            "no store holds such a name or version; names are made of a-z, 0-9, '.', '_', '-' and '/', versions "
            "are whole numbers from 1"
        ) from None


def store_error(path: str, error: sqlite3.Error) -> StoreError:
    """The error to raise for `error`, by its extended result code. Unless it says otherwise, nothing was written."""
    # Without a code it is the module's own: only text that is no UTF-8 is operational.
    unsaid = sqlite3.SQLITE_CORRUPT if isinstance(error, sqlite3.OperationalError) else sqlite3.SQLITE_INTERNAL
    extended: int = getattr(error, "sqlite_errorcode", unsaid)
    code = extended & _BYTE
    if extended in _UNSYNCED:
        return DurabilityUnknownError(
            f"{path}: the system could not confirm that the write is on the medium; check the disk, then look what "
            "the store holds before trying again"
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreUnavailableError(
            f"{path}: another program held the store's lock for longer than the setting `timeout` allows; nothing "
            "was written; try again, or raise `timeout`"
        )
    if code == sqlite3.SQLITE_READONLY:
        return read_only(path)
    if code == sqlite3.SQLITE_NOTADB:
        return DamagedStoreError(f"{path} is no SQLite database; restore it from a backup, or correct `path`")
    if code in _DAMAGE:
        return _damaged(path)
    if code == sqlite3.SQLITE_FULL:
        return StoreUnavailableError(f"{path}: the disk is full; nothing was written; make room and try again")
    if code == sqlite3.SQLITE_CANTOPEN:
        return StoreUnavailableError(
            f"{path}: the database, its -wal or its -shm file cannot be opened; nothing was written; see that its "
            "directory is yours to read and write"
        )
    name: str = getattr(error, "sqlite_errorname", "an error without a code")
    return StoreUnavailableError(f"{path}: SQLite reports {name}; nothing was written; check the disk and try again")


def _damaged(path: str) -> DamagedStoreError:
    return DamagedStoreError(f"{path}: the database is damaged; restore it from a backup")


def is_full(error: BaseException | None) -> bool:
    """Whether SQLite found no room on the disk."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def system_error(path: str, error: OSError) -> StoreError:
    """The error to raise for a system call that failed while the store was made; nothing was written."""
    if error.errno in _REFUSED:
        return read_only(path)
    return StoreUnavailableError(f"{path}: the store cannot be made: {error.strerror}; nothing was written")


def read_only(path: str) -> ReadOnlyStoreError:
    """For a write where the file or its directory allows none."""
    return ReadOnlyStoreError(
        f"{path}: the file or its directory takes no writes from this user; nothing was written; use a writable place"
    )


def lookup_error(path: str, error: OSError) -> StoreError:
    """The error to raise where the file could not even be looked at."""
    if error.errno in _REFUSED:
        return AccessDeniedError(f"{path}: this user may not look into its directory; ask the owner for access")
    return StoreUnavailableError(f"{path}: the store cannot be reached: {error.strerror}; correct `path`")
