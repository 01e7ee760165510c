"""Signed tokens: the way there and back, what signers write and refuse, and what they keep to themselves."""

from __future__ import annotations

import copy
import json
import pickle
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any

import pytest
from jose.constants import ALGORITHMS
from jose_support import public, published, refused

from keywright.errors import (
    ExpiredTokenError,
    FormatError,
    InvalidSignatureError,
    PolicyError,
    UnsupportedOperationError,
)
from keywright_jose import (
    create_curve_key,
    create_rsa_key,
    create_secret_key,
    jws_decode,
    jws_encode,
    signer,
    verifier,
    verify,
)

CLAIMS = {"sub": "user-7", "admin": True, "n": [1, 2.5, None]}
ED25519_TOKEN = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)


def key_of(algorithm: str) -> dict[str, Any]:
    if algorithm.startswith("HS"):
        return dict(create_secret_key(512))
    if algorithm[:2] in ("RS", "PS"):
        return dict(create_rsa_key(2048))
    curves = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
    return dict(create_curve_key(curves.get(algorithm, "Ed25519")))


@pytest.mark.parametrize(
    "algorithm",
    [*(f"{family}{bits}" for family in ("HS", "RS", "PS", "ES") for bits in (256, 384, 512)), "EdDSA", "Ed25519"],
)
def test_each_algorithm_there_and_back(algorithm: str) -> None:
    key = key_of(algorithm)

    token = jws_encode(CLAIMS, key, signature_algorithm=algorithm)
    found = verify(token, public(key), algorithms=[algorithm])

    assert found.header == {"alg": algorithm}
    assert json.loads(found.payload) == CLAIMS
    assert jws_decode(token, public(key), signature_algorithm=algorithm) == CLAIMS
    head, payload, signature = token.split(".")
    other = "A" if signature[0] != "A" else "B"
    changed = f"{head}.{payload}.{other}{signature[1:]}"
    assert refused(verify, changed, public(key), algorithms=[algorithm])[0] is InvalidSignatureError
    # python-jose's own tables stay as they were: no key class is registered, and it lacks EdDSA and PSS.
    assert ALGORITHMS.KEYS == {}
    assert (algorithm in ALGORITHMS.SUPPORTED) == (algorithm[:2] in ("HS", "RS", "ES"))


def test_the_published_ed25519_token_comes_out() -> None:
    """RFC 8037 A.4, byte for byte."""
    assert signer(published("ed25519"), "EdDSA").sign(b"Example of Ed25519 signing") == ED25519_TOKEN
    assert (
        verify(ED25519_TOKEN, public(published("ed25519")), algorithms=["EdDSA"]).payload
        == b"Example of Ed25519 signing"
    )


def test_a_token_has_its_time() -> None:
    key = create_secret_key(256)
    made = datetime(2027, 1, 1, tzinfo=UTC)

    token = jws_encode({"sub": "a"}, key, signature_algorithm="HS256", ttl=60, clock=lambda: made)

    assert jws_decode(token, key, signature_algorithm="HS256", clock=lambda: made) == {
        "sub": "a", "iat": 1798761600, "nbf": 1798761600, "exp": 1798761660,
    }  # fmt: skip
    later = datetime(2027, 1, 1, 0, 1, tzinfo=UTC)
    assert refused(jws_decode, token, key, signature_algorithm="HS256", clock=lambda: later) == (
        ExpiredTokenError,
        "the token has expired; get a new one",
    )


KEY = {**create_secret_key(256), "alg": "HS256"}
NO_CLAIMS = (
    "the claims of a token must be a mapping of texts to JSON values, in Unicode, of at most 32 levels; correct it"
)
NO_HEADER = (
    "the header of a token must be a mapping of texts to JSON values, in Unicode, of at most 32 levels; correct it"
)


def octets(token: str, segment: int) -> bytes:
    text = token.split(".")[segment]
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def nested(levels: int) -> dict[str, object]:
    inner: Any = 1
    for _ in range(levels - 1):
        inner = [inner]
    return {"a": inner}


@pytest.mark.parametrize(
    ("claims", "written"),
    [
        pytest.param({}, b"{}", id="none"),
        pytest.param({"b": 1, "a": 2}, b'{"b":1,"a":2}', id="in their order"),
        pytest.param({"a": "\N{LATIN SMALL LETTER E WITH ACUTE}"}, b'{"a":"\xc3\xa9"}', id="UTF-8"),
        pytest.param({"a": '\n\x00"\\'}, b'{"a":"\\n\\u0000\\"\\\\"}', id="escapes"),
        pytest.param({"a": [1, 2.5, None, True, {"b": ()}]}, b'{"a":[1,2.5,null,true,{"b":[]}]}', id="all kinds"),
        pytest.param(OrderedDict(a=1), b'{"a":1}', id="subclass of dict"),
        pytest.param(MappingProxyType({"a": 1}), b'{"a":1}', id="other mapping"),
        pytest.param(b"any octets \xff", b"any octets \xff", id="octets"),
        pytest.param(b"", b"", id="no octets"),
        pytest.param(nested(32), b'{"a":%s1%s}' % (b"[" * 31, b"]" * 31), id="32 levels"),
    ],
)
def test_claims_are_written_compactly(claims: Any, written: bytes) -> None:
    token = signer(KEY).sign(claims)

    assert octets(token, 0) == b'{"alg":"HS256"}'
    assert octets(token, 1) == written
    assert verify(token, KEY).payload == written


