"""What the tests of the audit log share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from keywright_audit.log import append

Members = Mapping[str, object]
Written = Callable[[Path], list[dict[str, Any]]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where a log may be; nothing is there yet."""
    tmp_path.chmod(0o700)
    return tmp_path / "audit.jsonl"


@pytest.fixture
def told() -> Members:
    """What is told of a key."""
    return {
        "time": "2026-11-22T12:00:00Z",
        "who": "ann",
        "operation": "generate",
        "name": "prod/jwt",
        "version": 1,
        "kid": "",
        "store": "local",
    }


@pytest.fixture
def fill(log: Path, told: Members) -> Callable[[int], list[bytes]]:
    """Appends so many lines; returns all that are there, with their line feeds."""

    def fill_with(count: int) -> list[bytes]:
        for number in range(count):
            append(str(log), "intent", {**told, "version": number + 1})
        return log.read_bytes().splitlines(keepends=True)

    return fill_with


@pytest.fixture
def written() -> Written:
    """The lines of a log as JSON values."""
    return lambda path: [json.loads(line) for line in path.read_bytes().splitlines()]
