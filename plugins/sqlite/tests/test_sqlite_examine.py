"""What the doctor is told of the database's files, in the store's own words."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

import pytest

from keywright import ExaminedStore, Record, WritableStore

Make = Callable[..., Record]
Opener = Callable[..., AbstractContextManager[WritableStore]]


def _told(store: WritableStore) -> list[str]:
    return list(cast("ExaminedStore", store).examine())


def test_a_second_name_is_told(tmp_path: Path, path: str, store: WritableStore, make: Make) -> None:
    """One more name is one too many, for the keys would outlive the store under it."""
    store.create(make("a"))
    before = _told(store)

    os.link(path, tmp_path / "mine.db")

    assert before == []
    assert _told(store) == [
        (
            f"{path} has a second name (a hard link), under which the keys would outlive the store; remove that name, "
            "or make the store a copy of its own"
        )
    ]


@pytest.mark.parametrize(("mode", "told"), [(0o770, True), (0o730, True), (0o1770, False), (0o750, False)])
def test_a_directory_that_its_group_may_write_is_told(
    tmp_path: Path, path: str, store: WritableStore, make: Make, mode: int, told: bool
) -> None:
    """The store takes it, for a group is somebody's choice; with the sticky bit nobody can rename another's file."""
    store.create(make("a"))
    tmp_path.chmod(mode)

    found = _told(store)

    tmp_path.chmod(0o700)
    assert found == told * [
        (
            f"{tmp_path} is writable by its group, who could put another database in the store's place; run "
            f"`chmod g-w {tmp_path}`, and see that the keys in it are still yours"
        )
    ]
