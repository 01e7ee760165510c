"""How far a command is that goes through all versions of all names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from keywright.cli.progress import Progress

__all__ = ["GOES_ON", "NamesDone"]

GOES_ON: Final = "keywright: interrupted; the same command goes on where it stopped"


class NamesDone:
    """Counts names for a bar by the references that come one after the other."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._last = ("", "")

    def note(self, reference: str) -> None:
        """A version, or at the end a whole name."""
        name, at, _ = reference.partition("@")
        self._progress.advance(int((name, at) != self._last))
        self._last = (name, at)
