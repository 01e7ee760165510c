"""`keywright doctor` over files and databases: each planted fault is told in one exact sentence."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from zlib import crc32

import pytest
from support.rings import Ring, problem_text

import keywright
from keywright import Problem


def _other_key(root: Path) -> None:
    _replace_key(root, (root / "b" / "@1" / "key").read_bytes())


def _replace_key(root: Path, data: bytes) -> None:
    """As someone would who knows of the checksum."""
    (root / "a" / "@1" / "key").write_bytes(data)
    next((root / "a" / "@1").glob("crc32-*")).rename(root / "a" / "@1" / f"crc32-{crc32(data):08x}")


def _leftover_key(root: Path) -> None:
    kept = (root / "a" / "@1" / "key").read_bytes()
    with keywright.open({"stores": {"file": {"backend": "file", "path": str(root)}}}) as ring:
        ring.destroy("a")
    (root / "a" / "@1" / "key").write_bytes(kept)
    (root / "a" / "@1" / "key").chmod(0o600)


def _stray(root: Path) -> None:
    # Deeper than a writer ever leaves it, so that opening the store does not clear it.
    (root / ".keywright" / "tmp" / "x" / "y").mkdir(parents=True)


def _pending(root: Path) -> None:
    (root / ".keywright" / "pending").write_text("a@1\n")
    (root / ".keywright" / "pending").chmod(0o600)
    (root / "a" / "@1" / "meta.json").unlink()


# What is done below the store's root, and what is said; PATH is the root.
FILE_FAULTS: list[tuple[str, Callable[[Path], object], list[str]]] = [
    ("key open to others", lambda root: (root / "a/@1/key").chmod(0o640), [
        ("a@1 in PATH: other users may read or change the key file; run `chmod 0600` on it, and replace the key if "
         "others may have read it"),
    ]),
    ("metadata open to others", lambda root: (root / "a/@1/meta.json").chmod(0o644), [
        "a@1 in PATH: the file `meta.json` may be read by other users; run `chmod 0600` on it",
    ]),
    ("metadata writable by others", lambda root: (root / "a/@1/meta.json").chmod(0o666), [
        "a@1 in PATH: the file may be changed by other users; run `chmod go-w` on it",
    ]),
    ("directory open to others", lambda root: (root / "a").chmod(0o755), [
        "a in PATH: the directory may be read by other users; run `chmod 0700` on it",
    ]),
    ("version open to others", lambda root: (root / "a/@1").chmod(0o750), [
        "a@1 in PATH: the directory may be read by other users; run `chmod 0700` on it",
    ]),
    ("private area open to others", lambda root: (root / ".keywright").chmod(0o755), [
        "PATH/.keywright: the directory may be read by other users; run `chmod 0700` on it",
    ]),
    ("temporaries open to others", lambda root: (root / ".keywright/tmp").chmod(0o755), [
        "PATH/.keywright/tmp: the directory may be read by other users; run `chmod 0700` on it",
    ]),
    ("lock open to others", lambda root: (root / ".keywright/lock").chmod(0o644), [
        "PATH/.keywright/lock: the file `lock` may be read by other users; run `chmod 0600` on it",
    ]),
    ("hard link", lambda root: os.link(root / "a/@1/key", root.parent / "second"), [
        ("a@1 in PATH: a file has a second name (a hard link), which may be used to read, change or keep it; replace "
        "it with a copy"),
    ]),
    ("stray temporary", _stray, [
        "PATH: interrupted writes left files in .keywright/tmp, which may contain keys; remove them",
    ]),
    ("pending note", _pending, [
        ("PATH: an interrupted write was not completed; fix the other problems, then run any command that "
        "writes, such as `keywright label`"),
        "a@1 in PATH: a file is missing; restore it from a backup",
    ]),
    ("stranger in the private area", lambda root: (root / ".keywright/other").touch(), [
        ("PATH: unexpected file or directory (`.keywright/other`) beside the store's own; move it out of the "
         "store"),
    ]),
    ("unknown file beside a key", lambda root: (root / "a/@1/other").touch(), [
        ("a@1 in PATH: unexpected file (`a/@1/other`) beside the key; move it out of the store"),
    ]),
    ("copy that an editor left", lambda root: (root / "a/@1/.key.swp").touch(), [
        ("a@1 in PATH: unexpected file (`a/@1/.key.swp`) beside the key; move it out of the store"),
    ]),
    ("file among the names", lambda root: (root / "a/other").touch(), [
        "a in PATH: unexpected file or link (`a/other`) among the names; move it out of the store",
    ]),
    ("no name", lambda root: (root / "UPPER").mkdir(), [
        "PATH: unexpected directory (`UPPER`): it is not a valid name; move it out of the store",
    ]),
    ("no version", lambda root: (root / "a/@01").mkdir(), [
        "a in PATH: unexpected directory (`a/@01`): it is not a valid version; move it out of the store",
    ]),
    ("version without a name", lambda root: (root / "@1").mkdir(), [
        "PATH: unexpected version (`@1`) among the names; move it out of the store",
    ]),
    ("half removed", lambda root: (root / "a/@removed").touch(), [
        ("a in PATH: a removal was interrupted, and hides its versions; remove the directory, or "
        "@removed in it"),
    ]),
    ("key of a destroyed version", _leftover_key, [
        "a@1 in PATH: the file `key` of a version that has no secret still exists; remove that file",
    ]),
    ("key lost", lambda root: (root / "a/@1/key").unlink(), [
        "a@1 in PATH: the key file is missing; restore it from a backup",
    ]),
    ("metadata damaged", lambda root: (root / "a/@1/meta.json").write_text("{}"), [
        "a@1 in PATH: the metadata is damaged; restore it from a backup",
    ]),
    ("another key", _other_key, [
        "a@1 in store 'file': is another key than its metadata says; restore it from a backup",
    ]),
    ("key changed", lambda root: (root / "a/@1/key").write_bytes(b"canary"), [
        "a@1 in PATH: the key file is damaged; restore it from a backup",
    ]),
    ("no key", lambda root: _replace_key(root, b"canary"), [
        ("a@1 in store 'file': does not decode: the Nix key has no colon; write its name and a colon before the "
        "base64: NAME:BASE64"),
    ]),
    ("marker damaged", lambda root: (root / ".keywright/format").write_bytes(b"x"), [
        "store 'file': PATH: the marker .keywright/format is damaged; restore it from a backup",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("plant", "expected"), [pytest.param(plant, said, id=name) for name, plant, said in FILE_FAULTS]
)
def test_faults_in_a_store_of_files(ring: Ring, plant: Callable[[Path], object], expected: list[str]) -> None:
    """Each is reported once, and nothing else is."""
    ring.make("a", "b")

    plant(Path(ring.keys))

    assert [said.replace(ring.keys, "PATH") for said in ring.findings()] == expected


OTHER_USER = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())


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
        "PATH: the database contains secrets that belong to no version; restore it from a backup",
    ]),
    ("shared payload", ["UPDATE record SET payload = 1", "DELETE FROM payload WHERE id = 2"], [
        "PATH: two versions share one payload; restore it from a backup",
        "b in store 'db': PATH: the row of b@1 is damaged; restore the database from a backup",
    ]),
    ("another table", ["CREATE TABLE other (x)"], [
        ("PATH: the database has other tables, indexes or triggers than keywright creates; restore it from a "
        "backup"),
    ]),
    ("a trigger", ["CREATE TRIGGER t AFTER INSERT ON payload BEGIN SELECT 1; END"], [
        ("PATH: the database has other tables, indexes or triggers than keywright creates; restore it from a "
        "backup"),
    ]),
    ("a table lost", ["DROP TABLE payload"], [
        ("PATH: the database has other tables, indexes or triggers than keywright creates; restore it from a "
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
        "store 'db': PATH was written by a newer keywright (layout 9, and this one knows 1); upgrade keywright",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("statements", "expected"), [pytest.param(done, said, id=name) for name, done, said in DATABASE_FAULTS]
)
def test_faults_in_a_database(ring: Ring, statements: Sequence[str], expected: list[str]) -> None:
    """Each is reported once, and nothing else is."""
    ring.make("a", "b", store="db")

    database(ring, *statements)

    assert [said.replace(ring.db, "PATH") for said in ring.findings()] == expected


def test_a_damaged_page_of_a_database(ring: Ring) -> None:
    """The integrity check finds what no statement of the store would touch."""
    ring.make("a", store="db")
    data = bytearray(Path(ring.db).read_bytes())
    data[36:40] = (7).to_bytes(4, "big")  # the number of free pages (sqlite.org/fileformat2.html §1.3)
    Path(ring.db).write_bytes(data)

    message = "the database fails SQLite's integrity check"
    assert ring.problems(store="db") == [Problem(ring.db, message, "restore it from a backup")]


def test_files_of_a_database(ring: Ring) -> None:
    """Its directory's permissions, a second name, what an interrupted first write left: each is reported."""
    ring.make("a", store="db")
    ring.home.chmod(0o770)
    (ring.home / ".keywright-0011.new").touch()
    os.link(ring.db, ring.home / "second")

    assert ring.findings(store="db") == [
        (
            f"{ring.db}: has a second name (a hard link), under which the keys would outlive the store; "
            "remove that name, or replace the database with a copy"
        ),
        (
            f"{ring.home}: is writable by its group, who could replace the database; "
            f"run `chmod g-w {ring.home}`, and check that the keys in it are still yours"
        ),
        f"{ring.home}: has files .keywright-*.new, which an interrupted writer left; remove them",
    ]


