"""Interrupts at moments spread over the time of an action: what Ctrl-C and time limits do to it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Final

from keywright.testing.stores.processes import run_in_threads

__all__ = ["LONGEST_SECONDS", "Interruption", "interrupt_often"]

LONGEST_SECONDS = 60.0
"""What is not done after so long hangs; for `run_alone`."""

_MOMENTS: Final = 250
_ENOUGH_SECONDS: Final = 10.0
_LATEST: Final = 1.3
"""Of the time that the action takes: some interrupts come too late."""


class Interruption(BaseException):
    """What the signal handler raises."""


def interrupt_often(action: Callable[[], None], check: Callable[[], object]) -> None:
    """Interrupt the action again and again, each time at another moment, and check what it left behind.

    To be run in a process of its own (`run_alone`), for it takes the signal SIGALRM. Up to 250 moments are tried, for
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
        if tried == _MOMENTS or time.monotonic() > ends:
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


def _raise(_number: int, _frame: object) -> None:
    raise Interruption


def _end_late() -> None:
    time.sleep(LONGEST_SECONDS + 5)
    os._exit(1)


def _shortest(action: Callable[[], None]) -> float:
    """The shortest of a few runs, the first of which may import what it needs."""
    shortest, ends = float("inf"), time.monotonic() + 1
    for _ in range(5):
        begun = time.perf_counter()
        action()
        shortest = min(shortest, time.perf_counter() - begun)
        if time.monotonic() > ends:
            break
    return shortest


def _spread() -> Iterator[float]:
    """1/2, 1/4, 3/4, 1/8, 5/8, … (van der Corput's sequence): wherever it is cut, it covers the whole."""
    number = 0
    while True:
        number += 1
        part, digit, rest = 0.0, 0.5, number
        while rest:
            part += digit * (rest & 1)
            digit, rest = digit / 2, rest >> 1
        yield part
