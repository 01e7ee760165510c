"""The lines of a log, as far as they were written when reading began."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from keywright.errors import ConfigError, FormatError
from keywright_audit.line import LONGEST_BYTES

__all__ = ["lines_of"]


def lines_of(path: str) -> Iterator[tuple[int, bytes]]:
    """Each line with its number, from 1; with its line feed, if it has one.

    Raises:
        ConfigError: the file cannot be read.
        StoreUnavailableError: a writer held it for a minute.
        FormatError: a line is longer than any that the log has.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            left = _size(file.fileno(), path)
            number = 0
            while left > 0:
                line = file.readline(min(left, LONGEST_BYTES))
                number += 1
                left -= len(line)
                if len(line) == LONGEST_BYTES and left:
                    raise FormatError(f"{path}: line {number} is longer than any of an audit log; name another file")
                if not line:
                    return  # somebody cut the file meanwhile
                yield number, line
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({os.strerror(error.errno or 0)}); check the path") from None
    except ValueError:
        raise ConfigError("the path of the audit log holds a character that no file name can; name another") from None


def _size(descriptor: int, path: str) -> int:
    """How many bytes there are, while nobody is writing where that can be known."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"{path}: is no regular file; name the audit log")
    try:
        from keywright_audit.log_file import settled_size
    except ImportError:  # Windows has no locks, and no writers
        return found.st_size
    return settled_size(descriptor, path)
