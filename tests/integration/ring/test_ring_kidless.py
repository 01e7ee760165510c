"""Keys in a format that carries no kid: it is in the metadata alone."""

from __future__ import annotations

import pytest
from support.rings import Bare, Refused, Rings, Sealed

from keywright import Key, KeyRing, Registry, convert
from keywright.errors import UnsupportedKeyError

LOST = "the {} form of format 'bare' does not carry: kid"


class Derived(Bare):
    """The same, with a default kid that comes from the key."""

    def default_kid(self, name: str, version: int, key: Key) -> str:
        assert key.public is not None
        return key.public.hex()


@pytest.fixture
def opened(ring: Rings, registry: Registry, two_stores: dict[str, dict[str, str]]) -> KeyRing:
    """A ring over two memory stores, the default is `old`."""
    registry.add(Bare(), "bare")
    return ring(stores=two_stores, default_store="old")


def test_it_is_generated_rotated_and_used(opened: KeyRing) -> None:
    """The kid is the given one, or the format's default; what is loaded has it, and the payload does not."""
    first = opened.generate("a", format="bare")
    named = opened.generate("b", format="bare", kid="team-{version}")

    assert [first.kid, opened.rotate("a").kid, opened.load("a@1").kid] == ["a-1", "a-2", "a-1"]
    assert (named.kid, opened.load("b").kid) == ("team-1", "team-1")
    assert opened.rotate("b", kid="team-{version}").kid == "team-2"
    payload = opened.open_store().get("b", 1).payload
    assert payload is not None
    assert payload.reveal().startswith(b"bare secret ")
    assert opened.verify("b", b"data", opened.sign("b", b"data")).kid == "team-2"
    assert [*opened.examine()] == []


def test_an_export_reports_that_the_kid_is_left_behind(opened: KeyRing, refused: Refused) -> None:
    """Of either half; with `strict` it is refused. A format that carries kids gets it."""
    opened.generate("a", format="bare", kid="k")
    reported: list[str] = []

    public = opened.export("a", report=reported.append)
    secret = opened.export("a", secret=True, report=reported.append)

    assert reported == [LOST.format("public"), LOST.format("secret")]
    assert (public[:12], secret.reveal()[:12]) == (b"bare public ", b"bare secret ")
    assert opened.export("a", format="nix", strict=True, report=reported.append).startswith(b"k:")
    assert len(reported) == 2
    with refused(UnsupportedKeyError, f"{LOST.format('public')}; leave out --strict to go without"):
        opened.export("a", strict=True)


def test_a_kid_that_the_key_gives_again_is_not_left_behind(ring: Rings, registry: Registry) -> None:
    """A reader derives it again, of either half; another kid is reported."""
    registry.add(Derived(), "bare")
    opened = ring()
    kid = opened.generate("a", format="bare").kid
    opened.generate("b", format="bare", kid="k")
    reported: list[str] = []

    secret = opened.export("a", secret=True, strict=True)
    public = opened.export("a", strict=True)
    opened.export("b", report=reported.append)

    assert opened.import_key("c", secret).kid == kid
    assert opened.import_key("d", public, public=True).kid == kid
    assert reported == [LOST.format("public")]


def test_it_is_imported(opened: KeyRing) -> None:
    """Under the given kid, or the format's default; a public half too, and as a new version."""
    opened.generate("a", format="bare")
    secret = opened.export("a", secret=True, report=lambda _: None)
    public = opened.export("a", report=lambda _: None)
    opened.generate("next", format="bare", kid="first")
    kids = [
        opened.import_key("b", secret).kid,
        opened.import_key("c", secret, kid="k").kid,
        opened.import_key("d", public, public=True, kid="k").kid,
        opened.import_key("next", secret, as_new_version=True, kid="second").kid,
    ]

    assert kids == ["b-1", "k", "k", "second"]
    assert [opened.load(name).kid for name in ("b", "c", "d", "next")] == kids
    assert opened.load("c").secret == opened.load("a").secret


def test_it_is_migrated(opened: KeyRing) -> None:
    """With its kid; a second time it is found to be the same."""
    opened.generate("a", format="bare", kid="k")
    opened.import_key("p", opened.export("a", report=lambda _: None), public=True, kid="partner")
    before = {name: opened.load(name) for name in ("a", "p@1")}

    first = [one.outcome for one in opened.migrate(from_="old", to="new")]
    again = [one.outcome for one in opened.migrate(from_="old", to="new")]

    assert (first, again) == (["copied"] * 2, ["identical"] * 2)
    assert {name: opened.load(name, store="new") for name in before} == before


def test_it_is_rewrapped(registry: Registry, sealed_by: Sealed) -> None:
    """Sealed with another master key, it is still read with its kid."""
    registry.add(Bare(), "bare")
    opened = sealed_by("OLD")
    opened.generate("a", format="bare", kid="k")
    key = opened.load("a")

    results = list(sealed_by("NEW", "OLD").rewrap())

    assert [(one.reference, one.is_changed, one.error) for one in results] == [("a@1", True, None)]
    assert (key.kid, sealed_by("NEW").load("a")) == ("k", key)


def test_a_conversion_leaves_no_kid_behind_that_the_data_has_not(registry: Registry) -> None:
    """A key without kid gets none for a format that carries none, so nothing is lost; a given kid is."""
    registry.add(Derived(), "bare")
    secret, reported = b"bare secret " + b"0" * 64, list[str]()

    public = convert(secret, from_="bare", to="bare", strict=True, report=reported.append, registry=registry)
    given = convert(secret, from_="bare", to="bare", kid="k", report=reported.append, registry=registry)

    assert public == given
    assert reported == [LOST.format("public")]
