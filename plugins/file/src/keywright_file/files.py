"""Files and directories of the store: opened relative to one another, never through a link, and checked."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from types import TracebackType
from typing import Final

from keywright import Secret
from keywright.errors import AccessDeniedError, CorruptedStoreError, DurabilityError
from keywright.files import OPEN_TO_OTHERS, ErrorTable, Report, check_owner, make_directory, sync

LONGEST_FILE_BYTES: Final = 16 * 1024 * 1024  # what is longer is not a key, and might not fit into memory
# O_NONBLOCK: a FIFO in the place of a file must not make us wait for its other end.
SAFELY: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY
MISPLACED: Final = Report(
    "{subject}: expected a file or directory of the store, found a link or a special file",
    "restore it from a backup",
    CorruptedStoreError,
)


def _table(outcome: str) -> ErrorTable:
    """`outcome` says what became of a write: `, nothing was written`, or nothing."""
    return ErrorTable(
        denied=Report(
            f"{{subject}}: access is denied ({{reason}}){outcome}",
            "run as the store's owner, or change its permissions",
        ),
        read_only=Report(
            f"{{subject}}: the file system is mounted read-only{outcome}", "remount it, or use another store"
        ),
        full=Report(f"{{subject}}: the disk is full ({{reason}}){outcome}", "free disk space and try again"),
        misplaced=MISPLACED,
        other=Report(f"{{subject}}: {{reason}}{outcome}", "fix the cause and try again"),
    )


READ_ERRORS: Final = _table("")
WRITE_ERRORS: Final = _table(", nothing was written")
"""As long as nothing of a write is visible."""
UNDONE_ERRORS: Final = ErrorTable(
    other=Report(
        "{subject}: the system did not confirm a write ({reason}), so it was undone and the store is as it was",
        "check the disk",
        DurabilityError,
    )
)
"""Around the sync of something that is not visible yet, and is given up if the sync fails."""
UNCERTAIN_ERRORS: Final = ErrorTable(
    other=Report(
        "{subject}: the change was made, but the system did not confirm or complete it ({reason})",
        "check the disk, then read the record again before you rely on it",
        DurabilityError,
    )
)
"""Once the change is visible: whatever fails now, it may not be on the medium."""


def damaged(subject: str, fault: str) -> CorruptedStoreError:
    """`SUBJECT: FAULT; …`."""
    return CorruptedStoreError(f"{subject}: {fault}", hint="restore it from a backup")


class Directory:
    """An open directory; leaving the block closes it.

    It is only read from, so a close that fails takes nothing back, and the descriptor is gone all the same.
    """

    __slots__ = ("descriptor", "status")

    def __init__(self, name: str, subject: str, *, parent: int | None = None) -> None:
        """Open `name` in `parent`; without a parent it is a path of the user's, whose links are followed.

        Raises:
            OSError: it cannot be opened, `FileNotFoundError` if it does not exist.
            AccessDeniedError: another user owns it or may change what is in it.
        """
        flags = _DIRECTORY if parent is None else _DIRECTORY | os.O_NOFOLLOW
        self.descriptor = os.open(name, flags, dir_fd=parent)
        try:
            self.status = os.fstat(self.descriptor)
            check_owner(self.status, subject, "the directory")
        except BaseException:
            os.close(self.descriptor)
            raise

    def __enter__(self) -> int:
        return self.descriptor

    def __exit__(self, _kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        with suppress(OSError):
            os.close(self.descriptor)


def open_or_make(parent: int, name: str, subject: str) -> Directory:
    """Open a directory in another; make it, for its owner alone, if it does not exist. Raises as `Directory`."""
    try:
        return Directory(name, subject, parent=parent)
    except FileNotFoundError:
        make_directory(name, directory=parent)
        return Directory(name, subject, parent=parent)


def status(name: str, directory: int) -> os.stat_result:
    """What the entry of a directory is; a link is not followed.

    Raises:
        OSError: that cannot be seen, `FileNotFoundError` if it does not exist.
    """
    return os.stat(name, dir_fd=directory, follow_symlinks=False)


def exists(name: str, directory: int) -> bool:
    """Whether a directory has an entry of this name. Raises as `status`."""
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
        return True
    except FileNotFoundError:
        return False


def read_file(directory: int, name: str, subject: str) -> tuple[Secret, os.stat_result]:
    """Read a whole file, and what it is.

    Raises:
        OSError: it cannot be read, `FileNotFoundError` if it does not exist.
        AccessDeniedError: another user owns it or may change it.
        CorruptedStoreError: it is not a regular file, longer than `LONGEST_FILE_BYTES`, or changed while it was read.
    """
    descriptor = os.open(name, os.O_RDONLY | SAFELY, dir_fd=directory)
    try:
        found = os.fstat(descriptor)
        check_file(found, subject)
        if found.st_size > LONGEST_FILE_BYTES:
            raise damaged(subject, "a file is longer than any that keywright writes")
        data = Secret(os.read(descriptor, found.st_size + 1))
    finally:
        os.close(descriptor)
    if len(data) != found.st_size:
        raise damaged(subject, "a file changed while it was read")
    return data, found


def check_file(found: os.stat_result, subject: str) -> None:
    """Refuse a file that others than its owner may change.

    Raises:
        AccessDeniedError: another user owns it or may change it.
        CorruptedStoreError: it is not a regular file.
    """
    if not stat.S_ISREG(found.st_mode):
        raise MISPLACED.as_error(subject)
    check_owner(found, subject, "the file")


def check_key_file(found: os.stat_result, subject: str) -> None:
    """Refuse a payload file that others than its owner may read or change. Raises as `check_file`."""
    check_file(found, subject)
    if found.st_mode & OPEN_TO_OTHERS:
        raise AccessDeniedError(
            f"{subject}: other users may read or change the key file",
            hint="run `chmod 0600` on it, and replace the key if others may have read it",
        )


def confirm(descriptor: int, subject: str) -> None:
    """Sync what is not visible yet.

    Raises:
        DurabilityError: the system does not confirm it; the change is to be given up.
    """
    with UNDONE_ERRORS.about(subject):
        sync(descriptor)
