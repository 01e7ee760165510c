"""The file store keeps what it is given, in files that other programs can read."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from refusals import refuses
from support.errors import text_of
from support.problems import lines_of

from keywright import Guard, Options, Record, RecordInfo, Revision, Secret, State, decode_info
from keywright.errors import (
    CorruptedStoreError,
    KeyNotFoundError,
    KeywrightError,
    StoreUnavailableError,
    UnsupportedOperationError,
    conflict,
    key_exists,
    key_not_found,
    no_payload,
    not_destroyed,
    payload_of_destroyed,
)
from keywright_file import TIMEOUT, FileBackend
from keywright_file.files import LONGEST_FILE_BYTES
from keywright_file.store import FileStore

Reopen = Callable[[], AbstractContextManager[FileStore]]
Make = Callable[..., Record]


def files_below(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_layout(store: FileStore, make: Make, root: Path) -> None:
    """A version is a directory with exactly the payload, the metadata as the core has it, and an empty checksum file.

    A record without a payload has no key file, and says so by an empty file.
    """
    info = store.create(make("cache.example.org", 3, b"cache.example.org-3:AAAA"))
    store.create(make(payload=None))

    place = root / "cache.example.org" / "@3"
    assert sorted(os.listdir(place)) == ["crc32-dff68e33", "key", "meta.json"]
    assert (place / "crc32-dff68e33").read_bytes() == b""
    assert (place / "key").read_bytes() == b"cache.example.org-3:AAAA"
    assert decode_info((place / "meta.json").read_bytes(), where="here") == replace(info, revision=Revision(""))
    assert json.loads((place / "meta.json").read_text())["name"] == "cache.example.org"
    assert sorted(os.listdir(root / "a" / "@1")) == ["meta.json", "public-only"]


def test_absent_root_is_empty_until_the_first_write(reopen: Reopen, make: Make, root: Path) -> None:
    """Reading a store that is not there finds no keys and makes nothing; the first write makes it."""
    with reopen() as store:
        assert list(store.names()) == []
        assert store.versions("a") == ()
        with refuses(KeyNotFoundError, text_of(key_not_found("a", 1))):
            store.get("a", 1)
    assert not root.exists()

    with reopen() as reader, reopen() as writer:
        writer.create(make())

        assert list(reader.names()) == ["a"]


def test_first_write_makes_what_is_missing_above(tmp_path: Path, make: Make) -> None:
    """Missing directories above the root are made too, for the owner alone."""
    with FileBackend().open(Options({"path": str(tmp_path / "x" / "y" / "keys"), "timeout": TIMEOUT})) as store:
        store.create(make())

    assert [(tmp_path / part).stat().st_mode & 0o777 for part in ("x", "x/y", "x/y/keys")] == [0o700] * 3


@pytest.mark.parametrize("held", [[], ["lost+found"], [".keywright"]], ids=["empty", "volume", "interrupted"])
def test_empty_directory_becomes_a_store(reopen: Reopen, make: Make, root: Path, held: list[str]) -> None:
    """An empty directory, a fresh volume and one whose first write was interrupted are empty stores."""
    for name in ["", *held]:
        (root / name).mkdir(mode=0o700)

    with reopen() as store:
        before = list(store.names())
        store.create(make())

    with reopen() as store:
        assert (before, list(store.names())) == ([], ["a"])


def test_tombstone_keeps_taking_metadata(store: FileStore, make: Make, root: Path) -> None:
    """A tombstone's labels change, and a state that is no longer `destroyed` is not damage."""
    first = store.create(make())
    second = store.destroy(make(payload=None, state=State.DESTROYED).info, first.revision)
    third = store.destroy(make(payload=None, state=State.DESTROYED, x="y").info, second.revision)
    assert os.listdir(root / "a/@1") == ["meta.json"]
    fourth = store.update_info(make(payload=None).info, third.revision)

    assert store.get("a", 1) == Record(fourth, None)


def test_what_is_too_long(store: FileStore, make: Make, root: Path) -> None:
    """What could not be read again is not written, and leaves nothing behind."""
    info = store.create(make())
    before = files_below(root)

    payload, label = b"x" * (LONGEST_FILE_BYTES + 1), "y" * LONGEST_FILE_BYTES

    writes: list[Callable[[], object]] = [
        lambda: store.create(make(version=2, payload=payload)),
        lambda: store.create(make(version=2, x=label)),
        lambda: store.replace_payload("a", 1, Secret(payload), info.revision),
        lambda: store.update_info(make(x=label).info, info.revision),
        lambda: store.destroy(make(state=State.DESTROYED, x=label).info, info.revision),
    ]
    for write in writes:
        with pytest.raises(UnsupportedOperationError) as refused:
            write()
        assert text_of(refused.value).partition(" has ")[2] == (
            "a payload or metadata of more than 16777216 bytes, the limit of the file store; store a shorter key, or "
            "fewer labels"
        )
    assert files_below(root) == before


