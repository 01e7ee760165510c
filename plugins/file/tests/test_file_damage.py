"""Damage is an error, never "no keys"."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from keywright import Record, State, encode_info
from keywright.errors import AccessDeniedError, DamagedStoreError, StoreUnavailableError
from keywright_file.backend import TIMEOUT
from keywright_file.store import FileStore

Reopen = Callable[[], AbstractContextManager[FileStore]]
Make = Callable[..., Record]
RESTORE = "; restore it from a backup"
AWAY = "; move it away"
HIDDEN = "its name is not shown, for it may be a secret"
METADATA = "the metadata is damaged" + RESTORE


def swap_for_link(path: Path) -> None:
    kept = path.parent.parent / ".kept"
    path.rename(kept)
    path.symlink_to(kept)


def other_metadata(place: Path) -> None:
    other = place.parent.parent / "b" / "@1" / "meta.json"
    (place / "meta.json").write_bytes(other.read_bytes())


def swap_for_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


DAMAGES = [
    pytest.param(lambda p: (p / "meta.json").unlink(), "a file is missing" + RESTORE, id="no-metadata"),
    pytest.param(lambda p: (p / "meta.json").write_bytes(b""), METADATA, id="empty-metadata"),
    pytest.param(lambda p: os.truncate(p / "meta.json", 40), METADATA, id="truncated-metadata"),
    pytest.param(lambda p: (p / "meta.json").write_bytes(b"\xff\0"), METADATA, id="binary-metadata"),
    pytest.param(other_metadata, "the metadata is another key's" + RESTORE, id="another-name"),
    pytest.param(lambda p: (p / "key").unlink(), "the key file is missing" + RESTORE, id="no-key"),
    pytest.param(
        lambda p: (p / "key~").write_bytes(b"x"),
        "a file (`a/@1/key~`) that keywright did not write stands beside the key" + AWAY,
        id="unknown-file",
    ),
    pytest.param(
        lambda p: [(p / name).unlink() for name in ("key", "meta.json")], "a file is missing" + RESTORE, id="empty"
    ),
    *(
        pytest.param(
            lambda p, part=part: swap_for_link(p / part) if part else swap_for_link(p),
            "a link or another kind of file stands where the store keeps its own" + RESTORE,
            id=f"link-{part or 'directory'}",
        )
        for part in ("", "meta.json")
    ),
    pytest.param(
        lambda p: swap_for_fifo(p / "key"),
        "a link or another kind of file stands where the store keeps its own" + RESTORE,
        id="fifo",
    ),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_damaged_version(
    reopen: Reopen, make: Make, root: Path, damage: Callable[[Path], object], message: str
) -> None:
    """A version that is not as it was written is reported as damaged by get, versions, update and remove."""
    with reopen() as store:
        infos = [store.create(make(name)) for name in ("a", "b")]
        damage(root / "a" / "@1")

        calls: list[Callable[[], object]] = [
            lambda: store.get("a", 1),
            lambda: store.update(make(), expected=infos[0].revision),
        ]
        for call in calls:
            with pytest.raises(DamagedStoreError) as found:
                call()
            assert str(found.value) == f"a@1 in {root}: {message}"
        with pytest.raises(DamagedStoreError):
            store.remove("a", expected=[infos[0].revision])
        with pytest.raises(DamagedStoreError):
            store.versions("a")
        assert store.get("b", 1).info == infos[1]


def test_a_names_directory_is_named(reopen: Reopen, make: Make, root: Path) -> None:
    """Where it is no fault of one version, the message says which name it is and where."""
    with reopen() as store:
        store.create(make())
        (root / "a").chmod(0o720)
        with pytest.raises(AccessDeniedError) as writable:
            store.versions("a")
        (root / "a").rename(root / ".elsewhere")
        (root / "a").write_bytes(b"x")

        with pytest.raises(DamagedStoreError) as misplaced:
            store.versions("a")

        assert str(writable.value) == (
            f"a in {root}: the directory may be changed by other users; take that away with chmod go-w"
        )
        assert str(misplaced.value) == (
            f"a in {root}: a link or another kind of file stands where the store keeps its own{RESTORE}"
        )


@pytest.mark.parametrize("file", ["a/@1/key", "a/@1/meta.json", ".keywright/format", ".keywright/pending"])
def test_huge_file(make: Make, root: Path, file: str) -> None:
    """A file that is longer than any that is written is not read, however much memory there is."""
    FileStore(str(root), TIMEOUT).create(make())
    (root / file).touch(mode=0o600)
    os.truncate(root / file, 1 << 40)

    store = FileStore(str(root), TIMEOUT)
    with pytest.raises(DamagedStoreError) as found:
        store.create(make("b")) if "pending" in file else store.get("a", 1)

    assert str(found.value).endswith(f": a file is longer than any that keywright writes{RESTORE}")


@pytest.mark.parametrize("kind", [0o010000, 0o020000], ids=["FIFO", "device"])
def test_lock_that_is_no_file(reopen: Reopen, make: Make, root: Path, kind: int) -> None:
    """What can be locked but keeps no time is not taken for the lock, by writers and by readers that need it."""
    if os.geteuid() != 0:
        pytest.skip("only root can make devices")
    with reopen() as store:
        store.create(make())
        (root / ".keywright/lock").unlink()
        os.mknod(root / ".keywright/lock", 0o600 | kind, os.makedev(1, 5))
        (root / "a/@1/key").unlink()

        for call in (lambda: store.create(make("b")), lambda: store.get("a", 1)):
            with pytest.raises(DamagedStoreError) as found:
                call()
            assert str(found.value).endswith(
                f": a link or another kind of file stands where the store keeps its own{RESTORE}"
            )


def test_key_behind_a_link(reopen: Reopen, make: Make, root: Path) -> None:
    """A link in the place of a key file is not followed."""
    with reopen() as store:
        store.create(make())
        (root / "a/@1/key").rename(root / ".elsewhere")
        (root / "a/@1/key").symlink_to(root / ".elsewhere")

        for call in (lambda: store.get("a", 1), lambda: store.versions("a")):
            with pytest.raises(DamagedStoreError):
                call()


def test_lost_key_is_told_from_public_only(reopen: Reopen, make: Make, root: Path) -> None:
    """Where a key was, its absence is damage; where none was, it is not; where it was destroyed, neither."""
    with reopen() as store:
        store.create(make("public", payload=None))
        store.create(make("lost"))
        gone = store.create(make("gone"))
        store.update(make("gone", payload=None, state=State.DESTROYED), expected=gone.revision)
        (root / "lost/@1/key").unlink()

    with reopen() as store:
        assert store.get("public", 1).payload is None
        assert store.get("gone", 1).payload is None
        with pytest.raises(DamagedStoreError):
            store.get("lost", 1)


STRAYS = [
    pytest.param("a/@x", True, "a in {root}: a directory (`a/@x`) among the versions has no version's name", id="x"),
    pytest.param("a/@01", True, "a in {root}: a directory (`a/@01`) among the versions has no version's name", id="01"),
    pytest.param("a/@", True, "a in {root}: a directory (`a/@`) among the versions has no version's name", id="at"),
    pytest.param("a/notes", False, "a in {root}: a file or link (`a/notes`) stands among the names", id="file-in-name"),
    pytest.param("README", False, "{root}: a file or link (`README`) stands among the names", id="file-at-root"),
    pytest.param("@1", False, "{root}: a file or link (`@1`) stands among the names", id="file-at-root-as-version"),
    pytest.param("@1", True, "{root}: a version (`@1`) stands where only names belong", id="version-at-root"),
    pytest.param("Upper", True, "{root}: a directory (`Upper`) among the names has no name's name", id="capital"),
    pytest.param("a/Up", True, "{root}: a directory (`a/Up`) among the names has no name's name", id="capital-below"),
    pytest.param("é" * 40, False, f"{{root}}: a file or link (`{'é' * 40}`) stands among the names", id="40"),
    pytest.param("é" * 41, False, f"{{root}}: a file or link ({HIDDEN}) stands among the names", id="41"),
    pytest.param("a\n", False, f"{{root}}: a file or link ({HIDDEN}) stands among the names", id="line-feed"),
    pytest.param(
        "a/x-" + "aB3" * 7, False, f"a in {{root}}: a file or link ({HIDDEN}) stands among the names", id="key"
    ),
]


@pytest.mark.parametrize(("stray", "directory", "message"), STRAYS)
def test_strays_among_the_names(
    reopen: Reopen, make: Make, root: Path, stray: str, directory: bool, message: str
) -> None:
    """What is neither a version nor a name is reported, for it may be a key that somebody moved."""
    with reopen() as store:
        store.create(make())
        (root / stray).mkdir() if directory else (root / stray).write_bytes(b"x")

        with pytest.raises(DamagedStoreError) as found:
            list(store.names())

        assert str(found.value) == message.format(root=root) + AWAY
        assert [one for one in store.examine() if "may be read" not in one] == [str(found.value)]


def test_a_file_in_a_versions_place(reopen: Reopen, make: Make, root: Path) -> None:
    """There may have been a version, so it is not simply to be moved away."""
    with reopen() as store:
        store.create(make())
        (root / "a/@2").write_bytes(b"x")

        with pytest.raises(DamagedStoreError) as found:
            store.versions("a")

        assert str(found.value) == (
            f"a in {root}: a file or link (`a/@2`) stands where a version belongs; restore that version from a "
            "backup, or move the file away if there never was one"
        )


def test_root_that_is_a_file(reopen: Reopen, make: Make, root: Path) -> None:
    """A file in the place of the root is neither an empty store nor overwritten."""
    root.write_bytes(b"precious")

    with pytest.raises(DamagedStoreError) as found, reopen():
        pass

    assert str(found.value) == f"{root}: is no directory; set `path` to one, or to where one can be made"
    assert root.read_bytes() == b"precious"


def test_root_that_is_a_link(reopen: Reopen, make: Make, root: Path) -> None:
    """A root behind a link works; a link to nothing is no empty store."""
    root.symlink_to(root.with_name("real"))
    with pytest.raises(StoreUnavailableError) as found, reopen():
        pass
    root.with_name("real").mkdir(mode=0o700)
    with reopen() as store:
        store.create(make())

    assert str(found.value) == (f"{root}: is a link to nothing; mount or make what it leads to, or set another `path`")
    assert (root.with_name("real") / "a/@1/key").exists()


def test_foreign_directory(reopen: Reopen, make: Make, root: Path) -> None:
    """A directory with other things in it is refused by readers and writers, and left as it is."""
    root.mkdir(mode=0o700)
    (root / ".bashrc").write_bytes(b"x")

    with pytest.raises(DamagedStoreError) as found, reopen():
        pass
    with pytest.raises(DamagedStoreError):
        FileStore(str(root), TIMEOUT).create(make())

    assert str(found.value) == (
        f"{root}: is not empty and has no .keywright/format, so it is no store, or one that lost its marker; set "
        "`path` to a directory of its own, or restore the marker from a backup"
    )
    assert os.listdir(root) == [".bashrc"]


MARKERS = [
    pytest.param(None, "is not empty and has no .keywright/format, so it is no store", id="lost"),
    pytest.param(b"", "the marker .keywright/format is damaged; restore it from a backup", id="empty"),
    pytest.param(b"keywright", "the marker .keywright/format is damaged; restore it from a backup", id="cut"),
    pytest.param(
        b"keywright file store 2\n",
        "the store was written by a newer keywright; upgrade this one to use it",
        id="newer",
    ),
]


@pytest.mark.parametrize(("marker", "message"), MARKERS)
def test_marker(reopen: Reopen, make: Make, root: Path, marker: bytes | None, message: str) -> None:
    """A store that lost its marker, or has another's, is not read as if it were ours or empty."""
    with reopen() as store:
        store.create(make())
    path = root / ".keywright" / "format"
    path.unlink() if marker is None else path.write_bytes(marker)

    with pytest.raises(DamagedStoreError) as found, reopen():
        pass

    assert str(found.value).startswith(f"{root}: {message}")


