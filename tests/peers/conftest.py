"""What tests with other programs share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.jose import Jose


@pytest.fixture
def jose_program(peer: Callable[[str], str], home: Path) -> Jose:
    """Runs the real `jose`."""
    program = peer("jose")

    def run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([program, *arguments], cwd=home, input=given, capture_output=True, timeout=60)

    return run
