"""Keys are given out and converted: `ring.export` and `keywright.convert`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.rings import Refused, Rings

import keywright
from keywright import Registry, Secret
from keywright.errors import (
    ConfigError,
    InvalidKeyError,
    KeyNotFoundError,
    KeywrightError,
    MalformedKeyError,
    NotExportableError,
    PolicyError,
    UnknownPluginError,
    UnsupportedKeyError,
)
from keywright.testing import traceback_with_locals


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


# RFC 8037, appendix A.1 to A.3.
X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

OKP = Secret(
    b'{"crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","kty":"OKP","x":"' + X.encode() + b'"}'
)

OKP_PUBLIC = b'{"crv":"Ed25519","kty":"OKP","x":"' + X.encode() + b'"}'

THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

OCT = Secret(b'{"k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ","kty":"oct"}')

# The example key of Nix's manual ("nix key generate-secret").
NIX_BASE64 = b"E7lAO+MsPwTFfPXsdPtW8GKui/5ho4KQHVcAGnX+Tti1V4dUxoVoqLyWJ4YESuZJwQ67GVIksDt47og+tPVUZw=="

NIX = Secret(b"cache.example.org-0:" + NIX_BASE64)

NIX_PUBLIC = b"cache.example.org-0:tVeHVMaFaKi8lieGBErmScEOuxlSJLA7eO6IPrT1VGc="

ODD_NIX = Secret(b"a b:" + NIX_BASE64)

ODD = "holds whitespace, a control character or another one that does not print"


def test_the_public_half_is_the_default_in_a_conversion() -> None:
    """Whichever half came in, the public half comes out."""
    assert keywright.convert(NIX, from_="nix", to="nix") == NIX_PUBLIC
    assert keywright.convert(NIX_PUBLIC, from_="nix", to="nix") == NIX_PUBLIC


def test_there_and_back_gives_the_same() -> None:
    """A key keeps its kid and both halves on its way through another format."""
    there = keywright.convert(NIX, from_="nix", to="jwk", secret=True)
    back = keywright.convert(there, from_="jwk", to="nix", secret=True)

    assert back == NIX
    assert json.loads(keywright.convert(NIX, from_="nix", to="jwk"))["kid"] == "cache.example.org-0"


def test_plain_bytes_are_taken() -> None:
    """The data may be bytes, a secret half comes out hidden all the same."""
    converted = keywright.convert(NIX.reveal(), from_="nix", to="nix", secret=True)

    assert isinstance(converted, Secret)
    assert converted == NIX


def test_a_key_without_a_kid_gets_its_thumbprint() -> None:
    """A kid that the target derives from the key itself is filled in; an oct key stays without."""
    members = json.loads(keywright.convert(OKP, from_="jwk", to="jwk"))

    assert members == {"crv": "Ed25519", "kid": THUMBPRINT, "kty": "OKP", "x": X}
    assert keywright.convert(OCT, from_="jwk", to="jwk", secret=True) == OCT


def test_a_kid_may_be_said() -> None:
    """`kid` goes before the key's own."""
    assert keywright.convert(NIX, from_="nix", to="nix", kid="other-1").startswith(b"other-1:")
    assert keywright.convert(OKP, from_="jwk", to="nix", kid="cache-1").startswith(b"cache-1:")


def test_what_stays_behind_is_reported_in_a_conversion() -> None:
    """Attributes that the target does not carry are told by name."""
    data = OKP_PUBLIC.replace(b"{", b'{"alg":"EdDSA","kid":"k","note":"x",')
    told: list[str] = []

    converted = keywright.convert(data, from_="jwk", to="nix", report=told.append)

    assert told == ["the public form of format 'nix' does not carry: alg, note"]
    assert converted.startswith(b"k:")


def test_members_that_nobody_publishes_are_reported_too() -> None:
    """A public JWK is an allow-list, so an unknown member stays behind and is told."""
    told: list[str] = []

    keywright.convert(OKP_PUBLIC.replace(b"{", b'{"kid":"k","note":"x",'), from_="jwk", to="jwk", report=told.append)

    assert told == ["the public form of format 'jwk' does not carry: note"]


def test_without_a_listener_it_is_a_warning_in_a_conversion() -> None:
    """Who names nobody to tell is warned, at their own line."""
    data = OKP_PUBLIC.replace(b"{", b'{"kid":"k","use":"sig",')

    with pytest.warns(UserWarning, match="does not carry: use") as caught:
        keywright.convert(data, from_="jwk", to="nix")

    assert caught[0].filename == __file__


