"""The database's layout, its versions, and how one becomes the next.

`record` has one row per version of a name. Payloads stand apart in `payload`, whose rows are only ever appended and
overwritten in place: SQLite moves rows when it balances a page and leaves copies behind in the page's free space,
where `secure_delete` does not reach, so a secret must never be in a row that moves.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from datetime import timedelta
from threading import RLock, get_ident
from typing import TYPE_CHECKING, Final, TypeVar
from weakref import WeakSet

from keywright.errors import (
    DamagedStoreError,
    DurabilityUnknownError,
    ReadOnlyStoreError,
    StoreError,
    StoreUnavailableError,
)
from keywright_sqlite import files
from keywright_sqlite.files import is_full, read_only, resolve, translate

if TYPE_CHECKING:
    from collections.abc import Callable


APPLICATION_ID: Final = int.from_bytes(b"kwrt", "big")
"""The four bytes at offset 68 of the file (sqlite.org/fileformat2.html §1.3) that say whose it is."""

_FIRST: Final = "INSERT INTO record VALUES ('', 0, 1811104489, '', NULL, 0, x'')"
"""Puts the row that stands before all others into an empty table; it is linked to the end (see `store`)."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE record (
            name TEXT NOT NULL,
            version INTEGER NOT NULL,
            next INTEGER NOT NULL,   -- CRC-32 of this reference and the next: see store.py
            revision TEXT NOT NULL,  -- random, so that none ever recurs
            payload INTEGER,         -- the row of the payload; NULL where the version has none
            crc32 INTEGER NOT NULL,  -- of all else but next: see store.py
            info BLOB NOT NULL,      -- as keywright.encode_info writes it
            PRIMARY KEY (name, version)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE payload (
            id INTEGER PRIMARY KEY,
            crc32 BLOB NOT NULL,     -- of the record's reference and the bytes, or zeros: see store.py
            bytes BLOB NOT NULL      -- as the format, or the seal, made them, or zeros
        ) STRICT
        """,
        _FIRST,
    ),
)
"""Entry n holds the statements that turn layout n into layout n + 1; the layout is the file's `user_version`."""


