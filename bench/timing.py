"""Timing processes and calls in turn, so that a drift of the machine's speed falls on all of them alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

Prepare = Callable[[int], Sequence[str]]
"""From the number of the run to the command: for commands that cannot be run twice with the same arguments."""


class Timed(NamedTuple):
    """Wall-clock seconds of each run of one command or call."""

    name: str
    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.runs)

    def over(self, other: Timed) -> float:
        """The median of the ratios run by run: this one's time over the other's."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.runs, other.runs, strict=True))

    def beyond(self, other: Timed) -> float:
        """The median of the differences run by run, in seconds."""
        return statistics.median(mine - theirs for mine, theirs in zip(self.runs, other.runs, strict=True))


def time_in_turn(commands: Mapping[str, Prepare], *, runs: int, env: Mapping[str, str]) -> dict[str, Timed]:
    """Run A B C A B C …, one round more than `runs`, the first not counted.

    Raises:
        RuntimeError: a command failed; a figure of it would mean nothing.
    """
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, prepare in commands.items():
            command = [*prepare(number)]
            start = time.perf_counter()
            done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, stdin=subprocess.DEVNULL)
            seconds = time.perf_counter() - start
            if done.returncode != 0:
                raise RuntimeError(f"{name} failed: {done.stderr.decode()}")
            if number:
                taken[name].append(seconds)
    return {name: Timed(name, tuple(seconds)) for name, seconds in taken.items()}


def time_calls_in_turn(calls: Mapping[str, Callable[[], object]], *, runs: int, rounds: int) -> dict[str, Timed]:
    """Seconds a call: in each run a loop of so many rounds of A, then of B, …; the first run is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(runs + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(rounds):
                call()
            if number:
                taken[name].append((time.perf_counter() - start) / rounds)
    return {name: Timed(name, tuple(seconds)) for name, seconds in taken.items()}


def row(name: str, figure: float, *, at_most: float | None = None, at_least: float | None = None) -> str:
    """One line: a figure, and its budget if it has one."""
    line = f"{name:50} {figure:10,.2f}"
    if at_most is not None:
        return f"{line}   at most {at_most:g}: {'kept' if figure <= at_most else 'MISSED'}"
    if at_least is not None:
        return f"{line}   at least {at_least:g}: {'kept' if figure >= at_least else 'MISSED'}"
    return line
