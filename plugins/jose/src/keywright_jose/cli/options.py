"""What the options of the commands mean: durations, times, labels, members of headers and claims."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from keywright import format_time, parse_duration, parse_time
from keywright.errors import ConfigError, FormatError, MalformedTokenError, UnsupportedOperationError
from keywright_jose.json import read_object

if TYPE_CHECKING:
    from keywright_jose.api_keys import ApiKey


@contextmanager
def wrong_call() -> Iterator[None]:
    """What is refused in here is what an option says.

    Raises:
        ConfigError: in place of FormatError and UnsupportedOperationError, which are of keys and tokens.
    """
    try:
        yield
    except (FormatError, UnsupportedOperationError) as error:
        raise ConfigError(str(error)) from None


def duration_of(text: str) -> int | None:
    """The seconds of `90s`, `15m`, `12h`, `90d`, `2w`, or `900`; None: it is not so written, or over 36500 days."""
    try:
        return parse_duration(text if text[-1:].isalpha() else f"{text}s") // timedelta(seconds=1)
    except ValueError:
        return None


def seconds_of(text: str, option: str, least: int, most: int, longest: str) -> int:
    """The seconds that an option says; `longest` is `most` in words.

    Raises:
        ConfigError: it says none, or fewer or more than it may.
    """
    seconds = duration_of(text)
    if seconds is None or not least <= seconds <= most:
        raise ConfigError(
            f"{option} takes seconds, or a whole number and a unit (s, m, h, d or w) such as 15m, from {least}s to "
            f"{longest}"
        )
    return seconds


def pairs(words: Sequence[str], option: str) -> dict[str, object]:
    """The words as a dict; `option` names where they come from in messages: "--claim".

    Raises:
        ConfigError: one is neither, its JSON is none, or a name stands twice.
    """
    found: dict[str, object] = {}
    for word in words:
        name, equals, value = word.partition("=")
        is_json = name.endswith(":")
        name = name.removesuffix(":")
        if not equals or not name:
            raise ConfigError(f"{option} takes NAME=TEXT or NAME:=JSON; write it so")
        if name in found:
            raise ConfigError(f"{option} names one thing twice; leave one out")
        found[name] = _value(value, option) if is_json else value
    return found


def _value(text: str, option: str) -> object:
    try:
        members = read_object(b'{"value":%s}' % text.encode(), option)
    except (MalformedTokenError, UnicodeEncodeError):
        members = {}
    if len(members) != 1:  # nothing, or more than the one value
        raise ConfigError(f"{option} NAME:=JSON takes one JSON value; for text write NAME=TEXT")
    return members["value"]


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
