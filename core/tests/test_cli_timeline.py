"""Versions drawn over time, and what comes next in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO, TextIOWrapper

import pytest

from keywright import RecordInfo, State
from keywright.cli.timeline import Axis, axis_of, bar, cut, folded, in_words, legend, what_next
from keywright.lifecycle import VersionPhase, phases

NOW = datetime(2027, 1, 11, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST = RecordInfo(name="a", version=1, created=NOW - 10 * DAY)
SECOND = RecordInfo(name="a", version=2, created=NOW - 5 * DAY, overlap=8 * DAY)
THIRD = RecordInfo(name="a", version=3, created=NOW, activates=NOW + 5 * DAY, overlap=DAY)
AXIS = Axis(NOW - 10 * DAY, NOW + 10 * DAY, NOW, 20)


def drawn(*infos: RecordInfo) -> list[str]:
    """The bar of each version, a character a day."""
    return [bar([one], AXIS) for one in phases(infos, NOW)]


def test_a_version_is_drawn_from_its_making_to_its_end() -> None:
    """Announced, signing, verifying; where it starts to sign stands its number."""
    assert drawn(FIRST, SECOND, THIRD) == [
        "1████▒▒▒▒▒▒▒▒       ",
        "     2█████████▒    ",
        "          ·····3████",
    ]


def test_a_version_that_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expiry and a keeper's hand end the bar; a terminal without such characters gets plain ones."""
    expiring = replace(FIRST, expires=NOW + 2 * DAY)
    disabled = replace(FIRST, state=State.DISABLED, state_since=NOW - DAY)
    assert drawn(expiring) == ["1███████████        "]
    assert drawn(disabled) == ["1████████           "]

    monkeypatch.setattr("sys.stdout", TextIOWrapper(BytesIO(), encoding="ascii"))

    assert drawn(FIRST, SECOND, THIRD) == [
        "1####--------       ",
        "     2#########-    ",
        "          .....3####",
    ]
    assert legend(AXIS) == (
        "          ^ now",
        ". announced, # signing, - verifying; a number: that version starts to sign",
    )
    assert cut("0123456789", 5) == "0123~"


def test_a_name_in_one_bar() -> None:
    """All versions together: whichever signs, else verifies, else is announced."""
    assert bar(phases((FIRST, SECOND, THIRD), NOW), AXIS) == "1████2█████████3████"


def test_a_number_is_whole_and_alone_or_not_there() -> None:
    """Cut off, or beside the next one's, it would say another version."""
    tenth, eleventh, twelfth = (
        RecordInfo(name="a", version=version, created=NOW - days * DAY) for version, days in ((10, 9), (11, 8), (12, 5))
    )
    versions = phases((tenth, eleventh, twelfth), NOW)

    assert [bar([one], AXIS) for one in versions] == [
        " █▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒",
        "  11█▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒",
        "     12█████████████",
    ]
    assert bar(versions, AXIS) == " █11█12█████████████"
    assert bar(phases((replace(FIRST, created=NOW - 6 * DAY), SECOND), NOW), AXIS) == "    █2██████████████"


def test_parts_are_folded_between_them() -> None:
    """As many to a line as there is room for; a part that is too long has a line of its own."""
    assert list(folded(["a 1", "b 2", "c 345678", "d"], 8)) == ["a 1  b 2", "c 345678", "d"]
    assert list(folded(["0123456789", "a"], 8)) == ["0123456789", "a"]
    assert list(folded([], 8)) == []
    assert (cut("0123456789", 10), cut("0123456789", 9)) == ("0123456789", "01234567…")


def test_the_axis_holds_all_that_is_known() -> None:
    """From the first making to the last change, and a twelfth beyond; a key of this moment has a little room too."""
    axis = axis_of(phases((FIRST, SECOND, THIRD), NOW), NOW, 60)
    fresh = axis_of(phases((RecordInfo(name="a", version=1, created=NOW),), NOW), NOW, 60)

    assert (axis.start, axis.end) == (NOW - 10 * DAY, NOW + 6 * DAY + 16 * DAY / 12)
    assert (fresh.start, fresh.end) == (NOW, NOW + DAY / 12)
    assert axis_of((), NOW, 60).start == NOW


def sentences(*infos: RecordInfo, rotate_every: timedelta | None = None) -> list[str]:
    """What comes next, each with its time in words."""
    versions: tuple[VersionPhase, ...] = phases(infos, NOW)
    return [f"{in_words(time, NOW)}: {what}" for time, what in what_next(versions, NOW, rotate_every)]


def test_what_comes_next_is_said_soonest_first() -> None:
    """Ends of overlaps, activations and rotations that are due."""
    assert sentences(FIRST, SECOND, THIRD, rotate_every=30 * DAY) == [
        "in 3 days (2027-01-14 00:00 UTC): version 1 verifies no more",
        "in 5 days (2027-01-16 00:00 UTC): version 3 starts to sign; those before it verify for 1d more",
        "in 6 days (2027-01-17 00:00 UTC): version 2 verifies no more",
        "in 30 days (2027-02-10 00:00 UTC): it is due for rotation",
    ]


def test_where_nothing_comes_that_is_said() -> None:
    """A key without any end, one that is overdue, one that expires, and a name that does not sign."""
    assert sentences(FIRST) == ["now: nothing is planned: version 1 signs until somebody rotates it"]
    assert sentences(FIRST, rotate_every=DAY) == ["now: it is due for rotation"]
    assert sentences(replace(FIRST, created=None), rotate_every=DAY) == [
        "now: it is not known when version 1 was made, so it is never due for rotation by the clock; rotate it by hand"
    ]
    assert sentences(replace(FIRST, expires=NOW), rotate_every=30 * DAY) == [
        (
            "now: no version signs: version 1 is expired, and an older one never takes its place; rotate to make a new "
            "one"
        ),
        "now: it is due for rotation",
    ]
    assert sentences(replace(FIRST, expires=NOW + timedelta(hours=1))) == [
        "in 1 hour (2027-01-11 01:00 UTC): version 1 expires"
    ]
    assert sentences(replace(FIRST, state=State.DISABLED, state_since=NOW)) == [
        (
            "now: no version signs: version 1 is disabled, and an older one never takes its place; enable it again, or "
            "rotate"
        )
    ]


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (timedelta(seconds=0), "in 0 seconds"),
        (timedelta(seconds=1), "in 1 second"),
        (timedelta(seconds=59), "in 59 seconds"),
        (timedelta(minutes=1), "in 1 minute"),
        (timedelta(hours=23), "in 23 hours"),
        (timedelta(days=364), "in 364 days"),
        (timedelta(days=800), "in 2 years"),
    ],
)
def test_how_far_ahead(ahead: timedelta, words: str) -> None:
    """In the largest unit that fits, rounded."""
    assert in_words(NOW + ahead, NOW).startswith(f"{words} (20")
