"""What tests compare of the problems that a check found."""

from __future__ import annotations

from collections.abc import Iterable

from keywright import Problem


def lines_of(problems: Iterable[Problem]) -> list[str]:
    """Subject, message and hint of each problem, in one line."""
    return [f"{subject}: {message}; {hint}" for subject, message, hint in problems]
