"""What a fork does with the sessions that are open: none is in use meanwhile, and the child begins anew."""

from __future__ import annotations

import os
from contextlib import suppress
from threading import RLock
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

if TYPE_CHECKING:
    from keywright_sqlite.session import Session

__all__ = ["OPENED", "let_go"]

OPENED: Final[WeakSet[Session]] = WeakSet()
_forking = RLock()  # one thread at a time, so that two do not wait for each other


def let_go(lock: RLock) -> None:
    """Release a lock that this thread holds, however often it took it."""
    with suppress(RuntimeError):  # it is not ours any more
        while True:
            lock.release()


def _before_fork() -> None:
    _forking.acquire()
    for session in list(OPENED):
        session.before_fork()


def _after_fork_in_parent() -> None:
    for session in list(OPENED):
        session.after_fork_in_parent()
    let_go(_forking)


def _after_fork_in_child() -> None:
    global _forking
    for session in list(OPENED):
        session.after_fork_in_child()
    _forking = RLock()


if hasattr(os, "register_at_fork"):
    # Twice, for what they do can be done twice: a signal handler that raises, perhaps for a signal that came during the
    # fork, ends one of them anywhere, even as it begins, and the fork goes on all the same.
    for _ in range(2):
        os.register_at_fork(
            before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
        )
