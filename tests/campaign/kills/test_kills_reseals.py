"""A change of the master key that is killed at any moment, and beside writers, leaves every record open."""

from __future__ import annotations

from pathlib import Path

import pytest
from kills.reseals import PAIRS, Pair, run


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
@pytest.mark.parametrize("writers", [0, 2])
def test_a_change_that_is_killed_is_finished_by_the_next(tmp_path: Path, pair: Pair, writers: int) -> None:
    """With `previous`, every record opens meanwhile and after each kill; at the end all open without it."""
    figures = run(tmp_path, pair, kills=8, seed=3, writers=writers)

    assert figures.kills >= 8
    assert figures.changes > 0
    assert figures.inside > 0
    assert figures.looks > 0
    assert bool(figures.writes) == bool(writers)
