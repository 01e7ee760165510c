"""Migrations at the same time, dry runs, and what is refused before anything is copied."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import pytest
from support.errors import text_of
from support.rings import ANOTHER_KEY, Guard as Reviewer, Meanwhile, Refused, Rings, writable

from keywright import (
    Capabilities,
    Guard,
    KeyRing,
    Options,
    Record,
    RecordInfo,
    Registry,
    Revision,
    Secret,
    Setting,
    StoreBackend,
    hookimpl,
)
from keywright.errors import ConfigError, PolicyError, SealError, UnsupportedOperationError
from keywright.stores.memory import MemoryStore

Tables = dict[str, dict[str, Any]]


@pytest.fixture
def pair(ring: Rings, two_stores: Tables) -> tuple[KeyRing, KeyRing]:
    """Two rings over the same two stores, as two processes have them."""
    return ring(stores=two_stores, default_store="old"), ring(stores=two_stores, default_store="old")


def told(moved: list[Any]) -> list[tuple[str, str, str | None]]:
    """Reference, outcome and error of each."""
    return [(one.reference, one.outcome, None if one.error is None else text_of(one.error)) for one in moved]


def test_what_another_one_copied_first_is_identical(pair: tuple[KeyRing, KeyRing], meanwhile: Meanwhile) -> None:
    """A version that comes between the look and the write, and is the same, is where it belongs; all goes on."""
    mine, theirs = pair
    mine.generate("a")
    mine.rotate("a")
    meanwhile(mine.open_store("new"), "create", lambda: list(theirs.migrate(from_="old", to="new")))

    moved = list(mine.migrate(from_="old", to="new", delete_source=True, allow_referenced=True))

    assert told(moved) == [("a@2", "identical", None), ("a@1", "identical", None), ("a", "removed", None)]
    assert [info.version for info in mine.open_store("new").versions("a")] == [1, 2]


def test_another_key_that_comes_first_is_the_usual_conflict(
    pair: tuple[KeyRing, KeyRing], meanwhile: Meanwhile
) -> None:
    """It is compared, and what is said of it is what a migration says, not what the store says."""
    mine, theirs = pair
    mine.generate("a")
    meanwhile(mine.open_store("new"), "create", lambda: theirs.generate("a", store="new"))

    moved = list(mine.migrate(from_="old", to="new"))

    assert told(moved) == [("a@1", "conflict", ANOTHER_KEY.format("a"))]
    assert theirs.export("a", store="new") != theirs.export("a", store="old")


def test_what_comes_first_is_not_overwritten(pair: tuple[KeyRing, KeyRing], meanwhile: Meanwhile) -> None:
    """With `update` too: anyone who changed the copy meanwhile is asked to look again, unless it is the same by now."""
    mine, theirs = pair
    mine.generate("a")
    list(mine.migrate(from_="old", to="new"))
    mine.label("a@1", {"team": "web"})
    meanwhile(mine.open_store("new"), "update_info", lambda: theirs.label("a@1", {"team": "infra"}, store="new"))

    moved = list(mine.migrate(from_="old", to="new", update=True))

    assert told(moved) == [
        ("a@1", "conflict", "a@1 changed in store 'new' while it was copied; run the same command again")
    ]
    meanwhile(mine.open_store("new"), "update_info", lambda: list(theirs.migrate(from_="old", to="new", update=True)))
    assert told(list(mine.migrate(from_="old", to="new", update=True))) == [("a@1", "identical", None)]
    assert mine.show("a", store="new").versions[0].info.labels == {"team": "web"}


def test_a_copy_that_changes_before_it_is_read_back_is_not_damaged(
    pair: tuple[KeyRing, KeyRing], meanwhile: Meanwhile
) -> None:
    """It is another state of the same key, and is told as that."""
    mine, theirs = pair
    mine.generate("a")
    new = mine.open_store("new")

    def created() -> None:
        meanwhile(new, "get", lambda: theirs.label("a@1", {"team": "infra"}, store="new"))

    meanwhile(new, "create", created)

    moved = list(mine.migrate(from_="old", to="new"))

    assert told(moved) == [
        (
            "a@1",
            "conflict",
            "a@1 in store 'new' has other labels or another state; pass --update to overwrite it from the source",
        )
    ]


def test_what_comes_back_as_something_else_is_damage(
    pair: tuple[KeyRing, KeyRing], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that writes another record than it was given is told of, however few others are at work."""
    mine, _ = pair
    mine.generate("a")
    new = writable(mine, "new")
    create = new.create

    def wrong(record: Record) -> RecordInfo:
        return create(Record(replace(record.info, labels={"not": "ours"}), record.payload))

    monkeypatch.setattr(new, "create", wrong)
    moved = list(mine.migrate(from_="old", to="new"))

    assert told(moved) == [
        (
            "a@1",
            "failed",
            (
                "a@1 was not read back from store 'new' as it was written; run `keywright doctor`, "
                "then the same command again"
            ),
        )
    ]


