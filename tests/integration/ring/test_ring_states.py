"""The ring changes versions: labels, states, and what follows from a clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from support.rings import NOW, Refused, Rings, Wait

import keywright
from keywright import Registry, Secret, State
from keywright.errors import (
    ConfigError,
    ConflictError,
    KeyNotFoundError,
    PolicyError,
    ReadOnlyStoreError,
)


@pytest.mark.parametrize(
    ("change", "state", "phase"),
    [
        ("disable", State.DISABLED, "disabled"),
        ("compromise", State.COMPROMISED, "compromised"),
        ("destroy", State.DESTROYED, "destroyed"),
    ],
)
def test_a_version_is_put_away(ring: Rings, wait: Wait, change: str, state: State, phase: str) -> None:
    """The state, its time and its reason are written, and nothing else changes."""
    opened = ring()
    before = opened.generate("a", labels={"x": "1"})
    wait(hours=1)

    info = getattr(opened, change)("a", reason="leaked in a log")

    assert (info.state, info.state_since, info.reason) == (state, NOW + timedelta(hours=1), "leaked in a log")
    assert (info.public, info.kid, info.created, info.labels) == (before.public, before.kid, NOW, {"x": "1"})
    assert [(one.phase, one.info) for one in opened.show("a").versions] == [(phase, info)]


def test_a_disabled_version_comes_back(ring: Rings) -> None:
    """Enabled again, a version signs as before, and the reason is that of the last change."""
    opened = ring()
    opened.generate("a")
    signature = opened.sign("a", b"data")
    opened.disable("a", reason="holidays")

    info = opened.enable("a", reason="back")

    assert (info.state, info.reason) == (State.ENABLED, "back")
    assert opened.sign("a", b"data") == signature


def test_destruction_takes_the_payload(ring: Rings) -> None:
    """A tombstone keeps its public half and loses its payload."""
    opened = ring()
    public = opened.generate("a").public

    opened.destroy("a")

    record = opened.open_store().store.get("a", 1)
    assert record.payload is None
    assert (record.info.state, record.info.public) == (State.DESTROYED, public)
    assert opened.load("a@1").secret is None


def test_a_tombstone_keeps_all_that_was_said(ring: Rings) -> None:
    """Each reason stands before the one of the state before, and a state for which none was given is told as well."""
    opened = ring()
    opened.generate("a")
    opened.disable("a", reason="holidays")
    opened.enable("a", reason="back")

    assert opened.disable("a", reason="odd traffic").reason == "odd traffic"
    assert opened.compromise("a").reason == "was disabled: odd traffic"
    assert opened.destroy("a", reason="tidied").reason == "tidied; was compromised: was disabled: odd traffic"


def test_a_reason_that_does_not_fit_beside_the_others(ring: Rings, refused: Refused) -> None:
    """The room that is left is told, to the character; without a reason a version can always be put away."""
    opened = ring()
    opened.generate("a")
    before = opened.disable("a", reason="x" * 900)
    rest = "x" * (1000 - 900 - len("; was disabled: "))

    with refused(
        ConfigError,
        "the reasons kept with a@1 may have 1000 characters together, and there is room for 84 more; shorten the new "
        "one, or leave it out",
    ):
        opened.compromise("a", reason=rest + "x")
    assert opened.resolve("a") == before

    assert len(opened.compromise("a", reason=rest).reason) == 1000
    with refused(
        ConfigError,
        "the reasons kept with a@1 may have 1000 characters together, and there is room for 0 more; shorten the new "
        "one, or leave it out",
    ):
        opened.destroy("a", reason="y")
    assert opened.destroy("a").reason.startswith("was compromised: x")


@pytest.mark.parametrize("change", ["disable", "enable", "compromise", "destroy"])
def test_a_second_time_changes_nothing(ring: Rings, wait: Wait, change: str) -> None:
    """A version that is in the state already stays as it is: time, reason and revision too."""
    opened = ring()
    opened.generate("a")
    first = getattr(opened, change)("a", reason="first")
    wait(hours=1)

    second = getattr(opened, change)("a", reason="second")

    assert second == first


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        ("destroy", "enable", "a@1 is destroyed, for good; rotate to make a new version"),
        ("destroy", "compromise", "a@1 is destroyed, for good; rotate to make a new version"),
        (
            "compromise", "enable",
            "a@1 is compromised, for good; rotate to make a new version, or destroy this one",
        ),
        (
            "compromise", "disable",
            "a@1 is compromised, for good; rotate to make a new version, or destroy this one",
        ),
    ],
)  # fmt: skip
def test_there_is_no_way_back(ring: Rings, refused: Refused, first: str, then: str, message: str) -> None:
    """What was destroyed or compromised stays so."""
    opened = ring()
    opened.generate("a")
    before = getattr(opened, first)("a")

    with refused(PolicyError, message):
        getattr(opened, then)("a")

    assert opened.show("a").versions[0].info == before


def test_a_compromised_version_can_be_destroyed(ring: Rings) -> None:
    """From compromised the way leads on to destroyed."""
    opened = ring()
    opened.generate("a")
    opened.compromise("a")

    assert opened.destroy("a").state is State.DESTROYED


def test_a_bare_name_is_its_primary_or_its_only_version(ring: Rings) -> None:
    """`NAME` alone is the primary, and where there is one version only, that one in whatever state."""
    opened = ring()
    opened.generate("a")
    opened.disable("a")
    assert opened.enable("a").version == 1
    opened.rotate("a")

    assert opened.disable("a").version == 2


@pytest.mark.parametrize("change", ["compromise", "destroy"])
def test_what_is_for_good_wants_a_version(ring: Rings, refused: Refused, change: str) -> None:
    """Of several versions `NAME` alone is compromised or destroyed by no guess, not even the primary."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a")
    before = opened.show("a")

    message = "a has several versions, and a rotation meanwhile would make it another one; say which is meant: a@1, a@2"
    with refused(PolicyError, message):
        getattr(opened, change)("a")
    with refused(PolicyError, message):
        opened.resolve("a", for_good=True)

    assert opened.show("a") == before
    assert getattr(opened, change)("a@1").version == 1


