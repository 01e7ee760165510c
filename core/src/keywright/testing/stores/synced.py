"""The contract of stores kept in files: what is on the medium when a write returns."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from keywright.errors import DurabilityUnknownError, StoreError
from keywright.protocols import WritableStore
from keywright.records import Record, RecordInfo, State
from keywright.secret import Secret
from keywright.testing.stores.placed import Key, PlacedStoreContract, found_in, noise
from keywright.testing.stores.places import Kept, Place
from keywright.testing.stores.records import OpenWritableStore, unrevised

__all__ = ["SyncedStoreContract"]

_Held = dict[Key, tuple[RecordInfo, Secret | None]]
_Write = Callable[[WritableStore], Callable[[], object]]
_OLD = noise("old", 64)
_NEW = noise("new", 64)


def _first_create(store: WritableStore) -> Callable[[], object]:
    return lambda: store.create(Record(RecordInfo(name="a/b", version=1), _NEW))


def _create(store: WritableStore) -> Callable[[], object]:
    return lambda: store.create(Record(RecordInfo(name="a/b", version=2), _NEW))


def _update_metadata(store: WritableStore) -> Callable[[], object]:
    old = store.get("a/b", 1)
    return lambda: store.update(Record(replace(old.info, reason="r"), old.payload), expected=old.info.revision)


def _update_payload(store: WritableStore) -> Callable[[], object]:
    old = store.get("a/b", 1)
    return lambda: store.update(Record(old.info, _NEW), expected=old.info.revision)


def _destroy(store: WritableStore) -> Callable[[], object]:
    old = store.get("a/b", 1).info
    return lambda: store.update(Record(replace(old, state=State.DESTROYED), None), expected=old.revision)


def _remove(store: WritableStore) -> Callable[[], object]:
    expected = [info.revision for info in store.versions("a/b")]
    return lambda: store.remove("a/b", expected=expected)


_WRITES = [
    pytest.param(_first_create, id="first create"),
    pytest.param(_create, id="create"),
    pytest.param(_update_metadata, id="update metadata"),
    pytest.param(_update_payload, id="update payload"),
    pytest.param(_destroy, id="destroy"),
    pytest.param(_remove, id="remove"),
]
_NEEDS_METADATA = (_update_metadata, _destroy)


class _Syncs:
    """Watches `os.fsync`, and lets one call of it fail.

    Attributes:
        synced: device and inode of each file or directory that was to be synced, in order.
        early: what was moved to its name before its content was synced.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: list[tuple[int, int]] = []
        self.early: list[str] = []
        self._watching = False
        self._failing: int | None = None
        for name in ("fsync", "fdatasync"):
            if hasattr(os, name):
                monkeypatch.setattr(os, name, self._watch(getattr(os, name)))
        for name in ("rename", "replace", "link"):
            monkeypatch.setattr(os, name, self._look(getattr(os, name)))
        if sys.platform == "darwin":
            self._without_full_sync(monkeypatch)

    def watch(self, action: Callable[[], object], *, failing: int | None = None) -> StoreError | None:
        """Do it; the sync of this number, from 0, fails. The StoreError that came of it."""
        self.synced, self.early, self._failing, self._watching = [], [], failing, True
        try:
            action()
        except StoreError as error:
            return error
        finally:
            self._watching = False
        return None

    def _watch(self, sync: Callable[[Any], None]) -> Callable[[Any], None]:
        def watched(file: Any) -> None:
            if self._watching:
                status = os.fstat(file if isinstance(file, int) else file.fileno())
                self.synced.append((status.st_dev, status.st_ino))
                if len(self.synced) - 1 == self._failing:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
            sync(file)

        return watched

    def _look(self, move: Callable[..., None]) -> Callable[..., None]:
        def watched(source: Any, target: Any, **options: Any) -> None:
            if self._watching:
                status = os.stat(source, dir_fd=options.get("src_dir_fd"), follow_symlinks=False)
                known = (status.st_dev, status.st_ino) in self.synced
                if stat.S_ISREG(status.st_mode) and status.st_size and not known:
                    self.early.append(os.fsdecode(target))
            move(source, target, **options)

        return watched

    def _without_full_sync(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As on a file system that does not know the stronger call of macOS: `os.fsync` is left."""
        import fcntl

        control, full = fcntl.fcntl, getattr(fcntl, "F_FULLFSYNC", None)

        def watched(file: Any, command: int, argument: Any = 0) -> Any:
            if self._watching and command == full:
                raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
            return control(file, command, argument)

        monkeypatch.setattr(fcntl, "fcntl", watched)


class SyncedStoreContract(PlacedStoreContract):
    """Part of `OnDiskStoreContract`."""

    syncs_in_python: ClassVar[bool] = True
    """Whether the store itself calls `os.fsync`. False where a library does, such as SQLite, out of Python's sight."""

    def state(self, open_store: OpenWritableStore) -> _Held:
        """All records, without their revisions."""
        with open_store() as store:
            found = [store.get(name, info.version) for name in store.names() for info in store.versions(name)]
        return {(record.info.name, record.info.version): (unrevised(record.info), record.payload) for record in found}

    def prepare(self, open_store: OpenWritableStore, place: Place, write: _Write) -> dict[str, Kept]:
        """A store that is ready for the write, as it lies on the disk."""
        if write in _NEEDS_METADATA:
            self.needs("metadata")
        if write is not _first_create:
            self.create(open_store, RecordInfo(name="0", version=1), noise("zero", 64))
            self.create(open_store, RecordInfo(name="a/b", version=1), _OLD)
        return place.keep()

    def done(
        self, open_store: OpenWritableStore, write: _Write, syncs: _Syncs, *, failing: int | None = None
    ) -> StoreError | None:
        """Do the write in a store opened anew."""
        with open_store() as store:
            return syncs.watch(write(store), failing=failing)

    @pytest.mark.parametrize("write", _WRITES)
    def test_disk_20_a_failed_sync_is_told(
        self, open_store: OpenWritableStore, place: Path, monkeypatch: pytest.MonkeyPatch, write: _Write
    ) -> None:
        """DISK-20: If one sync of a write fails, it raises, and leaves the old state or the new, none of the other.

        Why: After a failed sync the system may have dropped the data, and says "done" when asked again: a key that was
        reported as stored is gone after the next power cut.

        Do: Raise DurabilityUnknownError (another StoreError only if nothing was written), give up what is not visible
        yet and remove it, and never call fsync again for the same file.
        """
        files, syncs = Place(place), _Syncs(monkeypatch)
        kept = self.prepare(open_store, files, write)
        old = self.state(open_store)
        files.restore(kept)
        assert self.done(open_store, write, syncs) is None
        new, count = self.state(open_store), len(syncs.synced)
        if not count:
            if self.syncs_in_python:
                pytest.fail(
                    "the write never called `os.fsync`; if a library syncs for you, say syncs_in_python = False"
                )
            pytest.skip("the store declares syncs_in_python=False: a library syncs where Python does not see it")

        for number in range(count):
            files.restore(kept)
            error = self.done(open_store, write, syncs, failing=number)
            after = self.state(open_store)

            assert error is not None, f"sync {number + 1} of {count} failed, and the write says that all is well"
            assert syncs.synced[number] not in syncs.synced[number + 1 :], f"sync {number + 1} was tried again"
            assert after in ((old, new) if isinstance(error, DurabilityUnknownError) else (old,))
            held = [payload for _, payload in after.values()]
            assert found_in(files, {str(at): one for at, one in enumerate([_OLD, _NEW]) if one not in held}) == []

    @pytest.mark.parametrize("write", _WRITES)
    def test_disk_21_what_a_write_made_is_synced(
        self, open_store: OpenWritableStore, place: Path, monkeypatch: pytest.MonkeyPatch, write: _Write
    ) -> None:
        """DISK-21: Each file that a write made or changed, and its directory, is synced before the write returns.

        Why: Without the sync of its directory a new file is gone after a power cut; without its own it is there, empty.

        Do: Write beside, `os.fsync` the file, rename it, `os.fsync` the directory, and only then return.
        """
        if not self.syncs_in_python:
            pytest.skip("the store declares syncs_in_python=False: a library syncs where Python does not see it")
        files, syncs = Place(place), _Syncs(monkeypatch)
        before = self.prepare(open_store, files, write)
        with open_store() as store:
            error = syncs.watch(write(store))
            after = files.keep()

        assert error is None
        assert _unsynced(before, after, files, syncs.synced) == []
        assert syncs.early == []


def _unsynced(
    before: dict[str, Kept], after: dict[str, Kept], place: Place, synced: list[tuple[int, int]]
) -> list[str]:
    """What differs and was not synced. The directory above, named `""`, counts as one of the place."""
    found = [
        name
        for name, (status, data) in after.items()
        if data and _differs(before.get(name), after[name]) and (status.st_dev, status.st_ino) not in synced
    ]
    above = os.stat(place.path.parent)
    directories = {"": above, **{name: kept.status for name, kept in after.items() if kept.data is None}}
    for name, status in directories.items():
        if _entries(name, before) != _entries(name, after) and (status.st_dev, status.st_ino) not in synced:
            found.append(name or "the directory above")
    return found


def _differs(before: Kept | None, after: Kept) -> bool:
    return before is None or before.status.st_ino != after.status.st_ino or before.data != after.data


def _entries(directory: str, kept: dict[str, Kept]) -> set[tuple[str, int]]:
    return {(name, one.status.st_ino) for name, one in kept.items() if os.path.dirname(name) == directory}
