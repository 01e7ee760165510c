"""Timing whole processes, in turn, so that a drift of the machine's speed falls on all of them alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

__all__ = ["Timed", "time_in_turn"]

Prepare = Callable[[int], Sequence[str]]
"""From the number of the run to the command: for commands that cannot be run twice with the same arguments."""


class Timed(NamedTuple):
    """Wall-clock seconds of each run of one command."""

    name: str
    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.runs)

    def over(self, other: Timed) -> float:
        """The median of the ratios run by run: this command's time over the other's."""
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
