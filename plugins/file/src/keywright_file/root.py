"""The directory that a store lives in: `ROOT/.keywright/format` marks it as one."""

from __future__ import annotations

import os
from typing import Final

from keywright import Secret
from keywright.errors import DamagedStoreError, StoreUnavailableError
from keywright_file.files import Directory, confirm, make_directory, read_file, write_file

__all__ = [
    "FORMAT",
    "LOST_AND_FOUND",
    "PRIVATE",
    "gone",
    "has_marker",
    "holds_store",
    "make_root",
    "mark_root",
    "open_root",
]

PRIVATE: Final = ".keywright"  # no name starts with a dot
LOST_AND_FOUND: Final = "lost+found"  # the root of an ext4 file system has it
FORMAT: Final = "format"
_MARKER: Final = b"keywright file store 1\n"
_ANY_MARKER: Final = b"keywright file store "


def open_root(path: str) -> Directory | None:
    """Open the root; None if there is nothing at `path`.

    Raises:
        OSError: it cannot be opened.
        AccessDeniedError: another user owns it or may change what is in it.
        DamagedStoreError: it is no directory.
        StoreUnavailableError: it is a link to nothing: a volume that is not mounted is no empty store.
    """
    try:
        return Directory(path, path)
    except FileNotFoundError:
        if os.path.islink(path):
            raise StoreUnavailableError(
                f"{path}: is a link to nothing; mount or make what it leads to, or set another `path`"
            ) from None
        return None
    except NotADirectoryError:
        raise DamagedStoreError(f"{path}: is no directory; set `path` to one, or to where one can be made") from None


def holds_store(root: int, path: str) -> bool:
    """Whether the root is marked as a store. False: it is empty, and may become one.

    Raises:
        OSError: it cannot be read.
        AccessDeniedError: others may change the marker.
        DamagedStoreError: it is not empty and has no marker, or the marker is damaged or a newer keywright's.
    """
    if _marked(root, path):
        return True
    if not set(os.listdir(root)) - {PRIVATE, LOST_AND_FOUND}:
        return False
    # The marker comes before the first key: if another process made both since we looked, it is there now.
    if _marked(root, path):
        return True
    raise DamagedStoreError(
        f"{path}: is not empty and has no {PRIVATE}/{FORMAT}, so it is no store, or one that lost its marker; set "
        "`path` to a directory of its own, or restore the marker from a backup"
    )


def has_marker(root: int) -> bool:
    """Whether the marker still stands there; it is not read.

    Raises:
        OSError: that cannot be seen.
    """
    try:
        os.stat(f"{PRIVATE}/{FORMAT}", dir_fd=root, follow_symlinks=False)
        return True
    except FileNotFoundError:
        return False


def _marked(root: int, path: str) -> bool:
    try:
        with Directory(PRIVATE, path, parent=root) as private:
            data, _ = read_file(private, FORMAT, path)
    except FileNotFoundError:
        return False
    if data.reveal() == _MARKER:
        return True
    number = data.reveal().removeprefix(_ANY_MARKER).removesuffix(b"\n")
    if data.reveal().startswith(_ANY_MARKER) and number.isdigit():
        raise DamagedStoreError(f"{path}: the store was written by a newer keywright; upgrade this one to use it")
    raise DamagedStoreError(f"{path}: the marker {PRIVATE}/{FORMAT} is damaged; restore it from a backup")


def gone(path: str) -> DamagedStoreError:
    """The error for a store that was there and is not: perhaps its volume is not mounted any more."""
    return DamagedStoreError(f"{path} is gone since it was opened; restore it from a backup, or open the store anew")


def make_root(path: str, *, known: bool) -> Directory:
    """Open the root, and make it and what is missing above it, for its owner alone, unless a store was known there.

    Raises:
        OSError: it cannot be opened or made.
        AccessDeniedError, StoreUnavailableError: as `open_root`.
        DamagedStoreError: as `open_root`, or the store that was known is gone.
        DurabilityUnknownError: a sync failed.
    """
    root = open_root(path)
    if root is None:
        if known:
            raise gone(path)
        _make_path(path)
        return Directory(path, path)
    return root


def _make_path(path: str) -> None:
    above, name = os.path.split(path)
    try:
        parent = os.open(above, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        _make_path(above)
        parent = os.open(above, os.O_RDONLY | os.O_DIRECTORY)
    try:
        make_directory(parent, name)
        confirm(parent, path)
    finally:
        os.close(parent)


def mark_root(root: int, private: int, temporary: int, stamp: int, path: str) -> None:
    """Write the marker. To be called under the lock, after `holds_store` was asked again.

    Raises:
        OSError, DurabilityUnknownError: as `write_file`.
    """
    write_file(temporary, FORMAT, Secret(_MARKER), stamp, path)
    os.rename(FORMAT, FORMAT, src_dir_fd=temporary, dst_dir_fd=private)
    confirm(private, path)
    confirm(root, path)
