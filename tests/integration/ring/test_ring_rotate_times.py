"""The ring makes next versions: when they begin to sign, how long the ones before them verify, and when they end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from keywright import KeyRing
from keywright.errors import ConfigError, InvalidSignatureError

Rings = Callable[..., KeyRing]
Refused = Callable[[type[Exception], str], AbstractContextManager[None]]
Wait = Callable[..., None]

NOW = datetime(2027, 1, 1, 12, 0, tzinfo=UTC)


def test_a_version_may_be_announced(ring: Rings, wait: Wait) -> None:
    """`activate_in` announces a version that verifies now and signs later; `overlap` ends the ones before."""
    opened = ring()
    opened.generate("a")

    info = opened.rotate("a", activate_in=timedelta(days=7), overlap=timedelta(days=14))

    assert (info.activates, info.overlap) == (NOW + timedelta(days=7), timedelta(days=14))
    assert [one.phase for one in opened.show("a").versions] == ["signing", "announced"]
    wait(days=7)
    assert [one.phase for one in opened.show("a").versions] == ["verifying", "signing"]
    wait(days=14)
    assert [one.phase for one in opened.show("a").versions] == ["retired", "signing"]


def test_waits_come_from_the_configuration(ring: Rings) -> None:
    """Without arguments, [keys.NAME] says `activate_in` and `overlap`."""
    opened = ring(keys={"a": {"activate_in": "7d", "overlap": "2w"}})
    opened.generate("a")

    info = opened.rotate("a")

    assert (info.activates, info.overlap) == (NOW + timedelta(days=7), timedelta(weeks=2))


def test_nothing_is_a_choice(ring: Rings) -> None:
    """An `activate_in` and an `overlap` of nothing go before the configuration: at once, and the old ones end."""
    opened = ring(keys={"a": {"activate_in": "7d", "overlap": "2w"}})
    opened.generate("a")

    info = opened.rotate("a", activate_in=timedelta(0), overlap=timedelta(0))

    assert (info.activates, info.overlap) == (None, timedelta(0))
    assert [one.phase for one in opened.show("a").versions] == ["retired", "signing"]


def test_the_end_is_the_versions_own(ring: Rings) -> None:
    """`expires` is of the version it was said of; it comes in any zone and is kept in UTC."""
    opened = ring()
    opened.generate("a", expires=NOW + timedelta(days=30))
    there = timezone(timedelta(hours=-8))

    second = opened.rotate("a", expires=datetime(2028, 1, 1, 16, tzinfo=there))
    third = opened.rotate("a")

    assert second.expires == datetime(2028, 1, 2, tzinfo=UTC)
    assert second.expires is not None
    assert second.expires.tzinfo is UTC
    assert third.expires is None


ZONE = " must be a time with a zone, such as 2027-01-31T12:00:00Z"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        pytest.param(
            {"activate_in": timedelta(seconds=-1)},
            "activate_in must be a duration from 0s to 36500d",
            id="activation in the past",
        ),
        pytest.param(
            {"activate_in": timedelta.max}, "activate_in must be a duration from 0s to 36500d", id="never active"
        ),
        pytest.param(
            {"overlap": timedelta(seconds=-1)}, "overlap must be a duration from 0s to 36500d", id="negative overlap"
        ),
        pytest.param(
            {"overlap": timedelta(days=36_501)}, "overlap must be a duration from 0s to 36500d", id="endless overlap"
        ),
        pytest.param(
            {"expires": datetime(2028, 1, 1, tzinfo=UTC).replace(tzinfo=None)}, f"expires{ZONE}", id="no zone"
        ),
        pytest.param(
            {"activate_in": timedelta(days=2), "expires": NOW + timedelta(days=2)},
            "expires must be after the activation and after now, or the key would never sign",
            id="an end before the beginning",
        ),
        pytest.param(
            {"labels": {}},
            "argument: labels is no setting of key type 'ed25519'; it has: none",
            id="what rotate does not take",
        ),
    ],
)
def test_wrong_times_are_refused(ring: Rings, refused: Refused, said: dict[str, Any], message: str) -> None:
    """A version that would never sign, or whose times cannot be reckoned with, is not made."""
    opened = ring()
    opened.generate("a")

    with refused(ConfigError, message):
        opened.rotate("a", **said)

    assert len(opened.show("a").versions) == 1


def test_a_clock_that_is_behind_is_not_trusted(ring: Rings, wait: Wait) -> None:
    """By a clock behind the last version's creation, waits and overlaps count from that creation."""
    opened = ring()
    opened.generate("a")
    wait(hours=-5)

    second = opened.rotate("a", activate_in=timedelta(hours=1), overlap=timedelta(hours=2))

    assert (second.created, second.activates) == (NOW, NOW + timedelta(hours=1))
    assert opened.show("a").versions[0].verifies_until == NOW + timedelta(hours=3)


def test_an_overlap_of_nothing_ends_all_before(ring: Rings, wait: Wait, refused: Refused) -> None:
    """`overlap` of 0 s ends every version before, also one that a rotation without any overlap left verifying."""
    opened = ring()
    opened.generate("a")
    signature = opened.sign("a", b"data")
    opened.rotate("a")
    assert opened.verify("a", b"data", signature).version == 1
    wait(hours=1)

    opened.rotate("a", overlap=timedelta(0))

    assert [one.phase for one in opened.show("a").versions] == ["retired", "retired", "signing"]
    with refused(InvalidSignatureError, "the signature holds under no version of a that may verify; check the data"):
        opened.verify("a", b"data", signature)
