"""The contract of writable stores: threads, processes, forks, kills and interrupts."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from threading import Event
from typing import Any, ClassVar, Final, TypeVar, cast

import pytest

from keywright import Guard, GuardedStore, Record, RecordInfo, Revision, Secret, State, Store, WritableStore
from keywright.errors import (
    ConflictError,
    KeyExistsError,
    KeyNotFoundError,
    KeywrightError,
    StoreError,
    UnsupportedOperationError,
)
from keywright.testing import processes
from keywright.testing.processes import interrupt_often, run_alone, run_in_threads, run_together, run_until_killed
from keywright.testing.stores.contract import ABSENT, OpenWritableStore, StoreContract, create, listed, read, revisions

FORK_SECONDS = 10.0
"""How long a child may take to create one record before it counts as hanging."""

_WRITERS: Final = 8
_SUCCESSES: Final = 4  # of each writer
_TRIES: Final = 2_000
_IDLE_READS: Final = 50
_LOOK_SECONDS: Final = 0.5
_GUARDED_WRITES: Final = 20  # of each thread
_CONTESTED: Final = ("a", "a/b", "c", "d")
_COUNTER: Final = RecordInfo(name="counter", version=1, labels={"count": "0"})
_T = TypeVar("_T")


def _body(text: str) -> bytes:
    """Some 3 KB that only `text` has, and that cannot be cut or mixed unseen."""
    return b"%s %s\n" % (text.encode(), sha256(text.encode()).hexdigest().encode()) * 40


def _tried(write: Callable[[], _T], refusal: type[KeywrightError]) -> _T:
    """The result of a write that is tried again while another writer comes first."""
    for _ in range(_TRIES):
        try:
            return write()
        except refusal:
            continue
    raise AssertionError(f"a write was refused {_TRIES} times in a row")


def _count(store: WritableStore, _writer: int) -> None:
    """Add one to the counter a few times."""

    def increment() -> None:
        record = store.get(_COUNTER.name, 1)
        counted = replace(record.info, labels={"count": str(int(record.info.labels["count"]) + 1)})
        store.update_info(counted, record.info.revision)

    for _ in range(_SUCCESSES):
        _tried(increment, ConflictError)


def _check_count(open_store: OpenWritableStore) -> None:
    assert read(open_store, _COUNTER.name).info.labels == {"count": str(_WRITERS * _SUCCESSES)}


def _in_threads(open_store: OpenWritableStore, work: Callable[[WritableStore, int], _T]) -> list[_T]:
    """What each of eight threads returned that share one opened store."""
    with open_store() as store:
        return run_in_threads([partial(work, store, number) for number in range(_WRITERS)])


def _in_processes(open_store: OpenWritableStore, work: Callable[[WritableStore, int], _T]) -> list[_T]:
    """What each of eight processes returned that opened the store for themselves."""

    def run(number: int) -> _T:
        with open_store() as store:
            return work(store, number)

    return run_together([partial(run, number) for number in range(_WRITERS)])


@contextmanager
def _busy(action: Callable[[], object]) -> Iterator[None]:
    """Do something over and over in a thread; what it raises is raised at the end."""
    stop = Event()

    def loop() -> None:
        while not stop.is_set():
            action()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(loop)
        try:
            yield
        finally:
            stop.set()
        done.result()


class ConcurrencyRules(StoreContract):
    """Part of `WritableStoreContract`."""

    proves: ClassVar[frozenset[str]] = frozenset({"writable"})

    def payload(self, data: bytes) -> Secret | None:
        """The payload of a record that holds `data`: None for stores whose keys stay inside."""
        return None if self.capabilities.keys_stay_inside else Secret(data)

    def described(self, info: RecordInfo) -> RecordInfo:
        """`info`, or as much of it as a store can keep that keeps no metadata."""
        return info if self.capabilities.metadata else RecordInfo(name=info.name, version=info.version)

    def make(self, open_store: OpenWritableStore, payload: bytes = b"p", **members: Any) -> RecordInfo:
        """Create version 1 of `a`, or the record with these `members`, as far as the store can keep it."""
        info = self.described(RecordInfo(**{"name": "a", "version": 1, **members}))
        return create(open_store, info, self.payload(payload))

    def written(self, name: str, version: int, text: str) -> Record:
        """A record whose metadata and payload both say `text`, as far as the store can keep them."""
        return Record(self.described(RecordInfo(name=name, version=version, kid=text)), self.payload(_body(text)))

    def check_written(self, record: Record, text: str) -> None:
        """Assert that metadata and payload both say `text`."""
        whole = self.written(record.info.name, record.info.version, text)
        assert (record.payload, record.info.kid) == (whole.payload, whole.info.kid), f"{record.info.reference}: torn"

    def _rotate(self, store: WritableStore, writer: int) -> list[int]:
        """Make the version after the highest, until that went well a few times. The numbers that were made."""

        def rotate() -> int:
            number = max((info.version for info in store.versions("a")), default=0) + 1
            return store.create(self.written("a", number, f"writer {writer}")).version

        return [_tried(rotate, KeyExistsError) for _ in range(_SUCCESSES)]

    def _check_rotated(self, open_store: OpenWritableStore, made: list[list[int]]) -> None:
        """No hole, no number twice, and each version as its maker wrote it."""
        numbers = range(1, len(made) * _SUCCESSES + 1)
        assert sorted(number for one in made for number in one) == list(numbers)
        with open_store() as store:
            assert [info.version for info in store.versions("a")] == list(numbers)
            for writer, own in enumerate(made):
                for number in own:
                    self.check_written(store.get("a", number), f"writer {writer}")

    def _contest(self, store: WritableStore, writer: int) -> list[str]:
        """Create version 1 of a few names. Those that were won."""
        won = []
        for name in _CONTESTED:
            try:
                store.create(self.written(name, 1, f"writer {writer}"))
            except KeyExistsError:
                continue
            won.append(name)
        return won

    def _check_contest(self, open_store: OpenWritableStore, won: list[list[str]]) -> None:
        """Each name has one winner, and is as the winner wrote it."""
        assert sorted(name for one in won for name in one) == sorted(_CONTESTED)
        with open_store() as store:
            for writer, names in enumerate(won):
                for name in names:
                    self.check_written(store.get(name, 1), f"writer {writer}")

    def test_store_34_one_of_many_threads_wins_a_version(self, open_store: OpenWritableStore) -> None:
        """STORE-34: Of eight threads that create one version at once, one wins and seven get KeyExistsError.

        Why: If both callers believe that their key was stored, they sign with different keys under one name.

        Do: Make `create` atomic among threads too: one lock, or one connection to each thread.
        """
        self._check_contest(open_store, _in_threads(open_store, self._contest))

    def test_store_35_one_of_many_threads_wins_an_update(self, open_store: OpenWritableStore) -> None:
        """STORE-35: Of eight threads that update from one revision at once, one wins and seven get ConflictError.

        Why: An update that succeeded and is then overwritten is lost.

        Do: Compare the revision and write under one lock or in one transaction.
        """
        self.needs("metadata")
        old = self.make(open_store)

        def change(store: WritableStore, writer: int) -> RecordInfo | None:
            try:
                return store.update_info(replace(old, reason=str(writer)), old.revision)
            except ConflictError:
                return None

        (winner,) = [stored for stored in _in_threads(open_store, change) if stored is not None]
        assert read(open_store).info == winner

    def test_store_66_threads_rotate_one_name_without_a_hole(self, open_store: OpenWritableStore) -> None:
        """STORE-66: Eight threads of one opened store that each make the next version make 1 to n, none twice.

        Why: A service that rotates from two requests at once must not lose one of the keys.

        Do: As STORE-34; and let `versions` see at once what another thread created.
        """
        self._check_rotated(open_store, _in_threads(open_store, self._rotate))

    def test_store_67_threads_lose_no_update(self, open_store: OpenWritableStore) -> None:
        """STORE-67: A counter that eight threads raise by compare-and-update ends at the number of their successes.

        Why: As STORE-62: a lost update is a key marked as compromised that signs again.

        Do: Hold one lock or transaction from comparing the revision to the end of the write.
        """
        self.needs("metadata")
        create(open_store, _COUNTER, self.payload(b"p"))

        _in_threads(open_store, _count)

        _check_count(open_store)

    def test_store_60_one_of_many_processes_wins_a_version(self, open_store: OpenWritableStore) -> None:
        """STORE-60: Of eight processes that create one version at once, in a store not yet made, one wins.

        Why: Two machines that start at the same time both generate the first key; one would be overwritten.

        Do: Refuse a taken version by an atomic step that all processes see: a unique row, a link, a directory's
        rename. A lock inside the process does not help. If that cannot be, declare shared=False.
        """
        self.needs("shared")
        self._check_contest(open_store, _in_processes(open_store, self._contest))

    def test_store_61_processes_rotate_one_name_without_a_hole(self, open_store: OpenWritableStore) -> None:
        """STORE-61: Eight processes that each make the next version of one name make 1 to n, none twice, all whole.

        Why: Rotation is a `create` of the highest version plus one; it must not lose a key.

        Do: As STORE-60; and let `versions` see at once what another process created.
        """
        self.needs("shared")
        self._check_rotated(open_store, _in_processes(open_store, self._rotate))

    def test_store_62_processes_lose_no_update(self, open_store: OpenWritableStore) -> None:
        """STORE-62: A counter that eight processes raise by compare-and-update ends at the number of their successes.

        Why: A lost update is a key marked as compromised that signs again.

        Do: Read the revision, compare and write under a lock or in a transaction that holds among processes.
        """
        self.needs("shared")
        self.needs("metadata")
        create(open_store, _COUNTER, self.payload(b"p"))

        _in_processes(open_store, _count)

        _check_count(open_store)

    def test_store_63_readers_beside_writers_see_whole_records(self, open_store: OpenWritableStore) -> None:
        """STORE-63: Reading while others create, replace, destroy and remove gives whole records or none, and no error.

        Why: A payload with the metadata of another key signs under the wrong kid; a false report of damage makes users
        restore old backups.

        Do: Make each change visible in one step, and read metadata and payload of one state; if they do not match, read
        again before you report damage.
        """
        self.needs("shared")
        ends = time.monotonic() + _LOOK_SECONDS

        def repeat(action: Callable[[WritableStore, int], None]) -> int:
            rounds = 0
            with open_store() as store:
                while time.monotonic() < ends:
                    rounds += 1
                    action(store, rounds)
            return rounds

        def look(store: WritableStore, _round: int) -> None:
            for name in ("a", "a/b"):
                self._check_life(store, name)
            assert {*store.names()} <= {"a", "a/b"}

        writers = [partial(repeat, partial(self._live, name)) for name in ("a", "a/b")]

        assert all(run_together([*writers, *[partial(repeat, look)] * 4]))

    def _live(self, name: str, store: WritableStore, number: int) -> None:
        """All that a record goes through."""
        first = self.written(name, 1, f"{number} first")
        stored = store.create(first)
        if first.payload is not None:
            stored = store.replace_payload(name, 1, Secret(_body(f"{number} second")), stored.revision)
        if self.capabilities.metadata:
            stored = store.destroy(replace(stored, state=State.DESTROYED), stored.revision)
        store.remove(name, [stored.revision])

    def _check_life(self, store: Store, name: str) -> None:
        """What `_live` writes, and not two states of it at once."""
        try:
            record = store.get(name, 1)
        except KeyNotFoundError:
            return
        infos = store.versions(name)
        assert [info.version for info in infos] in ([], [1])
        if record.info.state is State.DESTROYED:
            assert record.payload is None, f"{name}: a destroyed version came with its payload"
        elif record.payload is None:
            assert self.payload(b"") is None, f"{name}: the payload is missing"
        else:
            number = record.payload.reveal().split(b" ")[0].decode()
            bodies = [Secret(_body(f"{number} {which}")) for which in ("first", "second")]
            assert record.payload in bodies, f"{name}: torn"
            if self.capabilities.metadata:
                assert record.info.kid == f"{number} first", f"{name}: metadata and payload are of two records"

    def test_store_64_a_store_opened_before_a_fork_works_on_both_sides(self, open_store: OpenWritableStore) -> None:
        """STORE-64: A store that was opened before a fork can be used in parent and child, at the same time.

        Why: Web servers open their stores and then fork their workers; a connection that two processes share mixes up
        their data.

        Do: Notice the fork (`os.register_at_fork`, or compare `os.getpid()`), and open new connections in the child.
        """
        self.needs("shared")
        with open_store() as store:
            store.create(self.written("a", 1, "before"))

            def work(writer: int) -> list[int]:
                self.check_written(store.get("a", 1), "before")
                return self._rotate(store, writer)

            with _busy(lambda: self.check_written(store.get("a", 1), "before")):
                made = run_together([partial(work, number) for number in range(2)])
            own = self._rotate(store, 2)
            numbers = list(range(2, 3 * _SUCCESSES + 2))

            assert sorted([*made[0], *made[1], *own]) == numbers
            assert [info.version for info in store.versions("a")] == [1, *numbers]

    def test_store_72_a_store_that_is_idle_at_a_fork_works_on_both_sides(self, open_store: OpenWritableStore) -> None:
        """STORE-72: A store that no thread uses at the moment of a fork works in parent and children, at the same time.

        Why: A pool hands its idle connections to the child as well; used by two processes, the replies of one go to the
        other.

        Do: As STORE-64, for every connection that the pool keeps, in use or not.
        """
        self.needs("shared")
        with open_store() as store:
            store.create(self.written("a", 1, "before"))
            run_in_threads([partial(store.get, "a", 1)] * _WRITERS)  # as many connections as it will have

            def work(writer: int) -> list[int]:
                for _ in range(_IDLE_READS):
                    self.check_written(store.get("a", 1), "before")
                return self._rotate(store, writer)

            with ThreadPoolExecutor(1) as pool:
                children = pool.submit(run_together, [partial(work, number) for number in range(2)])
                own = work(2)
                made = children.result()

            assert sorted([*made[0], *made[1], *own]) == list(range(2, 3 * _SUCCESSES + 2))

    def test_store_65_a_fork_beside_a_writing_thread_does_not_hang(self, open_store: OpenWritableStore) -> None:
        """STORE-65: A process that forks while its threads write has children whose store works.

        Why: A lock that another thread held at the fork is locked forever in the child: a worker that hangs at its
        first signature.

        Do: Take the store's locks before a fork and release them on both sides (`os.register_at_fork`), or replace a
        lock that belongs to another process.
        """
        self.needs("shared")
        count = iter(range(1, 1_000_000))
        with open_store() as store:

            def work(number: int) -> None:
                store.create(self.written("a", number, "child"))

            with _busy(lambda: store.create(self.written("b", next(count), "thread"))):
                for number in range(1, 4):
                    run_alone(partial(work, number), seconds=FORK_SECONDS)

            assert [info.version for info in store.versions("a")] == [1, 2, 3]

    def test_store_68_what_is_not_shared_is_not_harmed_by_a_child(self, open_store: OpenWritableStore) -> None:
        """STORE-68: In a store that is not shared, writes of a forked child are refused, or have no effect outside it.

        Why: If a child believes that it wrote, and the store is only partly changed, both lose keys.

        Do: With shared=False, keep a child's copy separate, or raise StoreUnavailableError in any process but the one
        that opened the store. If other processes may use it after all, declare shared=True.
        """
        self.declines("shared")
        with open_store() as store:
            store.create(self.written("a", 1, "parent"))

            def work() -> None:
                for write in (
                    lambda: store.create(self.written("a", 2, "child")),
                    lambda: store.create(self.written("b", 1, "child")),
                    lambda: store.remove("a", revisions(store, "a")),
                ):
                    try:
                        write()
                    except (StoreError, UnsupportedOperationError):
                        continue

            run_alone(work)
            stored = store.create(self.written("c", 1, "parent"))

            assert list(store.names()) == ["a", "c"]
            assert [info.version for info in store.versions("a")] == [1]
            self.check_written(store.get("a", 1), "parent")
            assert store.get("c", 1).info == stored

    def test_store_69_what_a_killed_process_was_told_is_there(self, open_store: OpenWritableStore) -> None:
        """STORE-69: What a method that writes reported as done is there after their process was killed at once.

        Why: Power fails and processes are killed; a published key that is lost is an outage.

        Do: Write through before you return, not when the store is closed or the interpreter ends. If the content lives
        only as long as the process, declare persistent=False.
        """
        self.needs("persistent")

        def work() -> None:
            with open_store() as store:
                removed = store.create(self.written("b", 1, "gone"))
                store.remove("b", [removed.revision])
                kept = self.written("a", 1, "kept")
                stored = store.create(kept)
                if self.capabilities.metadata:
                    store.update_info(replace(stored, reason="updated"), stored.revision)
                os.kill(os.getpid(), signal.SIGKILL)

        run_until_killed(work)

        assert listed(open_store) == ["a"]
        record = read(open_store)
        self.check_written(record, "kept")
        assert record.info.reason == ("updated" if self.capabilities.metadata else "")

    def test_store_70_what_does_not_persist_ends_with_its_process(self, open_store: OpenWritableStore) -> None:
        """STORE-70: In a store that does not persist, what a child process wrote is gone when it ends.

        Why: A temporary store is chosen so that no key outlives the process or reaches a disk.

        Do: With persistent=False, keep records in memory alone. If they stay, declare persistent=True.
        """
        self.declines("persistent")
        self.declines("shared")

        def work() -> list[str]:
            with open_store() as store:
                store.create(self.written("a", 1, "child"))
                return list(store.names())

        assert run_alone(work) == ["a"]
        assert listed(open_store) == []

    def test_store_71_an_interrupt_leaves_all_or_nothing(self, open_store: OpenWritableStore) -> None:
        """STORE-71: A call in which a signal handler raises is done completely or not at all, and the store works on.

        Why: Ctrl-C and time limits raise between any two steps. A lock that is not released makes the next call hang
        forever, even the one that closes the store.

        Do: Take a lock, use what it guards, undo what was begun and release it in one function: `with` on a lock of
        `threading`'s, or `try` and `finally`. An `__enter__`, `__exit__` or generator of your own leaves moments in
        which the lock is not released, or only when the interrupt's traceback is deleted.
        """
        if not hasattr(signal, "setitimer"):
            pytest.skip("this system has no timer that sends signals")

        def work() -> None:
            with open_store() as store:
                interrupt_often(partial(self._use, store), partial(self._check_use, store))
            assert listed(open_store) == []

        run_alone(work, seconds=processes.LONGEST_SECONDS)

    def _use(self, store: WritableStore) -> None:
        """Two versions come, are read, changed and go."""
        stored = store.create(self.written("a", 1, "one"))
        record = store.get("a", 1)
        if self.capabilities.metadata:
            store.update_info(replace(record.info, reason="changed"), stored.revision)
        store.create(self.written("a", 2, "two"))
        store.remove("a", revisions(store, "a"))

    def _check_use(self, store: WritableStore) -> None:
        """What is there is whole, listed, and can be removed; and all can be done again."""
        versions = store.versions("a")
        assert [info.version for info in versions] == [1, 2][: len(versions)]
        for info, text in zip(versions, ("one", "two"), strict=False):
            self.check_written(store.get("a", info.version), text)
        assert list(store.names()) == ["a"][: len(versions)]
        if versions:
            store.remove("a", [info.revision for info in versions])
        self._use(store)

    # Guarded writes

    def _guarded(self, open_store: OpenWritableStore) -> AbstractContextManager[GuardedStore]:
        self.needs("guarded")
        self.needs("metadata")
        return cast("AbstractContextManager[GuardedStore]", open_store())

    def test_store_80_a_guarded_write_happens_while_the_guard_stands(self, open_store: OpenWritableStore) -> None:
        """STORE-80: Each write with a `guard` happens if the record that it names has that revision.

        Why: A sealed store is written to under the header that the writer has read, and under no other.

        Do: Look the record up in the transaction, or under the lock, that writes.
        """
        with self._guarded(open_store) as store:
            header = store.create(Record(RecordInfo(name="keywright.store", version=1), None))
            guard = Guard("keywright.store", 1, header.revision)

            info = store.create(Record(RecordInfo(name="a", version=1), self.payload(b"one")), guard=guard)
            if not self.capabilities.keys_stay_inside:
                info = store.replace_payload("a", 1, Secret(b"two"), info.revision, guard=guard)
            info = store.update_info(replace(info, reason="r"), info.revision, guard=guard)
            info = store.destroy(replace(info, state=State.DESTROYED), info.revision, guard=guard)

            assert store.get("a", 1) == Record(info, None)

    def test_store_81_a_write_under_another_guard_is_refused(self, open_store: OpenWritableStore) -> None:
        """STORE-81: A write whose guard has another revision, or does not exist, raises ConflictError without effect.

        Why: A process that did not notice a new master key would write a key that nothing opens any more.

        Do: Compare before you write anything; an absent record is not a match either.
        """
        with self._guarded(open_store) as store:
            header = store.create(Record(RecordInfo(name="keywright.store", version=1), None))
            held = store.create(Record(RecordInfo(name="a", version=1), self.payload(b"p")))
            changed = store.update_info(replace(header, reason="r"), header.revision)

            for guard in (
                Guard("keywright.store", 1, header.revision),
                Guard("keywright.store", 2, changed.revision),
                Guard(ABSENT, 1, changed.revision),
            ):
                other = Record(RecordInfo(name="b", version=1), self.payload(b"p"))
                for write in (
                    partial(store.create, other),
                    *([partial(store.create_many, [other])] if hasattr(store, "create_many") else []),
                    partial(store.update_info, replace(held, reason="r"), held.revision),
                    partial(store.replace_payload, "a", 1, Secret(b"other"), held.revision),
                    partial(store.destroy, replace(held, state=State.DESTROYED), held.revision),
                ):
                    if write.func == store.replace_payload and self.capabilities.keys_stay_inside:
                        continue
                    with pytest.raises(ConflictError):
                        write(guard=guard)

            assert store.get("a", 1) == Record(held, self.payload(b"p"))
            assert list(store.names()) == ["a", "keywright.store"]

    def test_store_82_no_write_follows_a_change_of_its_guard(self, open_store: OpenWritableStore) -> None:
        """STORE-82: Once a change of the guard's record was reported as done, no write under its old revision happens.

        Why: The one who changes a master key then rewrites every record; one that appears later is missed.

        Do: Hold one lock or transaction from comparing the guard's revision to the end of the write.
        """
        with self._guarded(open_store) as store:
            header = store.create(Record(RecordInfo(name="keywright.store", version=1), None))
            current, seen = [header], dict[Revision, set[str]]()

            def write(number: int) -> list[tuple[Revision, str]]:
                written = []
                for attempt in range(_GUARDED_WRITES):
                    name, revision = f"a/{number}-{attempt}", current[0].revision
                    with suppress(ConflictError):
                        store.create(
                            Record(RecordInfo(name=name, version=1), self.payload(b"p")),
                            guard=Guard("keywright.store", 1, revision),
                        )
                        written.append((revision, name))
                return written

            def change(_number: int) -> list[tuple[Revision, str]]:
                for attempt in range(_GUARDED_WRITES):
                    old = current[0]
                    current[0] = store.update_info(replace(old, reason=str(attempt)), old.revision)
                    seen[old.revision] = set(store.names("a/"))
                return []

            results = run_in_threads([partial(change, 0), *(partial(write, number) for number in range(4))])

        late = [name for written in results for revision, name in written if name not in seen.get(revision, {name})]
        assert late == []
