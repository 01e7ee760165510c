"""The contract of stores kept in files: who may read them, and what stays behind."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from keywright.errors import ConflictError, KeyExistsError, KeyNotFoundError, UnsupportedOperationError
from keywright.protocols import WritableStore
from keywright.records import Record, RecordInfo, Revision, State
from keywright.testing.stores.placed import PlacedStoreContract, found_in, noise
from keywright.testing.stores.places import Place
from keywright.testing.stores.processes import run_alone
from keywright.testing.stores.records import OpenWritableStore

__all__ = ["PrivateStoreContract"]

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def _exposed(place: Place) -> list[str]:
    return [f"{name} {stat.S_IMODE(s.st_mode):04o}" for name, s in place.entries().items() if s.st_mode & _OTHERS]


def _withdrawn(place: Place) -> list[str]:
    """What not even its owner can use."""
    return [
        f"{name} {stat.S_IMODE(status.st_mode):04o}"
        for name, status in place.entries().items()
        if ~status.st_mode & (stat.S_IRWXU if stat.S_ISDIR(status.st_mode) else stat.S_IRUSR | stat.S_IWUSR)
    ]


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _leave_modes_alone(*_arguments: object, **_options: object) -> None:
    """In the place of `os.chmod`: as if the process had ended just before."""


class PrivateStoreContract(PlacedStoreContract):
    """Part of `OnDiskStoreContract`."""

    def steps(self, store: WritableStore) -> Iterator[None]:
        """All kinds of writes, one at a time."""
        stored = store.create(Record(RecordInfo(name="a", version=1), noise("one", 64)))
        yield
        stored = store.update(Record(stored, noise("two", 5_000)), expected=stored.revision)
        yield
        if self.capabilities.metadata:
            stored = store.update(Record(replace(stored, reason="r"), noise("two", 5_000)), expected=stored.revision)
            yield
            stored = store.update(Record(replace(stored, state=State.DESTROYED), None), expected=stored.revision)
            yield
        other = store.create(Record(RecordInfo(name="a/b", version=1), noise("three", 64)))
        yield
        store.remove("a/b", expected=[other.revision])
        yield

    def look_after_each_step(
        self, open_store: OpenWritableStore, place: Place, look: Callable[[Place], list[str]]
    ) -> list[str]:
        """What `look` finds, from the opening of a new store to its closing."""
        found: list[str] = []
        with open_store() as store:
            found += look(place)
            for _ in self.steps(store):
                found += look(place)
        return [*found, *look(place)]

    def test_disk_01_every_file_is_its_owners_alone(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-01: Under umask 000, no file or directory of the store is ever open to group or others.

        Why: The umask is whatever the service manager left; a key file that others can read is a published key.

        Do: Make files with mode 0600 and directories with 0700, whatever the umask; that goes for logs, journals and
        temporary files too.
        """
        with _umask(0o000):
            assert self.look_after_each_step(open_store, Place(place), _exposed) == []

    def test_disk_02_files_are_born_private(
        self, open_store: OpenWritableStore, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """DISK-02: That does not hang on a later chmod: without one, all is still its owner's alone.

        Why: Between the making of a file and its chmod, anybody may open it, and keeps it open.

        Do: Give the mode when you make the file: `os.open(path, flags, 0o600)`, `os.mkdir(path, 0o700)`. A chmod
        afterwards only gives back what a umask took from the owner.
        """
        for function in ("chmod", "fchmod", "lchmod"):
            monkeypatch.setattr(os, function, _leave_modes_alone, raising=False)

        with _umask(0o000):
            assert self.look_after_each_step(open_store, Place(place), _exposed) == []

    def test_disk_03_a_strict_umask_locks_nobody_out(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-03: Under umask 0777 the store works, and its owner may read and write all of it afterwards.

        Why: A store that cannot be opened again, made by a service with a strict umask, has lost its keys.

        Do: After making a file or directory, set its mode (`os.fchmod`, `os.chmod`), for the umask took bits away.
        """

        def work() -> list[str]:
            os.umask(0o777)
            return self.look_after_each_step(open_store, Place(place), _withdrawn)

        assert run_alone(work) == []
        with open_store() as store:
            assert list(store.names()) == (["a"])

    def test_disk_04_what_came_and_went_leaves_no_file(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-04: A name that was made, changed, destroyed and removed leaves no file, and nothing lies elsewhere.

        Why: Files left beside hold old keys, and nobody knows whether they may be removed.

        Do: Remove temporary files also when a write is refused or fails. Keep everything in the place, or beside it
        under a name that begins with the place's.
        """
        files = Place(place)
        others = files.strangers()
        self.create(open_store, RecordInfo(name="0", version=1), noise("zero", 64))
        before = [*files.entries()]

        with open_store() as store:
            for _ in self.steps(store):
                assert files.strangers() == others
        self.remove(open_store, "a")

        assert [*files.entries()] == before
        assert files.strangers() == others

    def test_disk_05_a_refused_write_changes_no_file(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-05: After writes that were refused, every file has its old content, and no other has come.

        Why: "Nothing was written" is what the error says; a half-made record or a key left in a temporary file is not
        nothing.

        Do: Refuse before you write, or take away what you wrote before you raise.
        """
        files = Place(place)
        self.furnish(open_store)
        before = files.files()

        with open_store() as store:
            old = store.get("a", 1).info
            for refused, write in (
                (KeyExistsError, lambda: store.create(Record(replace(old, kid="other"), noise("other", 64)))),
                (ConflictError, lambda: store.update(Record(old, noise("other", 64)), expected=Revision("stale"))),
                (
                    UnsupportedOperationError,
                    lambda: store.update(Record(replace(old, reason="r"), noise("o", 64)), expected=old.revision),
                ),
                (KeyNotFoundError, lambda: store.update(Record(replace(old, version=9), None), expected=old.revision)),
                (ConflictError, lambda: store.remove("a", expected=[])),
                (KeyNotFoundError, lambda: store.remove("no-such/name", expected=[])),
            ):
                with pytest.raises(refused):
                    write()

        after = files.files()
        assert after.keys() == before.keys()
        assert [name for name in before if after[name] != before[name]] == []

    def test_disk_06_a_secret_that_went_is_in_no_file(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-06: After a replacement, a destruction or a removal, no 8 bytes of the secret are in any file.

        Why: A destroyed key that is still in a journal, in a free page or in a file nobody opens is not destroyed.

        Do: Remove the files themselves; in a database, overwrite (`secure_delete`) and clear the log before you return.
        """
        gone = {name: noise(name, length) for name, length in (("a", 64), ("b", 3_000), ("c", 48), ("d", 20_000))}
        with open_store() as store:
            for number in range(8):  # that pages fill, split and move
                store.create(Record(RecordInfo(name=f"0/{number}", version=1), noise(f"stays {number}", 500)))
            infos = {n: store.create(Record(RecordInfo(name=n, version=1), payload)) for n, payload in gone.items()}
            for number in range(8, 16):
                store.create(Record(RecordInfo(name=f"0/{number}", version=1), noise(f"stays {number}", 500)))

            store.update(Record(infos["a"], noise("new", 64)), expected=infos["a"].revision)
            for name in ("b", "c"):
                if self.capabilities.metadata:
                    tomb = replace(infos[name], state=State.DESTROYED)
                    store.update(Record(tomb, None), expected=infos[name].revision)
                else:
                    store.remove(name, expected=[infos[name].revision])
            store.remove("d", expected=[infos["d"].revision])

            assert found_in(Place(place), gone) == []
        assert found_in(Place(place), gone) == []
