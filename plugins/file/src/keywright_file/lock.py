"""The store's lock: one writer at a time, among processes and among threads."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal, TypeVar

from keywright.errors import StoreUnavailableError
from keywright_file.faults import misplaced

__all__ = ["locked", "next_stamp"]

_SAFELY: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_FIRST_PAUSE_SECONDS: Final = 0.000_5
_LONGEST_PAUSE_SECONDS: Final = 0.01
_COARSEST_CLOCK_NANOSECONDS: Final = 2_000_000_000  # FAT keeps time in steps of two seconds
_T = TypeVar("_T")


def locked(
    directory: int,
    name: str,
    kind: Literal["exclusive", "shared"],
    subject: str,
    work: Callable[[int], _T],
    *,
    patience: float,
) -> _T:
    """What `work` returns, given the descriptor of the lock file, which is locked by `flock` meanwhile.

    Every use opens the file anew, so that threads exclude each other too. The kernel lets go when the process ends,
    however it ends. It is no `with` block of its own: a signal handler that raises, as Ctrl-C does, may come between
    an `__enter__` in Python and the block, and nobody would let go.

    Raises:
        OSError: the file cannot be opened (FileNotFoundError: shared, and there is none) or locked.
        DamagedStoreError: it is no plain file.
        StoreUnavailableError: another writer held it for `patience` seconds.
    """
    if kind == "exclusive":
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | _SAFELY, 0o600, dir_fd=directory)
    else:
        descriptor = os.open(name, os.O_RDONLY | _SAFELY, dir_fd=directory)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise misplaced(subject)  # FIFOs and devices can be locked too
        if kind == "exclusive":
            os.fchmod(descriptor, 0o600)
        _wait(descriptor, fcntl.LOCK_EX if kind == "exclusive" else fcntl.LOCK_SH, subject, patience)
        return work(descriptor)
    finally:
        # What was written stands, whether these fail or not; the close unlocks too.
        try:
            # Said aloud: a child that another thread forked meanwhile has this descriptor open too.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        except OSError:
            pass
        finally:
            with suppress(OSError):
                os.close(descriptor)


def _wait(descriptor: int, operation: int, subject: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        if time.monotonic() >= deadline:
            raise StoreUnavailableError(
                f"{subject}: another process held the store's lock for longer than the setting `timeout` allows; end "
                "it, or raise `timeout`, and try again"
            )
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def next_stamp(lock: int) -> int:
    """A time for new files, in nanoseconds since the epoch, later than any that the store gave out before.

    Revisions are made of it. A clock that stands still or goes back, or a file system that keeps time coarsely, would
    give one stamp twice; the time of the lock file, whose descriptor is `lock`, remembers the last.
    """
    last = os.fstat(lock).st_mtime_ns
    for stamp in (max(time.time_ns(), last + 1), last + _COARSEST_CLOCK_NANOSECONDS):
        os.utime(lock, ns=(stamp, stamp))
        given = os.fstat(lock).st_mtime_ns
        if given > last:
            break
    return given
