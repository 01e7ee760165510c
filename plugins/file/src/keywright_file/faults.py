"""What the operating system reports, as errors of keywright."""

from __future__ import annotations

import errno
import os
from types import TracebackType

from keywright.errors import (
    AccessDeniedError,
    DamagedStoreError,
    DurabilityUnknownError,
    ReadOnlyStoreError,
    StoreError,
    StoreUnavailableError,
)

__all__ = ["Completing", "Confirming", "Reading", "Writing", "damaged", "misplaced"]

_DENIED = frozenset({errno.EACCES, errno.EPERM})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MISPLACED = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EISDIR})


def damaged(subject: str, fault: str) -> DamagedStoreError:
    """`SUBJECT: FAULT; …`."""
    return DamagedStoreError(f"{subject}: {fault}; restore it from a backup")


def misplaced(subject: str) -> DamagedStoreError:
    """Something of another kind stands where the store keeps a file or directory."""
    return damaged(subject, "a link or another kind of file stands where the store keeps its own")


def _typed(error: OSError, subject: str, outcome: str) -> StoreError:
    """The error for the caller; `outcome` (`nothing was written; `, or nothing) says what became of a write."""
    reason = os.strerror(error.errno or 0)
    if error.errno in _DENIED:
        return AccessDeniedError(
            f"{subject}: the system denies access ({reason}); {outcome}run as the store's owner, or correct the "
            "permissions"
        )
    if error.errno == errno.EROFS:
        return ReadOnlyStoreError(
            f"{subject}: the file system is mounted read-only; {outcome}remount it, or use another store"
        )
    if error.errno in _FULL:
        return StoreUnavailableError(f"{subject}: there is no room ({reason}); {outcome}make room and try again")
    if error.errno in _MISPLACED:
        return misplaced(subject)
    return StoreUnavailableError(f"{subject}: the system reports: {reason}; {outcome}mend that and try again")


class Reading:
    """Turns an `OSError` of its block into the error for somebody who reads `subject`."""

    __slots__ = ("subject",)

    def __init__(self, subject: str) -> None:
        self.subject = subject

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, OSError):
            raise self.error(error) from None

    def error(self, error: OSError) -> StoreError:
        """The error to raise instead."""
        return _typed(error, self.subject, "")


class Writing(Reading):
    """The same for somebody who writes, as long as nothing of it is visible."""

    __slots__ = ()

    def error(self, error: OSError) -> StoreError:
        """The error to raise instead."""
        return _typed(error, self.subject, "nothing was written; ")


class Confirming(Reading):
    """The same around the sync of something that is not visible yet, and is given up if the sync fails."""

    __slots__ = ()

    def error(self, error: OSError) -> StoreError:
        """The error to raise instead."""
        return DurabilityUnknownError(
            f"{self.subject}: the system would not confirm a write ({os.strerror(error.errno or 0)}), so it was given "
            "up and the store holds what it held; check the disk"
        )


class Completing(Reading):
    """The same once the change is visible: whatever fails now, the change may not be on the medium."""

    __slots__ = ()

    def error(self, error: OSError) -> StoreError:
        """The error to raise instead."""
        return DurabilityUnknownError(
            f"{self.subject}: the change is made, but the system would not confirm or complete it "
            f"({os.strerror(error.errno or 0)}); check the disk, then read it again before relying on it"
        )