def test_a_database_open_to_others(ring: Ring) -> None:
    """It does not open, and the finding says why; seen while it is open, it is said once."""
    ring.make("a", store="db")
    said = (
        f"is open to other users; if it is a store, run `chmod 600 {ring.db}`, and replace the keys if others may "
        "have read them"
    )
    with ring.open(store="db") as opened:
        assert [*opened.examine()] == []
        os.chmod(ring.db, 0o644)

        (problem,) = opened.examine()
    assert (problem.subject, problem_text(problem)) == (ring.db, said)
    assert ring.findings(store="db") == [f"store 'db': {ring.db} {said}"]


def test_the_log_of_a_database_that_is_gone(ring: Ring) -> None:
    """It may hold keys, though the store looks empty."""
    Path(ring.db + "-wal").write_bytes(b"canary")

    assert ring.findings(store="db") == [
        (
            f"{ring.db}-wal: contains writes to a database that does not exist, perhaps with keys; "
            "put the database back beside it, or remove it"
        )
    ]


def test_a_log_that_cannot_be_cleared(ring: Ring) -> None:
    """Where the directory takes no writes, what is left in the log stays there, and that is reported."""
    with tempfile.TemporaryDirectory() as directory, ring.open() as opened:
        opened.generate("a", store="db")
        for end in ("", "-wal", "-shm"):
            copy = Path(directory) / f"keys.db{end}"
            copy.write_bytes(Path(ring.db + end).read_bytes())
            copy.chmod(0o600)
            os.chown(copy, *OTHER_USER)
        os.chown(directory, *OTHER_USER)
        os.chmod(directory, 0o500)
        path = os.path.join(os.path.realpath(directory), "keys.db")

        os.seteuid(OTHER_USER[0])
        try:
            told = ring.findings(stores={"db": {"backend": "sqlite", "path": path}})
        finally:
            os.seteuid(os.getuid())
            os.chmod(directory, 0o700)

    assert told == [
        (
            f"{path}-wal: contains writes that cannot be moved into the database here, perhaps with old "
            "secrets; open the store once where it is writable"
        )
    ]
