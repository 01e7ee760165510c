"""The database's files: found, checked and made, without ever opening a live one.

Closing any descriptor of a file drops the POSIX locks that this process holds on it (sqlite.org/howtocorrupt.html
§2.2), so what is there already is looked at by `stat` alone.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from contextlib import suppress
from typing import Final

from keywright.errors import (
    AccessDeniedError,
    DamagedStoreError,
    DurabilityUnknownError,
    InvalidNameError,
    ReadOnlyStoreError,
    StoreError,
    StoreUnavailableError,
)

SIBLINGS: Final = ("-wal", "-shm", "-journal")
_TEMPORARY: Final = (".keywright-", ".new")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_EFFECTIVE: Final = os.access in os.supports_effective_ids


def look(path: str) -> os.stat_result | None:
    """What the system says of `path`; None if nothing is there.

    Raises:
        AccessDeniedError: this user may not search a directory on the way.
        StoreUnavailableError: it cannot be looked at for another reason.
    """
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise lookup_error(path, error) from None


def size(path: str) -> int:
    """The length in bytes; 0 if nothing is there. Raises as `look`."""
    found = look(path)
    return 0 if found is None else found.st_size


def check(path: str, found: os.stat_result) -> None:
    """Check that the database and what stands beside it are regular files that no other user can touch or replace.

    Raises:
        StoreUnavailableError: one is no regular file.
        AccessDeniedError: one is neither this user's nor root's, or open to others, or cannot be read, or others may
            change what is in the directory.
        DamagedStoreError: the database is empty: it is put in place whole, so this one lost its content.
    """
    _check_directories(os.path.dirname(path))
    _check_private(path, found)
    for sibling in (path + end for end in SIBLINGS):
        beside = look(sibling)
        if beside is not None:
            _check_private(sibling, beside)
    if not os.access(path, os.R_OK, effective_ids=_EFFECTIVE):
        raise AccessDeniedError(f"{path}: this user may not read it; run `chmod 600 {path}` as its owner")
    if found.st_size == 0:
        raise DamagedStoreError(f"{path} is empty, which a store never is; restore it from a backup, or remove it")


def _check_private(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise StoreUnavailableError(f"{path} is no regular file; point the setting `path` to a file")
    if found.st_uid not in (os.geteuid(), 0):
        raise AccessDeniedError(
            f"{path} belongs to another user, who could change it; use a store of your own, or have root `chown` it"
        )
    if found.st_mode & _OTHERS:
        raise AccessDeniedError(
            f"{path} is open to other users; run `chmod 600 {path}`, and replace the keys if others may have read them"
        )


def _check_directories(directory: str) -> None:
    """SQLite opens by path, so whoever may rename in a directory above could swap the whole way there."""
    keepers = {os.geteuid(), 0}
    _check_directory(directory, keepers)
    outside = look("/proc")  # root's: in a user namespace, root outside has another number, as has all that is its
    if outside is not None:
        keepers.add(outside.st_uid)
    while directory != os.path.dirname(directory):
        directory = os.path.dirname(directory)
        _check_directory(directory, keepers)


def _check_directory(directory: str, keepers: set[int]) -> None:
    found = look(directory)
    if found is None:
        return
    if found.st_uid not in keepers:
        raise AccessDeniedError(
            f"{directory} belongs to another user, who could put another database in the store's place; use a "
            "directory of your own, or have root `chown` it"
        )
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        raise AccessDeniedError(
            f"{directory} is writable by everybody, who could put another database in the store's place; run "
            f"`chmod o-w {directory}`, and see that the keys in it are still yours"
        )


def accepts_writes(path: str) -> bool:
    """Whether this user may write the database and make files beside it."""
    directory = os.path.dirname(path)
    return os.access(path, os.W_OK, effective_ids=_EFFECTIVE) and os.access(
        directory, os.W_OK | os.X_OK, effective_ids=_EFFECTIVE
    )


def place(path: str, image: bytes) -> None:
    """Put a whole new database at `path`, 0600 under any umask. Whoever comes second finds the first one's.

    Raises:
        AccessDeniedError: others may change what is in the directory.
        ReadOnlyStoreError: the directory takes no files from this user.
        StoreUnavailableError: it could not be made for another reason; nothing is at `path`.
        DurabilityUnknownError: it, or a directory, could not be synced; it may be there or not.
    """
    directory = os.path.dirname(path)
    temporary = os.path.join(directory, os.urandom(8).hex().join(_TEMPORARY))
    try:
        _make_directories(directory, path)
        _check_directories(directory)
        try:
            _write(temporary, image, path)
            # Unlike a rename, a link never replaces a database that another process has put there meanwhile.
            with suppress(FileExistsError):
                os.link(temporary, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
    except OSError as error:
        raise system_error(path, error) from None
    _sync_directory(directory, path)


def finish_placing(path: str, found: os.stat_result) -> None:
    """Take away the second name that a process leaves if it dies between the two steps of `place`.

    Under that name the keys would outlive the removal of the store.
    """
    if found.st_nlink == 1:
        return
    with suppress(OSError), os.scandir(os.path.dirname(path)) as entries:
        for entry in entries:
            if is_temporary(entry.name) and entry.inode() == found.st_ino:
                os.unlink(entry.path)


def drop_index(path: str) -> None:
    """Remove the index of the log, which takes 32 KiB, while this process holds the database alone."""
    os.unlink(path + "-shm")


def is_temporary(name: str) -> bool:
    """Whether a file of this name is one that `place` makes, and takes away."""
    start, end = _TEMPORARY
    return name.startswith(start) and name.endswith(end)


def _write(temporary: str, content: bytes, path: str) -> None:
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)  # a umask may take away even the owner's bits
        file.write(content)
        file.flush()
        _sync(descriptor, path)


def _make_directories(directory: str, path: str) -> None:
    """Make `directory` and what is missing above it, 0700 and durable."""
    if os.path.isdir(directory):
        return
    above = os.path.dirname(directory)
    _make_directories(above, path)
    try:
        os.mkdir(directory, 0o700)
        os.chmod(directory, 0o700)
    except FileExistsError:
        return  # another process was faster; if it is no directory, the next step says so
    _sync_directory(above, path)


def _sync_directory(directory: str, path: str) -> None:
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        raise _unconfirmed(path) from None
    try:
        _sync(descriptor, path)
    finally:
        with suppress(OSError):  # it was only read from
            os.close(descriptor)


def _sync(descriptor: int, path: str) -> None:
    try:
        os.fsync(descriptor)
    except OSError:
        raise _unconfirmed(path) from None


def _unconfirmed(path: str) -> DurabilityUnknownError:
    return DurabilityUnknownError(
        f"{path}: the system could not confirm that the new store is on the medium; check the disk, then try again"
    )


def resolve(path: str) -> str:
    """`path` as an absolute path without symlinks; SQLite keeps the log beside the file, not beside a link to it.

    Raises:
        AccessDeniedError: this user may not search a directory on the way.
        StoreUnavailableError: a link on the way leads to nothing (a volume that is not mounted is no empty store), or
            the way changed while it was followed.
    """
    _check_links(os.path.abspath(path))
    try:
        return os.path.realpath(path)
    except OSError as error:
        raise lookup_error(path, error) from None


def _check_links(path: str) -> None:
    missing = path
    while not os.path.exists(missing):
        # Of what is missing and no link, something above is there: the root at the latest.
        if os.path.islink(missing) and _is_missing(missing):
            raise StoreUnavailableError(
                f"{missing}: is a link to nothing; mount or make what it leads to, or set another `path`"
            )
        missing = os.path.dirname(missing)


def _is_missing(path: str) -> bool:
    try:
        os.stat(path)
    except FileNotFoundError:
        return True
    except OSError:  # what it leads to cannot be seen, and may be there
        pass
    return False


_BYTE: Final = 0xFF  # the low byte of an extended result code is the primary one (sqlite.org/rescode.html §4)
_UNSYNCED: Final = (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC)
_DAMAGE: Final = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_ERROR,  # our own statements are right, so a table or column is not
    sqlite3.SQLITE_SCHEMA,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
)
_REFUSED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


def translate(path: str, error: BaseException) -> None:
    """Raise what SQLite raised as an error about the database at `path`; return if it was no error of SQLite's."""
    if isinstance(error, sqlite3.Error):
        raise store_error(path, error) from None
    if isinstance(error, UnicodeDecodeError):  # of what SQLite would have said
        raise _damaged(path) from None
    if isinstance(error, OverflowError | UnicodeEncodeError):
        raise InvalidNameError(
            "no store holds such a name or version; names are made of a-z, 0-9, '.', '_', '-' and '/', versions "
            "are whole numbers from 1"
        ) from None


