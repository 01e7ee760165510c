"""The database's layout, its versions, and how one becomes the next.

`record` has one row per version of a name. Payloads stand apart in `payload`, whose rows are only ever appended and
overwritten in place: SQLite moves rows when it balances a page and leaves copies behind in the page's free space,
where `secure_delete` does not reach, so a secret must never be in a row that moves.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from keywright.errors import DamagedStoreError, ReadOnlyStoreError
from keywright_sqlite.links import FIRST

__all__ = ["APPLICATION_ID", "MIGRATIONS", "check_layout", "image", "migrate"]

APPLICATION_ID: Final = int.from_bytes(b"kwrt", "big")
"""The four bytes at offset 68 of the file (sqlite.org/fileformat2.html §1.3) that say whose it is."""

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
        FIRST,
    ),
)
"""Entry n holds the statements that turn layout n into layout n + 1; the layout is the file's `user_version`."""


def image() -> bytes:
    """The bytes of an empty store in the newest layout and in WAL mode."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrate(connection)
        content = bytearray(connection.serialize())
    finally:
        connection.close()
    content[18:20] = b"\x02\x02"  # write and read version 2: WAL (sqlite.org/fileformat2.html §1.3.3)
    return bytes(content)


def check_layout(connection: sqlite3.Connection, path: str, *, writable: bool) -> None:
    """Check whose database it is and of which layout, and bring an older one up to date.

    Raises:
        DamagedStoreError: it is another program's, or was written by a newer keywright.
        ReadOnlyStoreError: it is of an older layout, and not writable.
    """
    if _number(connection, "application_id") != APPLICATION_ID:
        raise DamagedStoreError(f"{path} is another program's database; correct `path`, or restore it from a backup")
    layout = _number(connection, "user_version")
    if layout > len(MIGRATIONS):
        raise DamagedStoreError(
            f"{path} was written by a newer keywright (layout {layout}, and this one knows {len(MIGRATIONS)}); "
            "upgrade this one"
        )
    if layout < 1:
        raise DamagedStoreError(f"{path}: the database is damaged; restore it from a backup")
    if layout < len(MIGRATIONS):
        if not writable:
            raise ReadOnlyStoreError(
                f"{path} was written by an older keywright and takes no writes here; open it once where it is writable"
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
