"""The ring makes next versions of keys that are destroyed: what is not known any more is said, and not guessed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from keywright import KeyRing
from keywright.errors import PolicyError

Rings = Callable[..., KeyRing]
Refused = Callable[[type[Exception], str], AbstractContextManager[None]]

GONE = (
    "the attributes of {0}@1 are not known any more; say --attribute or --no-attributes, or set keys.{0}.attributes, "
    "to {{}} for none"
)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"type": "ec-p256", "attributes": {"key_ops": ["sign"]}}, id="published otherwise"),
        pytest.param({"type": "ec-p256"}, id="none at all, as nobody knows any more"),
        pytest.param({"type": "ed25519", "format": "jwk"}, id="by the format, not by the type"),
    ],
)
def test_attributes_that_are_gone_are_not_guessed(ring: Rings, refused: Refused, said: dict[str, Any]) -> None:
    """Of a destroyed key the public form is left, and a key made by that would be for other uses."""
    opened = ring()
    opened.generate("a", **said)
    opened.destroy("a")

    with refused(PolicyError, GONE.format("a")):
        opened.rotate("a")

    assert [one.info.version for one in opened.show("a").versions] == [1]


def test_all_that_is_gone_is_said_at_once(ring: Rings, refused: Refused) -> None:
    """Of a destroyed `oct` key neither attributes nor size are known; what was said already is not asked for again."""
    opened = ring()
    opened.generate("a", type="oct", bits=512, attributes={"alg": "HS512"})
    opened.destroy("a")

    with refused(
        PolicyError,
        "the attributes and the size of a@1 are not known any more; say --attribute or --no-attributes, and --bits, or "
        "set keys.a.attributes, to {} for none, and keys.a.bits",
    ):
        opened.rotate("a")
    with refused(PolicyError, GONE.format("a")):
        opened.rotate("a", bits=512)

    assert opened.rotate("a", bits=512, attributes={}).reference == "a@2"


def test_attributes_that_are_gone_may_be_said(ring: Rings) -> None:
    """What is asked for counts where the last key's own attributes are gone with its secret."""
    opened = ring()
    opened.generate("a", type="ec-p256", attributes={"key_ops": ["sign"]})
    opened.destroy("a")

    opened.rotate("a", attributes={"use": "sig"})

    assert opened.load("a").attributes == {"use": "sig"}


@pytest.mark.parametrize(
    "attributes", [pytest.param({}, id="none"), {"use": "sig"}, {"key_ops": ["sign", "verify"], "alg": "ES256"}]
)
def test_attributes_that_are_gone_may_be_configured(
    ring: Rings, shared: dict[str, str], attributes: dict[str, object]
) -> None:
    """What the configuration says counts alone, nothing of the public form beside it, and saying none is saying so."""
    first = ring(stores={"main": shared})
    first.generate("a", type="ec-p256", attributes={"key_ops": ["sign"], "alg": "ES256", "note": "x"})
    first.destroy("a")
    opened = ring(stores={"main": shared}, keys={"a": {"attributes": attributes}})

    info = opened.rotate("a")

    assert opened.load("a").attributes == attributes
    assert info.version == 2


def test_a_format_without_attributes_has_none_to_lose(ring: Rings) -> None:
    """A nix key carries no attributes, so its tombstone is followed as ever."""
    opened = ring()
    opened.generate("a", labels={"x": "1"})
    opened.destroy("a")

    info = opened.rotate("a")

    assert (info.reference, info.kid, info.format, info.labels) == ("a@2", "a-2", "nix", {"x": "1"})


def test_a_signing_store_knows_its_attributes(ring: Rings) -> None:
    """Where keys never leave the store, the metadata has all their attributes, a tombstone's too."""
    opened = ring(stores={"hsm": {"backend": "memory-signing"}})
    attributes = {"use": "sig", "key_ops": ["sign"]}
    opened.generate("a", type="ec-p256", attributes=attributes)

    assert opened.rotate("a").attributes == attributes
    opened.destroy("a@2")
    assert opened.rotate("a").attributes == attributes


def test_a_size_that_is_gone_is_not_guessed(ring: Rings, shared: dict[str, str], refused: Refused) -> None:
    """After the last oct key was destroyed nobody knows its size, so it has to be said."""
    opened = ring(stores={"main": shared}, keys={"a.b": {"attributes": {}}})
    opened.generate("a.b", type="oct", bits=512)
    opened.destroy("a.b")

    with refused(PolicyError, 'the size of a.b@1 is not known any more; say --bits, or set keys."a.b".bits'):
        opened.rotate("a.b")

    assert opened.rotate("a.b", bits=256).version == 2


def test_a_size_that_is_gone_may_be_configured(ring: Rings) -> None:
    """The configured size is a size that was said."""
    opened = ring(keys={"a": {"type": "oct", "bits": 512, "attributes": {}}})
    opened.generate("a")
    opened.destroy("a")

    opened.rotate("a")

    assert len(opened.load("a").secret or b"") == 64


def test_a_size_that_is_gone_does_not_matter_to_another_type(ring: Rings, shared: dict[str, str]) -> None:
    """Whoever goes on with another type gets that type's own size."""
    first = ring(stores={"main": shared})
    first.generate("a", type="oct")
    first.destroy("a")

    info = ring(stores={"main": shared}, keys={"a": {"type": "ec-p256", "attributes": {}}}).rotate("a")

    assert info.key_type == "ec-p256"
