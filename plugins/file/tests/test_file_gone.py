"""A store that goes away while it is open is not taken for an empty one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from keywright import Record
from keywright.errors import DamagedStoreError
from keywright_file.backend import TIMEOUT
from keywright_file.store import FileStore

Reopen = Callable[[], AbstractContextManager[FileStore]]
Make = Callable[..., Record]


def emptied(root: Path) -> None:
    """As where a volume is unmounted, and the directory that it was mounted on is seen."""
    shutil.rmtree(root)
    root.mkdir(mode=0o700)


def cleared(root: Path) -> None:
    """The directory itself stays."""
    for entry in root.iterdir():
        shutil.rmtree(entry)


@pytest.mark.parametrize("take_away", [shutil.rmtree, emptied, cleared], ids=["deleted", "unmounted", "cleared"])
@pytest.mark.parametrize("begin", ["read", "written"])
def test_gone(reopen: Reopen, make: Make, root: Path, take_away: Callable[[Path], None], begin: str) -> None:
    """Whether it was read or written before, every use says so; nothing is made; and opening anew begins anew."""
    if begin == "read":
        FileStore(str(root), TIMEOUT).create(make())
    with reopen() as store:
        info = store.get("a", 1).info if begin == "read" else store.create(make())
        take_away(root)
        left = list(root.parent.rglob("*"))
        uses: list[Callable[[], object]] = [
            lambda: store.get("a", 1),
            lambda: store.versions("a"),
            lambda: list(store.names()),
            lambda: list(store.examine()),
            lambda: store.create(make("b")),
            lambda: store.update(make(x="y"), expected=info.revision),
            lambda: store.remove("a", expected=[info.revision]),
        ]

        for use in uses:
            with pytest.raises(DamagedStoreError) as said:
                use()
            assert str(said.value) == (
                f"{root} is gone since it was opened; restore it from a backup, or open the store anew"
            )
        assert list(root.parent.rglob("*")) == left
    with reopen() as store:
        assert list(store.names()) == []
        store.create(make("b"))


@pytest.mark.parametrize("taken", [".keywright", ".keywright/format"])
def test_marker_gone(reopen: Reopen, make: Make, root: Path, taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that loses its marker while it is open is damaged, though its keys are there, and we stand in another."""
    FileStore(str(root.with_name("other")), TIMEOUT).create(make())
    monkeypatch.chdir(root.with_name("other"))
    with reopen() as store:
        store.create(make())
        (root / taken).rename(root.parent / "taken")

        with pytest.raises(DamagedStoreError) as said:
            store.get("a", 1)

    assert str(said.value) == (
        f"{root}: is not empty and has no .keywright/format, so it is no store, or one that lost its marker; set "
        "`path` to a directory of its own, or restore the marker from a backup"
    )
