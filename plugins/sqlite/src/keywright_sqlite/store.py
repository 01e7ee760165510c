"""`SqliteStore`: records as rows."""

from __future__ import annotations

import os
from binascii import crc32
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from keywright import CreateResult, Record, RecordInfo, Revision, Secret, State, check_name, decode_info, encode_info
from keywright.errors import (
    ConflictError,
    CorruptedStoreError,
    InvalidNameError,
    KeyExistsError,
    KeyNotFoundError,
    UnsupportedOperationError,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator, Iterator, Sequence

    from keywright import Guard, Problem
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
        after = "".join(character if character.isascii() else _AFTER_ALL for character in after)
        return (name for name, _ in self._pages(KEYS, prefix, after, limit))

    def scan(self, prefix: str = "") -> Iterator[Sequence[RecordInfo]]:
        """The versions of each name, in pages of one statement. Raises, as it goes, as `keywright.Store.versions`."""
        for name, rows in self._pages(ROWS, prefix, "", None):
            yield tuple(self._info(name, row) for row in rows)

    def _pages(self, statement: str, prefix: str, after: str, limit: int | None) -> Iterator[tuple[str, list[Row]]]:
        if not prefix.isascii():
            return  # names are ASCII; a lone surrogate could not even be asked for
        start, end = max(prefix, after + "\0"), prefix + _AFTER_ALL
        path, left, last = self._session.path, limit, False
        while not last and (left is None or left > 0):
            size = PAGE if left is None else min(PAGE, left)
            found = self._session.read(partial(read_page, path, statement, start, end, size))
            page, last = found or ([], True)
            yield from page
            if not last:
                start = page[-1][0] + "\0"
                left = None if left is None else left - len(page)

    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        """Add a version. Raises as `keywright.GuardedStore.create`."""
        add, info = self._creation(record)
        self._session.write(partial(self._guarded, guard, add))
        return info

    def _creation(self, record: Record) -> tuple[Callable[[sqlite3.Connection], None], RecordInfo]:
        """What adds a version, and its info."""
        if record.info.state is State.DESTROYED and record.payload is not None:
            raise UnsupportedOperationError(
                f"{record.info.reference}: a destroyed version has no payload", hint="leave the payload out"
            )
        info = _revised(record.info)
        reference = info.reference
        check_name(info.name, reserved=True)
        data = encode_info(info)

        def add(connection: sqlite3.Connection) -> None:
            before, number, behind = around(connection, self._session.path, info.name, info.version)
            if behind == reference:
                raise KeyExistsError(
                    f"{reference} already exists in {self._session.path}; nothing was written",
                    hint="use the next version",
                )
            place = _add_payload(connection, reference, record.payload)
            check = record_check(reference, info.revision, place, data)
            connection.execute(
                _ADD, (info.name, info.version, link(reference, behind), info.revision, place, check, data)
            )
            relink(connection, before, number, reference)

        return add, info

    def create_many(self, records: Sequence[Record], *, guard: Guard | None = None) -> Sequence[CreateResult]:
        """Add versions in one transaction. Raises as `keywright.BatchStore.create_many`."""

        def add_all(connection: sqlite3.Connection) -> list[CreateResult]:
            results = []
            for record in records:
                try:
                    add, info = self._creation(record)
                    add(connection)
                except KeyExistsError as error:
                    results.append(CreateResult("exists", error=error))
                except (UnsupportedOperationError, InvalidNameError) as error:
                    results.append(CreateResult("failed", error=error))
                else:
                    results.append(CreateResult("created", info))
            return results

        return self._session.write(partial(self._guarded, guard, add_all)) if records else []

    def update_info(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        """Replace metadata. Raises as `keywright.GuardedStore.update_info`."""
        info = _revised(info)

        def change(connection: sqlite3.Connection) -> None:
            row = self._expected(connection, info.name, info.version, expected)
            if info.state is State.DESTROYED and row.payload is not None:
                raise UnsupportedOperationError(
                    f"{info.reference}: a destroyed version has no payload", hint="use destroy"
                )
            _change(connection, info, row.place)

        self._session.write(partial(self._guarded, guard, change))
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
                raise UnsupportedOperationError(
                    f"{info.reference}: has no payload that could be replaced", hint="import it instead"
                )
            connection.execute(_WIPE, (row.place,))
            _change(connection, info, _add_payload(connection, info.reference, payload))
            return info

        info = self._session.write(partial(self._guarded, guard, change))
        self._session.erase(f"{info.reference} is updated")
        return info

    def destroy(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        """Replace metadata and erase the payload. Raises as `keywright.GuardedStore.destroy`."""
        if info.state is not State.DESTROYED:
            raise UnsupportedOperationError(f"{info.reference}: its state is not destroyed", hint="use update_info")
        info = _revised(info)

        def change(connection: sqlite3.Connection) -> bool:
            row = self._expected(connection, info.name, info.version, expected)
            connection.execute(_WIPE, (row.place,))
            _change(connection, info, None)
            return row.payload is not None

        if self._session.write(partial(self._guarded, guard, change)):
            self._session.erase(f"{info.reference} is destroyed")
        return info

    def remove(self, name: str, expected: Sequence[Revision]) -> None:
        """Remove a whole name. Raises as `keywright.WritableStore.remove`, and see `replace_payload`."""
        path = self._session.path

        def take_away(connection: sqlite3.Connection) -> bool:
            rows = read_versions(connection, path, name)
            if not rows:
                raise KeyNotFoundError(f"{path} has no key {name}", hint="`keywright list` lists the keys")
            if [row.revision for row in rows] != list(expected):
                raise _conflict(name, "removed")
            before, number, _ = around(connection, path, name, rows[0].version)
            _, _, behind = around(connection, path, name, rows[-1].version + 1)
            for row in rows:
                connection.execute(_WIPE, (row.place,))
            connection.execute(_REMOVE, (name,))
            relink(connection, before, number, behind)
            return any(row.place is not None for row in rows)

        if self._session.write(take_away):
            self._session.erase(f"{name} is removed")

    def check(self) -> Iterator[Problem]:
        """The problems of the database and its files. As `keywright.CheckedStore.check`."""
        from keywright_sqlite.check import check

        return check(self._session)

    def _guarded(
        self, guard: Guard | None, write: Callable[[sqlite3.Connection], _T], connection: sqlite3.Connection
    ) -> _T:
        """Write, if the record of `guard` is as it was; in the transaction of `connection`."""
        if guard is not None:
            row = connection.execute(_REVISION, (guard.name, guard.version)).fetchone()
            if row is None or row[0] != guard.revision:
                raise _conflict(f"{guard.name}@{guard.version}", "written")
        return write(connection)

    def _expected(self, connection: sqlite3.Connection, name: str, version: int, expected: Revision) -> Row:
        """The row, if it has the revision `expected`."""
        row = read_row(connection, self._session.path, name, version)
        if row is None:
            raise self._missing(name, version)
        if row.revision != expected:
            raise _conflict(f"{name}@{version}", "written")
        return row

    def _info(self, name: str, row: Row) -> RecordInfo:
        return decode_info(row.info, where=f"{self._session.path}: {name}@{row.version}", revision=row.revision)

    def _missing(self, name: str, version: int) -> KeyNotFoundError:
        return KeyNotFoundError(
            f"{self._session.path} has no key {name}@{version}", hint="`keywright list` lists the keys"
        )


def _conflict(subject: str, done: str) -> ConflictError:
    return ConflictError(f"{subject} changed since it was read; nothing was {done}", hint="read it and try again")


def _revised(info: RecordInfo) -> RecordInfo:
    """The metadata as it is to be stored."""
    return info.replace(revision=Revision(os.urandom(16).hex()))


def _change(connection: sqlite3.Connection, info: RecordInfo, place: int | None) -> None:
    """Write the row of `info`, with the payload in `place`."""
    data = encode_info(info)
    check = record_check(info.reference, info.revision, place, data)
    connection.execute(_CHANGE, (info.revision, place, check, data, info.name, info.version))


def _add_payload(connection: sqlite3.Connection, reference: str, payload: Secret | None) -> int | None:
    if payload is None:
        return None
    return connection.execute(_ADD_PAYLOAD, (payload_check(reference, payload), payload.reveal())).lastrowid


# Checksums: SQLite has none, and a flipped bit of a key is often another key. They are CRC-32 (IEEE 802.3, as in zip):
# they show damage, and do not protect from those who can write the file.


def record_check(reference: str, revision: object, place: object, info: bytes) -> int:
    """What `record.crc32` must be: whose the row is, which payload it has if any, and its metadata."""
    return crc32(info, crc32(f"{reference} {revision} {place}".encode()))


def payload_check(reference: str, payload: Secret) -> bytes:
    """What `payload.crc32` must be: the bytes, and whose they are.

    It is a blob, for its zeros are as long as itself: wiping must not change the length of the row.
    """
    return crc32(payload.reveal(), crc32(reference.encode())).to_bytes(4, "big")


def link(before: str, behind: str | None) -> int:
    """What `record.next` must be in the row `before`, if `behind` follows it; None: if it is the last."""
    return crc32(f"{before} {behind or ''}".encode())


# Links: each row of `record` knows the next one, so that a row which is lost is missed. SQLite finds a row by its key.
# If a bit of a key, of a pointer or of a count of cells is flipped it may find none, and would answer "no such key". So
# `next` holds a checksum of the row's own reference and that of the row behind, and a row with the name '' stands
# before all others: a place between two rows is empty only if the first is linked to the second.

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
        CorruptedStoreError: the two are not linked, so a row is lost or damaged.
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
        CorruptedStoreError: two are not linked, so a row is lost or damaged.
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


def _broken(path: str) -> CorruptedStoreError:
    return CorruptedStoreError(f"{path}: a record is damaged or lost", hint="restore the database from a backup")


# Reading rows, whole or not at all.

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
        CorruptedStoreError: the row, its payload or a row beside it is damaged or lost.
    """
    row = _found(connection, path, name, version)
    if row is not None or version <= 0:
        return row
    alone = not connection.in_transaction
    if alone:
        connection.execute("BEGIN")  # what is read now is of one moment, though other processes write
    try:
        row = _found(connection, path, name, version)
        if row is None and around(connection, path, name, version)[2] == f"{name}@{version}":
            raise _damaged(path, name, version)  # it exists, and a search does not find it
    finally:
        if alone:
            connection.execute("ROLLBACK")
    return row


def read_versions(connection: sqlite3.Connection, path: str, name: str) -> list[Row]:
    """All rows of `name`, ascending, without their payloads. Raises as `read_row`."""
    page, _ = read_page(path, ROWS, name, name + "\0", 1, connection)
    return page[0][1] if page else []


def read_page(
    path: str, statement: str, start: str, end: str, size: int, connection: sqlite3.Connection
) -> tuple[list[tuple[str, list[Row]]], bool]:
    """At most `size` names from `start` on and before `end`, and whether they are the last.

    By ROWS, each comes with all its rows, without their payloads; by KEYS, without rows. Raises as `read_row`.
    """
    page: list[tuple[str, list[Row]]] = []
    with closing(rows_from(connection, path, statement, start)) as rows:
        for number, (name, version, _, *rest) in enumerate(rows):
            if name >= end:
                return page, True
            if not page or name != page[-1][0]:
                if len(page) == size:
                    return page, False
                page.append((name, []))
            elif not rest and number >= _MOST_ROWS:
                return page, False
            if rest:
                revision, place, check, info = rest
                if not _is_whole(f"{name}@{version}", revision, info, place, check):
                    raise _damaged(path, name, version)
                page[-1][1].append(Row(version, revision, info, place, None))
    return page, True


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
    """Whose the row is, and the row, its payload hidden at once; None if it is not what was written."""
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


def _damaged(path: str, name: str, version: int) -> CorruptedStoreError:
    return CorruptedStoreError(
        f"{path}: the row of {name}@{version} is damaged", hint="restore the database from a backup"
    )
