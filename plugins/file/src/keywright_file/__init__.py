"""keywright plugin: the store backend `file`, one directory for each version of a key."""

from __future__ import annotations

from keywright import hookimpl
from keywright_file.backend import FileBackend

__all__ = ["KEYWRIGHT_API", "FileBackend"]

KEYWRIGHT_API = 1


@hookimpl
def keywright_register_store_backends() -> list[FileBackend]:
    """The store backend `file`."""
    return [FileBackend()]
