"""Writers that wait for the lock, and readers that need none: what is read is a state that there was."""

from __future__ import annotations

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
from keywright_file.files import Directory
from keywright_file.store import FileStore
from keywright_file.write import under_lock

Reopen = Callable[[], AbstractContextManager[FileStore]]
Make = Callable[..., Record]


@pytest.fixture
def root(quick_root: Path) -> Path:
    return quick_root


LOCKED = (
    "locked by another process for longer than the setting `timeout`; stop that process, or raise the setting "
    "`timeout` of the store"
)
WRITES: dict[str, Callable[[FileStore, Record], object]] = {
    "a@2": lambda store, record: store.create(replace(record, info=replace(record.info, version=2))),
    "a@1": lambda store, record: store.update_info(record.info, record.info.revision),
    "a": lambda store, record: store.remove("a", [record.info.revision]),
}
# What looks damaged is read again under the lock.
READS: dict[str, Callable[[FileStore, Record], object]] = {
    "b@1": lambda store, _: store.get("b", 1),
    "b": lambda store, _: store.versions("b"),
}


@pytest.mark.parametrize(("calls", "shared"), [(WRITES | READS, False), (WRITES, True)], ids=["writer", "reader"])
def test_a_store_waits_as_long_as_its_timeout_says(
    make: Make, root: Path, calls: dict[str, Callable[[FileStore, Record], object]], shared: bool
) -> None:
    """Each call that takes the lock gives up after `timeout`, by default a minute; `doctor` reports that."""
    with FileBackend().open(Options({"path": str(root), "timeout": timedelta(milliseconds=50)})) as store:
        record = replace(make(), info=store.create(make()))
        store.create(make("b"))
        (root / "b/@1/meta.json").write_bytes(b"")

        def wait(_: int) -> None:
            for what, call in calls.items():
                begun = monotonic()
                with refuses(StoreUnavailableError, f"{what} in {root}: {LOCKED}"):
                    call(store, record)
                assert 0.05 <= monotonic() - begun < 10
            if not shared:
                assert lines_of(store.check()) == [f"{root}: {LOCKED}"]

        with Directory(str(root / ".keywright"), "x") as private_fd:
            under_lock(private_fd, "x", wait, patience=1, shared=shared)

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
