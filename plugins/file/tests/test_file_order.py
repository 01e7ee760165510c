"""The order of what a write does: what the next step relies on is on the medium before it."""

from __future__ import annotations

import os
from binascii import crc32
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from keywright import Record, State
from keywright.errors import KeyExistsError
from keywright_file.store import FileStore

Reopen = Callable[[], AbstractContextManager[FileStore]]
Make = Callable[..., Record]
OLD, NEW = (f"crc32-{crc32(payload):08x}" for payload in (b"canary-one", b"canary-two"))
NOTE = ("make pending", "sync pending", "sync .keywright")


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """From its call on, steps are added to the list that it returns; the lock and what is only read are left out."""
    steps: list[str] = []
    opened: dict[int, str] = {}
    real_open, real_sync, real_rename, real_unlink = os.open, os.fsync, os.rename, os.unlink

    def open(name: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        descriptor = real_open(name, flags, mode, dir_fd=dir_fd)
        opened[descriptor] = os.path.basename(name)
        if flags & os.O_CREAT and name != "lock":
            steps.append(f"make {name}")
        return descriptor

    def sync(descriptor: int) -> None:
        steps.append(f"sync {opened[descriptor]}")
        real_sync(descriptor)

    def rename(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        steps.append(f"place {target}")
        real_rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def unlink(name: str, *, dir_fd: int) -> None:
        steps.append(f"remove {name}")
        real_unlink(name, dir_fd=dir_fd)

    def start() -> list[str]:
        for name, function in (("open", open), ("fsync", sync), ("rename", rename), ("unlink", unlink)):
            monkeypatch.setattr(os, name, function)
        return steps

    return start


def test_create(reopen: Reopen, make: Make, watch: Callable[[], list[str]]) -> None:
    """All that is in a version is synced before it is placed, and every directory above it after that; no more."""
    with reopen() as store:
        store.create(make("other"))
        steps = watch()

        store.create(make("x/y"))

    assert steps == [
        *(f"make {OLD}", "make key", "make meta.json", "sync key", "sync meta.json", "sync version"),
        *("place @1", "sync y", "sync x", "sync keys"),
    ]


def test_create_of_what_is_there(reopen: Reopen, make: Make, watch: Callable[[], list[str]]) -> None:
    """A create that is refused writes nothing first, least of all the key."""
    with reopen() as store:
        store.create(make())
        steps = watch()

        with pytest.raises(KeyExistsError):
            store.create(make())

    assert steps == []


def test_replaced_payload(reopen: Reopen, make: Make, watch: Callable[[], list[str]]) -> None:
    """The new checksum is on the medium before the new key is placed, and the key before the old checksum goes."""
    with reopen() as store:
        info = store.create(make())
        steps = watch()

        store.update(make(payload=b"canary-two"), expected=info.revision)

    assert steps == [
        *NOTE,
        *(f"make {NEW}", "sync @1"),
        *("make file", "sync file", "place key", "sync @1"),
        *(f"remove {OLD}", "sync @1"),
        "remove pending",
    ]


def test_destroy(reopen: Reopen, make: Make, watch: Callable[[], list[str]]) -> None:
    """The tombstone is on the medium before the key and its checksum go, and they are gone before the note is."""
    with reopen() as store:
        info = store.create(make())
        steps = watch()

        store.update(make(payload=None, state=State.DESTROYED), expected=info.revision)

    assert steps[:3] == list(NOTE)
    assert steps[3:7] == ["make file", "sync file", "place meta.json", "sync @1"]
    assert sorted(steps[7:9]) == [f"remove {OLD}", "remove key"]
    assert steps[9:] == ["sync @1", "remove pending"]


def test_metadata(reopen: Reopen, make: Make, watch: Callable[[], list[str]]) -> None:
    """One file is replaced, and nothing needs a note."""
    with reopen() as store:
        info = store.create(make())
        steps = watch()

        store.update(make(x="y"), expected=info.revision)

    assert steps == ["make file", "sync file", "place meta.json", "sync @1"]


LEFT = [
    pytest.param(State.DESTROYED, None, "key", id="destroy"),
    pytest.param(State.ENABLED, None, "key", id="payload-goes"),
    pytest.param(State.ENABLED, b"canary-two", OLD, id="payload"),
]


@pytest.mark.parametrize(("state", "payload", "left"), LEFT)
def test_update_left_by_another(
    reopen: Reopen,
    make: Make,
    root: Path,
    watch: Callable[[], list[str]],
    state: State,
    payload: bytes | None,
    left: str,
) -> None:
    """What may never have come to the medium is written anew, not only synced again, before anything is removed."""
    with reopen() as store:
        store.create(make(payload=payload, state=state))
    leave(root / "a/@1" / left, b"")
    leave(root / ".keywright/pending", b"a@1\n")
    steps = watch()

    with reopen():
        pass

    assert steps == [
        *("make file", "sync file", "place meta.json", "sync @1"),
        *(f"remove {left}", "sync @1", "remove pending"),
    ]


def test_removal_left_by_another(reopen: Reopen, make: Make, root: Path, watch: Callable[[], list[str]]) -> None:
    """The mark of a removed name is made anew before a version goes, and goes after the last of them."""
    with reopen() as store:
        store.create(make(payload=None, state=State.DESTROYED))
    leave(root / "a/@removed", b"")
    leave(root / ".keywright/pending", b"a\n")
    steps = watch()

    with reopen():
        pass

    assert steps[:4] == ["make file", "sync file", "place @removed", "sync a"]
    assert sorted(steps[4:6]) == ["remove meta.json", "remove public-only"]
    assert steps[6:] == ["sync a", "remove @removed", "sync a", "sync keys", "remove pending"]


def leave(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    file.chmod(0o600)