def test_revisions_differ_under_a_clock_that_stands_still(
    reopen: Reopen, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that stands still or went back does not bring an old revision back."""
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000)
    seen = []

    with reopen() as store:
        info = store.create(make())
        for _ in range(10):
            info = store.update_info(make().info, info.revision)
            seen.append(info.revision.partition("-")[2])

    assert len(set(seen)) == 10


def test_remove(reopen: Reopen, make: Make, root: Path) -> None:
    """A whole name goes, with every version and empty directory; names above and below stay."""
    with reopen() as store:
        for name in ("a", "a/b", "a/b/c", "x/y/z"):
            store.create(make(name))
        store.create(make("a/b", 2, payload=None))
        for name in ("a/b", "x/y/z"):
            store.remove(name, [info.revision for info in store.versions(name)])

    with reopen() as store:
        assert list(store.names()) == ["a", "a/b/c"]
        assert store.versions("a/b") == ()
    assert not (root / "x").exists()
    assert files_below(root / ".keywright") == {"format", "lock"}


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> tuple[FileStore, list[str]]:
    """A store whose names sort otherwise than its directories do."""
    names = ["a", "a-b", "a-b/c", "a.b", "a/b", "a/b-c", "a/b/c", "a/b0", "a0", "a_", "ab", "b/a", "b0", "c.d/e", "c/d"]
    store = FileStore(str(tmp_path_factory.mktemp("forest") / "keys"), TIMEOUT)
    for name in names:
        store.create(Record(RecordInfo(name=name, version=1), None))
    return store, sorted(names, key=str.encode)


TEXTS = st.text("ab0-./_c", max_size=5)


@given(prefix=TEXTS, after=TEXTS, limit=st.none() | st.integers(-1, 20))
def test_names_are_those_of_a_sorted_list(
    forest: tuple[FileStore, list[str]], prefix: str, after: str, limit: int | None
) -> None:
    """Prefix, start and limit select from the byte-sorted names as they would from a list."""
    store, names = forest

    found = list(store.names(prefix, after=after, limit=limit))

    expected = [name for name in names if name.startswith(prefix) and name > after]
    assert found == (expected if limit is None else expected[: max(limit, 0)])


def test_what_the_system_puts_there_is_passed_over(store: FileStore, make: Make, root: Path) -> None:
    """Entries with a leading dot are neither keys nor damage; `doctor` reports those beside a key.

    The version can be read, changed and destroyed; the entry stays as it is. Names are listed without a look at it.
    """
    stray = root / "a/@1/.DS_Store"
    info = store.create(make())
    (root / ".DS_Store").write_bytes(b"x")
    (root / "a" / ".snapshot").mkdir()
    stray.write_bytes(b"x")

    assert list(store.names()) == ["a"]
    info = store.update_info(make(x="y").info, info.revision)
    info = store.replace_payload("a", 1, Secret(b"canary-two"), info.revision)
    assert store.get("a", 1) == Record(info, Secret(b"canary-two"))
    info = store.destroy(make(payload=None, state=State.DESTROYED).info, info.revision)

    assert store.versions("a") == (info,)
    assert sorted(os.listdir(root / "a/@1")) == [".DS_Store", "meta.json"]
    assert stray.read_bytes() == b"x"
    assert lines_of(store.check()) == [
        f"a@1 in {root}: unexpected file (`a/@1/.DS_Store`) beside the key; move it out of the store"
    ]
    (root / "a/@1/meta.json").unlink()
    assert list(store.names()) == ["a"]


def test_what_the_system_puts_beside_a_key_is_not_removed(store: FileStore, make: Make, root: Path) -> None:
    """A name goes with all its directories or not at all; a removal that was refused has not begun."""
    revisions = [store.create(make("a", version)).revision for version in (1, 2)]
    stray = root / "a/@2/.DS_Store"
    stray.write_bytes(b"x")

    with pytest.raises(CorruptedStoreError) as refused:
        store.remove("a", revisions)

    assert text_of(refused.value) == (
        f"a@2 in {root}: unexpected file (`a/@2/.DS_Store`) beside the key; move it out of the store"
    )
    assert [info.revision for info in store.versions("a")] == revisions
    assert stray.read_bytes() == b"x"
    stray.unlink()
    store.remove("a", revisions)
    assert list(store.names()) == []


def test_without_posix_locks_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system without `flock` the backend refuses by name."""
    for module in [name for name in sys.modules if name.startswith("keywright_file.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "fcntl", None)

    with pytest.raises(UnsupportedOperationError) as refused:
        FileBackend().open(Options({"path": "/nowhere", "timeout": TIMEOUT}))

    assert text_of(refused.value) == (
        "the file store needs POSIX file locks, which this system does not have; use the sqlite store"
    )


def test_what_is_refused_says_why(reopen: Reopen, make: Make, root: Path) -> None:
    """Each refusal names the version, says that nothing was written, and what to do; the record stays as it is."""
    with reopen() as store:
        info = store.create(make())
        store.create(make("x/y"))
        public = store.create(make("x/z", payload=None))
        old = Revision("old")
        refusals: list[tuple[KeywrightError, Callable[[], object]]] = [
            (key_exists("a", 1), lambda: store.create(make(payload=b"second"))),
            (payload_of_destroyed("b", 1), lambda: store.create(make("b", state=State.DESTROYED))),
            (payload_of_destroyed("a", 1), lambda: store.update_info(make(state=State.DESTROYED).info, info.revision)),
            (not_destroyed("a", 1), lambda: store.destroy(make().info, info.revision)),
            (no_payload("x/z", 1), lambda: store.replace_payload("x/z", 1, Secret(b"new"), public.revision)),
            (
                conflict("x/y", 1),
                lambda: store.update_info(make(x="y").info, info.revision, guard=Guard("x/y", 1, old)),
            ),
            (conflict("a", 1), lambda: store.update_info(make(x="y").info, old)),
            *(
                (key_not_found(*key), lambda key=key: store.update_info(make(*key).info, old))
                for key in (("a", 2), ("b", 1), ("a/b", 1))
            ),
            *(
                (conflict("a"), lambda expected=expected: store.remove("a", expected))
                for expected in ([], [old], [info.revision, old])
            ),
            *((key_not_found(name), lambda name=name: store.remove(name, [])) for name in ("b", "a/b", "x")),
        ]
        for refusal, call in refusals:
            with refuses(type(refusal), text_of(refusal)):
                call()
        assert store.get("a", 1) == Record(info, Secret(b"canary-one"))
        assert list(store.names()) == ["a", "x/y", "x/z"]
    for call in (lambda: store.get("a", 1), lambda: list(store.names()), lambda: store.create(make())):
        with refuses(StoreUnavailableError, f"{root}: the store is closed; open it again"):
            call()


SECOND = 1_000_000_000  # in nanoseconds
COARSEST = 2 * SECOND  # as a file system may keep time


def times(root: Path, *files: str) -> set[int]:
    return {(root / file).stat().st_mtime_ns for file in files}


def test_a_write_gives_its_files_one_time(store: FileStore, make: Make, root: Path) -> None:
    """Key, metadata and lock have the time of the write that made them, not those of the system calls."""
    before = time.time_ns()
    store.create(make())
    after = time.time_ns()

    (stamp,) = times(root, "a/@1/key", "a/@1/meta.json", ".keywright/lock")
    assert before - COARSEST <= stamp <= after


def test_a_clock_that_went_back(store: FileStore, make: Make, root: Path) -> None:
    """Where the last write was later than now, the next one is later still."""
    store.create(make())
    last = time.time_ns() // COARSEST * COARSEST + 3600 * SECOND
    os.utime(root / ".keywright/lock", ns=(last, last))

    store.create(make("b"))

    (stamp,) = times(root, "b/@1/key", "b/@1/meta.json", ".keywright/lock")
    assert last < stamp <= last + COARSEST


def emptied(root: Path) -> None:
    """As where a volume is unmounted, and the directory that it was mounted on is seen."""
    shutil.rmtree(root)
    root.mkdir(mode=0o700)


def cleared(root: Path) -> None:
    """The directory itself stays."""
    for entry in root.iterdir():
        shutil.rmtree(entry)


@pytest.mark.parametrize("take_away", [shutil.rmtree, emptied, cleared], ids=["deleted", "unmounted", "cleared"])
@pytest.mark.parametrize("begin", ["read", "written"])
def test_gone(reopen: Reopen, make: Make, root: Path, take_away: Callable[[Path], None], begin: str) -> None:
    """Whether it was read or written before, every use says so; nothing is made; and opening again begins again."""
    if begin == "read":
        FileStore(str(root), TIMEOUT).create(make())
    with reopen() as store:
        info = store.get("a", 1).info if begin == "read" else store.create(make())
        take_away(root)
        left = list(root.parent.rglob("*"))
        uses: list[Callable[[], object]] = [
            lambda: store.get("a", 1),
            lambda: store.versions("a"),
            lambda: list(store.names()),
            lambda: list(store.check()),
            lambda: store.create(make("b")),
            lambda: store.update_info(make(x="y").info, info.revision),
            lambda: store.remove("a", [info.revision]),
        ]

        for use in uses:
            with pytest.raises(CorruptedStoreError) as said:
                use()
            assert text_of(said.value) == (
                f"{root} was removed after it was opened; restore it from a backup, or open the store again"
            )
        assert list(root.parent.rglob("*")) == left
    with reopen() as store:
        assert list(store.names()) == []
        store.create(make("b"))


@pytest.mark.parametrize("taken", [".keywright", ".keywright/format"])
def test_marker_gone(reopen: Reopen, make: Make, root: Path, taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that loses its marker while it is open is damaged, though its keys are there, and we stand in another."""
    FileStore(str(root.with_name("other")), TIMEOUT).create(make())
    monkeypatch.chdir(root.with_name("other"))
    with reopen() as store:
        store.create(make())
        (root / taken).rename(root.parent / "taken")

        with pytest.raises(CorruptedStoreError) as said:
            store.get("a", 1)

    assert text_of(said.value) == (
        f"{root} is not empty and has no .keywright/format, so it is not a store, or one that lost its marker; set "
        "`path` to a directory of its own, or restore the marker from a backup"
    )
