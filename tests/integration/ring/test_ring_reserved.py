"""Records of keywright itself, whose names begin with `keywright.`: the ring leaves them alone."""

from __future__ import annotations

from dataclasses import replace

from support.rings import Rings, Sealed, writable

from keywright import KeyRing, Record, RecordInfo, Secret

Tables = dict[str, dict[str, str]]

HEADER = Record(RecordInfo(name="keywright.header", version=1), Secret(b"not a key"))


def kept(ring: KeyRing, store: str | None = None) -> Record:
    return ring.open_store(store).get("keywright.header", 1)


def test_they_are_hidden(ring: Rings, two_stores: Tables) -> None:
    """From `names` and `list`, of a chain too; the doctor does not take them for keys."""
    chain = {"backend": "chain", "stores": ["old", "new"]}
    opened = ring(stores={**two_stores, "both": chain}, default_store="old")
    writable(opened, "old").create(HEADER)
    opened.generate("a")
    opened.generate("keywrights")

    for store in ("old", "both"):
        assert [*opened.names(store=store)] == ["a", "keywrights"]
        assert [*opened.names("keywright.", store=store)] == []
        assert [one.name for one in opened.list(store=store)] == ["a", "keywrights"]
    assert [*opened.examine()] == []


def test_they_are_not_migrated(ring: Rings, two_stores: Tables) -> None:
    """They stay in the source, also where it is emptied, and the target keeps its own."""
    opened = ring(stores=two_stores, default_store="old")
    writable(opened, "old").create(HEADER)
    writable(opened, "new").create(Record(replace(HEADER.info, kid="its own"), None))
    opened.generate("a")

    moved = list(opened.migrate(from_="old", to="new", delete_source=True, allow_referenced=True))

    assert {one.reference for one in moved} == {"a@1", "a"}
    assert kept(opened, "old").payload == HEADER.payload
    assert kept(opened, "new").info.kid == "its own"


def test_they_do_not_tell_how_a_store_is_sealed(sealed_by: Sealed) -> None:
    """One that is not sealed, in a store with a seal, does not stop a key from being sealed."""
    opened = sealed_by("NEW")
    writable(opened).create(HEADER)

    assert opened.generate("a").reference == "a@1"


def test_they_are_not_rewrapped(sealed_by: Sealed) -> None:
    """Their payload is not the ring's, so it is neither sealed nor unsealed."""
    with sealed_by("OLD") as opened:
        opened.generate("a")
        writable(opened).create(HEADER)

    results = list(sealed_by("NEW", "OLD").rewrap())

    assert [(one.reference, one.is_changed, one.error) for one in results] == [("a@1", True, None)]
    assert kept(sealed_by("NEW")).payload == HEADER.payload
