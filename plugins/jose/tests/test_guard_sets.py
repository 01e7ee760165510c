"""Hostile JWK Sets: a token's key is picked by its kid, or none is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from made_jwks import ONE_KEY, oct_key, text

from keywright.errors import InvalidKeyError, InvalidSignatureError, KeywrightError, MalformedKeyError
from keywright_jose import create_curve_key, signer, verifier, verify

Refusal = Callable[[Callable[[], object]], KeywrightError]

A = oct_key(bytes(range(64)), kid="a", alg="HS256")
B = oct_key(bytes(range(1, 65)), kid="b", alg="HS256")
CURVE = {**{n: v for n, v in create_curve_key("P-256").items() if n != "d"}, "kid": "c", "alg": "ES256"}
MIXED = "the JWK Set mixes symmetric keys with public ones, and a secret that is published is none; take it out"
NO_KID = "a key of the JWK Set has no kid, so no token can name it; have the set published anew"
ONE_KID = "two keys of the JWK Set have one kid; have the set published anew"
NO_ARRAY = "the member keys of a JWK Set is an array of JWKs (RFC 7517 §5.1); get the set again from its issuer"
NO_KEY = "this JWK Set has no key that verifies with these algorithms; get the issuer's own set"


@pytest.mark.parametrize(
    ("keys", "kind", "message"),
    [
        pytest.param([A, {**B, "kid": "a"}], InvalidKeyError, ONE_KID, id="one kid twice"),
        pytest.param([A, A], InvalidKeyError, ONE_KID, id="one key twice"),
        pytest.param(
            [A, {**B, "kid": "a", "use": "enc", "alg": "A256KW"}], InvalidKeyError, ONE_KID, id="one kid, two uses"
        ),
        pytest.param([A, {n: v for n, v in B.items() if n != "kid"}], InvalidKeyError, NO_KID, id="one without kid"),
        pytest.param([A, CURVE], InvalidKeyError, MIXED, id="mixed"),
        pytest.param(
            [CURVE, {**A, "use": "enc", "alg": "dir"}], InvalidKeyError, MIXED, id="mixed, not for signatures"
        ),
        pytest.param([], InvalidKeyError, NO_KEY, id="empty"),
        pytest.param([{**CURVE, "use": "enc", "alg": "ECDH-ES"}], InvalidKeyError, NO_KEY, id="none for signatures"),
        pytest.param([{"kty": "new", "kid": "a"}], InvalidKeyError, NO_KEY, id="none that is known"),
        pytest.param(None, MalformedKeyError, NO_ARRAY, id="null"),
        pytest.param({"a": A}, MalformedKeyError, NO_ARRAY, id="object"),
        pytest.param("keys", MalformedKeyError, NO_ARRAY, id="text"),
        pytest.param([A, None], MalformedKeyError, NO_ARRAY, id="null inside"),
        pytest.param([[A]], MalformedKeyError, NO_ARRAY, id="array inside"),
        pytest.param([{"keys": [A]}], MalformedKeyError, ONE_KEY, id="set inside"),
    ],
)
def test_ambiguous_and_mixed_sets_are_refused(
    refusal: Refusal, keys: Any, kind: type[KeywrightError], message: str
) -> None:
    """A set has one key for each kid, and no secrets beside public keys."""
    error = refusal(partial(verifier, {"keys": keys}))

    assert (type(error), str(error)) == (kind, message)


def test_a_set_picks_by_kid_alone(refusal: Refusal) -> None:
    """The key that a token names is the only one that is tried, and a token that names none is refused."""
    token = signer(B, headers={"kid": "b"}).sign({})

    assert verify(token, {"keys": [A, B]}).kid == "b"
    others = refusal(partial(verify, token, {"keys": [A]}))
    unnamed = refusal(partial(verify, signer(B).sign({}), {"keys": [A, B]}))
    wrong = refusal(partial(verify, signer({n: v for n, v in B.items() if n != "kid"}, headers={"kid": "a"}).sign({}),
                            {"keys": [A, B]}))  # fmt: skip
    assert (type(others), str(others)) == (
        InvalidSignatureError,
        "the token was signed with a key that is not among these (kid); refuse it",
    )
    assert (type(unnamed), str(unnamed)) == (
        InvalidSignatureError,
        "the token does not say which key of the set signed it (kid); have it issued with one",
    )
    assert type(wrong) is InvalidSignatureError


def test_what_a_set_holds_for_others_is_passed_over() -> None:
    """Keys of unknown types, and for encryption, may stand beside (RFC 7517 §5)."""
    key = dict(create_curve_key("P-256"))
    own = {**{n: v for n, v in key.items() if n != "d"}, "kid": "c"}
    others = [{"kty": "new", "kid": "x"}, {"kty": "OKP", "crv": "Ed448", "x": text(bytes(57)), "kid": "y"},
              {**CURVE, "kid": "z", "alg": "ECDH-ES", "use": "enc"}]  # fmt: skip
    token = signer(key, "ES256", headers={"kid": "c"}).sign({})

    assert verify(token, {"keys": [*others, own]}, algorithms=["ES256"]).kid == "c"


def test_a_set_does_not_sign(refusal: Refusal) -> None:
    """One key signs."""
    error = refusal(partial(signer, {"keys": [A]}))

    assert (type(error), str(error)) == (MalformedKeyError, ONE_KEY)


def test_a_key_of_a_set_that_cannot_sign_stands_in_no_ones_way() -> None:
    """A key of a type that only agrees, without any `use`, stays out, and the others verify."""
    key = dict(create_curve_key("P-256"))
    own = {**{n: v for n, v in key.items() if n != "d"}, "kid": "c"}
    agreeing = {**{n: v for n, v in create_curve_key("X25519").items() if n != "d"}, "kid": "x"}
    token = signer(key, "ES256", headers={"kid": "c"}).sign({})

    assert verify(token, {"keys": [agreeing, own]}, algorithms=["ES256"]).kid == "c"


def test_a_key_with_a_member_keys_is_one_key(refusal: Refusal) -> None:
    """What has a `kty` is a JWK: no key inside a member of it verifies."""
    outer, inner = oct_key(bytes(range(32))), oct_key(bytes(range(32, 64)))

    both = {**outer, "keys": [{**inner, "kid": "a"}]}

    assert verify(signer(outer, "HS256").sign({}), both, algorithms=["HS256"]).payload == b"{}"
    error = refusal(partial(verify, signer(inner, "HS256").sign({}), both, algorithms=["HS256"]))
    assert type(error) is InvalidSignatureError
