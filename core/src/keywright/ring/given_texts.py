"""Texts that callers may leave out: an empty one is neither left out nor a choice."""

from __future__ import annotations

from keywright.errors import ConfigError

__all__ = ["check_texts"]


def check_texts(**texts: str | None) -> None:
    """Check the texts that a caller gave, by the names that it knows them by.

    Raises:
        ConfigError: one is empty.
    """
    for name, text in texts.items():
        if text == "":
            raise ConfigError(f"{name} must not be empty; leave it out, or say which")
