"""What lies where: a marked root, a directory for each name, in it one for each version, and its files.

    ROOT/.keywright/format      marks the root as a store
    ROOT/.keywright/lock        see `write`, as for `tmp` and `pending`
    ROOT/NAME/@N/meta.json      a version's metadata
    ROOT/NAME/@N/key            its payload, and the checksum of that as the name of an empty file `crc32-…`
    ROOT/NAME/@N/public-only    instead, where a version that is not destroyed has no payload
    ROOT/NAME/@removed          while it exists, the name has no versions

A directory of names may hold versions, further names, or both.
"""

from __future__ import annotations

import errno
import os
import re
from binascii import crc32
from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from keywright import RecordInfo, Secret, State, check_name, decode_info
from keywright.errors import CorruptedStoreError, InvalidNameError, StoreUnavailableError, key_not_found
from keywright.files import sync
from keywright_file.files import Directory, check_key_file, damaged, exists, read_file, status

PRIVATE: Final = ".keywright"  # no name starts with a dot
FORMAT: Final = "format"
LOCK: Final = "lock"
TEMPORARY: Final = "tmp"
PENDING: Final = "pending"
MARKER: Final = b"keywright file store 1\n"
_ANY_MARKER: Final = b"keywright file store "

REMOVED: Final = "@removed"
KEY: Final = "key"
METADATA: Final = "meta.json"
PUBLIC_ONLY: Final = "public-only"
_FILES: Final = frozenset((KEY, METADATA, PUBLIC_ONLY))
_CHECKSUM: Final = re.compile("crc32-[0-9a-f]{8}")

_LOST_AND_FOUND: Final = "lost+found"  # the root of an ext4 file system has it
_LONGEST_VERSION: Final = 9  # digits

# What keywright did not write is in the way, and nothing of the store is lost: it is to be moved away. To restore the
# store from a backup would lose the keys that are newer.

NOT_A_DIRECTORY: Final = "unexpected file or link ({place}) among the names"
NOT_A_NAME: Final = "unexpected directory ({place}): it is not a valid name"
NOT_A_VERSION: Final = "unexpected directory ({place}): it is not a valid version"
OUTSIDE_A_NAME: Final = "unexpected version ({place}) among the names"
BESIDE_THE_KEY: Final = "unexpected file ({place}) beside the key"
IN_THE_PRIVATE_AREA: Final = "unexpected file or directory ({place}) beside the store's own"
_LONGEST_SHOWN: Final = 40
_RUN: Final = re.compile("[A-Za-z0-9]{20}")


def unexpected(subject: str, fault: str, place: str) -> CorruptedStoreError:
    """The error for what keywright did not write; `place` is its path as seen from the root."""
    return CorruptedStoreError(f"{subject}: {fault.format(place=_shown(place))}", hint="move it out of the store")


def misplaced_file(name: str, entry: str, subject: str) -> CorruptedStoreError:
    """The error for what is not a directory and stands in the directory of `name`; empty: in the root."""
    if not name or version_number(entry) is None:
        return unexpected(subject, NOT_A_DIRECTORY, below(name, entry))
    # There may have been a version, so that to move it away would hide that one is lost.
    return CorruptedStoreError(
        f"{subject}: unexpected file or link ({_shown(below(name, entry))}) in the place of a version",
        hint="restore that version from a backup, or move the file away if there never was one",
    )


def _shown(place: str) -> str:
    """The path in the store, unless its end does not look like a file's name: it may be a key."""
    entry = place.rpartition("/")[2]
    if entry.isprintable() and len(entry) <= _LONGEST_SHOWN and not _RUN.search(entry):
        return f"`{place}`"
    return "name hidden: it looks like a secret"


# The root.


def open_root(path: str) -> Directory | None:
    """Open the root; None if there is nothing at `path`.

    Raises:
        OSError: it cannot be opened.
        AccessDeniedError: another user owns it or may change what is in it.
        CorruptedStoreError: it is not a directory.
        StoreUnavailableError: it is a broken link: a volume that is not mounted is not an empty store.
    """
    try:
        return Directory(path, path)
    except FileNotFoundError:
        if os.path.islink(path):
            raise StoreUnavailableError(
                f"{path} is a broken link", hint="mount or create its target, or set another `path`"
            ) from None
        return None
    except NotADirectoryError:
        raise CorruptedStoreError(f"{path} is not a directory", hint="set `path` to a directory") from None


