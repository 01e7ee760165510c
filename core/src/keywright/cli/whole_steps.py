"""Ctrl-C between two steps of a long command: what it counted it has told, and the other way round."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

__all__ = ["Whole", "in_whole_steps"]


class Whole:
    """A block that Ctrl-C does not part, to be entered for each step."""

    def __init__(self) -> None:
        self._is_inside = False
        self._is_asked = False

    def __enter__(self) -> None:
        self._is_inside = True

    def __exit__(self, _kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._is_inside = False
        if self._is_asked:
            raise KeyboardInterrupt

    def interrupt(self, _number: int, _frame: object) -> None:
        """The handler of the signal: it waits for the end of the step. A second one does not, for the step may hang.

        Raises:
            KeyboardInterrupt: no step is half done, or somebody asked before.
        """
        if self._is_inside and not self._is_asked:
            self._is_asked = True
        else:
            raise KeyboardInterrupt


@contextmanager
def in_whole_steps() -> Iterator[Whole]:
    """Steps that Ctrl-C leaves whole. Where a program has its own way with that signal, that stays.

    Raises:
        KeyboardInterrupt: the signal came, after the step that it found half done.
    """
    whole = Whole()
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield whole
        return
    try:
        signal.signal(signal.SIGINT, whole.interrupt)
    except ValueError:  # only the main thread hears of signals
        yield whole
        return
    try:
        yield whole
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
