"""What SQLite and the system report, and a disk without room, come out as errors that say what to do."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from refusals import refuses
from support.errors import text_of

from keywright import Record, Secret, State, WritableStore
from keywright.errors import (
    ConfigError,
    CorruptedStoreError,
    DurabilityError,
    ReadOnlyStoreError,
    StoreError,
    StoreUnavailableError,
    UnsupportedOperationError,
)
from keywright_sqlite.database import store_error
from keywright_sqlite.store import SqliteStore

Make = Callable[..., Record]
Opener = Callable[..., AbstractContextManager[WritableStore]]
Run = Callable[..., subprocess.Popen[bytes]]
FULL = "the disk is full; nothing was written; free disk space and try again"
BUSY = (
    ": locked by another process for longer than the setting `timeout`; nothing was written; stop that process, or "
    "raise the setting `timeout` of the store"
)
UNSYNCED = (
    ": the system could not confirm that the write is on disk; check the disk, then look at the store before you "
    "try again"
)
READ_ONLY = (
    ": this user may not write the file or its directory, nothing was written; run as its owner, or "
    "set `path` to a file in a directory that you can write to"
)
NOT_OPENED = (
    ": the database, its -wal or its -shm file cannot be opened; nothing was written; check that you may read "
    "and write its directory"
)
DAMAGED = ": the database is damaged; restore it from a backup"
NO_DATABASE = " is not a SQLite database; restore it from a backup, or set `path` to another file"
WRITE = ": SQLite reports SQLITE_IOERR_WRITE; nothing was written; check the disk and try again"


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("SQLITE_BUSY", StoreUnavailableError, BUSY),
        ("SQLITE_BUSY_RECOVERY", StoreUnavailableError, BUSY),
        ("SQLITE_LOCKED", StoreUnavailableError, BUSY),
        ("SQLITE_READONLY_DBMOVED", ReadOnlyStoreError, READ_ONLY),
        ("SQLITE_NOTADB", CorruptedStoreError, NO_DATABASE),
        ("SQLITE_CORRUPT", CorruptedStoreError, DAMAGED),
        ("SQLITE_CORRUPT_INDEX", CorruptedStoreError, DAMAGED),
        ("SQLITE_ERROR", CorruptedStoreError, DAMAGED),
        ("SQLITE_CONSTRAINT_NOTNULL", CorruptedStoreError, DAMAGED),
        ("SQLITE_FULL", StoreUnavailableError, f": {FULL}"),
        ("SQLITE_CANTOPEN", StoreUnavailableError, NOT_OPENED),
        ("SQLITE_IOERR_FSYNC", DurabilityError, UNSYNCED),
        ("SQLITE_IOERR_DIR_FSYNC", DurabilityError, UNSYNCED),
        ("SQLITE_IOERR_WRITE", StoreUnavailableError, WRITE),
    ],
)
def test_every_code_has_its_error(code: str, kind: type[StoreError], message: str) -> None:
    """The extended result code decides what the caller does next."""
    reported = sqlite3.OperationalError("something internal")
    reported.sqlite_errorcode = getattr(sqlite3, code)
    reported.sqlite_errorname = code

    error = store_error("keys.db", reported)

    assert type(error) is kind
    assert text_of(error) == f"keys.db{message}"


def test_errors_of_the_module_have_no_code() -> None:
    """About text that is not UTF-8, which it quotes, it is damage; otherwise the store is unavailable."""
    no_text = store_error("keys.db", sqlite3.OperationalError("Could not decode to UTF-8 column 'name' with text 'x'"))
    other = store_error("keys.db", sqlite3.ProgrammingError("something internal"))

    assert (type(no_text), text_of(no_text)) == (CorruptedStoreError, f"keys.db{DAMAGED}")
    assert (type(other), text_of(other)) == (
        StoreUnavailableError,
        "keys.db: SQLite reports an error without a code; nothing was written; check the disk and try again",
    )


LIMITED = """
import resource
with opened(path) as store:
    if len(sys.argv) > 3:
        store.create(Record(RecordInfo(name="a", version=1), Secret(b"x")))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))
    for call in (
        lambda: store.create(Record(RecordInfo(name="b", version=1), Secret(b"x" * 100_000))),
        lambda: print(*store.names()),
        lambda: store.create(Record(RecordInfo(name="c", version=1), Secret(b"x"))),
        lambda: print(*store.names()),
    ):
        try:
            call()
        except Exception as error:
            print(f"{type(error).__name__} {error}; {error.hint}")
