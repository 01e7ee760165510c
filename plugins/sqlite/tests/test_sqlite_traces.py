"""What is gone is in no file any more: the bytes of the store's files are searched for the secret."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path

import pytest
from refusals import refuses

from keywright import Record, Revision, Secret, State, WritableStore
from keywright.errors import CorruptedStoreError, DurabilityError
from keywright_sqlite import database, session
from keywright_sqlite.database import image
from keywright_sqlite.store import _ADD_PAYLOAD, _WIPE, SqliteStore

Make = Callable[..., Record]
Opener = Callable[..., AbstractContextManager[WritableStore]]
Run = Callable[..., subprocess.Popen[bytes]]


def _contents(path: str) -> dict[str, bytes]:
    """Read by another process: closing a file here would drop the locks that SQLite holds on it."""
    return {
        found.name: subprocess.run(["cat", found], stdout=subprocess.PIPE, check=True).stdout
        for found in sorted(Path(path).parent.iterdir())
    }


def _traces(path: str, canary: bytes) -> list[str]:
    return [name for name, content in _contents(path).items() if canary in content]


def _destroy(store: WritableStore, info_of: Record) -> None:
    info = info_of.info
    store.destroy(replace(info, state=State.DESTROYED, reason="r" * 30), info.revision)


@pytest.mark.parametrize("change", ["destroy", "replace", "remove"])
def test_no_checksum_of_a_secret_outlives_it(path: str, store: WritableStore, make: Make, change: str) -> None:
    """32 bits of what is gone would tell a guess that is right from one that is wrong."""
    store.create(make("a"))
    assert isinstance(store, SqliteStore)
    found = store._session.read(lambda connection: connection.execute("SELECT crc32 FROM payload").fetchall())
    assert found is not None
    checksum = found[0][0]
    assert _traces(path, checksum) == ["keys.db-wal"]

    _change(store, change, store.get("a", 1))

    assert _traces(path, checksum) == []


def test_no_copy_stays_where_pages_were_balanced(path: str, store: WritableStore, make: Make) -> None:
    """Among hundreds of keys made in any order and relabelled, a destroyed one leaves no copy behind.

    SQLite leaves copies of rows in the free space of pages that it splits or merges, `secure_delete` or not, which
    is why payloads have a table whose rows never move.
    """
    chance = random.Random(7)
    canaries = {f"{chance.getrandbits(64):016x}": os.urandom(16) for _ in range(300)}
    for name, canary in canaries.items():
        store.create(make(name, payload=canary + bytes(chance.choice((0, 100, 400)))))
    for name in list(canaries)[::3]:
        record = store.get(name, 1)
        store.update_info(replace(record.info, reason="r" * chance.randint(0, 400)), record.info.revision)
    destroyed = chance.sample(sorted(canaries), 270)

    for name in destroyed:
        _destroy(store, store.get(name, 1))

    found = b"".join(_contents(path).values())
    assert [name for name in destroyed if canaries[name] in found] == []
    assert [name for name in canaries if name not in destroyed and found.count(canaries[name]) != 1] == []


def test_wiped_rows_stay_where_they_are(path: str) -> None:
    """In a long life of additions and wipings no payload is copied; with DELETE some are (this seed shows it)."""
    chance = random.Random(1)
    live: list[tuple[int, bytes]] = []
    wiped: list[bytes] = []
    Path(path).write_bytes(image())
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for pragma in ("secure_delete = ON", "synchronous = OFF"):
            raw.execute(f"PRAGMA {pragma}")

        for _ in range(6000):
            if not live or chance.random() < 0.55:
                canary = b"CN" + os.urandom(14)
                place = raw.execute(
                    _ADD_PAYLOAD, (os.urandom(4), canary + bytes(chance.choice((0, 100, 400, 900, 3000))))
                ).lastrowid
                live.append((place or 0, canary))
            else:
                place, canary = live.pop(chance.randrange(len(live)))
                raw.execute(_WIPE, (place,))
                wiped.append(canary)

    content = Path(path).read_bytes()
    assert sum(canary in content for canary in wiped) == 0
    assert sum(content.count(canary) != 1 for _, canary in live) == 0


CHANGES = pytest.mark.parametrize(
    ("change", "done"),
    [("destroy", "a@1 was destroyed"), ("replace", "a@1 was updated"), ("remove", "a was removed")],
)
REMAIN = (
    "{}, but its old bytes may remain in {} or its -wal: another program uses the store, or the disk fails; close "
    "other programs that use the store, then open it again"
)


@CHANGES
def test_a_reader_in_the_way_is_reported_and_the_next_open_finishes(
    path: str, opened: Opener, make: Make, change: str, done: str
) -> None:
    """While another program reads an old state, the log must keep it: the error says so, the change stands."""
    canary = os.urandom(24)
    with opened(path) as store:
        info = store.create(make("a", payload=canary))
    with opened(path, seconds=0) as store, closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM record").fetchall()

        with refuses(DurabilityError, REMAIN.format(done, path)):
            _change(store, change, store.get("a", 1))

        assert _traces(path, canary) == ["keys.db"]
        assert [i.state for i in store.versions("a") if i.revision == info.revision] == []
        reader.execute("COMMIT")
        with opened(path):
            assert _traces(path, canary) == []


@CHANGES
def test_a_log_that_cannot_be_read_is_no_damage(
    path: str, opened: Opener, make: Make, monkeypatch: pytest.MonkeyPatch, change: str, done: str
) -> None:
    """SQLite tells a read error while the log is cleared as damage; but the change is made, and that is said."""

    def failing(_connection: sqlite3.Connection) -> bool:
        error = sqlite3.DatabaseError("something internal")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    with opened(path, seconds=0) as store:
        store.create(make("a"))
        record = store.get("a", 1)
        with monkeypatch.context() as patch:
            patch.setattr(session, "erase_log", failing)
            with refuses(DurabilityError, REMAIN.format(done, path)):
                _change(store, change, record)

        assert [i.state for i in store.versions("a") if i.revision == record.info.revision] == []


def test_a_sync_that_failed_is_not_tried_again(
    path: str, run: Run, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the log that a killed process left cannot be cleared, it is kept: closing would sync it once more."""
    run(KILLED, b"a secret".hex(), "create").communicate()
    left = os.path.getsize(path + "-wal")

    def failing(_connection: sqlite3.Connection) -> bool:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(database, "erase_log", failing)
        with opened(path) as store:
            assert list(store.names()) == ["a"]
            assert os.path.getsize(path + "-wal") == left > 0


