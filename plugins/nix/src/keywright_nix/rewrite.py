"""Reading a narinfo and rewriting it, so that readers see the old or the new one at any time, even after a kill.

If signatures are only added at the end, they are appended in place by one write, which is ten times cheaper than a
rename. One write is atomic for readers if it stays within one page of the file: the kernel looks for a fatal signal and
allocates space between pages, and the new length of the file is visible once the bytes are. Otherwise a new file is
written beside the old one, and replaces it once it is on the medium.

A loss of power is another matter: ext4 may have written the new length before the bytes, and then the new lines are
zeros. They are on the medium once their `Batch` is synced; until then `without_zeros` repairs what was hit.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from keywright.errors import (
    AccessDeniedError,
    DurabilityError,
    FormatError,
    KeywrightError,
    ReadOnlyStoreError,
    StoreUnavailableError,
)
from keywright_nix.cache import temporary
from keywright_nix.narinfo import MAXIMUM_BYTES

if TYPE_CHECKING:
    from threading import Thread

_PAGE: Final = 4096
_BATCH: Final = 1024
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_APPEND: Final = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK

Identity: TypeAlias = tuple[int, int, int]
"""Shows whether a file was changed: inode, size in bytes, time of the last change in ns."""


class Replacement(NamedTuple):
    """A new narinfo that waits beside the old one.

    Attributes:
        path: The path of the old one.
        beside: The path of the new one.
        old: The identity of the old one when it was read.
    """

    path: str
    beside: str
    old: Identity


class Outcome(NamedTuple):
    """What became of one narinfo.

    Attributes:
        kind: `changed`, `unchanged`, `not vouched for`, `gone` or `faulty`.
        error: The problem of a faulty one.
        clashing: The names of our keys under which it has an invalid signature.
        replacement: What is yet to replace a changed one.
    """

    kind: str
    error: KeywrightError | None = None
    clashing: tuple[str, ...] = ()
    replacement: Replacement | None = None


# Shared objects, because nearly every outcome is one of these.
CHANGED, UNCHANGED, NOT_VOUCHED, GONE = map(Outcome, ("changed", "unchanged", "not vouched for", "gone"))


# ---- reading


def read_narinfo(path: str) -> tuple[bytes, os.stat_result]:
    """The bytes of a narinfo, and the status of the file when it was read.

    Raises:
        FileNotFoundError: It is gone.
        FormatError: It has more than 8 MiB, or is not a regular file.
        AccessDeniedError, StoreUnavailableError: It cannot be read.
    """
    try:
        descriptor = os.open(path, _READ)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _irregular(path)
            if status.st_size > MAXIMUM_BYTES:
                raise FormatError(f"{path}: has more than {MAXIMUM_BYTES} bytes", hint="this is not a narinfo")
            return os.read(descriptor, status.st_size + 1), status
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise FormatError(f"{path}: is a symbolic link", hint="sign the file that it leads to") from None
        raise (_irregular(path) if error.errno == errno.ENXIO else _failed(path, "read", error)) from None


def without_zeros(data: bytes) -> bytes:
    """A narinfo without the zero bytes that a loss of power left in place of appended lines."""
    return data.rstrip(b"\0") if data.endswith(b"\0") else data


# ---- writing one narinfo


def write(
    path: str, old: bytes, new: bytes, status: os.stat_result, *, dry_run: bool, clashing: tuple[str, ...] = ()
) -> Outcome:
    """Rewrite a narinfo if it changed and this is not a dry run. Problems are in the outcome, not raised."""
    if new == old:
        return Outcome("unchanged", clashing=clashing) if clashing else UNCHANGED
    try:
        replacement = None if dry_run else rewrite(path, old, new, status)
    except FileNotFoundError:
        return GONE
    except KeywrightError as error:
        return Outcome("faulty", error)
    return Outcome("changed", clashing=clashing, replacement=replacement) if clashing or replacement else CHANGED


def rewrite(path: str, old: bytes, new: bytes, status: os.stat_result) -> Replacement | None:
    """Change a narinfo from the bytes `old` (as `read_narinfo` gave them, with `status`) to `new`.

    Returns None when it is done. Otherwise `new` waits beside it for `replace` or `discard`. Mode and owner stay. A
    file with other names (hard links), or that its owner may not write, is replaced by a new one: the other names keep
    the old bytes. A new one has no extended attributes.

    Raises:
        FileNotFoundError: It is gone.
        StoreUnavailableError: It changed meanwhile, or the disk is full or fails; the narinfo is as it was.
        AccessDeniedError, ReadOnlyStoreError: It cannot be written; the narinfo is as it was.
    """
    can_append = (
        new.startswith(old)
        and len(old) // _PAGE == (len(new) - 1) // _PAGE
        and status.st_nlink == 1
        and status.st_mode & stat.S_IWUSR
    )
    try:
        if not can_append:
            return _write_beside(path, new, status)
        _append(path, new[len(old) :], status)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _failed(path, "written", error) from None
    return None


def replace(replacement: Replacement) -> None:
    """Replace the old narinfo by the new one, which must be on the medium.

    Raises:
        FileNotFoundError: The old one is gone; the new one is, too.
        StoreUnavailableError: The old one changed meanwhile, or the disk fails; the narinfo is as it was.
        AccessDeniedError, ReadOnlyStoreError: The directory cannot be written; the narinfo is as it was.
    """
    path, beside, old = replacement
    try:
        _check_unchanged(path, os.lstat(path), old)
        os.rename(beside, path)
    except BaseException as error:
        discard(replacement)
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise _failed(path, "written", error) from None
        raise


def discard(replacement: Replacement) -> None:
    """Remove the new narinfo, if it exists."""
    with suppress(OSError):
        os.unlink(replacement.beside)


def _append(path: str, tail: bytes, status: os.stat_result) -> None:
    descriptor = os.open(path, _APPEND)
    try:
        _check_unchanged(path, os.fstat(descriptor), _identity(status))
        is_whole = False
        try:
            is_whole = os.write(descriptor, tail) == len(tail)
        finally:
            if not is_whole:
                _undo_append(descriptor, path, status.st_size)
        if not is_whole:
            raise StoreUnavailableError(
                f"{path}: could not be written whole", hint="the narinfo is unchanged: free disk space"
            )
    finally:
        os.close(descriptor)


def _undo_append(descriptor: int, path: str, size: int) -> None:
    try:
        if os.fstat(descriptor).st_size > size:
            os.ftruncate(descriptor, size)
    except OSError as error:
        raise StoreUnavailableError(
            f"{path}: was only partly written, and could not be restored ({error.strerror})",
            hint=f"check the disk, then run `truncate -s {size}` on it, and sign again",
        ) from None


def _write_beside(path: str, new: bytes, status: os.stat_result) -> Replacement:
    from keywright.files import NewFile  # most narinfos are appended to

    directory, _, name = path.rpartition("/")
    replacement = Replacement(path, f"{directory}/{temporary(name)}", _identity(status))
    try:
        file = NewFile(replacement.beside, mode=stat.S_IMODE(status.st_mode), owner=status)
    except FileExistsError:
        raise StoreUnavailableError(
            f"{replacement.beside}: is in the way of the new narinfo: an earlier run left it",
            hint="delete it, then run the same command again",
        ) from None
    with file:
        file.write(new)
        if sys.platform != "linux":  # elsewhere a sync of everything returns before it is done
            file.sync()
    return replacement


def _identity(status: os.stat_result) -> Identity:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _check_unchanged(path: str, now: os.stat_result, then: Identity) -> None:
    if _identity(now) != then:
        raise StoreUnavailableError(f"{path}: changed while it was signed", hint="run the command again")


def _irregular(path: str) -> FormatError:
    return FormatError(f"{path}: is not a regular file", hint="remove it from the cache")


def _failed(path: str, done: str, error: OSError) -> KeywrightError:
    if isinstance(error, PermissionError):
        return AccessDeniedError(f"{path}: cannot be {done} ({error.strerror})", hint="run as its owner")
    if error.errno == errno.EROFS:
        return ReadOnlyStoreError(f"{path}: is on a read-only file system", hint="remount it")
    return StoreUnavailableError(
        f"{path}: cannot be {done} ({error.strerror})", hint="the narinfo is unchanged: check the disk"
    )


# ---- batches: one sync for all of a batch, then its renames; while one is synced, the next is signed


class Batch:
    """What was written to a directory and may not be on the medium yet. A sync for each narinfo would dominate."""

    def __init__(self, directory: str, descriptor: int) -> None:
        """`descriptor` is of the directory, opened before the first write: later disk errors are reported on it."""
        self._directory = directory
        self._descriptor = descriptor
        self._appended = 0
        self._waiting: list[tuple[str, Outcome]] = []
        self._before: _Sync | None = None

    def add(self, name: str, outcome: Outcome) -> None:
        """A narinfo was changed: it was appended to, or the outcome's replacement waits beside it."""
        if outcome.replacement is None:
            self._appended += 1
        else:
            self._waiting.append((name, outcome))

    @property
    def is_full(self) -> bool:
        """Whether it is time to `advance`."""
        return self._appended + len(self._waiting) >= _BATCH

    def advance(self, *, in_background: bool = True) -> Iterator[tuple[str, Outcome]]:
        """Start to sync this batch, and do the renames of the one before. Gives what became of those.

        Raises:
            DurabilityError: The system does not confirm that the one before is on the medium; nothing of it was
                renamed.
        """
        yield from self._settle()
        self._before = _Sync(self._descriptor, self._waiting)
        if in_background:
            self._before.start()
        else:
            self._before.run()
        self._appended, self._waiting = 0, []

    def finish(self) -> Iterator[tuple[str, Outcome]]:
        """Sync everything and do all renames. Gives what became of them. Raises: as `advance`."""
        if self._appended or self._waiting:
            yield from self.advance(in_background=False)
        yield from self._settle()

    def close(self) -> None:
        """Wait until no sync is running."""
        if self._before is not None:
            self._before.wait()

    def _settle(self) -> Iterator[tuple[str, Outcome]]:
        """Wait until the batch before is on the medium, and do its renames."""
        before, self._before = self._before, None
        if before is None:
            return
        error = before.wait()
        if error is not None:
            raise DurabilityError(
                f"{self._directory}: the system did not confirm that the last signatures are on disk "
                f"({error.strerror})",
                hint="check the disk, then run the same command again",
            )
        for name, outcome in before.waiting:
            yield name, _replaced(outcome)


