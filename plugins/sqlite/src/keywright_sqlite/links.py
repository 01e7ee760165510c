"""Rows of `record` and `payload`: read only if they are what was written, and linked so that a lost one is noticed.

SQLite has no checksums, and a flipped bit of a key is often another key. So each row has a CRC-32 (IEEE 802.3, as in
zip). It shows damage; it does not protect from those who can write the file.

SQLite finds a row by its key. If a bit of a key, of a pointer or of a count of cells is flipped, it may find none, and
the answer would be "no such key". So the column `next` has a checksum of the row's own reference and that of the next
row, and a row with the name '' is before all others: a place between two rows is empty only if the first of them is
linked to the second.
"""

from __future__ import annotations

from binascii import crc32
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from keywright import Secret
from keywright.errors import CorruptedStoreError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator


# Checksums.


def record_check(reference: str, revision: object, place: object, info: bytes) -> int:
    """What `record.crc32` must be: of the row's reference, the row of its payload if it has one, and its metadata."""
    return crc32(info, crc32(f"{reference} {revision} {place}".encode()))


def payload_check(reference: str, payload: Secret) -> bytes:
    """What `payload.crc32` must be: of the bytes, and the reference of the record that they belong to.

    It is a blob, because zeros as long as itself can overwrite it: wiping must not change the length of the row.
    """
    return crc32(payload.reveal(), crc32(reference.encode())).to_bytes(4, "big")


def link(reference: str, next_reference: str | None) -> int:
    """What `record.next` must be in the row of `reference`; None: it is the last row."""
    return crc32(f"{reference} {next_reference or ''}".encode())


# Places between rows.


class Gap(NamedTuple):
    """A place in the order of rows.

    Attributes:
        name, version: of the row before the place; '' and 0 for the first row of all.
        next_reference: the reference of the row at the place or, if it is empty, of the next row; None: the end.
    """

    name: str
    version: int
    next_reference: str | None


# One statement each, so that no other process writes in between.
_GAP: Final = (
    "SELECT name, version, next, (SELECT name || '@' || version FROM record WHERE (name, version) >= (?1, ?2)"
    " ORDER BY name, version LIMIT 1)"
    " FROM record WHERE (name, version) < (?1, ?2) ORDER BY name DESC, version DESC LIMIT 1"
)
_ROW_BEFORE_AND_ROWS_FROM: Final = (
    "SELECT * FROM (SELECT {columns} FROM record WHERE (name, version) < (?1, ?2)"
    " ORDER BY name DESC, version DESC LIMIT 1)"
    " UNION ALL SELECT {columns} FROM record WHERE (name, version) >= (?1, ?2) ORDER BY name, version"
)
NAMES: Final = _ROW_BEFORE_AND_ROWS_FROM.format(columns="name, version, next")
ROWS: Final = _ROW_BEFORE_AND_ROWS_FROM.format(columns="name, version, next, revision, payload, crc32, info")
_RELINK: Final = "UPDATE record SET next = ? WHERE name = ? AND version = ?"


def find_gap(connection: sqlite3.Connection, path: str, name: str, version: int) -> Gap:
    """The place of the version `version` of `name`, whether it exists or not.

    Raises:
        CorruptedStoreError: the rows on both sides are not linked, so one is lost or damaged.
    """
    found: tuple[str, int, int, str | None] | None = connection.execute(_GAP, (name, version)).fetchone()
    if found is None:
        raise _broken(path)
    before_name, before_version, checksum, next_reference = found
    if checksum != link(f"{before_name}@{before_version}", next_reference):
        raise _broken(path)
    next_name, _, next_version = (next_reference or f"{name}@{version}").rpartition("@")
    # Damage may also lead a search to rows that are linked and are elsewhere.
    if not (before_name, before_version) < (name, version) <= (next_name, int(next_version)):
        raise _broken(path)
    return Gap(before_name, before_version, next_reference)


def relink(connection: sqlite3.Connection, gap: Gap, next_reference: str | None) -> None:
    """Link the row before `gap` to the row of `next_reference`, which is the next one from now on."""
    connection.execute(_RELINK, (link(f"{gap.name}@{gap.version}", next_reference), gap.name, gap.version))


def _rows_from(connection: sqlite3.Connection, path: str, statement: str, name: str) -> Generator[tuple[Any, ...]]:
    """Rows from (`name`, 1) on, by NAMES or ROWS, each linked to the one before. Close it: until then it reads.

    Raises:
        CorruptedStoreError: two are not linked, so a row is lost or damaged.
    """
    with closing(connection.execute(statement, (name, 1))) as cursor:
        before, row = cursor.fetchone(), cursor.fetchone()
        if before is None or not _are_linked(before, row):
            raise _broken(path)
        if not before[:2] < (name, 1) <= (row or (name, 1))[:2]:  # as in `find_gap`
            raise _broken(path)
        while row is not None:
            yield row
            before, row = row, cursor.fetchone()
            if not _are_linked(before, row):
                raise _broken(path)


