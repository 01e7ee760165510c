"""What the store keeps, and what it refuses."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from operator import methodcaller
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keywright import Options, Record, RecordInfo, Revision, Secret, State, WritableStore
from keywright.errors import (
    ConflictError,
    InvalidNameError,
    KeyExistsError,
    KeyNotFoundError,
    StoreUnavailableError,
    UnsupportedOperationError,
)
from keywright_sqlite.backend import SqliteBackend
from keywright_sqlite.store import PAGE, SqliteStore

Make = Callable[..., Record]
Opener = Callable[..., AbstractContextManager[WritableStore]]
Fill = Callable[[str, list[tuple[str, int]]], None]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(None, id="none"),
        pytest.param(b"", id="empty"),
        pytest.param(bytes(range(256)), id="every byte"),
        pytest.param(b"\0" * 40, id="zeros"),
        pytest.param(b"x" * 100_000, id="many pages"),
    ],
)
def test_what_was_created_comes_back_exactly(path: str, opened: Opener, make: Make, payload: bytes | None) -> None:
    """Metadata and payload come back as they went in, also from a store opened later."""
    record = make(payload=payload)

    with opened(path) as store:
        info = store.create(record)
    with opened(path) as store:
        found = store.get("cache.example.org", 1)

    assert found.info == info == replace(record.info, revision=info.revision)
    assert found.payload == record.payload
    assert info.revision


def test_nothing_is_made_before_the_first_write(path: str, opened: Opener) -> None:
    """A store that is not there reads as empty and is not created by reading."""
    with opened(path) as store:
        assert store.versions("a") == ()
        assert list(store.names()) == []
        with pytest.raises(KeyNotFoundError) as caught:
            store.get("a", 1)

    assert str(caught.value) == f"{path} holds no a@1; `keywright list` prints what it holds"
    assert not Path(path).exists()


def test_create_refuses_a_version_that_is_there(store: WritableStore, path: str, make: Make) -> None:
    """The second create of a version changes nothing."""
    store.create(make(payload=b"first"))

    with pytest.raises(KeyExistsError) as caught:
        store.create(make(payload=b"second"))

    assert str(caught.value) == (
        f"cache.example.org@1 is in {path} already; nothing was written; take the next version"
    )
    assert store.get("cache.example.org", 1).payload == Secret(b"first")


@pytest.mark.parametrize(
    ("name", "version"),
    [
        pytest.param("../a", 1, id="name"),
        pytest.param("a\ud800", 1, id="surrogate"),
        pytest.param("a", 0, id="zero"),
        pytest.param("a", 2**64, id="too large"),
    ],
)
def test_create_refuses_what_is_no_name_or_version(store: WritableStore, make: Make, name: str, version: int) -> None:
    """A name that skipped the door does not get in here either."""
    with pytest.raises(InvalidNameError):
        store.create(make(name, version))

    assert list(store.names()) == []


@pytest.mark.parametrize(
    ("name", "version"), [pytest.param("a\ud800", 1, id="surrogate"), pytest.param("a", 2**64, id="too large")]
)
def test_reading_what_cannot_be_asked_for_is_refused(store: WritableStore, make: Make, name: str, version: int) -> None:
    """A name or version beyond what the database can compare is a typed error without the input in it."""
    store.create(make())

    with pytest.raises(InvalidNameError) as caught:
        store.get(name, version)

    assert str(caught.value) == (
        "no store holds such a name or version; names are made of a-z, 0-9, '.', '_', '-' and '/', versions are "
        "whole numbers from 1"
    )


@pytest.mark.parametrize(
    ("name", "version"),
    [
        pytest.param("", 0, id="what stands before all"),
        pytest.param("", 1, id="no name"),
        pytest.param("a", 0, id="no version"),
        pytest.param("a", -1, id="less than none"),
        pytest.param("a", 2, id="behind the last"),
        pytest.param("b", 1, id="behind all"),
        pytest.param("0", 1, id="before all"),
    ],
)
def test_what_is_not_there_is_not_found(store: WritableStore, path: str, make: Make, name: str, version: int) -> None:
    """Whatever is asked for: a record that is not there is no damage."""
    store.create(make("a"))

    with pytest.raises(KeyNotFoundError) as caught:
        store.get(name, version)

    assert str(caught.value) == f"{path} holds no {name}@{version}; `keywright list` prints what it holds"
    assert len(store.versions(name)) == (name == "a")


def test_a_destroyed_version_with_a_payload_is_refused(store: WritableStore, make: Make) -> None:
    """A tombstone with a key in it would say that the key is gone, and keep it."""
    info = store.create(make("a"))

    with pytest.raises(UnsupportedOperationError) as created:
        store.create(make("b", state=State.DESTROYED))
    with pytest.raises(UnsupportedOperationError) as updated:
        store.update(Record(replace(info, state=State.DESTROYED), Secret(b"a secret payload")), expected=info.revision)

    assert str(created.value) == "b@1: a destroyed version has no payload; leave the payload out"
    assert str(updated.value) == "a@1: a destroyed version has no payload; leave the payload out"
    assert list(store.names()) == ["a"]
    assert store.get("a", 1) == Record(info, Secret(b"a secret payload"))


def test_versions_ascend_with_tombstones(store: WritableStore, make: Make) -> None:
    """All versions of exactly that name come back in the order of their numbers."""
    for version in (10, 2, 1):
        store.create(make("a", version))
    store.create(make("a/b", 3))
    store.create(make("a", 3, payload=None, state=State.DESTROYED))

    infos = store.versions("a")

    assert [(info.version, info.state) for info in infos] == [
        (1, State.ENABLED),
        (2, State.ENABLED),
        (3, State.DESTROYED),
        (10, State.ENABLED),
    ]
    assert [info.revision for info in infos] == [store.get("a", n).info.revision for n in (1, 2, 3, 10)]


def test_update_of_metadata_keeps_the_payload(store: WritableStore, make: Make) -> None:
    """New labels, same payload, new revision."""
    before = store.create(make())
    changed = Record(replace(before, labels={"user_id": "8"}), Secret(b"a secret payload"))

    after = store.update(changed, expected=before.revision)

    assert after.revision not in ("", before.revision)
    assert store.get("cache.example.org", 1) == Record(after, Secret(b"a secret payload"))
    assert after.labels == {"user_id": "8"}


def test_update_of_the_payload_keeps_the_metadata(store: WritableStore, make: Make) -> None:
    """A payload sealed anew replaces the old one, of another length too."""
    before = store.create(make())

    after = store.update(Record(before, Secret(b"sealed anew")), expected=before.revision)

    assert store.get("cache.example.org", 1) == Record(after, Secret(b"sealed anew"))
    assert after == replace(before, revision=after.revision)


def test_update_destroys(store: WritableStore, make: Make) -> None:
    """The payload goes, the tombstone stays and can still be changed."""
    before = store.create(make())

    tombstone = store.update(Record(replace(before, state=State.DESTROYED), None), expected=before.revision)
    labelled = store.update(Record(replace(tombstone, labels={}), None), expected=tombstone.revision)

    assert store.get("cache.example.org", 1) == Record(labelled, None)
    assert labelled.state is State.DESTROYED


def test_update_refuses_to_change_both(store: WritableStore, make: Make) -> None:
    """Metadata and payload change at once only where a version is destroyed."""
    before = store.create(make())

    with pytest.raises(UnsupportedOperationError) as caught:
        store.update(Record(replace(before, labels={}), Secret(b"other")), expected=before.revision)

    assert str(caught.value) == (
        "cache.example.org@1: an update changes metadata or payload, not both; nothing was written; make two"
    )
    assert store.get("cache.example.org", 1) == Record(before, Secret(b"a secret payload"))


def test_update_refuses_another_revision(store: WritableStore, make: Make) -> None:
    """Who read before the last change does not write over it."""
    before = store.create(make())
    after = store.update(Record(replace(before, labels={}), Secret(b"a secret payload")), expected=before.revision)

    with pytest.raises(ConflictError) as caught:
        store.update(Record(replace(before, kid="late"), Secret(b"a secret payload")), expected=before.revision)

    assert str(caught.value) == (
        "cache.example.org@1 changed since it was read; nothing was written; read it and try again"
    )
    assert store.get("cache.example.org", 1).info == after


def test_update_of_nothing_is_not_found(store: WritableStore, path: str, make: Make) -> None:
    """An update makes no version."""
    with pytest.raises(KeyNotFoundError) as caught:
        store.update(make(), expected=Revision("any"))

    assert str(caught.value) == f"{path} holds no cache.example.org@1; `keywright list` prints what it holds"
    assert list(store.names()) == []


def test_remove_takes_all_versions_and_no_other_name(store: WritableStore, make: Make) -> None:
    """A name goes with all its versions; its neighbours stay."""
    revisions = [store.create(make("a", version)).revision for version in (1, 2)]
    for neighbour in ("a/b", "aa", "b"):
        store.create(make(neighbour))

    store.remove("a", expected=tuple(revisions))

    assert list(store.names()) == ["a/b", "aa", "b"]
    assert store.versions("a") == ()
    assert store.get("a/b", 1).payload == Secret(b"a secret payload")


def test_remove_refuses_other_revisions(store: WritableStore, make: Make) -> None:
    """A version that came since the name was read stops the removal of all."""
    first = store.create(make("a", 1))
    store.create(make("a", 2))

    with pytest.raises(ConflictError) as caught:
        store.remove("a", expected=[first.revision])

    assert str(caught.value) == "a changed since it was read; nothing was removed; read it and try again"
    assert len(store.versions("a")) == 2


def test_remove_of_nothing_is_not_found(store: WritableStore, path: str) -> None:
    """There is nothing to take away."""
    with pytest.raises(KeyNotFoundError) as caught:
        store.remove("a", expected=())

    assert str(caught.value) == f"{path} holds no a; `keywright list` prints what it holds"


def test_a_revision_never_recurs(store: WritableStore, make: Make) -> None:
    """Not for the same content, not after the name was removed and made anew."""
    seen = set()
    for _ in range(5):
        info = store.create(make("a"))
        again = store.update(Record(info, Secret(b"a secret payload")), expected=info.revision)
        store.remove("a", expected=[again.revision])
        seen |= {info.revision, again.revision}

    assert len(seen) == 10


NAMES = ["0", "a", "a-b", "a.b", "a/b", "a/b/c", "a0", "a_b", "ab", "b", "z"]


@pytest.mark.parametrize(
    ("prefix", "after", "limit", "expected"),
    [
        pytest.param("", "", None, NAMES, id="all, by their bytes"),
        pytest.param("a", "", None, NAMES[1:9], id="prefix is itself a name"),
        pytest.param("a/", "", None, ["a/b", "a/b/c"], id="prefix with slash"),
        pytest.param("", "a/b", None, NAMES[5:], id="after"),
        pytest.param("", "a/", None, NAMES[4:], id="after what is no name"),
        pytest.param("a", "ab", None, [], id="after the last of the prefix"),
        pytest.param("b", "a", None, ["b"], id="after before the prefix"),
        pytest.param("", "", 2, NAMES[:2], id="limit"),
        pytest.param("a", "a", 2, ["a-b", "a.b"], id="all three"),
        pytest.param("", "", 0, [], id="limit 0"),
        pytest.param("é", "", None, [], id="prefix outside ASCII"),
        pytest.param("\ud800", "", None, [], id="prefix that is no text"),
        pytest.param("", "a\ud800", None, ["b", "z"], id="after that is no text"),
        pytest.param("%", "", None, [], id="no wildcard"),
    ],
)
def test_names_are_sorted_and_paged(
    store: WritableStore, make: Make, prefix: str, after: str, limit: int | None, expected: list[str]
) -> None:
    """Names come in the order of their bytes, from a place on, with a prefix, at most so many."""
    for name in reversed(NAMES):
        for version in (1, 2, 3):
            store.create(make(name, version, payload=None))

    assert list(store.names(prefix, after=after, limit=limit)) == expected


def test_more_names_than_a_page(path: str, opened: Opener, fill: Fill) -> None:
    """A page's end is no end, and no transaction stays open between pages."""
    expected = [f"n{n:04}" for n in range(1000)]
    fill(path, [(name, 1) for name in expected])
    with opened(path) as store:
        names = store.names()
        some = [next(names) for _ in range(300)]
        with closing(sqlite3.connect(path)) as raw:
            busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        rest = list(names)

    assert some + rest == expected
    assert busy == 0