def test_a_root_that_is_swapped_is_checked_again(reopen: Reopen, make: Make, root: Path) -> None:
    """A store that is open while its directory is replaced by another is not read through the old one."""
    with reopen() as store:
        store.create(make())
        root.rename(root.with_name("old"))
        root.mkdir(mode=0o700)
        (root / "foreign").write_bytes(b"x")

        with pytest.raises(DamagedStoreError):
            store.get("a", 1)


OPEN_TO_OTHERS = [
    pytest.param("", 0o770, "the directory may be changed by other users; take that away with chmod go-w", id="root-g"),
    pytest.param("", 0o707, "the directory may be changed by other users; take that away with chmod go-w", id="root-o"),
    pytest.param("a", 0o720, "the directory may be changed by other users; take that away with chmod go-w", id="name"),
    pytest.param(
        "a/@1", 0o702, "the directory may be changed by other users; take that away with chmod go-w", id="version"
    ),
    pytest.param(
        "a/@1/meta.json", 0o620, "the file may be changed by other users; take that away with chmod go-w", id="metadata"
    ),
    pytest.param(
        "a/@1/key", 0o602, "the file may be changed by other users; take that away with chmod go-w", id="key-written"
    ),
    *(
        pytest.param(
            "a/@1/key",
            mode,
            "the key file may be read or changed by others; take that away with chmod 0600, and count the key as seen",
            id=f"key-{mode:o}",
        )
        for mode in (0o640, 0o604, 0o610)
    ),
]


