"""keywright plugin: the SQLite store."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from keywright import Capabilities, Setting, hookimpl
from keywright.errors import ConfigError, StoreUnavailableError, UnsupportedOperationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keywright import Options, StoreBackend, WritableStore

KEYWRIGHT_API = 1

OLDEST_SQLITE: Final = (3, 37, 0)  # STRICT tables
LONGEST_TIMEOUT: Final = timedelta(days=1)  # SQLite counts milliseconds in 31 bits


class SqliteBackend:
    """The embedded default: one SQLite database in one file, which several processes may use at once."""

    name: Final = "sqlite"
    settings: Final = (
        Setting("path", "path", help="The database file; it and missing directories above it are made for you alone."),
        Setting(
            "timeout",
            "duration",
            default=timedelta(seconds=5),
            help="How long to wait for a lock that another process holds; at most 1d.",
        ),
    )
    capabilities: Final = Capabilities(writable=True, metadata=True, guarded=True)

    @contextmanager
    def open(self, options: Options) -> Iterator[WritableStore]:
        """Open the store at `path`. A file that is not there is left to the first write.

        Raises:
            ConfigError: `timeout` is over a day.
            UnsupportedOperationError: the system has no POSIX permissions.
            StoreUnavailableError: this Python has no SQLite or one before 3.37, or the file cannot be opened.
            AccessDeniedError: the file is not this user's or root's, or other users may open it.
            CorruptedStoreError: the file is empty, no database, damaged, another program's, or a newer keywright's.
        """
        if options.duration("timeout") > LONGEST_TIMEOUT:
            raise ConfigError("timeout must be at most 1d", setting="timeout")
        if not hasattr(os, "geteuid"):
            raise UnsupportedOperationError(
                "the sqlite store keeps other users out by POSIX permissions, which this system lacks",
                hint="use another store",
            )
        try:
            import sqlite3
        except ImportError:
            raise StoreUnavailableError(
                "the sqlite store needs SQLite, which this Python was built without", hint="use another Python or store"
            ) from None
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise StoreUnavailableError(
                f"the sqlite store needs SQLite 3.37 or newer, and this Python has {sqlite3.sqlite_version}",
                hint="use another Python or store",
            )
        from keywright_sqlite.session import Session
        from keywright_sqlite.store import SqliteStore

        session = Session(options.text("path"), options.duration("timeout"))
        try:
            session.open()
            yield SqliteStore(session)
        finally:
            session.close()


@hookimpl
def keywright_register_store_backends() -> Sequence[StoreBackend]:
    """The backend `sqlite`."""
    return (SqliteBackend(),)
