"""Processes and threads that write, wait and are killed leave one chain."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from refusals import refuses
from support.problems import lines_of as texts_of

import keywright_audit
from keywright import KeyEvent, Options, ReviewRequest
from keywright.errors import StoreUnavailableError
from keywright.testing.processes import LONGEST_SECONDS, interrupt_often, run_alone
from keywright_audit.auditor import Auditor
from keywright_audit.log import append, under_lock
from keywright_audit.verify import lines_of, verify

# Prints each number once its line is written, as a program does something once its intent is logged.
WRITER = """
import os, sys
from keywright_audit.log import append
path, who, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
for number in range(count):
    append(path, "intent", {"who": who, "version": number})
    os.write(1, b"%d\\n" % number)
"""


def _start(log: Path, who: str, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(log), who, str(count)], stdout=subprocess.PIPE)


def _versions(log: Path, who: str) -> list[int]:
    lines = (json.loads(line) for line in log.read_bytes().splitlines() if line.endswith(b'"}'))
    return [line["version"] for line in lines if line.get("who") == who]


def test_ten_processes_write_one_chain(log: Path) -> None:
    """Each line of each is there, in its writer's order, and every line follows the one before it."""
    writers = [_start(log, f"writer-{number}", 30) for number in range(10)]
    outputs = [writer.communicate()[0] for writer in writers]

    verified = verify(str(log))

    assert [writer.returncode for writer in writers] == [0] * 10
    assert (verified.lines, verified.faults, verified.notes) == (300, [], [])
    assert all(output.count(b"\n") == 30 for output in outputs)
    for number in range(10):
        assert _versions(log, f"writer-{number}") == list(range(30))


def test_ten_threads_write_one_chain(log: Path, told: Mapping[str, object]) -> None:
    """A lock for processes alone would let threads of one process through."""

    def write() -> None:
        for _ in range(20):
            append(str(log), "intent", told)

    threads = [threading.Thread(target=write) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    verified = verify(str(log))

    assert (verified.lines, verified.faults, verified.notes) == (200, [], [])


def test_killed_writers_leave_a_chain(log: Path) -> None:
    """After a kill -9 at any moment, each line that was reported is there, and the chain has no fault."""
    chance = random.Random(6)
    kills = int(os.environ.get("KEYWRIGHT_AUDIT_KILLS", "30"))
    for round_ in range(0, kills, 3):
        if round_ % 30 == 0:
            log = log.with_name(f"audit-{round_}.jsonl")  # or reading it would take longer than writing
        writers = [_start(log, f"writer-{round_ + number}", 1_000_000) for number in range(3)]
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        time.sleep(chance.random() / 50)
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        for number, writer in enumerate(writers):
            assert writer.stdout is not None
            reported = 1 + writer.stdout.read().count(b"\n")
            writer.wait()
            writer.stdout.close()
            found = _versions(log, f"writer-{round_ + number}")

            assert found in (list(range(reported)), list(range(reported + 1)))
        assert verify(str(log)).faults == []


def test_a_child_that_was_forked_in_between_holds_no_lock(
    log: Path, told: Mapping[str, object], fill: Callable[[int], list[bytes]]
) -> None:
    """A log that is open in a child is not locked by it."""
    fill(1)
    reading, writing = os.pipe()

    def fork(*_: int) -> int:
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        return child

    child = under_lock(str(log), fork)
    os.close(reading)
    started = time.monotonic()

    append(str(log), "intent", told)

    os.close(writing)
    os.waitpid(child, 0)
    assert time.monotonic() - started < 5
    assert verify(str(log)).lines == 2


def test_an_interrupt_leaves_a_log_that_takes_lines(log: Path, told: Mapping[str, object]) -> None:
    """At whatever moment a signal handler raises: the next line is written at once, and the chain holds."""
    write = partial(append, str(log), "intent", told)

    run_alone(partial(interrupt_often, write, write), seconds=LONGEST_SECONDS)

    verified = verify(str(log))
    assert verified.faults == []
    assert verified.lines > 20


Fill = Callable[[int], list[bytes]]
NOW = datetime(2026, 11, 22, tzinfo=UTC)
REQUEST = ReviewRequest("rotate", "ann", "a", 2, "", "local", "oct", "jwk", 256, False, NOW)
EVENT = KeyEvent("rotate", "ann", "a", 2, "kid-2", "local", "done", NOW)
BUSY = "another process has been writing to the audit log for too long; end that process, and try again"


class Clock:
    """Time that passes only while someone sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What the log's file is waited for by."""
    clock = Clock()
    monkeypatch.setattr("keywright.files.time", clock)
    monkeypatch.setattr("keywright_audit.log.time", clock)
    return clock


@contextmanager
def held(log: Path) -> Iterator[None]:
    """As by a writer that was stopped."""
    with log.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def auditor(log: Path, *, required: bool) -> Auditor:
    """What the plugin hands to a ring."""
    configured = keywright_audit.keywright_configure(Options({"path": str(log), "required": required}))
    assert configured is not None
    return configured


@pytest.mark.parametrize("read", [lambda path: list(lines_of(path)), verify], ids=["show", "verify"])
def test_a_reader_waits_for_a_minute(log: Path, fill: Fill, clock: Clock, read: Callable[[str], object]) -> None:
    """Then it is an error that says so, as it is to a writer."""
    fill(1)
    with held(log), refuses(StoreUnavailableError, f"{log}: {BUSY}"):
        read(str(log))

    assert 60 <= clock.seconds < 61


def test_a_reader_waits_for_a_line_that_is_being_written(log: Path, fill: Fill) -> None:
    """What it then reads ends with that line."""
    first, second = fill(2)
    log.write_bytes(first + second[:-10])
    found: list[tuple[int, bytes]] = []

    with held(log), log.open("ab", buffering=0) as rest:
        reading = threading.Thread(target=lambda: found.extend(lines_of(str(log))))
        reading.start()
        time.sleep(0.1)
        rest.write(second[-10:])
    reading.join()

    assert found == [(1, first), (2, second)]


def test_readers_do_not_wait_for_each_other(log: Path, fill: Fill, clock: Clock) -> None:
    """The lock that each takes is one that they share."""
    fill(1)
    with log.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)

        assert verify(str(log)).lines == 1

    assert clock.seconds == 0


