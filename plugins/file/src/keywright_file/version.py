"""One version as it lies on the disk: `@N/meta.json`, and `@N/key` with its checksum, or `@N/public-only`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final, NamedTuple

from keywright import RecordInfo, Secret, State, decode_info
from keywright_file.checksum import checksum_of, is_checksum
from keywright_file.faults import damaged
from keywright_file.files import check_key_file, read_file
from keywright_file.strays import beside_the_key

__all__ = [
    "KEY",
    "METADATA",
    "PUBLIC_ONLY",
    "Version",
    "check_files",
    "current_revision",
    "read_version",
    "revision_of",
    "version_directory",
]

KEY: Final = "key"
METADATA: Final = "meta.json"
PUBLIC_ONLY: Final = "public-only"
_FILES: Final = {KEY, METADATA, PUBLIC_ONLY}


class Version(NamedTuple):
    """What was read.

    Attributes:
        info: with its revision.
        metadata: the bytes of `meta.json`.
        payload: None: there is none, or it was not asked for.
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
        """The files that an interrupted writer has still to remove: a key that is no payload, and other checksums.

        Those of a payload are known only if it was read.
        """
        if self.key is None:
            return self.files - {METADATA, PUBLIC_ONLY}
        if self.payload is None:
            return frozenset()
        return self.files - {METADATA, KEY, checksum_of(self.payload)}


def version_directory(version: int) -> str:
    """`@N`."""
    return f"@{version}"


def read_version(directory: int, name: str, version: int, subject: str, *, with_payload: bool) -> Version:
    """Read a version from its directory, freshly opened.

    No lock is needed: each file is replaced as a whole, metadata or payload, never both. If the metadata is the same
    before and after the payload was read, both belong together. A reader that met a writer may see damage where
    there is none; who reads again under the lock knows.

    Files that start with a dot, which a file manager or an editor leaves, are passed over and left where they are.

    A state other than `destroyed` has a key file or says `public-only`; so a lost key file shows. Where both are there,
    `public-only` decides, and where the state is `destroyed`, that does: the key file and its checksum are leftovers.
    A key file has at least one checksum, and one that fits, which is seen if the payload is read. While it is replaced
    there are two, and either payload is whole.

    Raises:
        OSError: a file cannot be read.
        AccessDeniedError: others may change a file, or read the key.
        DamagedStoreError: a file is missing, unknown, malformed or another version's; or a writer was met.
    """
    files = frozenset(file for file in os.listdir(directory) if not file.startswith("."))
    check_files(files, name, version, subject)
    payload = None
    second = None
    try:
        data, first = read_file(directory, METADATA, subject)
        if PUBLIC_ONLY in files:
            second = os.stat(PUBLIC_ONLY, dir_fd=directory, follow_symlinks=False)
        elif KEY in files and with_payload:
            payload, second = read_file(directory, KEY, subject)
        elif KEY in files:
            second = os.stat(KEY, dir_fd=directory, follow_symlinks=False)
        again = os.stat(METADATA, dir_fd=directory, follow_symlinks=False)
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
        DamagedStoreError: there is one.
    """
    for file in sorted(files):
        if file not in _FILES and not is_checksum(file):
            raise beside_the_key(subject, f"{name}/{version_directory(version)}/{file}")


def current_revision(directory: int) -> str:
    """The revision of the version in a directory, for who holds the lock.

    Raises:
        OSError: it cannot be read.
    """
    files = os.listdir(directory)
    metadata = os.stat(METADATA, dir_fd=directory, follow_symlinks=False)
    for name in (PUBLIC_ONLY, KEY):
        if name in files:
            return revision_of(metadata, os.stat(name, dir_fd=directory, follow_symlinks=False))
    return revision_of(metadata, None)


def revision_of(metadata: os.stat_result, payload: os.stat_result | None) -> str:
    """The revision of a version: which files hold its metadata and its payload (or say `public-only`).

    An update replaces one of them by a new file. Its inode alone would not tell, for ext4 uses one again as soon as
    it is free; nor would a time alone, for kernels keep time in steps of milliseconds. But we set the times: no two
    writes to a store get the same (see `Lock.stamp`), so a revision does not come twice, not even when a name was
    removed and made again. What a backup brings back has another inode.
    """
    first = f"{metadata.st_ino:x}-{metadata.st_mtime_ns:x}"
    return first if payload is None else f"{first}-{payload.st_ino:x}-{payload.st_mtime_ns:x}"
