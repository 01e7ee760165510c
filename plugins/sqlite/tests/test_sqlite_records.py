"""What the store keeps, and what it refuses."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from functools import partial
from operator import methodcaller
from pathlib import Path

import pytest
from refusals import refuses
from support.errors import text_of

from keywright import Guard, Record, Revision, Secret, State, WritableStore
from keywright.errors import (
    CorruptedStoreError,
    InvalidNameError,
    KeyNotFoundError,
    KeywrightError,
    StoreUnavailableError,
    conflict,
    key_exists,
    key_not_found,
    no_payload,
    not_destroyed,
    payload_of_destroyed,
)
from keywright_sqlite import database
from keywright_sqlite.store import PAGE, SqliteStore

Make = Callable[..., Record]
Opener = Callable[..., AbstractContextManager[SqliteStore]]
Fill = Callable[[str, list[tuple[str, int]]], None]


def test_nothing_is_made_before_the_first_write(path: str, opened: Opener) -> None:
    """A store that is not there reads as empty and is not created by reading."""
    with opened(path) as store:
        assert repr(store) == f"<sqlite store {path}>"
        assert store.versions("a") == ()
        assert list(store.names()) == []
        with refuses(KeyNotFoundError, text_of(key_not_found("a", 1))):
            store.get("a", 1)

    assert not Path(path).exists()


def test_what_is_no_name_or_version_is_refused(store: WritableStore, make: Make) -> None:
    """A name that skipped the door does not get in here either; what cannot be compared is not looked for."""
    message = (
        "not a valid name or version; names are made of a-z, 0-9, '.', '_', '-' and '/', versions are whole "
        "numbers from 1"
    )
    for name, version in (("../a", 1), ("a\ud800", 1)):
        with pytest.raises(InvalidNameError):
            store.create(make(name, version))
    for version in (0, 2**64):
        with pytest.raises((InvalidNameError, TypeError)):
            store.create(make("a", version))
    store.create(make())
    for name, version in (("a\ud800", 1), ("a", 2**64)):
        with refuses(InvalidNameError, message):
            store.get(name, version)

    assert list(store.names()) == ["cache.example.org"]


def test_what_is_not_there_is_not_found(store: WritableStore, path: str, make: Make) -> None:
    """Before all, behind all, beside: a record that is not there is no damage."""
    store.create(make("a"))

    for name, version in (("", 0), ("", 1), ("a", 0), ("a", -1), ("a", 2), ("b", 1), ("0", 1)):
        with refuses(KeyNotFoundError, text_of(key_not_found(name, version))):
            store.get(name, version)
        assert len(store.versions(name)) == (name == "a")


def test_more_names_than_a_page(path: str, opened: Opener, fill: Fill) -> None:
    """A page's end is not an end, and no transaction stays open between pages."""
    expected = [f"n{n:04}" for n in range(1000)]
    fill(path, [(name, 1) for name in expected])
    with opened(path) as store:
        names = store.names()
        some = [next(names) for _ in range(300)]
        with closing(sqlite3.connect(path)) as raw:
            busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        rest = list(names)

    assert some + rest == expected
    assert busy == 0


def test_a_page_ends_before_a_name_that_begins_alike(path: str, opened: Opener, fill: Fill) -> None:
    """What comes next after a page's last name is the next name, though it be one character longer."""
    expected = [*(f"n{n:03}" for n in range(PAGE)), f"n{PAGE - 1:03}-", f"n{PAGE - 1:03}/a"]
    fill(path, [(name, 1) for name in expected])

    with opened(path) as store:
        assert list(store.names()) == expected


def test_names_seek_over_versions(path: str, opened: Opener, fill: Fill) -> None:
    """A name with twenty thousand versions costs no more than one with a thousand."""
    steps = []
    for count in (1_000, 20_000):
        here = f"{path}{count}"
        fill(here, [("a", 1), *(("b", version + 1) for version in range(count)), ("c", 1)])
        with opened(here) as store:
            taken: list[None] = []
            count_steps = methodcaller("set_progress_handler", partial(taken.append, None), 100)
            assert isinstance(store, SqliteStore)
            store._session.read(count_steps)

            assert list(store.names()) == ["a", "b", "c"]

            steps.append(len(taken))

    assert steps[1] < 2 * steps[0]


@pytest.mark.parametrize("payload", [b"\0" * 40, b"x" * 100_000], ids=["zeros", "many-pages"])
def test_any_payload_comes_back(path: str, opened: Opener, make: Make, payload: bytes) -> None:
    """Zeros, as wiped rows have them, and more than a page holds."""
    with opened(path) as store:
        info = store.create(make(payload=payload))
    with opened(path) as store:
        assert store.get("cache.example.org", 1) == Record(info, Secret(payload))


