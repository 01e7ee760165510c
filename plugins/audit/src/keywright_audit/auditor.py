"""`Auditor`: what is about to happen, and what came of it, as lines of a log."""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from keywright import Problem, hookimpl
from keywright.errors import ConfigError, StoreError
from keywright.files import has_locks

if TYPE_CHECKING:
    from keywright import KeyEvent, ReviewRequest

__all__ = ["Auditor", "audit_to"]

_SECOND_WAIT_SECONDS: Final = 1.0


class Auditor:
    """Writes a line before and a line after. Every line is written by itself, so any thread may call it.

    What happens to a key is reviewed and observed in one thread: that is how an outcome finds what its intent met.
    """

    def __init__(self, path: str, *, required: bool) -> None:
        self._path = path
        self._required = required
        self._unlogged: dict[int, StoreError] = {}

    def __repr__(self) -> str:
        return "<auditor>"

    @hookimpl
    def keywright_review(self, request: ReviewRequest) -> Sequence[Problem]:
        """Write the intent, or object to what cannot be logged if logging is required; otherwise report it afterwards.

        Of a dry run nothing is written; the answer is what the run would get.
        """
        from keywright_audit.log import append

        if request.dry_run:
            return tuple(self.check()) if self._required else ()
        try:
            append(self._path, "intent", _members(request))
        except StoreError as error:
            self._unlogged[get_ident()] = error
            return (Problem.of(self._path, error),) if self._required else ()
        return ()

    @hookimpl
    def keywright_observe(self, event: KeyEvent) -> None:
        """Write the outcome.

        Raises:
            StoreError: as `append`, of the outcome or of the intent before it; what happened stands all the same. Not
                where the intent was required: what follows from an objection is not reported twice.
        """
        from keywright_audit.log import LONGEST_WAIT_SECONDS, append

        before = self._unlogged.pop(get_ident(), None)
        # A process that held the file for as long as the intent waited will hardly release it now.
        patience = LONGEST_WAIT_SECONDS if before is None else _SECOND_WAIT_SECONDS
        try:
            append(self._path, "outcome", {**_members(event), "outcome": event.outcome}, patience=patience)
        except StoreError:
            if before is None:
                raise
        if before is not None and not self._required:
            raise before

    def check(self) -> Iterator[Problem]:
        """The problems that would prevent a line from being written. Writes nothing."""
        from keywright_audit.log import check

        return check(self._path)


def audit_to(path: str | None, *, required: bool) -> Auditor:
    """An auditor that appends to the file at `path`.

    Raises:
        ConfigError: there is no path, or this system has no `flock` (Windows), so that no line would be safe.
    """
    if path is None:
        raise ConfigError("required is true, but path is not set", hint="set the path of the log")
    if not has_locks():
        raise ConfigError("the audit log needs POSIX file locks, which this system lacks", hint="remove path")
    return Auditor(path, required=required)


def _members(event: ReviewRequest | KeyEvent) -> Mapping[str, object]:
    from keywright import format_time

    return {
        "time": format_time(event.time),
        "who": event.who,
        "operation": event.operation,
        "name": event.name,
        "version": event.version,
        "kid": event.kid,
        "store": event.store,
    }
