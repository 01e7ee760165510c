"""Secret settings that hold several values, one a line."""

from __future__ import annotations

from keywright import Options, Secret

__all__ = ["lines_of"]


def lines_of(options: Options, name: str) -> tuple[Secret, ...]:
    """The lines of an optional secret setting; `()` if it has no value. Nothing is stripped."""
    return () if options[name] is None else tuple(map(Secret, options.secret(name).reveal().split(b"\n")))
