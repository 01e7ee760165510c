"""The lifecycle: each phase, each way from state to state, and each reason why nothing signs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from refusals import refuses
from tables import cases

from keywright import RecordInfo, State, lifecycle
from keywright.errors import PolicyError
from keywright.lifecycle import Phase

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
OLD = RecordInfo(name="cache", version=1, key_type="ed25519", state_since=NOON - 9 * DAY, created=NOON - 9 * DAY)
NEW = replace(OLD, version=2)


def put_away(info: RecordInfo, state: State, time: datetime) -> RecordInfo:
    """The version as if its keeper had moved it at `time`."""
    return replace(info, state=state, state_since=time)


@cases(
    ("infos", "version", "phase"),
    {
        "alone": ([OLD], 1, Phase.SIGNING),
        "activates-now": ([replace(OLD, activates=NOON)], 1, Phase.SIGNING),
        "activates-later": ([replace(OLD, activates=NOON + SECOND)], 1, Phase.ANNOUNCED),
        "clock-behind-creation": ([replace(OLD, created=NOON + DAY)], 1, Phase.SIGNING),
        "creation-unknown": ([replace(OLD, created=None)], 1, Phase.SIGNING),
        "expires-later": ([replace(OLD, expires=NOON + SECOND)], 1, Phase.SIGNING),
        "expires-now": ([replace(OLD, expires=NOON)], 1, Phase.EXPIRED),
        "heir-announced": ([OLD, replace(NEW, activates=NOON + SECOND)], 1, Phase.SIGNING),
        "heir-without-overlap-verifies-without-end": ([OLD, NEW], 1, Phase.VERIFYING),
        "heir": ([OLD, NEW], 2, Phase.SIGNING),
        "overlap-runs": ([OLD, replace(NEW, activates=NOON, overlap=SECOND)], 1, Phase.VERIFYING),
        "overlap-of-nothing": ([OLD, replace(NEW, activates=NOON, overlap=0 * DAY)], 1, Phase.RETIRED),
        "overlap-is-over": ([OLD, replace(NEW, activates=NOON - DAY, overlap=DAY)], 1, Phase.RETIRED),
        "expiry-first": ([replace(OLD, expires=NOON), replace(NEW, activates=NOON, overlap=DAY)], 1, Phase.EXPIRED),
        "disabled": ([put_away(OLD, State.DISABLED, NOON)], 1, Phase.DISABLED),
        "compromised": ([put_away(OLD, State.COMPROMISED, NOON)], 1, Phase.COMPROMISED),
        "destroyed": ([put_away(OLD, State.DESTROYED, NOON)], 1, Phase.DESTROYED),
        "heir-disabled-afterwards": ([OLD, put_away(NEW, State.DISABLED, NOON)], 1, Phase.VERIFYING),
        "heir-just-so": ([OLD, put_away(replace(NEW, activates=NOON), State.DISABLED, NOON)], 1, Phase.VERIFYING),
        "heir-disabled-before": (
            [OLD, put_away(replace(NEW, activates=NOON), State.DISABLED, NOON - SECOND)],
            1,
            Phase.SIGNING,
        ),
        "heir-that-never-signs": ([OLD, replace(NEW, activates=NOON, expires=NOON)], 1, Phase.SIGNING),
        "heir-for-a-second": ([OLD, replace(NEW, activates=NOON, expires=NOON + SECOND)], 1, Phase.VERIFYING),
        "order-does-not-matter": ([NEW, OLD], 1, Phase.VERIFYING),
    },
)
def test_phase(infos: list[RecordInfo], version: int, phase: Phase) -> None:
    """Each version stands in the phase that its record and the later ones give it."""
    known = {one.info.version: one.phase for one in lifecycle.phases(infos, NOON)}

    assert known[version] is phase


def test_verifying() -> None:
    """The primary verifies, then what is announced or within its overlap, newest first, and nothing else."""
    infos = [
        OLD,
        put_away(NEW, State.COMPROMISED, NOON),
        replace(OLD, version=3),
        replace(OLD, version=4),
        replace(OLD, version=5, activates=NOON + DAY),
        put_away(replace(OLD, version=6, activates=NOON + DAY), State.DISABLED, NOON),
    ]

    assert [info.version for info in lifecycle.verifying(infos, NOON)] == [4, 5, 3, 1]


def test_the_first_end_of_all_ends_a_version() -> None:
    """With several heirs, a version is superseded by the first to take over, and ends at the first end."""
    announced = replace(NEW, activates=NOON + 5 * DAY, overlap=20 * DAY)
    overtaking = replace(NEW, version=3, activates=NOON + DAY, overlap=DAY)

    first, second, third = lifecycle.phases([OLD, announced, overtaking], NOON)

    assert (first.superseded, first.verifies_until) == (NOON + DAY, NOON + 2 * DAY)
    assert (second.superseded, second.verifies_until) == (NOON + DAY, NOON + 2 * DAY)
    assert (third.superseded, third.verifies_until) == (None, None)


@cases(
    ("heirs", "phase", "until"),
    {
        "none-then-nothing": ([(-DAY, None), (0 * DAY, 0 * DAY)], Phase.RETIRED, NOON),
        "none-then-some": ([(-DAY, None), (0 * DAY, DAY)], Phase.VERIFYING, NOON + DAY),
        "long-then-short": ([(-DAY, 9 * DAY), (0 * DAY, DAY)], Phase.VERIFYING, NOON + DAY),
        "short-then-long": ([(-DAY, DAY), (0 * DAY, 9 * DAY)], Phase.RETIRED, NOON),
        "short-then-none": ([(-DAY, DAY), (0 * DAY, None)], Phase.RETIRED, NOON),
        "announced-end": ([(-DAY, None), (DAY, 0 * DAY)], Phase.VERIFYING, NOON + DAY),
        "both-announced": ([(DAY, None), (2 * DAY, 0 * DAY)], Phase.SIGNING, NOON + 2 * DAY),
        "at-one-moment": ([(0 * DAY, DAY), (0 * DAY, 2 * DAY)], Phase.VERIFYING, NOON + DAY),
        "at-one-moment-turned": ([(0 * DAY, 2 * DAY), (0 * DAY, DAY)], Phase.VERIFYING, NOON + DAY),
        "without-end": ([(-DAY, None), (0 * DAY, None)], Phase.VERIFYING, None),
    },
)
def test_every_heir_speaks_for_all_before_it(
    heirs: list[tuple[timedelta, timedelta | None]], phase: Phase, until: datetime | None
) -> None:
    """An overlap ends each version before, also those that an heir in between let verify for longer."""
    versions = [
        replace(OLD, version=number, activates=NOON + activates, overlap=overlap)
        for number, (activates, overlap) in enumerate(heirs, 2)
    ]

    first = lifecycle.phases([OLD, *versions], NOON)[0]

    assert (first.phase, first.verifies_until) == (phase, until)


BEGINNING = datetime.min.replace(tzinfo=UTC)
EARLY = put_away(replace(NEW, activates=NOON, overlap=0 * DAY), State.DISABLED, NOON - DAY)


@cases(
    ("heirs", "phase", "superseded", "until"),
    {
        "put-away-before-it-took-over": ([EARLY, replace(NEW, version=3, activates=NOON)], Phase.VERIFYING, NOON, None),
        "overlap-beyond-the-year-9999": (
            [replace(NEW, activates=NOON, overlap=timedelta(days=4_000_000))],
            Phase.VERIFYING,
            NOON,
            None,
        ),
        "of-unknown-age": ([replace(NEW, created=None, overlap=DAY)], Phase.RETIRED, BEGINNING, BEGINNING + DAY),
    },
)
def test_odd_heirs(heirs: list[RecordInfo], phase: Phase, superseded: datetime, until: datetime | None) -> None:
    """An heir that never took over ends nothing, one of unknown age took over long ago, and any overlap can be long."""
    first = lifecycle.phases([OLD, *heirs], NOON)[0]

    assert (first.phase, first.superseded, first.verifies_until) == (phase, superseded, until)


@cases(
    ("infos", "until"),
    {
        "nothing": ([], None),
        "no-end": ([OLD], None),
        "no-primary": ([replace(OLD, activates=NOON + DAY)], None),
        "expires": ([replace(OLD, expires=NOON + DAY)], NOON + DAY),
        "heir": ([OLD, replace(NEW, activates=NOON + DAY)], NOON + DAY),
        "expires-first": ([replace(OLD, expires=NOON + DAY), replace(NEW, activates=NOON + 2 * DAY)], NOON + DAY),
        "heir-first": ([replace(OLD, expires=NOON + 2 * DAY), replace(NEW, activates=NOON + DAY)], NOON + DAY),
        "heir-put-away": ([OLD, put_away(replace(NEW, activates=NOON + DAY), State.DISABLED, NOON)], None),
    },
)
def test_primary_until(infos: list[RecordInfo], until: datetime | None) -> None:
    """The primary signs until it expires or its heir takes over, whichever is first."""
    assert lifecycle.primary_until(infos, NOON) == until


OLDER = "and older versions are not used again"
ROTATE = "run `keywright rotate cache`"


@cases(
    ("infos", "reason", "hint"),
    {
        "nothing": ([], "no version was ever active", "run `keywright rotate NAME`"),
        "put-away-before-its-activation": (
            [put_away(replace(OLD, activates=NOON), State.DISABLED, NOON - DAY)],
            "no version was ever active",
            "run `keywright enable cache@1`, or run `keywright rotate cache`",
        ),
        "announced": (
            [replace(OLD, activates=NOON + DAY)],
            "version 1 is announced and signs from 2027-03-02 12:00:00 UTC",
            "wait until then, or run `keywright rotate cache --activate-in 0s`",
        ),
        "the-first-to-sign-of-two-announced": (
            [replace(OLD, activates=NOON + 2 * DAY), replace(NEW, activates=NOON + DAY)],
            "version 2 is announced and signs from 2027-03-02 12:00:00 UTC",
            "wait until then, or run `keywright rotate cache --activate-in 0s`",
        ),
        "disabled": (
            [OLD, put_away(NEW, State.DISABLED, NOON)],
            f"version 2 is disabled, {OLDER}",
            "run `keywright enable cache@2`, or run `keywright rotate cache`",
        ),
        "compromised": ([OLD, put_away(NEW, State.COMPROMISED, NOON)], f"version 2 is compromised, {OLDER}", ROTATE),
        "destroyed": ([OLD, put_away(NEW, State.DESTROYED, NOON)], f"version 2 is destroyed, {OLDER}", ROTATE),
        "expired": ([OLD, replace(NEW, expires=NOON)], f"version 2 is expired, {OLDER}", ROTATE),
        "compromised-and-the-next-announced": (
            [put_away(OLD, State.COMPROMISED, NOON), replace(NEW, activates=NOON + DAY)],
            f"version 1 is compromised, {OLDER}; version 2 signs from 2027-03-02 12:00:00 UTC",
            "wait until then, or run `keywright rotate cache --activate-in 0s`",
        ),
    },
)
def test_why_not(infos: list[RecordInfo], reason: str, hint: str) -> None:
    """Where nothing signs, the reason says which version would and what became of it, and the hint what to do."""
    assert lifecycle.primary(infos, NOON) is None
    assert lifecycle.why_not(infos, NOON) == (reason, hint)


ENDS = {
    State.DESTROYED: "cache@1 is destroyed permanently; rotate it to create a new version",
    State.COMPROMISED: "cache@1 is compromised permanently; rotate it to create a new version, or destroy this one",
}


@pytest.mark.parametrize("after", State)
@pytest.mark.parametrize("before", State)
def test_a_move(before: State, after: State) -> None:
    """It changes state, its time and its reason; what is destroyed stays so, what is compromised can be destroyed."""
    info = replace(OLD, state=before, reason="before")
    was = f"was {before.value}: before"

    if before is after:
        assert lifecycle.change_state(info, after, NOON, "because") is info
    elif before in ENDS and (before, after) != (State.COMPROMISED, State.DESTROYED):
        with refuses(PolicyError, ENDS[before]):
            lifecycle.change_state(info, after, NOON)
    else:
        # The reason of an earlier step stays while the version stays away.
        kept = State.ENABLED not in (before, after)
        moved = replace(info, state=after, state_since=NOON)
        assert lifecycle.change_state(info, after, NOON) == replace(moved, reason=was if kept else "")
        reason = f"because; {was}" if kept else "because"
        assert lifecycle.change_state(info, after, NOON, "because") == replace(moved, reason=reason)


def test_put_away_early_and_moved_on() -> None:
    """A version that left before its activation keeps the time at which it left, through all that follows."""
    announced = replace(NEW, activates=NOON)
    away = lifecycle.change_state(announced, State.DISABLED, NOON - DAY, "typo")

    compromised = lifecycle.change_state(away, State.COMPROMISED, NOON + DAY)
    destroyed = lifecycle.change_state(compromised, State.DESTROYED, NOON + 2 * DAY, "tidied")

    assert (compromised.state_since, compromised.reason) == (NOON - DAY, "was disabled: typo")
    assert (destroyed.state_since, destroyed.reason) == (NOON - DAY, "tidied; was compromised: was disabled: typo")
    assert lifecycle.primary([OLD, destroyed], NOON + 3 * DAY) == OLD


@cases(
    ("enabled", "activates"),
    {
        "before-its-activation": (NOON - SECOND, NOON),
        "at-its-activation": (NOON, NOON),
        "after-its-activation": (NOON + DAY, NOON + DAY),
    },
)
def test_enabled_again(enabled: datetime, activates: datetime) -> None:
    """A version that left before its activation takes over at that time, or as it is enabled if that is later."""
    away = lifecycle.change_state(replace(NEW, activates=NOON, overlap=DAY), State.DISABLED, NOON - DAY, "typo")

    back = lifecycle.change_state(away, State.ENABLED, enabled)

    assert (back.activates, back.state_since, back.reason) == (activates, enabled, "")
    assert lifecycle.phases([OLD, back], enabled)[0].verifies_until == activates + DAY


def test_enabled_too_late() -> None:
    """A version that left after its activation keeps it; one that expired meanwhile leaves its predecessor in place."""
    signed = lifecycle.change_state(replace(NEW, activates=NOON), State.DISABLED, NOON + DAY)
    expired = lifecycle.change_state(replace(NEW, activates=NOON, expires=NOON + DAY), State.DISABLED, NOON - DAY)

    back = lifecycle.change_state(expired, State.ENABLED, NOON + 2 * DAY)

    assert lifecycle.change_state(signed, State.ENABLED, NOON + 2 * DAY).activates == NOON
    assert lifecycle.primary([OLD, back], NOON + 3 * DAY) == OLD
    assert lifecycle.phases([OLD, back], NOON + 3 * DAY)[1].phase is Phase.EXPIRED