def test_a_reference_is_resolved(ring: Rings) -> None:
    """`resolve` tells which version is meant: the one that is named, the primary, or the only one."""
    opened = ring()
    first = opened.disable(opened.generate("a").name)
    assert [opened.resolve("a"), opened.resolve("a", for_good=True)] == [first, first]

    second = opened.rotate("a")

    assert [opened.resolve(reference) for reference in ("a", "a@1", "a@2")] == [second, first, second]
    assert opened.resolve("a@1", for_good=True) == first


@pytest.mark.parametrize(
    ("reference", "kind", "message"),
    [
        ("b", KeyNotFoundError, "store 'main' has no key b; make one with generate or import, or name another --store"),
        ("a@3", KeyNotFoundError, "a has no version 3 in store 'main'; it has: 1, 2"),
        (
            "a",
            PolicyError,
            (
                "a has no version that signs, so say which is meant, such as a@2: version 2 is disabled, and an older "
                "one never takes its place; enable it again, or rotate"
            ),
        ),
    ],
)
def test_what_is_not_resolved(
    ring: Rings, refused: Refused, reference: str, kind: type[Exception], message: str
) -> None:
    """Where nothing is meant for certain, `resolve` says why."""
    opened = ring()
    opened.generate("a")
    opened.disable(opened.rotate("a").reference)

    with refused(kind, message):
        opened.resolve(reference)


def test_a_resolved_key_without_metadata_is_described(ring: Rings, plain: dict[str, Secret]) -> None:
    """Where the store keeps payloads alone, `resolve` tells what the payload says."""
    made = ring()
    made.generate("a")
    plain["a"] = made.export("a", secret=True)

    info = ring(stores={"ci": {"backend": "plain"}}).resolve("a")

    assert (info.reference, info.kid, info.key_type) == ("a@1", "a-1", "ed25519")


@pytest.mark.parametrize("change", ["disable", "enable", "compromise", "destroy"])
@pytest.mark.parametrize(
    ("reason", "way_out"),
    [
        pytest.param("a\nb", "take line breaks and control characters out of it", id="a line feed"),
        pytest.param("\x1b[2J", "take line breaks and control characters out of it", id="an escape"),
        pytest.param("\ud800", "take line breaks and control characters out of it", id="half a character"),
        pytest.param("x" * 1001, "shorten it", id="long"),
    ],
)
def test_a_reason_is_short_printable_text(
    ring: Rings, refused: Refused, change: str, reason: str, way_out: str
) -> None:
    """What would break a line or a terminal is no reason, and nothing is changed for it."""
    opened = ring()
    before = opened.generate("a")

    with refused(ConfigError, f"a reason must be printable text of at most 1000 characters; {way_out}"):
        getattr(opened, change)("a", reason=reason)

    assert opened.resolve("a") == before


@pytest.mark.parametrize("reason", ["", "naïve 鍵", "x" * 1000])
def test_a_reason_is_kept_as_it_is(ring: Rings, reason: str) -> None:
    """A reason in any script, of up to 1000 characters, is kept."""
    opened = ring()
    opened.generate("a")

    assert opened.compromise("a", reason=reason).reason == reason


