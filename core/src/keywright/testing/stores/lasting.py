"""The contract of stores that take records, fifth part: what is left of a process that ended."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import os
import signal
from dataclasses import replace

from keywright.errors import StoreError, UnsupportedOperationError
from keywright.records import Record
from keywright.testing.stores.processes import run_alone, run_until_killed
from keywright.testing.stores.records import OpenWritableStore
from keywright.testing.stores.shared import SharedStoreContract
from keywright.testing.stores.threaded import body

__all__ = ["LastingStoreContract"]


class LastingStoreContract(SharedStoreContract):
    """Part of `WritableStoreContract` and `SigningStoreContract`."""

    def test_store_68_what_is_not_shared_is_not_harmed_by_a_child(self, open_store: OpenWritableStore) -> None:
        """STORE-68: Of a store that is not shared, what a forked child writes neither shows nor harms, or is refused.

        Why: A child that believes that it wrote, into a store that only half notices, loses keys of both.

        Do: With shared=False, keep a child's copy apart, or raise StoreUnavailableError in any process but the one
        that opened the store. If other processes may use it after all, declare shared=True.
        """
        self.declines("shared")
        with open_store() as store:
            store.create(self.labelled("a", 1, "parent"))

            def work() -> None:
                for write in (
                    lambda: store.create(self.labelled("a", 2, "child")),
                    lambda: store.create(self.labelled("b", 1, "child")),
                    lambda: store.remove("a", expected=[info.revision for info in store.versions("a")]),
                ):
                    try:
                        write()
                    except (StoreError, UnsupportedOperationError):
                        continue

            run_alone(work)
            stored = store.create(self.labelled("c", 1, "parent"))

            assert list(store.names()) == ["a", "c"]
            assert [info.version for info in store.versions("a")] == [1]
            assert self.said(store.get("a", 1), ["parent"])
            assert store.get("c", 1).info == stored

    def test_store_69_what_a_killed_process_was_told_is_there(self, open_store: OpenWritableStore) -> None:
        """STORE-69: What `create`, `update` and `remove` returned is there after their process was killed at once.

        Why: Power goes and processes are killed; a key that was announced to the world and is gone is an outage.

        Do: Write through before you return, not when the store is closed or the interpreter ends. What lives only as
        long as its process declares persistent=False.
        """
        self.needs("persistent")

        def work() -> None:
            with open_store() as store:
                removed = store.create(self.labelled("b", 1, "gone"))
                store.remove("b", expected=[removed.revision])
                stored = store.create(self.labelled("a", 1, "kept"))
                if self.capabilities.metadata:
                    store.update(
                        Record(replace(stored, reason="updated"), self.payload(body("kept"))), expected=stored.revision
                    )
                os.kill(os.getpid(), signal.SIGKILL)

        run_until_killed(work)

        with open_store() as store:
            assert list(store.names()) == ["a"]
            assert self.said(store.get("a", 1), ["kept"])
            assert store.get("a", 1).info.reason == ("updated" if self.capabilities.metadata else "")

    def test_store_70_what_does_not_persist_ends_with_its_process(self, open_store: OpenWritableStore) -> None:
        """STORE-70: Of a store that says that it does not persist, what a child process wrote is gone with it.

        Why: A throw-away store is chosen so that no key outlives the process, on no disk.

        Do: With persistent=False, keep records in memory alone. If they stay, declare persistent=True.
        """
        self.declines("persistent")
        self.declines("shared")

        def work() -> list[str]:
            with open_store() as store:
                store.create(self.labelled("a", 1, "child"))
                return list(store.names())

        assert run_alone(work) == ["a"]
        with open_store() as store:
            assert list(store.names()) == []
