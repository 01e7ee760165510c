"""A disk without room: what is there can be read, and what needs little room can still be done."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from keywright import Record, Secret, State, WritableStore
from keywright.errors import StoreUnavailableError
from keywright_sqlite.store import SqliteStore

Make = Callable[..., Record]
Opener = Callable[..., AbstractContextManager[WritableStore]]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")

KIB = 1024
FULL = "the disk is full; nothing was written; make room and try again"


@pytest.fixture(params=[64, 128], ids=["64 KiB", "128 KiB"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={request.param}k,mode=700", "tmpfs", tmp_path])
    if mounted.returncode != 0:
        pytest.skip("this system lets nobody mount")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def _fill(disk: Path, *, leaving: int = 0) -> None:
    """Let another program take all room but so many bytes, which it leaves in whole pages."""
    with open(disk / "other", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(KIB))
        except OSError:
            os.truncate(disk / "other", os.path.getsize(disk / "other") - leaving)


def _destroy(store: WritableStore, name: str) -> None:
    record = store.get(name, 1)
    store.update(Record(replace(record.info, state=State.DESTROYED), None), expected=record.info.revision)


def test_a_full_disk_is_read(disk: Path, opened: Opener, make: Make) -> None:
    """SQLite's index of the log has no room there, and is not needed."""
    path = str(disk / "keys.db")
    with opened(path) as store:
        store.create(make("a"))
    _fill(disk)

    with opened(path) as store:
        assert list(store.names()) == ["a"]
        assert store.get("a", 1).payload == Secret(b"a secret payload")
        with pytest.raises(StoreUnavailableError) as caught:
            store.create(make("b"))
        assert len(store.versions("a")) == 1

    assert str(caught.value) == f"{path}: {FULL}"
    assert sorted(os.listdir(disk)) == ["keys.db", "other"]


def test_a_full_disk_loosens_nothing(disk: Path, opened: Opener, make: Make) -> None:
    """The connection that does without the index syncs and wipes as every other."""
    path = str(disk / "keys.db")
    with opened(path) as store:
        store.create(make("a"))
    _fill(disk)
    asked = ("locking_mode", "synchronous", "secure_delete", "fullfsync", "checkpoint_fullfsync")

    def settings(connection: sqlite3.Connection) -> list[object]:
        return [connection.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in asked]

    with opened(path) as store:
        assert isinstance(store, SqliteStore)
        told = store._session.read(settings)

    assert told == ["exclusive", 2, 1, 1, 1]


def test_a_full_disk_is_read_by_two(disk: Path, opened: Opener, make: Make) -> None:
    """Whoever reads alone lets others in after each call."""
    path = str(disk / "keys.db")
    with opened(path) as store:
        store.create(make("a"))
    _fill(disk)

    with opened(path, seconds=0) as one, opened(path, seconds=0) as two:
        assert list(one.names()) == list(two.names()) == list(one.names()) == ["a"]


def test_a_store_in_use_when_the_disk_fills_goes_on(disk: Path, opened: Opener, make: Make) -> None:
    """Who has it open reads on, and who comes later reads too."""
    path = str(disk / "keys.db")
    with opened(path) as one:
        one.create(make("a"))
        _fill(disk)
        with opened(path, seconds=0) as two:
            assert list(one.names()) == list(two.names()) == ["a"]


def test_destroying_needs_little_room(disk: Path, opened: Opener, make: Make) -> None:
    """Room for the changed pages is enough: the index of the log is given up for them."""
    path = str(disk / "keys.db")
    canary = os.urandom(24)
    with opened(path) as store:
        store.create(make("a", payload=canary))
    _fill(disk, leaving=20 * KIB)

    with opened(path) as store:
        _destroy(store, "a")

    assert canary not in (disk / "keys.db").read_bytes()
    with opened(path) as store:
        assert store.get("a", 1).info.state is State.DESTROYED


def test_a_store_that_filled_the_disk_itself_is_no_trap(disk: Path, opened: Opener, make: Make) -> None:
    """A log that has no room to be moved into the database finds it, at the next call or the next open."""
    path = str(disk / "keys.db")
    made: list[str] = []

    def create_on_and_on() -> None:
        made.extend(store.create(make(f"k{number}", payload=b"x" * 400)).name for number in range(1000))

    with opened(path) as store:
        with pytest.raises(StoreUnavailableError) as caught:
            create_on_and_on()
        _destroy(store, "k0")
        assert store.get("k0", 1).info.state is State.DESTROYED
    with opened(path) as store:
        _destroy(store, "k1")
        kept = list(store.names())

    assert str(caught.value) == f"{path}: {FULL}"
    assert kept == sorted(made)
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_log_left_by_a_killed_process_finds_room(
    disk: Path, opened: Opener, make: Make, run: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """Where the disk filled before the log was moved, the next open moves it, and all that was written is there."""
    path = str(disk / "keys.db")
    script = """
with opened(sys.argv[2]) as store:
    try:
        for number in range(1000):
            store.create(Record(RecordInfo(name=f"k{number}", version=1), Secret(b"x" * 400)))
    except Exception:
        print(number, flush=True)
        os.kill(os.getpid(), 9)
"""
    made = int(run(script, path).communicate()[0])

    with opened(path) as store:
        assert list(store.names()) == sorted(f"k{number}" for number in range(made))
        _destroy(store, "k0")
