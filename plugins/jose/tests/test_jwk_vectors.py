"""Keys and thumbprints that RFCs publish."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

import pytest

from keywright import Secret
from keywright_jose import thumbprint
from keywright_jose.jwk.format import JwkFormat

_THUMBPRINTS = [
    pytest.param(
        {
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWK"
            "RXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMic"
            "AtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3"
            "XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB",
            "alg": "RS256",
            "kid": "2011-04-29",
        },
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        id="RFC 7638 §3.1",
    ),
    pytest.param(
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        id="RFC 8037 A.3",
    ),
]


@pytest.mark.parametrize(("jwk", "expected"), _THUMBPRINTS)
def test_thumbprint_is_the_published_one(jwk: dict[str, str], expected: str) -> None:
    """`thumbprint` gives what the RFC gives, whatever else the JWK holds."""
    assert thumbprint(jwk) == expected


@pytest.mark.parametrize(("jwk", "expected"), _THUMBPRINTS)
def test_default_kid_is_the_published_thumbprint(
    jwk_format: JwkFormat, hide: Callable[[object], Secret], jwk: dict[str, str], expected: str
) -> None:
    """The kid of an asymmetric key that has none is its thumbprint, whatever its name and version."""
    key = jwk_format.decode(hide(jwk), default_kid="")

    assert jwk_format.default_kid("prod/jwt", 7, key) == expected


def test_oct_key_has_no_default_kid(
    jwk_format: JwkFormat, hide: Callable[[object], Secret], published: dict[str, dict[str, Any]]
) -> None:
    """The kid of a symmetric key is left to chance, for a hash would leak the key."""
    key = jwk_format.decode(hide(published["oct"]), default_kid="")

    assert jwk_format.default_kid("prod/jwt", 1, key) is None


@pytest.mark.parametrize("name", ["ec-p256", "ec-p521", "ed25519", "rsa"])
def test_secret_and_public_jwk_share_a_thumbprint(published: dict[str, dict[str, Any]], name: str) -> None:
    """Secret members do not count in a thumbprint."""
    public = {
        member: value for member, value in published[name].items() if member not in ("d", "p", "q", "dp", "dq", "qi")
    }

    assert thumbprint(published[name]) == thumbprint(public)


@pytest.mark.parametrize("name", ["oct", "oct-enc", "ec-p256", "ec-p384", "ec-p521", "ed25519", "x25519", "rsa"])
def test_published_secret_key_round_trips_canonically(
    jwk_format: JwkFormat, hide: Callable[[object], Secret], published: dict[str, dict[str, Any]], name: str
) -> None:
    """A published secret JWK comes back with the same members, compact and sorted, without a newline."""
    canonical = json.dumps(published[name], sort_keys=True, separators=(",", ":")).encode()

    key = jwk_format.decode(hide(published[name]), default_kid="")

    assert jwk_format.encode_secret(key).reveal() == canonical


@pytest.mark.parametrize("name", ["x25519-public", "rsa-public"])
def test_published_public_key_round_trips_canonically(
    jwk_format: JwkFormat, hide: Callable[[object], Secret], published: dict[str, dict[str, Any]], name: str
) -> None:
    """A published public JWK comes back without a secret half and with the same members."""
    canonical = json.dumps(published[name], sort_keys=True, separators=(",", ":")).encode()

    key = jwk_format.decode(hide(published[name]), default_kid="")

    assert key.secret is None
    assert jwk_format.encode_public(key) == canonical


@pytest.mark.parametrize(
    ("name", "type", "prefix", "coordinates"),
    [
        pytest.param("ec-p256", "ec-p256", b"\x04", ("x", "y"), id="P-256"),
        pytest.param("ec-p521", "ec-p521", b"\x04", ("x", "y"), id="P-521"),
        pytest.param("ed25519", "ed25519", b"", ("x",), id="Ed25519"),
    ],
)
def test_curve_members_become_the_layout_of_the_key_type(
    jwk_format: JwkFormat,
    hide: Callable[[object], Secret],
    published: dict[str, dict[str, Any]],
    name: str,
    type: str,
    prefix: bytes,
    coordinates: tuple[str, ...],
) -> None:
    """`d` becomes the secret half, the coordinates the public half, with the SEC 1 prefix on EC curves."""
    jwk = published[name]

    key = jwk_format.decode(hide(jwk), default_kid="")

    assert key.type == type
    assert key.secret == Secret(urlsafe_b64decode(jwk["d"] + "=="))
    assert key.public == prefix + b"".join(urlsafe_b64decode(jwk[name] + "==") for name in coordinates)


def test_rsa_members_become_pkcs8_and_spki(
    jwk_format: JwkFormat, hide: Callable[[object], Secret], published: dict[str, dict[str, Any]]
) -> None:
    """The halves of an RSA key are DER with the JWK's own numbers."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

    def number(member: str) -> int:
        return int.from_bytes(urlsafe_b64decode(published["rsa"][member] + "=="), "big")

    key = jwk_format.decode(hide(published["rsa"]), default_kid="")

    assert key.secret is not None
    assert key.public is not None
    private = load_der_private_key(key.secret.reveal(), None)
    public = load_der_public_key(key.public)
    assert isinstance(private, RSAPrivateKey)
    assert isinstance(public, RSAPublicKey)
    numbers = private.private_numbers()
    assert [numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp] == [
        number(member) for member in ("d", "p", "q", "dp", "dq", "qi")
    ]
    assert numbers.public_numbers == public.public_numbers()
    assert (public.public_numbers().n, public.public_numbers().e) == (number("n"), 65537)


