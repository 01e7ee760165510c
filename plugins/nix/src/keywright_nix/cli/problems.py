"""Problems with single narinfos: reported as they come, and the exit code of the command at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keywright import Context
    from keywright.errors import KeywrightError


class Problems:
    """Prints each problem on stderr, and remembers the first."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.first: KeywrightError | None = None

    def add(self, error: KeywrightError) -> None:
        """Print one."""
        self._context.error(error)
        self.first = self.first or error

    @property
    def exit_code(self) -> int:
        """0, or that of the first: 65 malformed, 5 denied, 6 the disk."""
        return 0 if self.first is None else self._context.exit_code(self.first)
