"""The database: its layout, connections on which the store's promises hold, and what SQLite reports as errors.

`record` has one row per version of a name. Payloads stand apart in `payload`, whose rows are only ever appended and
overwritten in place: SQLite moves rows when it balances a page and leaves copies behind in the page's free space,
where `secure_delete` does not reach, so a secret must never be in a row that moves.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from datetime import timedelta
from typing import Final

from keywright.errors import (
    CorruptedStoreError,
    DurabilityError,
    InvalidNameError,
    KeywrightError,
    ReadOnlyStoreError,
)
from keywright.files import Report
from keywright_sqlite.files import READ_ONLY, size

# The layout.

APPLICATION_ID: Final = int.from_bytes(b"kwrt", "big")
"""The four bytes at offset 68 of the file (sqlite.org/fileformat2.html §1.3) that say whose it is."""

# SQLite keeps this text in every database, comments included, and `doctor` compares it: it must not change. What it
# calls checksums.py is in links.py.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE record (
            name TEXT NOT NULL,
            version INTEGER NOT NULL,
            next INTEGER NOT NULL,   -- CRC-32 of this reference and the next: see links.py
            revision TEXT NOT NULL,  -- random, so that none ever recurs
            payload INTEGER,         -- the row of the payload; NULL where the version has none
            crc32 INTEGER NOT NULL,  -- of all else but next: see checksums.py
            info BLOB NOT NULL,      -- as keywright.encode_info writes it
            PRIMARY KEY (name, version)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE payload (
            id INTEGER PRIMARY KEY,
            crc32 BLOB NOT NULL,     -- of the record's reference and the bytes, or zeros: see checksums.py
            bytes BLOB NOT NULL      -- as the format, or the seal, made them, or zeros
        ) STRICT
        """,
        # The row that is before all others, linked to the end (see links.py).
        "INSERT INTO record VALUES ('', 0, 1811104489, '', NULL, 0, x'')",
    ),
)
"""Entry n holds the statements that turn layout n into layout n + 1; the layout is the file's `user_version`."""


