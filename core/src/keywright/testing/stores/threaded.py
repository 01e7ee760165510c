"""The contract of stores that take records, third part: threads."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from dataclasses import replace
from functools import partial
from hashlib import sha256

from keywright.errors import ConflictError, KeyExistsError
from keywright.protocols import WritableStore
from keywright.records import Record, RecordInfo
from keywright.testing.stores.changed import ChangedStoreContract
from keywright.testing.stores.processes import run_in_threads
from keywright.testing.stores.records import OpenWritableStore

__all__ = ["COUNTER", "SUCCESSES", "WRITERS", "ThreadedStoreContract", "body", "increment"]

WRITERS = 8
SUCCESSES = 4
"""Of each writer."""

COUNTER = RecordInfo(name="counter", version=1, labels={"count": "0"})

_TRIES = 2_000
_CONTESTED = ("a", "a/b", "c", "d")


def body(text: str) -> bytes:
    """Some 3 KB that only `text` has, and that cannot be cut or mixed unseen."""
    return b"%s %s\n" % (text.encode(), sha256(text.encode()).hexdigest().encode()) * 40


def increment(store: WritableStore) -> None:
    """Add one to the counter, again until nobody was faster."""
    for _ in range(_TRIES):
        record = store.get(COUNTER.name, 1)
        count = str(int(record.info.labels["count"]) + 1)
        try:
            store.update(
                Record(replace(record.info, labels={"count": count}), record.payload), expected=record.info.revision
            )
        except ConflictError:
            continue
        return
    raise AssertionError(f"an update met a conflict {_TRIES} times in a row")


class ThreadedStoreContract(ChangedStoreContract):
    """Part of `WritableStoreContract` and `SigningStoreContract`."""

    def labelled(self, name: str, version: int, text: str) -> Record:
        """A record whose metadata and payload both say `text`, as far as the store can keep them."""
        return Record(self.described(RecordInfo(name=name, version=version, kid=text)), self.payload(body(text)))

    def said(self, record: Record, texts: list[str]) -> str:
        """Which of the texts a record says, with metadata and payload in agreement."""
        for text in texts:
            whole = self.labelled(record.info.name, record.info.version, text)
            if record.payload == whole.payload and record.info.kid == whole.info.kid:
                return text
        raise AssertionError(f"{record.info.reference} is not as anybody wrote it")

    def rotate(self, store: WritableStore, writer: int) -> list[int]:
        """Make the version after the highest, until that went well a few times. The numbers that were made."""
        made: list[int] = []
        for _ in range(_TRIES):
            number = max((info.version for info in store.versions("a")), default=0) + 1
            try:
                store.create(self.labelled("a", number, f"writer {writer}"))
            except KeyExistsError:
                continue
            made.append(number)
            if len(made) == SUCCESSES:
                return made
        raise AssertionError(f"a version was taken {_TRIES} times in a row")

    def check_rotated(self, open_store: OpenWritableStore, made: list[list[int]]) -> None:
        """No hole, no number twice, and each version as its maker wrote it."""
        numbers = range(1, len(made) * SUCCESSES + 1)
        assert sorted(number for one in made for number in one) == list(numbers)
        with open_store() as store:
            assert [info.version for info in store.versions("a")] == list(numbers)
            for writer, own in enumerate(made):
                for number in own:
                    assert self.said(store.get("a", number), [f"writer {writer}"])

    def contest(self, store: WritableStore, writer: int) -> list[str]:
        """Create version 1 of a few names. Those that were won."""
        won = []
        for name in _CONTESTED:
            try:
                store.create(self.labelled(name, 1, f"writer {writer}"))
            except KeyExistsError:
                continue
            won.append(name)
        return won

    def check_contest(self, open_store: OpenWritableStore, won: list[list[str]]) -> None:
        """Each name has one winner, and is as the winner wrote it."""
        assert sorted(name for one in won for name in one) == sorted(_CONTESTED)
        with open_store() as store:
            for writer, names in enumerate(won):
                for name in names:
                    assert self.said(store.get(name, 1), [f"writer {writer}"])

    def test_store_34_one_of_many_threads_wins_a_version(self, open_store: OpenWritableStore) -> None:
        """STORE-34: Of eight threads that create one version at once, one wins and seven get KeyExistsError.

        Why: Two that both believe that their key was stored sign with different keys under one name.

        Do: Make `create` atomic among threads too: one lock, or one connection to each thread.
        """
        with open_store() as store:
            won = run_in_threads([partial(self.contest, store, number) for number in range(WRITERS)])

        self.check_contest(open_store, won)

    def test_store_35_one_of_many_threads_wins_an_update(self, open_store: OpenWritableStore) -> None:
        """STORE-35: Of eight threads that update from one revision at once, one wins and seven get ConflictError.

        Why: An update that is overwritten at once was promised to its caller, and is lost.

        Do: Compare the revision and write under one lock or in one transaction.
        """
        self.needs("metadata")
        old = self.create(open_store, RecordInfo(name="a", version=1), self.payload(b"p"))

        def update(store: WritableStore, number: int) -> RecordInfo | None:
            try:
                return store.update(Record(replace(old, reason=str(number)), self.payload(b"p")), expected=old.revision)
            except ConflictError:
                return None

        with open_store() as store:
            results = run_in_threads([partial(update, store, number) for number in range(WRITERS)])

        (winner,) = [stored for stored in results if stored is not None]
        with open_store() as store:
            assert store.get("a", 1).info == winner

    def test_store_66_threads_rotate_one_name_without_a_hole(self, open_store: OpenWritableStore) -> None:
        """STORE-66: Eight threads of one opened store that each make the next version make 1 to n, none twice.

        Why: A service that rotates from two requests at once must not lose one of the keys.

        Do: As STORE-34; and let `versions` see at once what another thread created.
        """
        with open_store() as store:
            made = run_in_threads([partial(self.rotate, store, number) for number in range(WRITERS)])

        self.check_rotated(open_store, made)

    def test_store_67_threads_lose_no_update(self, open_store: OpenWritableStore) -> None:
        """STORE-67: A counter that eight threads raise by compare-and-update ends at the number of their successes.

        Why: As among processes: a lost update is a key marked as compromised that signs again.

        Do: Hold one lock or transaction from comparing the revision to the end of the write.
        """
        self.needs("metadata")
        self.create(open_store, COUNTER, self.payload(b"p"))

        def work() -> None:
            for _ in range(SUCCESSES):
                increment(store)

        with open_store() as store:
            run_in_threads([work] * WRITERS)

        with open_store() as store:
            assert store.get(COUNTER.name, 1).info.labels == {"count": str(WRITERS * SUCCESSES)}