def test_kid_and_attributes_come_along(
    jwk_format: JwkFormat, hide: Callable[[object], Secret], published: dict[str, dict[str, Any]]
) -> None:
    """`kid` becomes the kid of the key, everything that is no parameter an attribute."""
    jwk = published["oct"] | {"https://example.org/note": {"a": [1, 2.5, None, True]}}

    key = jwk_format.decode(hide(jwk), default_kid="other")

    assert key.kid == "018c0ae5-4d9b-471b-bfd6-eef314bc7037"
    assert key.attributes.plain() == {
        "use": "sig",
        "alg": "HS256",
        "https://example.org/note": {"a": [1, 2.5, None, True]},
    }


def test_default_kid_stands_in(
    jwk_format: JwkFormat, hide: Callable[[object], Secret], published: dict[str, dict[str, Any]]
) -> None:
    """A JWK without `kid` gets the one that the caller has for it."""
    key = jwk_format.decode(hide(published["ed25519"]), default_kid="prod/jwt-1")

    assert key.kid == "prod/jwt-1"


@pytest.mark.parametrize("around", [b"%s\n", b" \t\r\n%s\r\n", b"%s"])
def test_whitespace_around_the_object_is_tolerated(
    jwk_format: JwkFormat, hide: Callable[[object], Secret], published: dict[str, dict[str, Any]], around: bytes
) -> None:
    """JSON whitespace before and after the object changes nothing; it is sniffed too."""
    plain = hide(published["oct"])
    data = Secret(around % plain.reveal())

    assert jwk_format.decode(data, default_kid="") == jwk_format.decode(plain, default_kid="")
    assert jwk_format.sniff(data)


@pytest.mark.parametrize("data", [b"", b"cache.example.org-1:AAAA", b"-----BEGIN PRIVATE KEY-----", b"[{}]", b"\xff{"])
def test_other_data_is_not_sniffed(jwk_format: JwkFormat, data: bytes) -> None:
    """What does not start with `{` is nothing of ours."""
    assert not jwk_format.sniff(Secret(data))


@pytest.mark.parametrize("name", ["ec-p256", "ed25519"])
def test_disagreeing_halves_both_come_back(
    jwk_format: JwkFormat, hide: Callable[[object], Secret], published: dict[str, dict[str, Any]], name: str
) -> None:
    """A public half that does not belong to the secret is handed on as given, for the key type to refuse."""
    jwk = published[name] | {"x": "A" * 43}

    key = jwk_format.decode(hide(jwk), default_kid="")

    assert key.public is not None
    assert bytes(32) in key.public
