"""The command line, as people and scripts see it: transcripts in `transcripts/`, each run in a clean home.

A line that starts with `$ ` is a shell command; what follows is its stdout, `! ` before what it says on stderr, and
`[N]` for an exit code other than 0. `…` stands for any text on that line.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


class Step(NamedTuple):
    """One command of a transcript, and what it has to do."""

    command: str
    stdout: str
    stderr: str
    code: int


def steps(text: str) -> list[Step]:
    """The steps of a transcript."""
    found = []
    for block in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, rest = block.partition("\n")
        lines = [line for line in rest.splitlines() if line and not line.startswith("#")]
        code = next((int(line[1:-1]) for line in lines if re.fullmatch(r"\[\d+\]", line)), 0)
        lines = [line for line in lines if not re.fullmatch(r"\[\d+\]", line)]
        stdout = "".join(f"{line}\n" for line in lines if not line.startswith("! "))
        stderr = "".join(f"{line[2:]}\n" for line in lines if line.startswith("! "))
        found.append(Step(command, stdout, stderr, code))
    return found


def matches(expected: str, actual: str) -> bool:
    """Whether `actual` is `expected`, `…` standing for any text on its line."""
    pattern = "[^\n]*".join(re.escape(part) for part in expected.split("…"))
    return re.fullmatch(pattern, actual) is not None


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(transcript: Path, home: Path, environment: dict[str, str]) -> None:
    """Each command prints what the transcript says and exits as it says."""
    told = []
    for step in steps(transcript.read_text()):
        done = subprocess.run(
            ["bash", "-c", step.command],
            cwd=home,
            env=environment,
            capture_output=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
        stdout, stderr = done.stdout.decode(), done.stderr.decode()
        # A key in its own format ends without a newline; the transcript cannot show that.
        stdout += "\n" if stdout and not stdout.endswith("\n") else ""
        if not (matches(step.stdout, stdout) and matches(step.stderr, stderr) and done.returncode == step.code):
            told.append(f"$ {step.command}\n{stdout}! {stderr}[{done.returncode}]")

    assert not told, "\n\n".join(told)


def test_transcripts_are_there() -> None:
    """There are transcripts, and each has steps."""
    assert len(TRANSCRIPTS) >= 7
    assert all(steps(path.read_text()) for path in TRANSCRIPTS)
