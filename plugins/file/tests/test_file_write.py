"""What a write does, and in which order: at any step it ends in the old state or the new, and no stray secret."""

from __future__ import annotations

import os
import shutil
import sys
from binascii import crc32
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any

import pytest
from support.errors import text_of
from support.problems import lines_of

from keywright import Record, Revision, Secret, State
from keywright.errors import DurabilityError, KeyExistsError, KeyNotFoundError
from keywright_file import TIMEOUT
from keywright_file.store import FileStore

Reopen = Callable[[], AbstractContextManager[FileStore]]
Make = Callable[..., Record]
OLD, NEW = b"canary-old", b"canary-new"
OLD_CHECKSUM, NEW_CHECKSUM = (f"crc32-{crc32(payload):08x}" for payload in (OLD, NEW))


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """From its call on, steps are added to the list that it returns; the lock and what is only read are left out."""
    steps: list[str] = []
    opened: dict[int, str] = {}
    real_open, real_sync, real_rename, real_unlink = os.open, os.fsync, os.rename, os.unlink

    def open(name: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        descriptor = real_open(name, flags, mode, dir_fd=dir_fd)
        opened[descriptor] = os.path.basename(name)
        if flags & os.O_CREAT and name != "lock":
            steps.append(f"make {name}")
        return descriptor

    def sync(descriptor: int) -> None:
        steps.append(f"sync {opened[descriptor]}")
        real_sync(descriptor)

    def rename(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        steps.append(f"place {target}")
        real_rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def unlink(name: str, *, dir_fd: int) -> None:
        steps.append(f"remove {name}")
        real_unlink(name, dir_fd=dir_fd)

    def start() -> list[str]:
        for name, function in (("open", open), ("fsync", sync), ("rename", rename), ("unlink", unlink)):
            monkeypatch.setattr(os, name, function)
        return steps

    return start


def leave(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    file.chmod(0o600)


Fork = Callable[[Callable[[], None]], int]
KILLED = 9


@pytest.fixture
def root(quick_root: Path) -> Path:
    return quick_root


def at_step(number: int, end: Callable[[], None]) -> None:
    """Call `end` before the system call with this number; Python's own `posix` functions are counted."""
    left = number

    def count(_frame: FrameType, event: str, function: object) -> None:
        nonlocal left
        if event == "c_call" and getattr(function, "__module__", "") in ("posix", "fcntl"):
            left -= 1
            if left < 0:
                sys.setprofile(None)
                end()

    sys.setprofile(count)


def die() -> None:
    os._exit(KILLED)


def interrupt() -> None:
    raise KeyboardInterrupt


def observed(store: FileStore) -> tuple[Record, ...]:
    """All that a reader sees, by every way to see it, without revisions."""
    found = []
    for name in ("a", "a/b", "other", "x/y/z"):
        for version in (1, 2):
            with suppress(KeyNotFoundError):
                found.append(store.get(name, version))
    infos = [record.info for record in found]
    assert infos == [info for name in ("a", "a/b", "other", "x/y/z") for info in store.versions(name)]
    assert sorted({info.name for info in infos}) == list(store.names())
    return tuple(Record(replace(record.info, revision=Revision("")), record.payload) for record in found)


def secrets_below(root: Path) -> set[bytes]:
    data = [path.read_bytes() for path in root.rglob("*") if path.is_file()]
    return {secret for secret in (OLD, NEW) if any(secret in content for content in data)}


def files_of(record: Record) -> set[str]:
    """The files that a version has while no one writes."""
    if record.payload is not None:
        return {"key", "meta.json", f"crc32-{crc32(record.payload.reveal()):08x}"}
    return {"meta.json"} if record.info.state is State.DESTROYED else {"meta.json", "public-only"}


def assert_settled(root: Path, records: tuple[Record, ...]) -> None:
    """Nothing is there but what these records have."""
    kept = {record.payload.reveal() for record in records if record.payload is not None}
    assert secrets_below(root) == kept
    for record in records:
        place = root / record.info.name / f"@{record.info.version}"
        assert set(os.listdir(place)) == files_of(record)
    assert os.listdir(root / ".keywright" / "tmp") == []
    assert not (root / ".keywright" / "pending").exists()


def update_info(make: Make) -> Callable[[FileStore], object]:
    return lambda store: store.update_info(make(x="y").info, store.versions("a")[0].revision)


def replace_payload(_make: Make) -> Callable[[FileStore], object]:
    return lambda store: store.replace_payload("a", 1, Secret(NEW), store.versions("a")[0].revision)


def destroy(make: Make) -> Callable[[FileStore], object]:
    tombstone = make(state=State.DESTROYED).info
    return lambda store: store.destroy(tombstone, store.versions("a")[0].revision)


def create(make: Make) -> Callable[[FileStore], object]:
    return lambda store: store.create(make("a", 2, NEW))


def create_name(make: Make) -> Callable[[FileStore], object]:
    return lambda store: store.create(make("x/y/z", 1, NEW))


def create_again(make: Make) -> Callable[[FileStore], object]:
    def write(store: FileStore) -> None:
        with pytest.raises(KeyExistsError):
            store.create(make())

    return write


def remove(_make: Make) -> Callable[[FileStore], object]:
    return lambda store: store.remove("a", [info.revision for info in store.versions("a")])


Write = Callable[[Make], Callable[[FileStore], object]]
WRITES = [
    pytest.param(create, id="create"),
    pytest.param(create_name, id="create-name"),
    pytest.param(update_info, id="metadata"),
    pytest.param(replace_payload, id="payload"),
    pytest.param(destroy, id="destroy"),
    pytest.param(remove, id="remove"),
]


def prepare(root: Path, make: Make, write: Write) -> FileStore:
    """A new store in which the write can be done."""
    shutil.rmtree(root, ignore_errors=True)
    store = FileStore(str(root), TIMEOUT)
    for version in (1, 2) if write is remove else (1,):
        store.create(make("a", version, OLD))
    store.create(make("a/b", payload=None))
    return store


def before_and_after(root: Path, make: Make, write: Write) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """All that a reader sees without the write and with it."""
    store = prepare(root, make, write)
    old = observed(store)
    write(make)(store)
    return old, observed(store)


def in_order(steps: list[str]) -> list[str]:
    """The steps; files that are removed one after another come in any order."""
    runs = [list(run) for _, run in groupby(steps, key=lambda step: step.startswith("remove "))]
    return [step for run in runs for step in (sorted(run) if run[0].startswith("remove ") else run)]


NOTE = ("make pending", "sync pending", "sync .keywright")
UPDATE = ("make file", "sync file", "place meta.json", "sync @1")
ORDERS = [
    # All that is in a version is synced before it is placed, and every directory above it after that; no more.
    pytest.param(
        create_name,
        [
            *(f"make {NEW_CHECKSUM}", "make key", "make meta.json", "sync key", "sync meta.json", "sync version"),
            *("place @1", "sync z", "sync y", "sync x", "sync keys"),
        ],
        id="create-name",
    ),
    # A create that is refused writes nothing first, least of all the key.
    pytest.param(create_again, [], id="create-again"),
    # One file is replaced, and nothing needs a note.
    pytest.param(update_info, [*UPDATE], id="metadata"),
    # The new checksum is on the medium before the new key is placed, and the key before the old checksum goes.
    pytest.param(
        replace_payload,
        [
            *(*NOTE, f"make {NEW_CHECKSUM}", "sync @1", "make file", "sync file", "place key", "sync @1"),
            *(f"remove {OLD_CHECKSUM}", "sync @1", "remove pending"),
        ],
        id="payload",
    ),
    # The tombstone is on the medium before the key and its checksum go, and they are gone before the note is.
    pytest.param(
        destroy,
        [*NOTE, *UPDATE, f"remove {OLD_CHECKSUM}", "remove key", "sync @1", "remove pending"],
        id="destroy",
    ),
]


@pytest.mark.parametrize(("write", "steps"), ORDERS)
def test_order_of_steps(
    store: FileStore, make: Make, watch: Callable[[], list[str]], write: Write, steps: list[str]
) -> None:
    """What must be on the medium before the next step is synced before it, and nothing is synced twice."""
    store.create(make("a", payload=OLD))
    seen = watch()

    write(make)(store)

    assert in_order(seen) == steps


LEFT_BY_ANOTHER = [
    pytest.param({"state": State.DESTROYED}, "@1/key", "a@1", [*UPDATE, "remove key", "sync @1"], id="destroy"),
    pytest.param(
        {"payload": NEW}, f"@1/{OLD_CHECKSUM}", "a@1", [*UPDATE, f"remove {OLD_CHECKSUM}", "sync @1"], id="payload"
    ),
    # The mark of a removed name is made again before a version goes, and goes after the last of them.
    pytest.param(
        {},
        "@removed",
        "a",
        [
            *("make file", "sync file", "place @removed", "sync a", "remove meta.json", "remove public-only"),
            *("sync a", "remove @removed", "sync a", "sync keys"),
        ],
        id="remove",
    ),
]


@pytest.mark.parametrize(("record", "left", "note", "steps"), LEFT_BY_ANOTHER)
def test_change_left_by_another(
    reopen: Reopen,
    make: Make,
    root: Path,
    watch: Callable[[], list[str]],
    record: dict[str, Any],
    left: str,
    note: str,
    steps: list[str],
) -> None:
    """What may never have come to the medium is written again, not only synced again, before anything is removed."""
    with reopen() as store:
        store.create(make(**{"payload": None} | record))
    leave(root / "a" / left, b"")
    leave(root / ".keywright/pending", f"{note}\n".encode())
    seen = watch()

    with reopen():
        pass

    assert in_order(seen) == [*steps, "remove pending"]


@pytest.mark.parametrize("write", WRITES)
def test_death_at_every_step(reopen: Reopen, make: Make, root: Path, in_child: Fork, write: Write) -> None:
    """Whatever the step, a reader sees old or new, the next open cleans up, and the write can be done then."""
    old, new = before_and_after(root, make, write)

    for step in range(1000):
        prepare(root, make, write)

        def attempt(step: int = step) -> None:
            store = FileStore(str(root), TIMEOUT)
            at_step(step, die)
            write(make)(store)

        status = in_child(attempt)
        seen = observed(FileStore(str(root), TIMEOUT))  # not entered: nothing is cleaned up yet
        with reopen() as store:
            assert seen in (old, new)
            assert observed(store) == seen
            assert_settled(root, seen)
            if seen == old:
                write(make)(store)
            assert observed(store) == new
        if status == 0:
            break
    assert status == 0
    assert step > 40


@pytest.mark.parametrize("write", WRITES)
def test_interrupt_at_every_step(reopen: Reopen, make: Make, root: Path, write: Write) -> None:
    """Ctrl-C at any step leaves old or new too, and the next write finds nothing in its way."""
    old, new = before_and_after(root, make, write)

    for step in range(1000):
        store = prepare(root, make, write)
        at_step(step, interrupt)
        try:
            write(make)(store)
            done = True
        except KeyboardInterrupt:
            done = False
        finally:
            sys.setprofile(None)
        seen = observed(store)
        store.create(make("later", payload=None))

        assert seen in (old, new)
        assert_settled(root, seen)
        if done:
            break
    assert done


def files_below(root: Path) -> frozenset[str]:
    return frozenset(str(path.relative_to(root)) for path in root.rglob("*"))


EVERY_STEP = "KEYWRIGHT_EVERY_STEP" in os.environ  # `nox -s laws` sets it


@pytest.mark.parametrize("write", [replace_payload, destroy, remove])
def test_death_while_it_is_completed(reopen: Reopen, make: Make, root: Path, in_child: Fork, write: Write) -> None:
    """A process that dies while it completes what another left, at any step, leaves what the next one completes."""
    saved = root.with_name("saved")
    found: set[frozenset[str]] = set()
    for step in range(1000):
        prepare(root, make, write)

        def attempt(step: int = step) -> None:
            store = FileStore(str(root), TIMEOUT)
            at_step(step, die)
            write(make)(store)

        done = in_child(attempt) == 0
        if files_below(root) not in found and (root / ".keywright/pending").exists():
            found.add(files_below(root))
            shutil.rmtree(saved, ignore_errors=True)
            shutil.copytree(root, saved, copy_function=shutil.copy2)
            die_while_opening(reopen, root, saved, in_child, first=len(found))
        if done:
            break
    assert done
    assert len(found) >= 4


def die_while_opening(reopen: Reopen, root: Path, saved: Path, in_child: Fork, *, first: int) -> None:
    """At every step, or of each state at others of them: with four states all steps have their turn."""
    seen = observed(FileStore(str(saved), TIMEOUT))
    for step in range(1000) if EVERY_STEP else range(first % 4, 1000, 4):
        shutil.rmtree(root)
        shutil.copytree(saved, root, copy_function=shutil.copy2)

        def attempt(step: int = step) -> None:
            store = FileStore(str(root), TIMEOUT)
            at_step(step, die)
            store.__enter__()

        status = in_child(attempt)
        with reopen() as store:
            assert observed(store) == seen
        assert_settled(root, seen)
        if status == 0:
            return
    raise AssertionError("it does not come to an end")


def test_death_in_the_first_write(make: Make, root: Path, in_child: Fork) -> None:
    """A store whose making was interrupted is an empty store, and the next write makes it."""
    for step in range(1000):
        shutil.rmtree(root, ignore_errors=True)

        def attempt(step: int = step) -> None:
            store = FileStore(str(root), TIMEOUT)
            at_step(step, die)
            store.create(make(payload=NEW))

        status = in_child(attempt)
        with FileStore(str(root), TIMEOUT) as store:
            seen = observed(store)
            assert len(seen) <= 1
            assert secrets_below(root) == ({NEW} if seen else set())
            if not seen:
                store.create(make(payload=NEW))
        if status == 0:
            break
    assert status == 0


def test_open_leaves_a_live_writer_alone(reopen: Reopen, make: Make, root: Path) -> None:
    """What a writer at work has half made is not taken for a dead one's, and its end is not waited for."""
    from keywright_file.write import apply

    with reopen() as store:
        store.create(make())

    def work(_: object) -> bytes:
        half = root / ".keywright" / "tmp" / "file"
        half.write_bytes(b"half")
        begun = monotonic()

        with reopen() as store:
            assert list(store.names()) == ["a"]

        assert monotonic() - begun < 10
        return half.read_bytes()

    assert apply(str(root), "test", work, patience=1) == b"half"


@pytest.mark.parametrize("mode", [0o000, 0o777], ids=oct)
def test_half_made_under_a_strange_umask(reopen: Reopen, make: Make, root: Path, mode: int) -> None:
    """A version that its maker could not even make his own is swept away, whatever its mode."""
    with reopen() as store:
        store.create(make())
    half = root / ".keywright/tmp/version"
    half.mkdir()
    (half / "key").write_bytes(NEW)
    half.chmod(mode)

    with reopen():
        pass

    assert os.listdir(root / ".keywright/tmp") == []


def test_a_note_cut_short_is_dropped(reopen: Reopen, make: Make, root: Path) -> None:
    """A note that was not written to its end belongs to a change that never began."""
    with reopen() as store:
        info = store.create(make())
    for text in (b"", b"a@", b"a@1", b"\xff\n", b"../x\n"):
        (root / ".keywright" / "pending").write_bytes(text)
        (root / ".keywright" / "pending").chmod(0o600)

        with reopen() as store:
            assert store.get("a", 1) == Record(info, Secret(b"canary-one"))

        assert not (root / ".keywright" / "pending").exists()


@pytest.mark.parametrize("file", ["key", "meta.json"])
def test_reading_goes_on(store: FileStore, make: Make, root: Path, file: str) -> None:
    """A backup that links files does not stop who uses the keys; the doctor is told."""
    info = store.create(make())
    os.link(root / "a/@1" / file, root / ".second")

    assert store.get("a", 1) == Record(info, Secret(b"canary-one"))
    assert store.versions("a") == (info,)
    (problem,) = lines_of(store.check())
    assert problem.startswith(f"a@1 in {root}: a file has a second name (a hard link), which may be used to read,")


@pytest.mark.parametrize(
    ("change", "subject", "removed", "left"),
    [
        pytest.param(destroy, "a@1", [1], [None, Secret(OLD)], id="destroy"),
        pytest.param(replace_payload, "a@1", [1], [Secret(NEW), Secret(OLD)], id="payload"),
        pytest.param(remove, "a", [1, 2], [], id="remove"),
        pytest.param(update_info, "a@1", [], [Secret(OLD), Secret(OLD)], id="metadata"),
    ],
)
def test_a_removed_key_with_another_name(
    store: FileStore, make: Make, root: Path, change: Write, subject: str, removed: list[int], left: list[Secret | None]
) -> None:
    """The key is gone here, and the error says how to find the names under which it is not."""
    for version in (1, 2):
        store.create(make(version=version, payload=OLD))
        os.link(root / f"a/@{version}/key", root / f".second-{version}")
    inodes = [f"-inum {(root / f'.second-{version}').stat().st_ino}" for version in removed]

    with pytest.raises(DurabilityError) if removed else nullcontext() as told:
        change(make)(store)

    if told is not None:
        assert text_of(told.value) == (
            f"{subject} in {root}: the change was made, but the old key can still be read under another name (a hard "
            f"link); look for it with `find {' -o '.join(inodes)}` and remove it"
        )
    assert [store.get("a", info.version).payload for info in store.versions("a")] == left
    assert (root / ".second-1").read_bytes() == OLD
    assert not (root / ".keywright/pending").exists()
