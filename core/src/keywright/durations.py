"""Durations as people write them: `90s`, `15m`, `12h`, `14d`, `2w`."""

from __future__ import annotations

import re
from datetime import timedelta

__all__ = ["format_duration", "parse_duration"]

_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_DURATION = "([0-9]{1,10})([smhdw])"
_LONGEST_SECONDS = 36_500 * 86_400


def parse_duration(text: str) -> timedelta:
    """Read a whole number and a unit: s, m, h, d (24 hours) or w (7 days).

    Raises:
        ValueError: it is not so written, or longer than 36500 days. The message says what is allowed.
    """
    match = re.fullmatch(_DURATION, text)
    if match is None:
        raise ValueError("a whole number and a unit: s, m, h, d or w, such as 90d")
    seconds = int(match[1]) * _UNITS[match[2]]
    if seconds > _LONGEST_SECONDS:
        raise ValueError("at most 36500d")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """The shortest spelling in one unit that says exactly as much; parts of a second are dropped."""
    seconds = duration // timedelta(seconds=1)
    for unit, size in _UNITS.items():
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return "0s"
