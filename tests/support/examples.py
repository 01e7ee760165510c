"""The examples of plugins in `docs/examples`, built and installed as users do it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

REPOSITORY = Path(__file__).parents[2]


class Run(Protocol):
    """Runs `keywright ARGUMENTS`, which succeeds without a word on stderr, and returns its stdout."""

    def __call__(self, *arguments: str, input: str = "") -> str: ...


def install_example(example: Path, folder: Path) -> Path:
    """Build the wheels of keywright and of an example, and install them in a fresh environment in `folder`.

    Returns its `keywright` command. The test is skipped without uv.
    """
    shutil.copytree(example, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    _uv("build", "--quiet", "--wheel", "--out-dir", folder / "dist", folder / "source", cwd=folder)
    _uv("build", "--quiet", "--wheel", "--out-dir", folder / "dist", "--all-packages", cwd=REPOSITORY)
    _uv("venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    wheels = sorted((folder / "dist").glob("*.whl"))
    _uv("pip", "install", "--quiet", "--python", folder / "venv", *wheels, cwd=folder)
    return folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "keywright"


def runner(command: Path, home: Path, environment: dict[str, str]) -> Run:
    """Runs `command` in `home`."""

    def run(*arguments: str, input: str = "") -> str:
        result = subprocess.run(
            [command, *arguments], input=input, capture_output=True, text=True, cwd=home, env=environment
        )
        assert (result.returncode, result.stderr) == (0, ""), f"exit code {result.returncode}: {result.stderr}"
        return result.stdout

    return run


def _uv(*arguments: str | Path, cwd: Path) -> None:
    """Run uv outside of this environment."""
    program = shutil.which("uv")
    if program is None:
        pytest.skip("uv is not installed")
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    result = subprocess.run(
        [program, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert result.returncode == 0, result.stderr