@pytest.mark.parametrize("method", ["versions", "get", "remove"])
def test_what_another_one_moved_away_is_no_failure(
    pair: tuple[KeyRing, KeyRing], meanwhile: Meanwhile, method: str
) -> None:
    """Two that remove the source both end well, at whatever moment the one is faster than the other."""
    mine, theirs = pair
    mine.generate("a")
    old = mine.open_store("old")

    def faster() -> list[Any]:
        return list(theirs.migrate(from_="old", to="new", delete_source=True, allow_referenced=True))

    moves = mine.migrate(from_="old", to="new", delete_source=True, allow_referenced=True)
    if method != "remove":
        mine.generate("b")
        next(moves)  # `b` is still to come
    meanwhile(old, method, faster)
    moved = list(moves)

    assert [one for one in moved if one.error is not None] == []
    assert list(mine.names(store="old")) == []
    assert "a" in mine.names(store="new")


def test_what_is_gone_from_both_is_told(pair: tuple[KeyRing, KeyRing], meanwhile: Meanwhile) -> None:
    """A name that someone took out of the source, and out of the target too, was not moved."""
    mine, _ = pair
    mine.generate("a")

    def lost() -> None:
        for store in ("old", "new"):
            kept = writable(mine, store)
            kept.remove("a", [info.revision for info in kept.versions("a")])

    meanwhile(mine.open_store("old"), "remove", lost)
    moved = list(mine.migrate(from_="old", to="new", delete_source=True, allow_referenced=True))

    assert [(one.reference, one.outcome) for one in moved] == [("a@1", "copied"), ("a", "kept")]