def test_a_bare_name_without_a_primary_is_refused(ring: Rings, refused: Refused) -> None:
    """Where several versions could be meant and none signs, the ring does not guess."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a")
    opened.disable("a")

    with refused(
        PolicyError,
        "a has no version that signs, so say which is meant, such as a@2: version 2 is disabled, and an older one "
        "never takes its place; enable it again, or rotate",
    ):
        opened.enable("a")

    assert opened.enable("a@2").state is State.ENABLED


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("b", "store 'main' has no key b; make one with generate or import, or name another --store"),
        ("a@2", "a has no version 2 in store 'main'; it has: 1"),
    ],
)
def test_what_is_not_there_is_refused(ring: Rings, refused: Refused, reference: str, message: str) -> None:
    """A name or version that is not there is told."""
    opened = ring()
    opened.generate("a")

    with refused(KeyNotFoundError, message):
        opened.destroy(reference)


def test_a_read_only_store_is_refused(ring: Rings, refused: Refused, plain: dict[str, Secret]) -> None:
    """A store that takes no writes is refused by name."""
    made = ring()
    made.generate("a")
    plain["a"] = made.export("a", secret=True)
    opened = ring(stores={"ci": {"backend": "plain"}})

    with refused(ReadOnlyStoreError, "store 'ci' is read-only (backend 'plain'); name a writable one with --store"):
        opened.destroy("a")


def test_a_change_meanwhile_is_kept(ring: Rings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's change between reading and writing is seen, and this one is made on top of it."""
    opened = ring()
    opened.generate("a")
    store = opened.open_store().writable
    get = store.get
    late: list[str] = ["y", "x"]

    def slow_get(name: str, version: int) -> object:
        record = get(name, version)
        if late:
            opened.label("a", {late.pop(): "1"})
        return record

    monkeypatch.setattr(store, "get", slow_get)

    info = opened.disable("a")

    assert (info.state, info.labels) == (State.DISABLED, {"x": "1", "y": "1"})


