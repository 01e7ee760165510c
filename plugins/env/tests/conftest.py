"""What the tests of the env store share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import pytest

from keywright import Options, Store
from keywright_env import EnvBackend

Opener = Callable[..., AbstractContextManager[Store]]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees variables of another, or of the machine."""
    for variable in [*os.environ]:
        if variable.startswith(("KEYWRIGHT_", "TEST_KEY")):
            monkeypatch.delenv(variable)


@pytest.fixture
def opened() -> Opener:
    """Opens a store with a `variables` table."""

    def open_with(variables: Mapping[str, str] = {}) -> AbstractContextManager[Store]:
        return EnvBackend().open(Options({"variables": dict(variables)}))

    return open_with
