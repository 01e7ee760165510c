"""A writer that dies at any step leaves the old state or the new, and no stray secret after the next open."""

from __future__ import annotations

import os
import shutil
import sys
from binascii import crc32
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic
from types import FrameType

import pytest

from keywright import Record, Revision, Secret, State
from keywright.errors import KeyNotFoundError
from keywright_file.backend import TIMEOUT
from keywright_file.store import FileStore

Reopen = Callable[[], AbstractContextManager[FileStore]]
Make = Callable[..., Record]
Fork = Callable[[Callable[[], None]], int]
KILLED = 9

OLD, NEW = b"canary-old", b"canary-new"


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
    """The files that a version has while nobody writes."""
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


def update(make: Make, **change: object) -> Callable[[FileStore], object]:
    return lambda store: store.update(make(**change), expected=store.versions("a")[-1].revision)


def create(make: Make) -> Callable[[FileStore], object]:
    return lambda store: store.create(make("a", 2, NEW))


def create_name(make: Make) -> Callable[[FileStore], object]:
    return lambda store: store.create(make("x/y/z", 1, NEW))


def remove(_make: Make) -> Callable[[FileStore], object]:
    return lambda store: store.remove("a", expected=[info.revision for info in store.versions("a")])


Write = Callable[[Make], Callable[[FileStore], object]]
WRITES = [
    pytest.param(OLD, create, id="create"),
    pytest.param(OLD, create_name, id="create-name"),
    pytest.param(OLD, lambda make: update(make, payload=OLD, x="y"), id="metadata"),
    pytest.param(OLD, lambda make: update(make, payload=NEW), id="payload"),
    pytest.param(None, lambda make: update(make, payload=NEW), id="payload-comes"),
    pytest.param(OLD, lambda make: update(make, payload=None), id="payload-goes"),
    pytest.param(OLD, lambda make: update(make, payload=None, state=State.DESTROYED), id="destroy"),
    pytest.param(OLD, remove, id="remove"),
]


def prepare(root: Path, make: Make, payload: bytes | None, *, versions: int = 1) -> None:
    shutil.rmtree(root, ignore_errors=True)
    store = FileStore(str(root), TIMEOUT)
    for version in range(1, versions + 1):
        store.create(make("a", version, payload))
    store.create(make("a/b", payload=None))


@pytest.mark.parametrize(("payload", "write"), WRITES)
def test_death_at_every_step(
    reopen: Reopen, make: Make, root: Path, in_child: Fork, payload: bytes | None, write: Write
) -> None:
    """Whatever the step, a reader sees old or new, the next open cleans up, and the write can be done then."""
    versions = 2 if write is remove else 1
    prepare(root, make, payload, versions=versions)
    old = observed(FileStore(str(root), TIMEOUT))
    write(make)(FileStore(str(root), TIMEOUT))
    new = observed(FileStore(str(root), TIMEOUT))

    for step in range(1000):
        prepare(root, make, payload, versions=versions)

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


@pytest.mark.parametrize(("payload", "write"), WRITES)
def test_interrupt_at_every_step(reopen: Reopen, make: Make, root: Path, payload: bytes | None, write: Write) -> None:
    """Ctrl-C at any step leaves old or new too, and the next write finds nothing in its way."""
    versions = 2 if write is remove else 1
    prepare(root, make, payload, versions=versions)
    old = observed(FileStore(str(root), TIMEOUT))
    write(make)(FileStore(str(root), TIMEOUT))
    new = observed(FileStore(str(root), TIMEOUT))

    for step in range(1000):
        prepare(root, make, payload, versions=versions)
        store = FileStore(str(root), TIMEOUT)
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


MENDED = [
    pytest.param(OLD, lambda make: update(make, payload=NEW), 4, id="payload"),
    pytest.param(None, lambda make: update(make, payload=NEW), 4, id="payload-comes"),
    pytest.param(OLD, lambda make: update(make, payload=None), 4, id="payload-goes"),
    pytest.param(OLD, lambda make: update(make, payload=None, state=State.DESTROYED), 4, id="destroy"),
    pytest.param(OLD, remove, 4, id="remove"),
]


@pytest.mark.parametrize(("payload", "write", "least"), MENDED)
def test_death_while_it_is_mended(
    reopen: Reopen, make: Make, root: Path, in_child: Fork, payload: bytes | None, write: Write, least: int
) -> None:
    """A process that dies while it completes what another left, at any step, leaves what the next one completes."""
    saved = root.with_name("saved")
    found: set[frozenset[str]] = set()
    for step in range(1000):
        prepare(root, make, payload)

        def attempt(step: int = step) -> None:
            store = FileStore(str(root), TIMEOUT)
            at_step(step, die)
            write(make)(store)

        done = in_child(attempt) == 0
        if files_below(root) not in found and (root / ".keywright/pending").exists():
            found.add(files_below(root))
            shutil.rmtree(saved, ignore_errors=True)
            shutil.copytree(root, saved, copy_function=shutil.copy2)
            die_while_opening(reopen, root, saved, in_child)
        if done:
            break
    assert done
    assert len(found) >= least


def die_while_opening(reopen: Reopen, root: Path, saved: Path, in_child: Fork) -> None:
    seen = observed(FileStore(str(saved), TIMEOUT))
    for step in range(1000):
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
    from keywright_file.write import write

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

    assert write(str(root), "test", work, patience=1) == b"half"


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


def test_what_open_cannot_complete_the_next_write_reports(reopen: Reopen, make: Make, root: Path) -> None:
    """A version that a note names and that is damaged stops writers, by its own name, but no readers."""
    from keywright.errors import DamagedStoreError

    with reopen() as store:
        store.create(make())
        store.create(make("b"))
    (root / ".keywright" / "pending").write_bytes(b"a@1\n")
    (root / "a/@1/meta.json").write_bytes(b"")

    with reopen() as store:
        assert store.get("b", 1).payload is not None
        with pytest.raises(DamagedStoreError) as found:
            store.create(make("c"))

    assert str(found.value) == ("a@1 (left by an interrupted write): the metadata is damaged; restore it from a backup")
