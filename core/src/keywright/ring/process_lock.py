"""A lock that no fork leaves held."""

from __future__ import annotations

import os
from threading import RLock

__all__ = ["ProcessLock"]


class ProcessLock:
    """A lock for each process: a child does not wait for a thread that its parent had and it has not."""

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        self._locks: dict[int, RLock] = {}

    def mine(self) -> RLock:
        """This process's lock, to be held by `with`; a thread may take it again while it holds it."""
        # setdefault is atomic: threads that come at once get one lock.
        return self._locks.setdefault(os.getpid(), RLock())
