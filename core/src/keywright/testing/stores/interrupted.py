"""The contract of stores that take records, sixth part: what a signal handler that raises leaves behind."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import signal
from dataclasses import replace
from functools import partial

import pytest

from keywright.protocols import WritableStore
from keywright.records import Record
from keywright.testing import interrupts
from keywright.testing.interrupts import interrupt_often
from keywright.testing.stores.lasting import LastingStoreContract
from keywright.testing.stores.processes import run_alone
from keywright.testing.stores.records import OpenWritableStore

__all__ = ["InterruptedStoreContract"]


class InterruptedStoreContract(LastingStoreContract):
    """Part of `WritableStoreContract` and `SigningStoreContract`."""

    def test_store_71_an_interrupt_leaves_all_or_nothing(self, open_store: OpenWritableStore) -> None:
        """STORE-71: Of a call in which a signal handler raises, all is done or nothing, and the store works on.

        Why: Ctrl-C and time limits raise between any two steps. A lock that nobody lets go of hangs the next call for
        ever, and be it the one that closes the store.

        Do: Take a lock, use what it guards, undo what was begun and let go in one function: `with` on a lock of
        `threading`'s, or `try` and `finally`. An `__enter__`, `__exit__` or generator of your own leaves moments in
        which nobody lets go, or not before the interrupt's traceback is forgotten.
        """
        if not hasattr(signal, "setitimer"):
            pytest.skip("this system has no timer that sends signals")
        run_alone(partial(self._interrupt, open_store), seconds=interrupts.LONGEST_SECONDS)

    def _interrupt(self, open_store: OpenWritableStore) -> None:
        with open_store() as store:
            interrupt_often(partial(self._use, store), partial(self._check, store))
        with open_store() as store:
            assert list(store.names()) == []

    def _use(self, store: WritableStore) -> None:
        """Two versions come, are read, changed and go."""
        stored = store.create(self.labelled("a", 1, "one"))
        record = store.get("a", 1)
        if self.capabilities.metadata:
            store.update(Record(replace(record.info, reason="changed"), record.payload), expected=stored.revision)
        store.create(self.labelled("a", 2, "two"))
        store.remove("a", expected=[info.revision for info in store.versions("a")])

    def _check(self, store: WritableStore) -> None:
        """What is there is whole, listed, and can be removed; and all can be done again."""
        versions = store.versions("a")
        assert [info.version for info in versions] == [1, 2][: len(versions)]
        for info, text in zip(versions, ("one", "two"), strict=False):
            assert self.said(store.get("a", info.version), [text])
        assert list(store.names()) == ["a"][: len(versions)]
        if versions:
            store.remove("a", expected=[info.revision for info in versions])
        self._use(store)
