"""What `keywright doctor` asks of a database: what opening it does not notice."""

from __future__ import annotations

import os
import sqlite3
import stat
from typing import TYPE_CHECKING, Final

from keywright.errors import StoreError
from keywright_sqlite import files
from keywright_sqlite.database import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keywright_sqlite.session import Session


_TABLES: Final = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
_UNOWNED: Final = (
    "SELECT EXISTS (SELECT 1 FROM payload LEFT JOIN record ON record.payload = payload.id"
    " WHERE record.payload IS NULL AND (bytes <> zeroblob(length(bytes)) OR payload.crc32 <> zeroblob(4)))"
)
_SHARED: Final = "SELECT EXISTS (SELECT 1 FROM record WHERE payload IS NOT NULL GROUP BY payload HAVING count(*) > 1)"


def examine(session: Session) -> Iterator[str]:
    """One sentence for each problem. Read-only."""
    sentences = [*_files(session.path)]
    try:
        sentences += session.read(lambda connection: [*_content(connection, session.path)]) or ()
    except StoreError as error:
        sentences.append(str(error))
    # Unsafe permissions are seen twice: looked for, and when the database is to be read.
    yield from dict.fromkeys(sentences)


def _files(path: str) -> Iterator[str]:
    directory = os.path.dirname(path)
    try:
        above, found, log = files.look(directory), files.look(path), files.size(path + "-wal")
        if found is not None:
            yield from _unsafe(path, found)
        if above is not None:
            yield from _directory(directory, above, placed=found is not None)
    except StoreError as error:
        yield str(error)
        return
    if log and found is None:
        yield (
            f"{path}-wal holds what was written to a database that is not there, keys perhaps among it; put the "
            "database back beside it, or remove it"
        )
    elif log and not files.accepts_writes(path):
        yield (
            f"{path}-wal holds writes that cannot be moved into the database here, old secrets perhaps among them; "
            "open the store once where it is writable"
        )


def _unsafe(path: str, found: os.stat_result) -> Iterator[str]:
    try:
        files.check(path, found)
    except StoreError as error:
        yield str(error)
    if found.st_nlink > 1:
        yield (
            f"{path} has a second name (a hard link), under which the keys would outlive the store; remove that name, "
            "or make the store a copy of its own"
        )


def _directory(directory: str, above: os.stat_result, *, placed: bool) -> Iterator[str]:
    if above.st_mode & stat.S_IWGRP and not above.st_mode & stat.S_ISVTX:
        yield (
            f"{directory} is writable by its group, who could put another database in the store's place; run "
            f"`chmod g-w {directory}`, and see that the keys in it are still yours"
        )
    try:
        left = any(files.is_temporary(name) for name in os.listdir(directory))
    except OSError as error:
        yield str(files.LOOKUP.error(error, directory))
        return
    # Before the database is in its place, they may be at work.
    if placed and left:
        yield f"{directory} has files .keywright-*.new, which an interrupted writer left; remove them"


def _content(connection: sqlite3.Connection, path: str) -> Iterator[str]:
    # Its own words could quote what is in the file.
    if connection.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
        yield f"{path}: the database fails SQLite's integrity check; restore it from a backup"
        return
    if connection.execute(_TABLES).fetchall() != _tables():
        yield (
            f"{path}: the database has other tables, indexes or triggers than keywright makes; restore it from a backup"
        )
        return
    if _is_so(connection, _UNOWNED):
        yield f"{path}: the database holds secrets that no version owns; restore it from a backup"
    if _is_so(connection, _SHARED):
        yield f"{path}: two versions share one payload; restore the database from a backup"


def _tables() -> list[tuple[str, str, str, str]]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(connection)
        return connection.execute(_TABLES).fetchall()
    finally:
        connection.close()


def _is_so(connection: sqlite3.Connection, question: str) -> bool:
    row: tuple[int] = connection.execute(question).fetchone()
    return bool(row[0])
