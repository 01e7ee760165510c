"""The loop: let workers write, kill them, open the store again, and compare it with what they said."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple, Self

from kills.check import Checked, check
from kills.history import Operation
from kills.worker import Life, Open, Report, start

from keywright.errors import StoreError

__all__ = ["Figures", "Place", "run"]

_LONGEST_WAIT_SECONDS = 0.05
_LONGEST_FIRST_WAIT_SECONDS = 0.005  # so that the making of a store is interrupted too
_LIVES_OF_A_STORE = (2, 10, 40)  # then a new one


class Place(NamedTuple):
    """A kind of store, and a directory for one after another; `open` opens the one in the directory that it gets."""

    kind: str
    open: Callable[[Path], Open]
    directory: Path


@dataclass
class Figures:
    """What happened. The last two are what must not."""

    kills: int = 0
    inside: int = 0  # kills that came while an operation was under way
    opening: int = 0  # kills that came before the first
    done: int = 0
    refused: int = 0  # lost a race, as one must
    took_effect: int = 0  # operations that were under way and are done
    stores: int = 0
    seconds: float = 0.0

    def __iadd__(self, other: Self) -> Self:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self


def run(
    place: Place,
    *,
    kills: int,
    workers: int,
    seed: int,
    progress: Callable[[Figures], None] = lambda _: None,
) -> Figures:
    """Kill `workers` processes at a time until `kills` were killed.

    Raises:
        AssertionError: the store is not what its workers said; the message says where it is kept.
    """
    figures = Figures()
    chance = Random(seed)
    began = time.monotonic()
    life = 0
    while figures.kills < kills:
        figures.stores += 1
        directory = place.directory / f"{place.kind}-{workers}-{figures.stores}"
        directory.mkdir(mode=0o700)
        store = Checked(directory, place.kind)
        open_store = place.open(directory)
        waits = [_LONGEST_FIRST_WAIT_SECONDS] + [_LONGEST_WAIT_SECONDS] * chance.choice(_LIVES_OF_A_STORE)
        for wait in waits[: -(-(kills - figures.kills) // workers)]:
            life += 1
            try:
                reports = _live(open_store, store, life, workers, chance, wait)
                figures.took_effect += check(store, open_store, reports)
            except (AssertionError, StoreError) as error:
                again = f"seed {seed}, {workers} at a time, life {life}, kept in {directory}"
                raise AssertionError(f"{error} ({again})") from error
            _count(figures, reports)
            figures.seconds = time.monotonic() - began
            progress(figures)
        shutil.rmtree(directory)
    return figures


def _live(
    open_store: Open, store: Checked, number: int, workers: int, chance: Random, wait: float
) -> list[list[Report]]:
    """One life of each worker."""
    lives = [Life(number, worker, chance.getrandbits(32), shared=workers > 1) for worker in range(workers)]
    started = [start(open_store, store.names, life) for life in lives]
    ends = []
    for child, pipe in started:
        assert os.read(pipe, 1) == b"\n", "a worker did not start"
        ends.append((time.monotonic() + chance.uniform(0, wait), child))
    for end, child in sorted(ends):
        time.sleep(max(0.0, end - time.monotonic()))
        os.kill(child, signal.SIGKILL)
    return [_reports(_last_words(child, pipe)) for child, pipe in started]


def _last_words(child: int, pipe: int) -> str:
    _, status = os.waitpid(child, 0)
    with open(pipe, "rb") as opened:
        said = opened.read().decode()
    assert os.WIFSIGNALED(status), f"a worker ended by itself: {said.splitlines()[-1]}"
    return said


def _reports(said: str) -> list[Report]:
    reports: list[Report] = []
    for line in said.splitlines():
        word, _, rest = line.partition(" ")
        if word == "intent":
            kind, name, version, number = rest.split()
            reports.append(Report(Operation(kind, name, int(version), int(number)), None))
        else:
            reports[-1] = reports[-1]._replace(outcome=rest if word == "done" else "lost")
    return reports


def _count(figures: Figures, reports: list[list[Report]]) -> None:
    figures.kills += len(reports)
    figures.opening += sum(not said for said in reports)
    figures.inside += sum(bool(said) and said[-1].outcome is None for said in reports)
    figures.done += sum(report.outcome not in (None, "lost") for said in reports for report in said)
    figures.refused += sum(report.outcome == "lost" for said in reports for report in said)
