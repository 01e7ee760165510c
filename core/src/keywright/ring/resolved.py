"""What was looked up in a ring and is used many times: looked up again when it may have changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import Generic, NamedTuple, NoReturn, TypeVar

from keywright.files import ProcessLock

__all__ = ["Found", "Resolved"]

_T = TypeVar("_T")


class Found(NamedTuple, Generic[_T]):
    """What a look-up found.

    Attributes:
        bound: what signs or verifies.
        since: the time of the look-up.
        until: when it has to be looked up again; None: never.
        era: the ring's, from before the look-up (see `Resolved`).
        process: the process that looked; what is bound may be a session with a device, which no child inherits.
    """

    bound: _T
    since: datetime
    until: datetime | None
    era: object
    process: int


class Resolved(Generic[_T]):
    """Looked up when it is made; using it is then a plain call. Safe to use from threads, and after a fork.

    When the clock says that other versions count by now, or the look-up is older than the ring's `refresh`, or the
    clock was set back behind the look-up, or its ring made or changed a key, or the process forked, it is looked up
    again.
    """

    __slots__ = ("_clock", "_era", "_found", "_lock", "_resolve")

    def __init__(
        self, resolve: Callable[[], Found[_T]], clock: Callable[[], datetime], era: Callable[[], object]
    ) -> None:
        """Resolve for the first time. `era` returns an object that is another after each change that the ring made.

        Raises: whatever `resolve` raises.
        """
        self._resolve = resolve
        self._clock = clock
        self._era = era
        self._lock = ProcessLock()
        # One tuple, so that no thread sees a new time beside an old key.
        self._found = resolve()

    def current(self) -> _T:
        """What counts now.

        Raises:
            PolicyError: no version may be used so by now.
            KeyNotFoundError, StoreError: it had to be looked up again, and could not be.
        """
        found = self._found
        if self._holds(found):
            return found.bound
        with self._lock.mine():
            if not self._holds(self._found):
                self._found = self._resolve()
            return self._found.bound

    def _holds(self, found: Found[_T]) -> bool:
        if found.era is not self._era() or found.process != os.getpid():
            return False
        return found.until is None or found.since <= self._clock() < found.until

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        kind = type(self).__name__
        raise TypeError(f"a {kind} is not pickled: it holds a key; pass the key's name instead, and bind it there")
