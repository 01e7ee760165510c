"""The contract of stores that take records, fourth part: processes that share a store."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import Event, Thread

from keywright.errors import KeyNotFoundError
from keywright.protocols import Store, WritableStore
from keywright.records import Record, State
from keywright.secret import Secret
from keywright.testing.stores.processes import run_alone, run_together
from keywright.testing.stores.records import OpenWritableStore
from keywright.testing.stores.threaded import COUNTER, SUCCESSES, WRITERS, ThreadedStoreContract, body, increment

__all__ = ["FORK_SECONDS", "SharedStoreContract"]

FORK_SECONDS = 10.0
"""How long a child may take to make one record before it counts as hanging."""

_LOOK_SECONDS = 0.5


class SharedStoreContract(ThreadedStoreContract):
    """Part of `WritableStoreContract` and `SigningStoreContract`."""

    def test_store_60_one_of_many_processes_wins_a_version(self, open_store: OpenWritableStore) -> None:
        """STORE-60: Of eight processes that create one version at once, in a store not yet made, one wins.

        Why: Two machines that start at the same time both make the first key; one of the two would be overwritten.

        Do: Refuse a taken version by an atomic step that all processes see: a unique row, a link, a directory's
        rename. A lock inside the process does not help. If that cannot be, declare shared=False.
        """
        self.needs("shared")

        def work(writer: int) -> list[str]:
            with open_store() as store:
                return self.contest(store, writer)

        self.check_contest(open_store, run_together([partial(work, number) for number in range(WRITERS)]))

    def test_store_61_processes_rotate_one_name_without_a_hole(self, open_store: OpenWritableStore) -> None:
        """STORE-61: Eight processes that each make the next version of one name make 1 to n, none twice, all whole.

        Why: Rotation is nothing but `create` of the highest version and one; here it must not lose a key.

        Do: As STORE-60; and let `versions` see at once what another process created.
        """
        self.needs("shared")

        def work(writer: int) -> list[int]:
            with open_store() as store:
                return self.rotate(store, writer)

        self.check_rotated(open_store, run_together([partial(work, number) for number in range(WRITERS)]))

    def test_store_62_processes_lose_no_update(self, open_store: OpenWritableStore) -> None:
        """STORE-62: A counter that eight processes raise by compare-and-update ends at the number of their successes.

        Why: A lost update is a key marked as compromised that signs again.

        Do: Read the revision, compare and write under a lock or in a transaction that holds among processes.
        """
        self.needs("shared")
        self.needs("metadata")
        self.create(open_store, COUNTER, self.payload(b"p"))

        def work() -> None:
            with open_store() as store:
                for _ in range(SUCCESSES):
                    increment(store)

        run_together([work] * WRITERS)

        with open_store() as store:
            assert store.get(COUNTER.name, 1).info.labels == {"count": str(WRITERS * SUCCESSES)}

    def test_store_63_readers_beside_writers_see_whole_records(self, open_store: OpenWritableStore) -> None:
        """STORE-63: Who reads while others create, replace, destroy and remove sees whole records or none, no fault.

        Why: A payload beside the metadata of another key signs under the wrong kid; a false alarm of damage makes
        people restore old backups.

        Do: Make each change visible in one step, and read metadata and payload of one state; if they do not fit, read
        again before you call it damage.
        """
        self.needs("shared")
        ends = time.monotonic() + _LOOK_SECONDS

        def write(name: str) -> int:
            with open_store() as store:
                rounds = 0
                while time.monotonic() < ends:
                    rounds += 1
                    self.live(store, name, rounds)
                return rounds

        def read() -> int:
            with open_store() as store:
                looks = 0
                while time.monotonic() < ends:
                    looks += 1
                    for name in ("a", "a/b"):
                        self.check_alive(store, name)
                    assert {*store.names()} <= {"a", "a/b"}
                return looks

        works = [partial(write, "a"), partial(write, "a/b"), *[partial(read)] * 4]

        assert all(run_together(works))

    def live(self, store: WritableStore, name: str, number: int) -> None:
        """All that a record goes through, in its own words."""
        first = self.labelled(name, 1, f"{number} first")
        stored = store.create(first)
        if first.payload is not None:
            stored = store.update(Record(stored, self.payload(body(f"{number} second"))), expected=stored.revision)
        if self.capabilities.metadata:
            stored = store.update(Record(replace(stored, state=State.DESTROYED), None), expected=stored.revision)
        store.remove(name, expected=[stored.revision])

    def check_alive(self, store: Store, name: str) -> None:
        """What `live` writes, and not two states of it at once."""
        try:
            record = store.get(name, 1)
        except KeyNotFoundError:
            return
        infos = store.versions(name)
        assert [info.version for info in infos] in ([], [1])
        if record.info.state is State.DESTROYED:
            assert record.payload is None, f"{name}: a destroyed version came with its payload"
            return
        if record.payload is None:
            assert self.payload(b"") is None, f"{name}: the payload is missing"
            return
        number = record.payload.reveal().split(b" ")[0].decode()
        assert record.payload in (Secret(body(f"{number} first")), Secret(body(f"{number} second"))), f"{name}: torn"
        if self.capabilities.metadata:
            assert record.info.kid == f"{number} first", f"{name}: metadata and payload are of two records"

    def test_store_64_a_store_opened_before_a_fork_works_on_both_sides(self, open_store: OpenWritableStore) -> None:
        """STORE-64: A store that was opened before a fork can be used in parent and child, at the same time.

        Why: Web servers open their stores and then fork their workers; a connection that two processes talk through
        mixes up both.

        Do: Notice the fork (`os.register_at_fork`, or compare `os.getpid()`), and open connections anew in the child.
        """
        self.needs("shared")
        with open_store() as store:
            store.create(self.labelled("a", 1, "before"))

            def work(writer: int) -> list[int]:
                self.said(store.get("a", 1), ["before"])
                return self.rotate(store, writer)

            with self.busy(lambda: self.said(store.get("a", 1), ["before"])):
                made = run_together([partial(work, number) for number in range(2)])
            own = self.rotate(store, 2)
            numbers = list(range(2, 3 * SUCCESSES + 2))

            assert sorted([*made[0], *made[1], *own]) == numbers
            assert [info.version for info in store.versions("a")] == [1, *numbers]

    @contextmanager
    def busy(self, action: Callable[[], object]) -> Iterator[None]:
        """Do something over and over in a thread; what it raises is raised at the end."""
        stop, raised = Event(), list[BaseException]()

        def loop() -> None:
            try:
                while not stop.is_set():
                    action()
            except BaseException as error:  # noqa: BLE001 - raised again below
                raised.append(error)

        thread = Thread(target=loop, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        for error in raised:
            raise error

    def test_store_65_a_fork_beside_a_writing_thread_does_not_hang(self, open_store: OpenWritableStore) -> None:
        """STORE-65: A process that forks while its threads write has children whose store works.

        Why: A lock that another thread held at the fork is locked for ever in the child: a worker that hangs at its
        first signature.

        Do: Take the store's locks before a fork and release them on both sides (`os.register_at_fork`), or replace a
        lock that belongs to another process.
        """
        self.needs("shared")
        count = iter(range(1, 1_000_000))
        with open_store() as store:
            with self.busy(lambda: store.create(self.labelled("b", next(count), "thread"))):
                for number in range(1, 4):
                    run_alone(partial(self.create_in, store, number), seconds=FORK_SECONDS)

            assert [info.version for info in store.versions("a")] == [1, 2, 3]

    def create_in(self, store: WritableStore, number: int) -> None:
        """Create a version of `a` in an opened store."""
        store.create(self.labelled("a", number, "child"))
