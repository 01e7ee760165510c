"""One connection, set up so that the store's promises hold."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from keywright_sqlite import files
from keywright_sqlite.schema import check_layout

if TYPE_CHECKING:
    from datetime import timedelta

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


def connect(path: str, timeout: timedelta, *, writable: bool) -> sqlite3.Connection:
    """Open the database at `path`, an absolute path without symlinks, and check whose it is.

    Raises:
        sqlite3.Error: it cannot be opened or read.
        DamagedStoreError, ReadOnlyStoreError: as `check_layout`.
    """
    unfinished = files.size(path + "-wal") > 0
    if writable:
        how = "mode=rw"
    elif unfinished:
        how = "mode=ro"  # the log holds writes that the database lacks: it must be read too
    else:
        how = "mode=ro&immutable=1"  # a reader in WAL mode would have to make files beside it
    connection = sqlite3.connect(
        f"file://{_quoted(path)}?{how}",
        uri=True,
        timeout=timeout.total_seconds(),
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        for pragma in (*_EVERY, *_WRITABLE) if writable else _EVERY:
            connection.execute(f"PRAGMA {pragma}")
        check_layout(connection, path, writable=writable)
        if writable:
            connection.execute("PRAGMA journal_mode = WAL")  # a copy made by VACUUM INTO is not
        if writable and unfinished:
            _recover(connection, timeout)
    except BaseException:
        connection.close()
        raise
    return connection


def erase_log(connection: sqlite3.Connection) -> bool:
    """Move the log into the database and cut it to nothing. False: a reader was in the way until the timeout."""
    row: tuple[int, int, int] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return row[0] == 0


def _recover(connection: sqlite3.Connection, timeout: timedelta) -> None:
    """Clear the log of what a killed process left there: a payload never committed, or one destroyed.

    Where that does not work now (a reader, a full disk), the next open tries again.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    with suppress(sqlite3.OperationalError):
        erase_log(connection)
    connection.execute(f"PRAGMA busy_timeout = {round(timeout.total_seconds() * 1000)}")


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
