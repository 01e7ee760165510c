"""The times of files: revisions are made of them, so each write has one of its own, and it is not the clock's alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from keywright import Record
from keywright_file.store import FileStore

Reopen = Callable[[], AbstractContextManager[FileStore]]
Make = Callable[..., Record]
SECOND = 1_000_000_000  # in nanoseconds
COARSEST = 2 * SECOND  # as a file system may keep time


def times(root: Path, *files: str) -> set[int]:
    return {(root / file).stat().st_mtime_ns for file in files}


def test_a_write_gives_its_files_one_time(reopen: Reopen, make: Make, root: Path) -> None:
    """Key, metadata and lock have the time of the write that made them, not those of the system calls."""
    with reopen() as store:
        before = time.time_ns()
        store.create(make())
        after = time.time_ns()

    (stamp,) = times(root, "a/@1/key", "a/@1/meta.json", ".keywright/lock")
    assert before - COARSEST <= stamp <= after


def test_a_clock_that_went_back(reopen: Reopen, make: Make, root: Path) -> None:
    """Where the last write was later than now, the next one is later still."""
    with reopen() as store:
        store.create(make())
        last = time.time_ns() // COARSEST * COARSEST + 3600 * SECOND
        os.utime(root / ".keywright/lock", ns=(last, last))

        store.create(make("b"))

    (stamp,) = times(root, "b/@1/key", "b/@1/meta.json", ".keywright/lock")
    assert last < stamp <= last + COARSEST
