"""The ring gives keys out."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

import keywright
from keywright import KeyRing, Secret
from keywright.errors import (
    ConfigError,
    KeyNotFoundError,
    KeywrightError,
    NotExportableError,
    PolicyError,
    UnknownPluginError,
    UnsupportedKeyError,
)

Rings = Callable[..., KeyRing]
Refused = Callable[[type[Exception], str], AbstractContextManager[None]]
Wait = Callable[..., None]


def test_the_public_half_is_the_default(ring: Rings) -> None:
    """Without `secret` the public half comes, in the format that the key is kept in."""
    opened = ring()
    info = opened.generate("a")

    public = opened.export("a")

    assert public.startswith(b"a-1:")
    assert len(public) == len("a-1:") + 44
    assert opened.load("a").public == info.public


def test_the_secret_half_has_to_be_asked_for(ring: Rings) -> None:
    """With `secret` the secret half comes, hidden."""
    opened = ring()
    opened.generate("a")

    secret = opened.export("a", secret=True)

    assert isinstance(secret, Secret)
    assert keywright.convert(secret, from_="nix", to="nix") == opened.export("a")


def test_another_format_may_be_asked_for(ring: Rings) -> None:
    """A key is given out in any format that carries it, under its kid."""
    opened = ring()
    opened.generate("a")

    members = json.loads(opened.export("a", format="jwk"))
    secret = opened.export("a", secret=True, format="jwk")

    assert members.pop("x")
    assert members == {"crv": "Ed25519", "kid": "a-1", "kty": "OKP"}
    assert keywright.convert(secret, from_="jwk", to="nix", secret=True) == opened.export("a", secret=True)


def test_a_version_may_be_named(ring: Rings) -> None:
    """`NAME` is the primary, `NAME@N` any version, out of use or not."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a")
    opened.compromise("a@1")

    assert opened.export("a") == opened.export("a@2")
    assert opened.export("a@1").startswith(b"a-1:")
    assert opened.export("a@1", secret=True).reveal().startswith(b"a-1:")


@pytest.mark.parametrize(("secret", "half"), [(False, "public"), (True, "secret")])
def test_what_stays_behind_is_reported(ring: Rings, secret: bool, half: str) -> None:
    """What the format does not carry is told by name, and the rest is given out."""
    opened = ring()
    opened.generate("a", type="ed25519", format="jwk", kid="k", attributes={"use": "sig", "alg": "EdDSA"})
    told: list[str] = []

    exported = opened.export("a", secret=secret, format="nix", report=told.append)  # type: ignore[call-overload]  # either

    assert told == [f"the {half} form of format 'nix' does not carry: alg, use"]
    assert (exported.reveal() if secret else exported).startswith(b"k:")


@pytest.mark.parametrize(("secret", "half"), [(False, "public"), (True, "secret")])
def test_strict_leaves_nothing_behind(ring: Rings, refused: Refused, secret: bool, half: str) -> None:
    """With `strict`, what the format does not carry is a refusal."""
    opened = ring()
    opened.generate("a", type="ed25519", format="jwk", kid="k", attributes={"use": "sig"})

    with refused(
        UnsupportedKeyError,
        f"the {half} form of format 'nix' does not carry: use; leave out --strict to go without",
    ):
        opened.export("a", secret=secret, format="nix", strict=True)  # type: ignore[call-overload]  # either


def test_strict_is_content_with_all(ring: Rings) -> None:
    """With `strict`, a format that carries everything gives it."""
    opened = ring()
    opened.generate("a", type="ed25519", format="jwk", attributes={"use": "sig", "note": "secret form only"})

    secret = opened.export("a", secret=True, strict=True)
    public = opened.export("a", strict=True)

    assert b"note" in secret.reveal()
    assert b"note" not in public


@pytest.mark.parametrize("secret", [False, True])
def test_without_a_listener_it_is_a_warning(ring: Rings, secret: bool) -> None:
    """Who names nobody to tell is warned, at their own line."""
    opened = ring()
    opened.generate("a", type="ed25519", format="jwk", kid="k", attributes={"use": "sig"})

    with pytest.warns(UserWarning, match="does not carry: use") as caught:
        opened.export("a", secret=secret, format="nix")  # type: ignore[call-overload]  # either

    assert caught[0].filename == __file__


def test_a_tombstone_still_has_its_public_half(ring: Rings, refused: Refused) -> None:
    """Of a destroyed version the public half is still given out, the secret half is gone."""
    opened = ring()
    opened.generate("a")
    public = opened.export("a")
    opened.destroy("a")

    assert opened.export("a@1") == public
    with refused(NotExportableError, "a@1 is destroyed, and its secret half with it; rotate to make a new version"):
        opened.export("a@1", secret=True)


def test_a_key_that_has_no_name_in_nix_is_refused(ring: Rings, refused: Refused) -> None:
    """A kid that the other format cannot carry is refused with the way out."""
    opened = ring()
    opened.generate("a", type="ed25519", format="jwk", kid="a:b")

    with refused(
        UnsupportedKeyError,
        "the kid of this key cannot be a Nix key name: it holds a colon, and Nix takes the name to end at the first "
        "one; choose one with --kid",
    ):
        opened.export("a", format="nix")


@pytest.mark.parametrize(
    ("reference", "said", "kind", "message"),
    [
        pytest.param(
            "b", {}, KeyNotFoundError,
            "store 'main' has no key b; make one with generate or import, or name another --store", id="no name",
        ),
        pytest.param(
            "a@3", {}, KeyNotFoundError, "a has no version 3 in store 'main'; it has: 1, 2", id="no version",
        ),
        pytest.param(
            "a", {}, PolicyError,
            "a has no version that signs, so say which is meant, such as a@2: version 2 is disabled, and an older one "
            "never takes its place; enable it again, or rotate", id="no primary",
        ),
        pytest.param(
            "a@2", {"format": "pem8"}, UnknownPluginError,
            "no format is called 'pem8'; installed: jwk, nix; left out by the setting `plugins`: audit, chain, env, "
            "file, policy, seal, sqlite",
            id="no format",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_given_out_is_refused(
    ring: Rings, refused: Refused, reference: str, said: dict[str, Any], kind: type[KeywrightError], message: str
) -> None:
    """A refusal says what is there, and what to say instead."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a")
    opened.disable("a")

    with refused(kind, message):
        opened.export(reference, **said)


def test_an_oct_key_has_no_public_half(ring: Rings, refused: Refused) -> None:
    """The public half of a symmetric key is refused, not emptied."""
    opened = ring()
    opened.generate("a", type="oct")

    with pytest.raises(UnsupportedKeyError) as caught:
        opened.export("a")

    assert "oct" in str(caught.value)


@pytest.mark.parametrize("given", ["format", "store"])
@pytest.mark.parametrize("secret", [False, True])
def test_an_empty_text_is_no_choice(ring: Rings, refused: Refused, given: str, secret: bool) -> None:
    """An empty text is neither left out nor a choice."""
    opened = ring()
    opened.generate("a")

    with refused(ConfigError, f"{given} must not be empty; leave it out, or say which"):
        opened.export("a", secret=secret, **{given: ""})  # type: ignore[call-overload]  # texts, all of them