def holds_store(root: int, path: str) -> bool:
    """Whether the root is marked as a store. False: it is empty, and may become one.

    Raises:
        OSError: it cannot be read.
        AccessDeniedError: others may change the marker.
        CorruptedStoreError: it is not empty and has no marker, or the marker is damaged or a newer keywright's.
    """
    if _is_marked(root, path):
        return True
    if not set(os.listdir(root)) - {PRIVATE, _LOST_AND_FOUND}:
        return False
    # The marker comes before the first key: if another process made both since we looked, it is there now.
    if _is_marked(root, path):
        return True
    raise CorruptedStoreError(
        f"{path} is not empty and has no {PRIVATE}/{FORMAT}, so it is not a store, or one that lost its marker",
        hint="set `path` to a directory of its own, or restore the marker from a backup",
    )


def _is_marked(root: int, path: str) -> bool:
    try:
        with Directory(PRIVATE, path, parent=root) as private:
            data, _ = read_file(private, FORMAT, path)
    except FileNotFoundError:
        return False
    if data.reveal() == MARKER:
        return True
    if data.reveal().startswith(_ANY_MARKER) and data.reveal()[len(_ANY_MARKER) :].removesuffix(b"\n").isdigit():
        raise CorruptedStoreError(f"{path} was written by a newer keywright", hint="upgrade keywright")
    raise CorruptedStoreError(f"{path}: the marker {PRIVATE}/{FORMAT} is damaged", hint="restore it from a backup")


def gone(path: str) -> CorruptedStoreError:
    """The error for a store that was there and is not: perhaps its volume is not mounted any more."""
    return CorruptedStoreError(
        f"{path} was removed after it was opened", hint="restore it from a backup, or open the store again"
    )


# Names.


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
        OSError: it cannot be opened, `FileNotFoundError` if it does not exist.
        AccessDeniedError: others may change it.
    """
    first, *rest = name.split("/")
    directory = Directory(first, subject, parent=root)
    for segment in rest:
        with directory as parent:
            directory = Directory(segment, subject, parent=parent)
    return directory


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
        CorruptedStoreError: it holds something that is neither a version nor leads to a name.
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
                raise unexpected(subject, NOT_A_VERSION, below(name, entry.name))
    return Entries([] if removed and not with_removed else sorted(versions), segments)


def is_the_systems(entry: str) -> bool:
    """Whether an entry is passed over: no name or version is written so."""
    return entry.startswith(".") or entry == _LOST_AND_FOUND


def below(name: str, entry: str) -> str:
    """The path of an entry as seen from the root; an empty `name` is the root."""
    return f"{name}/{entry}" if name else entry


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
        OSError, AccessDeniedError, CorruptedStoreError: as `open_name` and `list_entries`.
    """
    top = list_entries(root, "", path)
    if top.versions:
        raise unexpected(path, OUTSIDE_A_NAME, f"@{top.versions[0]}")
    waiting = [name for name in top.segments if _leads_to(name, prefix, after)]
    heapify(waiting)
    while waiting:
        name = heappop(waiting)
        if not is_name(name):
            raise unexpected(path, NOT_A_NAME, name)
        subject = f"{name} in {path}"
        try:
            with open_name(root, name, subject) as directory:
                entries = list_entries(directory, name, subject)
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


def is_name(text: str) -> bool:
    """Whether a key can have this name."""
    try:
        check_name(text, reserved=True)
        return True
    except InvalidNameError:
        return False


# Versions.


class Version(NamedTuple):
    """What was read.

    Attributes:
        info: with its revision.
        metadata: the bytes of `meta.json`.
        payload: None without one, or if it was not asked for.
        key: what the file of the payload is; None: there is no payload.
        files: the names of the files that were there; not those that start with a dot, which are not the store's.
    """

    info: RecordInfo
    metadata: bytes
    payload: Secret | None
    key: os.stat_result | None
    files: frozenset[str]

    @property
    def leftovers(self) -> frozenset[str]:
        """The files that an interrupted writer has still to remove: a key that is not a payload, and other checksums.

        Those of a payload are known only if it was read.
        """
        if self.key is None:
            return self.files - {METADATA, PUBLIC_ONLY}
        if self.payload is None:
            return frozenset()
        return self.files - {METADATA, KEY, checksum_of(self.payload)}


def open_version(root: int, name: str, version: int, subject: str) -> Directory:
    """Open a version's directory.

    Raises:
        KeyNotFoundError: it does not exist, or its name is being removed.
        OSError: it cannot be opened.
        AccessDeniedError: others may change what is in it.
    """
    try:
        with open_name(root, name, subject) as directory:
            if exists(REMOVED, directory):
                raise key_not_found(name, version)
            return Directory(f"@{version}", subject, parent=directory)
    except FileNotFoundError:
        raise key_not_found(name, version) from None


def read_versions(directory: int, name: str, path: str) -> tuple[RecordInfo, ...]:
    """The metadata of all versions in a name's directory, ascending.

    Raises:
        OSError: something cannot be read; FileNotFoundError: a version was removed meanwhile.
        AccessDeniedError, CorruptedStoreError: as `read_version` and `list_entries`.
    """
    infos = []
    for version in list_entries(directory, name, f"{name} in {path}").versions:
        subject = f"{name}@{version} in {path}"
        with Directory(f"@{version}", subject, parent=directory) as opened:
            infos.append(read_version(opened, name, version, subject, with_payload=False).info)
    return tuple(infos)


