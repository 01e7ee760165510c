"""`SqliteStore`: records as rows."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from keywright import CreateResult, Record, Revision, State, check_name, decode_info, encode_info, errors
from keywright_sqlite import links

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence

    from keywright import Guard, Problem, RecordInfo, Secret
    from keywright_sqlite.links import Row
    from keywright_sqlite.session import Session


PAGE: Final = 256  # names fetched at once; no transaction stays open while their reader takes its time
_AFTER_ALL: Final = "\x7f"  # sorts after every character of a name

_ADD: Final = "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)"
_CHANGE: Final = "UPDATE record SET revision = ?, payload = ?, crc32 = ?, info = ? WHERE name = ? AND version = ?"
_ADD_PAYLOAD: Final = "INSERT INTO payload (crc32, bytes) VALUES (?, ?)"
# As long as before, so that it goes where the old bytes are.
_WIPE: Final = "UPDATE payload SET crc32 = zeroblob(4), bytes = zeroblob(length(bytes)) WHERE id = ?"
_REMOVE: Final = "DELETE FROM record WHERE name = ?"
_REVISION: Final = "SELECT revision FROM record WHERE name = ? AND version = ?"
_T = TypeVar("_T")


class SqliteStore:
    """A `GuardedStore`, `BatchStore`, `ScannedStore` and `CheckedStore` in one SQLite database.

    Safe to use from threads, across forks and beside other processes.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<sqlite store {self._session.path}>"

    def get(self, name: str, version: int) -> Record:
        """One record. Raises as `keywright.Store.get`."""
        row = self._session.read(lambda connection: links.read_row(connection, self._session.path, name, version))
        if row is None:
            raise errors.key_not_found(name, version)
        return Record(self._info(name, row), row.payload)

    def versions(self, name: str) -> Sequence[RecordInfo]:
        """All versions, ascending. Raises as `keywright.Store.versions`."""
        rows = self._session.read(lambda connection: links.read_versions(connection, self._session.path, name))
        return tuple(self._info(name, row) for row in rows or ())

    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        """Names in the order of their bytes. Raises, as it goes, as `keywright.Store.names`."""
        after = "".join(character if character.isascii() else _AFTER_ALL for character in after)
        return (name for name, _ in self._pages(links.NAMES, prefix, after, limit))

    def scan(self, prefix: str = "") -> Iterator[Sequence[RecordInfo]]:
        """The versions of each name, in pages of one statement. Raises, as it goes, as `keywright.Store.versions`."""
        for name, rows in self._pages(links.ROWS, prefix, "", None):
            yield tuple(self._info(name, row) for row in rows)

    def _pages(self, statement: str, prefix: str, after: str, limit: int | None) -> Iterator[tuple[str, list[Row]]]:
        if not prefix.isascii():
            return  # names are ASCII; a lone surrogate could not even be asked for
        start, end = max(prefix, after + "\0"), prefix + _AFTER_ALL
        path, left, last = self._session.path, limit, False
        while not last and (left is None or left > 0):
            size = PAGE if left is None else min(PAGE, left)
            page, last = self._session.read(partial(links.read_page, path, statement, start, end, size)) or ([], True)
            yield from page
            if not last:
                start = page[-1][0] + "\0"
                left = None if left is None else left - len(page)

    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        """Add a version. Raises as `keywright.GuardedStore.create`."""
        info, data = _prepared(record)
        self._write(guard, lambda connection: self._add(connection, info, data, record.payload))
        return info

    def create_many(self, records: Sequence[Record], *, guard: Guard | None = None) -> Sequence[CreateResult]:
        """Add versions in one transaction. Raises as `keywright.BatchStore.create_many`."""

        def add_all(connection: sqlite3.Connection) -> list[CreateResult]:
            results = []
            for record in records:
                try:
                    info, data = _prepared(record)
                    self._add(connection, info, data, record.payload)
                except errors.KeyExistsError as error:
                    results.append(CreateResult("exists", error=error))
                except (errors.UnsupportedOperationError, errors.InvalidNameError) as error:
                    results.append(CreateResult("failed", error=error))
                else:
                    results.append(CreateResult("created", info))
            return results

        return self._write(guard, add_all) if records else []

    def update_info(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        """Replace metadata. Raises as `keywright.GuardedStore.update_info`."""
        info = _revised(info)

        def change(connection: sqlite3.Connection) -> None:
            row = self._expected(connection, info.name, info.version, expected)
            if info.state is State.DESTROYED and row.payload is not None:
                raise errors.payload_of_destroyed(info.name, info.version)
            _change(connection, info, row.place)

        self._write(guard, change)
        return info

    def replace_payload(
        self, name: str, version: int, payload: Secret, expected: Revision, *, guard: Guard | None = None
    ) -> RecordInfo:
        """Replace the payload. Raises as `keywright.GuardedStore.replace_payload`.

        DurabilityError may also say that all was done, but a reader kept the old payload in the log.
        """

        def change(connection: sqlite3.Connection) -> RecordInfo:
            row = self._expected(connection, name, version, expected)
            info = _revised(self._info(name, row))
            if row.payload is None:
                raise errors.no_payload(name, version)
            connection.execute(_WIPE, (row.place,))
            _change(connection, info, _add_payload(connection, info.reference, payload))
            return info

        info = self._write(guard, change)
        self._session.erase(f"{info.reference} was updated")
        return info

    def destroy(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        """Replace metadata and erase the payload. Raises as `keywright.GuardedStore.destroy`."""
        if info.state is not State.DESTROYED:
            raise errors.not_destroyed(info.name, info.version)
        info = _revised(info)

        def change(connection: sqlite3.Connection) -> bool:
            row = self._expected(connection, info.name, info.version, expected)
            connection.execute(_WIPE, (row.place,))
            _change(connection, info, None)
            return row.payload is not None

        if self._write(guard, change):
            self._session.erase(f"{info.reference} was destroyed")
        return info

    def remove(self, name: str, expected: Sequence[Revision]) -> None:
        """Remove a whole name. Raises as `keywright.WritableStore.remove`, and see `replace_payload`."""
        path = self._session.path

        def remove_rows(connection: sqlite3.Connection) -> bool:
            rows = links.read_versions(connection, path, name)
            if not rows:
                raise errors.key_not_found(name)
            if [row.revision for row in rows] != list(expected):
                raise errors.conflict(name)
            gap = links.find_gap(connection, path, name, rows[0].version)
            next_reference = links.find_gap(connection, path, name, rows[-1].version + 1).next_reference
            for row in rows:
                connection.execute(_WIPE, (row.place,))
            connection.execute(_REMOVE, (name,))
            links.relink(connection, gap, next_reference)
            return any(row.place is not None for row in rows)

        if self._session.write(remove_rows):
            self._session.erase(f"{name} was removed")

    def check(self) -> Iterator[Problem]:
        """The problems of the database and its files. As `keywright.CheckedStore.check`."""
        from keywright_sqlite.check import check

        return check(self._session)

    def _write(self, guard: Guard | None, change: Callable[[sqlite3.Connection], _T]) -> _T:
        """What `change` returns, in a transaction that sees the record of `guard` as the guard says."""

        def work(connection: sqlite3.Connection) -> _T:
            if guard is not None:
                row = connection.execute(_REVISION, (guard.name, guard.version)).fetchone()
                if row is None or row[0] != guard.revision:
                    raise errors.conflict(guard.name, guard.version)
            return change(connection)

        return self._session.write(work)

    def _add(self, connection: sqlite3.Connection, info: RecordInfo, data: bytes, payload: Secret | None) -> None:
        gap = links.find_gap(connection, self._session.path, info.name, info.version)
        if gap.next_reference == info.reference:
            raise errors.key_exists(info.name, info.version)
        place = _add_payload(connection, info.reference, payload)
        checksum = links.record_check(info.reference, info.revision, place, data)
        next_link = links.link(info.reference, gap.next_reference)
        connection.execute(_ADD, (info.name, info.version, next_link, info.revision, place, checksum, data))
        links.relink(connection, gap, info.reference)

    def _expected(self, connection: sqlite3.Connection, name: str, version: int, expected: Revision) -> Row:
        """The row, if it has the revision `expected`."""
        row = links.read_row(connection, self._session.path, name, version)
        if row is None:
            raise errors.key_not_found(name, version)
        if row.revision != expected:
            raise errors.conflict(name, version)
        return row

    def _info(self, name: str, row: Row) -> RecordInfo:
        return decode_info(row.info, where=f"{self._session.path}: {name}@{row.version}", revision=row.revision)


def _prepared(record: Record) -> tuple[RecordInfo, bytes]:
    """The metadata of a new version as it will be stored, and its encoding."""
    if record.info.state is State.DESTROYED and record.payload is not None:
        raise errors.payload_of_destroyed(record.info.name, record.info.version)
    check_name(record.info.name, reserved=True)
    info = _revised(record.info)
    return info, encode_info(info)


def _revised(info: RecordInfo) -> RecordInfo:
    """The metadata as it is to be stored."""
    return info.replace(revision=Revision(os.urandom(16).hex()))


def _change(connection: sqlite3.Connection, info: RecordInfo, place: int | None) -> None:
    """Write the row of `info`, with the payload in `place`."""
    data = encode_info(info)
    checksum = links.record_check(info.reference, info.revision, place, data)
    connection.execute(_CHANGE, (info.revision, place, checksum, data, info.name, info.version))


def _add_payload(connection: sqlite3.Connection, reference: str, payload: Secret | None) -> int | None:
    if payload is None:
        return None
    return connection.execute(_ADD_PAYLOAD, (links.payload_check(reference, payload), payload.reveal())).lastrowid
