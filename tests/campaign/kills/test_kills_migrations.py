"""Migrations killed at any moment, and beside writers, lose nothing and double nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from kills.migrations import PAIRS, run


@pytest.mark.parametrize("pair", PAIRS[:2])
@pytest.mark.parametrize("writers", [0, 2])
def test_a_migration_that_is_killed_is_finished_by_the_next(
    tmp_path: Path, pair: tuple[str, str], writers: int
) -> None:
    """At each kill every version is whole in one store at least; at the end the target is what the source was."""
    figures = run(tmp_path, pair, kills=40, seed=3, writers=writers)

    assert figures.kills >= 40
    assert figures.inside > (0 if writers else 5)
    assert bool(figures.writes) == bool(writers)
