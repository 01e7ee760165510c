"""The ring changes versions: labels, states, and what follows from a clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from support.errors import text_of
from support.rings import NOW, Meanwhile, Refused, Rings, Wait, writable

import keywright
from keywright import Registry, Secret, State
from keywright.errors import (
    ConfigError,
    ConflictError,
    PolicyError,
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
    """The state, its time by the ring's clock and its reason are written; only destruction takes the payload."""
    opened = ring()
    before = opened.generate("a", labels={"x": "1"})
    wait(hours=1)

    info = getattr(opened, change)("a", reason="leaked in a log")

    assert (info.state, info.state_since, info.reason) == (state, NOW + timedelta(hours=1), "leaked in a log")
    assert (info.public, info.kid, info.created, info.labels) == (before.public, before.kid, NOW, {"x": "1"})
    assert [(one.phase, one.info) for one in opened.show("a").versions] == [(phase, info)]
    assert (opened.open_store().get("a", 1).payload is None) == (change == "destroy")
    assert (opened.load("a@1").secret is None) == (change == "destroy")


def test_a_disabled_version_comes_back(ring: Rings) -> None:
    """Enabled again, a version signs as before, and the reason is that of the last change."""
    opened = ring()
    opened.generate("a")
    signature = opened.sign("a", b"data")
    opened.disable("a", reason="holidays")

    info = opened.enable("a", reason="back")

    assert (info.state, info.reason) == (State.ENABLED, "back")
    assert opened.sign("a", b"data") == signature


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
    """The room that is left is reported, to the character; without a reason a version can always be disabled."""
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
    ("first", "ways", "message"),
    [
        ("destroy", ("enable", "compromise"), "a@1 is destroyed permanently; rotate it to create a new version"),
        (
            "compromise",
            ("enable", "disable"),
            "a@1 is compromised permanently; rotate it to create a new version, or destroy this one",
        ),
    ],
)
def test_there_is_no_way_back(ring: Rings, refused: Refused, first: str, ways: tuple[str, ...], message: str) -> None:
    """What was destroyed or compromised stays so; it can be destroyed all the same."""
    opened = ring()
    opened.generate("a")
    before = getattr(opened, first)("a")

    for way in ways:
        with refused(PolicyError, message):
            getattr(opened, way)("a")

    assert opened.show("a").versions[0].info == before
    assert opened.destroy("a").state is State.DESTROYED


def test_a_bare_name_is_its_primary_or_its_only_version(ring: Rings) -> None:
    """`NAME` is the primary, or the only version in whatever state; `resolve` tells which one is meant."""
    opened = ring()
    first = opened.disable(opened.generate("a").name)
    assert [opened.resolve("a"), opened.resolve("a", for_good=True)] == [first, first]
    first = opened.enable("a")

    second = opened.rotate("a")

    assert [opened.resolve(reference) for reference in ("a", "a@1", "a@2")] == [second, first, second]
    assert opened.resolve("a@1", for_good=True) == first
    assert opened.disable("a").version == 2


def test_a_bare_name_without_a_primary_is_refused(ring: Rings, refused: Refused) -> None:
    """Where several versions could be meant and none signs, the newest is suggested and none is taken."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a")
    opened.disable("a")

    for ask in (opened.enable, opened.resolve, opened.load, opened.export):
        with refused(
            PolicyError,
            "a has no version that signs: version 2 is disabled, and older versions are not used again; name "
            "a version, such as a@2; to sign, run `keywright enable a@2`, or run `keywright rotate a`",
        ):
            ask("a")

    assert opened.enable("a@2").state is State.ENABLED


@pytest.mark.parametrize("change", ["compromise", "destroy"])
def test_what_is_for_good_wants_a_version(ring: Rings, refused: Refused, change: str) -> None:
    """Of several versions `NAME` alone is compromised or destroyed by no guess, not even the primary."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a")
    before = opened.show("a")

    message = (
        "a has several versions, and a rotation meanwhile would change which one is meant; name one of them: a@1, a@2"
    )
    with refused(PolicyError, message):
        getattr(opened, change)("a")
    with refused(PolicyError, message):
        opened.resolve("a", for_good=True)

    assert opened.show("a") == before
    assert getattr(opened, change)("a@1").version == 1


def test_a_resolved_key_without_metadata_is_described(ring: Rings, plain: dict[str, Secret]) -> None:
    """Where the store keeps payloads alone, `resolve` tells what the payload says."""
    made = ring()
    made.generate("a")
    plain["a"] = made.export("a", secret=True)

    info = ring(stores={"ci": {"backend": "plain"}}).resolve("a")

    assert (info.reference, info.kid, info.key_type) == ("a@1", "a-1", "ed25519")


