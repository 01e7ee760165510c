"""Something else stands where a store, or a file of one, should be."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from hostile.surroundings import contents, in_child, needs_root, record, told
from kills.stores import OPENERS
from kills.worker import Open
from support import Keywright

from keywright import ExaminedStore, Record, State
from keywright.errors import DurabilityUnknownError


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """A call that waits for ever, say for the other end of a pipe, ends in an error."""

    def stop(_signal: int, _frame: object) -> None:
        raise TimeoutError("it waits for something that never comes")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def as_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


def as_device(path: Path) -> None:
    needs_root()
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero


ODD = [
    pytest.param(lambda path: os.mkfifo(path, 0o600), id="FIFO"),
    pytest.param(as_device, id="device"),
    pytest.param(as_socket, id="socket"),
    pytest.param(lambda path: os.symlink(path.name, path), id="link to itself"),
    pytest.param(lambda path: os.symlink("nowhere", path), id="link to nothing"),
    pytest.param(lambda path: os.symlink("/dev/zero", path), id="link to a device"),
]
TYPED = ("DamagedStoreError: ", "StoreUnavailableError: ", "AccessDeniedError: ", "ReadOnlyStoreError: ")


def uses(opened: Open) -> list[Callable[[], object]]:
    """What people do with a store."""

    def read() -> None:
        with opened() as store:
            store.get("a", 1)

    def look() -> None:
        with opened() as store:
            assert list(store.names()) == ["a"]
            assert store.versions("a")

    def write() -> None:
        with opened() as store:
            store.create(record("b", payload=b"canary-two"))

    return [read, look, write]


@pytest.mark.parametrize("odd", ODD)
def test_in_place_of_a_store(store_path: Path, opened: Open, odd: Callable[[Path], None]) -> None:
    """It is told by a typed error, waited for by nobody, and left as it is."""
    odd(store_path)
    before = store_path.lstat()

    outcomes = [told(use) for use in uses(opened)]

    assert all(outcome.startswith(TYPED) for outcome in outcomes), outcomes
    assert (store_path.lstat().st_mode, store_path.lstat().st_ino) == (before.st_mode, before.st_ino)
    assert os.listdir(store_path.parent) == [store_path.name]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "file",
    ["a/@1/key", "a/@1/meta.json", ".keywright/format", ".keywright/lock", ".keywright/tmp", ".keywright/pending"],
)
def test_in_place_of_a_file_of_a_file_store(place: Path, file: str, odd: Callable[[Path], None]) -> None:
    """A use that meets it is refused by a typed error, and one that does not works; no other file comes to be."""
    opened = OPENERS["file"](place)
    with opened() as store:
        store.create(record())
    path = place / "keys" / file
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    odd(path)

    outcomes = [told(use) for use in uses(opened)]

    assert all(outcome == "done" or outcome.startswith(TYPED) for outcome in outcomes), outcomes
    assert not (path.parent / "nowhere").exists()


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
def test_in_place_of_a_file_of_a_database(place: Path, end: str, odd: Callable[[Path], None]) -> None:
    """A use is refused by a typed error, or works; no other file comes to be."""
    opened = OPENERS["sqlite"](place)
    with opened() as store:
        store.create(record())
    odd(place / f"keys.db{end}")

    outcomes = [told(use) for use in uses(opened)]

    assert all(outcome == "done" or outcome.startswith(TYPED) for outcome in outcomes), outcomes
    assert not (place / "nowhere").exists()


def test_a_pipe_in_place_of_the_lock_beside_a_damaged_key(place: Path) -> None:
    """A reader that wants the lock, to make sure of the damage, does not wait for the pipe's other end."""
    opened = OPENERS["file"](place)
    with opened() as store:
        store.create(record())
    lock, key = place / "keys/.keywright/lock", place / "keys/a/@1/key"
    lock.unlink()
    os.mkfifo(lock, 0o600)
    key.write_bytes(b"canary-0ne")

    with opened() as store:
        assert told(lambda: store.get("a", 1)).startswith("DamagedStoreError: ")


def test_a_pipe_on_the_command_line(kind: str, configured: Path, keywright: Keywright) -> None:
    """Exit 6, at once."""
    os.mkfifo(configured, 0o600)

    for command in (["list"], ["generate", "a"], ["export", "a"]):
        assert keywright(*command).returncode == 6, command


def test_a_second_name_for_a_key(place: Path) -> None:
    """What takes away a key file that a backup linked to says that it is still there under the other name."""
    opened = OPENERS["file"](place)
    with opened() as store:
        info = store.create(record())
    os.link(place / "keys/a/@1/key", place / "backup")

    with opened() as store:
        assert "hard link" in " ".join(cast(ExaminedStore, store).examine())
        with pytest.raises(DurabilityUnknownError) as said:
            store.update(Record(replace(info, state=State.DESTROYED), None), expected=info.revision)
        assert store.versions("a")[0].state is State.DESTROYED
    assert "has another name (a hard link), under which the key can still be read" in str(said.value)


def test_a_second_name_for_a_database(place: Path) -> None:
    """The doctor tells of it, and what is destroyed is gone under both names."""
    opened = OPENERS["sqlite"](place)
    with opened() as store:
        info = store.create(record())
    os.link(place / "keys.db", place / "backup.db")

    with opened() as store:
        assert "hard link" in " ".join(cast(ExaminedStore, store).examine())
        store.update(Record(replace(info, state=State.DESTROYED), None), expected=info.revision)
        assert b"canary-one" not in contents(place)


@pytest.mark.parametrize(
    ("store", "file"),
    [
        ("file", "keys/a/@1/key"),
        ("file", "keys/a/@1/meta.json"),
        ("file", "keys/.keywright/format"),
        ("file", "keys/.keywright/pending"),
        ("sqlite", "keys.db"),
        ("sqlite", "keys.db-wal"),
        ("sqlite", "keys.db-shm"),
    ],
)
def test_a_huge_file(place: Path, store: str, file: str) -> None:
    """Ten gigabytes of nothing in the place of a file are not read: an answer comes within a gigabyte of memory."""
    opened = OPENERS[store](place)
    with opened() as made:
        made.create(record())
    path = place / file
    path.touch(0o600)
    os.truncate(path, 10 << 30)

    def use() -> str:
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), -1))
        return "\n".join(told(use) for use in uses(opened))

    outcomes = in_child(use).splitlines()

    assert len(outcomes) == 3
    assert all(outcome == "done" or outcome.startswith(TYPED) for outcome in outcomes), outcomes
