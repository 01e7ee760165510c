"""Symbolic links inside the store: taken for what they are, never followed."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from keywright import Record
from keywright.errors import DamagedStoreError, KeyExistsError
from keywright_file.store import FileStore

Reopen = Callable[[], AbstractContextManager[FileStore]]
Make = Callable[..., Record]
NOWHERE = "nowhere"


@pytest.fixture
def elsewhere(root: Path) -> Path:
    """A directory outside the store that links can lead to, open to its owner's group."""
    place = root.with_name("elsewhere")
    place.mkdir()
    place.chmod(0o750)
    (place / "precious").write_bytes(b"x")
    return place


@pytest.mark.parametrize(
    ("stray", "fault"),
    [
        pytest.param(
            "a/@2",
            "(`a/@2`) stands where a version belongs; restore that version from a backup, or move the file away if "
            "there never was one",
            id="version",
        ),
        pytest.param("b", "(`b`) stands among the names; move it away", id="name"),
    ],
)
def test_a_link_to_a_directory_among_the_names(
    reopen: Reopen, make: Make, root: Path, elsewhere: Path, stray: str, fault: str
) -> None:
    """It is neither a version nor a name, whatever it leads to."""
    with reopen() as store:
        store.create(make())
        (root / stray).symlink_to(elsewhere)
        subject = f"a in {root}" if stray == "a/@2" else str(root)

        with pytest.raises(DamagedStoreError) as found:
            list(store.names())

        assert str(found.value) == f"{subject}: a file or link {fault}"
        assert list(store.examine()) == [str(found.value)]


def test_a_link_takes_a_versions_place(reopen: Reopen, make: Make, root: Path) -> None:
    """A link to nothing is there all the same: the version may be on a volume that is not mounted."""
    with reopen() as store:
        store.create(make())
        (root / "a/@2").symlink_to(NOWHERE)

        with pytest.raises(KeyExistsError) as taken:
            store.create(make(version=2))

        assert str(taken.value) == "a@2: is in the store already; nothing was written; take the next version"
        assert os.readlink(root / "a/@2") == NOWHERE


def test_a_link_among_what_is_half_made(reopen: Reopen, make: Make, root: Path, elsewhere: Path) -> None:
    """It is swept away, and what it leads to keeps its content and its mode."""
    with reopen() as store:
        store.create(make())
    for name, target in (("version", elsewhere), ("file", Path(NOWHERE))):
        (root / ".keywright/tmp" / name).symlink_to(target)

    with reopen():
        pass

    assert os.listdir(root / ".keywright/tmp") == []
    assert os.listdir(elsewhere) == ["precious"]
    assert elsewhere.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("link", ["@removed", "@1/key"])
def test_a_link_where_a_removal_stopped(reopen: Reopen, make: Make, root: Path, link: str) -> None:
    """A link to nothing in the place of the mark or of a key does not keep the next open from the removal's end."""
    with reopen() as store:
        store.create(make())
    for file, data in (("a/@removed", b""), (".keywright/pending", b"a\n")):
        (root / file).write_bytes(data)
        (root / file).chmod(0o600)
    (root / "a" / link).unlink()
    (root / "a" / link).symlink_to(NOWHERE)

    with reopen() as store:
        assert list(store.names()) == []

    assert not (root / "a").exists()
    assert not (root / ".keywright/pending").exists()


def test_a_link_that_says_public_only(reopen: Reopen, make: Make, root: Path) -> None:
    """Where a link to nothing stands for the mark, an update's revision is still the one that the next reader sees."""
    with reopen() as store:
        store.create(make(payload=None))
        (root / "a/@1/public-only").unlink()
        (root / "a/@1/public-only").symlink_to(NOWHERE)
        (before,) = store.versions("a")

        after = store.update(make(payload=None, x="y"), expected=before.revision)

        assert store.versions("a") == (after,)
