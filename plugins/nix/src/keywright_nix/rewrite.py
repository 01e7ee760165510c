"""Reading a narinfo, and writing it anew so that whoever looks sees the old one or the new one, a kill notwithstanding.

Where signatures are only added at the end, they are appended in place by one write, which is ten times cheaper than a
rename. One write is whole for everybody if it stays in one page of the file: the kernel looks for a fatal signal and
makes room between pages, and the file's new length is seen once the bytes are there. Otherwise a new file is written
beside, and takes the old one's place once it is on the medium (`keywright_nix.rewrite`).

A loss of power is another matter: ext4 may have written the new length before the bytes, and then the new lines are
zeros. They are on the medium once their batch is synced; until then `without_zeros` mends what was hit.
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
    DurabilityUnknownError,
    FormatError,
    KeywrightError,
    ReadOnlyStoreError,
    StoreUnavailableError,
)
from keywright_nix.cache import temporary
from keywright_nix.narinfo import MAXIMUM_BYTES

if TYPE_CHECKING:
    from threading import Thread

    from keywright_nix.signing import Job


_PAGE: Final = 4096
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_APPEND: Final = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


Identity: TypeAlias = tuple[int, int, int]
"""What tells whether a file is still what it was: inode, size in bytes, time of the last change in ns."""


class Replacement(NamedTuple):
    """A narinfo that was written anew beside the old one.

    Attributes:
        path: the old one's.
        beside: the new one's.
        old: what the old one was when it was read.
    """

    path: str
    beside: str
    old: Identity


def read_narinfo(path: str) -> tuple[bytes, os.stat_result]:
    """The bytes of a narinfo, and what the file was then.

    Raises:
        FileNotFoundError: it is gone.
        FormatError: it has more than 8 MiB, or is no regular file.
        AccessDeniedError, StoreUnavailableError: it cannot be read.
    """
    try:
        descriptor = os.open(path, _READ)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _irregular(path)
            if status.st_size > MAXIMUM_BYTES:
                raise FormatError(f"{path}: has more than {MAXIMUM_BYTES} bytes; this is no narinfo")
            return os.read(descriptor, status.st_size + 1), status
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unread(path, error) from None


def without_zeros(data: bytes) -> bytes:
    """A narinfo without the zero bytes that a loss of power left in the place of lines that were appended."""
    return data.rstrip(b"\0") if data.endswith(b"\0") else data


def rewrite(path: str, old: bytes, new: bytes, status: os.stat_result) -> Replacement | None:
    """Make a narinfo of the bytes `old` (as `read_narinfo` gave them, with `status`) into `new`.

    None: it is done. Otherwise `new` waits beside it for `replace` or `discard`. Mode and owner stay. A file with
    other names (hard links), or that its owner may not write, is replaced by a new one: the other names keep the old
    bytes. A new one has no extended attributes.

    Raises:
        FileNotFoundError: it is gone.
        StoreUnavailableError: it changed meanwhile, or the disk is full or fails; the narinfo is as it was.
        AccessDeniedError, ReadOnlyStoreError: it may not be written; the narinfo is as it was.
    """
    try:
        if _can_append(old, new, status):
            _append(path, new[len(old) :], status)
            return None
        return _write_beside(path, new, status)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _failed(path, "written", error) from None


def replace(replacement: Replacement) -> None:
    """Put the new narinfo, which must be on the medium, in the old one's place.

    Raises:
        FileNotFoundError: the old one is gone; the new one is, too.
        StoreUnavailableError: the old one changed meanwhile, or the disk fails; the narinfo is as it was.
        AccessDeniedError, ReadOnlyStoreError: the directory may not be written; the narinfo is as it was.
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
    """Take the new narinfo away, if it is there."""
    with suppress(OSError):
        os.unlink(replacement.beside)