def _are_linked(row: tuple[Any, ...], next_row: tuple[Any, ...] | None) -> bool:
    next_reference = None if next_row is None else f"{next_row[0]}@{next_row[1]}"
    linked: bool = row[2] == link(f"{row[0]}@{row[1]}", next_reference)
    return linked


def _broken(path: str) -> CorruptedStoreError:
    return CorruptedStoreError(f"{path}: a record is damaged or lost", hint="restore the database from a backup")


# Rows.

_GET: Final = (
    "SELECT name, version, revision, info, payload, record.crc32, payload.crc32, bytes"
    " FROM record LEFT JOIN payload ON id = payload WHERE name = ? AND version = ? AND version > 0"
)
_MOST_ROWS: Final = 1_000  # in one page of names, so that not all rows of a name with very many versions are read


class Row(NamedTuple):
    """A row of `record`.

    Attributes:
        version, revision, info: as the columns.
        place: the `id` of its payload; None: it has none.
        payload: the payload if it has one and was read.
    """

    version: int
    revision: str
    info: bytes
    place: int | None
    payload: Secret | None


class Page(NamedTuple):
    """Names with their rows, and whether they are the last."""

    names: list[tuple[str, list[Row]]]
    is_last: bool


def read_row(connection: sqlite3.Connection, path: str, name: str, version: int) -> Row | None:
    """One row with its payload; None if it does not exist, and none was lost there.

    Raises:
        CorruptedStoreError: the row, its payload or a row beside it is damaged or lost.
    """
    row = _find(connection, path, name, version)
    if row is not None or version <= 0:
        return row
    own_transaction = not connection.in_transaction
    if own_transaction:
        connection.execute("BEGIN")  # so that both answers are of one moment, while other processes write
    try:
        row = _find(connection, path, name, version)
        if row is None and find_gap(connection, path, name, version).next_reference == f"{name}@{version}":
            raise _damaged(path, name, version)  # it exists, and a search does not find it
    finally:
        if own_transaction:
            connection.execute("ROLLBACK")
    return row


def read_versions(connection: sqlite3.Connection, path: str, name: str) -> list[Row]:
    """All rows of `name`, ascending, without their payloads. Raises as `read_row`."""
    names, _ = read_page(path, ROWS, name, name + "\0", 1, connection)
    return names[0][1] if names else []


def read_page(path: str, statement: str, start: str, end: str, size: int, connection: sqlite3.Connection) -> Page:
    """At most `size` names from `start` on and before `end`.

    By ROWS, each comes with all its rows, without their payloads; by NAMES, without rows. Raises as `read_row`.
    """
    names: list[tuple[str, list[Row]]] = []
    with closing(_rows_from(connection, path, statement, start)) as rows:
        for number, (name, version, _, *rest) in enumerate(rows):
            if name >= end:
                break
            if not names or name != names[-1][0]:
                if len(names) == size:
                    return Page(names, False)
                names.append((name, []))
            elif not rest and number >= _MOST_ROWS:
                return Page(names, False)
            if rest:
                revision, place, checksum, info = rest
                if not _is_whole(f"{name}@{version}", revision, info, place, checksum):
                    raise _damaged(path, name, version)
                names[-1][1].append(Row(version, revision, info, place, None))
    return Page(names, True)


def _find(connection: sqlite3.Connection, path: str, name: str, version: int) -> Row | None:
    cursor = connection.cursor()
    cursor.row_factory = _checked
    found: tuple[str, Row | None] | None = cursor.execute(_GET, (name, version)).fetchone()
    cursor.close()
    if found is None:
        return None
    reference, row = found
    # Damage may lead a search to another row.
    if row is None or reference != f"{name}@{version}":
        raise _damaged(path, name, version)
    return row


def _checked(_cursor: sqlite3.Cursor, columns: tuple[Any, ...]) -> tuple[str, Row | None]:
    """The reference of a row and the row, its payload hidden at once; None if it is not what was written."""
    name, version, revision, info, place, checksum, payload_checksum, payload = columns
    reference = f"{name}@{version}"
    hidden = Secret(payload) if isinstance(payload, bytes) else None
    whole = (
        _is_whole(reference, revision, info, place, checksum)
        and (hidden is None) == (place is None)
        and (hidden is None or payload_check(reference, hidden) == payload_checksum)
    )
    return reference, Row(version, revision, info, place, hidden) if whole else None


def _is_whole(reference: str, revision: object, info: object, place: object, checksum: object) -> bool:
    return isinstance(info, bytes) and record_check(reference, revision, place, info) == checksum


def _damaged(path: str, name: str, version: int) -> CorruptedStoreError:
    return CorruptedStoreError(
        f"{path}: the row of {name}@{version} is damaged", hint="restore the database from a backup"
    )
