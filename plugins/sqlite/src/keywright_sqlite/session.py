"""`Session`: the one connection of an opened store, shared by threads, never by processes."""

from __future__ import annotations

import os
import sqlite3
import time
from threading import Lock
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from keywright.errors import DamagedStoreError, DurabilityUnknownError, StoreError, StoreUnavailableError
from keywright_sqlite import files
from keywright_sqlite.connection import connect, erase_log
from keywright_sqlite.failures import is_full, read_only, translate
from keywright_sqlite.lending import Reading, Writing
from keywright_sqlite.paths import resolve
from keywright_sqlite.schema import image
from keywright_sqlite.turns import Turns

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["Session"]

_PAUSE_SECONDS: Final = 0.01


class Session:
    """Lends out its connection, one user at a time, and makes sure that it leads to the file that is there now."""

    def __init__(self, path: str, timeout: timedelta) -> None:
        self.path = resolve(path)
        self._timeout = timeout
        self._lock = Turns()
        self._connection: sqlite3.Connection | None = None
        self._lasting = False
        self._writable = False
        self._seen: tuple[int, ...] = ()
        self._inode: tuple[int, int] | None = None
        self._closed = False

    def open(self) -> None:
        """Check the database if there is one, and finish what a killed process left. Raises as `reading`."""
        _OPENED.add(self)
        with self.reading():
            pass

    def close(self) -> None:
        """Close for good; later calls raise StoreUnavailableError."""
        _OPENED.discard(self)
        with self._lock:
            self._closed = True
            self._disconnect()

    def reading(self) -> Reading:
        """Lend the connection for a `with` block; None if there is no database yet.

        Raises:
            StoreUnavailableError, AccessDeniedError, DamagedStoreError: as the protocol says.
        """
        return Reading(self)

    def writing(self) -> Writing:
        """Lend the connection inside a transaction, which is durable afterwards or, after any error, undone.

        Raises:
            ReadOnlyStoreError, DurabilityUnknownError and what `reading` raises: as the protocol says.
        """
        return Writing(self)

    def take(self) -> sqlite3.Connection | None:
        """Begin a `with` block of `reading`."""
        self._lock.__enter__()
        try:
            return self._connected()
        except BaseException as error:
            self.give_back(error)
            raise

    def give_back(self, error: BaseException | None) -> None:
        """End a `with` block of `reading`; an error of SQLite's in it is raised as one of ours."""
        try:
            if not self._lasting or is_full(error):
                self._disconnect()  # where the disk is full, whoever connects next looks for room in the log
        finally:
            self._lock.__exit__()
        if error is not None:
            translate(self.path, error)

    def begin(self) -> sqlite3.Connection:
        """Begin a `with` block of `writing`."""
        connection = self.take()
        try:
            if connection is None:
                files.place(self.path, image())
                connection = self._connected()
            if connection is None or not self._writable:
                raise read_only(self.path)
            connection.execute("BEGIN IMMEDIATE")
        except BaseException as error:
            self._undo()
            self.give_back(error)
            raise
        return connection

    def end(self, connection: sqlite3.Connection, error: BaseException | None) -> None:
        """End a `with` block of `writing`."""
        try:
            if error is None:
                connection.execute("COMMIT")
            else:
                self._undo()
        except BaseException as failure:
            self._undo()
            self.give_back(failure)
            raise
        self.give_back(error)

    def erase(self, done: str) -> None:
        """Make sure that bytes which a transaction overwrote are in no file any more.

        Raises:
            DurabilityUnknownError: `done`, but its old bytes may still be in the log.
        """
        deadline = time.monotonic() + self._timeout.total_seconds()
        erased = self._erased()
        while not erased and time.monotonic() < deadline:
            # Whoever else is at the log just now holds a lock that SQLite does not wait for.
            time.sleep(_PAUSE_SECONDS)
            erased = self._erased()
        if not erased:
            raise DurabilityUnknownError(
                f"{done}, but its old bytes may still be in {self.path} or its -wal, because another program reads the "
                "store or the disk fails; they go when the store is next opened without that"
            )

    def _erased(self) -> bool:
        try:
            with self.reading() as connection:
                return connection is not None and erase_log(connection)
        except StoreError:  # whatever it is, the change is made: `erase` says so
            return False

    def _connected(self) -> sqlite3.Connection | None:
        if self._closed:
            raise StoreUnavailableError(f"{self.path}: the store is closed; open it again")
        found = files.look(self.path)
        if found is not None:
            seen = (os.getpid(), found.st_dev, found.st_ino, found.st_mode, found.st_uid, found.st_size > 0)
            if seen == self._seen and self._connection is not None:
                return self._connection
            self._disconnect()
            self._connect(found)
            self._seen = seen
        elif self._inode:
            raise DamagedStoreError(
                f"{self.path} is gone since it was opened; restore it from a backup, or open the store anew"
            )
        return self._connection

    def _connect(self, found: os.stat_result) -> None:
        if self._inode not in (None, (found.st_dev, found.st_ino)):
            # SQLite would mix the log of the old file into the new one.
            raise DamagedStoreError(
                f"{self.path} was replaced while it was open; close the store everywhere, move {self.path}-wal and "
                f"{self.path}-shm away, and open it again"
            )
        files.check(self.path, found)
        self._inode = (found.st_dev, found.st_ino)
        self._writable = files.accepts_writes(self.path)
        if self._writable:
            files.finish_placing(self.path, found)
        self._connection, self._lasting = connect(self.path, self._timeout, writable=self._writable)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _undo(self) -> None:
        try:
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._disconnect()

    def before_fork(self) -> None:
        """Wait until nobody uses the connection, and close it: it would break the locks of both processes."""
        self._lock.stop()
        self._disconnect()

    def after_fork(self) -> None:
        """Let the threads go on; the next call opens a connection."""
        self._lock.go_on()


_OPENED: Final[WeakSet[Session]] = WeakSet()
_FORKING: Final = Lock()
_held: list[Session] = []


def _before_fork() -> None:
    _FORKING.acquire()
    for session in list(_OPENED):
        session.before_fork()
        _held.append(session)


def _after_fork() -> None:
    while _held:
        _held.pop().after_fork()
    _FORKING.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
