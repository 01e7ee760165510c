"""Keys are given out and converted: `ring.export` and `keywright.convert`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.errors import text_of
from support.rings import NIX, NIX_PUBLIC, ODD, ODD_NIX, Refused, Rings

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


def test_the_public_half_is_the_default(ring: Rings) -> None:
    """Without `secret` the public half comes, in the format that the key is kept in or any other; else hidden."""
    opened = ring()
    info = opened.generate("a")

    public, secret = opened.export("a"), opened.export("a", secret=True)
    members = json.loads(opened.export("a", format="jwk"))
    other = opened.export("a", secret=True, format="jwk")

    assert public.startswith(b"a-1:")
    assert len(public) == len("a-1:") + 44
    assert opened.load("a").public == info.public
    assert isinstance(secret, Secret)
    assert keywright.convert(secret, from_="nix", to="nix") == public
    assert members.pop("x")
    assert members == {"crv": "Ed25519", "kid": "a-1", "kty": "OKP"}
    assert keywright.convert(other, from_="jwk", to="nix", secret=True) == secret


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
def test_what_stays_behind_is_reported_or_refused(ring: Rings, refused: Refused, secret: bool, half: str) -> None:
    """What the format does not carry is reported, or a warning at the caller's line; with `strict` it is refused."""
    opened = ring()
    opened.generate("a", type="ed25519", format="jwk", kid="k", attributes={"use": "sig", "alg": "EdDSA"})
    said: dict[str, Any] = {"secret": secret, "format": "nix"}
    told: list[str] = []

    exported = opened.export("a", report=told.append, **said)
    with pytest.warns(UserWarning, match="does not carry: alg, use") as caught:
        opened.export("a", **said)

    assert told == [f"the {half} form of format 'nix' does not carry: alg, use"]
    assert (exported.reveal() if isinstance(exported, Secret) else exported).startswith(b"k:")
    assert caught[0].filename == __file__
    with refused(UnsupportedKeyError, f"{told[0]}; leave out --strict to go without"):
        opened.export("a", strict=True, **said)


def test_strict_is_content_with_all(ring: Rings) -> None:
    """With `strict`, a format that carries everything gives it."""
    opened = ring()
    opened.generate("a", type="ed25519", format="jwk", attributes={"use": "sig", "note": "secret form only"})

    assert b"note" in opened.export("a", secret=True, strict=True).reveal()
    assert b"note" not in opened.export("a", strict=True)


def test_a_tombstone_still_has_its_public_half(ring: Rings, refused: Refused) -> None:
    """Of a destroyed version the public half is still given out, the secret half is gone."""
    opened = ring()
    opened.generate("a")
    public = opened.export("a")
    opened.destroy("a")

    assert opened.export("a@1") == public
    with refused(
        NotExportableError, "a@1 is destroyed, and its secret half with it; rotate it to create a new version"
    ):
        opened.export("a@1", secret=True)


# RFC 8037, appendix A.1 to A.3.
X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

OKP = Secret(
    b'{"crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","kty":"OKP","x":"' + X.encode() + b'"}'
)

OKP_PUBLIC = b'{"crv":"Ed25519","kty":"OKP","x":"' + X.encode() + b'"}'
THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
OCT = Secret(b'{"k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ","kty":"oct"}')


def test_a_conversion_gives_the_public_half_or_the_same_key() -> None:
    """Whichever half came in, the public one comes out; there and back a key keeps its kid and both halves."""
    convert = keywright.convert

    assert convert(NIX, from_="nix", to="nix") == convert(NIX_PUBLIC, from_="nix", to="nix") == NIX_PUBLIC
    plain = convert(NIX.reveal(), from_="nix", to="nix", secret=True)
    assert isinstance(plain, Secret)
    assert plain == NIX
    there = convert(NIX, from_="nix", to="jwk", secret=True)
    assert convert(there, from_="jwk", to="nix", secret=True) == NIX
    assert json.loads(convert(NIX, from_="nix", to="jwk"))["kid"] == "cache.example.org-0"


def test_a_key_without_a_kid_gets_its_thumbprint() -> None:
    """A kid that the target derives from the key itself is filled in; an oct key stays without."""
    members = json.loads(keywright.convert(OKP, from_="jwk", to="jwk"))

    assert members == {"crv": "Ed25519", "kid": THUMBPRINT, "kty": "OKP", "x": X}
    assert keywright.convert(OCT, from_="jwk", to="jwk", secret=True) == OCT


def test_a_kid_may_be_said() -> None:
    """`kid` goes before the key's own."""
    assert keywright.convert(NIX, from_="nix", to="nix", kid="other-1").startswith(b"other-1:")
    assert keywright.convert(OKP, from_="jwk", to="nix", kid="cache-1").startswith(b"cache-1:")


@pytest.mark.parametrize(
    ("to", "left_behind"), [pytest.param("nix", "alg, note", id="nix"), pytest.param("jwk", "note", id="public jwk")]
)
def test_what_a_conversion_leaves_behind_is_reported(to: str, left_behind: str) -> None:
    """What the target does not carry is told, an unknown member of a public JWK too; or a warning at the caller's."""
    data = OKP_PUBLIC.replace(b"{", b'{"alg":"EdDSA","kid":"k","note":"x",')
    told: list[str] = []

    converted = keywright.convert(data, from_="jwk", to=to, report=told.append)
    with pytest.warns(UserWarning, match=f"does not carry: {left_behind}") as caught:
        keywright.convert(data, from_="jwk", to=to)

    assert told == [f"the public form of format {to!r} does not carry: {left_behind}"]
    assert converted.startswith(b"k:" if to == "nix" else b"{")
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
            id="a name that no one chose is not made up",
        ),
        pytest.param(
            Secret(b""), {"from_": "jwk", "to": "nix"}, MalformedKeyError,
            "the data is empty, where a key is expected; pass the key on standard input",
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
            f"the name of the Nix key {ODD}; set another with --kid, or pass --lenient",
            id="an odd name, strictly",
        ),
        pytest.param(
            NIX, {"from_": "nix", "to": "nix", "kid": "a b"}, UnsupportedKeyError,
            f"format 'nix' does not carry this key: the name of the Nix key {ODD}; set another with --kid, or pass "
            f"--lenient",
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
            "no format is called 'jwkk' (did you mean 'jwk'?); installed: jwk, nix; the setting `plugins` "
            "leaves out: audit, env, file, policy, seal, sqlite",
            id="no such format",
        ),
        pytest.param(
            Secret(b""), {"from_": "nix", "to": "jwk", "kid": "k" * 1025}, ConfigError,
            "kid must have at most 1024 characters; choose a shorter one",
            id="an argument that is wrong, before empty data",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_is_refused(
    refused: Refused, registry: Registry, data: Secret, said: dict[str, Any], kind: type[KeywrightError], message: str
) -> None:
    """A refusal says why and shows nothing of the data."""
    with refused(kind, message):
        keywright.convert(data, registry=registry, **said)


def test_text_is_refused_and_not_shown() -> None:
    """A key that was given as text, against the types, is refused, and is in no frame of ours."""
    with pytest.raises(MalformedKeyError) as caught:
        keywright.convert("a-1:" + "CANARY" * 3, from_="nix", to="jwk")  # type: ignore[call-overload]  # is tested

    shown = traceback_with_locals(caught.value)
    assert text_of(caught.value) == "a key must be bytes or a Secret; encode text first"
    assert "CANARY" * 3 not in shown
