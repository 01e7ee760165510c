"""The standard streams. Each may be closed, full or without a reader; none of that is a bug."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from keywright.errors import ConfigError, StoreUnavailableError
from keywright.secret import Secret

__all__ = [
    "ReaderGoneError",
    "check_stdout",
    "fill_closed",
    "flush_stdout",
    "is_terminal",
    "printable",
    "say",
    "shown_path",
    "write_stdout",
    "write_text",
]


class ReaderGoneError(Exception):
    """Whoever read our output has enough."""


def fill_closed() -> None:
    """Open the null device for each standard stream that is closed, or the next file would get its number.

    What a library then writes to "stderr" would end up in a store.
    """
    for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is None:
            _null_at(number)


def say(text: str, *, end: str = "\n") -> None:
    """Text for people, on stderr; to nobody if that is closed or full."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(text + end)
        sys.stderr.flush()
    except (OSError, ValueError):
        _silence(sys.stderr)


def check_stdout() -> None:
    """Refuse a closed stdout.

    Raises:
        ConfigError: it is closed.
    """
    if sys.stdout is None:
        raise ConfigError("standard output is closed, so there is nowhere to print to; redirect it, or say -o FILE")


def write_stdout(data: bytes | Secret) -> None:
    """Bytes, exactly, on stdout.

    Raises:
        ConfigError: it is closed.
        StoreUnavailableError: it cannot be written.
        ReaderGoneError: nobody reads it any more.
    """
    check_stdout()
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data.reveal() if isinstance(data, Secret) else data)
        sys.stdout.buffer.flush()
    except OSError as error:
        raise _failed(error) from None


def write_text(text: str) -> None:
    """Text for people, on stdout, as far as the encoding of stdout can tell it. Raises: as `write_stdout`."""
    check_stdout()
    write_stdout(text.encode(sys.stdout.encoding or "utf-8", "replace"))


def flush_stdout() -> None:
    """Pass on what a plugin printed by itself. Raises: as `write_stdout`, but not for a closed one."""
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError as error:
            raise _failed(error) from None


def is_terminal() -> bool:
    """Whether stdout is one."""
    return sys.stdout is not None and sys.stdout.isatty()


def shown_path(path: str) -> str:
    """A path that somebody gave, for a message; not shown if it looks like a key or a token given in its place."""
    from keywright.secret import looks_like_a_secret

    return "the file named there, whose name looks like a key or token," if looks_like_a_secret(path) else path


def printable(text: str) -> str:
    """The text with a backslash escape for what would steer a terminal or break a line or column."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _failed(error: OSError) -> Exception:
    _silence(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return ReaderGoneError()
    return StoreUnavailableError(
        f"standard output: cannot be written ({error.strerror}); what was done stands, so look before you repeat it"
    )


def _silence(stream: TextIO) -> None:
    """Let what is left in a buffer go nowhere, or Python complains once more when it flushes at exit."""
    try:
        _null_at(stream.fileno())
    except (OSError, ValueError):
        return


def _null_at(number: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != number:
        os.dup2(null, number)
        os.close(null)
