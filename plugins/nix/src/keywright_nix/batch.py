"""Batches of rewritten narinfos: one sync for all of a batch, then its renames.

While one is brought to the medium, the next is signed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from keywright.errors import DurabilityUnknownError, KeywrightError
from keywright_nix.outcome import Outcome
from keywright_nix.rewrite import replace

if TYPE_CHECKING:
    from threading import Thread

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
        self._before: _Syncing | None = None

    def add(self, name: str, outcome: Outcome) -> None:
        """A narinfo was changed: it was appended to, or the outcome's replacement waits beside it."""
        if outcome.replacement is None:
            self._appended += 1
        else:
            self._waiting.append((name, outcome))

    @property
    def is_full(self) -> bool:
        """Whether it is time to `advance`."""
        return self._appended + len(self._waiting) >= _SIZE

    def advance(self) -> Iterator[tuple[str, Outcome]]:
        """Begin to bring this batch to the medium, and put in place what waits of the one before: what became of it.

        Raises:
            DurabilityUnknownError: the system does not confirm that that is there; nothing of it was put in place.
        """
        yield from self._settle()
        self._before = _Syncing(self._descriptor, self._waiting)
        self._before.start()
        self._appended, self._waiting = 0, []

    def finish(self) -> Iterator[tuple[str, Outcome]]:
        """Bring all to the medium and put what waits in place: what became of it. Raises: as `advance`."""
        yield from self._settle()
        if self._appended or self._waiting:
            self._before = _Syncing(self._descriptor, self._waiting)
            self._before.run()
            self._appended, self._waiting = 0, []
            yield from self._settle()

    def close(self) -> None:
        """Wait until nothing is under way any more."""
        if self._before is not None:
            self._before.wait()

    def _settle(self) -> Iterator[tuple[str, Outcome]]:
        """What becomes of those that waited in the batch that is on its way, once it is on the medium."""
        before, self._before = self._before, None
        if before is None:
            return
        error = before.wait()
        if error is not None:
            raise DurabilityUnknownError(
                f"{self._directory}: the system does not confirm that the last signatures are on the medium "
                f"({error.strerror}); look to the disk, then run the same command again"
            )
        for name, outcome in before.waiting:
            yield name, _replaced(outcome)


class _Syncing:
    """A batch on its way to the medium; `waiting`: what takes its place once it is there."""

    def __init__(self, descriptor: int, waiting: list[tuple[str, Outcome]]) -> None:
        self.waiting = waiting
        self._descriptor = descriptor
        self._error: OSError | None = None
        self._thread: Thread | None = None

    def start(self) -> None:
        """Do it beside what goes on."""
        from threading import Thread

        thread = Thread(target=self.run)
        try:
            thread.start()
        except RuntimeError:  # the system gives no more threads
            self.run()
        else:
            self._thread = thread

    def run(self) -> None:
        """Do it now."""
        try:
            _sync_file_system(self._descriptor)
        except OSError as error:
            self._error = error

    def wait(self) -> OSError | None:
        """What went wrong; None once all of it is on the medium."""
        if self._thread is not None:
            self._thread.join()
        return self._error


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
