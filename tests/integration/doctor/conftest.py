"""What the tests of the doctor share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.rings import Ring


@pytest.fixture
def ring(home: Path, monkeypatch: pytest.MonkeyPatch) -> Ring:
    """No store holds anything, and no variable is set."""
    for variable in [*os.environ]:
        if variable.startswith(("KEYWRIGHT_", "TEST_KEY")):
            monkeypatch.delenv(variable)
    return Ring(home)
