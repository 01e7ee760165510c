"""What is wrong with single narinfos: told as it comes, and what exit code and document it makes at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.errors import AccessDeniedError, KeywrightError, ReadOnlyStoreError, StoreError

if TYPE_CHECKING:
    from keywright import Context

__all__ = ["Faults", "error_document"]


class Faults:
    """Counts faults, tells each on stderr, and remembers the first."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.count = 0
        self.first: KeywrightError | None = None

    def add(self, error: KeywrightError) -> None:
        """Tell one."""
        self._context.say(f"keywright: {error}")
        self.count += 1
        self.first = self.first or error

    @property
    def exit_code(self) -> int:
        """0, or that of the first: 65 malformed, 5 denied, 6 the disk."""
        return 0 if self.first is None else _exit_code(self.first)


def error_document(error: KeywrightError) -> dict[str, object]:
    """As the command line tells an error in JSON."""
    return {"type": type(error).__name__, "message": str(error), "exit": _exit_code(error)}


def _exit_code(error: KeywrightError) -> int:
    if isinstance(error, (AccessDeniedError, ReadOnlyStoreError)):
        return 5
    return 6 if isinstance(error, StoreError) else 65
