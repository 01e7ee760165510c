"""Store paths: `/nix/store/HASH-NAME` (`src/libstore/path.cc`)."""

from __future__ import annotations

import re

__all__ = ["BASE_NAME", "is_store_directory", "split_store_path"]

# 32 characters of Nix's base32, a hyphen, and a name of at most 211; since Nix 2.20 a name may start with a dot, but be
# neither "." nor ".." nor start with ".-" or "..-".
BASE_NAME = re.compile(rb"[0-9a-df-np-sv-z]{32}-(?!\.{1,2}(?:-|\Z))[0-9a-zA-Z+\-._?=]{1,211}")
_DIRECTORY = re.compile(rb"(?:/(?!\.{1,2}(?:/|\Z))[!-+\-.0-:<-~]+)+")


def split_store_path(path: bytes) -> tuple[bytes, bytes]:
    """Directory and base name: `(b"/nix/store", b"HASH-NAME")`.

    Raises:
        ValueError: it is no store path.
    """
    directory, _, name = path.rpartition(b"/")
    if not BASE_NAME.fullmatch(name) or not is_store_directory(directory):
        raise ValueError("no store path")
    return directory, name


def is_store_directory(path: bytes) -> bool:
    """Whether a store may lie there: an absolute path, spelled plainly, that parts a fingerprint nowhere."""
    return _DIRECTORY.fullmatch(path) is not None