"""


def test_a_disk_that_takes_no_more_leaves_what_was_there(path: str, run: Run) -> None:
    """A write that does not fit is undone, and what fits works afterwards."""
    answer = run(LIMITED, "60000", "made").communicate()[0].decode()

    assert answer == (
        f"StoreUnavailableError {path}: SQLite reports SQLITE_IOERR_WRITE; nothing was written; check the disk and try "
        "again\na\na c\n"
    )


def test_a_disk_that_takes_nothing_leaves_no_store(path: str, run: Run) -> None:
    """Where the new store does not fit, no store and no file is left."""
    answer = run(LIMITED, "100").communicate()[0].decode()

    error = (
        f"StoreUnavailableError {path}: the store cannot be created, nothing was written: File too large; "
        f"set `path` to a file in a directory that you can write to\n"
    )
    assert answer == f"{error}\n{error}\n"
    assert os.listdir(os.path.dirname(path)) == []


def _failing(number: int) -> Callable[[pytest.MonkeyPatch], object]:
    """Lets the sync of this number fail."""
    counter = count()
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if next(counter) == number:
            raise OSError(errno.EIO, "Input/output error")
        real(descriptor)

    return lambda patch: patch.setattr(os, "fsync", fsync)


def _no_directories(patch: pytest.MonkeyPatch) -> None:
    """Lets no directory be opened, to sync it."""
    real = os.open

    def refusing(target: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_DIRECTORY:
            raise OSError(errno.EMFILE, "Too many open files")
        return real(target, flags, mode, dir_fd=dir_fd)

    patch.setattr(os, "open", refusing)


@pytest.mark.parametrize(
    ("fail", "directory"),
    [
        *(pytest.param(_failing(n), "new/deep", id=f"sync {n}") for n in range(4)),
        pytest.param(_no_directories, "", id="open"),
    ],
)
def test_a_new_store_that_cannot_be_synced_is_reported(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    opened: Opener,
    make: Make,
    fail: Callable[[pytest.MonkeyPatch], object],
    directory: str,
) -> None:
    """Whichever sync fails, of the two new directories' entries, the file or its entry; trying again goes on."""
    path = str(tmp_path / directory / "keys.db")
    message = f"{path}: the system did not confirm that the new store is on the disk; check the disk, then try again"

    with opened(path) as store:
        with monkeypatch.context() as patch:
            fail(patch)
            with refuses(DurabilityError, message):
                store.create(make("a"))
        store.create(make("a"))

        assert list(store.names()) == ["a"]
    assert os.listdir(tmp_path / directory) == ["keys.db"]


def test_a_close_that_fails_takes_nothing_back(
    monkeypatch: pytest.MonkeyPatch, path: str, store: WritableStore, make: Make
) -> None:
    """A directory that is synced was only read from, and its descriptor is gone all the same."""
    real = os.close

    def failing(descriptor: int) -> None:
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        real(descriptor)
        if is_directory:
            raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", failing)
        store.create(make("a"))

    assert list(store.names()) == ["a"]


STRACE = shutil.which("strace")