class _Sync:
    """A batch that is being synced, and the outcomes that wait for it."""

    def __init__(self, descriptor: int, waiting: list[tuple[str, Outcome]]) -> None:
        self.waiting = waiting
        self._descriptor = descriptor
        self._error: OSError | None = None
        self._thread: Thread | None = None

    def start(self) -> None:
        """Sync in a thread."""
        from threading import Thread

        thread = Thread(target=self.run)
        try:
            thread.start()
        except RuntimeError:  # the system gives no more threads
            self.run()
        else:
            self._thread = thread

    def run(self) -> None:
        """Sync now."""
        try:
            _sync_file_system(self._descriptor)
        except OSError as error:
            self._error = error

    def wait(self) -> OSError | None:
        """The error; None once all of the batch is on the medium."""
        if self._thread is not None:
            self._thread.join()
        return self._error


def _replaced(outcome: Outcome) -> Outcome:
    if outcome.replacement is None:
        return outcome
    try:
        replace(outcome.replacement)
    except FileNotFoundError:
        return GONE
    except KeywrightError as error:
        return Outcome("faulty", error)
    return outcome._replace(replacement=None)


def _sync_file_system(descriptor: int) -> None:
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "syncfs"):  # only Linux has it; `os.sync` does more, and reports no error
        os.sync()
    elif library.syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