def _identity(status: os.stat_result) -> Identity:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _can_append(old: bytes, new: bytes, status: os.stat_result) -> bool:
    return (
        new.startswith(old)
        and len(old) // _PAGE == (len(new) - 1) // _PAGE
        and status.st_nlink == 1
        and bool(status.st_mode & stat.S_IWUSR)
    )


def _append(path: str, tail: bytes, status: os.stat_result) -> None:
    descriptor = os.open(path, _APPEND)
    try:
        _check_unchanged(path, os.fstat(descriptor), _identity(status))
        is_whole = False
        try:
            is_whole = os.write(descriptor, tail) == len(tail)
        finally:
            if not is_whole:
                _take_back(descriptor, path, status.st_size)
        if not is_whole:
            raise StoreUnavailableError(f"{path}: could not be written whole; the narinfo is as it was: make room")
    finally:
        os.close(descriptor)


def _take_back(descriptor: int, path: str, size: int) -> None:
    try:
        if os.fstat(descriptor).st_size > size:
            os.ftruncate(descriptor, size)
    except OSError as error:
        raise StoreUnavailableError(
            f"{path}: was written in part, and that cannot be taken back ({error.strerror}); look to the disk, then "
            f"cut the file to {size} bytes (truncate -s {size})"
        ) from None


def _write_beside(path: str, new: bytes, status: os.stat_result) -> Replacement:
    directory, _, name = path.rpartition("/")
    replacement = Replacement(path, f"{directory}/{temporary(name)}", _identity(status))
    try:
        descriptor = os.open(replacement.beside, _CREATE, 0o600)
    except FileExistsError:
        raise StoreUnavailableError(
            f"{replacement.beside}: stands where the new narinfo is to be written; take it away"
        ) from None
    try:
        try:
            written = 0
            while written < len(new):
                written += os.write(descriptor, new[written:])
            with suppress(PermissionError):  # who may not give files away keeps them
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
            if sys.platform != "linux":  # elsewhere a sync of everything does not wait until it is done
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        discard(replacement)
        raise
    return replacement


def _check_unchanged(path: str, now: os.stat_result, then: Identity) -> None:
    if _identity(now) != then:
        raise StoreUnavailableError(f"{path}: changed while it was signed; it was left alone: run the command again")


def _unread(path: str, error: OSError) -> KeywrightError:
    if error.errno == errno.ELOOP:
        return FormatError(f"{path}: is a symbolic link; sign the file that it leads to")
    return _irregular(path) if error.errno == errno.ENXIO else _failed(path, "read", error)


def _irregular(path: str) -> FormatError:
    return FormatError(f"{path}: is no regular file; take it out of the cache")


def _failed(path: str, done: str, error: OSError) -> KeywrightError:
    if isinstance(error, PermissionError):
        return AccessDeniedError(f"{path}: cannot be {done} ({error.strerror}); run as its owner")
    if error.errno == errno.EROFS:
        return ReadOnlyStoreError(f"{path}: is on a file system that takes no writes; remount it")
    return StoreUnavailableError(f"{path}: cannot be {done} ({error.strerror}); the narinfo is as it was")


class Outcome(NamedTuple):
    """What became of one narinfo.

    Attributes:
        kind: `changed`, `unchanged`, `not vouched for`, `gone` or `faulty`.
        error: what is wrong with a faulty one.
        clashing: names of ours under which it has a signature that does not hold.
        replacement: what is yet to take a changed one's place.
    """

    kind: str
    error: KeywrightError | None = None
    clashing: tuple[str, ...] = ()
    replacement: Replacement | None = None


# One of each, for all but a few are one of these.
CHANGED, UNCHANGED, NOT_VOUCHED, GONE = map(Outcome, ("changed", "unchanged", "not vouched for", "gone"))


def written(
    path: str, old: bytes, new: bytes, status: os.stat_result, job: Job, clashing: tuple[str, ...] = ()
) -> Outcome:
    """Write a narinfo anew, if it is not what it was and the job is no dry run: what became of it."""
    if new == old:
        return Outcome("unchanged", clashing=clashing) if clashing else UNCHANGED
    try:
        replacement = None if job.dry_run else rewrite(path, old, new, status)
    except FileNotFoundError:
        return GONE
    except KeywrightError as error:
        return Outcome("faulty", error)
    return Outcome("changed", clashing=clashing, replacement=replacement) if clashing or replacement else CHANGED