def test_what_is_refused_says_why(path: str, opened: Opener, make: Make) -> None:
    """Each refusal names the version, says that nothing was written, and what to do; the record stays as it is."""
    payload = Secret(b"a secret payload")
    with opened(path) as store:
        info = store.create(make("a"))
        public = store.create(make("public", payload=None))
        old = Revision("old")
        refusals: list[tuple[KeywrightError, Callable[[], object]]] = [
            (key_exists("a", 1), lambda: store.create(make("a"))),
            (payload_of_destroyed("b", 1), lambda: store.create(make("b", state=State.DESTROYED))),
            (
                payload_of_destroyed("a", 1),
                lambda: store.update_info(replace(info, state=State.DESTROYED), info.revision),
            ),
            (not_destroyed("a", 1), lambda: store.destroy(info, info.revision)),
            (no_payload("public", 1), lambda: store.replace_payload("public", 1, payload, public.revision)),
            (
                conflict("public", 1),
                lambda: store.replace_payload("a", 1, payload, info.revision, guard=Guard("public", 1, old)),
            ),
            (conflict("a", 1), lambda: store.replace_payload("a", 1, payload, old)),
            (key_not_found("b", 1), lambda: store.update_info(make("b").info, old)),
            (conflict("a"), lambda: store.remove("a", [old])),
            (key_not_found("b"), lambda: store.remove("b", ())),
        ]
        for refusal, call in refusals:
            with refuses(type(refusal), text_of(refusal)):
                call()
        assert store.get("a", 1) == Record(info, payload)
    with refuses(StoreUnavailableError, f"{path}: the store is closed; open it again"):
        store.get("a", 1)


NAMES = ["0", "a", "a-b", "a.b", "a/b", "a/b/c", "a0", "a_b", "ab", "b", "z"]


def test_names_at_the_edges(store: WritableStore, make: Make) -> None:
    """What is not a name, no ASCII or no text selects what a list of the names' bytes would."""
    for name in reversed(NAMES):
        store.create(make(name, payload=None))

    for prefix, after, limit, expected in (
        ("a/", "", None, ["a/b", "a/b/c"]),
        ("", "a/", None, NAMES[4:]),
        ("a", "ab", None, []),
        ("b", "a", None, ["b"]),
        ("a", "a", 2, ["a-b", "a.b"]),
        ("é", "", None, []),
        ("\ud800", "", None, []),
        ("", "a\ud800", None, ["b", "z"]),
        ("%", "", None, []),
    ):
        assert list(store.names(prefix, after=after, limit=limit)) == expected, (prefix, after, limit)


NEXT = ("ALTER TABLE record ADD COLUMN note TEXT", "CREATE TABLE extra (id INTEGER PRIMARY KEY) STRICT")


def test_the_database_is_what_other_programs_expect(path: str, opened: Opener, make: Make) -> None:
    """`kwrt` at offset 68, layout 1 at offset 60, WAL at 18 and 19; strict tables, so no value has another type."""
    with opened(path) as store:
        store.create(make())

    content = Path(path).read_bytes()
    with closing(sqlite3.connect(path)) as raw:
        tables = {row[1]: (row[4], row[5]) for row in raw.execute("PRAGMA table_list") if "sqlite" not in row[1]}

    assert content[68:72] == b"kwrt"
    assert content[60:64] == (1).to_bytes(4, "big")
    assert content[18:20] == b"\x02\x02"
    assert tables == {"record": (1, 1), "payload": (0, 1)}  # without rowid, strict


def test_every_connection_is_set_up(store: WritableStore, make: Make) -> None:
    """What SQLite leaves to each connection is set on each."""
    expected = {
        "synchronous": 2,  # every commit is synced
        "secure_delete": 1,  # what is freed is zeroed
        "journal_mode": "wal",  # readers do not wait
        "temp_store": 2,  # no temporary file carries a secret
        "trusted_schema": 0,  # the schema runs no code
        "cell_size_check": 1,  # damage is noticed early
        "fullfsync": 1,  # macOS syncs to the medium
    }
    store.create(make())

    assert isinstance(store, SqliteStore)
    found = store._session.read(lambda raw: {name: raw.execute(f"PRAGMA {name}").fetchone()[0] for name in expected})
    assert found == expected


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

    with pytest.raises(CorruptedStoreError), opened(path):
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
        f"ReadOnlyStoreError: {path} was written by an older keywright, and is read-only here; open it once where "
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
