"""The layout: what it says of itself, and how it moves on."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from keywright import Record, Secret, WritableStore
from keywright.errors import DamagedStoreError
from keywright_sqlite import database
from keywright_sqlite.store import SqliteStore

Make = Callable[..., Record]
Opener = Callable[..., AbstractContextManager[WritableStore]]

NEXT = ("ALTER TABLE record ADD COLUMN note TEXT", "CREATE TABLE extra (id INTEGER PRIMARY KEY) STRICT")


def test_the_file_says_whose_it_is(path: str, opened: Opener, make: Make) -> None:
    """`kwrt` at offset 68, layout 1 at offset 60, and WAL at 18 and 19, as the file format has them."""
    with opened(path) as store:
        store.create(make())

    content = Path(path).read_bytes()

    assert content[68:72] == b"kwrt"
    assert content[60:64] == (1).to_bytes(4, "big")
    assert content[18:20] == b"\x02\x02"


def test_tables_are_strict_and_records_without_rowid(path: str, store: WritableStore, make: Make) -> None:
    """No value of another type gets into a column."""
    store.create(make())

    with closing(sqlite3.connect(path)) as raw:
        tables = {row[1]: (row[4], row[5]) for row in raw.execute("PRAGMA table_list") if row[1] != "sqlite_schema"}

    assert tables["record"] == (1, 1)
    assert tables["payload"] == (0, 1)


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        pytest.param("synchronous", 2, id="every commit is synced"),
        pytest.param("secure_delete", 1, id="what is freed is zeroed"),
        pytest.param("journal_mode", "wal", id="readers do not wait"),
        pytest.param("temp_store", 2, id="no temporary file carries a secret"),
        pytest.param("trusted_schema", 0, id="the schema runs no code"),
        pytest.param("cell_size_check", 1, id="damage is noticed early"),
        pytest.param("fullfsync", 1, id="macOS syncs to the medium"),
    ],
)
def test_every_connection_is_set_up(store: WritableStore, make: Make, pragma: str, value: object) -> None:
    """What SQLite leaves to each connection is said on each."""
    store.create(make())

    assert isinstance(store, SqliteStore)
    told = store._session.read(lambda connection: connection.execute(f"PRAGMA {pragma}").fetchone())
    assert told == (value,)


def test_an_older_layout_moves_on_and_keeps_its_keys(
    monkeypatch: pytest.MonkeyPatch, path: str, opened: Opener, make: Make
) -> None:
    """A store of layout 1 becomes layout 2 when a keywright opens it that knows 2."""
    with opened(path) as store:
        store.create(make("a"))
    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, NEXT))

    with opened(path) as store:
        assert store.get("a", 1).payload == Secret(b"a secret payload")

    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (2,)
        assert raw.execute("SELECT count(note), count(*) FROM record WHERE name > ''").fetchone() == (0, 1)


def test_a_migration_that_fails_leaves_the_layout_as_it_was(
    monkeypatch: pytest.MonkeyPatch, path: str, opened: Opener, make: Make
) -> None:
    """All statements of a migration happen, or none."""
    with opened(path) as store:
        store.create(make("a"))
    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, (*NEXT, "DROP TABLE missing")))

    with pytest.raises(DamagedStoreError), opened(path):
        pass

    monkeypatch.undo()
    with opened(path) as store:
        assert list(store.names()) == ["a"]


def test_an_older_layout_that_takes_no_writes_says_so(
    monkeypatch: pytest.MonkeyPatch,
    shared_directory: str,
    opened: Opener,
    make: Make,
    unprivileged: Callable[[Callable[[], str]], str],
) -> None:
    """It cannot move on there, and is not read by guessing."""
    path = os.path.join(shared_directory, "keys.db")
    with opened(path) as store:
        store.create(make("a"))
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    os.chmod(shared_directory, 0o555)
    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, NEXT))

    def read() -> str:
        with opened(path):
            return "opened"

    assert unprivileged(read) == (
        f"ReadOnlyStoreError: {path} was written by an older keywright and takes no writes here; open it once where "
        "it is writable"
    )


def test_processes_that_migrate_at_once_migrate_once(path: str, run: Callable[..., subprocess.Popen[bytes]]) -> None:
    """Who comes second finds it done."""
    script = f"""
from keywright_sqlite import database
if len(sys.argv) > 2:
    database.MIGRATIONS = (*database.MIGRATIONS, {NEXT!r})
with opened(path) as store:
    if len(sys.argv) == 2:
        store.create(Record(RecordInfo(name="a", version=1), Secret(b"x")))
    print(*store.names())
"""
    run(script).communicate()

    processes = [run(script, "newer") for _ in range(4)]

    assert [process.communicate()[0] for process in processes] == [b"a\n"] * 4
