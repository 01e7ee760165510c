"""Two migrations at once: what one of them did is neither a conflict nor a failure for the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from keywright import KeyRing, Record, RecordInfo, Revision
from keywright.ring.migrate import MigrationResult

Rings = Callable[..., KeyRing]


@pytest.fixture
def pair(ring: Rings, shared: dict[str, str]) -> tuple[KeyRing, KeyRing]:
    """Two rings over the same two stores, as two processes have them."""
    tables = {"old": shared, "new": {"backend": "memory", "id": f"{shared['id']}-new"}}
    return ring(stores=tables, default_store="old"), ring(stores=tables, default_store="old")


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has something happen just before a store's next call of a method, once."""

    def arrange(store: object, method: str, happens: Callable[[], object]) -> None:
        plain = getattr(store, method)

        def late(*arguments: Any, **named: Any) -> Any:
            monkeypatch.setattr(store, method, plain)
            happens()
            return plain(*arguments, **named)

        monkeypatch.setattr(store, method, late)

    return arrange


def told(moved: list[MigrationResult]) -> list[tuple[str, str, str | None]]:
    """Reference, outcome and error of each."""
    return [(one.reference, one.outcome, None if one.error is None else str(one.error)) for one in moved]


def test_what_another_one_copied_first_is_identical(pair: tuple[KeyRing, KeyRing], before: Callable[..., None]) -> None:
    """A version that comes between the look and the write, and is the same, is where it belongs; all goes on."""
    mine, theirs = pair
    mine.generate("a")
    mine.rotate("a")
    before(mine.open_store("new").store, "create", lambda: list(theirs.migrate(from_="old", to="new")))

    moved = list(mine.migrate(from_="old", to="new", delete_source=True, in_use=True))

    assert told(moved) == [("a@2", "identical", None), ("a@1", "identical", None), ("a", "removed", None)]
    assert [info.version for info in mine.open_store("new").store.versions("a")] == [1, 2]


def test_what_another_one_updated_first_is_identical(
    pair: tuple[KeyRing, KeyRing], before: Callable[..., None]
) -> None:
    """The same of a copy that is brought up to date."""
    mine, theirs = pair
    mine.generate("a")
    list(mine.migrate(from_="old", to="new"))
    mine.label("a@1", {"team": "web"})
    before(mine.open_store("new").store, "update", lambda: list(theirs.migrate(from_="old", to="new", update=True)))

    moved = list(mine.migrate(from_="old", to="new", update=True))

    assert told(moved) == [("a@1", "identical", None)]
    assert mine.show("a", store="new").versions[0].info.labels == {"team": "web"}


def test_another_key_that_comes_first_is_the_usual_conflict(
    pair: tuple[KeyRing, KeyRing], before: Callable[..., None]
) -> None:
    """It is compared, and what is said of it is what a migration says, not what the store says."""
    mine, theirs = pair
    mine.generate("a")
    before(mine.open_store("new").store, "create", lambda: theirs.generate("a", store="new"))

    moved = list(mine.migrate(from_="old", to="new"))

    assert told(moved) == [
        (
            "a@1",
            "conflict",
            (
                "a@1 in store 'new' is another key; leave both where they are, set keys.a.store to the store whose key "
                "counts, and migrate the other names by naming them"
            ),
        )
    ]
    assert theirs.export("a", store="new") != theirs.export("a", store="old")


def test_a_label_that_comes_first_is_not_overwritten(
    pair: tuple[KeyRing, KeyRing], before: Callable[..., None]
) -> None:
    """With `update` too: whoever changed the copy after it was looked at is asked to look again."""
    mine, theirs = pair
    mine.generate("a")
    list(mine.migrate(from_="old", to="new"))
    mine.label("a@1", {"team": "web"})
    before(mine.open_store("new").store, "update", lambda: theirs.label("a@1", {"team": "infra"}, store="new"))

    moved = list(mine.migrate(from_="old", to="new", update=True))

    assert told(moved) == [
        ("a@1", "conflict", "a@1 changed in store 'new' while it was copied; run the same command again")
    ]
    assert told(list(mine.migrate(from_="old", to="new", update=True))) == [("a@1", "updated", None)]


