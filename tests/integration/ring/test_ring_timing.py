"""The ring rotates what is due."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support.errors import text_of
from support.rings import Refused, Rings, Wait, writable

from keywright import Record, RecordInfo, Secret
from keywright.errors import (
    ConfigError,
    CorruptedStoreError,
    KeyNotFoundError,
    PolicyError,
    StoreUnavailableError,
    UnsupportedOperationError,
)

KEYS: dict[str, dict[str, Any]] = {
    "a": {"rotate_every": "90d", "overlap": "14d"},
    "b": {"rotate_every": "30d"},
    "c": {},
}


def test_what_is_old_enough_is_due(ring: Rings, wait: Wait) -> None:
    """A name is due from the moment on at which its newest version is `rotate_every` old; one without is never."""
    opened = ring(keys=KEYS)
    made = {name: opened.generate(name) for name in KEYS}

    wait(days=30, microseconds=-1)
    before = list(opened.due())
    wait(microseconds=1)
    after = list(opened.due())

    assert before == []
    assert after == [("b", made["b"], (made["b"].created or opened.now()) + timedelta(days=30), None, None)]


def test_what_is_due_is_rotated_once(ring: Rings, wait: Wait) -> None:
    """Each is rotated as its table says; a second run at once finds nothing to do."""
    opened = ring(keys=KEYS)
    for name in KEYS:
        opened.generate(name)
    wait(days=90)

    first = {one.name: one.made for one in opened.rotate_due()}
    second = list(opened.rotate_due())

    assert {name: made and (made.version, made.overlap) for name, made in first.items()} == {
        "a": (2, timedelta(days=14)),
        "b": (2, None),
    }
    assert second == []
    assert opened.show("c").versions[-1].info.version == 1


def test_names_narrow_it_down(ring: Rings, refused: Refused, wait: Wait) -> None:
    """Of the names that are given, those that are due are rotated; one that never is due is an error."""
    opened = ring(keys=KEYS)
    for name in KEYS:
        opened.generate(name)
    wait(days=90)

    assert [one.name for one in opened.rotate_due("a")] == ["a"]
    with refused(ConfigError, "key c has no rotation period; set keys.c.rotate_every, or run `keywright rotate c`"):
        list(opened.rotate_due("c"))
    with refused(ConfigError, "key c has no rotation period; set keys.c.rotate_every, or run `keywright rotate c`"):
        list(opened.rotate_due("b", "c"))
    assert opened.show("b").versions[-1].info.version == 1


def test_a_version_that_is_announced_counts(ring: Rings, wait: Wait) -> None:
    """While a version waits for its time, the first one too, no other is made until that one is old."""
    opened = ring(keys={"a": {"rotate_every": "30d", "activate_in": "7d"}, "b": {"rotate_every": "30d"}})
    opened.generate("a")
    opened.generate("b", activates=opened.now() + timedelta(days=100))
    wait(days=30)

    assert [one.made and one.made.reference for one in opened.rotate_due()] == ["a@2"]
    wait(days=6)
    assert list(opened.due()) == []


@pytest.mark.parametrize(
    ("away", "why"),
    [
        ("compromise", "compromised, and older versions are not used again; run `keywright rotate a`"),
        ("destroy", "destroyed, and older versions are not used again; run `keywright rotate a`"),
        (
            "disable",
            (
                "disabled, and older versions are not used again; run `keywright enable a@2`, or run "
                "`keywright rotate a`"
            ),
        ),
    ],
)
def test_what_was_put_away_is_told_and_not_made_anew(
    ring: Rings, refused: Refused, wait: Wait, away: str, why: str
) -> None:
    """A name of which no version signs or will is not passed over in silence; one that was never made is."""
    opened = ring(keys=KEYS)
    opened.generate("a")
    opened.rotate("a")
    getattr(opened, away)("a@2")
    wait(days=365)

    for found in (opened.due(), opened.rotate_due("a")):
        (one,) = found
        assert (one.name, one.newest and one.newest.version, one.since, one.made) == ("a", 2, None, None)
        with refused(
            PolicyError,
            f"no version of a signs, so it is not rotated automatically: version 2 is {why} by hand, or leave out "
            "keys.a.rotate_every",
        ):
            raise one.error or AssertionError
    assert len(opened.show("a").versions) == 2


def test_a_key_that_was_left_behind_is_told(
    ring: Rings, refused: Refused, two_stores: dict[str, dict[str, str]], wait: Wait
) -> None:
    """Where the configuration points a name at another store than the one that has it, that is no "not due"."""
    old, new = (ring(stores=two_stores, default_store=store, keys=KEYS) for store in ("old", "new"))
    old.generate("a")
    wait(days=90)

    for found in (new.due(), new.due("a"), new.rotate_due(), new.rotate_due("a"), new.due("a", store="new")):
        (one,) = found
        assert (one.name, one.newest, one.since, one.made) == ("a", None, None, None)
        with refused(
            KeyNotFoundError,
            "store 'new' has no key a, and store 'old' has it; move it with `keywright migrate --from old --to new a`, "
            "or pass --store old",
        ):
            raise one.error or AssertionError
    assert list(new.due(store="new")) == []
    assert [one.made and one.made.reference for one in old.rotate_due()] == ["a@2"]


def test_a_key_that_may_have_been_left_behind_is_told(ring: Rings, refused: Refused, shared: dict[str, str]) -> None:
    """Where another store cannot be asked, no one knows that the name was never made."""
    stores = {"old": {**shared, "idd": "misspelt"}, "new": {"backend": "memory", "id": f"{shared['id']}-new"}}
    opened = ring(stores=stores, default_store="new", keys={"a": KEYS["a"]})

    for found in (opened.due(), opened.rotate_due("a")):
        (one,) = found
        with refused(
            StoreUnavailableError,
            "store 'new' has no key a, and it is unknown whether 'old' has it, because that store is not available; "
            "make it available, or create one here with `keywright ensure --allow-duplicate a`",
        ):
            raise one.error or AssertionError
    opened.generate("a", allow_duplicate=True)
    assert list(opened.due()) == []


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("by hand", "the kid of a@1 was chosen by hand"),
        (
            "configured",
            "given settings: keys.a.bits is not a setting of key type 'ed25519'; remove it",
        ),
        ("damaged", "a is damaged; restore it"),
    ],
)
def test_one_that_fails_stops_no_other(
    ring: Rings, wait: Wait, monkeypatch: pytest.MonkeyPatch, way: str, message: str
) -> None:
    """A name that cannot be rotated, configured so or read is reported with its error; the others are rotated."""
    opened = ring(keys={**KEYS, "a": {"rotate_every": "90d", **({"bits": 7} if way == "configured" else {})}})
    if way == "by hand":
        opened.generate("a", kid="by-hand")
    opened.generate("b")
    wait(days=90)
    store = opened.open_store()
    versions = store.versions

    def failing(name: str) -> Any:
        if name == "a":
            raise CorruptedStoreError("a is damaged; restore it")
        return versions(name)

    if way == "damaged":
        monkeypatch.setattr(store, "versions", failing)

    due = list(opened.due())
    found = {one.name: one for one in opened.rotate_due()}

    assert [one.name for one in due] == list(found) == ["a", "b"]
    assert text_of(found["a"].error).startswith(message)
    assert found["a"].made is None
    assert found["b"].made is not None
    if way != "by hand":
        assert (due[0].newest, due[0].since, text_of(due[0].error)) == (None, None, message)


def test_of_two_at_once_one_makes_the_version(
    ring: Rings, shared: dict[str, str], wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ring that saw the old version as the newest creates its successor or nothing, never the one after that."""
    tables = {"stores": {"main": shared}, "keys": {"a": {"rotate_every": "1d"}}}
    one, other = ring(**tables), ring(**tables)
    one.generate("a")
    wait(days=1)
    store = writable(other)
    create = store.create
    made: list[int] = []

    def late(record: Record) -> RecordInfo:
        monkeypatch.setattr(store, "create", create)
        made.extend(found.made.version for found in one.rotate_due() if found.made)
        return create(record)

    monkeypatch.setattr(store, "create", late)

    assert list(other.rotate_due()) == []
    assert made == [2]
    assert [found.info.version for found in one.show("a").versions] == [1, 2]


