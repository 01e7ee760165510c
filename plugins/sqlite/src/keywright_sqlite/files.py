"""The database's files: found, checked and made, without ever opening a live one.

Closing any descriptor of a file drops the POSIX locks that this process holds on it (sqlite.org/howtocorrupt.html
§2.2), so what exists already is looked at by `stat` alone.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import Final

from keywright.errors import (
    AccessDeniedError,
    CorruptedStoreError,
    DurabilityError,
    ReadOnlyStoreError,
    StoreError,
    StoreUnavailableError,
)
from keywright.files import (
    OPEN_TO_OTHERS,
    ErrorTable,
    Report,
    WriteErrors,
    make_directories,
    sync_directory,
    unsafe,
    write_file,
)

READ_ONLY: Final = Report(
    "{subject}: this user may not write the file or its directory, nothing was written",
    "run as its owner, or set `path` to a file in a directory that you can write to",
    ReadOnlyStoreError,
)
LOOKUP: Final = ErrorTable(
    denied=Report("{subject}: this user may not look into its directory", "ask the owner for access"),
    other=Report(
        "{subject}: the store cannot be reached: {reason}", "set `path` to another file", error=StoreUnavailableError
    ),
)
_PLACING: Final = ErrorTable(
    denied=READ_ONLY,
    other=Report(
        "{subject}: the store cannot be created, nothing was written: {reason}",
        "set `path` to a file in a directory that you can write to",
    ),
)
_SYNCING: Final = ErrorTable(
    other=Report(
        "{subject}: the system did not confirm that the new store is on the disk",
        "check the disk, then try again",
        DurabilityError,
    )
)
_UNSAFE_FILE: Final = {
    "kind": Report("{subject} is not a regular file", "point the setting `path` to a file", StoreUnavailableError),
    "owner": Report(
        "{subject} belongs to another user, who could change it", "use a store of your own, or have root `chown` it"
    ),
    "mode": Report(
        "{subject} is open to other users",
        "if it is a store, run `chmod 600 {subject}`, and replace the keys if others may have read them",
    ),
}
_UNSAFE_DIRECTORY: Final = {
    "owner": Report(
        "{subject} belongs to another user, who could replace the database",
        "use a directory of your own, or have root `chown` it",
    ),
    "mode": Report(
        "{subject} is writable by all users, who could replace the database",
        "run `chmod o-w {subject}`, and check that the keys in it are still yours",
    ),
}
_SIBLINGS: Final = ("-wal", "-shm", "-journal")
_TEMPORARY: Final = (".keywright-", ".new")
_EFFECTIVE: Final = os.access in os.supports_effective_ids


def resolve(path: str) -> str:
    """`path` as an absolute path without symlinks; SQLite keeps the log beside the file, not beside a link to it.

    Raises:
        AccessDeniedError: this user may not search a directory on the way.
        StoreUnavailableError: a link on the path leads to nothing (an unmounted volume is not an empty store), or the
            path changed while it was followed.
    """
    missing = os.path.abspath(path)
    while not os.path.exists(missing):
        # Of what is missing and no link, something above exists: the root at the latest.
        if os.path.islink(missing) and _is_missing(missing):
            raise StoreUnavailableError(
                f"{missing} is a broken link", hint="mount or create its target, or set another `path`"
            )
        missing = os.path.dirname(missing)
    with LOOKUP.about(path):
        return os.path.realpath(path)


def _is_missing(path: str) -> bool:
    try:
        return look(path) is None
    except StoreError:  # what it leads to cannot be seen, and may exist
        return False


def look(path: str) -> os.stat_result | None:
    """What the system says of `path`; None if nothing exists there.

    Raises:
        AccessDeniedError: this user may not search a directory on the way.
        StoreUnavailableError: it cannot be looked at for another reason.
    """
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LOOKUP.error(error, path) from None


def size(path: str) -> int:
    """The length in bytes; 0 if nothing exists there. Raises as `look`."""
    found = look(path)
    return 0 if found is None else found.st_size


def check(path: str, found: os.stat_result) -> None:
    """Check that the database and what is beside it are regular files that no other user can touch or replace.

    Raises:
        StoreUnavailableError: one is not a regular file.
        AccessDeniedError: one is neither this user's nor root's, or open to others, or cannot be read, or others may
            change what is in the directory.
        CorruptedStoreError: the database is empty: it is put in place whole, so this one lost its content.
    """
    _check_directories(os.path.dirname(path))
    _check_private(path, found)
    for sibling in (path + end for end in _SIBLINGS):
        beside = look(sibling)
        if beside is not None:
            _check_private(sibling, beside)
    if not os.access(path, os.R_OK, effective_ids=_EFFECTIVE):
        raise AccessDeniedError(f"{path}: this user may not read it", hint=f"run `chmod 600 {path}` as its owner")
    if found.st_size == 0:
        raise CorruptedStoreError(f"{path} is empty", hint="restore it from a backup, or remove it")


def _check_private(path: str, found: os.stat_result) -> None:
    reason = unsafe(found, regular=True, forbidden=OPEN_TO_OTHERS)
    if reason is not None:
        raise _UNSAFE_FILE[reason].as_error(path, default=AccessDeniedError)


def _check_directories(directory: str) -> None:
    """SQLite opens by path, so a user who may rename in a directory above could replace the way there."""
    owners = {os.geteuid(), 0}
    _check_directory(directory, owners)
    outside = look("/proc")  # root's: in a user namespace, root outside has another number, as has all that is its
    if outside is not None:
        owners.add(outside.st_uid)
    while directory != os.path.dirname(directory):
        directory = os.path.dirname(directory)
        _check_directory(directory, owners)


def _check_directory(directory: str, owners: set[int]) -> None:
    found = look(directory)
    if found is None:
        return
    reason = unsafe(found, forbidden=0 if found.st_mode & stat.S_ISVTX else stat.S_IWOTH, owners=owners)
    if reason is not None:
        raise _UNSAFE_DIRECTORY[reason].as_error(directory, default=AccessDeniedError)


def accepts_writes(path: str) -> bool:
    """Whether this user may write the database and make files beside it."""
    directory = os.path.dirname(path)
    return os.access(path, os.W_OK, effective_ids=_EFFECTIVE) and os.access(
        directory, os.W_OK | os.X_OK, effective_ids=_EFFECTIVE
    )


def place(path: str, image: bytes) -> None:
    """Put a whole new database at `path`, 0600 under any umask. One that another process put there first stays.

    Raises:
        AccessDeniedError: others may change what is in the directory.
        ReadOnlyStoreError: the directory takes no files from this user.
        StoreUnavailableError: it could not be made for another reason; nothing is at `path`.
        DurabilityError: it, or a directory, could not be synced; it may be there or not.
    """
    directory = os.path.dirname(path)
    errors = WriteErrors(write=_PLACING, sync=_SYNCING, finish=_SYNCING)
    temporary = os.path.join(directory, os.urandom(8).hex().join(_TEMPORARY))
    with _PLACING.about(path):
        if not os.path.isdir(directory):
            make_directories(directory, subject=path, unsynced=_SYNCING)
    _check_directories(directory)
    try:
        write_file(path, image, replace=False, subject=path, errors=errors, temporary=temporary)
    except FileExistsError:
        with _SYNCING.about(path):
            sync_directory(directory)


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


def is_temporary(name: str) -> bool:
    """Whether a file of this name is one that `place` makes, and takes away."""
    start, end = _TEMPORARY
    return name.startswith(start) and name.endswith(end)
