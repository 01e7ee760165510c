"""Files for stores and other plugins: written whole, synced, locked, and checked for who may change them.

The words of an error come from the caller, which knows what the file is and what the user can do about it.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from _thread import RLock
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Self, TypeVar

from keywright.errors import (
    AccessDeniedError,
    CorruptedStoreError,
    KeywrightError,
    ReadOnlyStoreError,
    StoreUnavailableError,
)
from keywright.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from types import TracebackType

__all__ = [
    "OPEN_TO_OTHERS",
    "WRITABLE_BY_OTHERS",
    "ErrorTable",
    "NewFile",
    "ProcessLock",
    "Report",
    "Unsafe",
    "WriteErrors",
    "check_owner",
    "has_locks",
    "locked",
    "make_directories",
    "make_directory",
    "sync",
    "sync_directory",
    "unsafe",
    "write_file",
]

_T = TypeVar("_T")

# What the system reports, as errors of keywright.


class Report(NamedTuple):
    """The error that a system's error becomes.

    Attributes:
        message, hint: as for `KeywrightError`; `{subject}` and `{reason}` in them are replaced.
        error: the class; None: that of the kind of error.
    """

    message: str
    hint: str | None = None
    error: type[KeywrightError] | None = None

    def as_error(
        self, subject: str, *, reason: str = "", default: type[KeywrightError] = StoreUnavailableError
    ) -> KeywrightError:
        """The error about `subject`, usually a path; `default` is its class if the report has none."""
        hint = None if self.hint is None else self.hint.format(subject=subject, reason=reason)
        return (self.error or default)(self.message.format(subject=subject, reason=reason), hint=hint)


_KINDS: Final = {
    **dict.fromkeys((errno.EACCES, errno.EPERM), "denied"),
    errno.EROFS: "read_only",
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "full"),
    **dict.fromkeys((errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO), "misplaced"),
    errno.ENOENT: "missing",
}
_CLASSES: Final[dict[str, type[KeywrightError]]] = {
    "denied": AccessDeniedError,
    "read_only": ReadOnlyStoreError,
    "full": StoreUnavailableError,
    "misplaced": CorruptedStoreError,
    "missing": StoreUnavailableError,
    "other": StoreUnavailableError,
}


class ErrorTable(NamedTuple):
    """Which error an `OSError` becomes, and in which words.

    A module makes one table for each thing that it does with its files:

        READING = ErrorTable(denied="{subject}: you may not read it ({reason}); …", other="{subject}: {reason}; …")

        with READING.about(path):
            data = read(path)

    Each entry is a message, or an error class and a message (see `Report`).

    Attributes:
        other: any reason without an entry; StoreUnavailableError unless a class is given.
        denied: this user lacks a permission; AccessDeniedError.
        read_only: the file system is mounted read-only; ReadOnlyStoreError. Without an entry, as `denied`.
        full: there is no room on the disk or in the quota; StoreUnavailableError.
        misplaced: a link or another kind of file than was expected; CorruptedStoreError.
        missing: the file, or a directory above it, does not exist; StoreUnavailableError.
    """

    other: str | Report
    denied: str | Report | None = None
    read_only: str | Report | None = None
    full: str | Report | None = None
    misplaced: str | Report | None = None
    missing: str | Report | None = None

    def error(self, error: OSError, subject: str) -> KeywrightError:
        """The error to raise instead of `error`; `subject` is what the message is about, usually a path."""
        number = error.errno or 0
        kind = _KINDS.get(number, "other")
        if kind == "read_only" and self.read_only is None:
            kind = "denied"
        entry: str | Report | None = getattr(self, kind)
        if entry is None:
            kind, entry = "other", self.other
        report = Report(entry) if isinstance(entry, str) else entry
        return report.as_error(subject, reason=os.strerror(number), default=_CLASSES[kind])

    def about(self, subject: str) -> _About:
        """A context that raises the error of this table in place of an `OSError` of its block."""
        return _About(self, subject)


class _About:
    __slots__ = ("_subject", "_table")

    def __init__(self, table: ErrorTable | None, subject: str) -> None:
        self._table = table
        self._subject = subject

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._table is not None and isinstance(error, OSError):
            raise self._table.error(error, self._subject) from None


# Who may change a file.

WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
OPEN_TO_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

Unsafe = Literal["kind", "owner", "mode"]
"""Why a file is not trusted: it is not a regular file, another user owns it, or others have a permission."""


def unsafe(
    found: os.stat_result,
    *,
    regular: bool = False,
    forbidden: int = WRITABLE_BY_OTHERS,
    owners: Container[int] | None = None,
) -> Unsafe | None:
    """Why a file or directory is not to be trusted; None if it may be.

    Args:
        found: what `os.fstat` returned for it.
        regular: whether it has to be a regular file.
        forbidden: mode bits, one of which makes it unsafe.
        owners: the users that it may belong to; by default this user and root.

    Where the system has no POSIX users, only the kind of file is looked at.
    """
    if regular and not stat.S_ISREG(found.st_mode):
        return "kind"
    if os.name != "posix":
        return None
    owner = found.st_uid
    if (owner and owner != os.geteuid()) if owners is None else owner not in owners:
        return "owner"
    return "mode" if found.st_mode & forbidden else None


def check_owner(found: os.stat_result, subject: str, what: str) -> None:
    """Refuse a file or directory that others than this user and root could change.

    Args:
        found: what `os.fstat` returned for it.
        subject: what the message is about, usually a path.
        what: what the message calls it, as in "the file".

    Raises:
        AccessDeniedError: another user owns it, or others may write it.
    """
    if found.st_uid and found.st_uid != os.geteuid():
        raise AccessDeniedError(
            f"{subject}: {what} belongs to another user", hint="run as that user, or change its owner"
        )
    if found.st_mode & WRITABLE_BY_OTHERS:
        raise AccessDeniedError(f"{subject}: {what} may be changed by other users", hint="run `chmod go-w` on it")


# Writing.


class NewFile:
    """A file that did not exist before, open for writing. Leaving the block closes it; an error removes it."""

    __slots__ = ("_descriptor", "_directory", "_name")

    def __init__(
        self, name: str, *, directory: int | None = None, mode: int = 0o600, owner: os.stat_result | None = None
    ) -> None:
        """Create `name`, a path, or a name in the open directory `directory`. A link there is not followed.

        It has `mode` under any umask, and the owner and group of `owner` if this user may give files away.

        Raises:
            OSError: it could not be created; FileExistsError: something has this name.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        self._name = name
        self._directory = directory
        self._descriptor = os.open(name, flags, 0o600, dir_fd=directory)
        try:
            if owner is not None:
                with suppress(PermissionError):
                    os.fchown(self._descriptor, owner.st_uid, owner.st_gid)
            os.fchmod(self._descriptor, mode)
        except BaseException:
            os.close(self._descriptor)
            _discard(name, directory)
            raise

    def write(self, data: bytes | Secret) -> None:
        """Write all of `data`.

        Raises:
            OSError: it could not be written.
        """
        rest = memoryview(data.reveal() if isinstance(data, Secret) else data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def set_time(self, nanoseconds: int) -> None:
        """Set the times of last access and last change, in nanoseconds since the epoch.

        Raises:
            OSError: they could not be set.
        """
        os.utime(self._descriptor, ns=(nanoseconds, nanoseconds))

    def sync(self) -> os.stat_result:
        """Have the medium hold what was written, and return what the file is now.

        Raises:
            OSError: the system does not confirm it.
        """
        sync(self._descriptor)
        return os.fstat(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        try:
            os.close(self._descriptor)
        except BaseException:
            _discard(self._name, self._directory)
            raise
        if kind is not None:
            _discard(self._name, self._directory)


class WriteErrors(NamedTuple):
    """The errors of `write_file`, by the step that failed. Without a table, the step raises the `OSError` itself.

    Attributes:
        write: the new file could not be written or put in its place. Nothing changed.
        sync: the system did not confirm what was written, before it was put in its place. Nothing changed.
        finish: it is in its place, but the system did not confirm the entry of the directory.
        create: the new file could not be created; by default as `write`.
    """

    write: ErrorTable | None = None
    sync: ErrorTable | None = None
    finish: ErrorTable | None = None
    create: ErrorTable | None = None


def write_file(
    name: str,
    data: bytes | Secret,
    *,
    replace: bool,
    subject: str,
    errors: WriteErrors,
    directory: int | None = None,
    temporary: str | None = None,
    temporary_directory: int | None = None,
    mode: int = 0o600,
    owner: os.stat_result | None = None,
    time_ns: int | None = None,
) -> None:
    """Make `name` a file of these bytes, durably: at any moment, a crash included, it is as before or whole.

    The bytes go to a temporary file, which is synced, then takes the name, and the directory is synced. Until it has
    the name, an error removes it. A symbolic link at `name` is never followed: it is what has the name.

    Args:
        name: a path, or a name in the open directory `directory`.
        data: the bytes.
        replace: whether to take the place of a file that has the name.
        subject: what the messages of `errors` are about, usually the path.
        errors: the error for each step that can fail.
        directory: a descriptor.
        temporary: the path of the temporary file, or its name in `temporary_directory`, on the same file system; by
            default a new name beside `name`.
        temporary_directory: a descriptor; by default `directory`, if `temporary` is not given.
        mode: the permissions, under any umask.
        owner: whose owner and group the file gets, if this user may give files away.
        time_ns: the time of last change, in nanoseconds since the epoch; by default now.

    Raises:
        FileExistsError: something has the name and `replace` is False. Nothing changed.
        KeywrightError: as `errors` says.
        OSError: a step without a table failed.
    """
    if temporary is None:
        # Not made of the file's own name, which may be as long as names can be.
        temporary = os.path.join(os.path.dirname(name), f".keywright.{os.urandom(8).hex()}.tmp")
        temporary_directory = directory
    is_ours = True
    try:
        with _About(errors.write, subject):
            try:
                new = NewFile(temporary, directory=temporary_directory, mode=mode, owner=owner)
            except OSError:
                is_ours = False  # something else may have the name
                with _About(errors.create, subject):
                    raise
            with new:
                new.write(data)
                if time_ns is not None:
                    new.set_time(time_ns)
                with _About(errors.sync, subject):
                    new.sync()
            exists = not _place(temporary, temporary_directory, name, directory, replace=replace)
    except BaseException:
        # Here, and not only where it is used: a signal handler that raises may come between two steps.
        if is_ours:
            _discard(temporary, temporary_directory)
        raise
    if exists:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
    with _About(errors.finish, subject):
        if directory is None:
            sync_directory(os.path.dirname(name))
        else:
            sync(directory)


def _place(temporary: str, source: int | None, name: str, target: int | None, *, replace: bool) -> bool:
    """Move a file to `name`. False: something has the name, and the file is gone."""
    if replace:
        os.rename(temporary, name, src_dir_fd=source, dst_dir_fd=target)
        return True
    try:
        # A rename would silently replace a file that appeared meanwhile.
        os.link(temporary, name, src_dir_fd=source, dst_dir_fd=target)
    except FileExistsError:
        _discard(temporary, source)
        return False
    with suppress(FileNotFoundError):  # another process may tidy up after one that died here
        os.unlink(temporary, dir_fd=source)
    return True


def _discard(name: str, directory: int | None) -> None:
    with suppress(OSError):  # the error before it says more
        os.unlink(name, dir_fd=directory)


def sync(descriptor: int) -> None:
    """Have the medium hold what was written to an open file, or the entries of an open directory.

    Raises:
        OSError: the system does not confirm it.
    """
    if sys.platform == "darwin":
        import fcntl

        # There fsync stops at the drive's own cache. Not every file system there knows the stronger call.
        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        except OSError:
            os.fsync(descriptor)
    else:
        os.fsync(descriptor)


def sync_directory(path: str) -> None:
    """Have the medium hold the entries of the directory at `path`; empty: the current one.

    Raises:
        OSError: it cannot be opened, or the system does not confirm it.
    """
    descriptor = os.open(path or os.curdir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(descriptor)
    finally:
        with suppress(OSError):  # it was only read from
            os.close(descriptor)


def make_directory(name: str, *, directory: int | None = None) -> None:
    """Make a directory with mode 0700 under any umask. One that exists is left as it is.

    `name` is a path, or a name in the open directory `directory`.

    Raises:
        OSError: it cannot be made.
    """
    try:
        os.mkdir(name, 0o700, dir_fd=directory)
    except FileExistsError:
        return
    os.chmod(name, 0o700, dir_fd=directory)


def make_directories(path: str, *, subject: str, unsynced: ErrorTable) -> None:
    """Make the directory at `path`, and those missing above it: with mode 0700, and durably.

    Raises:
        KeywrightError: as `unsynced` says, about `subject`, if the system does not confirm an entry.
        OSError: one cannot be made.
    """
    above, name = os.path.split(path.rstrip(os.sep))
    above = above or os.curdir
    try:
        parent = os.open(above, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        make_directories(above, subject=subject, unsynced=unsynced)
        parent = os.open(above, os.O_RDONLY | os.O_DIRECTORY)
    try:
        make_directory(name, directory=parent)
        with unsynced.about(subject):
            sync(parent)
    finally:
        with suppress(OSError):  # it was only read from
            os.close(parent)


# Locks.

_FIRST_PAUSE_SECONDS: Final = 0.000_5
_LONGEST_PAUSE_SECONDS: Final = 0.01


def has_locks() -> bool:
    """Whether this system has the locks of `locked`; Windows has not."""
    try:
        import fcntl  # noqa: F401  (whether it exists)
    except ImportError:
        return False
    return True


def locked(
    descriptor: int, work: Callable[[], _T], *, patience: float, busy: str, hint: str, shared: bool = False
) -> _T:
    """Return what `work` returns; the open file is locked by `flock` meanwhile.

    Threads exclude each other too if each opens the file itself. The kernel lets go when the process ends, however it
    ends. This is not a `with` block: a signal handler that raises, as Ctrl-C does, may come between an `__enter__` in
    Python and the block, and nothing would let go.

    Args:
        descriptor: the file. The caller opens it before and closes it afterwards.
        work: what to do under the lock.
        patience: how many seconds to wait for another process or thread.
        busy: the message if that was not enough.
        hint: its hint.
        shared: whether others may hold a shared lock at the same time.

    Raises:
        StoreUnavailableError: another one held the lock for longer than `patience`.
        OSError: the file cannot be locked.
    """
    import fcntl

    operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    deadline = time.monotonic() + patience
    pause = _FIRST_PAUSE_SECONDS
    try:
        while True:
            try:
                fcntl.flock(descriptor, operation)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise StoreUnavailableError(busy, hint=hint) from None
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        return work()
    finally:
        # Closing would not do: a child that another thread forked meanwhile has this descriptor open too.
        try:  # noqa: SIM105  (a signal handler may raise in `suppress`, before the lock is released)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        except OSError:
            pass  # what was done under the lock is done


class ProcessLock:
    """A lock for each process: a child does not wait for a thread that its parent had and it has not."""

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        self._locks: dict[int, RLock] = {}

    def mine(self) -> RLock:
        """This process's lock, to be held by `with`; a thread may take it again while it holds it."""
        # setdefault is atomic: threads that come at once get one lock.
        return self._locks.setdefault(os.getpid(), RLock())
