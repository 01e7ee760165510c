"""`keywright doctor` over a database: each planted fault is told in one exact sentence."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from support.rings import Ring

NOBODY = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())


def database(ring: Ring, *statements: str) -> None:
    """Change the database behind the store's back."""
    with closing(sqlite3.connect(ring.db, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


INSERT = "INSERT INTO payload (crc32, bytes) VALUES (x'00000000', x'63616e617279')"
SWAPPED = "UPDATE record SET payload = 3 - payload"
DATABASE_FAULTS: list[tuple[str, Sequence[str], list[str]]] = [
    ("secret without a version", [INSERT], [
        "store 'db': PATH: the database holds secrets that no version owns; restore it from a backup",
    ]),
    ("shared payload", ["UPDATE record SET payload = 1", "DELETE FROM payload WHERE id = 2"], [
        "store 'db': PATH: two versions share one payload; restore the database from a backup",
        "b in store 'db': PATH: the row of b@1 is damaged; restore the database from a backup",
    ]),
    ("another table", ["CREATE TABLE other (x)"], [
        ("store 'db': PATH: the database has other tables, indexes or triggers than keywright makes; restore it from a "
        "backup"),
    ]),
    ("a trigger", ["CREATE TRIGGER t AFTER INSERT ON payload BEGIN SELECT 1; END"], [
        ("store 'db': PATH: the database has other tables, indexes or triggers than keywright makes; restore it from a "
        "backup"),
    ]),
    ("a table lost", ["DROP TABLE payload"], [
        ("store 'db': PATH: the database has other tables, indexes or triggers than keywright makes; restore it from a "
        "backup"),
        "a@1 in store 'db': PATH: the database is damaged; restore it from a backup",
        "b@1 in store 'db': PATH: the database is damaged; restore it from a backup",
    ]),
    ("payloads swapped", [SWAPPED], [
        "a in store 'db': PATH: the row of a@1 is damaged; restore the database from a backup",
        "b in store 'db': PATH: the row of b@1 is damaged; restore the database from a backup",
    ]),
    ("payload lost", ["DELETE FROM payload WHERE id = 1"], [
        "a@1 in store 'db': PATH: the row of a@1 is damaged; restore the database from a backup",
    ]),
    ("metadata damaged", ["UPDATE record SET info = x'7b7d' WHERE name = 'a'"], [
        "a in store 'db': PATH: the row of a@1 is damaged; restore the database from a backup",
    ]),
    ("newer", ["PRAGMA user_version = 9"], [
        "store 'db': PATH was written by a newer keywright (layout 9, and this one knows 1); upgrade this one",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("statements", "expected"), [pytest.param(done, said, id=name) for name, done, said in DATABASE_FAULTS]
)
def test_faults_in_a_database(ring: Ring, statements: Sequence[str], expected: list[str]) -> None:
    """Each is told once, and nothing else is."""
    ring.make("a", "b", store="db")

    database(ring, *statements)

    assert [said.replace(ring.db, "PATH") for said in ring.findings()] == expected


def test_a_damaged_page_of_a_database(ring: Ring) -> None:
    """The integrity check finds what no statement of the store would touch."""
    ring.make("a", store="db")
    data = bytearray(Path(ring.db).read_bytes())
    data[36:40] = (7).to_bytes(4, "big")  # the number of free pages (sqlite.org/fileformat2.html §1.3)
    Path(ring.db).write_bytes(data)

    assert ring.findings(store="db") == [
        f"store 'db': {ring.db}: the database fails SQLite's integrity check; restore it from a backup"
    ]


def test_files_of_a_database(ring: Ring) -> None:
    """Its directory's permissions, a second name, what an interrupted first write left: each is told."""
    ring.make("a", store="db")
    ring.home.chmod(0o770)
    (ring.home / ".keywright-0011.new").touch()
    os.link(ring.db, ring.home / "second")

    assert ring.findings(store="db") == [
        (
            f"store 'db': {ring.db} has a second name (a hard link), under which the keys would outlive the store; "
            "remove that name, or make the store a copy of its own"
        ),
        (
            f"store 'db': {ring.home} is writable by its group, who could put another database in the store's place; "
            f"run `chmod g-w {ring.home}`, and see that the keys in it are still yours"
        ),
        f"store 'db': {ring.home} has files .keywright-*.new, which an interrupted writer left; remove them",
    ]


def test_a_database_open_to_others(ring: Ring) -> None:
    """It does not open, and the finding says why; seen while it is open, it is said once."""
    ring.make("a", store="db")
    said = (
        f"store 'db': {ring.db} is open to other users; run `chmod 600 {ring.db}`, and replace the keys if others may "
        "have read them"
    )
    with ring.open(store="db") as opened:
        assert [*opened.examine()] == []
        os.chmod(ring.db, 0o644)

        assert [str(finding) for finding in opened.examine()] == [said]
    assert ring.findings(store="db") == [said]


def test_the_log_of_a_database_that_is_gone(ring: Ring) -> None:
    """It may hold keys, though the store looks empty."""
    Path(ring.db + "-wal").write_bytes(b"canary")

    assert ring.findings(store="db") == [
        (
            f"store 'db': {ring.db}-wal holds what was written to a database that is not there, keys perhaps among it; "
            "put the database back beside it, or remove it"
        )
    ]


def test_a_log_that_cannot_be_cleared(ring: Ring) -> None:
    """Where the directory takes no writes, what is left in the log stays there, and that is told."""
    with tempfile.TemporaryDirectory() as directory, ring.open() as opened:
        opened.generate("a", store="db")
        for end in ("", "-wal", "-shm"):
            copy = Path(directory) / f"keys.db{end}"
            copy.write_bytes(Path(ring.db + end).read_bytes())
            copy.chmod(0o600)
            os.chown(copy, *NOBODY)
        os.chown(directory, *NOBODY)
        os.chmod(directory, 0o500)
        path = os.path.join(os.path.realpath(directory), "keys.db")

        os.seteuid(NOBODY[0])
        try:
            told = ring.findings(stores={"db": {"backend": "sqlite", "path": path}})
        finally:
            os.seteuid(os.getuid())
            os.chmod(directory, 0o700)

    assert told == [
        (
            f"store 'db': {path}-wal holds writes that cannot be moved into the database here, old secrets perhaps "
            "among them; open the store once where it is writable"
        )
    ]
