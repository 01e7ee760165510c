"""Stores whose files were changed, exchanged or taken away by another program."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from hostile.surroundings import OTHER_USER, contents, in_child, needs_root, record, told
from kills.worker import OPENERS, Open
from support import Keywright
from support.errors import text_of
from support.problems import lines_of

from keywright import CheckedStore, Secret, State, WritableStore
from keywright.errors import CorruptedStoreError, StoreError


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

TYPED = ("CorruptedStoreError: ", "StoreUnavailableError: ", "AccessDeniedError: ", "ReadOnlyStoreError: ")


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
    """It is told by a typed error, waited for by no one, and left as it is."""
    odd(store_path)
    before = store_path.lstat()

    outcomes = [told(use) for use in uses(opened)]

    assert all(outcome.startswith(TYPED) for outcome in outcomes), outcomes
    assert (store_path.lstat().st_mode, store_path.lstat().st_ino) == (before.st_mode, before.st_ino)
    assert os.listdir(store_path.parent) == [store_path.name]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    ("kind", "file"),
    [
        *(("file", f"keys/{name}") for name in ("a/@1/key", "a/@1/meta.json")),
        *(("file", f"keys/.keywright/{name}") for name in ("format", "lock", "tmp", "pending")),
        *(("sqlite", f"keys.db{end}") for end in ("-wal", "-shm", "-journal")),
    ],
)
def test_in_place_of_a_file_of_a_store(place: Path, kind: str, file: str, odd: Callable[[Path], None]) -> None:
    """A use that meets it is refused by a typed error, and one that does not works; no other file comes to be."""
    opened = OPENERS[kind](place)
    with opened() as store:
        store.create(record())
    path = place / file
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    odd(path)

    outcomes = [told(use) for use in uses(opened)]

    assert all(outcome == "done" or outcome.startswith(TYPED) for outcome in outcomes), outcomes
    assert not (path.parent / "nowhere").exists()


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
        assert told(lambda: store.get("a", 1)).startswith("CorruptedStoreError: ")


def test_a_pipe_on_the_command_line(kind: str, configured: Path, keywright: Keywright) -> None:
    """Exit 6, at once."""
    os.mkfifo(configured, 0o600)

    for command in (["list"], ["generate", "a"], ["export", "a"]):
        assert keywright(*command).returncode == 6, command


@pytest.mark.parametrize(("kind", "file"), [("file", "keys/a/@1/key"), ("sqlite", "keys.db")])
def test_a_second_name_for_a_file(place: Path, kind: str, file: str) -> None:
    """The doctor tells of a hard link, as of a backup; what is destroyed is gone under both names, or that is said."""
    opened = OPENERS[kind](place)
    with opened() as store:
        info = store.create(record())
    os.link(place / file, place / "backup")

    with opened() as store:
        assert "hard link" in " ".join(lines_of(cast(CheckedStore, store).check()))
        outcome = told(lambda: store.destroy(replace(info, state=State.DESTROYED), info.revision))
        assert store.versions("a")[0].state is State.DESTROYED
        if kind == "file":
            assert outcome.startswith("DurabilityError: ")
            assert "the old key can still be read under another name (a hard link)" in outcome
        else:
            assert outcome == "done"
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


ATTACK_SECONDS = 0.8


@contextmanager
def swapping(directory: Path, other: Path, user: int) -> Iterator[None]:
    """Meanwhile, a process of `user` swaps a directory for a link to another, and back, as fast as it can."""
    child = os.fork()
    if not child:
        with suppress(BaseException):
            os.setresuid(user, user, user)
            signal.alarm(30)
            _swap(directory, other)
        os._exit(0)
    try:
        yield
    finally:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)


def _swap(directory: Path, other: Path) -> None:
    kept = directory.with_name(directory.name + ".kept")
    while True:
        with suppress(OSError):
            directory.rename(kept)
            directory.symlink_to(other)
            time.sleep(0.0002)
        with suppress(OSError):
            directory.unlink()
            kept.rename(directory)
            time.sleep(0.0002)


def attack(opened: Open, swapped: Path, other: Path, *, user: int) -> tuple[int, int]:
    """Read and write while the swapping goes on; returns how much of it worked, and how much was refused."""
    ours = record().payload
    before = sorted((str(path), path.lstat().st_size) for path in other.rglob("*"))
    bytes_before = contents(other)
    worked = refused = number = 0
    end = time.monotonic() + ATTACK_SECONDS
    with swapping(swapped, other, user):
        while time.monotonic() < end:
            number += 1
            calls: list[Callable[[Open], object]] = [read, partial(write, number=number)]
            for call in calls:
                try:
                    answer = call(opened)
                except StoreError:
                    refused += 1
                    continue
                worked += 1
                assert answer in (ours, None), "what was read is the attacker's"
    assert sorted((str(path), path.lstat().st_size) for path in other.rglob("*")) == before
    assert contents(other) == bytes_before, "something was written to the attacker's directory"
    return worked, refused


def read(opened: Open) -> object:
    with opened() as store:
        return store.get("a", 1).payload


def write(opened: Open, number: int) -> None:
    with opened() as store:
        store.create(record(f"new/n{number}", payload=b"canary-new"))


def make(opened: Open, payload: bytes) -> None:
    with opened() as store:
        store.create(record(payload=payload))
        store.create(record("new/first", payload=payload))


@pytest.mark.parametrize("level", ["store", "above"])
def test_a_directory_swapped_by_another_user(kind: str, place: Path, level: str) -> None:
    """Who may rename in a directory above, but is another user, gets no key, and foists none on anybody."""
    needs_root()
    mine, theirs = place / "mine", place / "theirs"
    for directory in (mine, theirs):
        directory.mkdir(mode=0o700)
    opened = OPENERS[kind](mine)
    make(opened, b"canary-one")
    make(OPENERS[kind](theirs), b"canary-evil")
    for path in (*theirs.rglob("*"), theirs, place):
        os.chown(path, OTHER_USER, OTHER_USER)
    if level == "store":
        os.chown(mine, OTHER_USER, OTHER_USER)
        swapped = mine / ("keys" if kind == "file" else "keys.db")
        other = theirs / swapped.name
    else:
        swapped, other = mine, theirs

    worked, refused = attack(opened, swapped, other, user=OTHER_USER)

    assert refused, f"{worked} calls worked, and none met the attacker"


@pytest.mark.parametrize("inner", ["a", "a/@1", "new", ".keywright", ".keywright/tmp"])
def test_a_directory_swapped_inside_a_store(place: Path, inner: str) -> None:
    """No link is followed inside a store of files, even if its owner's own processes make it."""
    mine, theirs = place / "mine", place / "theirs"
    for directory in (mine, theirs):
        directory.mkdir(mode=0o700)
    opened = OPENERS["file"](mine)
    make(opened, b"canary-one")
    make(OPENERS["file"](theirs), b"canary-evil")

    worked, refused = attack(opened, mine / "keys" / inner, theirs / "keys" / inner, user=os.geteuid())

    assert refused, f"{worked} calls worked, and none met the attacker"


