"""Tokens under the keys of a ring: rotation, threads, fork, and what a ring's key says of itself."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jose_support import Clock, refusal, refused

import keywright
from keywright import BoundKey, BoundVerifier, KeyRing
from keywright.errors import (
    ConfigError,
    InvalidSignatureError,
    PolicyError,
    UnsupportedOperationError,
)
from keywright.testing import traceback_with_locals
from keywright_jose import TokenSigner, jws_decode, jws_encode, signer, verifier, verify
from keywright_jose.json import encode_segment

NO_VERSION = "no version of this key verifies with these algorithms; bind it with another"


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
        "headers say another kid than the key's own, so nobody would verify the token; leave it out",
    )


def test_a_rings_key_has_one_algorithm(ring: KeyRing) -> None:
    token = signer(ring.signer("jwt"), "ES256").sign({})

    assert verify(token, ring.verifier("jwt"), algorithms=["ES256", "EdDSA"]).reference == "jwt@1"
    assert refused(signer, ring.signer("jwt"), "ES384") == (
        PolicyError,
        "a ring's signer is for ES256 alone; leave the algorithm out, or bind another key",
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
        "the token was signed with an algorithm that its key is not for; refuse it",
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
    assert message.startswith("the algorithm of a token must be one of HS256, ")


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
