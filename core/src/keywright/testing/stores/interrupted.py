"""The contract of stores that take records, sixth part: what a signal handler that raises leaves behind."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import pytest

from keywright.protocols import WritableStore
from keywright.record import Record
from keywright.testing.stores.lasting import LastingStoreContract
from keywright.testing.stores.processes import run_alone
from keywright.testing.stores.records import OpenWritableStore

__all__ = ["INTERRUPTS_SECONDS", "InterruptedStoreContract"]

INTERRUPTS_SECONDS = 60.0
"""A store that is not done after so long hangs."""

_MOMENTS: Final = 250
_LATEST: Final = 1.3
"""Of the time that a call takes: some come too late."""


class _Interruption(BaseException):
    """What the handler raises."""


class InterruptedStoreContract(LastingStoreContract):
    """Part of `WritableStoreContract` and `SigningStoreContract`."""

    def test_store_71_an_interrupt_leaves_all_or_nothing(self, open_store: OpenWritableStore) -> None:
        """STORE-71: Of a call in which a signal handler raises, all is done or nothing, and the store works on.

        Why: Ctrl-C and time limits raise between any two steps. A lock that nobody lets go of hangs the next call for
        ever, and be it the one that closes the store.

        Do: Take locks by a `with` block in the very function that uses what they guard, and undo there what was begun.
        An `__enter__`, `__exit__` or generator of your own leaves moments in which nobody would let go.
        """
        if not hasattr(signal, "setitimer"):
            pytest.skip("this system has no timer that sends signals")
        run_alone(partial(self._interrupt_everything, open_store), seconds=INTERRUPTS_SECONDS)

    def _interrupt_everything(self, open_store: OpenWritableStore) -> None:
        sys.settrace(None)  # coverage has a lock of its own, and an interrupt leaves it locked
        signal.signal(signal.SIGALRM, _raise)
        with open_store() as store:
            longest = _LATEST * min(self._seconds(store) for _ in range(5))
            interrupted = 0
            for moment in range(1, _MOMENTS + 1):
                interrupted += _interrupts(partial(self._use, store, f"a{moment}"), longest * moment / _MOMENTS)
                self._check(store, f"a{moment}")
                self._use(store, "a")
        assert interrupted > _MOMENTS / 4, "too few calls were interrupted to tell"
        with open_store() as store:
            assert list(store.names()) == []

    def _seconds(self, store: WritableStore) -> float:
        begun = time.perf_counter()
        self._use(store, "a")
        return time.perf_counter() - begun

    def _use(self, store: WritableStore, name: str) -> None:
        """Two versions come, are read, changed and go."""
        stored = store.create(self.labelled(name, 1, "one"))
        record = store.get(name, 1)
        if self.capabilities.metadata:
            store.update(Record(replace(record.info, reason="changed"), record.payload), expected=stored.revision)
        store.create(self.labelled(name, 2, "two"))
        store.remove(name, expected=[info.revision for info in store.versions(name)])

    def _check(self, store: WritableStore, name: str) -> None:
        """What is there is whole, listed, and can be removed."""
        versions = store.versions(name)
        assert [info.version for info in versions] == [1, 2][: len(versions)]
        for info, text in zip(versions, ("one", "two"), strict=False):
            assert self.said(store.get(name, info.version), [text])
        assert list(store.names()) == [name][: len(versions)]
        if versions:
            store.remove(name, expected=[info.revision for info in versions])


def _raise(_number: int, _frame: object) -> None:
    raise _Interruption


def _interrupts(action: Callable[[], None], seconds: float) -> bool:
    """Do it, and have a signal handler raise after so long. Whether that was before it was done."""
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        action()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except _Interruption:
        return True
    return False
