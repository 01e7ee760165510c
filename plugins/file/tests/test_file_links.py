"""Hard links: a key file with a second name can be used, but what takes the key away says where it still is."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from keywright import Record, Secret, State
from keywright.errors import DurabilityUnknownError
from keywright_file.store import FileStore

Reopen = Callable[[], AbstractContextManager[FileStore]]
Make = Callable[..., Record]


def link(root: Path, version: int = 1) -> int:
    """Give a key file a second name; its inode."""
    key = root / f"a/@{version}/key"
    os.link(key, root / f".second-{version}")
    return key.stat().st_ino


@pytest.mark.parametrize("file", ["key", "meta.json"])
def test_reading_goes_on(reopen: Reopen, make: Make, root: Path, file: str) -> None:
    """A backup that links files does not stop who uses the keys; the doctor is told."""
    with reopen() as store:
        info = store.create(make())
        os.link(root / "a/@1" / file, root / ".second")

        assert store.get("a", 1) == Record(info, Secret(b"canary-one"))
        assert store.versions("a") == (info,)
        assert list(store.examine()) == [
            (
                f"a@1 in {root}: a file has a second name (a hard link), through which it may be read, changed or "
                "outlive its end; make it a copy of its own"
            )
        ]


CHANGES = [
    pytest.param({"payload": None, "state": State.DESTROYED}, id="destroy"),
    pytest.param({"payload": None}, id="payload-goes"),
    pytest.param({"payload": b"canary-two"}, id="payload-replaced"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_key_that_is_taken_away(reopen: Reopen, make: Make, root: Path, change: dict[str, object]) -> None:
    """The key is gone here, and the error tells how to find the name under which it is not."""
    with reopen() as store:
        info = store.create(make())
        inode = link(root)

        with pytest.raises(DurabilityUnknownError) as told:
            store.update(make(**change), expected=info.revision)

        assert str(told.value) == (
            f"a@1 in {root}: the change is made, but a key file that it took away has another name (a hard link), "
            f"under which the key can still be read; look for it with `find -inum {inode}` and remove it"
        )
        assert store.get("a", 1).payload == make(**change).payload
        assert list(store.examine()) == []
    assert (root / ".second-1").read_bytes() == b"canary-one"
    assert not (root / ".keywright/pending").exists()


def test_a_name_that_is_removed(reopen: Reopen, make: Make, root: Path) -> None:
    """All the linked keys of a name are told at once."""
    with reopen() as store:
        revisions: Sequence[str] = [store.create(make(version=version)).revision for version in (1, 2, 3)]
        inodes = [link(root, version) for version in (1, 3)]

        with pytest.raises(DurabilityUnknownError) as told:
            store.remove("a", expected=[info.revision for info in store.versions("a")])

        assert str(told.value) == (
            f"a in {root}: the change is made, but a key file that it took away has another name (a hard link), under "
            f"which the key can still be read; look for it with `find -inum {inodes[0]} -o -inum {inodes[1]}` and "
            "remove it"
        )
        assert len(revisions) == 3
        assert list(store.names()) == []


def test_changes_that_keep_the_key(reopen: Reopen, make: Make, root: Path) -> None:
    """What leaves the key where it is has nothing to report."""
    with reopen() as store:
        info = store.create(make())
        link(root)

        store.update(make(x="y"), expected=info.revision)

        assert store.get("a", 1).info.labels == {"x": "y"}
