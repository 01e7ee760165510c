"""The ring names next versions: kids are counted on, derived or said, and never guessed nor given twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from keywright import KeyRing
from keywright.errors import KeyExistsError, PolicyError

Rings = Callable[..., KeyRing]
Refused = Callable[[type[Exception], str], AbstractContextManager[None]]


def test_nix_names_count_on(ring: Rings) -> None:
    """The kid of a nix key counts with the version, past tombstones."""
    opened = ring()
    opened.generate("cache-5")
    opened.rotate("cache-5")
    opened.destroy("cache-5@2")

    third = opened.rotate("cache-5")

    assert (third.version, third.kid) == (3, "cache-7")


HAND = (
    "the kid of {}@1 was chosen by hand, so the next one is not guessed; say --kid, or set keys.{}.kid to a text with "
    "{{version}}"
)


def test_a_kid_chosen_by_hand_is_not_continued(ring: Rings, refused: Refused) -> None:
    """Where the format counts, a kid that does not count is not guessed on; said or configured, it goes on."""
    opened = ring()
    opened.generate("a", kid="by-hand")

    with refused(PolicyError, HAND.format("a", "a")):
        opened.rotate("a")

    assert [one.info.version for one in opened.show("a").versions] == [1]
    assert opened.rotate("a", kid="by-hand-too").kid == "by-hand-too"


def test_an_imported_name_counts_on_where_it_is_ours(ring: Rings, refused: Refused) -> None:
    """An imported nix key that is named as we would have named it is followed, any other is not."""
    opened = ring()
    ours = opened.generate("x")
    data = opened.export("x", secret=True)
    opened.import_key("y", data)

    assert opened.rotate("x").kid == "x-2"
    with refused(PolicyError, HAND.format("y", "y")):
        opened.rotate("y")
    assert ours.kid == "x-1"


def test_a_thumbprint_follows_whatever_was(ring: Rings) -> None:
    """Where kids are derived from keys, one chosen by hand is followed by the next key's own, however short the name
    (a thumbprint holds many a letter by chance)."""
    opened = ring()
    for name in "abcdefgh":
        opened.generate(name, type="ec-p256", kid="by-hand")

        info = opened.rotate(name)

        assert info.kid == opened.plugins.format("jwk").default_kid(name, 2, opened.load(name))


def test_another_format_counts_by_its_own_rule(ring: Rings, shared: dict[str, str]) -> None:
    """A thumbprint was not chosen by hand, so that a change to nix names the next version by number."""
    ring(stores={"main": shared}).generate("a", type="ed25519", format="jwk")

    info = ring(stores={"main": shared}, keys={"a": {"format": "nix"}}).rotate("a")

    assert (info.format, info.kid) == ("nix", "a-2")


@pytest.mark.parametrize("template", ["fixed", "{name}"])
def test_a_configured_kid_has_to_move(ring: Rings, refused: Refused, template: str) -> None:
    """A configured kid without {version} would come twice, so it is refused before a key is made."""
    opened = ring(keys={"a.b": {"kid": template}})
    opened.generate("a.b")

    with refused(PolicyError, 'the kid of a.b would stay the same; set keys."a.b".kid to a text with {version}'):
        opened.rotate("a.b")


def test_a_kid_that_was_configured_anew_is_taken(ring: Rings, shared: dict[str, str]) -> None:
    """A configured kid that differs from the last one is an explicit choice."""
    ring(stores={"main": shared}, keys={"a": {"kid": "2026"}}).generate("a")

    info = ring(stores={"main": shared}, keys={"a": {"kid": "2027"}}).rotate("a")

    assert info.kid == "2027"


def test_a_kid_of_another_version_is_refused(ring: Rings, refused: Refused) -> None:
    """Two versions of one name never share a kid: a verifier could not tell them apart."""
    opened = ring()
    opened.generate("a", kid="one")
    opened.rotate("a", kid="two")

    with refused(KeyExistsError, "the kid of the new version is held by a@1 already; say another --kid"):
        opened.rotate("a", kid="one")

    assert len(opened.show("a").versions) == 2
