"""`Session`: the one connection of an opened store, shared by threads, never by processes."""

from __future__ import annotations

import os
import sqlite3
import time
from _thread import RLock, get_ident  # `threading` has the same, and imports more
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final, TypeVar
from weakref import WeakSet

from keywright.errors import CorruptedStoreError, DurabilityError, StoreError, StoreUnavailableError
from keywright_sqlite import files
from keywright_sqlite.database import connect, erase_log, image, is_full, translate

_PAUSE_SECONDS: Final = 0.01
_TURN_SECONDS: Final = 0.0001  # enough for a thread that waits to wake up
_T = TypeVar("_T")
_C = TypeVar("_C", bound=sqlite3.Connection | None)


class Session:
    """Lends out its connection, one user at a time, and makes sure that it leads to the file that is there now.

    A signal handler may raise at any moment; Ctrl-C does. Between taking a lock of its own by `with` and the block
    CPython calls none, and each use is such a block: it ends, its transaction is undone, and the lock is free again.
    """

    def __init__(self, path: str, timeout: timedelta) -> None:
        self.path = files.resolve(path)
        self._timeout = timeout
        self._lock = RLock()  # so that `before_fork` may take it again where it was interrupted
        self._waiting: set[int] = set()  # threads; a hint, which an interrupt may leave wrong
        self._connection: sqlite3.Connection | None = None
        self._lasting = False
        self._is_writable = False
        self._seen: tuple[int, ...] = ()
        self._inode: tuple[int, int] | None = None
        self._closed = False

    def open(self) -> None:
        """Check the database if there is one, and finish what a killed process left. Raises as `read`."""
        _opened.add(self)
        self.read(lambda _: None)

    def close(self) -> None:
        """Close permanently; later calls raise StoreUnavailableError."""
        self._take_turn()
        with self._lock:
            self._waiting.discard(get_ident())
            self._closed = True
            self._disconnect()
            _opened.discard(self)

    def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T | None:
        """What `work` returns for the connection; None if there is no database yet.

        Raises:
            StoreUnavailableError, AccessDeniedError, CorruptedStoreError: as the protocol says.
        """
        return self._use(self._connected, lambda connection: None if connection is None else work(connection))

    def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """What `work` returns for the connection, inside a transaction: durable afterwards or, after any error, undone.

        Raises:
            ReadOnlyStoreError, DurabilityError and what `read` raises: as the protocol says.
        """

        def transaction(connection: sqlite3.Connection) -> _T:
            connection.execute("BEGIN IMMEDIATE")
            done = work(connection)
            connection.execute("COMMIT")
            return done

        return self._use(self._writable, transaction)

    def _use(self, connect: Callable[[], _C], work: Callable[[_C], _T]) -> _T:
        self._take_turn()
        with self._lock:
            self._waiting.discard(get_ident())
            try:
                done = work(connect())
            except BaseException as error:
                self._give_up(error)
                raise
            self._rest()
        return done

    def erase(self, done: str) -> None:
        """Make sure that bytes which a transaction overwrote are in no file any more.

        Raises:
            DurabilityError: `done`, but its old bytes may still be in the log.
        """
        deadline = time.monotonic() + self._timeout.total_seconds()
        while not self._erased():
            if time.monotonic() >= deadline:
                raise DurabilityError(
                    f"{done}, but its old bytes may remain in {self.path} or its -wal: another program uses the "
                    f"store, or the disk fails",
                    hint="close other programs that use the store, then open it again",
                )
            # Another process at the log holds a lock that SQLite does not wait for.
            time.sleep(_PAUSE_SECONDS)

    def _erased(self) -> bool:
        try:
            return self.read(erase_log) is True
        except StoreError:  # the change is made all the same: `erase` reports it
            return False

    def _take_turn(self) -> None:
        """Let those go first who wait for the lock: with the lock alone, who writes in a loop would always be first."""
        if self._waiting:
            time.sleep(_TURN_SECONDS)
            self._waiting.clear()  # they had their turn, or were interrupted and will not come
        self._waiting.add(get_ident())

    def _connected(self) -> sqlite3.Connection | None:
        if self._closed:
            raise StoreUnavailableError(f"{self.path}: the store is closed", hint="open it again")
        found = files.look(self.path)
        if found is not None:
            seen = (os.getpid(), found.st_dev, found.st_ino, found.st_mode, found.st_uid, found.st_size > 0)
            kept = self._connection
            if kept is not None and seen == self._seen and self._lasting and not kept.in_transaction:
                return kept
            self._disconnect()
            self._connect(found)
            self._seen = seen
        elif self._inode:
            raise CorruptedStoreError(
                f"{self.path} was removed after it was opened", hint="restore it from a backup, or open the store again"
            )
        return self._connection

    def _connect(self, found: os.stat_result) -> None:
        if self._inode not in (None, (found.st_dev, found.st_ino)):
            # SQLite would mix the log of the old file into the new one.
            raise CorruptedStoreError(
                f"{self.path} was replaced while it was open",
                hint=f"close the store everywhere, move {self.path}-wal and {self.path}-shm away, and open it again",
            )
        files.check(self.path, found)
        self._inode = (found.st_dev, found.st_ino)
        self._is_writable = files.accepts_writes(self.path)
        if self._is_writable:
            files.finish_placing(self.path, found)
        self._connection, self._lasting = connect(self.path, self._timeout, writable=self._is_writable)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _writable(self) -> sqlite3.Connection:
        connection = self._connected()
        if connection is None:
            files.place(self.path, image())
            connection = self._connected()
        if connection is None or not self._is_writable:
            raise files.READ_ONLY.as_error(self.path)
        return connection

    def _rest(self) -> None:
        if not self._lasting:
            self._disconnect()

    def _give_up(self, error: BaseException) -> None:
        """After an error: undo the transaction. An error of SQLite's is raised as one of ours."""
        # Where an interrupt stopped a query, its frames hold a cursor, and that a snapshot which keeps the log from
        # being cut, for as long as the traceback lives.
        trace = error.__traceback__
        while trace is not None:
            with suppress(RuntimeError):  # it still runs
                trace.tb_frame.clear()
            trace = trace.tb_next
        try:
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._disconnect()
        self._rest()
        if is_full(error):
            self._disconnect()  # the next connection looks for room in the log
        translate(self.path, error)

    def before_fork(self) -> None:
        """Wait until the connection is not in use, and close it: it would break the locks of both processes."""
        self._take_turn()
        self._lock.acquire()
        self._disconnect()

    def after_fork_in_parent(self) -> None:
        """Let the threads go on; the next call opens a connection."""
        _let_go(self._lock)

    def after_fork_in_child(self) -> None:
        """There is no thread that waits or holds anything."""
        self._waiting.clear()
        self._lock = RLock()


# What a fork does with the sessions that are open: none is in use meanwhile, and the child begins again.

_opened: Final[WeakSet[Session]] = WeakSet()
_forking = RLock()  # one thread at a time, so that two do not wait for each other


def _let_go(lock: RLock) -> None:
    """Release a lock that this thread holds, however often it took it."""
    with suppress(RuntimeError):  # it is not ours any more
        while True:
            lock.release()


def _before_fork() -> None:
    _forking.acquire()
    for session in list(_opened):
        session.before_fork()


def _after_fork_in_parent() -> None:
    for session in list(_opened):
        session.after_fork_in_parent()
    _let_go(_forking)


def _after_fork_in_child() -> None:
    global _forking
    for session in list(_opened):
        session.after_fork_in_child()
    _forking = RLock()


if hasattr(os, "register_at_fork"):
    # Twice, for what they do can be done twice: a signal handler that raises, perhaps for a signal that came during the
    # fork, ends one of them anywhere, even as it begins, and the fork goes on all the same.
    for _ in range(2):
        os.register_at_fork(
            before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
        )
