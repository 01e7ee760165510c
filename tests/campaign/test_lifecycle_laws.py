"""Laws of the lifecycle, over any history of operations and over any records (DESIGN: versions make rotation safe)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from keywright import RecordInfo, State, lifecycle
from keywright.lifecycle import Phase
from keywright.testing.strategies import record_infos, times

START = datetime(2027, 1, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
VERIFIES = (Phase.ANNOUNCED, Phase.SIGNING, Phase.VERIFYING)

# Few and small, so that times meet exactly.
delays = st.sampled_from([0, 1, 2, 3, 5, 8]).map(lambda seconds: timedelta(seconds=seconds))
overlaps = st.none() | delays
lifetimes = st.none() | st.sampled_from([1, 2, 3, 5, 8, 13]).map(lambda seconds: timedelta(seconds=seconds))
which = st.integers(0, 20)


class History(RuleBasedStateMachine):
    """One name under random operations, beside a second account of it.

    The account is kept by what happened (`took_over`: when a version was enabled as its activation came), the code
    under test goes by what the records say.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.infos: list[RecordInfo] = []
        self.took_over: dict[int, datetime] = {}
        self.have_signed: list[int] = []

    # What keepers and clocks do

    @initialize(delay=st.none() | delays, lifetime=lifetimes)
    def generate(self, delay: timedelta | None, lifetime: timedelta | None) -> None:
        """Version 1."""
        self._create(delay, None, lifetime)

    @rule(delay=st.none() | delays, overlap=overlaps, lifetime=lifetimes)
    def rotate(self, delay: timedelta | None, overlap: timedelta | None, lifetime: timedelta | None) -> None:
        """The next version."""
        self._create(delay, overlap, lifetime)

    def _create(self, delay: timedelta | None, overlap: timedelta | None, lifetime: timedelta | None) -> None:
        activates = None if delay is None else self.now + delay
        info = RecordInfo(
            name="n",
            version=len(self.infos) + 1,
            key_type="ed25519",
            state_since=self.now,
            created=self.now,
            activates=activates,
            expires=None if lifetime is None else (activates or self.now) + lifetime,
            overlap=overlap,
        )
        self.infos.append(info)
        if activates is None or activates <= self.now:
            self.took_over[info.version] = self.now

    @rule(place=which, state=st.sampled_from(State))
    def change_state(self, place: int, state: State) -> None:
        """Any version into any state that it can come into."""
        before = self.infos[place % len(self.infos)]
        if not allowed(before.state, state):
            return
        after = lifecycle.change_state(before, state, self.now, "because")
        self.infos[after.version - 1] = after
        came = before.activates is None or before.activates <= self.now
        alive = before.expires is None or self.now < before.expires
        if after is not before and state is State.ENABLED and came and alive:
            self.took_over.setdefault(after.version, self.now)

    @precondition(lambda self: any(info.state is State.ENABLED for info in self.infos))
    @rule(state=st.sampled_from([State.DISABLED, State.COMPROMISED, State.DESTROYED]))
    def put_newest_away(self, state: State) -> None:
        """The newest that is enabled, for that is where mistakes would show."""
        self.change_state(max(info.version for info in self.infos if info.state is State.ENABLED) - 1, state)

    @rule(delay=delays.filter(bool))
    def wait(self, delay: timedelta) -> None:
        """The clock goes on, and what was announced takes over."""
        until = self.now + delay
        for info in self.infos:
            if info.activates is not None and self.now < info.activates <= until and info.state is State.ENABLED:
                self.took_over.setdefault(info.version, info.activates)
        self.now = until

    # What must hold after each

    @invariant()
    def it_is_the_newest_that_took_over_that_signs_or_none(self) -> None:
        """The primary is the newest version that ever took over, if it is enabled and not expired; never another."""
        newest = max(self.took_over, default=0)
        info = self.infos[newest - 1] if newest else None
        able = info is not None and self._alive(info)

        assert lifecycle.primary(self.infos, self.now) == (info if able else None)

    @invariant()
    def at_most_one_signs(self) -> None:
        """There are never two primaries."""
        signing = [one for one in lifecycle.phases(self.infos, self.now) if one.phase is Phase.SIGNING]

        assert len(signing) <= 1

    @invariant()
    def the_superseded_stay_superseded(self) -> None:
        """No version signs after a later one did, whatever happens to that one."""
        primary = lifecycle.primary(self.infos, self.now)
        if primary is not None:
            self.have_signed.append(primary.version)

        assert self.have_signed == sorted(self.have_signed)

    @invariant()
    def they_verify_until_the_overlap_is_over(self) -> None:
        """An enabled, unexpired version verifies until, for some later one, `overlap` after it took over is past."""
        expected = {info.version for info in self.infos if self._alive(info) and self._within_overlap(info)}

        assert {info.version for info in lifecycle.verifying(self.infos, self.now)} == expected

    @invariant()
    def the_primary_verifies_first(self) -> None:
        """`verifying` starts with the primary and goes on from the newest to the oldest."""
        able = [info.version for info in lifecycle.verifying(self.infos, self.now)]
        primary = lifecycle.primary(self.infos, self.now)
        others = able if primary is None else able[1:]

        assert primary is None or able[0] == primary.version
        assert others == sorted(others, reverse=True)

    @invariant()
    def what_is_put_away_does_neither(self) -> None:
        """A disabled, compromised or destroyed version has that as its phase, at once."""
        for one in lifecycle.phases(self.infos, self.now):
            assert one.info.state is State.ENABLED or one.phase == one.info.state.value

    @invariant()
    def nobody_is_left_without_a_reason(self) -> None:
        """Where nothing signs, there is a reason on one line, and it names no version that would sign now."""
        if lifecycle.primary(self.infos, self.now) is None:
            for said in lifecycle.why_not(self.infos, self.now):
                assert said.splitlines() == [said]
                assert "signing" not in said

    @invariant()
    def the_end_of_the_primary_is_known(self) -> None:
        """Nothing happening, the primary signs until the moment that `primary_until` says, and not from then on."""
        if self.infos:
            check_primary_until(self.infos, self.now)

    def _alive(self, info: RecordInfo) -> bool:
        return info.state is State.ENABLED and (info.expires is None or self.now < info.expires)

    def _within_overlap(self, info: RecordInfo) -> bool:
        heirs = [(time, self.infos[version - 1]) for version, time in self.took_over.items() if version > info.version]
        return all(heir.overlap is None or self.now < time + heir.overlap for time, heir in heirs)