@pytest.mark.peer
@pytest.mark.skipif(not STRACE and "KEYWRIGHT_REQUIRE_PEERS" not in os.environ, reason="strace is not installed")
def test_a_failed_fsync_is_reported_and_not_retried(path: str, opened: Opener, make: Make) -> None:
    """The system's EIO from syncing the log comes out as unknown durability."""
    with opened(path) as store:
        store.create(make("a"))
    script = """
import sys
from datetime import timedelta
from keywright import Options, Record, RecordInfo, Secret
from keywright_sqlite import SqliteBackend
with SqliteBackend().open(Options({"path": sys.argv[1], "timeout": timedelta(seconds=1)})) as store:
    try:
        store.create(Record(RecordInfo(name="b", version=1), Secret(b"x")))
    except Exception as error:
        print(f"{type(error).__name__} {error}; {error.hint}")
    print(*store.names())
"""
    inject = ["-P", path + "-wal", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO"]

    traced = subprocess.run(
        [str(STRACE), "-f", "-o", os.devnull, *inject, sys.executable, "-c", script, path], stdout=subprocess.PIPE
    )

    assert traced.stdout.decode() == (
        f"DurabilityError {path}: the system could not confirm that the write is on disk; check the disk, then look "
        f"at the store before you try again\na\n"
    )


def test_a_timeout_beyond_what_sqlite_counts_is_refused(path: str, opened: Opener) -> None:
    """It would wrap around into no timeout at all."""
    with refuses(ConfigError, "timeout must be at most 1d"), opened(path, seconds=86_401):
        pass


@pytest.mark.parametrize(
    ("lack", "kind", "message"),
    [
        pytest.param(
            lambda patch: patch.delattr(os, "geteuid"),
            UnsupportedOperationError,
            "the sqlite store keeps other users out by POSIX permissions, which this system lacks; use another store",
            id="no POSIX permissions",
        ),
        pytest.param(
            lambda patch: patch.setitem(sys.modules, "sqlite3", None),
            StoreUnavailableError,
            "the sqlite store needs SQLite, which this Python was built without; use another Python or store",
            id="no SQLite",
        ),
        pytest.param(
            lambda patch: [
                patch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0)),
                patch.setattr(sqlite3, "sqlite_version", "3.36.0"),
            ],
            StoreUnavailableError,
            "the sqlite store needs SQLite 3.37 or newer, and this Python has 3.36.0; use another Python or store",
            id="no STRICT tables",
        ),
    ],
)
def test_a_system_that_lacks_something_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    opened: Opener,
    lack: Callable[[pytest.MonkeyPatch], object],
    kind: type[StoreError],
    message: str,
) -> None:
    """POSIX permissions, SQLite itself, and a version of it that has STRICT tables are needed."""
    lack(monkeypatch)

    with refuses(kind, message), opened(path):
        pass


KIB = 1024


@pytest.fixture(params=[64, 128], ids=["64 KiB", "128 KiB"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a small disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={request.param}k,mode=700", "tmpfs", tmp_path])
    if mounted.returncode != 0:
        pytest.skip("this system lets no one mount")
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
    store.destroy(replace(record.info, state=State.DESTROYED), record.info.revision)


@pytest.fixture
def full(disk: Path, opened: Opener, make: Make) -> str:
    """The path of a store that holds `a`, on a disk without room."""
    path = str(disk / "keys.db")
    with opened(path) as store:
        store.create(make("a"))
    _fill(disk)
    return path


def test_a_full_disk_is_read(full: str, opened: Opener, make: Make) -> None:
    """SQLite's index of the log has no room there, and is not needed; each reader lets others in after each call."""
    with opened(full, seconds=0) as store, opened(full, seconds=0) as other:
        assert list(store.names()) == list(other.names()) == ["a"]
        assert store.get("a", 1).payload == Secret(b"a secret payload")
        with refuses(StoreUnavailableError, f"{full}: {FULL}"):
            store.create(make("b"))
        assert len(store.versions("a")) == 1

    assert sorted(os.listdir(os.path.dirname(full))) == ["keys.db", "other"]


def test_a_full_disk_loosens_nothing(full: str, opened: Opener) -> None:
    """The connection that does without the index syncs and wipes as every other."""
    asked = ("locking_mode", "synchronous", "secure_delete", "fullfsync", "checkpoint_fullfsync")

    with opened(full) as store:
        assert isinstance(store, SqliteStore)
        settings = store._session.read(
            lambda connection: [connection.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in asked]
        )

    assert settings == ["exclusive", 2, 1, 1, 1]


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
        with refuses(StoreUnavailableError, f"{path}: {FULL}"):
            create_on_and_on()
        _destroy(store, "k0")
        assert store.get("k0", 1).info.state is State.DESTROYED
    with opened(path) as store:
        _destroy(store, "k1")
        kept = list(store.names())

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