def test_one_that_expired_before_anybody_came_is_due(ring: Rings, wait: Wait) -> None:
    """A cron job that was late finds the key expired, and makes the next one all the same."""
    opened = ring(keys={"a": {"rotate_every": "30d", "expires_in": "31d"}})
    opened.generate("a", expires=opened.now() + timedelta(days=7))
    wait(days=8)

    assert [one.since for one in opened.due()] == [opened.now() - timedelta(days=1)]
    assert [one.made and one.made.version for one in opened.rotate_due()] == [2]
    assert list(opened.due()) == []


def test_a_version_of_unknown_age_is_told(ring: Rings, refused: Refused, plain: dict[str, Secret]) -> None:
    """Where the store does not know when it was made, no one takes that for "not due"."""
    source = ring()
    source.generate("a")
    plain["a"] = source.export("a", secret=True)
    stores = {"main": {"backend": "memory"}, "ci": {"backend": "plain"}}
    opened = ring(stores=stores, default_store="main", keys={"a": {"rotate_every": "1d"}})
    list(opened.migrate(from_="ci", to="main"))
    unknown = "has no creation time of a@1, so it is unknown when it is due"
    by_hand = f"store 'main' {unknown}; run `keywright rotate a`; the new version will have a creation time"
    elsewhere = f"store 'ci' {unknown}; leave out keys.a.rotate_every, or migrate it to a store with metadata"

    for store, told in (("main", by_hand), ("ci", elsewhere)):
        for found in (opened.due(store=store), opened.rotate_due("a", store=store)):
            (one,) = found
            assert (one.name, one.newest and one.newest.version, one.since, one.made) == ("a", 1, None, None)
            with refused(UnsupportedOperationError, told):
                raise one.error or AssertionError
    opened.rotate("a")
    assert list(opened.due()) == []


def test_a_kid_that_is_taken_is_told(ring: Rings, wait: Wait) -> None:
    """That the next version cannot be made is not a race that another process won."""
    opened = ring(keys={"a": {"rotate_every": "30d", "kid": "k-{version}"}})
    opened.generate("a")
    opened.rotate("a", kid="k-3")
    wait(days=30)

    found = list(opened.rotate_due())

    assert [text_of(one.error) for one in found] == [
        "the kid of the new version is already used by a@2; pass another --kid"
    ]


def test_a_new_version_lives_as_long_as_is_declared(ring: Rings, wait: Wait) -> None:
    """`expires_in` counts from when a version starts to sign; an end that is asked for goes before."""
    opened = ring(keys={"a": {"rotate_every": "30d", "activate_in": "7d", "expires_in": "60d"}})

    first = opened.generate("a")
    wait(days=30)
    second = next(iter(opened.rotate_due())).made
    asked = opened.rotate("a", expires=opened.now() + timedelta(days=20))

    assert first.expires == (first.created or opened.now()) + timedelta(days=60)
    assert second is not None
    assert second.expires == opened.now() + timedelta(days=67)
    assert asked.expires == opened.now() + timedelta(days=20)