def allowed(before: State, after: State) -> bool:
    """Whether a keeper may move a version so."""
    if before is State.DESTROYED:
        return after is State.DESTROYED
    return before is not State.COMPROMISED or after in (State.COMPROMISED, State.DESTROYED)


def check_primary_until(infos: list[RecordInfo], now: datetime) -> None:
    """The primary of `now` is the same just before `primary_until`, and another or none at it."""
    primary, until = lifecycle.primary(infos, now), lifecycle.primary_until(infos, now)

    if primary is None:
        assert until is None
    elif until is None:
        assert lifecycle.primary(infos, datetime.max.replace(tzinfo=UTC)) == primary
    else:
        assert until > now
        assert lifecycle.primary(infos, max(now, until - INSTANT)) == primary
        assert lifecycle.primary(infos, until) != primary


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)


def any_records() -> st.SearchStrategy[list[RecordInfo]]:
    """Versions of one name with any states and times, as damaged or hand-made metadata could have them."""
    return st.lists(record_infos(), max_size=4, unique_by=lambda info: info.version)


@given(infos=any_records(), now=times())
def test_any_records_at_any_time_have_one_primary_or_a_reason(infos: list[RecordInfo], now: datetime) -> None:
    """Whatever the records say, there is at most one primary, or a reason on one line; nothing is ever raised."""
    known = lifecycle.phases(infos, now)

    signing = [one.info for one in known if one.phase is Phase.SIGNING]

    assert [one.info.version for one in known] == sorted(info.version for info in infos)
    assert signing == [info for info in [lifecycle.primary(infos, now)] if info is not None]
    assert len(signing) <= 1
    assert all(len(text.splitlines()) == 1 for text in lifecycle.why_not(infos, now))


@given(infos=any_records(), now=times())
def test_any_primary_signs_until_its_end_and_no_longer(infos: list[RecordInfo], now: datetime) -> None:
    """The primary is the same just before `primary_until`, and another or none at it."""
    check_primary_until(infos, now)


@given(infos=any_records(), now=times(), later=times())
def test_time_alone_never_brings_an_older_version_back(infos: list[RecordInfo], now: datetime, later: datetime) -> None:
    """Of two times, the later one never has the older primary."""
    first, second = sorted((now, later))

    primaries = [info.version for time in (first, second) if (info := lifecycle.primary(infos, time)) is not None]

    assert primaries == sorted(primaries)


