"""The guides that tell how to do something from end to end: what they say is done, in their order."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from support.transcript import matches, steps

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
RUN = ("rotate-without-an-outage", "move-stores", "encrypt-at-rest")


@pytest.mark.parametrize("guide", RUN)
def test_what_a_guide_says_happens(guide: str, home: Path, environment: dict[str, str]) -> None:
    """A block of TOML is the configuration from there on; a console block runs and prints what stands below it."""
    blocks = re.findall(
        r"^```(toml|console)\n(.*?)^```", (GUIDES / f"{guide}.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert blocks

    for kind, text in blocks:
        if kind == "toml":
            (home / "keywright.toml").write_text(text)
            continue
        for step in steps(text):
            done = subprocess.run(
                ["bash", "-c", step.command], cwd=home, env=environment, capture_output=True, timeout=60
            )
            said = (done.stdout.decode(), done.stderr.decode())
            assert done.returncode == step.code, (step.command, *said)
            assert matches(step.stdout, said[0]), (step.command, *said)
            assert matches(step.stderr, said[1]), (step.command, *said)
