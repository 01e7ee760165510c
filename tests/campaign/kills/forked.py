"""A child process that does one thing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

__all__ = ["LONGEST_LIFE_SECONDS", "forked"]

LONGEST_LIFE_SECONDS = 60


def forked(work: Callable[[], int]) -> int:
    """The process id of a child whose exit code is what `work` returns; 99: it raised."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        signal.alarm(LONGEST_LIFE_SECONDS)
        code = work()
    finally:
        os._exit(code)
