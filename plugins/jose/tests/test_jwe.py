"""Encrypted tokens: the way there and back, what stands in the header, which key decrypts, and what is claimed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from jose_support import decode, public, refused

from keywright import Key, Secret
from keywright.errors import ExpiredTokenError, InvalidClaimError, InvalidSignatureError, MalformedTokenError
from keywright_jose import (
    Jwe,
    create_curve_key,
    create_rsa_key,
    create_secret_key,
    jwe_decode,
    jwe_decrypt,
    jwe_encode,
    jwe_encrypt,
)
from keywright_jose.json import decode_segment
from keywright_jose.jwe.algorithms import CONTENT_ALGORITHMS, KEY_ALGORITHMS

Jwk = dict[str, Any]

CLAIMS = {"sub": "user-7", "admin": True, "n": [1, 2.5, None]}
WRAP: dict[str, Any] = {"key_algorithm": "A256KW", "content_algorithm": "A256GCM"}
AGREE: dict[str, Any] = {"key_algorithm": "ECDH-ES", "content_algorithm": "A128GCM"}
RSA = create_rsa_key(2048)
MEMBERS = {"agree": ["epk"], "agree and wrap": ["epk"], "gcm": ["iv", "tag"]}
ANOTHER = "the token was encrypted for a key that is not among these (kid); refuse it"
CANNOT = "the token cannot be decrypted with this key; it was changed, or encrypted for another: refuse it"


def keys_for(algorithm: str, encryption: str) -> Iterator[Jwk]:
    way = KEY_ALGORITHMS[algorithm].way
    if way == "rsa":
        yield RSA
    elif way == "direct":
        yield create_secret_key(CONTENT_ALGORITHMS[encryption].key_bytes * 8)
    elif KEY_ALGORITHMS[algorithm].bits and way != "agree and wrap":
        yield create_secret_key(KEY_ALGORITHMS[algorithm].bits)
    else:
        yield from map(create_curve_key, ("P-256", "P-384", "P-521", "X25519"))


def header_of(token: str) -> Jwk:
    header: Jwk = json.loads(decode_segment(token.partition(".")[0]) or b"")
    return header


@pytest.mark.parametrize("encryption", CONTENT_ALGORITHMS)
@pytest.mark.parametrize("algorithm", KEY_ALGORITHMS)
def test_each_pair_of_algorithms_there_and_back(algorithm: str, encryption: str) -> None:
    """What is encrypted for a public key decrypts with its secret one, and has the header that it needs and no more."""
    names: dict[str, Any] = {"key_algorithm": algorithm, "content_algorithm": encryption}
    for jwk in keys_for(algorithm, encryption):
        token = jwe_encode(CLAIMS, public(jwk), **names)

        assert jwe_decode(token, jwk, **names) == CLAIMS
        assert list(header_of(token)) == ["alg", "enc", *MEMBERS.get(KEY_ALGORITHMS[algorithm].way, [])]
        assert set(header_of(token).get("epk", {})) <= {"kty", "crv", "x", "y"}


def test_two_tokens_of_one_plaintext_have_nothing_in_common() -> None:
    jwk = create_secret_key(256)

    first, second = (jwe_encrypt(b"the same", jwk, **WRAP).split(".")[1:] for _ in range(2))

    assert not set(first) & set(second)


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 100_000])
@pytest.mark.parametrize("encryption", CONTENT_ALGORITHMS)
def test_bytes_of_any_length_come_back(encryption: str, length: int) -> None:
    """Nothing, parts of a block, whole blocks and many: what was encrypted comes back, out of sight."""
    jwk = create_secret_key(128)
    names: dict[str, Any] = {"key_algorithm": "A128KW", "content_algorithm": encryption}

    found = jwe_decrypt(jwe_encrypt(Secret(b"\xff" * length), jwk, **names).encode(), jwk, **names)

    assert found == Jwe({"alg": "A128KW", "enc": encryption}, Secret(b"\xff" * length), None)
    assert "\\xff" not in repr(found)


def test_the_header_says_what_it_was_asked_to() -> None:
    jwk = create_curve_key("P-256")
    headers = {"kid": "k", "typ": "JWT", "cty": "x", "apu": "QWxpY2U", "apv": "Qm9i", "list": [{"a": 1}]}

    token = jwe_encrypt(b"", jwk, **AGREE, headers=headers)

    assert list(header_of(token)) == ["alg", "enc", "epk", *headers]
    found = jwe_decrypt(token, jwk, **AGREE)
    assert {name: found.header[name] for name in headers} == headers


def test_a_header_that_was_given_can_be_changed() -> None:
    jwk = create_curve_key("P-256")
    token = jwe_encrypt(b"", jwk, **AGREE)

    epk: Any = jwe_decrypt(token, jwk, **AGREE).header["epk"]
    epk.clear()

    assert jwe_decrypt(token, jwk, **AGREE).header["epk"]


def test_a_key_that_says_what_it_is_for_is_used_for_that() -> None:
    """`use`, `key_ops` and `alg` of a JWK that fit do not stand in the way; a direct key says `enc` or `dir`."""
    direct: dict[str, Any] = {"key_algorithm": "dir", "content_algorithm": "A128GCM"}
    for jwk, names in (
        ({**create_secret_key(256), "use": "enc", "alg": "A256KW", "key_ops": ["wrapKey", "unwrapKey"]}, WRAP),
        ({**create_secret_key(128), "alg": "A128GCM", "key_ops": ["encrypt", "decrypt"]}, direct),
        ({**create_secret_key(128), "alg": "dir"}, direct),
        ({**create_curve_key("P-521"), "key_ops": ["deriveKey"]}, AGREE),
        ({**create_curve_key("P-521"), "alg": "ECDH-ES", "key_ops": ["wrapKey", "unwrapKey"]}, AGREE),
        ({**RSA, "key_ops": ["unwrapKey"]}, {"key_algorithm": "RSA-OAEP", "content_algorithm": "A256GCM"}),
    ):
        assert jwe_decode(jwe_encode(CLAIMS, jwk, **names), jwk, **names) == CLAIMS


def test_a_ring_key_that_the_headers_name_stands_there_once() -> None:
    jwk = {**create_secret_key(256), "kid": "a"}
    key = decode(jwk)

    token = jwe_encode(CLAIMS, key, **WRAP, headers={"kid": "a"})

    assert header_of(token) == {"alg": "A256KW", "enc": "A256GCM", "kid": "a"}
    assert "kid" not in header_of(jwe_encode(CLAIMS, jwk, **WRAP))
    assert jwe_decode(jwe_encode(CLAIMS, key, **WRAP), jwk, **WRAP) == CLAIMS


def test_the_keys_of_a_set_are_found_by_kid() -> None:
    keys = [{**create_secret_key(256), "kid": kid} for kid in ("a", "b")]
    token = jwe_encrypt(b"hi", keys[1], **WRAP, headers={"kid": "b"})

    found = jwe_decrypt(token, {"keys": keys}, **WRAP)

    assert (found.plaintext, found.kid) == (Secret(b"hi"), "b")
    assert refused(jwe_decrypt, token, {"keys": [keys[0], {**keys[1], "kid": "c"}]}, **WRAP) == (
        InvalidSignatureError,
        ANOTHER,
    )


def test_a_set_of_several_wants_a_token_that_names_one() -> None:
    """Without kid nothing is tried, unless only one key is for this: of the others some are for other things."""
    keys = [{**create_secret_key(256), "kid": kid} for kid in ("a", "b")]
    token = jwe_encrypt(b"hi", keys[0], **WRAP)

    assert refused(jwe_decrypt, token, {"keys": keys}, **WRAP) == (
        InvalidSignatureError,
        "the token does not say which key of the set it was encrypted for (kid); have it issued with one",
    )
    odd = [{**keys[1], "use": "sig"}, {**create_secret_key(512), "kid": "c"}, {"kty": "new", "kid": "d"}]
    assert jwe_decrypt(token, {"keys": [keys[0], *odd]}, **WRAP).kid == "a"


def test_a_key_with_a_kid_refuses_a_token_with_another() -> None:
    jwk = create_secret_key(256)
    token = jwe_encrypt(b"hi", jwk, **WRAP, headers={"kid": "a"})

    assert refused(jwe_decrypt, token, {**jwk, "kid": "b"}, **WRAP) == (InvalidSignatureError, ANOTHER)
    assert jwe_decrypt(token, jwk, **WRAP).kid is None
    assert jwe_decrypt(token, {**jwk, "kid": "a"}, **WRAP).kid == "a"


@pytest.mark.parametrize("algorithm", KEY_ALGORITHMS)
def test_another_key_decrypts_nothing(algorithm: str) -> None:
    """Whatever the way, a key of another's gets the one refusal, which tells nothing of why."""
    names: dict[str, Any] = {"key_algorithm": algorithm, "content_algorithm": "A128CBC-HS256"}
    jwk = next(keys_for(algorithm, "A128CBC-HS256"))
    token = jwe_encode(CLAIMS, jwk, **names)
    other = create_rsa_key(2048) if jwk is RSA else next(keys_for(algorithm, "A128CBC-HS256"))

    assert refused(jwe_decode, token, other, **names) == (InvalidSignatureError, CANNOT)


