"""The command line, as people and scripts see it: transcripts in `transcripts/`, each run in a clean home.

A line that starts with `$ ` is a shell command; what follows is its stdout, `! ` before what it says on stderr, and
`[N]` for an exit code other than 0. `…` stands for any text on that line.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.transcript import matches, steps

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(transcript: Path, home: Path, environment: dict[str, str]) -> None:
    """Each command prints what the transcript says and exits as it says."""
    failures = []
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
            failures.append(f"$ {step.command}\n{stdout}! {stderr}[{done.returncode}]")

    assert not failures, "\n\n".join(failures)


def test_transcripts_are_there() -> None:
    """There are transcripts, and each has steps."""
    assert len(TRANSCRIPTS) >= 7
    assert all(steps(path.read_text()) for path in TRANSCRIPTS)
