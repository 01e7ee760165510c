"""What the tests under faults share: two workers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from shutil import which

import pytest
from faults.pool import Pool, RefusedError


@pytest.fixture(scope="session")
def workers() -> Iterator[Pool]:
    """Two workers that can watch a process; without them the test is skipped, or fails where peers are required."""
    required = "KEYWRIGHT_REQUIRE_PEERS" in os.environ
    if which("strace") is None:
        (pytest.fail if required else pytest.skip)("strace is not installed")
    with Pool() as pool:
        try:
            pool.calls("file", "create")
        except RefusedError as error:
            (pytest.fail if required else pytest.skip)(f"strace cannot attach to a process here: {error}")
        yield pool
