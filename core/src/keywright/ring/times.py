"""Clocks, times and durations that callers give: checked, and brought to UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from keywright.errors import ConfigError

__all__ = ["check_duration", "check_times", "checked_clock"]

_LONGEST: Final = timedelta(days=36_500)


def checked_clock(clock: object) -> Callable[[], datetime]:
    """The clock, brought to UTC. It raises ConfigError where it gives no time with a zone: nobody knows when that is.

    Raises:
        ConfigError: it cannot be called.
    """
    if not callable(clock):
        raise ConfigError("clock must be a function that gives the time; leave it out for the time of the system")

    def now() -> datetime:
        time = _in_utc("the time that the clock gives", clock())
        if time is None:
            raise ConfigError("the clock gives no time; have it return one with a zone, such as datetime.now(UTC)")
        return time

    return now


def check_duration(name: str, duration: object) -> None:
    """Check a duration; `name` is what the caller knows it by.

    Raises:
        ConfigError: it is no `timedelta`, negative, or longer than the configuration could say.
    """
    if duration is None:
        return
    if not isinstance(duration, timedelta) or not timedelta(0) <= duration <= _LONGEST:
        raise ConfigError(f"{name} must be a duration from 0s to 36500d")


def check_times(
    activates: datetime | None, expires: datetime | None, overlap: timedelta | None, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """`activates` and `expires` in UTC, if a version with them will have a time in which it signs.

    Raises:
        ConfigError: a time has no zone or lies outside the years that exist, `expires` is not after `activates` and
            now, or `overlap` is negative or reaches too far.
    """
    check_duration("overlap", overlap)
    activates, expires = _in_utc("activates", activates), _in_utc("expires", expires)
    if expires is not None and expires <= max(now, activates or now):
        raise ConfigError("expires must be after the activation and after now, or the key would never sign")
    if activates is not None and overlap is not None and overlap > datetime.max.replace(tzinfo=UTC) - activates:
        raise ConfigError("the overlap would end after the year 9999; activate the version earlier")
    return activates, expires


def _in_utc(name: str, time: object) -> datetime | None:
    if time is None:
        return None
    if not isinstance(time, datetime) or time.utcoffset() is None:
        raise ConfigError(f"{name} must be a time with a zone, such as 2027-01-31T12:00:00Z")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ConfigError(f"{name} must lie within the years 1 to 9999 in UTC") from None
