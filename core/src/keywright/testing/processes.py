"""Processes, threads and interrupts for the rules of the kit.

A process is forked, reports through a pipe, has a deadline and ends with its test.
"""

from __future__ import annotations

import ast
import os
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import ceil
from threading import Barrier, Thread
from typing import Final, Literal, NoReturn, TypeVar, cast

import pytest

OTHER_USER: Final = 65_534
"""A user and group without rights, for tests that run as root."""

LONGEST_SECONDS = 60.0
"""What is not done after so long hangs; for `run_alone`."""

_DEADLINE_SECONDS: Final = 60.0
_MOMENTS: Final = 250
_ENOUGH_SECONDS: Final = 10.0
_LATEST: Final = 1.3
"""Of the time that the action takes: some interrupts come too late."""
_T = TypeVar("_T")


def run_together(works: Sequence[Callable[[], _T]], *, seconds: float = _DEADLINE_SECONDS) -> list[_T]:
    """Run each in a forked process of its own, all released at once. Returns what each returned, in order.

    They may return what a Python literal can express. The test fails if one raises, dies, or is not done after
    `seconds`; it is skipped where the system has no fork.
    """
    return [cast(_T, _value(report, seconds)) for report in _reports(works, seconds)]


def run_alone(work: Callable[[], _T], *, seconds: float = _DEADLINE_SECONDS) -> _T:
    """Run it in a forked process, as `run_together`, and return what it returned."""
    return run_together([work], seconds=seconds)[0]


def run_until_killed(work: Callable[[], object], *, seconds: float = _DEADLINE_SECONDS) -> None:
    """Run it in a forked process, which kills itself by SIGKILL. The test fails if it ends in another way."""
    (report,) = _reports([work], seconds)
    if report:
        _value(report, seconds)
        pytest.fail("a process that was to be killed came to its end")


def run_in_threads(works: Sequence[Callable[[], _T]]) -> list[_T]:
    """Run each in a thread of its own, none before all have started. Returns what each returned, in order."""
    barrier = Barrier(len(works))

    def start(work: Callable[[], _T]) -> _T:
        barrier.wait(_DEADLINE_SECONDS)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(start, work) for work in works]]


@contextmanager
def busy_threads() -> Iterator[None]:
    """Let the interpreter switch threads as often as it can, so that eight of them do interleave."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class Interruption(BaseException):
    """What the signal handler raises."""


def interrupt_often(action: Callable[[], None], check: Callable[[], object]) -> None:
    """Interrupt the action again and again, each time at another moment, and check the result.

    Run it in a process of its own (`run_alone`): it uses the signal SIGALRM. Up to 250 moments are tried, for
    ten seconds at most, so that slow actions are tried at fewer. The check runs in another thread, for which a lock is
    locked that this thread could take again, while the interrupt's traceback still holds all that its frames knew.

    Raises:
        AssertionError: hardly any interrupt came before the action was done.
    """
    sys.settrace(None)  # coverage has a lock of its own, and an interrupt leaves it locked
    # The signal that ends processes whose parent is gone is the one that interrupts here.
    Thread(target=_end_late, daemon=True).start()
    signal.signal(signal.SIGALRM, _raise)
    shortest, ends = _shortest(action), time.monotonic() + _ENOUGH_SECONDS
    tried = interrupted = 0
    for part in _spread():
        if time.monotonic() > ends:
            break
        tried += 1
        begun = time.perf_counter()
        try:
            signal.setitimer(signal.ITIMER_REAL, _LATEST * shortest * part)
            action()
            signal.setitimer(signal.ITIMER_REAL, 0)
        except Interruption:
            interrupted += 1
            run_in_threads([check])
        else:
            shortest = min(shortest, time.perf_counter() - begun)
            check()
    if interrupted < tried / 4:
        raise AssertionError(f"{interrupted} interrupts in {tried} tries are too few to tell")


def is_root() -> bool:
    """Whether this process may do everything."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def drop_privileges() -> None:
    """Become a user without privileges, if this is root's process. For forked children, as it cannot be undone."""
    if is_root():
        os.setgroups([])
        os.setresgid(OTHER_USER, OTHER_USER, OTHER_USER)
        os.setresuid(OTHER_USER, OTHER_USER, OTHER_USER)


def _reports(works: Sequence[Callable[[], object]], seconds: float) -> list[str | Literal[False]]:
    """What each reports, run in a forked process of its own."""
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    gate, gatekeeper = os.pipe()
    children: list[tuple[int, int]] = []
    try:
        children += [_fork(work, (gate, gatekeeper), seconds) for work in works]
    finally:
        os.close(gate)
        os.close(gatekeeper)
        ends = time.monotonic() + seconds
        reports = [_read(*child, ends) for child in children]
    return reports


def _fork(work: Callable[[], object], gate: tuple[int, int], seconds: float) -> tuple[int, int]:
    """The process, and the end of a pipe from which its report is read."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # From Python 3.12 on: a fork beside threads may deadlock. Whether the store does is what is to be found out.
        warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if process == 0:
        _be_child(work, gate, (reading, writing), seconds)
    os.close(writing)
    return process, reading


def _be_child(work: Callable[[], object], gate: tuple[int, int], report: tuple[int, int], seconds: float) -> NoReturn:
    try:
        # It ends even if its parent is gone or it hangs.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(ceil(seconds) + 5)
        os.close(gate[1])
        os.close(report[0])
        os.read(gate[0], 1)  # returns once no process has the other end open
        outcome: tuple[str, object]
        try:
            outcome = ("returned", work())
        except BaseException:  # noqa: BLE001 - its parent is to know what it was
            outcome = ("raised", traceback.format_exc())
        with open(report[1], "w", encoding="utf-8", errors="backslashreplace") as pipe:
            pipe.write(repr(outcome))
    finally:
        os._exit(0)  # not a step back into the test run that was forked


def _read(process: int, report_end: int, ends: float) -> str | Literal[False]:
    """The report, empty if the child sent nothing; False: the deadline came first, and the child is killed."""
    parts: list[bytes] = []
    report: str | Literal[False] = False
    while (left := ends - time.monotonic()) > 0:
        ready, _, _ = select.select([report_end], [], [], left)
        part = os.read(report_end, 65_536) if ready else b""
        if ready and not part:
            report = b"".join(parts).decode()
            break
        parts.append(part)
    os.close(report_end)
    if report is False:
        os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return report


def _value(report: str | Literal[False], seconds: float) -> object:
    if report is False:
        pytest.fail(f"a process was not done after {seconds:g} seconds")
    if not report:
        pytest.fail("a process died without a report")
    kind, value = ast.literal_eval(report)
    if kind == "raised":
        pytest.fail(f"a process raised:\n{value}")
    return cast(object, value)


def _raise(_number: int, _frame: object) -> None:
    raise Interruption


def _end_late() -> None:
    time.sleep(LONGEST_SECONDS + 5)
    os._exit(1)


def _shortest(action: Callable[[], None]) -> float:
    """The shortest of a few runs, the first of which may import what it needs."""
    taken: list[float] = []
    while len(taken) < 5 and sum(taken) < 1:
        begun = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def _spread() -> Iterator[float]:
    """1/2, 1/4, 3/4, 1/8, 5/8, … (van der Corput's sequence): wherever it is cut, it covers the whole."""
    for number in range(1, _MOMENTS + 1):
        yield int(f"{number:b}"[::-1], 2) / 2 ** number.bit_length()
