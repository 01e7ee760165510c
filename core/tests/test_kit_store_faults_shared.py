"""The contract kit catches faulty stores of files: threads, processes, forks, interrupts, and what never lasted."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import TypeVar

import pytest
from toy_store import ToyStore, sound_of

Breaks = Callable[..., bool]

_T = TypeVar("_T")


class _TakesNoLock(ToyStore):
    def _locked(self, work: Callable[[], _T]) -> _T:
        return work()

    def _write_new(self, new: Path, data: bytes) -> None:
        time.sleep(0.001)
        super()._write_new(new, data)


class _LocksInTheProcessAlone(_TakesNoLock):
    _lock = threading.RLock()

    def _locked(self, work: Callable[[], _T]) -> _T:
        with self._lock:
            return work()


class _LocksOneDescriptor(_TakesNoLock):
    """`flock` belongs to the open file, which a child shares with its parent."""

    _descriptor: int | None = None

    def _locked(self, work: Callable[[], _T]) -> _T:
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            return work()
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)


class _WaitsForAThreadThatIsNotThere(ToyStore):
    _lock = threading.RLock()

    def _locked(self, work: Callable[[], _T]) -> _T:
        def wait() -> _T:
            time.sleep(0.001)
            return work()

        with self._lock:
            return super()._locked(wait)


class _ClosesLocksAlone(ToyStore):
    """A child that is forked meanwhile holds the lock too, and nobody lets go of it."""

    def _locked(self, work: Callable[[], _T]) -> _T:
        descriptor = os.open(self.path, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        time.sleep(0.001)
        done = work()
        os.close(descriptor)
        return done


class _WritesInPlace(ToyStore):
    def _write(self, name: str, data: bytes) -> None:
        descriptor = os.open(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for at in range(0, len(data), 512):
            time.sleep(0.000_5)
            os.write(descriptor, data[at : at + 512])
        self._sync(descriptor)
        os.close(descriptor)
        self._sync_directory(self.path)


class _CommitsWhenClosed(ToyStore):
    """Its opener writes what was put when the store is closed."""

    def _write(self, name: str, data: bytes) -> None:
        self.__dict__.setdefault("waiting", {})[name] = data

    def _check(self) -> None:
        pass

    def _locked(self, work: Callable[[], _T]) -> _T:
        return work()

    def close(self) -> None:
        for name, data in self.__dict__.pop("waiting", {}).items():
            super()._write(name, data)


class _LocksAsItEnters(ToyStore):
    """The file is closed, and so unlocked, once nobody looks at the interrupt's traceback any more: too late."""

    def _locked(self, work: Callable[[], _T]) -> _T:
        with _Entered(self.path / "marker"):
            return work()


class _Entered:
    def __init__(self, path: Path) -> None:
        self._file = FileIO(path)

    def __enter__(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        time.sleep(0.0005)

    def __exit__(self, *_: object) -> None:
        self._file.close()


_FAULTS: list[tuple[type[ToyStore], str]] = [
    (_TakesNoLock, "store_60"),
    (_LocksInTheProcessAlone, "store_60"),
    (_LocksInTheProcessAlone, "store_61"),
    (_LocksInTheProcessAlone, "store_62"),
    (_WritesInPlace, "store_63"),
    (_LocksOneDescriptor, "store_64"),
    (_WaitsForAThreadThatIsNotThere, "store_65"),
    (_ClosesLocksAlone, "store_65"),
    (_TakesNoLock, "store_66"),
    (_TakesNoLock, "store_67"),
    (_CommitsWhenClosed, "store_69"),
    (_LocksAsItEnters, "store_71"),
]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("kind", "rule"), _FAULTS)
def test_a_faulty_store_of_files_is_caught(kind: type[ToyStore], rule: str, breaks_on_disk: Breaks) -> None:
    """Each planted fault fails the rule that forbids it, and the store without the fault passes."""
    assert breaks_on_disk(kind, rule)
    assert not breaks_on_disk(sound_of(kind), rule)
