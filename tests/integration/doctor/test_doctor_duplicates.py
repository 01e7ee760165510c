"""`keywright doctor` where two stores hold one name: halfway through a migration, or as different keys."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.errors import text_of
from support.rings import DECIDE, Ring

from keywright import Problem


def migrated(ring: Ring, *names: str) -> None:
    """Copy names from `file` to `db`, and leave them in `file`."""
    with ring.open() as opened:
        assert [moved.outcome for moved in opened.migrate(*names, from_="file", to="db")] == ["copied"] * len(names)


def doubled(from_: str, to: str, names: str, *, more: str = "", keys: str = "one name is") -> str:
    """What is said of names that are in both stores, and that the configuration looks for in `to`."""
    it = "it" if keys == "one name is" else "them"
    return (
        f"stores {from_!r} and {to!r}: {keys} in both, and the configuration looks for {it} in store {to!r}: {names}; "
        f"run `keywright migrate --from {from_} --to {to} --delete-source{more}`, or if store {from_!r} is to keep "
        f"{it}, change the configuration first"
    )


def test_in_the_middle_of_a_migration(ring: Ring) -> None:
    """One finding for both stores, with the command that ends it; which one is to keep the names is configured."""
    ring.make("a", "b", "c", "d", "only-here")
    migrated(ring, "a", "b", "c", "d")
    to_db = {name: {"store": "db"} for name in ("a", "b", "c", "d", "only-here")}
    names = "a, b, c and 1 more"

    before = ring.findings()
    switched = ring.findings(to_db)

    assert before == [doubled("db", "file", names, keys="4 names are")]
    assert [said for said in switched if "only-here" not in said] == [doubled("file", "db", names, keys="4 names are")]
    assert ring.findings(store="db") == []
    with ring.open(to_db) as opened:
        list(opened.migrate(from_="file", to="db", delete_source=True))
    assert ring.findings(to_db) == []


def test_only_the_names_that_are_doubled_move(ring: Ring) -> None:
    """Where the store holds others that are to stay, the command names those that are not."""
    ring.make("a", "stays")
    migrated(ring, "a")

    assert ring.findings({"a": {"store": "db"}}) == [doubled("file", "db", "a", more=" a")]
    with ring.open({"a": {"store": "db"}}) as opened:
        list(opened.migrate("a", from_="file", to="db", delete_source=True))
    assert ring.findings({"a": {"store": "db"}}) == []


TWO_KEYS = (
    "stores 'file' and 'db': have different keys under one name, or one key that was imported twice: {}; set {} to the "
    "store whose key counts"
)


def test_two_keys_of_one_name(ring: Ring) -> None:
    """Told apart from those that hold the same; what is configured for the name settles it, and tombstones are none."""
    ring.make("a", "b", "gone", "same", "x.y")
    migrated(ring, "same")
    ring.make("a", "b", "gone", "x.y", store="db")
    with ring.open() as opened:
        opened.destroy("gone", store="db")
        opened.rotate("same", store="db")  # it is the same key all the same
    same = doubled("db", "file", "same", more=" same")

    assert ring.findings() == [
        same,
        TWO_KEYS.format("a, b, x.y", "keys.a.store") + ", and that of the others likewise",
    ]
    assert ring.findings({"a": {"store": "db"}, "b": {"store": "file"}}) == [
        same,
        TWO_KEYS.format("x.y", 'keys."x.y".store'),
    ]


def test_a_key_that_was_imported_twice_is_not_to_be_migrated(ring: Ring) -> None:
    """No migration settles it, so none is recommended; one that is copied by hand is told as what it is."""
    ring.make("a")
    with ring.open() as opened:
        secret = opened.export("a", secret=True)
        ring.now += timedelta(seconds=1)
        opened.import_key("a", secret, store="db", allow_duplicate=True)
        moved = list(opened.migrate(from_="file", to="db", update=True))

    assert ring.findings() == [TWO_KEYS.format("a", "keys.a.store")]
    assert [one.outcome for one in moved] == ["conflict"]
    what = "a@1 in store 'db' is the same key with other dates, as if imported twice"
    assert text_of(moved[0].error) == f"{what}; {DECIDE.format('a')}"


def test_a_name_that_is_doubled_and_not_looked_for(ring: Ring) -> None:
    """The configuration is to say first which of the two it is to have."""
    ring.make("a")
    migrated(ring, "a")

    assert ring.findings(stores={"spare": {"backend": "memory"}, **ring.stores}) == [
        (
            "stores 'file' and 'db': one name is in both, and the configuration looks for it in neither: a; set "
            "keys.a.store to the store that keeps it"
        )
    ]


def test_a_name_that_is_doubled_in_a_chain(ring: Ring) -> None:
    """Of a chain, what is written to keeps it."""
    ring.make("a", "b")
    migrated(ring, "a")
    chained = {"both": {"backend": "chain", "stores": ["file", "db"], "write_to": "db"}, **ring.stores}

    assert ring.findings(stores=chained) == [doubled("file", "db", "a")]
    with ring.open(stores=chained) as opened:
        list(opened.migrate(from_="file", to="db", delete_source=True))
    assert ring.findings(stores=chained) == []


def test_a_name_that_is_doubled_where_nothing_can_be_removed(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command empties a variable."""
    ring.make("listed")
    with ring.open() as opened:
        monkeypatch.setenv("TEST_KEY", opened.export("listed", secret=True).reveal().decode())

    assert ring.findings() == [
        (
            "stores 'env' and 'file': one name is in both, and the configuration looks for it in store 'file': listed; "
            "store 'env' is read-only, so if the other is to keep it, unset it there by hand"
        )
    ]


def test_one_place_under_two_names(ring: Ring) -> None:
    """That is what is reported, and not that every name is there twice."""
    ring.make("a")
    stores = {**ring.stores, "again": ring.stores["file"]}

    message, hint = "have the same location", "remove one of the two tables, or correct its settings"
    assert ring.problems(stores=stores) == [Problem("stores 'file' and 'again'", message, hint)]