def test_a_copy_that_changes_before_it_is_read_back_is_not_damaged(
    pair: tuple[KeyRing, KeyRing], before: Callable[..., None]
) -> None:
    """It is another state of the same key, and is told as that."""
    mine, theirs = pair
    mine.generate("a")
    new = mine.open_store("new").store

    def created() -> None:
        before(new, "get", lambda: theirs.label("a@1", {"team": "infra"}, store="new"))

    before(new, "create", created)

    moved = list(mine.migrate(from_="old", to="new"))

    assert told(moved) == [
        ("a@1", "conflict", "a@1 in store 'new' has other labels or another state; say --update to let the source win")
    ]


def test_what_comes_back_as_something_else_is_damage(
    pair: tuple[KeyRing, KeyRing], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that writes another record than it was given is told of, however few others are at work."""
    mine, _ = pair
    mine.generate("a")
    new = mine.open_store("new").writable
    create = new.create

    def wrong(record: Record) -> RecordInfo:
        return create(Record(replace(record.info, labels={"not": "ours"}), record.payload))

    monkeypatch.setattr(new, "create", wrong)
    moved = list(mine.migrate(from_="old", to="new"))

    assert told(moved) == [
        ("a@1", "failed", "a@1 came back from store 'new' as another than was written; it was not moved")
    ]


@pytest.mark.parametrize("method", ["versions", "get", "remove"])
def test_what_another_one_moved_away_is_no_failure(
    pair: tuple[KeyRing, KeyRing], before: Callable[..., None], method: str
) -> None:
    """Two that remove the source both end well, at whatever moment the one is faster than the other."""
    mine, theirs = pair
    mine.generate("a")
    old = mine.open_store("old").store

    def faster() -> list[MigrationResult]:
        return list(theirs.migrate(from_="old", to="new", delete_source=True, in_use=True))

    moves = mine.migrate(from_="old", to="new", delete_source=True, in_use=True)
    if method != "remove":
        mine.generate("b")
        next(moves)  # `b` is still to come
    before(old, method, faster)
    moved = list(moves)

    assert [one for one in moved if one.error is not None] == []
    assert list(mine.names(store="old")) == []
    assert "a" in mine.names(store="new")


def test_what_is_gone_from_both_is_told(pair: tuple[KeyRing, KeyRing], before: Callable[..., None]) -> None:
    """A name that somebody took out of the source, and out of the target too, was not moved."""
    mine, _ = pair
    mine.generate("a")

    def lost() -> None:
        for store in ("old", "new"):
            kept = mine.open_store(store).writable
            kept.remove("a", expected=[info.revision for info in kept.versions("a")])

    before(mine.open_store("old").store, "remove", lost)
    moved = list(mine.migrate(from_="old", to="new", delete_source=True, in_use=True))

    assert [(one.reference, one.outcome) for one in moved] == [("a@1", "copied"), ("a", "kept")]


def test_what_is_back_already_is_not_put_back(pair: tuple[KeyRing, KeyRing], monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration back that ends between the removal and the look at the target has both told, and nothing is lost."""
    mine, theirs = pair
    mine.generate("a")
    key = mine.export("a")
    old = mine.open_store("old").writable
    remove = old.remove

    def removed(name: str, *, expected: Sequence[Revision]) -> None:
        remove(name, expected=expected)
        monkeypatch.setattr(old, "remove", remove)
        list(theirs.migrate(from_="new", to="old", delete_source=True))

    monkeypatch.setattr(old, "remove", removed)
    moved = list(mine.migrate(from_="old", to="new", delete_source=True, in_use=True))

    assert told(moved)[-1] == ("a", "kept", "a is no more in store 'new', so it was put back; look into both")
    assert mine.export("a") == key


@pytest.mark.parametrize("end", ["compromise", "destroy", "disable"])
def test_an_end_that_comes_between_is_not_overwritten(
    pair: tuple[KeyRing, KeyRing], before: Callable[..., None], end: str
) -> None:
    """Whoever ends the copy after it was looked at, and before it is read once more, has the last word."""
    mine, theirs = pair
    mine.generate("a")
    list(mine.migrate(from_="old", to="new"))
    mine.label("a@1", {"team": "web"})
    new = mine.open_store("new").store

    def looked_at() -> None:
        before(new, "get", lambda: getattr(theirs, end)("a@1", store="new"))

    before(new, "get", looked_at)

    moved = list(mine.migrate(from_="old", to="new", update=True))

    assert [(one.reference, one.outcome) for one in moved] == [("a@1", "conflict")]
    assert mine.show("a", store="new").versions[0].info.state.value.startswith(end)
