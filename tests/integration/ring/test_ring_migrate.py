"""The ring moves keys from one store to another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.errors import text_of
from support.rings import ANOTHER_KEY, DECIDE, Meanwhile, Refused, Rings, Wait, writable

import keywright
from keywright import KeyRing, Record, RecordInfo, Registry, Secret, State
from keywright.errors import ConfigError, ConflictError, KeyNotFoundError, ReadOnlyStoreError, UnsupportedOperationError
from keywright.lifecycle import primary

RESOLVE = "resolve that conflict, then run the command again"

BACKENDS = ("memory", "file", "sqlite")


@pytest.fixture
def registry(registry: Registry) -> Registry:
    """The stores that last, too."""
    import keywright_file
    import keywright_sqlite

    registry.add(keywright_file, "file")
    registry.add(keywright_sqlite, "sqlite")
    return registry


@pytest.fixture
def stores(tmp_path: Path, shared: dict[str, str]) -> Callable[[str, str], dict[str, dict[str, Any]]]:
    """The tables of a store `old` and a store `new` of these backends."""

    def table(name: str, backend: str) -> dict[str, Any]:
        if backend == "memory":
            return {"backend": "memory", "id": f"{shared['id']}-{name}"}
        return {"backend": backend, "path": str(tmp_path / name)}

    return lambda old, new: {"old": table("old", old), "new": table("new", new)}


@pytest.fixture
def two(ring: Rings, stores: Callable[..., dict[str, Any]]) -> KeyRing:
    """A ring over two stores in memory."""
    return ring(stores=stores("memory", "memory"), default_store="old")


def fill(opened: KeyRing, wait: Wait) -> None:
    """Keys in every state, of every kind."""
    opened.generate("a", labels={"team": "infra"})
    wait(days=1, microseconds=7)
    opened.rotate("a", overlap=timedelta(days=3))
    opened.rotate("a", activate_in=timedelta(days=7))
    opened.generate("b/jwt", type="ec-p256", attributes={"use": "sig"})
    opened.disable("b/jwt@1", reason="audit")
    opened.generate("c", type="oct", expires=opened.now() + timedelta(days=9))
    opened.compromise("c@1", reason="lost")
    opened.generate("d", type="rsa", bits=2048)
    opened.destroy("d@1", reason="over")
    opened.import_key("e", opened.export("b/jwt@1"), public=True)


def everything(opened: KeyRing, store: str) -> dict[str, tuple[RecordInfo, Secret | None]]:
    """All that a store holds, but for revisions."""
    kept = opened.open_store(store)
    found = {}
    for name in kept.names():
        for info in kept.versions(name):
            record = kept.get(name, info.version)
            found[info.reference] = (replace(record.info, revision=keywright.Revision("")), record.payload)
    return found


def outcomes(moved: Iterable[Any]) -> dict[str, str]:
    """Reference → outcome."""
    return {one.reference: one.outcome for one in moved}


@pytest.mark.parametrize("old", BACKENDS)
@pytest.mark.parametrize("new", BACKENDS)
def test_all_of_it_arrives(ring: Rings, wait: Wait, stores: Callable[..., dict[str, Any]], old: str, new: str) -> None:
    """Versions, states, times, labels and tombstones are the same in the other store; a second run finds them so."""
    opened = ring(stores=stores(old, new), default_store="old")
    fill(opened, wait)
    before = everything(opened, "old")

    first = outcomes(opened.migrate(from_="old", to="new"))
    again = outcomes(opened.migrate(from_="old", to="new"))

    assert len(before) == 7
    assert first == dict.fromkeys(before, "copied")
    assert everything(opened, "new") == before
    assert again == dict.fromkeys(before, "identical")
    if new == "memory" != old:
        return  # nothing is removed for what does not last
    second = outcomes(opened.migrate(from_="old", to="new", delete_source=True, allow_referenced=True))
    assert second == {**dict.fromkeys(before, "identical"), **dict.fromkeys(["a", "b/jwt", "c", "d", "e"], "removed")}
    assert everything(opened, "old") == {}
    assert everything(opened, "new") == before


def test_the_newest_goes_first(two: KeyRing, wait: Wait) -> None:
    """At no moment does the target sign with another version than the source: with that one or with none."""
    two.generate("a")
    wait(days=1)
    two.rotate("a")
    two.rotate("a", activate_in=timedelta(days=1))
    signing = primary(two.open_store("old").versions("a"), two.now())

    new = two.open_store("new")
    seen = [primary(new.versions("a"), two.now()) for _ in two.migrate(from_="old", to="new")]

    assert signing is not None
    assert [one and one.version for one in seen] == [None, 2, 2]


def test_a_dry_run_says_the_same_and_writes_nothing(two: KeyRing, wait: Wait) -> None:
    """What a dry run announces, removals included, is what the run then does."""
    fill(two, wait)
    before = everything(two, "old")

    announced = outcomes(two.migrate(from_="old", to="new", dry_run=True, delete_source=True, allow_referenced=True))

    assert (everything(two, "new"), everything(two, "old")) == ({}, before)
    assert announced == outcomes(two.migrate(from_="old", to="new", delete_source=True, allow_referenced=True))
    assert everything(two, "old") == {}


def test_names_narrow_it_down(two: KeyRing, wait: Wait, refused: Refused) -> None:
    """These names alone; one that is not there is an error before anything is written."""
    fill(two, wait)

    with refused(KeyNotFoundError, "store 'old' has no key z; leave it out"):
        list(two.migrate("a", "z", from_="old", to="new"))
    assert everything(two, "new") == {}

    assert set(outcomes(two.migrate("d", "e", from_="old", to="new"))) == {"d@1", "e@1"}


def test_a_conflict_stops_nothing_else(two: KeyRing, wait: Wait) -> None:
    """Another key in the place of one is reported and left alone, in both stores; the rest is copied."""
    fill(two, wait)
    two.generate("b/jwt", type="ec-p256", store="new")
    theirs = everything(two, "new")["b/jwt@1"]

    moved = list(two.migrate(from_="old", to="new", delete_source=True, allow_referenced=True))

    told = {one.reference: text_of(one.error) for one in moved if one.error is not None}
    assert told == {"b/jwt@1": "b/jwt@1 in store 'new' is another key; " + DECIDE.format('"b/jwt"')}
    assert [one.outcome for one in moved].count("copied") == 6
    assert everything(two, "new")["b/jwt@1"] == theirs
    assert len(everything(two, "old")) == 7


def test_another_state_is_a_conflict_unless_the_source_shall_win(two: KeyRing, wait: Wait) -> None:
    """A copy that was changed in the target since is not changed back in silence."""
    fill(two, wait)
    list(two.migrate(from_="old", to="new"))
    two.label("a@1", {"team": "web"})
    two.compromise("a@2", reason="lost")
    two.disable("e@1")

    stubborn = list(two.migrate(from_="old", to="new"))
    updated = outcomes(two.migrate(from_="old", to="new", update=True))

    told = {one.reference: text_of(one.error) for one in stubborn if one.error is not None}
    assert told == {
        reference: f"{reference} in store 'new' has other labels or another state; pass --update to overwrite it "
        "from the source"
        for reference in ("a@1", "a@2", "e@1")
    }
    assert {one for one, outcome in updated.items() if outcome == "updated"} == {"a@1", "a@2", "e@1"}
    assert everything(two, "new") == everything(two, "old")


def test_a_kid_that_is_taken_is_a_conflict(two: KeyRing) -> None:
    """Two versions of one kid under one name would leave verifiers in doubt."""
    two.generate("a", kid="k")
    two.rotate("a", kid="l")
    two.generate("a", kid="l", store="new")

    moved = {one.reference: text_of(one.error) for one in two.migrate(from_="old", to="new")}

    assert moved["a@2"] == f"store 'new' has the kid of a@2 already, on version 1; {DECIDE.format('a')}"
    assert list(everything(two, "new")) == ["a@1"]


def test_what_changes_meanwhile_is_copied_again(two: KeyRing, wait: Wait) -> None:
    """Labels, rotations, destructions and new names that come while it works are in the target at the end."""
    for name in ("a", "b", "c"):
        two.generate(name)
    moves = two.migrate(from_="old", to="new")

    first = next(moves)
    two.label("a@1", {"late": "yes"})
    two.rotate("a")
    two.generate("aa")
    two.destroy("a@1")
    rest = list(moves)

    assert first[:2] == ("a@1", "copied")
    assert [(one.reference, one.outcome) for one in rest] == [
        ("b@1", "copied"), ("c@1", "copied"), ("a@2", "copied"), ("a@1", "updated"), ("aa@1", "copied"),
    ]  # fmt: skip
    assert everything(two, "new") == everything(two, "old")


def test_a_copy_that_has_not_changed_is_reported_once(two: KeyRing) -> None:
    """Of a name that is copied again, only what changed is reported again."""
    two.generate("a")
    two.rotate("a")
    moves = two.migrate(from_="old", to="new")

    first = [next(moves).reference, next(moves).reference]
    two.label("a@2", {"late": "yes"})

    assert first == ["a@2", "a@1"]
    assert [(one.reference, one.outcome) for one in moves] == [("a@2", "updated")]


def test_what_never_comes_to_rest_is_said(two: KeyRing, refused: Refused) -> None:
    """A source that changes in every round is an error at the end; nothing is removed."""
    two.generate("a")

    def changing() -> None:
        for number, _ in enumerate(two.migrate(from_="old", to="new", delete_source=True, allow_referenced=True)):
            two.label("a@1", {"n": str(number)})

    with refused(ConflictError, "store 'old' kept changing while it was copied; run the same command again"):
        changing()
    assert "a@1" in everything(two, "old")


def test_what_was_changed_in_the_target_between_rounds_is_left_alone(two: KeyRing) -> None:
    """Our own copy is brought up to date; what another process made of it is a conflict."""
    two.generate("a")
    two.generate("b")
    moves = two.migrate(from_="old", to="new")
    next(moves)
    two.label("a@1", {"late": "yes"})
    second = next(moves)

    two.disable("a@1", store="new")
    rest = list(moves)

    assert second.reference == "b@1"
    assert [(one.reference, one.outcome) for one in rest] == [("a@1", "conflict")]
    assert everything(two, "new")["a@1"][0].state is State.DISABLED


def test_a_name_that_changed_before_its_removal_stays(two: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that came after the comparison keeps the whole name in the source."""
    two.generate("a")
    two.generate("b")
    moves = two.migrate(from_="old", to="new", delete_source=True, allow_referenced=True)

    seen = [next(moves), next(moves), next(moves)]
    two.rotate("b")
    last = list(moves)

    assert [one.outcome for one in seen] == ["copied", "copied", "removed"]
    assert [(one.reference, one.outcome, text_of(one.error)) for one in last] == [
        ("b", "kept", "b changed after it was copied, so it was not removed; run the same command again")
    ]
    assert set(everything(two, "old")) == {"b@1", "b@2"}


