"""The database's files: found, checked and made, without ever opening a live one.

Closing any descriptor of a file drops the POSIX locks that this process holds on it (sqlite.org/howtocorrupt.html
§2.2), so what is there already is looked at by `stat` alone.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import Final

from keywright.errors import AccessDeniedError, DamagedStoreError, DurabilityUnknownError, StoreUnavailableError
from keywright_sqlite.failures import lookup_error, system_error

__all__ = [
    "SIBLINGS",
    "accepts_writes",
    "check",
    "drop_index",
    "finish_placing",
    "is_temporary",
    "look",
    "place",
    "size",
]

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
