"""The store's lock: one writer at a time, among processes and among threads."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import suppress
from io import FileIO
from types import TracebackType
from typing import Final, Literal

from keywright.errors import StoreUnavailableError
from keywright_file.faults import misplaced

__all__ = ["LONGEST_WAIT_SECONDS", "Lock"]

_SAFELY: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
LONGEST_WAIT_SECONDS: Final = 60.0  # a stopped writer must not hang everybody
_FIRST_PAUSE_SECONDS: Final = 0.000_5
_LONGEST_PAUSE_SECONDS: Final = 0.01
_COARSEST_CLOCK_NANOSECONDS: Final = 2_000_000_000  # FAT keeps time in steps of two seconds


class Lock(FileIO):
    """`flock` on a file of the store's. Every use opens the file anew, so that threads exclude each other too.

    The kernel lets go when the process ends, however it ends; and Python when nobody knows the object any more, which
    is how it ends where a signal handler raises before a `with` block has begun.
    """

    def __init__(
        self,
        directory: int,
        name: str,
        kind: Literal["exclusive", "shared"],
        subject: str,
        *,
        patience: float = LONGEST_WAIT_SECONDS,
    ) -> None:
        """Wait for the lock, at most `patience` seconds.

        Raises:
            OSError: the file cannot be opened (FileNotFoundError: shared, and there is none) or locked.
            DamagedStoreError: it is no plain file.
            StoreUnavailableError: another writer held it all the time.
        """
        flags = os.O_RDWR | os.O_CREAT if kind == "exclusive" else os.O_RDONLY
        try:
            super().__init__(name, opener=lambda *_: os.open(name, flags | _SAFELY, 0o600, dir_fd=directory))
            if not stat.S_ISREG(os.fstat(self.fileno()).st_mode):
                raise misplaced(subject)  # FIFOs and devices can be locked too
            if kind == "exclusive":
                os.fchmod(self.fileno(), 0o600)
            self._wait(fcntl.LOCK_EX if kind == "exclusive" else fcntl.LOCK_SH, subject, patience)
        except IsADirectoryError:
            raise misplaced(subject) from None
        except BaseException:
            self.close()
            raise

    def _wait(self, operation: int, subject: str, patience: float) -> None:
        deadline = time.monotonic() + patience
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                fcntl.flock(self, operation | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                pass
            if time.monotonic() >= deadline:
                raise StoreUnavailableError(
                    f"{subject}: another process has been writing to the store for too long; end it and try again"
                )
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def __exit__(self, _kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        # What was written stands, whether this fails or not; the close unlocks too.
        with suppress(OSError):
            try:
                # Said aloud: a child that another thread forked meanwhile has this descriptor open too.
                fcntl.flock(self, fcntl.LOCK_UN)
            finally:
                self.close()

    def stamp(self) -> int:
        """A time for new files, in nanoseconds since the epoch, later than any that the store gave out before.

        Revisions are made of it. A clock that stands still or goes back, or a file system that keeps time coarsely,
        would give one stamp twice; the time of the lock file remembers the last.
        """
        last = os.fstat(self.fileno()).st_mtime_ns
        for stamp in (max(time.time_ns(), last + 1), last + _COARSEST_CLOCK_NANOSECONDS):
            os.utime(self.fileno(), ns=(stamp, stamp))
            given = os.fstat(self.fileno()).st_mtime_ns
            if given > last:
                break
        return given