def test_a_damaged_record_stops_nothing_else(two: KeyRing) -> None:
    """What cannot be read is reported, not copied and not removed; nor is anything older, or that would sign there."""
    two.generate("a")
    two.rotate("a")
    two.rotate("a")
    two.generate("b")
    kept = writable(two, "old")
    record = kept.get("a", 2)
    kept.replace_payload(record.info.name, record.info.version, Secret(b"junk"), record.info.revision)

    moved = [
        (one.reference, one.outcome, text_of(one.error))
        for one in two.migrate(from_="old", to="new", delete_source=True, allow_referenced=True)
    ]

    assert [one[:2] for one in moved] == [("a@3", "copied"), ("a@2", "failed"), ("a@1", "failed"), ("b@1", "copied")]
    assert moved[1][2].startswith("a@2 in store 'old' does not decode: ")
    assert moved[2][2] == (
        "a@1 was not copied, because a newer version could not be copied; fix the error of that version first"
    )
    assert list(everything(two, "new")) == ["a@3", "b@1"]
    assert set(everything(two, "old")) == {"a@1", "a@2", "a@3", "b@1"}


def test_seals_are_changed_on_the_way(
    ring: Rings, stores: Callable[..., dict[str, Any]], canary_seal: dict[str, object], wait: Wait
) -> None:
    """From a store with a seal to one without and back, keys stay the same; sealed payloads are sealed again."""
    tables = stores("memory", "memory")
    tables["old"]["seal"] = "s"
    opened = ring(stores=tables, seals={"s": canary_seal}, default_store="old")
    fill(opened, wait)

    list(opened.migrate(from_="old", to="new"))

    assert opened.export("a", secret=True, store="new") == opened.export("a", secret=True, store="old")
    plain, sealed = everything(opened, "new")["a@2"][1], everything(opened, "old")["a@2"][1]
    assert plain is not None
    assert sealed is not None
    assert not plain.reveal().startswith(b"keywright-sealed-1:")
    assert sealed.reveal().startswith(b"keywright-sealed-1:")
    opened.destroy("a@1")  # (a change, so that something is sealed on the way back)
    assert outcomes(opened.migrate("b/jwt", from_="new", to="old")) == {"b/jwt@1": "identical"}


