"""The contract kit catches faulty stores of files: files that others may read, and secrets that stay behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_store import StoresInTheClear, ToyStore, sound_of

from keywright.records import Record, RecordInfo

Breaks = Callable[..., bool]


class _KeepsTombstonesFull(ToyStore):
    def _refuse(self, record: Record) -> None:
        pass


class _Mode0644(ToyStore):
    def _write_new(self, new: Path, data: bytes) -> None:
        super()._write_new(new, data)
        os.chmod(new, 0o644)


class _TrustsTheUmask(ToyStore):
    def _write_new(self, new: Path, data: bytes) -> None:
        new.write_bytes(data)
        self._sync_directory(new)


class _DirectoryForAll(ToyStore):
    def _make_directory(self) -> None:
        self.path.mkdir(exist_ok=True)


class _ChmodsAfterwards(ToyStore):
    def _write_new(self, new: Path, data: bytes) -> None:
        new.write_bytes(data)
        os.chmod(new, 0o600)
        self._sync_directory(new)


class _LeavesModesToTheUmask(ToyStore):
    def _write_new(self, new: Path, data: bytes) -> None:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            self._sync(descriptor)


class _LeavesTemporaryFiles(ToyStore):
    def _write(self, name: str, data: bytes) -> None:
        new = self.path / f".{name}.{os.urandom(4).hex()}"
        self._write_new(new, data)
        os.link(new, self.path / f"{name}.moved")
        os.rename(self.path / f"{name}.moved", self.path / name)
        self._sync_directory(self.path)


class _WritesElsewhere(ToyStore):
    def _write_new(self, new: Path, data: bytes) -> None:
        (self.path.parent / "last").write_bytes(data)
        super()._write_new(new, data)


class _WritesBeforeItRefuses(ToyStore):
    def create(self, record: Record) -> RecordInfo:
        new = self.path / f".{record.info.version}{os.urandom(4).hex()}"
        self._changed(lambda: self._write_new(new, b"secret"))
        return super().create(record)


class _KeepsBackups(ToyStore):
    def _write(self, name: str, data: bytes) -> None:
        if (self.path / name).exists():
            os.link(self.path / name, self.path / f".{name}{os.urandom(4).hex()}")
        super()._write(name, data)


class _KeepsOldPayloads(StoresInTheClear, _KeepsBackups):
    pass


_FAULTS: list[tuple[type[ToyStore], str]] = [
    (_KeepsTombstonesFull, "store_59"),
    (_Mode0644, "disk_01"),
    (_TrustsTheUmask, "disk_01"),
    (_DirectoryForAll, "disk_01"),
    (_ChmodsAfterwards, "disk_02"),
    (_LeavesModesToTheUmask, "disk_03"),
    (_LeavesTemporaryFiles, "disk_04"),
    (_WritesElsewhere, "disk_04"),
    (_WritesBeforeItRefuses, "disk_05"),
    (_KeepsOldPayloads, "disk_06"),
]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("kind", "rule"), _FAULTS)
def test_a_faulty_store_of_files_is_caught(kind: type[ToyStore], rule: str, breaks_on_disk: Breaks) -> None:
    """Each planted fault fails the rule that forbids it, and the store without the fault passes."""
    assert breaks_on_disk(kind, rule)
    assert not breaks_on_disk(sound_of(kind), rule)
