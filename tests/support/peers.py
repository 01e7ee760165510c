"""Programs from Debian that tests run."""

from __future__ import annotations

import os
import shutil

import pytest


def find_peer(program: str) -> str:
    """The path of a program; the test is skipped without it, and fails where peers are required."""
    path = shutil.which(program)
    if path is None and os.environ.get("KEYWRIGHT_REQUIRE_PEERS"):
        pytest.fail(f"{program} is not installed, and KEYWRIGHT_REQUIRE_PEERS is set")
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path
