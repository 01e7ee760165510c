"""keywright plugin: the store backend `file`, one directory for each version of a key."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from keywright import Capabilities, Options, Setting, hookimpl
from keywright.errors import UnsupportedOperationError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from keywright_file.store import FileStore

KEYWRIGHT_API = 1

TIMEOUT: Final = timedelta(minutes=1)  # a stopped writer must not hang everybody


class FileBackend:
    """Opens file stores."""

    name = "file"
    settings = (
        Setting("path", "path", help="the directory of the keys; the first write creates it, for its owner only"),
        Setting("timeout", "duration", default=TIMEOUT, help="how long to wait for a lock that another process holds"),
    )
    capabilities = Capabilities(writable=True, metadata=True, guarded=True)

    def open(self, options: Options) -> AbstractContextManager[FileStore]:
        """Open the store in the directory `path`. A directory that does not exist is an empty store.

        Raises:
            UnsupportedOperationError: this system has no `flock` (Windows), so no write could be kept safe.

        Entering the context raises:
            AccessDeniedError: this user may not read it, or others may change what is in it.
            CorruptedStoreError: `path` is not a directory, or one that is not empty and not a store, or was written by
                a newer keywright.
            StoreUnavailableError: it could not be read.
        """
        from keywright.files import has_locks

        if not has_locks():
            raise UnsupportedOperationError(
                "the file store needs POSIX file locks, which this system does not have", hint="use the sqlite store"
            )
        from keywright_file.store import FileStore

        return FileStore(options.text("path"), options.duration("timeout"))


@hookimpl
def keywright_register_store_backends() -> list[FileBackend]:
    """The store backend `file`."""
    return [FileBackend()]
