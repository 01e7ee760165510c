"""Text for people: durations as they are written (`90s`, `14d`, `2w`) and suggestions for misspelled words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import timedelta

_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_YEAR = 31_536_000  # not written, so that 365d stays 365d
_DURATION = "([0-9]{1,10})([smhdwy])"
_LONGEST_SECONDS = 36_500 * 86_400
_LONGEST_WORD: Final = 100
_LEAST_LIKENESS: Final = 2 / 3  # a wrong suggestion is worse than none


def parse_duration(text: str) -> timedelta:
    """Read a whole number and a unit: s, m, h, d (24 hours), w (7 days) or y (365 days).

    Raises:
        ValueError: it is written differently, or longer than 36500 days. The message says what is allowed.
    """
    from datetime import timedelta

    match = re.fullmatch(_DURATION, text)
    if match is None:
        raise ValueError("a whole number and a unit (s, m, h, d, w or y), such as 90d")
    seconds = int(match[1]) * (_YEAR if match[2] == "y" else _UNITS[match[2]])
    if seconds > _LONGEST_SECONDS:
        raise ValueError("at most 36500d")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """The shortest exact spelling in one unit; fractions of a second are dropped."""
    seconds = duration.days * 86_400 + duration.seconds
    for unit, size in _UNITS.items():
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return "0s"


def did_you_mean(word: str, known: Mapping[str, object] | Sequence[str]) -> str:
    """` (did you mean 'x'?)` for the nearest known word, in any case of its letters, or `""`."""
    if len(word) > _LONGEST_WORD:
        return ""
    from difflib import get_close_matches

    lowered = {one.lower(): one for one in known}
    matches = get_close_matches(word.lower(), lowered, n=1, cutoff=_LEAST_LIKENESS)
    return f" (did you mean {lowered[matches[0]]!r}?)" if matches else ""
