"""A line that was written is on the medium, and so is the name of the log that it is in."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from keywright_audit.log import append


def test_the_first_line_brings_the_name_of_the_log_to_the_medium_too(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line syncs the file; the one that made it syncs its directory after that."""
    synced: list[bool] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)

    append(str(log), "intent", {})
    first = list(synced)
    append(str(log), "outcome", {})

    is_directory, is_file = True, False
    assert first[0] is is_file
    assert is_directory in first[1:]
    assert synced[len(first) :] == [is_file]
