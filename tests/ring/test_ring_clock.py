"""Clocks that a program gives a ring."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

import keywright
from keywright import Registry
from keywright.errors import ConfigError

STORES: dict[str, object] = {"stores": {"main": {"backend": "memory"}}}


def test_a_clock_of_another_zone(registry: Registry) -> None:
    """What is stored and returned is the same moment in UTC."""
    east = datetime(2027, 1, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    with keywright.open(STORES, clock=lambda: east, registry=registry) as ring:
        made = ring.generate("a", expires=datetime(2027, 1, 1, 13, tzinfo=UTC))

        assert (made.created, ring.now()) == (datetime(2027, 1, 1, 12, tzinfo=UTC),) * 2
        assert ring.now().tzinfo is UTC
        assert ring.resolve("a").created == made.created


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        pytest.param(
            datetime(2027, 1, 1, tzinfo=UTC).replace(tzinfo=None),
            "the time that the clock gives must be a time with a zone, such as 2027-01-31T12:00:00Z",
            id="no zone, as of utcnow",
        ),
        pytest.param(
            datetime.min.replace(tzinfo=timezone(timedelta(hours=2))),
            "the time that the clock gives must lie within the years 1 to 9999 in UTC",
            id="before all years",
        ),
    ],
)
def test_a_clock_without_a_valid_time(registry: Registry, gives: datetime, message: str) -> None:
    """Nothing is stored by it."""
    with keywright.open(STORES, clock=lambda: gives, registry=registry) as ring:
        for call in (ring.now, lambda: ring.generate("a")):
            with pytest.raises(ConfigError) as caught:
                call()
            assert str(caught.value) == message
        assert list(ring.names()) == []
