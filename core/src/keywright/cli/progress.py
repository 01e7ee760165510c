"""How far a long piece of work is, drawn on a terminal and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from keywright.cli.streams import say

__all__ = ["Progress"]

_SECONDS: Final = 0.1
_WIDTH: Final = 24


class Progress:
    """A bar on stderr, drawn ten times a second at most and taken away at the end."""

    def __init__(self, total: int | None, noun: str, *, shown: bool) -> None:
        """`total` is how many `noun` there are, None if nobody knows. Not `shown`: it counts and draws nothing."""
        self.done = 0
        self._total = total
        self._noun = noun
        self._shown = shown
        self._next = 0.0
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self.clear()

    def expect(self, count: Callable[[], int]) -> None:
        """How many there are in all; counted only where the bar is drawn. Raises: as `count`."""
        if self._shown:
            self._total = count()

    def advance(self, count: int = 1) -> None:
        """So many more are done."""
        self.done += count
        if self._shown and time.monotonic() >= self._next:
            self._next = time.monotonic() + _SECONDS
            self._drawn = True
            say(f"\r\x1b[K{self.line()}", end="")

    def clear(self) -> None:
        """Take the bar away, so that a line can be printed; the next `advance` draws it anew."""
        if self._drawn:
            say("\r\x1b[K", end="")
            self._drawn = False
            self._next = 0.0

    def line(self) -> str:
        """The bar as text: `############             1,024 of 2,048 narinfos`."""
        if self._total is None:
            return f"{self.done:,} {self._noun}"
        filled = _WIDTH * min(self.done, self._total) // max(self._total, 1)
        return f"{'#' * filled}{' ' * (_WIDTH - filled)} {self.done:,} of {self._total:,} {self._noun}"
