"""Checks of what callers pass: key material, texts, labels, clocks, times and durations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from keywright.config.tables import MAXIMUM_KID
from keywright.errors import ConfigError, MalformedKeyError, PluginError, SealError
from keywright.secret import Secret

NOT_BYTES: Final = "a key is given as bytes or as a Secret; encode text before"


def hide(data: bytes | Secret) -> Secret | None:
    """`data` as a Secret, or None where it is neither; nothing is raised while a caller's frame still holds it."""
    if isinstance(data, bytes | bytearray | memoryview):
        return Secret(data)
    return data if isinstance(data, Secret) else None  # type: ignore[redundant-expr]  # not every caller has types


def check_not_empty(data: Secret) -> None:
    """Check that there is something where an encoded key belongs.

    Raises:
        MalformedKeyError: there is nothing.
    """
    if not data:
        raise MalformedKeyError("the data is empty, and a key belongs there; see what should have written it")


def check_bytes(**given: object) -> None:
    """Check what is to be signed or verified, by the names that a caller knows it by.

    Raises:
        ConfigError: one is no `bytes`.
    """
    for name, data in given.items():
        if not isinstance(data, bytes | bytearray | memoryview):
            raise ConfigError(f"{name} must be bytes; encode text before")


def check_texts(**texts: object) -> None:
    """Check the texts that a caller gave, by the names that it knows them by.

    Raises:
        ConfigError: one is empty, or no text.
    """
    for name, text in texts.items():
        if text == "":
            raise ConfigError(f"{name} must not be empty; leave it out, or say which")
        if text is not None and not isinstance(text, str):
            raise ConfigError(f"{name} must be text; leave it out, or say which")


def check_kid(kid: str | None) -> None:
    """Check a kid that a caller asked for as it stands, without placeholders.

    Raises:
        ConfigError: it is empty, no text, or has more than 1024 characters.
    """
    check_texts(kid=kid)
    if kid is not None and len(kid) > MAXIMUM_KID:
        raise ConfigError(f"kid must have at most {MAXIMUM_KID} characters; choose a shorter one")


def check_mappings(**mappings: object) -> None:
    """Check labels and attributes, by the names that a caller knows them by.

    Raises:
        ConfigError: one is no mapping, or has a name that is no text.
    """
    for name, mapping in mappings.items():
        if not isinstance(mapping, Mapping) or not all(isinstance(one, str) for one in mapping):
            raise ConfigError(f"{name} must be a mapping with names that are text; pass a dict")


_NAME = r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}"
_MAXIMUM_VALUE_BYTES = 256


def check_labels(labels: Mapping[str, object]) -> dict[str, str]:
    """A sorted copy, if every label is one.

    Raises:
        ConfigError: it is no mapping, a name is not 1 to 63 of `A-Z a-z 0-9 . _ / -` starting with a letter or digit,
            or a value is not printable text of at most 256 bytes.
    """
    check_mappings(labels=labels)
    checked: dict[str, str] = {}
    for name in sorted(labels):
        value = labels[name]
        if not re.fullmatch(_NAME, name):
            raise ConfigError(
                "a label name is 1 to 63 of A-Z, a-z, 0-9, '.', '_', '/' and '-', starting with a letter or digit"
            )
        # What prints can be encoded: a surrogate does not.
        if not isinstance(value, str) or not value.isprintable() or len(value.encode()) > _MAXIMUM_VALUE_BYTES:
            raise ConfigError(f"label {name} must be printable text of at most {_MAXIMUM_VALUE_BYTES} bytes")
        checked[name] = value
    return checked


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


@contextmanager
def located(source: str, path: str) -> Iterator[None]:
    """Put `SOURCE: PATH: ` before what a ConfigError, PluginError or SealError says.

    A path that ends in `.` is joined to it.
    """
    try:
        yield
    except (ConfigError, PluginError, SealError) as error:
        joint = "" if path.endswith(".") else ": "
        raise type(error)(f"{source}: {path}{joint}{error}") from None