def image() -> bytes:
    """The bytes of an empty store in the newest layout and in WAL mode."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrate(connection)
        content = bytearray(connection.serialize())
    finally:
        connection.close()
    content[18:20] = b"\x02\x02"  # write and read version 2: WAL (sqlite.org/fileformat2.html §1.3.3)
    return bytes(content)


def check_layout(connection: sqlite3.Connection, path: str, *, writable: bool) -> None:
    """Check whose database it is and of which layout, and bring an older one up to date.

    Raises:
        DamagedStoreError: it is another program's, or was written by a newer keywright.
        ReadOnlyStoreError: it is of an older layout, and not writable.
    """
    if _number(connection, "application_id") != APPLICATION_ID:
        raise DamagedStoreError(f"{path} is another program's database; correct `path`, or restore it from a backup")
    layout = _number(connection, "user_version")
    if layout > len(MIGRATIONS):
        raise DamagedStoreError(
            f"{path} was written by a newer keywright (layout {layout}, and this one knows {len(MIGRATIONS)}); "
            "upgrade this one"
        )
    if layout < 1:
        raise DamagedStoreError(f"{path}: the database is damaged; restore it from a backup")
    if layout < len(MIGRATIONS):
        if not writable:
            raise ReadOnlyStoreError(
                f"{path} was written by an older keywright and takes no writes here; open it once where it is writable"
            )
        migrate(connection)


def migrate(connection: sqlite3.Connection) -> None:
    """Run the migrations that the database lacks, all of them or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        layout = _number(connection, "user_version")  # again: another process may have been faster
        for statements in MIGRATIONS[layout:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {max(layout, len(MIGRATIONS))}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    row: tuple[int] = connection.execute(f"PRAGMA {pragma}").fetchone()
    return row[0]


_EVERY: Final = (
    "trusted_schema = OFF",
    "cell_size_check = ON",
    "temp_store = MEMORY",  # else the journal of a statement could carry a secret into a temporary file
)
_WRITABLE: Final = (
    "synchronous = FULL",
    "secure_delete = ON",
    "fullfsync = ON",  # macOS: fsync alone does not reach the medium; no effect elsewhere
    "checkpoint_fullfsync = ON",
)


def connect(path: str, timeout: timedelta, *, writable: bool) -> tuple[sqlite3.Connection, bool]:
    """Open the database at `path`, an absolute path without symlinks, and check whose it is.

    The connection comes with whether it may be kept: one that takes no locks must not live on to see the file change,
    and one that keeps all others out must let them in again.

    Raises:
        sqlite3.Error: it cannot be opened or read.
        DamagedStoreError, ReadOnlyStoreError: as `check_layout`.
    """
    unfinished = files.size(path + "-wal") > 0
    if not writable:
        # A reader in WAL mode would have to make files beside it; but a log holds writes that must be read too.
        return _connect(path, timeout, "mode=ro" if unfinished else "mode=ro&immutable=1"), False
    connection, lasting = _connect_to_write(path, timeout)
    if not unfinished:
        return connection, lasting
    cleared = _recover(connection, timeout)
    if cleared and (not lasting or files.size(path + "-wal") > 0):
        # It is alone, and has no -shm file; or others keep that, or a sync failed, which closing would try again.
        return connection, lasting
    # SQLite may have copied memory of this process, secrets perhaps, into the -shm file: where the log had no whole
    # frame, `walIndexRecover` (3.40) writes there what it never filled. Whoever closes last removes that file.
    connection.close()
    if not cleared:
        with suppress(sqlite3.Error), closing(_connect_alone(path, timedelta())) as alone:
            erase_log(alone)
    return _connect_to_write(path, timeout)


def erase_log(connection: sqlite3.Connection) -> bool:
    """Move the log into the database and cut it to nothing. False: a reader was in the way until the timeout."""
    row: tuple[int, int, int] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return row[0] == 0


def _connect_to_write(path: str, timeout: timedelta) -> tuple[sqlite3.Connection, bool]:
    try:
        return _connect(path, timeout, "mode=rw", *_WRITABLE), True
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_IOERR_SHMSIZE:
            raise
    return _connect_alone(path, timeout), False


def _connect_alone(path: str, timeout: timedelta) -> sqlite3.Connection:
    """On a full disk: without the -shm file, which who is alone does not need (sqlite.org/wal.html §8)."""
    connection = _connect(path, timeout, "mode=rw", "locking_mode = EXCLUSIVE", *_WRITABLE)
    with suppress(OSError):
        files.drop_index(path)
    return connection


def _connect(path: str, timeout: timedelta, how: str, *pragmas: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file://{_quoted(path)}?{how}",
        uri=True,
        timeout=timeout.total_seconds(),
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        for pragma in (*pragmas, *_EVERY):
            connection.execute(f"PRAGMA {pragma}")
        check_layout(connection, path, writable=how == "mode=rw")
        if how == "mode=rw":
            connection.execute("PRAGMA journal_mode = WAL")  # a copy made by VACUUM INTO is not
    except BaseException:
        connection.close()
        raise
    return connection


def _recover(connection: sqlite3.Connection, timeout: timedelta) -> bool:
    """Clear the log of what a killed process left there: a payload never committed, or one destroyed.

    Where a reader is in the way, the next open tries again. False: the disk is full.
    """
    full = False
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        erase_log(connection)
    except sqlite3.OperationalError as error:
        full = is_full(error)
    connection.execute(f"PRAGMA busy_timeout = {round(timeout.total_seconds() * 1000)}")
    return not full


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


_PAUSE_SECONDS: Final = 0.01
_TURN_SECONDS: Final = 0.0001  # enough for a thread that waits to wake up
_T = TypeVar("_T")


class Session:
    """Lends out its connection, one user at a time, and makes sure that it leads to the file that is there now.

    A signal handler may raise at any moment; Ctrl-C does. Between taking a lock of its own by `with` and the block
    CPython calls none, and each use is such a block: it ends, its transaction is undone, and the lock is free again.
    """

    def __init__(self, path: str, timeout: timedelta) -> None:
        self.path = resolve(path)
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
        OPENED.add(self)
        self.read(lambda _: None)

    def close(self) -> None:
        """Close for good; later calls raise StoreUnavailableError."""
        self._take_turn()
        with self._lock:
            self._waiting.discard(get_ident())
            self._closed = True
            self._disconnect()
            OPENED.discard(self)

    def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T | None:
        """What `work` returns for the connection; None if there is no database yet.

        Raises:
            StoreUnavailableError, AccessDeniedError, DamagedStoreError: as the protocol says.
        """
        self._take_turn()
        with self._lock:
            self._waiting.discard(get_ident())
            try:
                connection = self._connected()
                found = None if connection is None else work(connection)
            except BaseException as error:
                self._give_up(error)
                raise
            self._rest()
        return found

    def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """What `work` returns for the connection, inside a transaction: durable afterwards or, after any error, undone.

        Raises:
            ReadOnlyStoreError, DurabilityUnknownError and what `read` raises: as the protocol says.
        """
        self._take_turn()
        with self._lock:
            self._waiting.discard(get_ident())
            try:
                connection = self._writable()
                connection.execute("BEGIN IMMEDIATE")
                done = work(connection)
                connection.execute("COMMIT")
            except BaseException as error:
                self._give_up(error)
                raise
            self._rest()
        return done

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
            return self.read(erase_log) is True
        except StoreError:  # whatever it is, the change is made: `erase` says so
            return False

    def _take_turn(self) -> None:
        """Let those go first who wait for the lock: with the lock alone, who writes in a loop would always be first."""
        if self._waiting:
            time.sleep(_TURN_SECONDS)
            self._waiting.clear()  # they had their turn, or were interrupted and will not come
        self._waiting.add(get_ident())

    def _connected(self) -> sqlite3.Connection | None:
        if self._closed:
            raise StoreUnavailableError(f"{self.path}: the store is closed; open it again")
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
            raise read_only(self.path)
        return connection

    def _rest(self) -> None:
        if not self._lasting:
            self._disconnect()

    def _give_up(self, error: BaseException) -> None:
        """After an error: undo the transaction. An error of SQLite's is raised as one of ours."""
        # Where an interrupt stopped a query, its frames hold a cursor, and that a snapshot which keeps the log from
        # being cut, for as long as anybody looks at the traceback.
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
            self._disconnect()  # whoever connects next looks for room in the log
        translate(self.path, error)

    def before_fork(self) -> None:
        """Wait until nobody uses the connection, and close it: it would break the locks of both processes."""
        self._take_turn()
        self._lock.acquire()
        self._disconnect()

    def after_fork_in_parent(self) -> None:
        """Let the threads go on; the next call opens a connection."""
        let_go(self._lock)

    def after_fork_in_child(self) -> None:
        """There is no thread that waits or holds anything."""
        self._waiting.clear()
        self._lock = RLock()


OPENED: Final[WeakSet[Session]] = WeakSet()
_forking = RLock()  # one thread at a time, so that two do not wait for each other


def let_go(lock: RLock) -> None:
    """Release a lock that this thread holds, however often it took it."""
    with suppress(RuntimeError):  # it is not ours any more
        while True:
            lock.release()


def _before_fork() -> None:
    _forking.acquire()
    for session in list(OPENED):
        session.before_fork()


def _after_fork_in_parent() -> None:
    for session in list(OPENED):
        session.after_fork_in_parent()
    let_go(_forking)


def _after_fork_in_child() -> None:
    global _forking
    for session in list(OPENED):
        session.after_fork_in_child()
    _forking = RLock()


if hasattr(os, "register_at_fork"):
    # Twice, for what they do can be done twice: a signal handler that raises, perhaps for a signal that came during the
    # fork, ends one of them anywhere, even as it begins, and the fork goes on all the same.
    for _ in range(2):
        os.register_at_fork(
            before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
        )
