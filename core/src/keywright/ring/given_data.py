"""Encoded keys as callers give them: out of sight before anything is done with them."""

from __future__ import annotations

from typing import Final

from keywright.secret import Secret

__all__ = ["NOT_BYTES", "hide"]

NOT_BYTES: Final = "a key is given as bytes or as a Secret; encode text before"


def hide(data: bytes | Secret) -> Secret | None:
    """`data` as a Secret, or None where it is neither; nothing is raised while a caller's frame still holds it."""
    if isinstance(data, bytes | bytearray | memoryview):
        return Secret(data)
    return data if isinstance(data, Secret) else None  # type: ignore[redundant-expr]  # not every caller has types