@given(infos=any_records(), now=times())
def test_whoever_verifies_does_so_until_the_time_that_is_told(infos: list[RecordInfo], now: datetime) -> None:
    """What verifies now verifies just before its `verifies_until` and not at it; None: to the end of days."""
    end_of_days = datetime.max.replace(tzinfo=UTC)
    for one in lifecycle.phases(infos, now):
        if one.phase not in VERIFIES:
            continue
        last = end_of_days if one.verifies_until is None else max(now, one.verifies_until - INSTANT)

        assert one.info in lifecycle.verifying(infos, last)
        assert one.verifies_until is None or one.info not in lifecycle.verifying(infos, one.verifies_until)


@given(infos=any_records(), compromised=times(), now=times(), data=st.data())
def test_a_compromised_version_does_nothing_at_any_time(
    infos: list[RecordInfo], compromised: datetime, now: datetime, data: st.DataObject
) -> None:
    """Once compromised, a version neither signs nor verifies, on whatever clock."""
    places = [place for place, info in enumerate(infos) if allowed(info.state, State.COMPROMISED)]
    if not places:
        return
    place = data.draw(st.sampled_from(places))

    changed = lifecycle.change_state(infos[place], State.COMPROMISED, compromised)
    after = [*infos[:place], changed, *infos[place + 1 :]]

    assert lifecycle.primary(after, now) != changed
    assert changed not in lifecycle.verifying(after, now)


@given(activate_in=delays, overlap=overlaps, waited=delays)
def test_announced_rotation_leaves_no_gap(activate_in: timedelta, overlap: timedelta | None, waited: timedelta) -> None:
    """Rotated by `activate_in`, the old version signs until the instant in which the new one does; both verify."""
    old = RecordInfo(name="n", version=1, key_type="ed25519", created=START)
    new = RecordInfo(
        name="n", version=2, key_type="ed25519", created=START, activates=START + activate_in, overlap=overlap
    )
    now = START + waited

    primary, verifying = lifecycle.primary([old, new], now), lifecycle.verifying([old, new], now)

    assert primary == (old if waited < activate_in else new)
    assert new in verifying
    assert (old in verifying) == (overlap is None or waited < activate_in + overlap)


@given(infos=any_records(), created=st.none() | times(), now=times())
def test_without_an_activation_a_version_signs_on_any_clock(
    infos: list[RecordInfo], created: datetime | None, now: datetime
) -> None:
    """A newest version without `activates` signs at once, also where the clock is behind its creation."""
    version = max((info.version for info in infos), default=0) + 1
    newest = RecordInfo(name="n", version=version, key_type="ed25519", created=created)

    assert lifecycle.primary([*infos, newest], now) == newest


@given(states=st.lists(st.sampled_from(State), min_size=1, max_size=4), steps=st.lists(delays, min_size=4, max_size=4))
def test_a_version_put_away_before_its_activation_never_takes_over(states: list[State], steps: list[timedelta]) -> None:
    """Announced and disabled, then moved on to whatever but `enabled`, a version leaves its predecessor in place."""
    old = RecordInfo(name="n", version=1, key_type="ed25519", created=START)
    announced = replace(old, version=2, activates=START + timedelta(seconds=4), overlap=timedelta(0))
    away = lifecycle.change_state(announced, State.DISABLED, START)

    now = START
    for state, step in zip(states, steps, strict=False):
        now += step
        if state is not State.ENABLED and allowed(away.state, state):
            away = lifecycle.change_state(away, state, now)

    assert lifecycle.primary([old, away], START + timedelta(days=1)) == old
    assert lifecycle.verifying([old, away], START + timedelta(days=1)) == (old,)


@given(late=delays, overlap=overlaps, lifetime=lifetimes, waited=delays)
def test_a_version_enabled_late_takes_over_then_unless_it_has_expired(
    late: timedelta, overlap: timedelta | None, lifetime: timedelta | None, waited: timedelta
) -> None:
    """Disabled before its activation and enabled after it, a version takes over as it is enabled, if it can sign."""
    old = RecordInfo(name="n", version=1, key_type="ed25519", created=START - timedelta(days=1))
    expires = None if lifetime is None else START + lifetime
    announced = replace(old, version=2, activates=START, overlap=overlap, expires=expires)
    away = lifecycle.change_state(announced, State.DISABLED, START - INSTANT)
    enabled = START + late
    now = enabled + waited

    back = lifecycle.change_state(away, State.ENABLED, enabled)

    took_over = lifetime is None or late < lifetime
    alive = lifetime is None or late + waited < lifetime
    verifies = not took_over or overlap is None or now < enabled + overlap
    assert lifecycle.primary([old, back], enabled - INSTANT) == old
    assert lifecycle.primary([old, back], now) == ((back if alive else None) if took_over else old)
    assert (old in lifecycle.verifying([old, back], now)) == verifies
