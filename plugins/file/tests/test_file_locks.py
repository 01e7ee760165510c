"""Writers that wait for the lock, and readers that need none: what is read is a state that there was."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic
from types import FrameType

import pytest
from refusals import refuses
from support.problems import lines_of

from keywright import Options, Record, Secret
from keywright.errors import StoreUnavailableError
from keywright_file import TIMEOUT, FileBackend
from keywright_file.store import FileStore
from keywright_file.write import under_lock

Reopen = Callable[[], AbstractContextManager[FileStore]]
Make = Callable[..., Record]


@pytest.fixture
def root(quick_root: Path) -> Path:
    return quick_root


def test_stuck_writer(make: Make, root: Path) -> None:
    """A writer that holds the lock for too long is reported instead of waited for."""
    FileStore(str(root), TIMEOUT).create(make())
    private = os.open(root / ".keywright", os.O_RDONLY)

    def wait(_: int) -> None:
        with refuses(
            StoreUnavailableError,
            f"b@1 in {root}: locked by another process for longer than the setting `timeout`; stop that process, or "
            "raise the setting `timeout` of the store",
        ):
            under_lock(private, f"b@1 in {root}", lambda _: None, patience=0.05)

    under_lock(private, "x", wait, patience=1, shared=True)
    os.close(private)


CALLS: list[tuple[str, Callable[[FileStore, Record], object]]] = [
    ("create", lambda store, record: store.create(replace(record, info=replace(record.info, version=2)))),
    ("update", lambda store, record: store.update_info(record.info, record.info.revision)),
    ("remove", lambda store, record: store.remove("a", [record.info.revision])),
    # What looks damaged is read again under the lock.
    ("get", lambda store, _: store.get("b", 1)),
    ("versions", lambda store, _: store.versions("b")),
]


@pytest.mark.parametrize("call", [pytest.param(call, id=name) for name, call in CALLS])
def test_a_store_waits_as_long_as_its_timeout_says(
    make: Make, root: Path, call: Callable[[FileStore, Record], object]
) -> None:
    """Each call that takes the lock gives up after `timeout`."""
    store = FileStore(str(root), timedelta(milliseconds=50))
    record = replace(make(), info=store.create(make()))
    store.create(make("b"))
    (root / "b/@1/meta.json").write_bytes(b"")
    private = os.open(root / ".keywright", os.O_RDONLY)

    def wait(_: int) -> float:
        begun = monotonic()
        with pytest.raises(
            StoreUnavailableError, match="locked by another process for longer than the setting `timeout`"
        ):
            call(store, record)
        return monotonic() - begun

    waited = under_lock(private, "x", wait, patience=1)
    os.close(private)

    assert 0.05 <= waited < 10


def test_the_doctor_waits_as_long_as_the_timeout_says(make: Make, root: Path) -> None:
    """What looks damaged while a writer holds the lock is told to be busy."""
    store = FileStore(str(root), timedelta(milliseconds=50))
    store.create(make())
    (root / "a/@1/meta.json").write_bytes(b"")
    private = os.open(root / ".keywright", os.O_RDONLY)

    told = under_lock(private, "x", lambda _: lines_of(store.check()), patience=1)
    os.close(private)

    (line,) = told
    assert line.startswith(f"{root}: locked by another process for longer than the setting `timeout`")


def test_the_backend_hands_its_timeout_on(make: Make, root: Path) -> None:
    """What the configuration says counts; without it a minute."""
    options = Options({"path": str(root), "timeout": timedelta(0)})
    with FileBackend().open(options) as store:
        store.create(make())
        private = os.open(root / ".keywright", os.O_RDONLY)

        begun = monotonic()
        with pytest.raises(StoreUnavailableError):
            under_lock(private, "x", lambda _: store.create(make("b")), patience=1, shared=True)
        os.close(private)

    assert monotonic() - begun < 30
    assert {setting.name: setting.default for setting in FileBackend.settings}["timeout"] == timedelta(minutes=1)


def test_a_reader_overtaken_at_any_step(root: Path, make: Make) -> None:
    """Metadata and payload that change between any two steps of a reader come back as a state that there was."""
    store = FileStore(str(root), TIMEOUT)
    for step in range(200):
        first = store.create(make(payload=b"1", at="1"))
        states = [Record(first, Secret(b"1"))]
        left = step

        def overtake(_frame: FrameType, event: str, function: object) -> None:
            nonlocal left
            if event != "c_call" or getattr(function, "__module__", "") != "posix":
                return
            left -= 1
            if left < 0:
                sys.setprofile(None)
                second = store.replace_payload("a", 1, Secret(b"1"), first.revision)  # noqa: B023  within the round
                third = store.replace_payload("a", 1, Secret(b"2"), second.revision)
                states.extend([Record(second, Secret(b"1")), Record(third, Secret(b"2"))])  # noqa: B023  within the round

        sys.setprofile(overtake)
        try:
            seen = store.get("a", 1)
        finally:
            sys.setprofile(None)

        assert seen in states
        store.remove("a", [info.revision for info in store.versions("a")])
        if len(states) == 1:
            break
    assert len(states) == 1
    assert step > 10
