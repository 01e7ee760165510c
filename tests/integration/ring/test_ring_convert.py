"""`keywright.convert`: from format to format, with nothing stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

import keywright
from keywright import Registry, Secret
from keywright.errors import (
    ConfigError,
    InvalidKeyError,
    KeywrightError,
    MalformedKeyError,
    NotExportableError,
    UnknownPluginError,
    UnsupportedKeyError,
)
from keywright.testing import traceback_with_locals

Refused = Callable[[type[Exception], str], AbstractContextManager[None]]

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


def test_the_public_half_is_the_default() -> None:
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


def test_what_stays_behind_is_reported() -> None:
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


def test_without_a_listener_it_is_a_warning() -> None:
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
def test_an_empty_text_is_no_choice(given: str) -> None:
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