def test_stores_of_other_kinds_as_sources(ring: Rings, plain: dict[str, Secret]) -> None:
    """A key from a variable arrives with what its bytes tell; one inside a signing store stays, its tombstone moves."""
    source = ring()
    source.generate("a")
    plain["a"] = Secret(source.export("a", secret=True).reveal() + b"\n")
    tables = {"main": {"backend": "memory"}, "env": {"backend": "plain"}, "hsm": {"backend": "memory-signing"}}
    opened = ring(stores=tables, default_store="main")
    for name in ("b", "c"):
        opened.generate(name, type="ed25519", store="hsm")
    opened.destroy("c@1", store="hsm")

    assert outcomes(opened.migrate("a", from_="env", to="main")) == {"a@1": "copied"}
    assert opened.export("a", secret=True) == source.export("a", secret=True)
    assert outcomes(opened.migrate("a", from_="env", to="main")) == {"a@1": "identical"}
    with pytest.raises(ReadOnlyStoreError):
        list(opened.migrate(from_="main", to="env"))
    moved = list(opened.migrate(from_="hsm", to="main"))
    assert [(one.reference, one.outcome) for one in moved] == [("b@1", "failed"), ("c@1", "copied")]
    assert text_of(moved[0].error) == (
        "the secret half of b@1 never leaves store 'hsm'; keep it there, or "
        "create a new key with `keywright --store NAME generate b`"
    )


