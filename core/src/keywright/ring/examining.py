"""The ring is examined."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from keywright.ring.reading import Reading

if TYPE_CHECKING:
    from keywright.ring.doctor import Finding

__all__ = ["Examining"]


class Examining(Reading):
    """Says what is wrong."""

    def examine(self) -> Iterator[Finding]:
        """What is wrong with the plugins, the declared keys, the configured stores and each record in them.

        A ring that was given a store examines that one alone. Whatever fails is a finding, and the rest is looked at
        all the same. Every record is read. Nothing is repaired; but to open a store completes, as ever, what an
        interrupted writer left there.

        Raises:
            ConfigError: the store that the ring was given is not configured.
        """
        from keywright.ring.doctor import examine

        return examine(self, None if self._store is None else self.config.store(self._store).name)
