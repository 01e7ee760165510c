"""Bytes as callers give them. Encoded keys are out of sight before anything is done with them."""

from __future__ import annotations

from typing import Final

from keywright.errors import ConfigError, MalformedKeyError
from keywright.secret import Secret

__all__ = ["NOT_BYTES", "check_bytes", "check_not_empty", "hide"]

NOT_BYTES: Final = "a key is given as bytes or as a Secret; encode text before"


def hide(data: bytes | Secret) -> Secret | None:
    """`data` as a Secret, or None where it is neither; nothing is raised while a caller's frame still holds it."""
    if isinstance(data, bytes | bytearray | memoryview):
        return Secret(data)
    return data if isinstance(data, Secret) else None  # type: ignore[redundant-expr]  # not every caller has types


def check_not_empty(data: Secret) -> None:
    """Check that there is something where an encoded key belongs.

    Raises:
        MalformedKeyError: there is nothing.
    """
    if not data:
        raise MalformedKeyError("the data is empty, and a key belongs there; see what should have written it")


def check_bytes(**given: object) -> None:
    """Check what is to be signed or verified, by the names that a caller knows it by.

    Raises:
        ConfigError: one is no `bytes`.
    """
    for name, data in given.items():
        if not isinstance(data, bytes | bytearray | memoryview):
            raise ConfigError(f"{name} must be bytes; encode text before")