def test_what_is_back_already_is_not_put_back(pair: tuple[KeyRing, KeyRing], monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration back that ends between the removal and the look at the target has both told, and nothing is lost."""
    mine, theirs = pair
    mine.generate("a")
    key = mine.export("a")
    old = writable(mine, "old")
    remove = old.remove

    def removed(name: str, expected: Sequence[Revision]) -> None:
        remove(name, expected)
        monkeypatch.setattr(old, "remove", remove)
        list(theirs.migrate(from_="new", to="old", delete_source=True))

    monkeypatch.setattr(old, "remove", removed)
    moved = list(mine.migrate(from_="old", to="new", delete_source=True, allow_referenced=True))

    assert told(moved)[-1] == (
        "a",
        "kept",
        "store 'new' lost a meanwhile, so it was restored in the source; compare both stores",
    )
    assert mine.export("a") == key


@pytest.mark.parametrize("end", ["compromise", "destroy", "disable"])
def test_an_end_that_comes_between_is_not_overwritten(
    pair: tuple[KeyRing, KeyRing], meanwhile: Meanwhile, end: str
) -> None:
    """Anyone who ends the copy after it was looked at, and before it is read once more, has the last word."""
    mine, theirs = pair
    mine.generate("a")
    list(mine.migrate(from_="old", to="new"))
    mine.label("a@1", {"team": "web"})
    new = mine.open_store("new")

    def looked_at() -> None:
        meanwhile(new, "get", lambda: getattr(theirs, end)("a@1", store="new"))

    meanwhile(new, "get", looked_at)

    moved = list(mine.migrate(from_="old", to="new", update=True))

    assert [(one.reference, one.outcome) for one in moved] == [("a@1", "conflict")]
    assert mine.show("a", store="new").versions[0].info.state.value.startswith(end)


class Payloads(MemoryStore):
    """A store that takes writes and keeps payloads alone."""

    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        info = record.info
        return super().create(Record(RecordInfo(name=info.name, version=info.version), record.payload), guard=guard)


class PayloadsBackend:
    """The backend `payloads`, of one store."""

    KEYWRIGHT_API = 1
    name = "payloads"
    settings: tuple[Setting, ...] = ()
    capabilities = Capabilities(writable=True, metadata=False)

    def __init__(self) -> None:
        self.store = Payloads()

    @hookimpl
    def keywright_register_store_backends(self) -> Sequence[StoreBackend]:
        return (self,)

    def open(self, options: Options) -> AbstractContextManager[Payloads]:
        return nullcontext(self.store)


def test_a_dry_run_asks_the_reviewers(ring: Rings, guard: Reviewer, two_stores: Tables) -> None:
    """What a reviewer refuses is told as failed, word for word as the run tells it, and so is what follows from it."""
    opened = ring(stores=two_stores, default_store="old")
    opened.generate("a")
    opened.rotate("a")
    opened.generate("b")
    guard.objections = {"migrate a@2": ("no",)}
    guard.requests.clear()
    guard.events.clear()

    dry = list(opened.migrate(from_="old", to="new", dry_run=True))
    heard = list(guard.events)
    done = list(opened.migrate(from_="old", to="new"))

    refusal = "migrate of a is refused by plugin 'guard': no"
    left_out = "a@1 was not copied, because a newer version could not be copied; fix the error of that version first"
    assert told(dry) == told(done) == [("a@2", "failed", refusal), ("a@1", "failed", left_out), ("b@1", "copied", None)]
    assert isinstance(dry[0].error, PolicyError)
    asked = [(one.operation, f"{one.name}@{one.version}", one.bits, one.dry_run) for one in guard.requests]
    assert asked == [("migrate", version, 256, dry) for dry in (True, False) for version in ("a@2", "b@1")]
    assert heard == []


def test_a_dry_run_asks_whether_names_may_be_removed(ring: Rings, guard: Reviewer, two_stores: Tables) -> None:
    """Of each name it says whether it would be removed, and if not, why; nothing is."""
    opened = ring(stores=two_stores, default_store="new")
    for name in ("a", "b"):
        opened.generate(name, store="old")
    guard.objections = {"remove b@1": ("no",)}

    dry = list(opened.migrate(from_="old", to="new", dry_run=True, delete_source=True))

    assert list(opened.names(store="old")) == ["a", "b"]
    assert list(opened.names(store="new")) == []
    assert told(dry[-2:]) == [
        ("a", "removed", None),
        ("b", "kept", "remove of b is refused by plugin 'guard': no"),
    ]
    assert told(list(opened.migrate(from_="old", to="new", delete_source=True))) == told(dry)


def test_what_a_dry_run_would_keep(ring: Rings, two_stores: Tables) -> None:
    """With a conflict no name is removed, and one that changes meanwhile would have to be compared again first."""
    opened = ring(stores=two_stores, default_store="new")
    opened.generate("a", store="old")
    moves = opened.migrate(from_="old", to="new", dry_run=True, delete_source=True)

    first = next(moves)
    opened.rotate("a", store="old")

    assert first[:2] == ("a@1", "copied")
    assert told(list(moves)) == [
        ("a", "kept", "a changed after it was copied, so it was not removed; run the same command again")
    ]
    for store in ("old", "new"):
        opened.generate("b", store=store)
    dry = list(opened.migrate(from_="old", to="new", dry_run=True, delete_source=True))
    assert [(one.reference, one.outcome) for one in dry] == [("a@2", "copied"), ("a@1", "copied"), ("b@1", "conflict")]


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_a_store_of_payloads_would_lose_is_told(
    ring: Rings, registry: Registry, two_stores: Tables, plain: dict[str, Secret], dry_run: bool
) -> None:
    """A target without metadata takes what has none, and refuses the rest before it writes."""
    backend = PayloadsBackend()
    registry.add(backend, "payloads")
    opened = ring(
        stores={**two_stores, "bare": {"backend": "payloads"}, "env": {"backend": "plain"}}, default_store="old"
    )
    opened.generate("a", labels={"team": "web"})
    opened.import_key("b", opened.export("a"), public=True)
    plain["c"] = opened.export("a", secret=True)

    moved = list(opened.migrate(from_="old", to="bare", dry_run=dry_run))
    bare = list(opened.migrate(from_="env", to="bare", dry_run=dry_run))

    assert told(moved) == [
        (
            f"{name}@1",
            "failed",
            f"store 'bare' keeps no metadata, so that of {name}@1 would be lost; name a store that keeps metadata",
        )
        for name in ("a", "b")
    ]
    assert {type(one.error) for one in moved} == {UnsupportedOperationError}
    assert told(bare) == [("c@1", "copied", None)]
    assert list(backend.store.names()) == ([] if dry_run else ["c"])


def test_a_seal_that_would_refuse_is_told(ring: Rings, two_stores: Tables, canary_seal: dict[str, object]) -> None:
    """A dry run seals, too, so that what the target's seal says is reported before anything of the name is written."""
    sealed = {**two_stores, "new": {**two_stores["new"], "seal": "s"}}
    ring(stores=sealed, seals={"s": canary_seal}, default_store="new").generate("z")
    opened = ring(stores=two_stores, default_store="old")
    opened.generate("a")
    opened.rotate("a")
    opened.destroy("a@2")

    dry = list(opened.migrate(from_="old", to="new", dry_run=True))
    done = list(opened.migrate(from_="old", to="new"))

    assert told(dry) == told(done) == [
        ("a@2", "failed", ("a@2 was not copied, because store 'new' cannot keep another version of the name; "
                          "resolve that conflict, then run the command again")),
        (
            "a@1", "failed",
            (
                "store 'new' has sealed keys, and no seal is configured for it; nothing was written; set "
                "stores.new.seal to the seal of these keys"
            ),
        ),
    ]  # fmt: skip
    assert {type(one.error) for one in done} == {SealError}
    assert list(opened.names(store="new")) == ["z"]


IN_USE = (
    "{} points a at store 'old', where it is to be removed, and not at 'new'; set it to 'new' first, or pass "
    "--allow-referenced"
)


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        pytest.param({"default_store": "old"}, "given settings: default_store", id="default_store"),
        pytest.param(
            {"default_store": "new", "keys": {"a": {"store": "old"}}}, "given settings: keys.a.store", id="keys.a.store"
        ),
        pytest.param({"default_store": "both"}, "given settings: stores.both.stores", id="a chain"),
        pytest.param({"default_store": "new", "store": "old"}, "argument: store", id="the ring's store"),
        pytest.param(  # it would find the name in the target, and could never rotate or disable it there
            {"default_store": "writing"}, "given settings: stores.writing.write_to", id="a chain that writes there"
        ),
    ],
)
def test_a_store_in_use_is_not_emptied(
    ring: Rings, refused: Refused, two_stores: Tables, settings: dict[str, Any], setting: str
) -> None:
    """Where names would be out of the ring's sight it is refused before anything is copied, unless that is said."""
    two_stores["both"] = {"backend": "chain", "stores": ["old"], "write_to": "old"}
    two_stores["writing"] = {"backend": "chain", "stores": ["old", "new"], "write_to": "old"}
    ring(stores=two_stores, default_store="old").generate("a")
    opened = ring(stores=two_stores, **settings)

    for dry_run in (True, False):
        with refused(ConfigError, IN_USE.format(setting)):
            list(opened.migrate(from_="old", to="new", delete_source=True, dry_run=dry_run))
    assert list(opened.names(store="new")) == []

    assert told(list(opened.migrate(from_="old", to="new", delete_source=True, allow_referenced=True))) == [
        ("a@1", "copied", None),
        ("a", "removed", None),
    ]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"default_store": "new"}, id="default_store"),
        pytest.param({"default_store": "old", "keys": {"a": {"store": "new"}}}, id="keys.a.store"),
        pytest.param({"default_store": "both"}, id="a chain"),
        pytest.param({"default_store": "spare"}, id="neither"),
        pytest.param({"default_store": "old", "store": "new"}, id="the ring's store"),
    ],
)
def test_a_store_that_was_left_is_emptied(ring: Rings, two_stores: Tables, settings: dict[str, Any]) -> None:
    """Where the ring looks for the names in the target, or in neither store, nothing more has to be said."""
    two_stores["both"] = {"backend": "chain", "stores": ["old", "new"], "write_to": "new"}
    two_stores["spare"] = {"backend": "memory"}
    ring(stores=two_stores, default_store="old").generate("a")
    opened = ring(stores=two_stores, **settings)

    moved = list(opened.migrate(from_="old", to="new", delete_source=True))

    assert told(moved) == [("a@1", "copied", None), ("a", "removed", None)]


def test_only_what_is_moved_counts(ring: Rings, two_stores: Tables, refused: Refused) -> None:
    """Of names that stay, the source may be in use; without removal `allow_referenced` has no meaning."""
    opened = ring(stores=two_stores, default_store="old", keys={"a": {"store": "new"}})
    opened.generate("a", store="old")
    opened.generate("b", store="old")

    with refused(
        ConfigError,
        "allow_referenced is about removing from the source; pass --delete-source, or leave out --allow-referenced",
    ):
        list(opened.migrate(from_="old", to="new", allow_referenced=True))
    assert told(list(opened.migrate("a", from_="old", to="new", delete_source=True))) == [
        ("a@1", "copied", None),
        ("a", "removed", None),
    ]
    assert list(opened.names(store="old")) == ["b"]
