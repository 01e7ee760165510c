"""The contract of stores kept in files: what the system, or the permissions, do not allow."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from keywright.errors import AccessDeniedError, ReadOnlyStoreError, StoreError
from keywright.protocols import Store, WritableStore
from keywright.records import Record, RecordInfo, State
from keywright.testing.stores.placed import Inspection, Key, PlacedStoreContract, noise
from keywright.testing.stores.places import Place
from keywright.testing.stores.processes import NOBODY, drop_privileges, is_root, run_alone
from keywright.testing.stores.records import OpenWritableStore

__all__ = ["DeniedStoreContract"]

_ASK: tuple[Callable[[Store], object], ...] = (
    lambda store: store.get("a", 1),
    lambda store: store.versions("a"),
    lambda store: list(store.names()),
)
_DENIED = AccessDeniedError.__name__
_REFUSED = {_DENIED, ReadOnlyStoreError.__name__}


class DeniedStoreContract(PlacedStoreContract):
    """Part of `OnDiskStoreContract`."""

    def outcome(self, open_store: OpenWritableStore, action: Callable[[WritableStore], object]) -> str:
        """The class of the StoreError that opening the store or the action raised; `done` if none."""
        try:
            with open_store() as store:
                action(store)
        except StoreError as error:
            return type(error).__name__
        return "done"

    def writes(self, records: dict[Key, Record]) -> list[Callable[[WritableStore], object]]:
        """One write of each kind."""
        old = records["a", 1]
        info = old.info
        tomb = replace(info, state=State.DESTROYED) if self.capabilities.metadata else info
        return [
            lambda store: store.create(Record(RecordInfo(name="a", version=3), noise("new", 64))),
            lambda store: store.create(Record(RecordInfo(name="new/name", version=1), None)),
            lambda store: store.update(Record(info, noise("new", 64)), expected=info.revision),
            lambda store: store.update(
                Record(self.described(replace(info, reason="new")), old.payload), expected=info.revision
            ),
            lambda store: store.update(Record(tomb, None), expected=info.revision),
            lambda store: store.remove("b", expected=[records["b", 1].info.revision]),
        ]

    def as_user(self, place: Path, work: Callable[[], list[str]]) -> list[str]:
        """Do it as somebody without rights who owns the store: as nobody if this is root, else as who this is."""
        if is_root():
            Place(place).give(NOBODY)

        def unprivileged() -> list[str]:
            drop_privileges()
            assert os.access(place.parent, os.X_OK), "put `place` into the fixture `directory`, which others can reach"
            return work()

        return run_alone(unprivileged)

    def test_disk_10_what_may_not_be_read_is_denied(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-10: A place that its user may not read raises AccessDeniedError for every question, never "no keys".

        Why: A store that looks empty invites the next program to make the keys anew, over those of its owner.

        Do: Tell "may not" (EACCES, EPERM) from "is not there" (ENOENT) in every call of the system.
        """
        self.furnish(open_store)

        def work() -> list[str]:
            os.chmod(place, 0)
            return [self.outcome(open_store, ask) for ask in _ASK]

        assert self.as_user(place, work) == [_DENIED] * len(_ASK)

    def test_disk_11_one_file_that_may_not_be_read_hides_nothing(
        self, open_store: OpenWritableStore, place: Path
    ) -> None:
        """DISK-11: With any one file or directory unreadable, each record is whole or refused, and none hidden.

        Why: After a backup was put back by another user, single files have the wrong owner.

        Do: Let no PermissionError pass for an absent file, nor escape as it is: raise AccessDeniedError.
        """
        inspection = Inspection(open_store, place, self.furnish(open_store))

        def work() -> list[str]:
            files = Place(place)
            for name, status in files.entries().items():
                os.chmod(files.at(name), 0)
                inspection.look(f"{name} has mode 0000")
                os.chmod(files.at(name), status.st_mode & 0o777)
            return []

        assert self.as_user(place, work) == []

    def test_disk_12_what_may_only_be_read_takes_no_writes(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-12: A place that may only be read is read; each write is refused, and leaves every byte as it was.

        Why: Backups, images and other people's machines are mounted so; reading keys there is what they are for.

        Do: Open for reading only what is only read. Raise ReadOnlyStoreError or AccessDeniedError for writes, before
        anything is made.
        """
        records = self.furnish(open_store)
        files = Place(place)
        files.protect(files=0o400, directories=0o500)
        before = files.files()
        inspection = Inspection(open_store, place, records)

        def work() -> list[str]:
            refused = inspection.look("only readable")
            return [*map(str, refused), *(self.outcome(open_store, write) for write in self.writes(records))]

        outcomes = self.as_user(place, work)

        assert len(outcomes) == len(self.writes(records)), "a record of a readable store could not be read"
        assert set(outcomes) <= _REFUSED
        assert files.files() == before

    def test_disk_13_a_store_of_another_user_is_denied(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-13: Another user's private store raises AccessDeniedError for every question and every write.

        Why: As DISK-10; and what cannot be read must not be written over.

        Do: As DISK-10. Do not fall back to another place, nor to a store made anew.
        """
        records = self.furnish(open_store)
        if not is_root():
            if os.environ.get("KEYWRIGHT_REQUIRE_PEERS"):
                pytest.fail("run as root: there is no other user to be here")
            pytest.skip("there is no other user: this is not root")

        def work() -> list[str]:
            drop_privileges()
            assert os.access(place.parent, os.X_OK), "put `place` into the fixture `directory`, which others can reach"
            return [self.outcome(open_store, action) for action in (*_ASK, *self.writes(records))]

        outcomes = run_alone(work)

        assert outcomes[: len(_ASK)] == [_DENIED] * len(_ASK)
        assert set(outcomes) <= _REFUSED

    def test_disk_14_a_store_that_others_can_change_is_denied(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-14: A place that everybody may write raises AccessDeniedError, and is not repaired in silence.

        Why: Keys that others could put there are not its owner's; to use them is to sign for somebody else.

        Do: Look at owner and mode of what you open (`os.fstat`) before you trust what is in it, and say how to mend it.
        """
        records = self.furnish(open_store)
        files = Place(place)
        files.protect(files=0o666, directories=0o777)

        outcomes = [self.outcome(open_store, action) for action in (*_ASK, *self.writes(records))]

        assert outcomes == [_DENIED] * len(outcomes)
        assert {status.st_mode & 0o006 for status in files.entries().values()} == {0o006}
