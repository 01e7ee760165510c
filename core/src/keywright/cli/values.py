"""Argument values: pairs, times and durations as people write them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from keywright.errors import ConfigError
from keywright.records import parse_time
from keywright.text import parse_duration

__all__ = ["attributes_of", "duration_of", "pairs_of", "time_of"]


def pairs_of(words: Sequence[str], option: str) -> dict[str, str]:
    """`K=V` words as a dict.

    Raises:
        ConfigError: one has no `=`, or a name stands twice.
    """
    pairs: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ConfigError(f"{option} takes NAME=VALUE; write it so")
        if name in pairs:
            raise ConfigError(f"{option} names one thing twice; leave one out")
        pairs[name] = value
    return pairs


def attributes_of(words: Sequence[str]) -> dict[str, object]:
    """`K=TEXT` and `K:=JSON` words as a dict.

    Raises:
        ConfigError: one is neither, or a name stands twice, in either way of writing or inside the JSON.
    """
    attributes: dict[str, object] = {}
    for word, value in pairs_of(words, "--attribute").items():
        name = word.removesuffix(":")
        if not name:
            raise ConfigError("--attribute takes NAME=VALUE; write it so")
        if name in attributes:
            raise ConfigError("--attribute names one thing twice; leave one out")
        attributes[name] = value if name == word else _json_value(value)
    return attributes


def _json_value(text: str) -> object:
    import json

    try:
        return json.loads(text, object_pairs_hook=_members, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ConfigError("--attribute NAME:=VALUE takes JSON; for text write NAME=VALUE") from None


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ConfigError("--attribute NAME:=VALUE names a member of an object twice; leave one out")
    return members


def _no_number(_: str) -> object:
    raise ValueError("NaN and Infinity are no JSON")


def time_of(text: str | None, option: str, now: datetime) -> datetime | None:
    """A time: RFC 3339 with a zone, a date (midnight UTC), or a duration from now.

    Raises:
        ConfigError: it is none of these, or a duration that is too long.
    """
    if text is None:
        return None
    try:
        return now + parse_duration(text)
    except ValueError:
        pass
    try:
        if len(text) == len("2027-01-31"):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        return parse_time(text)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{option} takes a time such as 2027-01-31T12:00:00Z, a date, or a duration from now such as 90d, of at "
            "most 36500d"
        ) from None


def duration_of(text: str | None, option: str) -> timedelta | None:
    """A duration.

    Raises:
        ConfigError: it is none.
    """
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"{option} takes {error}") from None
