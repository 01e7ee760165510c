"""SIGTERM as Ctrl-C: an exception, so that what is half done is taken away before the process ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["TERMINATED", "TerminatedError", "raising_on_sigterm"]

TERMINATED: Final = 143
"""The exit code: 128 and the number of the signal."""


class TerminatedError(BaseException):
    """SIGTERM came. No `Exception`, for nobody goes on after it."""


@contextmanager
def raising_on_sigterm() -> Iterator[None]:
    """Raise TerminatedError here when SIGTERM comes, once. Not where a program has its own way with that signal.

    Raises:
        TerminatedError: it came.
    """
    import signal

    def stop(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would strike what cleans up after the first
        raise TerminatedError

    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    try:
        signal.signal(signal.SIGTERM, stop)
    except ValueError:  # only the main thread hears of signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