@pytest.mark.parametrize(("path", "mode", "message"), OPEN_TO_OTHERS)
def test_unsafe_permissions(reopen: Reopen, make: Make, root: Path, path: str, mode: int, message: str) -> None:
    """A directory or file that others may change, or a key that they may read, is refused."""
    with reopen() as store:
        store.create(make())
        (root / path).chmod(mode)

        with pytest.raises(AccessDeniedError) as refused:
            store.get("a", 1)

        assert str(refused.value) == f"{root if not path else f'a@1 in {root}'}: {message}"


def test_readable_root_and_metadata_are_fine(reopen: Reopen, make: Make, root: Path) -> None:
    """Others may see which keys there are, if their keeper wants that."""
    with reopen() as store:
        store.create(make())
        for path in ("", "a", "a/@1", "a/@1/meta.json"):
            (root / path).chmod(0o755)

        assert store.get("a", 1).payload is not None


@pytest.mark.parametrize("path", ["", "a", "a/@1", "a/@1/meta.json", "a/@1/key"])
def test_another_owner(reopen: Reopen, make: Make, root: Path, path: str) -> None:
    """What another user owns, who is not root, is refused."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    with reopen() as store:
        store.create(make())
        os.chown(root / path, 65_534, 65_534)

        with pytest.raises(AccessDeniedError) as refused:
            store.get("a", 1)

        kind = "file" if "meta" in path or "key" in path else "directory"
        assert str(refused.value).endswith(
            f": the {kind} belongs to another user; run as that user, or change its owner"
        )


def test_message_holds_no_bytes_of_the_input(reopen: Reopen, make: Make, root: Path) -> None:
    """What a damaged file holds is not quoted."""
    with reopen() as store:
        store.create(make())
        (root / "a/@1/meta.json").write_bytes(encode_info(make().info).replace(b"jwk", b"canary-two") + b"canary")

        with pytest.raises(DamagedStoreError) as found:
            store.get("a", 1)

        assert "canary" not in str(found.value)
        assert found.value.__cause__ is None