def store_error(path: str, error: sqlite3.Error) -> StoreError:
    """The error to raise for `error`, by its extended result code. Unless it says otherwise, nothing was written."""
    # Without a code it is the module's own: only text that is no UTF-8 is operational.
    unsaid = sqlite3.SQLITE_CORRUPT if isinstance(error, sqlite3.OperationalError) else sqlite3.SQLITE_INTERNAL
    extended: int = getattr(error, "sqlite_errorcode", unsaid)
    code = extended & _BYTE
    if extended in _UNSYNCED:
        return DurabilityUnknownError(
            f"{path}: the system could not confirm that the write is on the medium; check the disk, then look what "
            "the store holds before trying again"
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreUnavailableError(
            f"{path}: another program held the store's lock for longer than the setting `timeout` allows; nothing "
            "was written; try again, or raise `timeout`"
        )
    if code == sqlite3.SQLITE_READONLY:
        return read_only(path)
    if code == sqlite3.SQLITE_NOTADB:
        return DamagedStoreError(f"{path} is no SQLite database; restore it from a backup, or correct `path`")
    if code in _DAMAGE:
        return _damaged(path)
    if code == sqlite3.SQLITE_FULL:
        return StoreUnavailableError(f"{path}: the disk is full; nothing was written; make room and try again")
    if code == sqlite3.SQLITE_CANTOPEN:
        return StoreUnavailableError(
            f"{path}: the database, its -wal or its -shm file cannot be opened; nothing was written; see that its "
            "directory is yours to read and write"
        )
    name: str = getattr(error, "sqlite_errorname", "an error without a code")
    return StoreUnavailableError(f"{path}: SQLite reports {name}; nothing was written; check the disk and try again")


def _damaged(path: str) -> DamagedStoreError:
    return DamagedStoreError(f"{path}: the database is damaged; restore it from a backup")


def is_full(error: BaseException | None) -> bool:
    """Whether SQLite found no room on the disk."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def system_error(path: str, error: OSError) -> StoreError:
    """The error to raise for a system call that failed while the store was made; nothing was written."""
    if error.errno in _REFUSED:
        return read_only(path)
    return StoreUnavailableError(f"{path}: the store cannot be made: {error.strerror}; nothing was written")


def read_only(path: str) -> ReadOnlyStoreError:
    """For a write where the file or its directory allows none."""
    return ReadOnlyStoreError(
        f"{path}: the file or its directory takes no writes from this user; nothing was written; use a writable place"
    )


def lookup_error(path: str, error: OSError) -> StoreError:
    """The error to raise where the file could not even be looked at."""
    if error.errno in _REFUSED:
        return AccessDeniedError(f"{path}: this user may not look into its directory; ask the owner for access")
    return StoreUnavailableError(f"{path}: the store cannot be reached: {error.strerror}; correct `path`")
