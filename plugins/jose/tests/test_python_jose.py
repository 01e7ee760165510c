"""What python-jose 3.5 lets pass, each seen with python-jose itself, is refused here."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jose import jwk as python_jwk
from jose import jws as python_jws
from jose import jwt as python_jwt
from jose.constants import ALGORITHMS
from jose.exceptions import JWKError
from jose_support import EC, ED, RSA, refused, sealed, text

from keywright.errors import (
    ConfigError,
    InvalidKeyError,
    InvalidSignatureError,
    MalformedKeyError,
    MalformedTokenError,
    PolicyError,
)
from keywright_jose import create_curve_key, create_rsa_key, create_secret_key, jws_decode, jws_encode, signer, verify

OCTETS = bytes(range(32))


KEY = {"kty": "oct", "k": text(OCTETS)}


def headed(header: bytes) -> str:
    """A token with this header."""
    return sealed(text(header), text(b"{}"), OCTETS)


GOOD = headed(b'{"alg":"HS256"}')


def test_both_take_a_good_token() -> None:
    """What the hostile ones are made from is good to both."""
    assert python_jws.verify(GOOD, KEY, ["HS256"]) == b"{}"
    assert verify(GOOD, KEY, algorithms=["HS256"]).payload == b"{}"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(headed(b'{"alg":"HS256","crit":["exp"],"exp":0}'), id="unknown crit"),
        pytest.param(headed(b'{"alg":"HS256","crit":["b64"],"b64":false}'), id="b64 false"),
        pytest.param(headed(b'{"alg":"HS256","zip":"DEF"}'), id="zip"),
        pytest.param(headed(b'{"alg":"none","alg":"HS256"}'), id="alg twice"),
        pytest.param(headed(b'{"alg":"HS256","a":NaN}'), id="NaN"),
        pytest.param(headed(b' {"alg":"HS256"}\n'), id="spaces around"),
        pytest.param(headed(b'{"alg":"HS256","kid":7}'), id="kid a number"),
        pytest.param(sealed(text(b'{"alg":"HS256" }') + "==", text(b"{}"), OCTETS), id="padding"),
        pytest.param(GOOD + "=", id="padding after the signature"),
        pytest.param(GOOD[:-4] + "!!!!" + GOOD[-4:], id="junk in the signature"),
        pytest.param(GOOD + "\n" * 4, id="line feeds after"),
        pytest.param(sealed(text(b'{"alg":"HS256"}'), "e3    0", OCTETS), id="spaces in the payload"),
        pytest.param(sealed(text(b'{"alg":"HS256"}'), "e31", OCTETS), id="spare bits"),
        pytest.param(sealed(text(b'{"alg":"HS256"}'), text(b"a" * 1_000_000), OCTETS), id="a megabyte"),
    ],
)
def test_tokens_that_python_jose_takes(token: str) -> None:
    """Its parser is lenient, and skips what it does not understand."""
    assert isinstance(python_jws.verify(token, KEY, ["HS256"]), bytes)
    assert refused(verify, token, KEY, algorithms=["HS256"])[0] is MalformedTokenError


NIX = b"cache.example.org-1:" + b64encode(ED.public_key().public_bytes_raw())
SPKI, EC_SPKI = (key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in (RSA, EC))


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(SPKI, id="DER"),
        pytest.param(b64encode(SPKI), id="base64 of DER"),
        pytest.param(EC_SPKI, id="DER EC"),
        pytest.param(NIX, id="Nix"),
        pytest.param(json.dumps(create_curve_key("P-256")).encode(), id="JWK in text"),
        pytest.param(b"s" * 31, id="31 bytes"),
        pytest.param(b"s", id="a byte"),
    ],
)
def test_secrets_that_python_jose_takes(octets: bytes) -> None:
    """It knows PEM and OpenSSH, and takes every other public key and every length for a secret."""
    token = sealed(text(b'{"alg":"HS256"}'), text(b"{}"), octets)
    key = {"kty": "oct", "k": text(octets)}

    assert python_jws.verify(token, key, ["HS256"]) == b"{}"
    assert refused(verify, token, key, algorithms=["HS256"])[0] is InvalidKeyError


def test_no_octets_at_all() -> None:
    token = sealed(text(b'{"alg":"HS256"}'), text(b"{}"), b"")

    assert python_jws.verify(token, "", ["HS256"]) == b"{}"
    assert refused(verify, token, {"kty": "oct", "k": ""}, algorithms=["HS256"])[0] is MalformedKeyError


def test_small_rsa_keys() -> None:
    private = rsa.generate_private_key(65537, 1024)
    numbers = private.public_key().public_numbers()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    key = {"kty": "RSA", "n": text(numbers.n.to_bytes(128)), "e": "AQAB"}
    token = python_jws.sign(b"{}", python_jwk.construct(pem, "RS256"), algorithm="RS256")

    assert python_jws.verify(token, key, ["RS256"]) == b"{}"
    assert refused(verify, token, key, algorithms=["RS256"])[0] is InvalidKeyError


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"use": "enc"}, id="use"),
        pytest.param({"key_ops": ["encrypt"]}, id="key_ops"),
        pytest.param({"alg": "A256GCM"}, id="alg"),
    ],
)
def test_keys_for_something_else(more: dict[str, Any]) -> None:
    """What a key says of its use is not read there."""
    assert python_jws.verify(GOOD, {**KEY, **more}, ["HS256"]) == b"{}"
    assert refused(verify, GOOD, {**KEY, **more}, algorithms=["HS256"])[0] is PolicyError


def test_another_kid() -> None:
    """A token that names another key than the one at hand, or than the one of a set that made it."""
    token = headed(b'{"alg":"HS256","kid":"theirs"}')
    others = {"keys": [{**KEY, "kid": "mine"}, {**create_secret_key(256), "kid": "theirs"}]}

    for keys in ({**KEY, "kid": "mine"}, others):
        assert python_jws.verify(token, keys, ["HS256"]) == b"{}"
        assert refused(verify, token, keys, algorithms=["HS256"])[0] is InvalidSignatureError


def test_no_allow_list_and_a_text_for_one() -> None:
    """Without a list every algorithm is allowed; a text allows its parts."""
    token = headed(b'{"alg":"HS256"}')

    assert python_jws.verify(token, KEY, None) == b"{}"
    assert python_jws.verify(token, KEY, "RS256 and not HS256") == b"{}"
    for algorithms in (None, "RS256 and not HS256", "HS256"):
        assert refused(verify, token, KEY, algorithms=algorithms)[0] is ConfigError


def test_a_dict_without_kty() -> None:
    """Each value in it is tried as a secret there."""
    token = sealed(text(b'{"alg":"HS256"}'), text(b"{}"), b"admin")

    assert python_jws.verify(token, {"role": "admin"}, ["HS256"]) == b"{}"
    assert refused(verify, token, {"role": "admin"}, algorithms=["HS256"])[0] is MalformedKeyError


ALG_LIST = text(b'{"alg":["HS256"]}')


@pytest.mark.parametrize(
    ("token", "escapes"),
    [
        pytest.param(f"{text(b'[' * 100_000)}.e30.", RecursionError, id="RecursionError"),
        pytest.param(f"{ALG_LIST}.e30.AA", TypeError, id="TypeError"),
        pytest.param(7, AttributeError, id="AttributeError"),
    ],
)
def test_errors_that_escape(token: Any, escapes: type[Exception]) -> None:
    """Whatever comes in, only our own errors come out."""
    with pytest.raises(escapes):
        python_jws.verify(token, KEY, {"HS256"})
    assert refused(verify, token, KEY, algorithms=["HS256"])[0] is MalformedTokenError


def test_an_overflow_that_escapes() -> None:
    """A time beyond all dates is a malformed token here, and an OverflowError there."""
    token = sealed(text(b'{"alg":"HS256"}'), text(b'{"exp":1e308,"nbf":Infinity}'), OCTETS)
    with pytest.raises(OverflowError):
        python_jwt.decode(token, KEY, ["HS256"])
    assert refused(jws_decode, token, KEY, signature_algorithm="HS256")[0] is MalformedTokenError


def test_a_header_member_that_nobody_asked_for() -> None:
    """python-jose writes `typ: JWT` into each header."""
    theirs = python_jws.sign(b"{}", KEY, algorithm="HS256")
    ours = jws_encode({}, KEY, signature_algorithm="HS256")

    assert python_jws.get_unverified_header(theirs) == {"alg": "HS256", "typ": "JWT"}
    assert python_jws.get_unverified_header(ours) == {"alg": "HS256"}


@pytest.mark.parametrize("algorithm", ["EdDSA", "PS256", "PS384", "PS512"])
def test_algorithms_that_python_jose_lacks(algorithm: str) -> None:
    """They work here, and python-jose's own tables stay as they were."""
    key = create_curve_key("Ed25519") if algorithm == "EdDSA" else create_rsa_key(2048)

    token = signer(key, algorithm).sign({})

    assert verify(token, key, algorithms=[algorithm]).header == {"alg": algorithm}
    with pytest.raises(JWKError):
        python_jwk.construct(dict(key), algorithm)
    assert algorithm not in ALGORITHMS.SUPPORTED
    assert ALGORITHMS.KEYS == {}
