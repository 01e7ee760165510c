"""What the tests of the file store share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.errors import text_of

from keywright import Options, Record, RecordInfo, Secret, State
from keywright_file import TIMEOUT, FileBackend
from keywright_file.store import FileStore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def quick_root() -> Iterator[Path]:
    """A root in memory where the system has such a place: many writes, none of which has to survive."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory(dir=place) as directory:
        yield Path(directory) / "keys"


@pytest.fixture
def reopen(root: Path) -> Callable[[], AbstractContextManager[FileStore]]:
    """Opens the store again."""
    return lambda: FileBackend().open(Options({"path": str(root), "timeout": TIMEOUT}))


@pytest.fixture
def store(reopen: Callable[[], AbstractContextManager[FileStore]]) -> Iterator[FileStore]:
    """An open store that holds nothing yet."""
    with reopen() as store:
        yield store


@pytest.fixture
def make() -> Callable[..., Record]:
    """Makes records."""

    def record(
        name: str = "a",
        version: int = 1,
        payload: bytes | None = b"canary-one",
        state: State = State.ENABLED,
        **more: str,
    ) -> Record:
        info = RecordInfo(name=name, version=version, key_type="oct", format="jwk", state=state, labels=more)
        return Record(info, None if payload is None else Secret(payload))

    return record


@pytest.fixture
def in_child() -> Callable[[Callable[[], None]], int]:
    """Runs a function in a forked child and returns its exit status: 0, 1 if it raised, or what it exited with."""

    def run(work: Callable[[], None]) -> int:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                work()
                status = 0
            except BaseException as error:
                os.write(2, f"{type(error).__name__}: {text_of(error)}\n".encode())
            finally:
                os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    return run