def test_what_the_target_cannot_hold_is_told(ring: Rings) -> None:
    """What could not be read back from a signing store is reported beforehand, in a dry run too; tombstones move."""
    opened = ring(stores={"hsm": {"backend": "memory-signing"}, "old": {"backend": "memory"}}, default_store="old")
    opened.generate("a")
    opened.rotate("a")
    opened.destroy("a@2")
    opened.import_key("b", opened.export("a@1"), public=True)
    opened.generate("c")
    opened.destroy("c")

    dry = list(opened.migrate(from_="old", to="hsm", dry_run=True))
    moved = list(opened.migrate(from_="old", to="hsm"))

    told = [(one.reference, one.outcome, one.error and text_of(one.error)) for one in moved]
    beginning = "store 'hsm' does not export keys, so a copy of"
    barred = "a@2 was not copied, because store 'hsm' cannot keep another version of the name"
    assert told == [
        ("a@2", "failed", f"{barred}; {RESOLVE}"),
        ("a@1", "failed", f"{beginning} a@1 could not be compared; create another key there, with generate"),
        ("b@1", "failed", f"{beginning} b@1 could not be compared; create another key there, with generate"),
        ("c@1", "copied", None),
    ]  # fmt: skip
    assert told == [(one.reference, one.outcome, one.error and text_of(one.error)) for one in dry]
    assert {type(one.error) for one in moved if one.error} == {UnsupportedOperationError}
    assert list(everything(opened, "hsm")) == ["c@1"]


