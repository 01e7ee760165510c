"""Violations that are known, each with the reason why it stands. What is not met any more is to be struck out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["KNOWN", "Known", "known"]


@dataclass(frozen=True)
class Known:
    """A violation: patterns of the store, the operation, the fault and the sentence."""

    backend: str
    operation: str
    fault: str
    sentence: str
    reason: str


KNOWN: Final = (
    Known(
        "sqlite",
        ".*",
        r"\w+ at fdatasync\(\d+</place>\)",
        "a sync failed, and it ended as done|a failed sync was tried again",
        "SQLite itself passes over a failed sync of the directory that its new log stands in, and syncs it again later",
    ),
    Known(
        "sqlite",
        "first",
        "SIGKILL at|dead at",
        r"\.keywright-\w+\.new is left over",
        "an empty database that was to become the store; it holds no secret, may be a live process's, doctor names it",
    ),
    Known(
        "sqlite",
        ".*",
        r"\w+ at (fdatasync\(\d+</place/keys-wal>\)|pwrite64\(\d+</place/keys-shm>)",
        "a failed sync was tried again",
        "SQLite syncs the log of a process that was killed again when it closes",
    ),
)


def known(backend: str, operation: str, fault: str, sentence: str) -> Known | None:
    """The entry that a violation is known by."""
    for entry in KNOWN:
        if (
            entry.backend == backend
            and re.fullmatch(entry.operation, operation)
            and re.match(entry.fault, fault)
            and re.search(entry.sentence, sentence)
        ):
            return entry
    return None
