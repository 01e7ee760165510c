"""The command line. A contract: people script it."""

from __future__ import annotations

__all__ = ["main"]


def main() -> int:
    """The entry point of the command `keywright`. Returns the exit code."""
    from keywright.cli.dispatch import run

    return run()
