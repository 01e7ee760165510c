"""What the commands for API keys read from arguments, and the line that they print of each key."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from keywright import format_time, parse_time
from keywright.errors import ConfigError
from keywright_jose.command_options import duration_of

if TYPE_CHECKING:
    from keywright_jose.api_keys import ApiKey

__all__ = ["labels_of", "row_of", "time_of"]

_LONGEST: Final = 36_500 * 86_400
_NEVER: Final = "-"
_WIDTHS: Final = (16, 8, 20, 20)


def labels_of(words: Sequence[str]) -> dict[str, str]:
    """`K=V` words as labels.

    Raises:
        ConfigError: one has no `=`, or a name stands twice.
    """
    labels: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ConfigError("--label takes NAME=VALUE; write it so")
        if name in labels:
            raise ConfigError("--label names one thing twice; leave one out")
        labels[name] = value
    return labels


def time_of(text: str, now: datetime) -> datetime:
    """A time: RFC 3339 with a zone, a date (midnight UTC), or a duration from `now`.

    Raises:
        ConfigError: it is none of these.
    """
    try:
        seconds = None if text.isdigit() else duration_of(text)
        if seconds is not None:
            return now + timedelta(seconds=_at_most(seconds))
        if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        return parse_time(text)
    except (ValueError, OverflowError):
        raise ConfigError(
            "--expires takes a time such as 2027-01-31T12:00:00Z, a date, or a duration from now such as 90d, of at "
            "most 36500d"
        ) from None


def row_of(found: ApiKey) -> str:
    """key_id, status, created, expires, labels: parted by tabs, on a terminal in columns."""
    times = [_NEVER if time is None else format_time(time.replace(microsecond=0)) for time in found[2:4]]
    labels = " ".join(f"{name}={value}" for name, value in found.labels.items())
    cells = (found.key_id, found.status, *times, labels)
    if sys.stdout is None or not sys.stdout.isatty():
        return "\t".join(cells)
    return "  ".join((*map(str.ljust, cells[:4], _WIDTHS), labels)).rstrip()


def _at_most(seconds: int) -> int:
    if seconds > _LONGEST:
        raise ValueError("too long")
    return seconds