_SIZE: Final = 1024


class Batch:
    """What was written to a directory and is not on the medium for sure. (A sync each would dwarf all other work.)"""

    def __init__(self, directory: str, descriptor: int) -> None:
        """`descriptor` is the directory's, opened before anything was written: what fails from then on is told."""
        self._directory = directory
        self._descriptor = descriptor
        self._appended = 0
        self._waiting: list[tuple[str, Outcome]] = []
        self._before: _Syncing | None = None

    def add(self, name: str, outcome: Outcome) -> None:
        """A narinfo was changed: it was appended to, or the outcome's replacement waits beside it."""
        if outcome.replacement is None:
            self._appended += 1
        else:
            self._waiting.append((name, outcome))

    @property
    def is_full(self) -> bool:
        """Whether it is time to `advance`."""
        return self._appended + len(self._waiting) >= _SIZE

    def advance(self) -> Iterator[tuple[str, Outcome]]:
        """Begin to bring this batch to the medium, and put in place what waits of the one before: what became of it.

        Raises:
            DurabilityUnknownError: the system does not confirm that that is there; nothing of it was put in place.
        """
        yield from self._settle()
        self._before = _Syncing(self._descriptor, self._waiting)
        self._before.start()
        self._appended, self._waiting = 0, []

    def finish(self) -> Iterator[tuple[str, Outcome]]:
        """Bring all to the medium and put what waits in place: what became of it. Raises: as `advance`."""
        yield from self._settle()
        if self._appended or self._waiting:
            self._before = _Syncing(self._descriptor, self._waiting)
            self._before.run()
            self._appended, self._waiting = 0, []
            yield from self._settle()

    def close(self) -> None:
        """Wait until nothing is under way any more."""
        if self._before is not None:
            self._before.wait()

    def _settle(self) -> Iterator[tuple[str, Outcome]]:
        """What becomes of those that waited in the batch that is on its way, once it is on the medium."""
        before, self._before = self._before, None
        if before is None:
            return
        error = before.wait()
        if error is not None:
            raise DurabilityUnknownError(
                f"{self._directory}: the system does not confirm that the last signatures are on the medium "
                f"({error.strerror}); look to the disk, then run the same command again"
            )
        for name, outcome in before.waiting:
            yield name, _replaced(outcome)


class _Syncing:
    """A batch on its way to the medium; `waiting`: what takes its place once it is there."""

    def __init__(self, descriptor: int, waiting: list[tuple[str, Outcome]]) -> None:
        self.waiting = waiting
        self._descriptor = descriptor
        self._error: OSError | None = None
        self._thread: Thread | None = None

    def start(self) -> None:
        """Do it beside what goes on."""
        from threading import Thread

        thread = Thread(target=self.run)
        try:
            thread.start()
        except RuntimeError:  # the system gives no more threads
            self.run()
        else:
            self._thread = thread

    def run(self) -> None:
        """Do it now."""
        try:
            _sync_file_system(self._descriptor)
        except OSError as error:
            self._error = error

    def wait(self) -> OSError | None:
        """What went wrong; None once all of it is on the medium."""
        if self._thread is not None:
            self._thread.join()
        return self._error


def _replaced(outcome: Outcome) -> Outcome:
    if outcome.replacement is None:
        return outcome
    try:
        replace(outcome.replacement)
    except FileNotFoundError:
        return Outcome("gone")
    except KeywrightError as error:
        return Outcome("faulty", error)
    return outcome._replace(replacement=None)


def _sync_file_system(descriptor: int) -> None:
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "syncfs"):  # Linux alone has it; `os.sync` does more, and tells of no error
        os.sync()
    elif library.syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
