"""A batch of rewritten narinfos: how many there are before they are brought to the medium."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from keywright_nix.batch import Batch
from keywright_nix.rewrite import Identity, Replacement
from keywright_nix.signing import Outcome

APPENDED = Outcome("changed")


@pytest.mark.parametrize("waiting", [0, 1, 1023, 1024])
def test_it_is_full_at_1024(tmp_path: Path, waiting: int) -> None:
    """Those that were appended to and those that wait count alike; once all are done it is empty again."""
    outcomes = [
        Outcome("changed", replacement=Replacement(str(tmp_path / "x"), str(tmp_path / f"{number}"), Identity(0, 0, 0)))
        for number in range(waiting)
    ]
    outcomes += [APPENDED] * (1024 - waiting)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    batch = Batch(str(tmp_path), descriptor)
    full = []

    for outcome in outcomes:
        full.append(batch.is_full)
        batch.add("x", outcome)
    full.append(batch.is_full)
    finished = [outcome.kind for _, outcome in batch.finish()]
    os.close(descriptor)

    assert full == [False] * 1024 + [True]
    assert finished == ["gone"] * waiting
    assert not batch.is_full
