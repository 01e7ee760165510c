"""Versions drawn over time, and what comes next in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO, TextIOWrapper

import pytest
from hypothesis import given, strategies as st

from keywright import RecordInfo, State
from keywright.cli.bars import Axis, axis_of, bar, legend
from keywright.cli.events import history, in_words, upcoming
from keywright.cli.render import cut, filled, folded
from keywright.lifecycle import Phase, VersionPhase, phases

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


def test_a_version_that_is_passed_over_before_its_time() -> None:
    """It is drawn as announced until another takes its place, and then as its phase says: never as a signing one."""
    announced = replace(FIRST, activates=NOW + 5 * DAY)

    assert drawn(announced, SECOND) == ["·····▒▒▒▒▒▒▒▒       ", "     2██████████████"]
    assert drawn(announced, replace(SECOND, created=NOW - DAY)) == ["·········▒▒▒▒▒▒▒▒   ", "         2██████████"]


@given(
    lives=st.lists(
        st.tuples(st.integers(-9, 5), st.none() | st.integers(0, 9), st.none() | st.integers(0, 9)),
        min_size=1,
        max_size=4,
    )
)
def test_a_bar_says_at_now_what_the_phase_says(lives: list[tuple[int, int | None, int | None]]) -> None:
    """Whatever activates and overlaps when: at `now` the bar of a version in use shows its phase."""
    made = sorted(min(day, 0) for day, _, _ in lives)
    infos = [
        replace(
            FIRST,
            version=number,
            created=NOW + day * DAY,
            activates=None if wait is None else NOW + (day + wait) * DAY,
            overlap=None if overlap is None else overlap * DAY,
        )
        for number, (day, (_, wait, overlap)) in enumerate(zip(made, lives, strict=True), 1)
    ]
    shown = {Phase.ANNOUNCED: "·", Phase.SIGNING: "█", Phase.VERIFYING: "▒"}

    for one in phases(infos, NOW + DAY / 2):  # the middle of a character
        character = bar([one], AXIS)[AXIS.place(NOW)]
        started = one.phase is Phase.SIGNING and character == str(one.info.version)
        assert one.phase not in shown or started or character == shown[one.phase], one


def test_a_version_that_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expiry and a change of state end the bar; a terminal without such characters gets plain ones."""
    expiring = replace(FIRST, expires=NOW + 2 * DAY)
    disabled = replace(FIRST, state=State.DISABLED, state_since=NOW - DAY)
    assert drawn(expiring) == ["1███████████        "]
    assert drawn(disabled) == ["1████████‖          "]

    monkeypatch.setattr("sys.stdout", TextIOWrapper(BytesIO(), encoding="ascii"))

    assert drawn(FIRST, SECOND, THIRD) == [
        "1####--------       ",
        "     2#########-    ",
        "          .....3####",
    ]
    assert drawn(disabled) == ["1########=          "]
    assert legend(AXIS, drawn(disabled)) == (
        ["          ^ now"],
        ".\xa0announced, #\xa0signing, -\xa0verifying, =\xa0disabled; a number: that version starts to sign",
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
    return [f"{in_words(one.time, NOW)}: {one.what}" for one in upcoming(versions, NOW, rotate_every)]


def test_what_comes_next_is_said_soonest_first() -> None:
    """Ends of overlaps, activations and rotations that are due."""
    assert sentences(FIRST, SECOND, THIRD, rotate_every=30 * DAY) == [
        "in 3 days (2027-01-14 00:00 UTC): version 1 stops verifying",
        "in 5 days (2027-01-16 00:00 UTC): version 3 starts to sign; those before it verify for 1d more",
        "in 6 days (2027-01-17 00:00 UTC): version 2 stops verifying",
        "in 30 days (2027-02-10 00:00 UTC): it is due for rotation",
    ]


NO_VERSION = "now: no version signs: version {} is {}, and older versions are not used again; {}"
DUE = "now: it is due for rotation; `keywright rotate --due a` creates the next version"
UNKNOWN = "now: the creation time of version 1 is unknown, so it is never due automatically; run `keywright rotate a`"


def test_where_nothing_comes_that_is_said() -> None:
    """A key without any end, one that is overdue, one that expires, and a name that does not sign."""
    unknown, expired = replace(FIRST, created=None), replace(FIRST, expires=NOW)
    disabled = replace(FIRST, state=State.DISABLED, state_since=NOW)

    assert sentences(FIRST) == ["now: nothing is planned: version 1 signs until it is rotated"]
    assert sentences(FIRST, rotate_every=DAY) == [DUE]
    assert sentences(unknown, rotate_every=DAY) == [UNKNOWN]
    assert sentences(expired, rotate_every=30 * DAY) == [
        NO_VERSION.format(1, "expired", "run `keywright rotate a`"),
        DUE,
    ]
    assert sentences(replace(FIRST, expires=NOW + timedelta(hours=1))) == [
        "in 1 hour (2027-01-11 01:00 UTC): version 1 expires"
    ]
    assert sentences(disabled) == [
        NO_VERSION.format(1, "disabled", "run `keywright enable a@1`, or run `keywright rotate a`")
    ]


def test_what_comes_next_has_a_word_for_programs() -> None:
    """Each event has its kind, and the version that it is about."""
    gone = replace(FIRST, state=State.DESTROYED, state_since=NOW)

    def events(*infos: RecordInfo, rotate_every: timedelta | None = None) -> list[tuple[str, int | None]]:
        return [(one.event, one.version) for one in upcoming(phases(infos, NOW), NOW, rotate_every)]

    assert events(FIRST, SECOND, THIRD, rotate_every=30 * DAY) == [("ends", 1), ("starts", 3), ("ends", 2), ("due", 3)]
    assert events(FIRST) == [("nothing", 1)]
    assert events(replace(FIRST, expires=NOW + DAY)) == [("expires", 1)]
    assert events(replace(FIRST, created=None), rotate_every=DAY) == [("unknown", 1)]
    assert events(gone) == [("unsigned", None)]


def test_an_overlap_is_told_where_something_overlaps() -> None:
    """Where no version before verifies any more as the next one starts, nothing is said of those before it."""
    gone = replace(FIRST, state=State.COMPROMISED, state_since=NOW)
    ending = replace(FIRST, expires=NOW + 5 * DAY)

    assert sentences(gone, THIRD)[1:] == ["in 5 days (2027-01-16 00:00 UTC): version 3 starts to sign"]
    assert sentences(ending, THIRD) == [
        "in 5 days (2027-01-16 00:00 UTC): version 1 expires",
        "in 5 days (2027-01-16 00:00 UTC): version 3 starts to sign",
    ]


def test_the_version_to_enable_is_named() -> None:
    """The newest disabled version that would sign, also one that was disabled before it was to sign; no other."""
    gone = [replace(info, state=State.DESTROYED, state_since=NOW) for info in (FIRST, SECOND)]
    early = replace(THIRD, activates=NOW - DAY, state=State.DISABLED, state_since=NOW - 2 * DAY)
    late = replace(SECOND, version=1, state=State.DISABLED, state_since=NOW)

    assert sentences(*gone, early) == [
        NO_VERSION.format(2, "destroyed", "run `keywright enable a@3`, or run `keywright rotate a`")
    ]
    assert "enable" not in sentences(late, gone[1])[0]


def test_history_is_said_with_its_reason() -> None:
    """Of each version that was disabled or destroyed, and of one that was enabled for a reason."""
    versions = phases(
        (
            replace(FIRST, state=State.DESTROYED, state_since=NOW - 2 * DAY, reason="old; was compromised: leaked"),
            replace(SECOND, state=State.DISABLED, state_since=NOW - DAY),
            replace(THIRD, state_since=NOW, reason="back"),
            replace(THIRD, version=4, state_since=NOW),
        ),
        NOW,
    )

    assert [f"{in_words(time, NOW)}: {what}" for time, what in history(versions)] == [
        "2 days ago (2027-01-09 00:00 UTC): version 1 was destroyed: old; was compromised: leaked",
        "1 day ago (2027-01-10 00:00 UTC): version 2 was disabled",
        "in 0 seconds (2027-01-11 00:00 UTC): version 3 was enabled: back",
    ]


@pytest.mark.parametrize(("state", "mark"), [(State.DISABLED, "‖"), (State.COMPROMISED, "!"), (State.DESTROYED, "×")])
def test_what_was_put_away_is_marked(state: State, mark: str) -> None:
    """A mark stands where a version was disabled, compromised or destroyed, and the legend explains it."""
    late = replace(FIRST, state=state, state_since=NOW - 3 * DAY)
    at_once = replace(FIRST, state=state, state_since=NOW - 10 * DAY + timedelta(minutes=5))
    swapped = replace(FIRST, state=state, state_since=NOW - 5 * DAY)

    assert drawn(late, SECOND) == [f"1████▒▒{mark}            ", "     2██████████████"]
    assert drawn(at_once) == [f"1{mark}                  "]
    assert bar(phases((late, SECOND), NOW), AXIS) == f"1████2█{mark}████████████"
    assert bar(phases((swapped, SECOND), NOW), AXIS) == f"1███{mark}2██████████████"
    assert legend(AXIS, drawn(late))[1] == (
        f"·\xa0announced, █\xa0signing, ▒\xa0verifying, {mark}\xa0{state.value}; a number: that version starts to sign"
    )


def test_a_short_life_is_seen() -> None:
    """A version whose time is less than a character has one; of one that never signed it is not a number."""
    brief = replace(FIRST, expires=FIRST.created and FIRST.created + timedelta(minutes=5))
    never = replace(FIRST, expires=FIRST.created)
    announced = replace(THIRD, expires=NOW + timedelta(minutes=5))

    assert drawn(brief) == ["1                   "]
    assert drawn(never) == ["█                   "]
    assert drawn(announced) == ["          ·         "]


@pytest.mark.parametrize(
    ("start", "end", "width", "below"),
    [
        pytest.param(NOW - 10 * DAY, NOW + 10 * DAY, 21, ["2027-01-01 2027-01-21"], id="dates"),
        pytest.param(NOW - 10 * DAY, NOW + 10 * DAY, 20, [], id="no room"),
        pytest.param(NOW, NOW + DAY / 12, 30, ["2027-01-11 00:00     02:00 UTC"], id="within a day"),
        pytest.param(NOW, NOW + DAY / 12, 25, [], id="within a day and no room"),
    ],
)
def test_both_ends_are_dated(start: datetime, end: datetime, width: int, below: list[str]) -> None:
    """Below the bar stands from when to when it goes, if that fits."""
    lines, _ = legend(Axis(start, end, NOW, width), [])

    assert lines[1:] == below


def test_text_is_filled_between_words() -> None:
    """No option, word or pair is broken."""
    assert filled("pass --from-here, or ·\xa0x or an-unbelievably-long-word", 12, indent=2).split("\n") == [
        "  pass",
        "    --from-here,",
        "    or · x",
        "    or",
        "    an-unbelievably-long-word",
    ]


AHEAD = {
    "in 0 seconds": timedelta(0),
    "in 1 second": timedelta(seconds=1),
    "in 59 seconds": timedelta(seconds=59),
    "in 1 minute": timedelta(minutes=1),
    "in 23 hours": timedelta(hours=23),
    "in 364 days": timedelta(days=364),
    "in 2 years": timedelta(days=800),
}


@pytest.mark.parametrize(("words", "ahead"), AHEAD.items(), ids=AHEAD)
def test_how_far_ahead(words: str, ahead: timedelta) -> None:
    """In the largest unit that fits, rounded."""
    assert in_words(NOW + ahead, NOW).startswith(f"{words} (20")
