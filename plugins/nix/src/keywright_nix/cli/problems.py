"""What is wrong with single narinfos: told as it comes, and what exit code and document it makes at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keywright import Context
    from keywright.errors import KeywrightError


class Problems:
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
        return 0 if self.first is None else self._context.exit_code(self.first)

    def document(self, error: KeywrightError) -> dict[str, object]:
        """As the command line tells an error in JSON."""
        return {"type": type(error).__name__, "message": str(error), "exit": self._context.exit_code(error)}