def image() -> bytes:
    """The bytes of an empty store in the newest layout and in WAL mode."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrate(connection)
        content = bytearray(connection.serialize())
    content[18:20] = b"\x02\x02"  # write and read version 2: WAL (sqlite.org/fileformat2.html §1.3.3)
    return bytes(content)


def check_layout(connection: sqlite3.Connection, path: str, *, writable: bool) -> None:
    """Check whose database it is and of which layout, and bring an older one up to date.

    Raises:
        CorruptedStoreError: it is another program's, or was written by a newer keywright.
        ReadOnlyStoreError: it is of an older layout, and not writable.
    """
    if _number(connection, "application_id") != APPLICATION_ID:
        raise CorruptedStoreError(
            f"{path} is the database of another program", hint="set `path` to another file, or restore it from a backup"
        )
    layout = _number(connection, "user_version")
    if layout > len(MIGRATIONS):
        raise CorruptedStoreError(
            f"{path} was written by a newer keywright (layout {layout}, and this one knows {len(MIGRATIONS)})",
            hint="upgrade keywright",
        )
    if layout < 1:
        raise _DAMAGED.as_error(path)
    if layout < len(MIGRATIONS):
        if not writable:
            raise ReadOnlyStoreError(
                f"{path} was written by an older keywright, and is read-only here",
                hint="open it once where it is writable",
            )
        migrate(connection)


def migrate(connection: sqlite3.Connection) -> None:
    """Run the migrations that the database lacks, all of them or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        layout = _number(connection, "user_version")  # again: another process may have been faster
        for statements in MIGRATIONS[layout:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {max(layout, len(MIGRATIONS))}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    row: tuple[int] = connection.execute(f"PRAGMA {pragma}").fetchone()
    return row[0]


# Connections.

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
        CorruptedStoreError, ReadOnlyStoreError: as `check_layout`.
    """
    unfinished = size(path + "-wal") > 0
    if not writable:
        # A reader in WAL mode would have to make files beside it; but a log holds writes that must be read too.
        return _connect(path, timeout, "mode=ro" if unfinished else "mode=ro&immutable=1"), False
    connection, lasting = _connect_to_write(path, timeout)
    if not unfinished:
        return connection, lasting
    cleared = _recover(connection, timeout)
    if cleared and (not lasting or size(path + "-wal") > 0):
        # It is alone, and has no -shm file; or others keep that, or a sync failed, which closing would try again.
        return connection, lasting
    # SQLite may have copied memory of this process, secrets perhaps, into the -shm file: where the log had no whole
    # frame, `walIndexRecover` (3.40) writes there what it never filled. The last one to close removes that file.
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
        os.unlink(path + "-shm")
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


# Errors.

_BYTE: Final = 0xFF  # the low byte of an extended result code is the primary one (sqlite.org/rescode.html §4)
_LOCKED: Final = Report(
    "{subject}: locked by another process for longer than the setting `timeout`; nothing was written",
    "stop that process, or raise the setting `timeout` of the store",
)
_DAMAGED: Final = Report("{subject}: the database is damaged", "restore it from a backup", CorruptedStoreError)
_NOT_SYNCED: Final = Report(
    "{subject}: the system could not confirm that the write is on disk",
    "check the disk, then look at the store before you try again",
    DurabilityError,
)
_REPORTS: Final[dict[int, Report]] = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_NOTADB: Report(
        "{subject} is not a SQLite database",
        "restore it from a backup, or set `path` to another file",
        CorruptedStoreError,
    ),
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_ERROR: _DAMAGED,  # our own statements are right, so a table or column is not
    sqlite3.SQLITE_SCHEMA: _DAMAGED,
    sqlite3.SQLITE_CONSTRAINT: _DAMAGED,
    sqlite3.SQLITE_MISMATCH: _DAMAGED,
    sqlite3.SQLITE_FULL: Report("{subject}: the disk is full; nothing was written", "free disk space and try again"),
    sqlite3.SQLITE_CANTOPEN: Report(
        "{subject}: the database, its -wal or its -shm file cannot be opened; nothing was written",
        "check that you may read and write its directory",
    ),
    sqlite3.SQLITE_IOERR_FSYNC: _NOT_SYNCED,
    sqlite3.SQLITE_IOERR_DIR_FSYNC: _NOT_SYNCED,
}
"""By extended result code or, without an entry, primary one."""


def translate(path: str, error: BaseException) -> None:
    """Raise what SQLite raised as an error about the database at `path`; return if it was not an error of SQLite's."""
    if isinstance(error, sqlite3.Error):
        raise store_error(path, error) from None
    if isinstance(error, UnicodeDecodeError):  # of what SQLite would have said
        raise _DAMAGED.as_error(path) from None
    if isinstance(error, OverflowError | UnicodeEncodeError):
        raise InvalidNameError(
            "not a valid name or version",
            hint="names are made of a-z, 0-9, '.', '_', '-' and '/', versions are whole numbers from 1",
        ) from None


def store_error(path: str, error: sqlite3.Error) -> KeywrightError:
    """The error to raise for `error`, by its extended result code. Unless it says otherwise, nothing was written."""
    # Without a code it is the module's own: only text that is not UTF-8 is operational.
    default = sqlite3.SQLITE_CORRUPT if isinstance(error, sqlite3.OperationalError) else sqlite3.SQLITE_INTERNAL
    extended: int = getattr(error, "sqlite_errorcode", default)
    report = _REPORTS.get(extended) or _REPORTS.get(extended & _BYTE)
    if report is None:
        name: str = getattr(error, "sqlite_errorname", "an error without a code")
        report = Report(f"{{subject}}: SQLite reports {name}; nothing was written", "check the disk and try again")
    return report.as_error(path)


def is_full(error: BaseException | None) -> bool:
    """Whether SQLite found no room on the disk."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
