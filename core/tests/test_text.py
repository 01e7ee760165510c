"""Durations as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.text import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        pytest.param("0s", timedelta(0), id="nothing"),
        pytest.param("90s", timedelta(seconds=90), id="seconds"),
        pytest.param("15m", timedelta(minutes=15), id="minutes"),
        pytest.param("12h", timedelta(hours=12), id="hours"),
        pytest.param("014d", timedelta(days=14), id="days, leading zero"),
        pytest.param("2w", timedelta(weeks=2), id="weeks"),
        pytest.param("36500d", timedelta(days=36_500), id="longest"),
    ],
)
def test_a_number_and_a_unit_is_a_duration(text: str, duration: timedelta) -> None:
    """A whole number with s, m, h, d or w is read in that unit."""
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    [
        "",
        "90",
        "d",
        "1y",
        "1D",
        "1.5d",
        "-1d",
        "+1d",
        " 1d",
        "1d ",
        "1d\n",
        "1 d",
        "1d12h",
        "1_0d",
        "١d",
        "12345678901s",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    """Other units, signs, fractions, blanks, other digits and sums are refused."""
    with pytest.raises(ValueError, match="a whole number and a unit: s, m, h, d or w, such as 90d") as caught:
        parse_duration(text)

    assert str(caught.value) == "a whole number and a unit: s, m, h, d or w, such as 90d"


@pytest.mark.parametrize("text", ["36501d", "5215w", "876001h", "9999999999w"])
def test_a_century_is_the_limit(text: str) -> None:
    """A duration beyond 36500 days is refused, those included that no timedelta holds."""
    with pytest.raises(ValueError, match="at most 36500d") as caught:
        parse_duration(text)

    assert str(caught.value) == "at most 36500d"


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        pytest.param(timedelta(0), "0s", id="nothing"),
        pytest.param(timedelta(seconds=90), "90s", id="odd seconds"),
        pytest.param(timedelta(hours=36), "36h", id="odd hours"),
        pytest.param(timedelta(days=90), "90d", id="days"),
        pytest.param(timedelta(days=14), "2w", id="weeks"),
        pytest.param(timedelta(seconds=1, microseconds=999_999), "1s", id="parts of a second"),
    ],
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
