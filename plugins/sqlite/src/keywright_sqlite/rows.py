"""Reading rows, whole or not at all."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from keywright import Secret
from keywright.errors import DamagedStoreError
from keywright_sqlite.checksums import payload_check, record_check
from keywright_sqlite.links import KEYS, ROWS, around, rows_from

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

__all__ = ["Row", "read_names", "read_row", "read_versions"]

_GET: Final = (
    "SELECT name, version, revision, info, payload, record.crc32, payload.crc32, bytes"
    " FROM record LEFT JOIN payload ON id = payload WHERE name = ? AND version = ? AND version > 0"
)
_MOST_ROWS: Final = 1_000  # for one page of names: those of a name with very many versions are not all read


class Row(NamedTuple):
    """A row of `record`; `place` is the row of its payload, if it has any."""

    version: int
    revision: str
    info: bytes
    place: int | None
    payload: Secret | None


def read_row(connection: sqlite3.Connection, path: str, name: str, version: int) -> Row | None:
    """One row with its payload; None if there is no such row, and none was lost there.

    Raises:
        DamagedStoreError: the row, its payload or a row beside it is damaged or lost.
    """
    row = _found(connection, path, name, version)
    if row is None and version > 0:
        with _one_state(connection):
            row = _found(connection, path, name, version)
            if row is None and around(connection, path, name, version)[2] == f"{name}@{version}":
                raise _damaged(path, name, version)  # it is there, and a search does not find it
    return row


def read_versions(connection: sqlite3.Connection, path: str, name: str) -> list[Row]:
    """All rows of `name`, ascending, without their payloads. Raises as `read_row`."""
    versions: list[Row] = []
    with closing(rows_from(connection, path, ROWS, name)) as rows:
        for found, version, _, revision, place, check, info in rows:
            if found != name:
                break
            if not _is_whole(f"{name}@{version}", revision, info, place, check):
                raise _damaged(path, name, version)
            versions.append(Row(version, revision, info, place, None))
    return versions


def read_names(connection: sqlite3.Connection, path: str, start: str, end: str, size: int) -> tuple[list[str], bool]:
    """At most `size` names from `start` on and before `end`, and whether they are the last. Raises as `read_row`."""
    names: list[str] = []
    with closing(rows_from(connection, path, KEYS, start)) as rows:
        for number, (name, *_) in enumerate(rows):
            if name >= end:
                return names, True
            if names and name == names[-1]:
                if number >= _MOST_ROWS:
                    return names, False
            elif len(names) == size:
                return names, False
            else:
                names.append(name)
    return names, True


@contextmanager
def _one_state(connection: sqlite3.Connection) -> Iterator[None]:
    """What is read inside is of one moment, whoever writes."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def _found(connection: sqlite3.Connection, path: str, name: str, version: int) -> Row | None:
    cursor = connection.cursor()
    cursor.row_factory = _checked
    found: tuple[str, Row | None] | None = cursor.execute(_GET, (name, version)).fetchone()
    cursor.close()
    if found is None:
        return None
    reference, row = found
    # A search that damage led astray may end at another row.
    if row is None or reference != f"{name}@{version}":
        raise _damaged(path, name, version)
    return row


def _checked(_cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> tuple[str, Row | None]:
    """Whose the row is, and the row, its payload hidden before anybody sees it; None if it is not what was written."""
    name, version, revision, info, place, check, payload_is, payload = row
    reference = f"{name}@{version}"
    hidden = Secret(payload) if isinstance(payload, bytes) else None
    whole = (
        _is_whole(reference, revision, info, place, check)
        and (hidden is None) == (place is None)
        and (hidden is None or payload_check(reference, hidden) == payload_is)
    )
    return reference, Row(version, revision, info, place, hidden) if whole else None


def _is_whole(reference: str, revision: object, info: object, place: object, check: object) -> bool:
    return isinstance(info, bytes) and record_check(reference, revision, place, info) == check


def _damaged(path: str, name: str, version: int) -> DamagedStoreError:
    return DamagedStoreError(f"{path}: the row of {name}@{version} is damaged; restore the database from a backup")
