"""What keywright did not write, as errors: it is in the way, and nothing of the store is lost.

So it is to be moved away. To restore a sound store from a backup would lose the keys that are newer.
"""

from __future__ import annotations

import re
from typing import Final

from keywright.errors import DamagedStoreError

__all__ = [
    "beside_the_key",
    "in_a_versions_place",
    "in_the_private_area",
    "no_directory",
    "no_name",
    "no_version",
    "outside_a_name",
]

_LONGEST_SHOWN: Final = 40
_RUN: Final = re.compile("[A-Za-z0-9]{20}")


def no_directory(subject: str, place: str) -> DamagedStoreError:
    """A file or link at `place`, as seen from the root, where only directories belong."""
    return _stray(subject, f"a file or link ({_shown(place)}) stands among the names")


def no_name(subject: str, place: str) -> DamagedStoreError:
    """A directory that no key can have."""
    return _stray(subject, f"a directory ({_shown(place)}) among the names has no name's name")


def no_version(subject: str, place: str) -> DamagedStoreError:
    """A directory `@…` that no version can have."""
    return _stray(subject, f"a directory ({_shown(place)}) among the versions has no version's name")


def outside_a_name(subject: str, place: str) -> DamagedStoreError:
    """A version in the root."""
    return _stray(subject, f"a version ({_shown(place)}) stands where only names belong")


def beside_the_key(subject: str, place: str) -> DamagedStoreError:
    """An unknown file in a version's directory."""
    return _stray(subject, f"a file ({_shown(place)}) that keywright did not write stands beside the key")


def in_the_private_area(subject: str, place: str) -> DamagedStoreError:
    """Something unknown in the directory that is the store's own."""
    return _stray(subject, f"something ({_shown(place)}) that keywright did not write stands beside the store's own")


def in_a_versions_place(subject: str, place: str) -> DamagedStoreError:
    """A file or link `@N`: there may have been a version, so that to move it away would hide that one is lost."""
    return DamagedStoreError(
        f"{subject}: a file or link ({_shown(place)}) stands where a version belongs; restore that version from a "
        "backup, or move the file away if there never was one"
    )


def _stray(subject: str, fault: str) -> DamagedStoreError:
    return DamagedStoreError(f"{subject}: {fault}; move it away")


def _shown(place: str) -> str:
    """The path in the store, unless its end is one that nobody chose as a file's name: it may be a key."""
    entry = place.rpartition("/")[2]
    if entry.isprintable() and len(entry) <= _LONGEST_SHOWN and not _RUN.search(entry):
        return f"`{place}`"
    return "its name is not shown, for it may be a secret"
