"""Dotted paths of settings: how messages spell them, how `--option` reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from keywright.setting_values import Fetched

__all__ = ["dotted", "listed", "split_path"]

_BARE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_PART: Final = r"""[ \t]*(?:([A-Za-z0-9_-]+)|"([^"\\]*)"|'([^']*)')[ \t]*(\.|\Z)"""
_MOST_LISTED: Final = 12


def dotted(*parts: str) -> str:
    """`stores.local.path`, with quotes around a part that TOML wants quoted: `keys."cache.example.org"`.

    A part that a terminal might act on, or that is longer than any name, becomes `<odd name>`; one that a pointer
    led to, `<what it points to>`.
    """
    return ".".join(map(_spelt, parts))


def _spelt(part: str) -> str:
    if isinstance(part, Fetched):
        return repr(part)
    if 0 < len(part) <= 64 and _BARE.issuperset(part):
        return part
    odd = len(part) > 200 or not part.isprintable() or '"' in part or "\\" in part
    return "<odd name>" if odd else f'"{part}"'


def split_path(text: str) -> tuple[str, ...] | None:
    """The parts of a TOML dotted key (TOML 1.0, "Keys"; no escapes in quoted parts); None if it is none."""
    parts: list[str] = []
    position = 0
    expression = re.compile(_PART, re.ASCII)  # here, for few commands have an option
    while match := expression.match(text, position):
        parts.append(next(part for part in match.group(1, 2, 3) if part is not None))
        if not match[4]:
            return tuple(parts)
        position = match.end()
    return None


def listed(names: Iterable[str]) -> str:
    """`; there are: a, b`, sorted and cut after a dozen, or `; there are none`."""
    ordered = sorted(names)
    if not ordered:
        return "; there are none"
    more = ", …" if len(ordered) > _MOST_LISTED else ""
    return f"; there are: {', '.join(ordered[:_MOST_LISTED])}{more}"
