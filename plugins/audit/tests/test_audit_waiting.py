"""A process that holds the log is waited for, and not for ever."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

import keywright_audit
from keywright import KeyEvent, Options, ReviewRequest
from keywright.errors import StoreUnavailableError
from keywright.testing.processes import LONGEST_SECONDS, interrupt_often, run_alone
from keywright_audit import log_file
from keywright_audit.append import append
from keywright_audit.auditor import Auditor
from keywright_audit.reading import lines_of
from keywright_audit.verify import verify

Fill = Callable[[int], list[bytes]]
NOW = datetime(2026, 11, 22, tzinfo=UTC)
REQUEST = ReviewRequest("rotate", "ann", "a", 2, "", "local", "oct", "jwk", 256, False, NOW)
EVENT = KeyEvent("rotate", "ann", "a", 2, "kid-2", "local", "done", NOW)
BUSY = "another process has been writing to the audit log for too long; end it and try again"


class Clock:
    """Time that passes only while somebody sleeps."""

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
    monkeypatch.setattr(log_file, "time", clock)
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
    with held(log), pytest.raises(StoreUnavailableError) as caught:
        read(str(log))

    assert str(caught.value) == f"{log}: {BUSY}"
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
            with pytest.raises(StoreUnavailableError, match=BUSY):
                listener.keywright_observe(EVENT)

    assert objections == ((f"what cannot be logged is not done: {log}: {BUSY}",) if required else ())
    assert 61 <= clock.seconds < 62


def test_an_outcome_waits_as_long_as_an_intent(log: Path, fill: Fill, clock: Clock) -> None:
    """An intent is to have its outcome, whoever holds the log meanwhile."""
    listener = auditor(log, required=True)
    assert listener.keywright_review(REQUEST) == ()
    with held(log), pytest.raises(StoreUnavailableError, match=BUSY):
        listener.keywright_observe(EVENT)

    assert 60 <= clock.seconds < 61
