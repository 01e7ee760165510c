"""What the packages say they export, they have."""

from __future__ import annotations

import subprocess
import sys

import pytest

import keywright
import keywright.config

_MISSING = """
import importlib, sys
module = importlib.import_module(sys.argv[1])
print([name for name in module.__all__ if getattr(module, name, None) is None])
"""


@pytest.mark.parametrize("module", ["keywright", "keywright.config", "keywright.testing"])
def test_every_export_loads_on_first_use(module: str) -> None:
    """In a process that used nothing yet, every name of `__all__` is there at the first look."""
    done = subprocess.run([sys.executable, "-c", _MISSING, module], capture_output=True, text=True, timeout=60)

    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("module", [keywright, keywright.config], ids=lambda module: str(module.__name__))
def test_what_is_not_exported_is_not_there(module: object) -> None:
    """A misspelt name is an AttributeError that names it."""
    with pytest.raises(AttributeError) as caught:
        getattr(module, "nothing")  # noqa: B009  (a type checker knows that it is not there)

    assert str(caught.value) == f"module {module.__name__!r} has no attribute 'nothing'"  # type: ignore[attr-defined]  # a module has a name
