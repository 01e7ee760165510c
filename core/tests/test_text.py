"""Durations as people write them, and what is proposed for a misspelled word."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, strategies as st
from refusals import refuses
from tables import cases

from keywright.text import did_you_mean, format_duration, parse_duration


@cases(
    ("text", "duration"),
    {
        "nothing": ("0s", timedelta(0)),
        "seconds": ("90s", timedelta(seconds=90)),
        "minutes": ("15m", timedelta(minutes=15)),
        "hours": ("12h", timedelta(hours=12)),
        "days, leading zero": ("014d", timedelta(days=14)),
        "weeks": ("2w", timedelta(weeks=2)),
        "years": ("3y", timedelta(days=3 * 365)),
        "longest": ("36500d", timedelta(days=36_500)),
    },
)
def test_a_number_and_a_unit_is_a_duration(text: str, duration: timedelta) -> None:
    """A whole number with s, m, h, d, w or y is read in that unit."""
    assert parse_duration(text) == duration


NO_DURATION = ("", "90", "d", "1mo", "1D", "1.5d", "-1d", "+1d", " 1d", "1d ", "1d\n", "1 d", "1d12h", "1_0d", "١d")


def test_anything_else_is_refused() -> None:
    """Other units, signs, fractions, blanks, other digits, sums, and durations beyond 36500 days or any timedelta."""
    for text in (*NO_DURATION, "12345678901s"):
        with refuses(ValueError, "a whole number and a unit (s, m, h, d, w or y), such as 90d"):
            parse_duration(text)
    for text in ("36501d", "5215w", "876001h", "9999999999w"):
        with refuses(ValueError, "at most 36500d"):
            parse_duration(text)


@cases(
    ("duration", "text"),
    {
        "nothing": (timedelta(0), "0s"),
        "odd seconds": (timedelta(seconds=90), "90s"),
        "odd hours": (timedelta(hours=36), "36h"),
        "days": (timedelta(days=90), "90d"),
        "weeks": (timedelta(days=14), "2w"),
        "parts of a second": (timedelta(seconds=1, microseconds=999_999), "1s"),
    },
)
def test_the_largest_unit_that_is_exact_is_written(duration: timedelta, text: str) -> None:
    """A duration is written in one unit, exactly."""
    assert format_duration(duration) == text


@given(st.integers(0, 36_500 * 86_400))
def test_what_is_written_is_read_back(seconds: int) -> None:
    """Any whole number of seconds survives writing and reading."""
    duration = timedelta(seconds=seconds)

    assert parse_duration(format_duration(duration)) == duration


@given(st.text())
def test_nothing_but_value_error_comes_of_any_text(text: str) -> None:
    """Whatever the text, it is a duration or a ValueError."""
    try:
        duration = parse_duration(text)
    except ValueError:
        return

    assert timedelta(0) <= duration <= timedelta(days=36_500)


def test_a_near_word_is_proposed() -> None:
    """The nearest known word is proposed; nothing for a far word, nor for one of over 100 characters."""
    known, longest = {"sqlite": 1, "file": 2}, "a" * 100

    assert did_you_mean("sqlit", known) == " (did you mean 'sqlite'?)"
    assert did_you_mean("postgres", known) == ""
    assert did_you_mean("b" + longest[1:], [longest]) == f" (did you mean '{longest}'?)"
    assert did_you_mean("b" + longest, [longest]) == ""
