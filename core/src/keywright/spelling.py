"""What somebody may have meant who misspelt a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["did_you_mean"]

_LONGEST_WORD: Final = 100


def did_you_mean(word: str, known: Mapping[str, object] | Sequence[str]) -> str:
    """` (did you mean 'x'?)` for the nearest known word, or `""`."""
    if len(word) > _LONGEST_WORD:
        return ""
    from difflib import get_close_matches

    matches = get_close_matches(word, list(known), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""
