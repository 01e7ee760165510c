"""The contract kit catches faulty stores of files: syncs that fail, and syncs that are not made."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from toy_store import StoresInTheClear, ToyStore, sound_of

from keywright.errors import DurabilityUnknownError, StoreUnavailableError

Breaks = Callable[..., bool]


class _SwallowsSyncErrors(ToyStore):
    def _sync(self, descriptor: int) -> None:
        with suppress(OSError):
            os.fsync(descriptor)


class _TriesSyncAgain(ToyStore):
    def _sync(self, descriptor: int) -> None:
        for _ in range(3):
            with suppress(OSError):
                os.fsync(descriptor)
                return
        super()._sync(descriptor)


class _SaysNothingWasWritten(ToyStore):
    def _sync_directory(self, path: Path) -> None:
        try:
            super()._sync_directory(path)
        except DurabilityUnknownError:
            raise StoreUnavailableError(f"{self.path}: the disk fails; nothing was written") from None


class _NeverSyncs(ToyStore):
    def _sync(self, descriptor: int) -> None:
        pass


class _NeverSyncsDirectories(ToyStore):
    def _sync_directory(self, path: Path) -> None:
        pass


class _SyncsAfterTheRename(ToyStore):
    def _write(self, name: str, data: bytes) -> None:
        new = self.path / f"{name}.{os.getpid()}.new"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, data)
        os.rename(new, self.path / name)
        os.fsync(descriptor)
        os.close(descriptor)
        self._sync_directory(self.path)


class _LeavesWhatItGaveUp(StoresInTheClear):
    def _write(self, name: str, data: bytes) -> None:
        new = self.path / f".{name}.{os.urandom(4).hex()}"
        self._write_new(new, data)
        os.rename(new, self.path / name)
        self._sync_directory(self.path)


_FAULTS: list[tuple[type[ToyStore], str]] = [
    (_SwallowsSyncErrors, "disk_20"),
    (_TriesSyncAgain, "disk_20"),
    (_SaysNothingWasWritten, "disk_20"),
    (_LeavesWhatItGaveUp, "disk_20"),
    (_NeverSyncs, "disk_20"),
    (_NeverSyncs, "disk_21"),
    (_NeverSyncsDirectories, "disk_21"),
    (_SyncsAfterTheRename, "disk_21"),
]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("kind", "rule"), _FAULTS)
def test_a_faulty_store_of_files_is_caught(kind: type[ToyStore], rule: str, breaks_on_disk: Breaks) -> None:
    """Each planted fault fails the rule that forbids it, and the store without the fault passes."""
    assert breaks_on_disk(kind, rule)
    assert not breaks_on_disk(sound_of(kind), rule)
