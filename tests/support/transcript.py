"""Transcripts of a shell: commands, and what they have to print."""

from __future__ import annotations

import re
from typing import NamedTuple


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