@pytest.mark.parametrize(
    ("backend", "old", "new"),
    [
        pytest.param("file", "keys", "link", id="a directory and a link to it"),
        pytest.param("sqlite", "keys", "link", id="a file and a link to it"),
        pytest.param("sqlite", "keys", "hard", id="one file by two hard links"),
        pytest.param("file", "keys", "keys/nested", id="one inside the other"),
        pytest.param("file", "keys/nested", "keys", id="one around the other"),
        pytest.param("file", "keys", "link/nested", id="one inside the other by a link"),
        pytest.param("file", "link/nested", "keys", id="one around the other by a link"),
    ],
)
def test_one_store_under_two_names_is_refused(
    ring: Rings, refused: Refused, tmp_path: Path, backend: str, old: str, new: str
) -> None:
    """Or removing the source would remove all there is; what is below a file store would be taken for its own."""
    (tmp_path / "link").symlink_to(tmp_path / "keys")
    stores = {
        name: {"backend": backend, "path": str(tmp_path / path)} for name, path in {"old": old, "new": new}.items()
    }
    keys = {"it": {"backend": backend, "path": str(tmp_path / "keys")}}
    made = ring(stores=keys)
    made.generate("a")
    made.close()
    if new == "hard":
        (tmp_path / "hard").hardlink_to(tmp_path / "keys")
    opened = ring(stores=stores, default_store="old")

    for names in (("old", "new"), ("old", "old")):
        with refused(
            ConfigError,
            f"stores {names[0]!r} and {names[1]!r} have the same location; pass different stores with --from and --to",
        ):
            list(opened.migrate(from_=names[0], to=names[1], delete_source=True, allow_referenced=True))
        with refused(
            ConfigError,
            f"stores {names[0]!r} and {names[1]!r} have the same location; pass different stores with --from and --to",
        ):
            list(opened.migrate(from_=names[0], to=names[1]))


def test_two_keys_of_one_name_are_not_mixed(two: KeyRing) -> None:
    """Where one version is in conflict, or the target has one that the source has not, none of the name is copied."""
    two.generate("a")
    two.rotate("a")
    two.generate("a", store="new", kid="theirs")
    two.generate("b")
    two.generate("b", store="new", kid="theirs")
    two.rotate("b", store="new", kid="theirs-2")
    kept = writable(two, "new")
    before = everything(two, "new")

    moved = {one.reference: (one.outcome, text_of(one.error)) for one in two.migrate(from_="old", to="new")}

    assert moved == {
        "a@2": ("conflict", f"a@2 was not copied, because another version of the name is in conflict; {RESOLVE}"),
        "a@1": ("conflict", ANOTHER_KEY.format("a")),
        "b@1": ("conflict", ANOTHER_KEY.format("b")),
    }
    assert everything(two, "new") == before

    infos = kept.versions("b")
    kept.remove("b", [info.revision for info in infos])
    kept.create(Record(replace(infos[1], revision=keywright.Revision("")), None))
    again = {one.reference: text_of(one.error) for one in two.migrate("b", from_="old", to="new")}

    assert again == {
        "b@1": "store 'new' has b@2, which the source does not have, and no b@1, so it is another key of that name; "
        + DECIDE.format("b")
    }


def test_after_the_switch_the_source_may_go(two: KeyRing) -> None:
    """A key that was moved and then rotated in the new store is not a conflict: all the old one's versions are "
    "there."""
    two.generate("a")
    list(two.migrate(from_="old", to="new"))
    two.rotate("a", store="new")

    moved = outcomes(two.migrate(from_="old", to="new", delete_source=True, allow_referenced=True))

    assert moved == {"a@1": "identical", "a": "removed"}
    assert set(everything(two, "new")) == {"a@1", "a@2"}