def test_an_interrupted_reader_lets_writers_go_on(log: Path, told: Mapping[str, object], fill: Fill) -> None:
    """At whatever moment of its reading a signal handler raises, the next line is written at once."""
    fill(3)

    def read() -> None:
        verify(str(log))

    run_alone(
        partial(interrupt_often, read, partial(append, str(log), "intent", told)),
        seconds=LONGEST_SECONDS,
    )

    assert verify(str(log)).faults == []


@pytest.mark.parametrize("required", [True, False])
def test_an_operation_waits_for_the_log_once(log: Path, fill: Fill, clock: Clock, *, required: bool) -> None:
    """Where the intent waited in vain, the outcome waits no second minute; it is told, or was objected to, once."""
    fill(1)
    listener = auditor(log, required=required)
    with held(log):
        objections = listener.keywright_review(REQUEST)
        if required:
            listener.keywright_observe(EVENT._replace(outcome="PolicyError"))
        else:
            with pytest.raises(StoreUnavailableError, match=BUSY.partition(";")[0]):
                listener.keywright_observe(EVENT)

    assert texts_of(objections) == ([f"{log}: {BUSY}"] if required else [])
    assert 61 <= clock.seconds < 62


def test_an_outcome_waits_as_long_as_an_intent(log: Path, fill: Fill, clock: Clock) -> None:
    """An intent is to have its outcome, no matter who holds the log meanwhile."""
    listener = auditor(log, required=True)
    assert listener.keywright_review(REQUEST) == ()
    with held(log), pytest.raises(StoreUnavailableError, match=BUSY.partition(";")[0]):
        listener.keywright_observe(EVENT)

    assert 60 <= clock.seconds < 61
