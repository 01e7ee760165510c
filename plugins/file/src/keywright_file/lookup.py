"""From a name and a version to what is stored there."""

from __future__ import annotations

import os

from keywright import RecordInfo
from keywright.errors import KeyNotFoundError
from keywright_file.files import Directory
from keywright_file.names import REMOVED, list_entries, open_name
from keywright_file.version import read_version, version_directory

__all__ = ["no_such_name", "no_such_version", "open_version", "read_versions"]


def no_such_name(name: str) -> KeyNotFoundError:
    """The error for a name without versions."""
    return KeyNotFoundError(f"{name}: the store has no such name; `keywright list` shows those it has")


def no_such_version(name: str, version: int) -> KeyNotFoundError:
    """The error for a version that is not there."""
    return KeyNotFoundError(
        f"{name}@{version}: the store has no such version; `keywright show {name}` lists those it has"
    )


def open_version(root: int, name: str, version: int, subject: str) -> Directory:
    """Open a version's directory.

    Raises:
        KeyNotFoundError: there is none, or its name is being removed.
        OSError: it cannot be opened.
        AccessDeniedError: others may change what is in it.
    """
    try:
        with open_name(root, name, subject) as directory:
            if _is_removed(directory):
                raise no_such_name(name)
            return Directory(version_directory(version), subject, parent=directory)
    except FileNotFoundError:
        raise no_such_version(name, version) from None


def _is_removed(directory: int) -> bool:
    try:
        os.stat(REMOVED, dir_fd=directory, follow_symlinks=False)
        return True
    except FileNotFoundError:
        return False


def read_versions(directory: int, name: str, path: str) -> tuple[RecordInfo, ...]:
    """The metadata of all versions in a name's directory, ascending.

    Raises:
        OSError: something cannot be read; FileNotFoundError: a version was removed meanwhile.
        AccessDeniedError, DamagedStoreError: as `read_version` and `list_entries`.
    """
    infos = []
    for version in list_entries(directory, name, f"{name} in {path}").versions:
        subject = f"{name}@{version} in {path}"
        with Directory(version_directory(version), subject, parent=directory) as opened:
            infos.append(read_version(opened, name, version, subject, with_payload=False).info)
    return tuple(infos)