def clear(place: Path) -> None:
    for path in place.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


TOMBSTONE = replace(record().info, state=State.DESTROYED)
USES = [
    pytest.param(lambda store: store.get("a", 1), id="get"),
    pytest.param(lambda store: store.versions("a"), id="versions"),
    pytest.param(lambda store: list(store.names()), id="names"),
    pytest.param(lambda store: store.create(record("b")), id="create"),
    pytest.param(lambda store: store.update_info(record(x="y").info, store.revision), id="update-info"),
    pytest.param(lambda store: store.replace_payload("a", 1, Secret(b"new"), store.revision), id="replace-payload"),
    pytest.param(
        lambda store: store.destroy(replace(record().info, state=State.DESTROYED), store.revision), id="destroy"
    ),
    pytest.param(lambda store: store.remove("a", [store.revision]), id="remove"),
]


class Held:
    """A store with the revision of its one record beside it."""

    def __init__(self, store: WritableStore) -> None:
        self.revision = store.create(record()).revision
        for name in ("get", "versions", "names", "create", "update_info", "replace_payload", "destroy", "remove"):
            setattr(self, name, getattr(store, name))


@pytest.mark.parametrize("use", USES)
def test_a_store_deleted_while_it_is_open(
    place: Path, store_path: Path, opened: Open, use: Callable[[Held], object]
) -> None:
    """Keys that were there are not taken for none, and no new store is made in silence."""
    with opened() as store:
        held = Held(store)
        clear(place)

        with pytest.raises(CorruptedStoreError) as gone:
            use(held)

    assert text_of(gone.value).startswith(
        f"{store_path} was removed after it was opened; restore it from a backup, or open"
    )
    assert list(place.iterdir()) == []


def test_a_deleted_store_opened_anew(place: Path, opened: Open) -> None:
    """Anyone who opens it after that finds no store, and makes one by writing."""
    with opened() as store:
        store.create(record())
    clear(place)

    with opened() as store:
        assert list(store.names()) == []
        store.create(record("b"))

    with opened() as store:
        assert list(store.names()) == ["b"]


def test_a_store_replaced_by_another(kind: str, place: Path, tmp_path: Path, opened: Open) -> None:
    """An open store whose place another one took gives that one's keys or an error, and never mixes the two."""
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    with OPENERS[kind](other)() as store:
        store.create(record(payload=b"canary-other"))

    with opened() as store:
        held = Held(store)
        clear(place)
        for path in other.iterdir():
            path.rename(place / path.name)
        outcomes = [
            told(lambda: store.update_info(record(x="mixed").info, held.revision)),
            told(lambda: store.replace_payload("a", 1, Secret(b"mixed"), held.revision)),
            told(lambda: store.remove("a", [held.revision])),
        ]
        try:
            read = store.get("a", 1).payload
        except CorruptedStoreError:
            read = None

    assert all(outcome.startswith(("ConflictError: ", "CorruptedStoreError: ")) for outcome in outcomes), outcomes
    assert read in (None, record(payload=b"canary-other").payload)
    with opened() as store:
        assert store.get("a", 1).payload == record(payload=b"canary-other").payload
