"""What a migration says beforehand: what reviewers refuse, what a target cannot hold, what would be out of sight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from keywright import (
    Capabilities,
    KeyEvent,
    KeyRing,
    Options,
    Record,
    RecordInfo,
    Registry,
    ReviewRequest,
    Secret,
    Setting,
    StoreBackend,
    hookimpl,
)
from keywright.errors import ConfigError, PolicyError, SealError, UnsupportedOperationError
from keywright.ring.migrate import MigrationResult
from keywright.stores import chain
from keywright.stores.memory import MemoryStore

Rings = Callable[..., KeyRing]
Refused = Callable[[type[Exception], str], AbstractContextManager[None]]
Tables = dict[str, dict[str, Any]]


class Listener:
    """Objects to what it is told to, and remembers what it heard."""

    KEYWRIGHT_API = 1

    def __init__(self) -> None:
        self.against: set[tuple[str, str, int]] = set()
        self.asked: list[tuple[str, str, int | None]] = []
        self.heard: list[tuple[str, str, str]] = []
        self.dry: set[bool] = set()

    @hookimpl
    def keywright_review(self, request: ReviewRequest) -> Sequence[str]:
        self.dry.add(request.dry_run)
        self.asked.append((request.operation, f"{request.name}@{request.version}", request.bits))
        return ("no",) if (request.operation, request.name, request.version) in self.against else ()

    @hookimpl
    def keywright_observe(self, event: KeyEvent) -> None:
        self.heard.append((event.operation, f"{event.name}@{event.version}", event.outcome))


class Payloads(MemoryStore):
    """A store that takes writes and keeps payloads alone."""

    def create(self, record: Record) -> RecordInfo:
        info = record.info
        return super().create(Record(RecordInfo(name=info.name, version=info.version), record.payload))


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


@pytest.fixture
def listener(registry: Registry) -> Listener:
    """A plugin that reviews and observes."""
    listener = Listener()
    registry.add(listener, "listener")
    return listener


@pytest.fixture
def tables(shared: dict[str, str], registry: Registry) -> Tables:
    """The tables of the stores `old` and `new`; there are chains, too."""
    registry.add(chain, "chain")
    return {"old": shared, "new": {"backend": "memory", "id": f"{shared['id']}-new"}}


def told(moved: Sequence[MigrationResult]) -> list[tuple[str, str, str | None]]:
    """Reference, outcome and error of each."""
    return [(one.reference, one.outcome, None if one.error is None else str(one.error)) for one in moved]


def test_a_dry_run_asks_the_reviewers(ring: Rings, listener: Listener, tables: Tables) -> None:
    """What a reviewer refuses is told as failed, word for word as the run tells it, and so is what follows from it."""
    opened = ring(stores=tables, default_store="old")
    opened.generate("a")
    opened.rotate("a")
    opened.generate("b")
    listener.against = {("migrate", "a", 2)}
    listener.asked.clear()
    listener.heard.clear()
    listener.dry.clear()

    dry = list(opened.migrate(from_="old", to="new", dry_run=True))
    asked, heard, dry_asked = list(listener.asked), list(listener.heard), set(listener.dry)
    listener.asked.clear()
    listener.dry.clear()
    done = list(opened.migrate(from_="old", to="new"))

    refusal = "migrate of a is refused by plugin 'listener': no"
    left_out = "a@1 is left out, for a newer version could not be copied; mend that first"
    assert told(dry) == told(done) == [("a@2", "failed", refusal), ("a@1", "failed", left_out), ("b@1", "copied", None)]
    assert isinstance(dry[0].error, PolicyError)
    assert asked == listener.asked == [("migrate", "a@2", 256), ("migrate", "b@1", 256)]
    assert heard == []
    assert (dry_asked, listener.dry) == ({True}, {False})


def test_a_dry_run_asks_whether_names_may_be_removed(ring: Rings, listener: Listener, tables: Tables) -> None:
    """Of each name it says whether it would be removed, and if not, why; nothing is."""
    opened = ring(stores=tables, default_store="new")
    for name in ("a", "b"):
        opened.generate(name, store="old")
    listener.against = {("remove", "b", 1)}

    dry = list(opened.migrate(from_="old", to="new", dry_run=True, delete_source=True))

    assert list(opened.names(store="old")) == ["a", "b"]
    assert list(opened.names(store="new")) == []
    assert told(dry[-2:]) == [
        ("a", "removed", None),
        ("b", "kept", "remove of b is refused by plugin 'listener': no"),
    ]
    assert told(list(opened.migrate(from_="old", to="new", delete_source=True))) == told(dry)


def test_a_dry_run_with_a_conflict_removes_nothing(ring: Rings, tables: Tables) -> None:
    """As the run: no name, or all of them."""
    opened = ring(stores=tables, default_store="new")
    for name in ("a", "b"):
        opened.generate(name, store="old")
    opened.generate("b", store="new")

    dry = list(opened.migrate(from_="old", to="new", dry_run=True, delete_source=True))

    assert [(one.reference, one.outcome) for one in dry] == [("a@1", "copied"), ("b@1", "conflict")]


def test_a_name_that_changes_during_a_dry_run_would_stay(ring: Rings, tables: Tables) -> None:
    """It would have to be compared again first."""
    opened = ring(stores=tables, default_store="new")
    opened.generate("a", store="old")
    moves = opened.migrate(from_="old", to="new", dry_run=True, delete_source=True)

    first = next(moves)
    opened.rotate("a", store="old")

    assert first == MigrationResult("a@1", "copied")
    assert told(list(moves)) == [
        ("a", "kept", "a changed after it was copied, so it stays; run the same command again")
    ]


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_a_store_of_payloads_would_lose_is_told(
    ring: Rings, registry: Registry, tables: Tables, plain: dict[str, Secret], dry_run: bool
) -> None:
    """A target without metadata takes what has none, and refuses the rest before it writes."""
    backend = PayloadsBackend()
    registry.add(backend, "payloads")
    opened = ring(stores={**tables, "bare": {"backend": "payloads"}, "env": {"backend": "plain"}}, default_store="old")
    opened.generate("a", labels={"team": "web"})
    opened.import_key("b", opened.export("a"), public=True)
    plain["c"] = opened.export("a", secret=True)

    moved = list(opened.migrate(from_="old", to="bare", dry_run=dry_run))
    bare = list(opened.migrate(from_="env", to="bare", dry_run=dry_run))

    assert told(moved) == [
        (
            f"{name}@1",
            "failed",
            (
                f"store 'bare' keeps payloads alone, so the metadata of {name}@1 would be lost; name a store that "
                "keeps metadata"
            ),
        )
        for name in ("a", "b")
    ]
    assert {type(one.error) for one in moved} == {UnsupportedOperationError}
    assert told(bare) == [("c@1", "copied", None)]
    assert list(backend.store.names()) == ([] if dry_run else ["c"])


def test_a_seal_that_would_refuse_is_told(ring: Rings, tables: Tables, canary_seal: dict[str, object]) -> None:
    """A dry run seals, too, so that what the target's seal says is told before anything of the name is written."""
    sealed = {**tables, "new": {**tables["new"], "seal": "s"}}
    ring(stores=sealed, seals={"s": canary_seal}, default_store="new").generate("z")
    opened = ring(stores=tables, default_store="old")
    opened.generate("a")
    opened.rotate("a")
    opened.destroy("a@2")

    dry = list(opened.migrate(from_="old", to="new", dry_run=True))
    done = list(opened.migrate(from_="old", to="new"))

    assert told(dry) == told(done) == [
        ("a@2", "failed", "a@2 is left out, for store 'new' is no place for another version of the name; settle that"),
        (
            "a@1", "failed",
            (
                "store 'new' holds sealed keys and has no seal, so another one would lie open among them; set "
                "stores.new.seal"
            ),
        ),
    ]  # fmt: skip
    assert {type(one.error) for one in done} == {SealError}
    assert list(opened.names(store="new")) == ["z"]