@pytest.mark.parametrize("change", ["disable", "enable", "compromise", "destroy"])
def test_a_reason_is_short_printable_text(ring: Rings, refused: Refused, change: str) -> None:
    """What would break a line or a terminal is no reason, and nothing is changed; any other of 1000 characters is."""
    opened = ring()
    before = opened.generate("a")
    printable = "remove line breaks and control characters"

    for reason, way_out in (
        ("a\nb", printable),
        ("\x1b[2J", printable),
        ("\ud800", printable),
        ("x" * 1001, "shorten it"),
    ):
        with refused(ConfigError, f"a reason must be printable text of at most 1000 characters; {way_out}"):
            getattr(opened, change)("a", reason=reason)
    assert opened.resolve("a") == before

    for number, reason in enumerate(["", "naïve 鍵", "x" * 1000]):
        opened.generate(f"kept-{number}")
        assert opened.compromise(f"kept-{number}", reason=reason).reason == reason


def test_a_change_meanwhile_is_kept(ring: Rings, meanwhile: Meanwhile) -> None:
    """Another's change between reading and writing is seen, and this one is made on top of it."""
    opened = ring()
    opened.generate("a")
    meanwhile(opened.open_store(), "get", lambda: opened.label("a", {"x": "1"}), after=True)

    info = opened.disable("a")

    assert (info.state, info.labels) == (State.DISABLED, {"x": "1"})


def test_endless_changes_are_told(ring: Rings, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the record never stands still, the ring gives up and says so."""
    opened = ring()
    opened.generate("a")
    store = writable(opened)
    tries: list[object] = []

    def update(info: object, expected: str) -> object:
        tries.append(info)
        raise ConflictError("moved")

    monkeypatch.setattr(store, "update_info", update)

    with refused(ConflictError, "a@1 kept changing while it was to be changed; run the command again"):
        opened.disable("a")

    assert len(tries) == 20
    assert opened.show("a").versions[0].info.state is State.ENABLED


def test_a_destruction_meanwhile_is_final(ring: Rings, refused: Refused, meanwhile: Meanwhile) -> None:
    """Anyone who wants to enable what someone destroys meanwhile does not bring it back."""
    opened = ring()
    opened.generate("a")
    opened.disable("a")
    meanwhile(opened.open_store(), "get", lambda: opened.destroy("a"), after=True)

    with refused(PolicyError, "a@1 is destroyed permanently; rotate it to create a new version"):
        opened.enable("a")

    assert opened.open_store().get("a", 1).payload is None


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


NAME = "a label name must be 1 to 63 of A-Z, a-z, 0-9, '.', '_', '/' and '-', starting with a letter or digit"


def test_labels_are_written_and_taken_off(ring: Rings) -> None:
    """Labels are added to those that are there, replaced, and taken off by None; what changes nothing is not a "
    "write."""
    opened = ring()
    opened.generate("a", labels={"b": "1", "c": "1"})

    info = opened.label("a", {"c": "2", "b": None, "a": "1", "never there": None})

    assert list(info.labels.items()) == [("a", "1"), ("c", "2")]
    assert opened.show("a").versions[0].info == info
    assert opened.label("a", {"c": "2", "y": None}) == info


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


def test_labels_are_printable_text(ring: Rings, refused: Refused) -> None:
    """What is within the rule is kept, what is outside is refused and changes nothing, in the configuration too."""
    opened = ring(keys={"b": {"labels": {"no good": "x"}}})
    opened.generate("a")
    kept = [{"a": ""}, {"A/b.c-d_9": "x"}, {"x" * 63: "x" * 256}, {"x": "naïve 鍵"}]
    bad_names = ["", "x" * 64, "-x", "x=y", "ä", "x\n"]
    bad_values: list[Any] = ["a\nb", "\x1b[2J", "x" * 257, "é" * 129, "\ud800", 7]

    for labels in kept:
        assert labels.items() <= opened.label("a", labels).labels.items(), labels
    before = opened.show("a")
    for name in bad_names:
        with refused(ConfigError, NAME):
            opened.label("a", {name: "x"})
    for value in bad_values:
        with refused(ConfigError, "label x must be printable text of at most 256 bytes"):
            opened.label("a", {"x": value})
    with refused(ConfigError, f"given settings: keys.b.labels: {NAME}"):
        opened.generate("b")
    assert opened.show("a") == before


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
def test_a_clock_that_gives_no_time(registry: Registry, gives: Any, message: str) -> None:
    """Nothing is stored by it."""
    with keywright.open(STORES, clock=lambda: gives, registry=registry) as ring:
        for call in (ring.now, lambda: ring.generate("a")):
            with pytest.raises(ConfigError) as caught:
                call()
            assert text_of(caught.value) == message
        assert list(ring.names()) == []
