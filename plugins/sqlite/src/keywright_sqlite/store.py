"""`SqliteStore`: records as rows."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from keywright import Record, RecordInfo, Revision, State, decode_info, encode_info, parse_reference
from keywright.errors import ConflictError, KeyExistsError, KeyNotFoundError, UnsupportedOperationError
from keywright_sqlite.checksums import link, payload_check, record_check
from keywright_sqlite.links import around, relink
from keywright_sqlite.rows import Row, read_names, read_row, read_versions

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from keywright import Secret
    from keywright_sqlite.session import Session

__all__ = ["SqliteStore"]

PAGE: Final = 256  # names fetched at once; no transaction stays open while their reader takes its time
_AFTER_ALL: Final = "\x7f"  # sorts after every character of a name

_ADD: Final = "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)"
_CHANGE: Final = "UPDATE record SET revision = ?, payload = ?, crc32 = ?, info = ? WHERE name = ? AND version = ?"
_ADD_PAYLOAD: Final = "INSERT INTO payload (crc32, bytes) VALUES (?, ?)"
# As long as before, so that it goes where the old bytes are.
_WIPE: Final = "UPDATE payload SET crc32 = zeroblob(4), bytes = zeroblob(length(bytes)) WHERE id = ?"
_REMOVE: Final = "DELETE FROM record WHERE name = ?"


class SqliteStore:
    """A `WritableStore` in one SQLite database. Safe to use from threads, across forks and beside other processes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<sqlite store {self._session.path}>"

    def get(self, name: str, version: int) -> Record:
        """One record. Raises as `keywright.Store.get`."""
        row = self._session.read(lambda connection: read_row(connection, self._session.path, name, version))
        if row is None:
            raise self._missing(name, version)
        return Record(self._info(name, row), row.payload)

    def versions(self, name: str) -> Sequence[RecordInfo]:
        """All versions, ascending. Raises as `keywright.Store.versions`."""
        rows = self._session.read(lambda connection: read_versions(connection, self._session.path, name))
        return tuple(self._info(name, row) for row in rows or ())

    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        """Names in the order of their bytes. Raises, as it goes, as `keywright.Store.names`."""
        if not prefix.isascii():
            return  # names are ASCII; a lone surrogate could not even be asked for
        after = "".join(character if character.isascii() else _AFTER_ALL for character in after)
        start, end = max(prefix, after + "\0"), prefix + _AFTER_ALL
        path, left, last = self._session.path, limit, False
        while not last and (left is None or left > 0):
            size = PAGE if left is None else min(PAGE, left)
            found = self._session.read(partial(read_names, path=path, start=start, end=end, size=size))
            page, last = found or ([], True)
            yield from page
            if not last:
                start = page[-1] + "\0"
                left = None if left is None else left - len(page)

    def create(self, record: Record) -> RecordInfo:
        """Add a version. Raises as `keywright.WritableStore.create`."""
        info = _revised(record)
        reference = info.reference
        parse_reference(reference)
        data = encode_info(info)

        def add(connection: sqlite3.Connection) -> None:
            before, number, behind = around(connection, self._session.path, info.name, info.version)
            if behind == reference:
                raise KeyExistsError(
                    f"{reference} is in {self._session.path} already; nothing was written; take the next version"
                )
            place = _add_payload(connection, reference, record.payload)
            check = record_check(reference, info.revision, place, data)
            connection.execute(
                _ADD, (info.name, info.version, link(reference, behind), info.revision, place, check, data)
            )
            relink(connection, before, number, reference)

        self._session.write(add)
        return info

    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        """Replace metadata or payload, or destroy. Raises as `keywright.WritableStore.update`.

        DurabilityUnknownError may also say that all was done, but a reader kept the old payload in the log.
        """
        info = _revised(record)
        reference = info.reference
        data = encode_info(info)
        destroyed = info.state is State.DESTROYED and record.payload is None

        def change(connection: sqlite3.Connection) -> bool:
            row = read_row(connection, self._session.path, info.name, info.version)
            if row is None:
                raise self._missing(info.name, info.version)
            if row.revision != expected:
                raise ConflictError(
                    f"{reference} changed since it was read; nothing was written; read it and try again"
                )
            replaced = record.payload != row.payload
            if replaced and data != row.info and not destroyed:
                raise UnsupportedOperationError(
                    f"{reference}: an update changes metadata or payload, not both; nothing was written; make two"
                )
            place = row.place
            if replaced:
                connection.execute(_WIPE, (place,))
                place = _add_payload(connection, reference, record.payload)
            check = record_check(reference, info.revision, place, data)
            connection.execute(_CHANGE, (info.revision, place, check, data, info.name, info.version))
            return replaced and row.payload is not None

        if self._session.write(change):
            self._session.erase(f"{reference} is {'destroyed' if destroyed else 'updated'}")
        return info

    def remove(self, name: str, *, expected: Sequence[Revision]) -> None:
        """Take a whole name away. Raises as `keywright.WritableStore.remove`, and see `update`."""
        path = self._session.path

        def take_away(connection: sqlite3.Connection) -> bool:
            rows = read_versions(connection, path, name)
            if not rows:
                raise KeyNotFoundError(f"{path} holds no {name}; `keywright list` prints what it holds")
            if [row.revision for row in rows] != list(expected):
                raise ConflictError(f"{name} changed since it was read; nothing was removed; read it and try again")
            before, number, _ = around(connection, path, name, rows[0].version)
            _, _, behind = around(connection, path, name, rows[-1].version + 1)
            for row in rows:
                connection.execute(_WIPE, (row.place,))
            connection.execute(_REMOVE, (name,))
            relink(connection, before, number, behind)
            return any(row.place is not None for row in rows)

        if self._session.write(take_away):
            self._session.erase(f"{name} is removed")

    def examine(self) -> Iterator[str]:
        """One sentence for each fault of the database and its files. As `keywright.ExaminedStore.examine`."""
        from keywright_sqlite.examine import examine

        return examine(self._session)

    def _info(self, name: str, row: Row) -> RecordInfo:
        return decode_info(row.info, where=f"{self._session.path}: {name}@{row.version}", revision=row.revision)

    def _missing(self, name: str, version: int) -> KeyNotFoundError:
        return KeyNotFoundError(
            f"{self._session.path} holds no {name}@{version}; `keywright list` prints what it holds"
        )


def _revised(record: Record) -> RecordInfo:
    """The metadata as they are to be stored."""
    if record.info.state is State.DESTROYED and record.payload is not None:
        raise UnsupportedOperationError(
            f"{record.info.reference}: a destroyed version has no payload; leave the payload out"
        )
    return replace(record.info, revision=Revision(os.urandom(16).hex()))


def _add_payload(connection: sqlite3.Connection, reference: str, payload: Secret | None) -> int | None:
    if payload is None:
        return None
    return connection.execute(_ADD_PAYLOAD, (payload_check(reference, payload), payload.reveal())).lastrowid
