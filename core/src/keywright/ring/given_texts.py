"""Texts that callers may leave out, and mappings; an empty text is neither left out nor a choice."""

from __future__ import annotations

from collections.abc import Mapping

from keywright.config.model import MAXIMUM_KID
from keywright.errors import ConfigError

__all__ = ["check_kid", "check_mappings", "check_texts"]


def check_texts(**texts: object) -> None:
    """Check the texts that a caller gave, by the names that it knows them by.

    Raises:
        ConfigError: one is empty, or no text.
    """
    for name, text in texts.items():
        if text == "":
            raise ConfigError(f"{name} must not be empty; leave it out, or say which")
        if text is not None and not isinstance(text, str):
            raise ConfigError(f"{name} must be text; leave it out, or say which")


def check_kid(kid: str | None) -> None:
    """Check a kid that a caller asked for as it stands, without placeholders.

    Raises:
        ConfigError: it is empty, no text, or has more than 1024 characters.
    """
    check_texts(kid=kid)
    if kid is not None and len(kid) > MAXIMUM_KID:
        raise ConfigError(f"kid must have at most {MAXIMUM_KID} characters; choose a shorter one")


def check_mappings(**mappings: object) -> None:
    """Check labels and attributes, by the names that a caller knows them by.

    Raises:
        ConfigError: one is no mapping, or has a name that is no text.
    """
    for name, mapping in mappings.items():
        if not isinstance(mapping, Mapping) or not all(isinstance(one, str) for one in mapping):
            raise ConfigError(f"{name} must be a mapping with names that are text; pass a dict")