RECOVERED = """
import shutil
keys = [Record(RecordInfo(name=f"a{n}", version=1), Secret(b"CANARY-%02d;" % n * 4200)) for n in range(12)]
with opened(path) as store:
    infos = [store.create(key) for key in keys]
    del keys
    store.create(Record(RecordInfo(name="b", version=1), None))
    shutil.copy(path + "-wal", path + ".kept")
    kept = [store.get(info.name, 1) for info in infos for _ in range(4)][::2]
    del kept[:]
    for info in infos:
        store.remove(info.name, [info.revision])
# As a writer that is killed behind the header of the first frame leaves it.
os.rename(path + ".kept", path + "-wal")
os.truncate(path + "-wal", 56)
os.chmod(path + "-wal", 0o600)
with opened(path) as store:
    print(any(open(path + "-shm", "rb").read()[136:]), os.path.getsize(path + "-wal"), *store.names())
"""


def test_no_memory_of_the_process_goes_into_the_index(run: Run) -> None:
    """Where a log has no whole frame, SQLite 3.40 copies memory that it never filled into -shm; it does not stay."""
    process = run(RECOVERED)

    assert process.communicate()[0] == b"False 0 b\n"


def _change(store: WritableStore, change: str, record: Record) -> None:
    if change == "destroy":
        _destroy(store, record)
    elif change == "replace":
        store.replace_payload(record.info.name, record.info.version, Secret(b"sealed again"), record.info.revision)
    else:
        store.remove("a", [Revision(record.info.revision)])


KILLED = """
import keywright_sqlite.session
record = Record(RecordInfo(name="a", version=1), Secret(bytes.fromhex(sys.argv[2])))
with opened(path) as store:
    info = store.create(record)
    if sys.argv[3] == "erase":
        keywright_sqlite.session.erase_log = lambda connection: os.kill(os.getpid(), 9)
        store.destroy(replace(info, state=State.DESTROYED), info.revision)
    os.kill(os.getpid(), 9)
"""


def test_a_process_killed_before_it_cleared_the_log_is_finished_by_the_next(
    path: str, run: Run, opened: Opener
) -> None:
    """A destruction that was committed and not yet erased is erased when the store is next opened."""
    canary = os.urandom(24)
    process = run(KILLED, canary.hex(), "erase")
    process.communicate()
    assert process.returncode == -9
    assert _traces(path, canary) == ["keys.db-wal"]

    with opened(path) as store:
        assert _traces(path, canary) == []
        assert store.get("a", 1).info.state is State.DESTROYED


def test_a_payload_that_was_never_committed_goes_with_the_next_open(path: str, run: Run, opened: Opener) -> None:
    """A process killed while it wrote the log leaves a secret of no version there, until the store is opened."""
    canary = os.urandom(24)
    run(KILLED, canary.hex(), "create").communicate()
    log = Path(path + "-wal")
    frames = bytearray(log.read_bytes())
    frames[-4097] ^= 1  # the checksum of the last frame, which commits: as if it had not come to the disk whole
    log.write_bytes(frames)

    assert _traces(path, canary) == ["keys.db-wal"]
    with opened(path) as store:
        assert list(store.names()) == []
        assert _traces(path, canary) == []


def test_a_reader_in_the_way_does_not_hold_up_an_open(path: str, run: Run, opened: Opener) -> None:
    """Clearing up is tried, not waited for; a later open does it."""
    canary = os.urandom(24)
    run(KILLED, canary.hex(), "erase").communicate()
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM record").fetchall()

        with opened(path, seconds=60) as store:
            assert list(store.names()) == ["a"]
            traces = _traces(path, canary)

    assert traces == ["keys.db", "keys.db-wal"] or traces == ["keys.db-wal"]
    with opened(path):
        assert _traces(path, canary) == []


def test_no_local_variable_shows_a_secret(path: str, store: WritableStore, make: Make) -> None:
    """No frame of the error about a damaged row has the payload as bare bytes. (Refusals: see the contract.)"""
    canary = b"CANARY" + os.urandom(8)
    store.create(make("a", payload=canary))
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE record SET info = x'7b7d'")

    with pytest.raises(CorruptedStoreError) as caught:
        store.get("a", 1)

    frames = [frame.f_locals for frame, _ in traceback.walk_tb(caught.value.__traceback__)][1:]
    assert len(frames) > 3
    assert "CANARY" not in repr(frames)