def read_version(directory: int, name: str, version: int, subject: str, *, with_payload: bool) -> Version:
    """Read a version from its directory, freshly opened.

    No lock is needed: each file is replaced as a whole, metadata or payload, never both. If the metadata is the same
    before and after the payload was read, both belong together. A reader that met a writer may see damage where
    it does not exist; a second reading under the lock tells them apart.

    Files that start with a dot, which a file manager or an editor leaves, are passed over and left where they are.

    A state other than `destroyed` has a key file or says `public-only`; so a lost key file shows. Where both are there,
    `public-only` decides, and where the state is `destroyed`, that does: the key file and its checksum are leftovers.
    A key file has at least one checksum, and one that fits, which is seen if the payload is read. While it is replaced
    there are two, and either payload is whole.

    Raises:
        OSError: a file cannot be read.
        AccessDeniedError: others may change a file, or read the key.
        CorruptedStoreError: a file is missing, unknown, malformed or another version's; or a writer was met.
    """
    files = frozenset(file for file in os.listdir(directory) if not file.startswith("."))
    check_files(files, name, version, subject)
    payload = second = None
    try:
        data, first = read_file(directory, METADATA, subject)
        if PUBLIC_ONLY in files:
            second = status(PUBLIC_ONLY, directory)
        elif KEY in files and with_payload:
            payload, second = read_file(directory, KEY, subject)
        elif KEY in files:
            second = status(KEY, directory)
        again = status(METADATA, directory)
    except FileNotFoundError:
        raise damaged(subject, "a file is missing") from None
    if (first.st_ino, first.st_mtime_ns) != (again.st_ino, again.st_mtime_ns):
        raise damaged(subject, "the metadata changed while it was read")
    info = decode_info(data.reveal(), where=subject, revision=revision_of(first, second))
    if (info.name, info.version) != (name, version):
        raise damaged(subject, "the metadata is another key's")
    if info.state is State.DESTROYED or PUBLIC_ONLY in files:
        return Version(info, data.reveal(), None, None, files)
    if second is None:
        raise damaged(subject, "the key file is missing")
    check_key_file(second, subject)
    if files == {KEY, METADATA}:
        raise damaged(subject, "the checksum of the key file is missing")
    if payload is not None and checksum_of(payload) not in files:
        raise damaged(subject, "the key file is damaged")
    return Version(info, data.reveal(), payload, second, files)


def check_files(files: Iterable[str], name: str, version: int, subject: str) -> None:
    """Refuse a version with files that have no place there.

    Raises:
        CorruptedStoreError: there is one.
    """
    unknown = [file for file in files if not is_file(file)]
    if unknown:
        raise unexpected(subject, BESIDE_THE_KEY, f"{name}/@{version}/{min(unknown)}")


def is_file(name: str) -> bool:
    """Whether a version may have a file of this name."""
    return name in _FILES or _CHECKSUM.fullmatch(name) is not None


def current_revision(directory: int) -> str:
    """The revision of the version in a directory, to be asked for under the lock.

    Raises:
        OSError: it cannot be read.
    """
    files = os.listdir(directory)
    payload = next((name for name in (PUBLIC_ONLY, KEY) if name in files), None)
    return revision_of(status(METADATA, directory), None if payload is None else status(payload, directory))


def revision_of(metadata: os.stat_result, payload: os.stat_result | None) -> str:
    """The revision of a version: which files hold its metadata and its payload (or say `public-only`).

    An update replaces one of them by a new file. Its inode alone would not tell, for ext4 uses one again as soon as
    it is free; nor would a time alone, for kernels keep time in steps of milliseconds. But we set the times: no two
    writes to a store get the same (see `write.next_stamp`), so a revision does not come twice, not even when a name was
    removed and made again. What a backup brings back has another inode.
    """
    first = f"{metadata.st_ino:x}-{metadata.st_mtime_ns:x}"
    return first if payload is None else f"{first}-{payload.st_ino:x}-{payload.st_mtime_ns:x}"


def checksum_of(payload: Secret) -> str:
    """`crc32-XXXXXXXX`: the CRC-32 (IEEE 802.3, as in zip) of the payload in lower-case hexadecimal digits.

    It shows damage that would otherwise read as another key; it does not protect from those who can write the file.
    32 bits in a directory that only its owner can read reveal nothing about a key.
    """
    return f"crc32-{crc32(payload.reveal()):08x}"


def is_checksum(file: str) -> bool:
    """Whether a file has the name of a checksum."""
    return _CHECKSUM.fullmatch(file) is not None
