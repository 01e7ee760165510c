"""`SqliteStore`: records as rows."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from keywright import Record, RecordInfo, Revision, Secret, State, decode_info, encode_info, parse_reference
from keywright.errors import (
    ConflictError,
    DamagedStoreError,
    KeyExistsError,
    KeyNotFoundError,
    UnsupportedOperationError,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from keywright_sqlite.session import Session

    _Row = tuple[str, bytes, int | None, Secret | None]

__all__ = ["SqliteStore"]

PAGE: Final = 256  # names fetched at once; no transaction stays open while their reader takes its time
_AFTER_ALL: Final = "\x7f"  # sorts after every character of a name

_GET: Final = (
    "SELECT revision, info, record.payload, bytes"
    " FROM record LEFT JOIN payload ON payload.id = record.payload WHERE name = ? AND version = ?"
)
_VERSIONS: Final = "SELECT version, revision, info FROM record WHERE name = ? ORDER BY version"
# Each step seeks to the next name, so that the versions in between cost nothing.
_NAMES: Final = (
    "WITH RECURSIVE page(name) AS ("
    " SELECT (SELECT name FROM record WHERE name >= ?1 AND name < ?2 ORDER BY name LIMIT 1)"
    " UNION ALL"
    " SELECT (SELECT record.name FROM record WHERE record.name > page.name AND record.name < ?2"
    " ORDER BY record.name LIMIT 1) FROM page WHERE page.name IS NOT NULL"
    " LIMIT ?3) SELECT name FROM page WHERE name IS NOT NULL"
)
_ADD: Final = "INSERT INTO record VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_CHANGE: Final = "UPDATE record SET revision = ?, info = ?, payload = ? WHERE name = ? AND version = ?"
_ADD_PAYLOAD: Final = "INSERT INTO payload (bytes) VALUES (?)"
# As long as before, so that it goes where the old bytes are.
_WIPE: Final = "UPDATE payload SET bytes = zeroblob(length(bytes)) WHERE id = ?"
_OF_NAME: Final = "SELECT revision, payload FROM record WHERE name = ? ORDER BY version"
_REMOVE: Final = "DELETE FROM record WHERE name = ?"


class SqliteStore:
    """A `WritableStore` in one SQLite database. Safe to use from threads, across forks and beside other processes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<sqlite store {self._session.path}>"

    def get(self, name: str, version: int) -> Record:
        """One record. Raises as `keywright.Store.get`."""
        with self._session.reading() as connection:
            row = None if connection is None else self._row(connection, name, version)
        if row is None:
            raise self._missing(name, version)
        revision, info, _, payload = row
        return Record(self._info(name, version, info, revision), payload)

    def versions(self, name: str) -> Sequence[RecordInfo]:
        """All versions, ascending. Raises as `keywright.Store.versions`."""
        with self._session.reading() as connection:
            rows = [] if connection is None else connection.execute(_VERSIONS, (name,)).fetchall()
        return tuple(self._info(name, version, info, revision) for version, revision, info in rows)

    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        """Names in the order of their bytes. Raises, as it goes, as `keywright.Store.names`."""
        if not prefix.isascii():
            return  # names are ASCII; a lone surrogate could not even be asked for
        after = "".join(character if character.isascii() else _AFTER_ALL for character in after)
        start, end = max(prefix, after + "\0"), prefix + _AFTER_ALL
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            with self._session.reading() as connection:
                rows = [] if connection is None else connection.execute(_NAMES, (start, end, size)).fetchall()
            for (name,) in rows:
                yield name
            if len(rows) < size:
                return
            start = rows[-1][0] + "\0"
            left = None if left is None else left - size

    def create(self, record: Record) -> RecordInfo:
        """Add a version. Raises as `keywright.WritableStore.create`."""
        info = _revised(record.info)
        parse_reference(info.reference)
        data = encode_info(info)
        with self._session.writing() as connection:
            payload = _add_payload(connection, record.payload)
            added = connection.execute(_ADD, (info.name, info.version, info.revision, data, payload)).rowcount
            if not added:
                raise KeyExistsError(
                    f"{info.reference} is in {self._session.path} already; nothing was written; take the next version"
                )
        return info

    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        """Replace metadata or payload, or destroy. Raises as `keywright.WritableStore.update`.

        DurabilityUnknownError may also say that all was done, but a reader kept the old payload in the log.
        """
        info = _revised(record.info)
        data = encode_info(info)
        with self._session.writing() as connection:
            row = self._row(connection, info.name, info.version)
            if row is None:
                raise self._missing(info.name, info.version)
            revision, old_data, place, old_payload = row
            if revision != expected:
                raise ConflictError(
                    f"{info.reference} changed since it was read; nothing was written; read it and try again"
                )
            replaced = record.payload != old_payload
            destroyed = info.state is State.DESTROYED and record.payload is None
            if replaced and data != old_data and not destroyed:
                raise UnsupportedOperationError(
                    f"{info.reference}: an update changes metadata or payload, not both; nothing was written; make two"
                )
            if replaced:
                connection.execute(_WIPE, (place,))
                place = _add_payload(connection, record.payload)
            connection.execute(_CHANGE, (info.revision, data, place, info.name, info.version))
        if replaced and old_payload is not None:
            self._session.erase(f"{info.reference} is {'destroyed' if destroyed else 'updated'}")
        return info

    def remove(self, name: str, *, expected: Sequence[Revision]) -> None:
        """Take a whole name away. Raises as `keywright.WritableStore.remove`, and see `update`."""
        with self._session.writing() as connection:
            rows = connection.execute(_OF_NAME, (name,)).fetchall()
            if not rows:
                raise KeyNotFoundError(f"{self._session.path} holds no {name}; `keywright list` prints what it holds")
            if [revision for revision, _ in rows] != list(expected):
                raise ConflictError(f"{name} changed since it was read; nothing was removed; read it and try again")
            for _, place in rows:
                connection.execute(_WIPE, (place,))
            connection.execute(_REMOVE, (name,))
        if any(place is not None for _, place in rows):
            self._session.erase(f"{name} is removed")

    def examine(self) -> Iterator[str]:
        """One sentence for each fault of the database and its files. As `keywright.ExaminedStore.examine`."""
        from keywright_sqlite.examine import examine

        return examine(self._session)

    def _row(self, connection: sqlite3.Connection, name: str, version: int) -> _Row | None:
        """Revision, metadata, place of the payload, and the payload, hidden before anybody sees it."""
        cursor = connection.cursor()
        cursor.row_factory = _hiding
        row: _Row | None = cursor.execute(_GET, (name, version)).fetchone()
        cursor.close()
        if row is not None and row[2] is not None and row[3] is None:
            raise self._damaged(name, version)
        return row

    def _info(self, name: str, version: int, data: bytes, revision: str) -> RecordInfo:
        info = decode_info(data, where=f"{self._session.path}: {name}@{version}", revision=revision)
        if (info.name, info.version) != (name, version):
            raise self._damaged(name, version)
        return info

    def _missing(self, name: str, version: int) -> KeyNotFoundError:
        return KeyNotFoundError(
            f"{self._session.path} holds no {name}@{version}; `keywright list` prints what it holds"
        )

    def _damaged(self, name: str, version: int) -> DamagedStoreError:
        return DamagedStoreError(
            f"{self._session.path}: the row of {name}@{version} is damaged; restore the database from a backup"
        )


def _revised(info: RecordInfo) -> RecordInfo:
    return replace(info, revision=Revision(os.urandom(16).hex()))


def _add_payload(connection: sqlite3.Connection, payload: Secret | None) -> int | None:
    if payload is None:
        return None
    return connection.execute(_ADD_PAYLOAD, (payload.reveal(),)).lastrowid


def _hiding(_cursor: sqlite3.Cursor, row: tuple[object, ...]) -> tuple[object, ...]:
    *rest, payload = row
    return (*rest, Secret(payload) if isinstance(payload, bytes) else None)