ITSELF: dict[str, Any] = {}
ITSELF["a"] = [ITSELF]


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param('{"a":1}', id="text"),
        pytest.param({1: "a"}, id="name a number"),
        pytest.param({"a": {1: "a"}}, id="name a number, inside"),
        pytest.param({"a": [{True: "a"}]}, id="name a boolean, deep inside"),
        pytest.param({"a": float("nan")}, id="NaN"),
        pytest.param({"a": [float("-inf")]}, id="-Infinity"),
        pytest.param({"a": b"octets"}, id="bytes inside"),
        pytest.param({"a": object()}, id="object"),
        pytest.param({"a": MappingProxyType({})}, id="mapping inside"),
        pytest.param({"a": "\ud800"}, id="surrogate"),
        pytest.param({"\ud800": 1}, id="surrogate in a name"),
        pytest.param({"a": 10**5000}, id="integer of 5001 digits"),
        pytest.param(nested(33), id="33 levels"),
        pytest.param(nested(10_000), id="10000 levels"),
        pytest.param(ITSELF, id="holds itself"),
    ],
)
def test_claims_that_json_cannot_carry_are_refused(claims: Any) -> None:
    """Nothing is changed without a word, as other writers do with names that are no text."""
    assert refused(lambda: signer(KEY).sign(claims)) == (FormatError, NO_CLAIMS)


@pytest.mark.parametrize("headers", [7, "", "typ", b"", [], [("typ", "JWT")], {1: 2}, {"a": object()}])
def test_headers_that_json_cannot_carry_are_refused(headers: Any) -> None:
    assert refused(signer, KEY, headers=headers) == (FormatError, NO_HEADER)


@pytest.mark.parametrize("name", ["alg", "crit", "b64", "zip"])
def test_headers_do_not_say_what_is_the_signers(name: str) -> None:
    """The algorithm is the key's, and what no reader here understands is not written."""
    assert refused(jws_encode, {}, KEY, headers={name: "HS256"}) == (
        UnsupportedOperationError,
        f"headers cannot say {name}, which is the signer's or none; leave it out",
    )


@pytest.mark.parametrize("name", ["kid", "typ", "cty"])
@pytest.mark.parametrize("value", [None, 7, "", ["a"], b"a"], ids=repr)
def test_headers_that_no_reader_takes_are_not_written(name: str, value: object) -> None:
    message = NO_HEADER if value == b"a" else f"the {name} of a header is a text that is not empty; correct it"

    assert refused(signer, KEY, headers={name: value}) == (FormatError, message)


def test_a_header_has_what_was_asked_for_and_no_more() -> None:
    """No `typ`, and the `kid` of a JWK only where it is asked for; `alg` comes first."""
    named = {**KEY, "kid": "a", "use": "sig", "key_ops": ["sign", "verify"]}

    assert octets(signer(named).sign({}), 0) == b'{"alg":"HS256"}'
    assert octets(signer(named, headers={"kid": "a", "typ": "JWT"}).sign({}), 0) == (
        b'{"alg":"HS256","kid":"a","typ":"JWT"}'
    )
    assert octets(signer(KEY, headers={"kid": "b"}).sign({}), 0) == b'{"alg":"HS256","kid":"b"}'


def test_another_kid_than_the_keys_is_refused() -> None:
    assert refused(signer, {**KEY, "kid": "a"}, headers={"kid": "b"}) == (
        PolicyError,
        "headers say another kid than the key's own, so nobody would verify the token; leave it out",
    )


def test_headers_are_the_signers_own() -> None:
    headers = {"typ": "JWT"}
    bound = signer(KEY, headers=headers)

    headers["typ"] = "other"

    assert verify(bound.sign({}), KEY).header == {"alg": "HS256", "typ": "JWT"}


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_what_is_bound_is_not_pickled(duplicate: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as of_signer:
        duplicate(signer(KEY))
    with pytest.raises(TypeError) as of_verifier:
        duplicate(verifier(KEY))

    assert str(of_signer.value) == "a TokenSigner is not pickled: it holds a key; bind the key there"
    assert str(of_verifier.value) == "a TokenVerifier is not pickled: it may hold a key; bind the key there"


def test_what_is_bound_shows_no_key() -> None:
    assert repr(signer(KEY)) == "<token signer HS256>"
    assert repr(verifier(KEY)) == "<token verifier>"


def test_a_bound_signer_is_used_again() -> None:
    bound, checks = signer(KEY), verifier(KEY)

    assert verify(jws_encode({"a": 1}, bound), checks) == verify(jws_encode({"a": 1}, bound), KEY)
    assert partial(verify, jws_encode({}, bound))(checks).payload == b"{}"
