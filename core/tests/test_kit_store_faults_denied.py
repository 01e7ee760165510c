"""The contract kit catches faulty stores of files: what may not be read, what others may change, what is no file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from toy_store import ToyStore, sound_of

from keywright.errors import AccessDeniedError, KeyNotFoundError
from keywright.records import Record

Breaks = Callable[..., bool]

_T = TypeVar("_T")


class _UnreadableIsEmpty(ToyStore):
    def _all(self) -> Mapping[str, list[int]]:
        try:
            return super()._all()
        except AccessDeniedError:
            return {}


class _UnreadableIsNotFound(ToyStore):
    def get(self, name: str, version: int) -> Record:
        try:
            return super().get(name, version)
        except AccessDeniedError:
            raise KeyNotFoundError(f"{name}@{version}: is not in {self.path}; look for another") from None


class _LetsOSErrorsOut(ToyStore):
    @contextmanager
    def _told(self) -> Iterator[None]:
        yield


class _MakesItselfWritable(ToyStore):
    def _changed(self, change: Callable[[], _T]) -> _T:
        for path in (self.path, *self.path.glob("*")):
            if path.exists():
                path.chmod(path.stat().st_mode | 0o600)
        return super()._changed(change)


class _TrustsEverybody(ToyStore):
    def _trust(self, path: Path) -> None:
        os.stat(path, follow_symlinks=False)


class _RepairsInSilence(ToyStore):
    def _trust(self, path: Path) -> None:
        if path.is_dir():
            path.chmod(0o700)
        elif path.exists():
            path.chmod(0o600)


class _WaitsAtPipes(ToyStore):
    def _read(self, path: Path) -> bytes:
        return path.read_bytes()


_FAULTS: list[tuple[type[ToyStore], str]] = [
    (_UnreadableIsEmpty, "disk_10"),
    (_UnreadableIsNotFound, "disk_10"),
    (_UnreadableIsNotFound, "disk_11"),
    (_LetsOSErrorsOut, "disk_11"),
    (_LetsOSErrorsOut, "disk_12"),
    (_MakesItselfWritable, "disk_12"),
    (_UnreadableIsEmpty, "disk_13"),
    (_TrustsEverybody, "disk_14"),
    (_RepairsInSilence, "disk_14"),
    (_LetsOSErrorsOut, "disk_38"),
    (_WaitsAtPipes, "disk_38"),
]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("kind", "rule"), _FAULTS)
def test_a_faulty_store_of_files_is_caught(kind: type[ToyStore], rule: str, breaks_on_disk: Breaks) -> None:
    """Each planted fault fails the rule that forbids it, and the store without the fault passes."""
    if rule == "disk_13" and os.geteuid():
        pytest.skip("there is no other user: this is not root")

    assert breaks_on_disk(kind, rule)
    assert not breaks_on_disk(sound_of(kind), rule)
