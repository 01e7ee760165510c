"""Each row of `record` knows the next one, so that a row which is lost is missed.

SQLite finds a row by its key. If a bit of a key, of a pointer or of a count of cells is flipped it may find none, and
would answer "no such key". So `next` holds a checksum of the row's own reference and that of the row behind, and a row
with the name '' stands before all others: a place between two rows is empty only if the first is linked to the second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from keywright.errors import DamagedStoreError
from keywright_sqlite.checksums import link

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator

__all__ = ["FIRST", "KEYS", "ROWS", "around", "relink", "rows_from"]

FIRST: Final = "INSERT INTO record VALUES ('', 0, 1811104489, '', NULL, 0, x'')"
"""Puts the row that stands before all others into an empty table; it is linked to the end."""

# One statement each, so that no other process writes between two.
KEYS: Final = (
    "SELECT * FROM (SELECT name, version, next FROM record WHERE (name, version) < (?1, ?2)"
    " ORDER BY name DESC, version DESC LIMIT 1)"
    " UNION ALL SELECT name, version, next FROM record WHERE (name, version) >= (?1, ?2) ORDER BY name, version"
)
ROWS: Final = KEYS.replace("next", "next, revision, payload, crc32, info")
_AROUND: Final = (
    "SELECT name, version, next, (SELECT name || '@' || version FROM record WHERE (name, version) >= (?1, ?2)"
    " ORDER BY name, version LIMIT 1)"
    " FROM record WHERE (name, version) < (?1, ?2) ORDER BY name DESC, version DESC LIMIT 1"
)
_RELINK: Final = "UPDATE record SET next = ? WHERE name = ? AND version = ?"


def around(connection: sqlite3.Connection, path: str, name: str, version: int) -> tuple[str, int, str | None]:
    """Name and version of the row before (`name`, `version`), and the reference of the row there, or next behind.

    Raises:
        DamagedStoreError: the two are not linked, so a row is lost or damaged.
    """
    row: tuple[str, int, int, str | None] | None = connection.execute(_AROUND, (name, version)).fetchone()
    if row is None or row[2] != link(f"{row[0]}@{row[1]}", row[3]):
        raise _broken(path)
    before, number, _, reference = row
    there, _, found = (reference or f"{name}@{version}").rpartition("@")
    # Damage may also lead a search astray, to rows that are linked and elsewhere.
    if not (before, number) < (name, version) <= (there, int(found)):
        raise _broken(path)
    return before, number, reference


def rows_from(connection: sqlite3.Connection, path: str, statement: str, name: str) -> Generator[tuple[Any, ...]]:
    """Rows from (`name`, 1) on, by KEYS or ROWS, each linked to the one before. Close it: until then it reads.

    Raises:
        DamagedStoreError: two are not linked, so a row is lost or damaged.
    """
    cursor = connection.execute(statement, (name, 1))
    try:
        before, row = cursor.fetchone(), cursor.fetchone()
        if before is None or not _are_linked(before, row):
            raise _broken(path)
        if not before[:2] < (name, 1) <= (row or (name, 1))[:2]:  # as in `around`
            raise _broken(path)
        while row is not None:
            yield row
            before, row = row, cursor.fetchone()
            if not _are_linked(before, row):
                raise _broken(path)
    finally:
        cursor.close()


def relink(connection: sqlite3.Connection, name: str, version: int, behind: str | None) -> None:
    """Link a row to `behind`, which follows it from now on."""
    connection.execute(_RELINK, (link(f"{name}@{version}", behind), name, version))


def _are_linked(before: tuple[Any, ...], behind: tuple[Any, ...] | None) -> bool:
    following = None if behind is None else f"{behind[0]}@{behind[1]}"
    linked: bool = before[2] == link(f"{before[0]}@{before[1]}", following)
    return linked


def _broken(path: str) -> DamagedStoreError:
    return DamagedStoreError(f"{path}: a record is damaged or lost; restore the database from a backup")
