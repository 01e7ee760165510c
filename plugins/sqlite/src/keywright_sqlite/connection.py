"""One connection, set up so that the store's promises hold."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from datetime import timedelta
from typing import Final

from keywright_sqlite import files
from keywright_sqlite.failures import is_full
from keywright_sqlite.schema import check_layout

__all__ = ["connect", "erase_log"]

_EVERY: Final = (
    "trusted_schema = OFF",
    "cell_size_check = ON",
    "temp_store = MEMORY",  # else the journal of a statement could carry a secret into a temporary file
)
_WRITABLE: Final = (
    "synchronous = FULL",
    "secure_delete = ON",
    "fullfsync = ON",  # macOS: fsync alone does not reach the medium; no effect elsewhere
    "checkpoint_fullfsync = ON",
)


def connect(path: str, timeout: timedelta, *, writable: bool) -> tuple[sqlite3.Connection, bool]:
    """Open the database at `path`, an absolute path without symlinks, and check whose it is.

    The connection comes with whether it may be kept: one that takes no locks must not live on to see the file change,
    and one that keeps all others out must let them in again.

    Raises:
        sqlite3.Error: it cannot be opened or read.
        DamagedStoreError, ReadOnlyStoreError: as `check_layout`.
    """
    unfinished = files.size(path + "-wal") > 0
    if not writable:
        # A reader in WAL mode would have to make files beside it; but a log holds writes that must be read too.
        return _connect(path, timeout, "mode=ro" if unfinished else "mode=ro&immutable=1"), False
    connection, lasting = _connect_to_write(path, timeout)
    if not unfinished:
        return connection, lasting
    cleared = _recover(connection, timeout)
    if cleared and (not lasting or files.size(path + "-wal") > 0):
        # It is alone, and has no -shm file; or others keep that, or a sync failed, which closing would try again.
        return connection, lasting
    # SQLite may have copied memory of this process, secrets perhaps, into the -shm file: where the log had no whole
    # frame, `walIndexRecover` (3.40) writes there what it never filled. Whoever closes last removes that file.
    connection.close()
    if not cleared:
        with suppress(sqlite3.Error), closing(_connect_alone(path, timedelta())) as alone:
            erase_log(alone)
    return _connect_to_write(path, timeout)


def erase_log(connection: sqlite3.Connection) -> bool:
    """Move the log into the database and cut it to nothing. False: a reader was in the way until the timeout."""
    row: tuple[int, int, int] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return row[0] == 0


def _connect_to_write(path: str, timeout: timedelta) -> tuple[sqlite3.Connection, bool]:
    try:
        return _connect(path, timeout, "mode=rw", *_WRITABLE), True
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_IOERR_SHMSIZE:
            raise
    return _connect_alone(path, timeout), False


def _connect_alone(path: str, timeout: timedelta) -> sqlite3.Connection:
    """On a full disk: without the -shm file, which who is alone does not need (sqlite.org/wal.html §8)."""
    connection = _connect(path, timeout, "mode=rw", "locking_mode = EXCLUSIVE", *_WRITABLE)
    with suppress(OSError):
        files.drop_index(path)
    return connection


def _connect(path: str, timeout: timedelta, how: str, *pragmas: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file://{_quoted(path)}?{how}",
        uri=True,
        timeout=timeout.total_seconds(),
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        for pragma in (*pragmas, *_EVERY):
            connection.execute(f"PRAGMA {pragma}")
        check_layout(connection, path, writable=how == "mode=rw")
        if how == "mode=rw":
            connection.execute("PRAGMA journal_mode = WAL")  # a copy made by VACUUM INTO is not
    except BaseException:
        connection.close()
        raise
    return connection


def _recover(connection: sqlite3.Connection, timeout: timedelta) -> bool:
    """Clear the log of what a killed process left there: a payload never committed, or one destroyed.

    Where a reader is in the way, the next open tries again. False: the disk is full.
    """
    full = False
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        erase_log(connection)
    except sqlite3.OperationalError as error:
        full = is_full(error)
    connection.execute(f"PRAGMA busy_timeout = {round(timeout.total_seconds() * 1000)}")
    return not full


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