def test_lenience_reads_and_writes_odd_names() -> None:
    """With `lenient`, what Nix reads is read with a report, and an odd name comes out as it came in."""
    told: list[str] = []

    converted = keywright.convert(ODD_NIX, from_="nix", to="nix", secret=True, lenient=True, report=told.append)

    assert converted == ODD_NIX
    assert told == [f"the key's name {ODD}; it can never stand in trusted-public-keys"]


@pytest.mark.parametrize(
    ("data", "said", "kind", "message"),
    [
        pytest.param(
            OKP, {"from_": "jwk", "to": "nix"}, UnsupportedKeyError,
            "the kid of this key cannot be a Nix key name: it is empty; choose one with --kid",
            id="a name that nobody chose is not made up",
        ),
        pytest.param(
            Secret(b""), {"from_": "jwk", "to": "nix"}, MalformedKeyError,
            "the data is empty, and a key belongs there; see what should have written it",
            id="nothing",
        ),
        pytest.param(
            OKP, {"from_": "jwk", "to": "nix", "kid": "x" * 1025}, ConfigError,
            "kid must have at most 1024 characters; choose a shorter one",
            id="a long kid",
        ),
        pytest.param(
            Secret(NIX_PUBLIC), {"from_": "nix", "to": "jwk", "secret": True}, NotExportableError,
            "the data is a public key, so there is no secret half to convert; leave out --secret",
            id="no secret half",
        ),
        pytest.param(
            Secret(OKP_PUBLIC.replace(b"{", b'{"kid":"k","use":"sig",')),
            {"from_": "jwk", "to": "nix", "strict": True}, UnsupportedKeyError,
            "the public form of format 'nix' does not carry: use; leave out --strict to go without",
            id="strict",
        ),
        pytest.param(
            OCT, {"from_": "jwk", "to": "nix", "secret": True}, UnsupportedKeyError,
            "the nix format carries ed25519 keys, and this one is of type oct; use another format, such as jwk",
            id="a type that the target does not carry",
        ),
        pytest.param(
            ODD_NIX, {"from_": "nix", "to": "nix"}, MalformedKeyError,
            f"the name of the Nix key {ODD}; give it another (--kid), or say --lenient",
            id="an odd name, strictly",
        ),
        pytest.param(
            NIX, {"from_": "nix", "to": "nix", "kid": "a b"}, UnsupportedKeyError,
            f"format 'nix' does not carry this key: the name of the Nix key {ODD}; give it another (--kid), or say "
            "--lenient",
            id="an odd kid, strictly",
        ),
        pytest.param(
            Secret(NIX.reveal().replace(b"tPVUZw", b"tPVUZg")), {"from_": "nix", "to": "jwk", "lenient": True},
            InvalidKeyError,
            "the public half of this ed25519 key does not belong to its secret half; import a key whose halves match",
            id="halves that disagree, even leniently",
        ),
        pytest.param(
            NIX, {"from_": "nix", "to": "jwkk"}, UnknownPluginError,
            "no format is called 'jwkk' (did you mean 'jwk'?); installed: jwk, nix; left out by the setting `plugins`: "
            "audit, chain, env, file, policy, seal, sqlite",
            id="no such format",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_is_refused(
    refused: Refused, registry: Registry, data: Secret, said: dict[str, Any], kind: type[KeywrightError], message: str
) -> None:
    """A refusal says why and shows nothing of the data."""
    with refused(kind, message):
        keywright.convert(data, registry=registry, **said)


@pytest.mark.parametrize("given", ["from_", "to", "kid"])
def test_an_empty_text_is_no_choice_in_a_conversion(given: str) -> None:
    """An empty text is neither left out nor a choice."""
    said: dict[str, Any] = {"from_": "jwk", "to": "nix", "kid": "a-1", given: ""}

    with pytest.raises(ConfigError) as caught:
        keywright.convert(b"{}", **said)

    assert str(caught.value) == f"{given} must not be empty; leave it out, or say which"


def test_text_is_refused_and_not_shown() -> None:
    """A key that was given as text, against the types, is refused, and is in no frame of ours."""
    with pytest.raises(MalformedKeyError) as caught:
        keywright.convert("a-1:" + "CANARY" * 3, from_="nix", to="jwk")  # type: ignore[call-overload]  # is tested

    shown = traceback_with_locals(caught.value)
    assert str(caught.value) == "a key is given as bytes or as a Secret; encode text before"
    assert "CANARY" * 3 not in shown
