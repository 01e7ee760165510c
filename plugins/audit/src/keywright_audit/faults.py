"""What the operating system reports, as errors of keywright."""

from __future__ import annotations

import errno
import os
from types import TracebackType
from typing import Final

from keywright.errors import (
    AccessDeniedError,
    DamagedStoreError,
    DurabilityUnknownError,
    ReadOnlyStoreError,
    StoreError,
    StoreUnavailableError,
)

__all__ = ["Confirming", "Writing"]

_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MISPLACED: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO})


class Writing:
    """Turns an `OSError` of its block into the error for somebody who wanted to append to `path`."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, OSError):
            raise self.error(error) from None

    def error(self, error: OSError) -> StoreError:
        """The error to raise instead."""
        reason = os.strerror(error.errno or 0)
        if error.errno in _DENIED:
            return AccessDeniedError(
                f"{self.path}: the audit log cannot be written ({reason}); run as its owner, or correct the permissions"
            )
        if error.errno == errno.EROFS:
            return ReadOnlyStoreError(
                f"{self.path}: the audit log is on a file system that is mounted read-only; remount it, or set another "
                "path"
            )
        if error.errno in _FULL:
            return StoreUnavailableError(
                f"{self.path}: there is no room for the audit log ({reason}); make room and try again"
            )
        if error.errno in _MISPLACED:
            return DamagedStoreError(
                f"{self.path}: a link or another kind of file stands where the audit log or its directory should be; "
                "move it away, or set another path"
            )
        if error.errno == errno.ENOENT:
            return StoreUnavailableError(
                f"{self.path}: there is no directory to make the audit log's in; make it, or set another path"
            )
        return StoreUnavailableError(
            f"{self.path}: the audit log cannot be written ({reason}); mend that and try again"
        )


class Confirming(Writing):
    """The same once the line is visible."""

    __slots__ = ()

    def error(self, error: OSError) -> StoreError:
        """The error to raise instead."""
        return DurabilityUnknownError(
            f"{self.path}: a line is written, but the system would not confirm that it is on the disk "
            f"({os.strerror(error.errno or 0)}); check the disk"
        )