IN_USE = "{} points a at store 'old', where it is to be removed, and not at 'new'; change that first, or say --in-use"


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        pytest.param({"default_store": "old"}, "given settings: default_store", id="default_store"),
        pytest.param(
            {"default_store": "new", "keys": {"a": {"store": "old"}}}, "given settings: keys.a.store", id="keys.a.store"
        ),
        pytest.param({"default_store": "both"}, "given settings: stores.both.stores", id="a chain"),
        pytest.param({"default_store": "new", "store": "old"}, "argument: store", id="the ring's store"),
    ],
)
def test_a_store_in_use_is_not_emptied(
    ring: Rings, refused: Refused, tables: Tables, settings: dict[str, Any], setting: str
) -> None:
    """Where names would be out of the ring's sight it is refused before anything is copied, unless that is said."""
    tables["both"] = {"backend": "chain", "stores": ["old"], "write_to": "old"}
    ring(stores=tables, default_store="old").generate("a")
    opened = ring(stores=tables, **settings)

    for dry_run in (True, False):
        with refused(ConfigError, IN_USE.format(setting)):
            list(opened.migrate(from_="old", to="new", delete_source=True, dry_run=dry_run))
    assert list(opened.names(store="new")) == []

    assert told(list(opened.migrate(from_="old", to="new", delete_source=True, in_use=True))) == [
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
def test_a_store_that_was_left_is_emptied(ring: Rings, tables: Tables, settings: dict[str, Any]) -> None:
    """Where the ring looks for the names in the target, or in neither store, nothing more has to be said."""
    tables["both"] = {"backend": "chain", "stores": ["old", "new"], "write_to": "new"}
    tables["spare"] = {"backend": "memory"}
    ring(stores=tables, default_store="old").generate("a")
    opened = ring(stores=tables, **settings)

    moved = list(opened.migrate(from_="old", to="new", delete_source=True))

    assert told(moved) == [("a@1", "copied", None), ("a", "removed", None)]


def test_only_what_is_moved_counts(ring: Rings, tables: Tables) -> None:
    """Of names that stay, the source may be in use."""
    opened = ring(stores=tables, default_store="old", keys={"a": {"store": "new"}})
    opened.generate("a", store="old")
    opened.generate("b", store="old")

    moved = list(opened.migrate("a", from_="old", to="new", delete_source=True))

    assert told(moved) == [("a@1", "copied", None), ("a", "removed", None)]
    assert list(opened.names(store="old")) == ["b"]


def test_in_use_without_removal_is_refused(ring: Rings, refused: Refused, tables: Tables) -> None:
    """It would have no effect."""
    opened = ring(stores=tables, default_store="old")

    with refused(ConfigError, "in_use is about removing from the source; say --delete-source, or leave out --in-use"):
        list(opened.migrate(from_="old", to="new", in_use=True))


def test_a_chain_that_writes_to_the_source_still_uses_it(ring: Rings, tables: Tables, refused: Refused) -> None:
    """The chain would find the name in the target, and could never rotate or disable it there."""
    chained = {**tables, "both": {"backend": "chain", "stores": ["old", "new"], "write_to": "old"}}
    opened = ring(stores=chained, default_store="both")
    opened.generate("a")

    with refused(ConfigError, IN_USE.format("given settings: stores.both.write_to")):
        list(opened.migrate(from_="old", to="new", delete_source=True))
    assert [*opened.names(store="old")] == ["a"]
