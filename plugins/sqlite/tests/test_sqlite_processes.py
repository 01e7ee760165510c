"""Threads, forks, processes side by side, and processes that are killed."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import replace

import pytest

from keywright import Record, Secret, State, WritableStore
from keywright.errors import ConflictError, KeyExistsError, StoreUnavailableError
from keywright.testing.processes import run_alone

Make = Callable[..., Record]
Opener = Callable[..., AbstractContextManager[WritableStore]]
Run = Callable[..., subprocess.Popen[bytes]]

RACE = """
with opened(path) as store:
    print("ready", flush=True)
    sys.stdin.read(1)
    for version in range(1, 21):
        payload = Secret(f"{sys.argv[2]}/{version}".encode())
        try:
            store.create(Record(RecordInfo(name="a", version=version), payload))
            print(version, flush=True)
        except KeyExistsError:
            pass
"""


def test_of_eight_processes_that_create_a_version_exactly_one_wins(path: str, run: Run, opened: Opener) -> None:
    """From a missing file on: every version has one winner, whose payload is the one that is there."""
    processes = [run(RACE, str(number)) for number in range(8)]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"

    for process in processes:
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
    won = {number: process.communicate()[0].split() for number, process in enumerate(processes)}

    assert [process.returncode for process in processes] == [0] * 8
    assert sorted(int(version) for versions in won.values() for version in versions) == list(range(1, 21))
    with opened(path) as store:
        for number, versions in won.items():
            for version in versions:
                assert store.get("a", int(version)).payload == Secret(b"%d/%d" % (number, int(version)))
    assert os.listdir(os.path.dirname(path)) == ["keys.db"]


def test_threads_share_a_store(store: WritableStore, make: Make) -> None:
    """Every thread's write is there, and of those that change one record at once exactly one wins."""
    shared = store.create(make("shared"))

    def work(number: int) -> bool:
        store.create(make(f"n{number}", payload=b"%d" % number))
        assert store.get(f"n{number}", 1).payload == Secret(b"%d" % number)
        try:
            store.update(
                Record(replace(shared, kid=str(number)), Secret(b"a secret payload")), expected=shared.revision
            )
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        winners = list(pool.map(work, range(40)))

    assert sum(winners) == 1
    assert len(list(store.names("n"))) == 40


def test_a_forked_child_uses_a_connection_of_its_own(store: WritableStore, make: Make, path: str) -> None:
    """Parent and child both go on writing after a fork, and nothing is lost."""
    store.create(make("before"))

    child = os.fork()
    if not child:
        try:
            for number in range(20):
                store.create(make(f"child{number}"))
            os._exit(0)
        finally:
            os._exit(1)
    for number in range(20):
        store.create(make(f"parent{number}"))
    _, status = os.waitpid(child, 0)

    assert status == 0
    assert len(list(store.names("child"))) == len(list(store.names("parent"))) == 20
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="only Linux says which files are open")
def test_no_connection_lives_across_a_fork(store: WritableStore, make: Make) -> None:
    """The child inherits no descriptor of the database, whose closing would have freed locks."""
    store.create(make("before"))
    reading, writing = os.pipe()

    child = os.fork()
    if not child:
        links = [os.readlink(f"/proc/self/fd/{number}") for number in range(3, 64) if _is_open(number)]
        os.write(writing, str(sum("keys.db" in link for link in links)).encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reading, 10) == b"0"
    assert list(store.names()) == ["before"]


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


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


def test_a_fork_waits_for_other_threads(store: WritableStore, make: Make) -> None:
    """Children forked while threads write find a store that works."""
    store.create(make("a"))
    stop = False

    def write() -> int:
        number = 0
        while not stop:
            number += 1
            store.create(make("thread", number))
        return number

    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(write)
        statuses = []
        for number in range(5):
            child = os.fork()
            if not child:
                try:
                    store.create(make(f"child{number}"))
                    os._exit(0)
                finally:
                    os._exit(1)
            statuses.append(os.waitpid(child, 0)[1])
        stop = True
        count = written.result()

    assert statuses == [0] * 5
    assert len(store.versions("thread")) == count
    assert len(list(store.names("child"))) == 5


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

    assert str(caught.value) == (
        f"{path}: another program held the store's lock for longer than the setting `timeout` allows; nothing was "
        "written; try again, or raise `timeout`"
    )


KILLED = """
with opened(path) as store:
    number = 0
    while True:
        number += 1
        name = f"{sys.argv[2]}-{number}"
        info = store.create(Record(RecordInfo(name=name, version=1), Secret(name.encode() * 200)))
        os.write(1, b"%d created\\n" % number)
        if number % 2:
            store.update(Record(replace(info, state=State.DESTROYED), None), expected=info.revision)
            os.write(1, b"%d destroyed\\n" % number)
"""


def test_a_killed_process_leaves_every_record_old_or_new(path: str, run: Run, opened: Opener) -> None:
    """What was acknowledged before kill -9 is there, what is there is whole, and the store goes on."""
    chance = random.Random(3)
    for life in range(6):
        process = run(KILLED, f"life{life}")
        assert process.stdout
        process.stdout.readline()
        time.sleep(chance.uniform(0.005, 0.05))
        process.kill()
        answered = [line.split() for line in process.communicate()[0].splitlines()]

        with opened(path) as store:
            for number, what in answered:
                record = store.get(f"life{life}-{int(number)}", 1)
                if what == b"destroyed":
                    assert record.info.state is State.DESTROYED
            for name in store.names(f"life{life}"):
                record = store.get(name, 1)
                whole = record.info.state is State.ENABLED and record.payload == Secret(name.encode() * 200)
                assert whole or (record.info.state is State.DESTROYED and record.payload is None)
            with closing(sqlite3.connect(path)) as raw:
                assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_loser_of_a_race_changes_nothing(path: str, opened: Opener, make: Make) -> None:
    """Two stores on one file: the second create of a version is refused, whoever asks."""
    with opened(path) as one, opened(path) as two:
        one.create(make("a", payload=b"one"))

        with pytest.raises(KeyExistsError):
            two.create(make("a", payload=b"two"))

        assert two.get("a", 1).payload == Secret(b"one")
