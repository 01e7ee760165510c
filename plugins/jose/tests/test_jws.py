"""Signed tokens: the published ones, and the way there and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

import keywright
from keywright.errors import ExpiredTokenError, InvalidSignatureError
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
# RFC 8037 A.1, A.4
ED25519 = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
ED25519_TOKEN = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)


def key_of(algorithm: str) -> dict[str, Any]:
    """A fresh key for an algorithm."""
    if algorithm.startswith("HS"):
        return dict(create_secret_key(512))
    if algorithm[:2] in ("RS", "PS"):
        return dict(create_rsa_key(2048))
    curves = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
    return dict(create_curve_key(curves.get(algorithm, "Ed25519")))


def public(key: dict[str, Any]) -> dict[str, Any]:
    """What verifies."""
    secret = () if key["kty"] == "oct" else ("d", "p", "q", "dp", "dq", "qi")
    return {name: value for name, value in key.items() if name not in secret}


@pytest.mark.parametrize(
    "algorithm",
    [*(f"{family}{bits}" for family in ("HS", "RS", "PS", "ES") for bits in (256, 384, 512)), "EdDSA", "Ed25519"],
)
def test_each_algorithm_there_and_back(algorithm: str) -> None:
    """What is signed verifies, and has the header that was asked for and no more."""
    key = key_of(algorithm)

    token = jws_encode(CLAIMS, key, signature_algorithm=algorithm)
    found = verify(token, public(key), algorithms=[algorithm])

    assert found.header == {"alg": algorithm}
    assert json.loads(found.payload) == CLAIMS
    assert jws_decode(token, public(key), signature_algorithm=algorithm) == CLAIMS
    head, payload, signature = token.split(".")
    other = "A" if signature[0] != "A" else "B"
    with pytest.raises(InvalidSignatureError):
        verify(f"{head}.{payload}.{other}{signature[1:]}", public(key), algorithms=[algorithm])


def test_the_published_ed25519_token_comes_out() -> None:
    """RFC 8037 A.4, byte for byte."""
    assert signer(ED25519, "EdDSA").sign(b"Example of Ed25519 signing") == ED25519_TOKEN
    assert verify(ED25519_TOKEN, public(ED25519), algorithms=["EdDSA"]).payload == b"Example of Ed25519 signing"


def test_a_token_has_its_time() -> None:
    """A ttl in seconds sets three claims; when it is over the token has expired."""
    key = create_secret_key(256)
    made = datetime(2027, 1, 1, tzinfo=UTC)

    token = jws_encode({"sub": "a"}, key, signature_algorithm="HS256", ttl=60, clock=lambda: made)

    assert jws_decode(token, key, signature_algorithm="HS256", clock=lambda: made) == {
        "sub": "a", "iat": 1798761600, "nbf": 1798761600, "exp": 1798761660,
    }  # fmt: skip
    later = datetime(2027, 1, 1, 0, 1, tzinfo=UTC)
    with pytest.raises(ExpiredTokenError) as caught:
        jws_decode(token, key, signature_algorithm="HS256", clock=lambda: later)
    assert str(caught.value) == "the token has expired; get a new one"


def test_a_rings_key_signs_through_a_rotation() -> None:
    """A token says the version's kid, and verifies under that version after another took over."""
    with keywright.open({"stores": {"main": {"backend": "memory"}}, "default_store": "main"}) as ring:
        ring.generate("jwt", type="ec-p256")
        tokens = signer(ring.signer("jwt"))
        bound = verifier(ring.verifier("jwt"))

        first = tokens.sign({"sub": "a"})
        ring.rotate("jwt")
        second = tokens.sign({"sub": "b"})

        assert bound.verify(first).reference == "jwt@1"
        assert bound.verify(second).reference == "jwt@2"
        assert bound.verify(second).header == {"alg": "ES256", "kid": ring.signer("jwt").kid}
