"""What the packages say they export, they have."""

from __future__ import annotations

import subprocess
import sys

import pytest
from refusals import refuses

import keywright

_MISSING = """
import importlib, sys
module = importlib.import_module(sys.argv[1])
print([name for name in module.__all__ if getattr(module, name, None) is None])
"""


@pytest.mark.parametrize("module", ["keywright", "keywright.files", "keywright.testing"])
def test_every_export_loads_on_first_use(module: str) -> None:
    """In a process that used nothing yet, every name of `__all__` is there at the first look."""
    done = subprocess.run([sys.executable, "-c", _MISSING, module], capture_output=True, text=True, timeout=60)

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_what_is_not_exported_is_not_there() -> None:
    """A misspelled name is an AttributeError that names it."""
    with refuses(AttributeError, "module 'keywright' has no attribute 'nothing'"):
        keywright.nothing  # type: ignore[attr-defined]  # noqa: B018  (a type checker sees it too)
