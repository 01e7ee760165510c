"""A batch of rewritten narinfos: one sync for all of them, then the renames."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from keywright.errors import DurabilityUnknownError, KeywrightError
from keywright_nix.rewrite import replace
from keywright_nix.signing import Outcome

__all__ = ["Batch"]

_SIZE: Final = 1024


class Batch:
    """What was written to a directory and is not on the medium for sure. (A sync each would dwarf all other work.)"""

    def __init__(self, directory: str, descriptor: int) -> None:
        """`descriptor` is the directory's, opened before anything was written: what fails from then on is told."""
        self._directory = directory
        self._descriptor = descriptor
        self._appended = 0
        self._waiting: list[tuple[str, Outcome]] = []

    def add(self, name: str, outcome: Outcome) -> None:
        """A narinfo was changed: it was appended to, or the outcome's replacement waits beside it."""
        if outcome.replacement is None:
            self._appended += 1
        else:
            self._waiting.append((name, outcome))

    @property
    def is_full(self) -> bool:
        """Whether it is time to `finish`."""
        return self._appended + len(self._waiting) >= _SIZE

    def finish(self) -> Iterator[tuple[str, Outcome]]:
        """Bring all to the medium and put what waits in place: what became of those that waited.

        Raises:
            DurabilityUnknownError: the system does not confirm that it is there; nothing was put in place.
        """
        if self._appended or self._waiting:
            self._sync()
        for name, outcome in self._waiting:
            yield name, _replaced(outcome)
        self._appended = 0
        self._waiting.clear()

    def _sync(self) -> None:
        try:
            _sync_file_system(self._descriptor)
        except OSError as error:
            raise DurabilityUnknownError(
                f"{self._directory}: the system does not confirm that the last signatures are on the medium "
                f"({error.strerror}); look to the disk, then run the same command again"
            ) from None


def _replaced(outcome: Outcome) -> Outcome:
    if outcome.replacement is None:
        return outcome
    try:
        replace(outcome.replacement)
    except FileNotFoundError:
        return Outcome("gone")
    except KeywrightError as error:
        return Outcome("faulty", error)
    return outcome._replace(replacement=None)


def _sync_file_system(descriptor: int) -> None:
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "syncfs"):  # Linux alone has it; `os.sync` does more, and tells of no error
        os.sync()
    elif library.syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
