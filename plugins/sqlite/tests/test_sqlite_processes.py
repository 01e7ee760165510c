"""Threads, forks, processes side by side and killed; what an error or an interrupt leaves of a session."""

from __future__ import annotations

import ctypes
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing

import pytest
from support.errors import text_of

from keywright import Record, WritableStore
from keywright.errors import KeyExistsError, StoreUnavailableError
from keywright.testing.processes import run_alone
from keywright_sqlite.session import Session
from keywright_sqlite.store import SqliteStore

Make = Callable[..., Record]
Opener = Callable[..., AbstractContextManager[WritableStore]]
Run = Callable[..., subprocess.Popen[bytes]]


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="only Linux says which files are open")
def test_no_connection_lives_across_a_fork(store: WritableStore, make: Make) -> None:
    """The child inherits no descriptor of the database, whose closing would have freed locks."""
    store.create(make("before"))
    reading, writing = os.pipe()

    child = os.fork()
    if not child:
        links = [os.path.realpath(f"/proc/self/fd/{number}") for number in range(3, 64)]
        os.write(writing, str(sum("keys.db" in link for link in links)).encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reading, 10) == b"0"
    assert list(store.names()) == ["before"]


def test_a_fork_that_python_does_not_see_is_noticed(store: WritableStore, make: Make) -> None:
    """A server that forks from C leaves the child an open connection, which it does not use."""
    store.create(make("before"))
    ours = store._session._connection  # type: ignore[attr-defined] # what the fork must not carry over

    child = ctypes.PyDLL(None).fork()
    if not child:
        try:
            store.create(make("child"))
            os._exit(0 if store._session._connection is not ours else 2)  # type: ignore[attr-defined] # as above
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    store.create(make("parent"))

    assert status == 0
    assert list(store.names()) == ["before", "child", "parent"]


class _Interruption(BaseException):
    """What a signal handler raises."""


def test_an_interrupted_fork_leaves_no_lock(path: str, opened: Opener, make: Make) -> None:
    """At whatever moment of a fork a signal handler raises, other threads can use the store in parent and child."""

    def interrupt(_number: int, _frame: object) -> None:
        raise _Interruption

    def list_elsewhere(store: WritableStore) -> None:
        # A lock that this thread holds would not stop this thread.
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(lambda: list(store.names())).result() == ["a"]

    def work() -> list[bool]:
        sys.unraisablehook = lambda _: None  # where a fork cannot be stopped, Python tells what was raised, and goes on
        signal.signal(signal.SIGALRM, interrupt)
        parent, forked = os.getpid(), []
        with opened(path) as store:
            store.create(make("a"))
            for moment in range(60):
                list_elsewhere(store)  # so that there is a connection to close
                child = None
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.000_02 * (moment + 1))
                    child = os.fork()
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except _Interruption:
                    pass
                list_elsewhere(store)
                if os.getpid() != parent:  # the handler may run in both
                    os._exit(0)
                forked.append(child is not None)
                if child is not None:
                    assert os.waitpid(child, 0)[1] == 0
        return forked

    assert any(run_alone(work))


def test_a_lock_held_too_long_is_unavailable(path: str, opened: Opener, make: Make) -> None:
    """After `timeout` the error says that nothing was written; when the lock is free, the same call works."""
    with opened(path, seconds=0.1) as store:
        store.create(make("a"))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailableError) as caught:
                store.create(make("b"))
            assert list(store.names()) == ["a"]
            other.execute("ROLLBACK")

        store.create(make("b"))

    assert text_of(caught.value) == (
        f"{path}: locked by another process for longer than the setting `timeout`; nothing was written; stop that "
        "process, or raise the setting `timeout` of the store"
    )


@pytest.fixture
def session(store: WritableStore, make: Make) -> Session:
    """The session of `store`, which holds `a`."""
    store.create(make("a"))
    assert isinstance(store, SqliteStore)
    return store._session


@pytest.mark.usefixtures("session")
def test_a_refused_write_locks_nobody_out(path: str, store: WritableStore, make: Make) -> None:
    """Its transaction is undone at once, not when the store is next used."""
    with pytest.raises(KeyExistsError):
        store.create(make("a"))

    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")


def test_a_transaction_that_was_left_open(session: Session, store: WritableStore, make: Make) -> None:
    """It is undone, and the call goes on."""
    left = session._connection
    assert left is not None
    left.execute("BEGIN IMMEDIATE")
    left.execute("DELETE FROM record")

    store.create(make("b"))

    assert list(store.names()) == ["a", "b"]


def test_a_connection_that_was_not_to_stay(session: Session) -> None:
    """One that takes no locks, or keeps all others out, is not used a second time."""
    left, session._lasting = session._connection, False

    assert session.read(lambda connection: connection is left) is False


def test_a_thread_that_waits_no_more(session: Session, store: WritableStore) -> None:
    """What it left is forgotten, so that not every call lets it go first."""
    session._waiting.add(-1)

    store.get("a", 1)

    assert not session._waiting
