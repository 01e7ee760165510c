"""The README: its tour is pasted line by line, and its Python runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from support.transcript import matches, steps

README = (Path(__file__).parents[2] / "README.md").read_text()


def _block(language: str, title: str) -> str:
    """The first block of code of a language below some words."""
    found = re.search(rf"^```{language}\n(.*?)^```", README[README.index(title) :], re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_the_tour_can_be_pasted(home: Path, environment: dict[str, str]) -> None:
    """From an empty directory, each line succeeds and prints what stands below it; only the files it names are made."""
    tour = steps(_block("console", "## A tour of 60 seconds"))
    assert len(tour) > 8

    for step in tour:
        done = subprocess.run(
            ["bash", "-c", step.command], cwd=home, env=environment, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, ""), step.command
        assert matches(step.stdout.rstrip(), done.stdout.rstrip()) or not step.stdout, (step.command, done.stdout)

    assert {path.name for path in home.iterdir() if not path.name.startswith(".")} == {
        "message.sig", "message.txt", "secret-key",
    }  # fmt: skip


def test_the_python_runs(home: Path, environment: dict[str, str]) -> None:
    """In the default store, without a configuration."""
    code = _block("python", "In Python:")

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=home, env=environment, capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
