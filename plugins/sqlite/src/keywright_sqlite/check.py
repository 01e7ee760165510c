"""What `keywright doctor` asks of a database: what opening it does not notice."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING, Final

from keywright import Problem
from keywright.errors import StoreError
from keywright_sqlite import files
from keywright_sqlite.database import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keywright_sqlite.session import Session


_RESTORE: Final = "restore it from a backup"
_TABLES: Final = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
_UNOWNED: Final = (
    # Not by a join, for which `record.payload` has no index.
    "SELECT EXISTS (SELECT 1 FROM payload WHERE id NOT IN (SELECT payload FROM record WHERE payload IS NOT NULL)"
    " AND (bytes <> zeroblob(length(bytes)) OR crc32 <> zeroblob(4)))"
)
_SHARED: Final = "SELECT EXISTS (SELECT 1 FROM record WHERE payload IS NOT NULL GROUP BY payload HAVING count(*) > 1)"


def check(session: Session) -> Iterator[Problem]:
    """The problems. Read-only."""
    problems = [*_files(session.path)]
    try:
        problems += session.read(lambda connection: [*_content(connection, session.path)]) or ()
    except StoreError as error:
        problems.append(Problem.of(session.path, error))
    # Unsafe permissions are seen twice: looked for, and when the database is to be read.
    yield from dict.fromkeys(problems)


def _files(path: str) -> Iterator[Problem]:
    directory = os.path.dirname(path)
    try:
        above, found, log = files.look(directory), files.look(path), files.size(path + "-wal")
        if found is not None:
            yield from _unsafe(path, found)
        if above is not None:
            yield from _directory(directory, above, placed=found is not None)
    except StoreError as error:
        yield Problem.of(path, error)
        return
    if log and found is None:
        yield Problem(
            f"{path}-wal",
            "contains writes to a database that does not exist, perhaps with keys",
            "put the database back beside it, or remove it",
        )
    elif log and not files.accepts_writes(path):
        yield Problem(
            f"{path}-wal",
            "contains writes that cannot be moved into the database here, perhaps with old secrets",
            "open the store once where it is writable",
        )


def _unsafe(path: str, found: os.stat_result) -> Iterator[Problem]:
    try:
        files.check(path, found)
    except StoreError as error:
        yield Problem.of(path, error)
    if found.st_nlink > 1:
        yield Problem(
            path,
            "has a second name (a hard link), under which the keys would outlive the store",
            "remove that name, or replace the database with a copy",
        )


def _directory(directory: str, above: os.stat_result, *, placed: bool) -> Iterator[Problem]:
    if above.st_mode & stat.S_IWGRP and not above.st_mode & stat.S_ISVTX:
        yield Problem(
            directory,
            "is writable by its group, who could replace the database",
            f"run `chmod g-w {directory}`, and check that the keys in it are still yours",
        )
    try:
        left = any(files.is_temporary(name) for name in os.listdir(directory))
    except OSError as error:
        yield Problem.of(directory, files.LOOKUP.error(error, directory))
        return
    # Before the database is in its place, they may be at work.
    if placed and left:
        yield Problem(directory, "has files .keywright-*.new, which an interrupted writer left", "remove them")


def _content(connection: sqlite3.Connection, path: str) -> Iterator[Problem]:
    # Its own words could quote what is in the file.
    if connection.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
        yield Problem(path, "the database fails SQLite's integrity check", _RESTORE)
        return
    if connection.execute(_TABLES).fetchall() != _tables():
        yield Problem(path, "the database has other tables, indexes or triggers than keywright creates", _RESTORE)
        return
    if connection.execute(_UNOWNED).fetchone()[0]:
        yield Problem(path, "the database contains secrets that belong to no version", _RESTORE)
    if connection.execute(_SHARED).fetchone()[0]:
        yield Problem(path, "two versions share one payload", _RESTORE)


def _tables() -> list[tuple[str, str, str, str]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        return connection.execute(_TABLES).fetchall()