def test_claims_are_checked() -> None:
    jwk = create_secret_key(256)
    made = datetime(2027, 1, 1, tzinfo=UTC)
    token = jwe_encode({"aud": ["a", "b"], "exp": made.timestamp() + 60}, jwk, **WRAP)

    claims = jwe_decode(token, jwk, **WRAP, check_claims={"aud": "b"}, clock=lambda: made)

    assert claims["aud"] == ["a", "b"]
    assert (
        refused(jwe_decode, token, jwk, **WRAP, check_claims={"aud": "c"}, clock=lambda: made)[0] is InvalidClaimError
    )
    later = datetime(2027, 1, 1, 0, 1, 30, tzinfo=UTC)
    assert refused(jwe_decode, token, jwk, **WRAP, check_claims={"aud": "b"}, clock=lambda: later) == (
        ExpiredTokenError,
        "the token has expired; get a new one",
    )
    assert jwe_decode(token, jwk, **WRAP, check_claims={"aud": "b"}, clock=lambda: later, time_drift=31)


def test_a_plaintext_that_is_no_claims_is_no_token_of_claims() -> None:
    """`jwe_decode` wants one JSON object; `jwe_decrypt` any bytes."""
    jwk = create_secret_key(256)
    token = jwe_encrypt(b"[1]", jwk, **WRAP)

    kind, message = refused(jwe_decode, token, jwk, **WRAP)

    assert kind is MalformedTokenError
    assert message.startswith("the payload of the token is not one JSON object in UTF-8 with each member once")
    assert jwe_decrypt(token, jwk, **WRAP).plaintext == Secret(b"[1]")


def test_a_public_key_that_a_program_made_encrypts() -> None:
    """A `Key` without secret half is enough to encrypt for; without kid the header has none."""
    jwk = create_curve_key("P-256")
    whole = decode(jwk)

    token = jwe_encode(CLAIMS, Key(whole.type, public=whole.public), **AGREE)

    assert list(header_of(token)) == ["alg", "enc", "epk"]
    assert jwe_decode(token, whole, **AGREE) == CLAIMS
