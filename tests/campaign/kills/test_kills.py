"""Processes killed at any moment lose nothing that they reported, and leave nothing torn or stray."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from kills.rounds import Place, run
from kills.stores import OPENERS


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory where the system has such a place: what a kill leaves does not depend on the medium."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory(dir=place) as directory:
        yield Path(directory)


@pytest.mark.parametrize("kind", sorted(OPENERS))
def test_one_process_killed(kind: str, tmp_path: Path) -> None:
    """After kill -9 all that was reported done is there exactly, what was under way is done or not, and no more."""
    figures = run(Place(kind, OPENERS[kind], tmp_path), kills=75, workers=1, seed=1)

    assert figures.kills == 75
    assert figures.inside > 25
    assert figures.took_effect > 0


@pytest.mark.parametrize("kind", sorted(OPENERS))
def test_processes_killed_beside_each_other(kind: str, memory: Path) -> None:
    """The same with four at work, each on names of its own and all on one, of whom some outlive the others."""
    figures = run(Place(kind, OPENERS[kind], memory), kills=76, workers=4, seed=2)

    assert figures.kills == 76
    assert figures.inside > 15
    assert figures.done > 76
