"""The tree of names: `NAME/@N` below the root; a directory may hold versions, further names, or both."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from keywright import check_name
from keywright.errors import DamagedStoreError, InvalidNameError
from keywright_file.faults import Completing
from keywright_file.files import Directory, open_or_make, sync
from keywright_file.root import LOST_AND_FOUND
from keywright_file.strays import in_a_versions_place, no_directory, no_name, no_version, outside_a_name

__all__ = [
    "REMOVED",
    "Entries",
    "below",
    "is_the_systems",
    "list_entries",
    "misplaced_file",
    "open_name",
    "place_version",
    "prune",
    "version_number",
    "walk",
]

REMOVED: Final = "@removed"  # while it stands in a name's directory, the name has no versions
_LONGEST_VERSION: Final = 9  # digits


class Entries(NamedTuple):
    """What a directory of the tree holds.

    Attributes:
        versions: numbers, ascending.
        segments: names of the directories below that lead to further names.
    """

    versions: list[int]
    segments: list[str]


def open_name(root: int, name: str, subject: str) -> Directory:
    """Open a name's directory.

    Raises:
        OSError: it cannot be opened, `FileNotFoundError` if it is not there.
        AccessDeniedError: others may change it.
    """
    directory = None
    parent = root
    for segment in name.split("/"):
        try:
            below = Directory(segment, subject, parent=parent)
        finally:
            if directory is not None:
                os.close(directory.descriptor)
        directory, parent = below, below.descriptor
    return below


def place_version(root: int, name: str, temporary: int, made: str, place: str, subject: str) -> None:
    """Move a version that was made into its name's directory, which is made where it is missing.

    Every directory on the way is synced, whether it was made now or not: a writer that was killed may have made it.
    That comes after the move, for then one commit of a journal holds all of them.

    Raises:
        OSError: it cannot be moved there (EEXIST or ENOTEMPTY: there is one).
        AccessDeniedError: others may change a directory on the way.
        DurabilityUnknownError: a sync failed; it has been moved.
    """
    with ExitStack() as way:
        parents = [root]
        for segment in name.split("/"):
            parents.append(way.enter_context(open_or_make(parents[-1], segment, subject)))
        os.rename(made, place, src_dir_fd=temporary, dst_dir_fd=parents[-1])
        with Completing(subject):
            for parent in reversed(parents):
                sync(parent)


def prune(root: int, name: str, subject: str) -> None:
    """Remove a name's directory, and those above it, as long as they are empty.

    Raises:
        OSError: one could not be removed though it is empty, or a sync failed.
    """
    above, _, segment = name.rpartition("/")
    if not above:
        _remove_empty(root, segment)
        return
    with open_name(root, above, subject) as parent:
        removed = _remove_empty(parent, segment)
    if removed:
        prune(root, above, subject)


def _remove_empty(parent: int, segment: str) -> bool:
    try:
        os.rmdir(segment, dir_fd=parent)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            return False
        raise
    sync(parent)
    return True


def list_entries(directory: int, name: str, subject: str, *, with_removed: bool = False) -> Entries:
    """List the directory of `name` (empty: the root), with the versions that are being removed only if asked.

    Names that start with a dot are the system's or a file manager's, and are passed over.

    Raises:
        OSError: it cannot be read.
        DamagedStoreError: it holds something that is neither a version nor leads to a name.
    """
    versions: list[int] = []
    segments: list[str] = []
    removed = False
    with os.scandir(directory) as entries:
        for entry in entries:
            if is_the_systems(entry.name):
                continue
            if entry.name == REMOVED:
                removed = True
            elif not entry.is_dir(follow_symlinks=False):
                raise misplaced_file(name, entry.name, subject)
            elif not entry.name.startswith("@"):
                segments.append(entry.name)
            elif (number := version_number(entry.name)) is not None:
                versions.append(number)
            else:
                raise no_version(subject, below(name, entry.name))
    return Entries([] if removed and not with_removed else sorted(versions), segments)


def is_the_systems(entry: str) -> bool:
    """Whether an entry is passed over: no name or version is written so."""
    return entry.startswith(".") or entry == LOST_AND_FOUND


def below(name: str, entry: str) -> str:
    """The path of an entry as seen from the root; an empty `name` is the root."""
    return f"{name}/{entry}" if name else entry


def misplaced_file(name: str, entry: str, subject: str) -> DamagedStoreError:
    """The error for what is no directory and stands in the directory of `name`."""
    if name and version_number(entry) is not None:
        return in_a_versions_place(subject, below(name, entry))
    return no_directory(subject, below(name, entry))


def version_number(entry: str) -> int | None:
    """N of `@N`; None if it is not so written."""
    at, digits = entry[:1], entry[1:]
    if at == "@" and digits.isascii() and digits.isdigit() and digits[0] != "0" and len(digits) <= _LONGEST_VERSION:
        return int(digits)
    return None


def walk(root: int, path: str, prefix: str, after: str) -> Iterator[str]:
    """Names with at least one version that start with `prefix` and sort after `after`, in the order of their bytes.

    A depth-first walk would not do: `a-b` sorts before `a/b` and `a0` after it. A heap of whole names does, for
    what is below a name sorts after it; a directory is listed when its turn comes.

    Raises:
        OSError, AccessDeniedError, DamagedStoreError: as `open_name` and `list_entries`.
    """
    top = list_entries(root, "", path)
    if top.versions:
        raise outside_a_name(path, f"@{top.versions[0]}")
    waiting = [name for name in top.segments if _leads_to(name, prefix, after)]
    heapify(waiting)
    while waiting:
        name = heappop(waiting)
        try:
            check_name(name)
        except InvalidNameError:
            raise no_name(path, name) from None
        try:
            with open_name(root, name, f"{name} in {path}") as directory:
                entries = list_entries(directory, name, f"{name} in {path}")
        except FileNotFoundError:
            continue  # removed since its parent was listed
        for segment in entries.segments:
            longer = below(name, segment)
            if _leads_to(longer, prefix, after):
                heappush(waiting, longer)
        if entries.versions and name.startswith(prefix) and name > after:
            yield name


def _leads_to(name: str, prefix: str, after: str) -> bool:
    """Whether `name`, or a name below it, could start with `prefix` and sort after `after`."""
    beyond = name + "0"  # the first text after all of `name/…`
    return (name.startswith(prefix) or prefix.startswith(name + "/")) and beyond > after