def test_a_page_ends_before_a_name_that_begins_alike(path: str, opened: Opener, fill: Fill) -> None:
    """What comes next after a page's last name is the next name, though it be one character longer."""
    expected = [*(f"n{n:03}" for n in range(PAGE)), f"n{PAGE - 1:03}-", f"n{PAGE - 1:03}/a"]
    fill(path, [(name, 1) for name in expected])

    with opened(path) as store:
        assert list(store.names()) == expected


def test_names_seek_over_versions(path: str, opened: Opener, fill: Fill) -> None:
    """A name with twenty thousand versions costs no more than one with a thousand."""
    steps = []
    for count in (1_000, 20_000):
        here = f"{path}{count}"
        fill(here, [("a", 1), *(("b", version + 1) for version in range(count)), ("c", 1)])
        with opened(here) as store:
            taken: list[None] = []
            count_steps = methodcaller("set_progress_handler", partial(taken.append, None), 100)
            assert isinstance(store, SqliteStore)
            store._session.read(count_steps)

            assert list(store.names()) == ["a", "b", "c"]

            steps.append(len(taken))

    assert steps[1] < 2 * steps[0]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(1, 3)), max_size=12))
@settings(max_examples=25, deadline=None)
def test_it_holds_what_a_dict_would(tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[str, int]]) -> None:
    """Whatever is created in whatever order, the store holds and lists what a sorted dict would."""
    model: dict[tuple[str, int], Record] = {}
    path = str(tmp_path_factory.mktemp("laws") / "keys.db")
    with SqliteBackend().open(Options({"path": path, "timeout": timedelta(seconds=5)})) as store:
        for number, (name, version) in enumerate(asked):
            record = Record(RecordInfo(name=name, version=version), Secret(bytes([number])))
            if (name, version) in model:
                with pytest.raises(KeyExistsError):
                    store.create(record)
            else:
                model[name, version] = Record(store.create(record), record.payload)

        assert list(store.names()) == sorted({name for name, _ in model})
        for name, _ in model:
            assert [info.version for info in store.versions(name)] == sorted(v for n, v in model if n == name)
        for (name, version), record in model.items():
            assert store.get(name, version) == record


def test_a_closed_store_says_so(path: str, opened: Opener, make: Make) -> None:
    """What is kept beyond its `with` block does not silently open the store again."""
    with opened(path) as store:
        store.create(make("a"))

    with pytest.raises(StoreUnavailableError) as caught:
        store.get("a", 1)

    assert str(caught.value) == f"{path}: the store is closed; open it again"


def test_its_repr_shows_the_path_alone(store: WritableStore, path: str) -> None:
    """A store in a log line says which it is."""
    assert repr(store) == f"<sqlite store {path}>"