def test_endless_changes_are_told(ring: Rings, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the record never stands still, the ring gives up and says so."""
    opened = ring()
    opened.generate("a")
    store = opened.open_store().writable
    tries: list[object] = []

    def update(record: object, *, expected: str) -> object:
        tries.append(record)
        raise ConflictError("moved")

    monkeypatch.setattr(store, "update", update)

    with refused(ConflictError, "a@1 kept changing while it was to be changed; try again"):
        opened.disable("a")

    assert len(tries) == 20
    assert opened.show("a").versions[0].info.state is State.ENABLED


def test_a_destruction_meanwhile_is_final(ring: Rings, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants to enable what somebody destroys meanwhile does not bring it back."""
    opened = ring()
    opened.generate("a")
    opened.disable("a")
    store = opened.open_store().writable
    get = store.get
    late = [True]

    def slow_get(name: str, version: int) -> object:
        record = get(name, version)
        if late and late.pop():
            opened.destroy("a")
        return record

    monkeypatch.setattr(store, "get", slow_get)

    with refused(PolicyError, "a@1 is destroyed, for good; rotate to make a new version"):
        opened.enable("a")

    assert get("a", 1).payload is None


def test_a_withdrawn_announcement_leaves_the_primary(ring: Rings, wait: Wait) -> None:
    """A version that is disabled before its time never takes over; enabled late, it takes over then."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a", activate_in=timedelta(days=1), overlap=timedelta(days=1))
    opened.disable("a@2")

    wait(days=3)
    before = opened.signer("a").version
    info = opened.enable("a@2")

    assert (before, opened.signer("a").version) == (1, 2)
    assert info.activates == NOW + timedelta(days=3)
    assert [one.phase for one in opened.show("a").versions] == ["verifying", "signing"]


def test_the_time_of_a_state_is_the_rings(ring: Rings, wait: Wait) -> None:
    """States are dated by the ring's clock."""
    opened = ring()
    opened.generate("a")
    wait(minutes=5)

    assert opened.disable("a").state_since == NOW + timedelta(minutes=5) == opened.now()


def test_store_says_where(ring: Rings) -> None:
    """`store` picks the store of any change."""
    stores = {"main": {"backend": "memory"}, "other": {"backend": "memory"}}
    opened = ring(stores=stores, default_store="main")
    opened.generate("a")
    opened.generate("a", store="other")

    opened.compromise("a", store="other")

    assert opened.signer("a").version == 1
    assert opened.show("a", store="other").versions[0].phase == "compromised"


NAME = "a label name is 1 to 63 of A-Z, a-z, 0-9, '.', '_', '/' and '-', starting with a letter or digit"


def test_labels_are_written_and_taken_off(ring: Rings) -> None:
    """Labels are added to those that are there, replaced, and taken off by None; they come sorted."""
    opened = ring()
    opened.generate("a", labels={"b": "1", "c": "1"})

    info = opened.label("a", {"c": "2", "b": None, "a": "1", "never there": None})

    assert list(info.labels.items()) == [("a", "1"), ("c", "2")]
    assert opened.show("a").versions[0].info == info


def test_labels_are_a_versions_own(ring: Rings) -> None:
    """A label is written on the version that is named, in whatever state; the next version takes the last one's."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a")
    opened.destroy("a@1")

    opened.label("a@1", {"why": "leaked"})
    opened.label("a", {"user_id": "7"})

    assert [one.info.labels for one in opened.show("a").versions] == [{"why": "leaked"}, {"user_id": "7"}]
    assert opened.show("a").versions[0].info.state is State.DESTROYED
    assert opened.rotate("a").labels == {"user_id": "7"}


def test_what_is_there_already_is_not_written(ring: Rings) -> None:
    """Labels that change nothing leave the record as it is."""
    opened = ring()
    before = opened.generate("a", labels={"x": "1"})

    assert opened.label("a", {"x": "1", "y": None}) == before


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param({"a": ""}, id="nothing"),
        pytest.param({"A/b.c-d_9": "x"}, id="every kind of character"),
        pytest.param({"x" * 63: "x" * 256}, id="longest"),
        pytest.param({"x": "naïve 鍵"}, id="any script"),
    ],
)
def test_labels_are_printable_text(ring: Rings, labels: dict[str, str]) -> None:
    """What is within the rule is kept as it is."""
    opened = ring()
    opened.generate("a")

    assert opened.label("a", labels).labels == labels


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        pytest.param({"": "x"}, NAME, id="no name"),
        pytest.param({"x" * 64: "x"}, NAME, id="a long name"),
        pytest.param({"-x": "x"}, NAME, id="a name with a wrong start"),
        pytest.param({"x=y": "x"}, NAME, id="a name with an equals sign"),
        pytest.param({"ä": "x"}, NAME, id="a name of another script"),
        pytest.param({"x\n": "x"}, NAME, id="a name with a line feed"),
        pytest.param({"x": "a\nb"}, "label x must be printable text of at most 256 bytes", id="a line feed"),
        pytest.param({"x": "\x1b[2J"}, "label x must be printable text of at most 256 bytes", id="an escape"),
        pytest.param({"x": "x" * 257}, "label x must be printable text of at most 256 bytes", id="too long"),
        pytest.param({"x": "é" * 129}, "label x must be printable text of at most 256 bytes", id="too many bytes"),
        pytest.param({"x": "\ud800"}, "label x must be printable text of at most 256 bytes", id="a lone surrogate"),
        pytest.param({"x": 7}, "label x must be printable text of at most 256 bytes", id="a number"),
    ],
)
def test_what_is_no_label_is_refused(
    ring: Rings, refused: Refused, labels: dict[str, str | None], message: str
) -> None:
    """A label outside the rule is refused, and the labels stay as they were."""
    opened = ring()
    before = opened.generate("a", labels={"x": "1"})

    with refused(ConfigError, message):
        opened.label("a", labels)

    assert opened.show("a").versions[0].info == before


def test_configured_labels_are_checked(ring: Rings, refused: Refused) -> None:
    """A label in [keys.NAME] is checked like any other when it is used, and told with its place."""
    with refused(ConfigError, f"given settings: keys.a.labels: {NAME}"):
        ring(keys={"a": {"labels": {"no good": "x"}}}).generate("a")


def test_what_is_not_there_takes_no_label(ring: Rings, refused: Refused) -> None:
    """A version that is not there is told."""
    opened = ring()
    opened.generate("a")

    with refused(KeyNotFoundError, "a has no version 2 in store 'main'; it has: 1"):
        opened.label("a@2", {"x": "1"})


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
            3, "the time that the clock gives must be a time with a zone, such as 2027-01-31T12:00:00Z", id="a number"
        ),
        pytest.param(
            None,
            "the clock gives no time; have it return one with a zone, such as datetime.now(UTC)",
            id="nothing",
        ),
        pytest.param(
            datetime.min.replace(tzinfo=timezone(timedelta(hours=2))),
            "the time that the clock gives must lie within the years 1 to 9999 in UTC",
            id="before all years",
        ),
    ],
)
def test_a_clock_that_gives_no_time(registry: Registry, gives: Any, message: str) -> None:
    """Nothing is stored by it."""
    with keywright.open(STORES, clock=lambda: gives, registry=registry) as ring:
        for call in (ring.now, lambda: ring.generate("a")):
            with pytest.raises(ConfigError) as caught:
                call()
            assert str(caught.value) == message
        assert list(ring.names()) == []


@pytest.mark.parametrize("clock", ["now", datetime.now(UTC)])
def test_what_is_no_clock(registry: Registry, clock: Any) -> None:
    """It is told before anything is opened."""
    with pytest.raises(ConfigError) as caught:
        keywright.open(STORES, clock=clock, registry=registry)
    assert str(caught.value) == (
        "clock must be a function that gives the time; leave it out for the time of the system"
    )
