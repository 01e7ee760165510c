"""Stores in places that take no writes."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing

import pytest
from refusals import refuses

from keywright import Record, WritableStore
from keywright.errors import ReadOnlyStoreError
from keywright_sqlite.links import record_check

Make = Callable[..., Record]
Opener = Callable[..., AbstractContextManager[WritableStore]]
Unprivileged = Callable[[Callable[[], str]], str]

REFUSED = (
    "{}: this user may not write the file or its directory, nothing was written; run as its owner, or "
    "set `path` to a file in a directory that you can write to"
)
_OWN = "SELECT name, version, payload, info FROM record WHERE name > ''"


def _hand_over(directory: str, mode: int = 0o600) -> None:
    """Make the files in `directory` the unprivileged user's, and the directory no one's to write."""
    for name in os.listdir(directory):
        if os.geteuid() == 0:
            os.chown(os.path.join(directory, name), 65534, 65534)
        os.chmod(os.path.join(directory, name), mode)
    os.chmod(directory, 0o555)


@pytest.fixture
def fixed(shared_directory: str, opened: Opener, make: Make) -> Iterator[str]:
    """The path of a store with one key."""
    path = os.path.join(shared_directory, "keys.db")
    with opened(path) as store:
        store.create(make("a"))
    yield path
    os.chmod(shared_directory, 0o755)


def _names(opened: Opener, path: str) -> Callable[[], str]:
    def names() -> str:
        with opened(path) as store:
            return str(list(store.names()))

    return names


@pytest.mark.parametrize(
    ("file", "directory"),
    [
        pytest.param(0o600, 0o555, id="directory"),
        pytest.param(0o400, 0o1777, id="file"),  # sticky: others may make files, not replace them
    ],
)
def test_a_read_only_directory_or_file_is_read_and_not_written(
    fixed: str, opened: Opener, make: Make, unprivileged: Unprivileged, file: int, directory: int
) -> None:
    """Reading makes no file beside the database; the error is the same for every write, and says nothing happened."""
    _hand_over(os.path.dirname(fixed), file)
    os.chmod(os.path.dirname(fixed), directory)

    def use() -> str:
        with opened(fixed) as store:
            info = store.get("a", 1).info
            for write in (
                lambda: store.create(make("b")),
                lambda: store.update_info(info, info.revision),
                lambda: store.remove("a", [info.revision]),
            ):
                with refuses(ReadOnlyStoreError, REFUSED.format(fixed)):
                    write()
            return f"{list(store.names())} {len(store.get('a', 1).payload or b'')} {len(store.versions('a'))}"

    assert unprivileged(use) == "['a'] 16 1"
    assert os.listdir(os.path.dirname(fixed)) == ["keys.db"]


def test_a_store_cannot_be_made_in_a_read_only_directory(
    shared_directory: str, opened: Opener, make: Make, unprivileged: Unprivileged
) -> None:
    """It reads as empty, and the first write is refused."""
    path = os.path.join(shared_directory, "deep", "keys.db")
    os.chmod(shared_directory, 0o555)

    def write() -> str:
        with opened(path) as store:
            assert list(store.names()) == []
            store.create(make("a"))
        return "written"

    assert unprivileged(write) == f"ReadOnlyStoreError: {REFUSED.format(path)}"


def test_a_log_that_is_not_in_the_database_yet_is_read_too(
    fixed: str, opened: Opener, make: Make, unprivileged: Unprivileged
) -> None:
    """While a writer is at work, its log counts: `immutable` would show the state before it."""
    with closing(sqlite3.connect(fixed, isolation_level=None)) as other:
        other.execute("SELECT count(*) FROM record").fetchall()
        with opened(fixed) as store:
            store.create(make("b"))  # stays in the log, for the store is not the last to close
        _hand_over(os.path.dirname(fixed))

        assert unprivileged(_names(opened, fixed)) == "['a', 'b']"
        os.chmod(os.path.dirname(fixed), 0o755)


def test_a_log_that_cannot_be_read_is_unavailable(
    fixed: str, opened: Opener, make: Make, unprivileged: Unprivileged
) -> None:
    """A log left by a killed writer needs a writable directory once; until then nothing is said of the keys."""
    with closing(sqlite3.connect(fixed, isolation_level=None)) as writer:
        writer.execute("UPDATE record SET revision = 'b'")
        subprocess.run(["cp", fixed + "-wal", fixed + "-kept"], check=True)
    os.rename(fixed + "-kept", fixed + "-wal")
    _hand_over(os.path.dirname(fixed))

    assert unprivileged(_names(opened, fixed)) == (
        f"StoreUnavailableError: {fixed}: the database, its -wal or its -shm file cannot be opened; nothing was "
        "written; check that you may read and write its directory"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes where the reader may not")
def test_a_read_only_store_sees_what_changed_since_the_last_call(
    fixed: str, opened: Opener, make: Make, unprivileged: Unprivileged
) -> None:
    """A connection that takes no locks does not outlive a call."""
    _hand_over(os.path.dirname(fixed))
    ready, go = os.pipe(), os.pipe()
    if os.fork() == 0:
        try:
            os.read(ready[0], 1)
            with closing(sqlite3.connect(fixed, isolation_level=None)) as writer:
                for name, version, payload, info in writer.execute(_OWN).fetchall():
                    check = record_check(f"{name}@{version}", "changed", payload, info)
                    writer.execute("UPDATE record SET revision = 'changed', crc32 = ? WHERE name = ?", (check, name))
        finally:
            os.write(go[1], b".")
            os._exit(0)

    def read() -> str:
        with opened(fixed) as store:
            before = store.get("a", 1).info.revision
            os.write(ready[1], b".")
            os.read(go[0], 1)
            return f"{len(before)} {store.get('a', 1).info.revision}"

    answer = unprivileged(read)
    os.wait()

    assert answer == "32 changed"
