"""What the options of the commands say: durations, and values that are wrong calls, not malformed data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from keywright import parse_duration
from keywright.errors import ConfigError, FormatError, UnsupportedOperationError

__all__ = ["duration_of", "seconds_of", "wrong_call"]


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