@pytest.mark.parametrize(
    ("in_source", "in_target", "states", "way"),
    [
        pytest.param("destroy", None, ("enabled", "destroyed"), ("new", "destroy"), id="destroyed in the source"),
        pytest.param(None, "destroy", ("destroyed", "enabled"), ("old", "destroy"), id="destroyed in the target"),
        pytest.param(
            None, "compromise", ("compromised", "enabled"), ("old", "compromise"), id="compromised in the target"
        ),
    ],
)
def test_what_is_for_good_is_settled_by_hand(
    two: KeyRing, in_source: str | None, in_target: str | None, states: tuple[str, str], way: tuple[str, str]
) -> None:
    """Nothing alive is destroyed by a migration, and nothing comes back, `update` or not; what it says settles it."""
    two.generate("a", type="oct")
    list(two.migrate(from_="old", to="new"))
    for change, store in ((in_source, "old"), (in_target, "new")):
        if change is not None:
            getattr(two, change)("a@1", store=store)
    before = everything(two, "new")

    moved = list(two.migrate(from_="old", to="new", update=True, delete_source=True, allow_referenced=True))

    told = (
        f"a@1 in store 'new' is {states[0]}, and in store 'old' it is {states[1]}, which no migration "
        f"resolves; run `keywright --store {way[0]} {way[1]} a@1`, then this command with --update"
    )
    assert [(one.reference, one.outcome, text_of(one.error)) for one in moved] == [("a@1", "conflict", told)]
    assert everything(two, "new") == before
    getattr(two, way[1])("a@1", store=way[0])
    assert [one.error for one in two.migrate(from_="old", to="new", update=True)] == [None]
    assert everything(two, "new") == everything(two, "old")


