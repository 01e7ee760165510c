"""Signed tokens: what signers write and refuse, also with keys of a ring: rotation, threads, fork."""

from __future__ import annotations

import copy
import json
import os
import pickle
import threading
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from jose.constants import ALGORITHMS
from jose_support import Clock, public, published, refusal, refused
from support.errors import text_of

import keywright
from keywright import BoundKey, BoundVerifier, KeyRing
from keywright.errors import ConfigError, FormatError, InvalidSignatureError, PolicyError, UnsupportedOperationError
from keywright.testing import traceback_with_locals
from keywright_jose import (
    TokenSigner,
    create_curve_key,
    create_rsa_key,
    create_secret_key,
    jws_decode,
    jws_encode,
    signer,
    verifier,
    verify,
)
from keywright_jose.json import encode_segment

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


KEY = {**create_secret_key(256), "alg": "HS256"}
NO_JSON = (
    "the {} of a token must be a JSON object (a mapping with text keys) of at most 32 levels; use "
    "text, numbers, booleans, None, lists and dicts"
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
    """Nothing is changed without a word, as other writers do with names that are not text."""
    assert refused(lambda: signer(KEY).sign(claims)) == (FormatError, NO_JSON.format("claims"))


@pytest.mark.parametrize("headers", [7, "", "typ", b"", [], [("typ", "JWT")], {1: 2}, {"a": object()}])
def test_headers_that_json_cannot_carry_are_refused(headers: Any) -> None:
    assert refused(signer, KEY, headers=headers) == (FormatError, NO_JSON.format("header"))


@pytest.mark.parametrize("name", ["alg", "crit", "b64", "zip"])
def test_headers_do_not_say_what_is_the_signers(name: str) -> None:
    """The algorithm is the key's, and what no reader here understands is not written."""
    assert refused(jws_encode, {}, KEY, headers={name: "HS256"}) == (
        UnsupportedOperationError,
        f"headers cannot have {name}: the signer sets it, or it is not supported; leave it out",
    )


@pytest.mark.parametrize("name", ["kid", "typ", "cty"])
@pytest.mark.parametrize("value", [None, 7, "", ["a"], b"a"], ids=repr)
def test_headers_that_no_reader_takes_are_not_written(name: str, value: object) -> None:
    message = (
        NO_JSON.format("header")
        if value == b"a"
        else f"the header member {name} must be text that is not empty; pass text, or leave it out"
    )

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
        "the kid in headers is not the key's own, so no receiver would verify the token; leave it out",
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

    assert (
        text_of(of_signer.value)
        == "a TokenSigner cannot be pickled, because it contains a key: bind the key in the other process"
    )
    assert (
        text_of(of_verifier.value)
        == "a TokenVerifier cannot be pickled, because it may contain a key: bind the key in the other process"
    )


def test_what_is_bound_shows_no_key() -> None:
    assert repr(signer(KEY)) == "<token signer HS256>"
    assert repr(verifier(KEY)) == "<token verifier>"


def test_a_bound_signer_is_used_again() -> None:
    bound, checks = signer(KEY), verifier(KEY)

    assert verify(jws_encode({"a": 1}, bound), checks) == verify(jws_encode({"a": 1}, bound), KEY)
    assert partial(verify, jws_encode({}, bound))(checks).payload == b"{}"


NO_VERSION = "no version of this key verifies with these algorithms; pass an algorithm of the key"


@pytest.fixture
def ring(ring: KeyRing) -> KeyRing:
    """A ring with a key `jwt`."""
    ring.generate("jwt", type="ec-p256")
    return ring


def test_a_token_names_the_version_that_made_it(ring: KeyRing) -> None:
    token = signer(ring.signer("jwt")).sign({"a": 1})

    found = verify(token, ring.verifier("jwt"))

    assert found.header == {"alg": "ES256", "kid": ring.signer("jwt").kid}
    assert (found.kid, found.reference) == (ring.signer("jwt").kid, "jwt@1")
    assert jws_decode(token, ring.verifier("jwt")) == {"a": 1}
    assert verify(jws_encode({"a": 1}, ring.signer("jwt")), ring.verifier("jwt@1")).reference == "jwt@1"


def test_a_token_without_kid_is_tried_under_each_version(ring: KeyRing) -> None:
    """The versions of one name are the ring's own, so a token need not name one."""
    old, headless = ring.signer("jwt").current(), b"eyJhbGciOiJFUzI1NiJ9.e30"
    ring.rotate("jwt")

    token = headless + b"." + encode_segment(old.sign(headless))

    assert verify(token, ring.verifier("jwt")).reference == "jwt@1"


def test_headers_beside_a_rings_kid(ring: KeyRing) -> None:
    """More members stand after the kid; its own may be said and another may not; after a rotation it is the new one."""
    bound = signer(ring.signer("jwt"), headers={"typ": "JWT", "kid": ring.signer("jwt").kid})

    first = verify(bound.sign({}), ring.verifier("jwt"))
    ring.rotate("jwt")
    second = verify(bound.sign({}), ring.verifier("jwt"))

    assert list(first.header) == ["alg", "kid", "typ"]
    assert second.header == {"alg": "ES256", "kid": ring.signer("jwt").kid, "typ": "JWT"}
    assert first.header["kid"] != second.header["kid"]
    assert refused(signer, ring.signer("jwt"), headers={"kid": "other"}) == (
        PolicyError,
        "the kid in headers is not the key's own, so no receiver would verify the token; leave it out",
    )


def test_a_rings_key_has_one_algorithm(ring: KeyRing) -> None:
    token = signer(ring.signer("jwt"), "ES256").sign({})

    assert verify(token, ring.verifier("jwt"), algorithms=["ES256", "EdDSA"]).reference == "jwt@1"
    assert refused(signer, ring.signer("jwt"), "ES384") == (
        PolicyError,
        "a ring's signer is restricted to ES256; leave out the algorithm, or bind another key",
    )
    assert refused(verify, token, ring.verifier("jwt"), algorithms=["ES384"]) == (UnsupportedOperationError, NO_VERSION)


def test_a_signer_does_not_verify_nor_a_verifier_sign(ring: KeyRing) -> None:
    assert refused(verifier, ring.signer("jwt"))[0] is ConfigError
    assert refused(signer, ring.verifier("jwt"))[0] is ConfigError


def test_tokens_through_a_planned_rotation(ring: KeyRing, clock: Clock) -> None:
    tokens, checks = signer(ring.signer("jwt")), verifier(ring.verifier("jwt"))
    first = tokens.sign({})

    ring.rotate("jwt", activate_in=timedelta(days=1), overlap=timedelta(days=2))
    announced = tokens.sign({})
    clock.now += timedelta(days=1)
    second = tokens.sign({})

    assert [checks.verify(token).reference for token in (first, announced, second)] == ["jwt@1", "jwt@1", "jwt@2"]
    clock.now += timedelta(days=2)
    assert type(refusal(checks.verify, first)) is InvalidSignatureError
    assert checks.verify(second).reference == "jwt@2"


def test_a_compromised_version_is_out_at_once(ring: KeyRing) -> None:
    """Bound verifiers and signers hear of it with the next token, and keep saying why in a traceback."""
    tokens, checks = signer(ring.signer("jwt")), verifier(ring.verifier("jwt"))
    token = tokens.sign({})

    ring.compromise("jwt@1")

    of_verifier, of_signer = refusal(checks.verify, token), refusal(tokens.sign, {})
    assert type(of_verifier) is type(of_signer) is PolicyError
    assert "<token signer ES256>" in traceback_with_locals(of_signer)
    assert "<token verifier>" in traceback_with_locals(of_verifier)


def test_threads_never_mix_a_header_and_a_key(ring: KeyRing) -> None:
    tokens, checks = signer(ring.signer("jwt")), verifier(ring.verifier("jwt"))
    end = threading.Event()
    made: list[str] = []

    def work() -> None:
        while not end.is_set():
            made.append(tokens.sign({}))

    with ThreadPoolExecutor(4) as pool:
        works = [pool.submit(work) for _ in range(4)]
        for _ in range(15):
            ring.rotate("jwt")
            checks.verify(tokens.sign({}))
        end.set()
        for one in works:
            one.result()

    kids = {checks.verify(token).kid for token in made[:: max(1, len(made) // 400)]}
    assert len(kids) > 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_signs_and_verifies_with_what_was_bound_before(tmp_path: Path) -> None:
    config = {"stores": {"main": {"backend": "file", "path": str(tmp_path / "keys")}}, "default_store": "main"}
    with keywright.open(config) as ring:
        ring.generate("jwt", type="ec-p256")
        _fork_and_sign(ring)


def _fork_and_sign(ring: KeyRing) -> None:
    tokens, checks = signer(ring.signer("jwt")), verifier(ring.verifier("jwt"))
    before = tokens.sign({"who": "parent"})
    reader, writer = os.pipe()

    child = os.fork()
    if not child:
        try:
            checks.verify(before)
            os.write(writer, tokens.sign({"who": "child"}).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        token = stream.read()
    os.waitpid(child, 0)

    assert checks.verify(token).payload == b'{"who":"child"}'
    assert checks.verify(tokens.sign({})).reference == "jwt@1"


def test_an_oct_key_of_a_ring(ring: KeyRing) -> None:
    ring.generate("hs", type="oct", bits=512)

    token = signer(ring.signer("hs", algorithm="HS384")).sign({})

    assert verify(token, ring.verifier("hs", algorithm="HS384")).header["alg"] == "HS384"
    assert refused(verify, token, ring.verifier("hs")) == (
        InvalidSignatureError,
        "the token was signed with an algorithm that its key does not allow; reject the token",
    )


def _no_token(algorithm: str) -> BoundKey:
    return BoundKey("a", 1, "k", "new", algorithm, None, lambda message: message)


def test_an_algorithm_that_no_token_has() -> None:
    """A key type of others' may sign with something that JOSE has no name for, also after a rotation."""
    current: list[Any] = [_no_token("ES256")]
    bound = TokenSigner(lambda: current[0], {})

    current[0] = _no_token("secret-sauce")
    kind, message = refused(bound.sign, {})

    assert kind is UnsupportedOperationError
    assert message.startswith("the algorithm of a token is not a signature algorithm; use one of HS256, ")


def _bound(*algorithms: str) -> keywright.Verifier:
    """A ring's verifier of versions with these algorithms, each of which takes every signature."""
    bound = tuple(
        BoundVerifier("a", number, f"k{number}", "new", algorithm, None, lambda _message, _signature: None)
        for number, algorithm in enumerate(algorithms, 1)
    )

    class Bound(keywright.Verifier):
        __slots__ = ()

        def __init__(self) -> None:
            """Nothing is looked up."""

        def current(self) -> tuple[BoundVerifier, ...]:
            return bound

    return Bound()


def test_a_version_whose_algorithm_no_token_has_verifies_none() -> None:
    """A stranger's key type may sign in ways that JOSE has no name for: such a version makes no candidate."""
    token = "eyJhbGciOiJYLTEifQ.e30.AA"  # its alg is X-1

    with_another = verifier(_bound("ES256", "X-1"))

    assert refused(with_another.verify, token)[0] is InvalidSignatureError
    assert refused(verifier, _bound("X-1")) == (UnsupportedOperationError, NO_VERSION)
