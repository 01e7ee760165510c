"""What would keep a line from being written, found out without writing one."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from keywright.errors import StoreError
from keywright_audit.faults import Writing
from keywright_audit.log_file import OPEN_DIRECTORY, OPEN_FILE, check_directory, check_file
from keywright_audit.tail import read_tail

__all__ = ["examine"]


def examine(path: str) -> Iterator[str]:
    """One sentence for each fault of the place that the log at `path` is in, or would be made in. Makes nothing."""
    try:
        with Writing(path):
            _check(path)
    except StoreError as error:
        yield str(error)


def _check(path: str) -> None:
    """Raises: OSError, and StoreError as `append`, where a line could not be written."""
    try:
        directory = os.open(os.path.dirname(path), OPEN_DIRECTORY)
    except FileNotFoundError:
        # The first line makes it, and nothing above it.
        _check_room_for_an_entry(os.path.dirname(os.path.dirname(path)))
        return
    try:
        check_directory(directory, path)
        try:
            descriptor = os.open(os.path.basename(path), OPEN_FILE, dir_fd=directory)
        except FileNotFoundError:
            _check_room_for_an_entry(os.path.dirname(path))
            return
    finally:
        os.close(directory)
    try:
        check_file(descriptor, path)
        # A line that somebody is writing just now has no end yet, and counts as cut.
        read_tail(descriptor, path)
    finally:
        os.close(descriptor)


def _check_room_for_an_entry(directory: str) -> None:
    if not stat.S_ISDIR(os.stat(directory).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "")
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, "")
    if not os.access(directory, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(errno.EACCES, "")