def test_what_somebody_takes_out_of_the_target_is_put_back(two: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the target loses a name while it is removed from the source, the source has it again, the newest first.

    So it never signs with an older version meanwhile.
    """
    two.generate("a")
    two.rotate("a")
    before = everything(two, "old")
    list(two.migrate(from_="old", to="new"))
    source, target = writable(two, "old"), writable(two, "new")
    remove, create = source.remove, source.create
    back: list[int] = []

    def remove_both(name: str, expected: Any) -> None:
        target.remove(name, [info.revision for info in target.versions(name)])
        remove(name, expected)

    def created(record: Record) -> RecordInfo:
        back.append(record.info.version)
        return create(record)

    monkeypatch.setattr(source, "remove", remove_both)
    monkeypatch.setattr(source, "create", created)
    moved = list(two.migrate(from_="old", to="new", delete_source=True, allow_referenced=True))

    assert [(one.reference, one.outcome) for one in moved][-1] == ("a", "kept")
    assert (
        text_of(moved[-1].error)
        == "store 'new' lost a meanwhile, so it was restored in the source; compare both stores"
    )
    assert everything(two, "old") == before
    assert back == [2, 1]


def test_a_name_that_is_gone_meanwhile_is_passed_over(two: KeyRing) -> None:
    """What another process moved away while this one worked is neither an error nor removed twice."""
    two.generate("a")
    two.generate("b")
    moves = two.migrate(from_="old", to="new", delete_source=True, allow_referenced=True)

    first = next(moves)
    assert outcomes(two.migrate("b", from_="old", to="new", delete_source=True, allow_referenced=True)) == {
        "b@1": "copied",
        "b": "removed",
    }
    rest = outcomes(moves)

    assert first.reference == "a@1"
    assert rest == {"a": "removed"}
    assert set(everything(two, "new")) == {"a@1", "b@1"}


def symmetric(letter: bytes) -> bytes:
    """An `oct` JWK of the kid `k`."""
    return b'{"k":"%s","kid":"k","kty":"oct"}' % (letter * 40)


@pytest.mark.parametrize("update", [False, True])
@pytest.mark.parametrize("labels", [{}, {"team": "web"}], ids=["the same labels", "other labels"])
@pytest.mark.parametrize("kind", ["oct", "ed25519", "another end"])
def test_another_secret_is_another_key_whatever_it_is_called(
    two: KeyRing, kind: str, labels: dict[str, str], update: bool
) -> None:
    """Of two keys with one name, version and kid, none takes the other's place, and none is removed.

    Nor is a copy brought up to date that has another end, for that is nothing that a keeper changed.
    """
    for store, letter, days in (("old", b"A", 1), ("new", b"A" if kind == "another end" else b"B", 2)):
        said: dict[str, Any] = {"labels": labels if store == "old" else {}, "store": store}
        if kind == "ed25519":
            two.generate("a", kid="k", format="jwk", type=kind, **said)
        else:
            end = two.now() + timedelta(days=days) if kind == "another end" else None
            two.import_key("a", symmetric(letter), expires=end, allow_duplicate=True, **said)
    old, new = everything(two, "old"), everything(two, "new")

    moved = list(two.migrate(from_="old", to="new", update=update, delete_source=True, allow_referenced=True))

    assert [(one.reference, one.outcome) for one in moved] == [("a@1", "conflict")]
    if kind != "another end":
        assert text_of(moved[0].error) == ANOTHER_KEY.format("a")
    assert (everything(two, "old"), everything(two, "new")) == (old, new)


def test_an_update_that_is_not_kept_is_found_out(two: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is brought up to date is read back and compared, too: a store that loses it does not pass for a copy."""
    two.generate("a")
    list(two.migrate(from_="old", to="new"))
    two.label("a@1", {"team": "web"})
    kept = writable(two, "new")
    update = kept.update_info

    def forgetful(info: RecordInfo, expected: Any) -> RecordInfo:
        return update(replace(info, labels={}), expected)

    monkeypatch.setattr(kept, "update_info", forgetful)

    moved = list(two.migrate(from_="old", to="new", update=True, delete_source=True, allow_referenced=True))

    assert [(one.reference, one.outcome, text_of(one.error)) for one in moved] == [
        (
            "a@1",
            "failed",
            (
                "a@1 was not read back from store 'new' as it was written; run `keywright doctor`, "
                "then the same command again"
            ),
        )
    ]
    assert list(everything(two, "old")) == ["a@1"]


def test_a_version_that_is_listed_and_cannot_be_had_is_told(two: KeyRing, meanwhile: Meanwhile) -> None:
    """What a store lists and does not give is a failure, not a name that someone took away; nothing is removed."""
    for name in ("a", "b"):
        two.generate(name)
    two.rotate("a")
    kept = two.open_store("old")

    def lost() -> None:
        raise KeyNotFoundError("a@1: not here")

    meanwhile(kept, "get", lambda: meanwhile(kept, "get", lost))  # a@2 is read before
    moved = outcomes(two.migrate(from_="old", to="new", delete_source=True, allow_referenced=True))

    assert moved == {"a@2": "copied", "a@1": "failed", "b@1": "copied"}
    assert list(two.names(store="old")) == ["a", "b"]


def test_what_is_no_more_in_the_target_is_not_even_removed_for_a_moment(
    two: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target is looked at before the source is emptied, too: between the two a kill would lose the key."""
    two.generate("a")
    target, source = writable(two, "new"), writable(two, "old")
    removed: list[object] = []
    monkeypatch.setattr(source, "remove", lambda *name, **_: removed.append(name))
    moving = two.migrate(from_="old", to="new", delete_source=True, allow_referenced=True)

    first = next(moving)
    target.remove("a", [info.revision for info in target.versions("a")])

    assert first[:2] == ("a@1", "copied")
    assert [(one.reference, one.outcome) for one in moving] == [("a", "kept")]
    assert removed == []
