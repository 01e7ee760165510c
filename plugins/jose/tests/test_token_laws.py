"""Laws of signed and encrypted tokens: anything comes back, and nothing that was changed does."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jose_support import refusal, refused

from keywright import Secret
from keywright.errors import InvalidSignatureError, KeywrightError, MalformedTokenError
from keywright_jose import (
    create_curve_key,
    create_rsa_key,
    create_secret_key,
    jwe_decode,
    jwe_decrypt,
    jwe_encode,
    jwe_encrypt,
    jws_decode,
    signer,
    verifier,
    verify,
)
from keywright_jose.json import decode_segment, encode_base64url, read_object, write_object

KEY = {**create_secret_key(256), "alg": "HS256"}
SIGNER, VERIFIER = signer(KEY), verifier(KEY)
CURVE = {**create_curve_key("P-256"), "alg": "ES256"}
CURVE_SIGNER, CURVE_VERIFIER = signer(CURVE), verifier(CURVE)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(TEXT, parts, max_size=4),
    max_leaves=12,
)
CLAIMS = st.dictionaries(TEXT.filter(lambda name: name not in ("aud", "iat", "nbf", "exp")), VALUES, max_size=6)
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(CLAIMS)
def test_claims_come_back(claims: dict[str, object]) -> None:
    """What can be written reads the same, whoever signs."""
    assert jws_decode(SIGNER.sign(claims), VERIFIER) == claims
    assert json.loads(CURVE_VERIFIER.verify(CURVE_SIGNER.sign(claims)).payload) == claims


@given(CLAIMS)
def test_objects_have_one_reading(claims: dict[str, object]) -> None:
    """The strict reader takes what the writer writes, and the standard library reads it alike."""
    written = write_object(claims, "the claims of a token")

    assert read_object(written, "the payload of the token") == json.loads(written) == claims


@given(st.binary(max_size=300))
def test_octets_come_back(payload: bytes) -> None:
    """Any octets are a payload."""
    assert VERIFIER.verify(SIGNER.sign(payload)).payload == payload


@given(st.data(), st.binary(max_size=40))
def test_no_changed_character_passes(data: st.DataObject, payload: bytes) -> None:
    """A token with one character changed, taken out or put in does not verify, with either kind of key."""
    for bound, checks in ((SIGNER, VERIFIER), (CURVE_SIGNER, CURVE_VERIFIER)):
        token = bound.sign(payload)
        at = data.draw(st.integers(0, len(token) - 1))
        new = data.draw(st.sampled_from(DIGITS + "=+/ .\n") | st.just(""))
        for changed in (token[:at] + new + token[at + 1 :], token[:at] + new + token[at:]):
            if changed != token:
                refusal(checks.verify, changed)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_anything_is_refused_by_our_errors(token: bytes | str) -> None:
    """Whatever comes in, what comes out is one of ours."""
    assert refused(verify, token, KEY)[0] is MalformedTokenError


@given(st.binary(max_size=200))
def test_any_header_and_any_claims_are_refused_by_our_errors(document: bytes) -> None:
    """Also behind a signature that holds."""
    second = SIGNER.sign(document)
    for token in (second, f"{encode_base64url(document)}.e30.AAAA"):
        with suppress(KeywrightError):
            jws_decode(token, VERIFIER)


@given(st.text(DIGITS + "=+/ \n", max_size=12))
def test_octets_have_one_spelling(text: str) -> None:
    """A segment that reads is the one that would be written."""
    octets = decode_segment(text)

    assert octets is None or encode_base64url(octets) == text


KEYS: dict[tuple[str, str], dict[str, Any]] = {
    ("A128KW", "A192GCM"): create_secret_key(128),
    ("A192GCMKW", "A256CBC-HS512"): create_secret_key(192),
    ("dir", "A192CBC-HS384"): create_secret_key(384),
    ("ECDH-ES", "A128CBC-HS256"): create_curve_key("P-256"),
    ("ECDH-ES+A256KW", "A256GCM"): create_curve_key("X25519"),
}
RSA = create_rsa_key(2048)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n"
PAIRS = st.sampled_from(sorted(KEYS))


def names_of(pair: tuple[str, str]) -> dict[str, Any]:
    """As arguments."""
    return {"key_algorithm": pair[0], "content_algorithm": pair[1]}


@settings(deadline=None)
@given(pair=PAIRS, plaintext=st.binary(max_size=300))
def test_any_bytes_come_back_decrypted(pair: tuple[str, str], plaintext: bytes) -> None:
    """Decrypting undoes encrypting."""
    token = jwe_encrypt(plaintext, KEYS[pair], **names_of(pair))

    assert jwe_decrypt(token, KEYS[pair], **names_of(pair)).plaintext == Secret(plaintext)


@settings(deadline=None)
@given(pair=PAIRS, claims=CLAIMS)
def test_any_claims_come_back_decrypted(pair: tuple[str, str], claims: dict[str, Any]) -> None:
    """Decoding undoes encoding."""
    assert jwe_decode(jwe_encode(claims, KEYS[pair], **names_of(pair)), KEYS[pair], **names_of(pair)) == claims


@settings(deadline=None, max_examples=300)
@given(
    pair=PAIRS,
    at=st.integers(0),
    character=st.sampled_from(ALPHABET),
    kind=st.sampled_from(["put in", "change", "drop"]),
)
def test_a_changed_character_is_refused(pair: tuple[str, str], at: int, character: str, kind: str) -> None:
    """One character more, less or another, wherever it is."""
    token = jwe_encrypt(b"plaintext", KEYS[pair], **names_of(pair))
    start = at % len(token)
    end = start if kind == "put in" else start + 1
    changed = token[:start] + ("" if kind == "drop" else character) + token[end:]

    if changed != token:
        with pytest.raises((MalformedTokenError, InvalidSignatureError)):
            jwe_decrypt(changed, KEYS[pair], **names_of(pair))


@pytest.mark.parametrize("pair", KEYS, ids=" ".join)
def test_every_other_character_everywhere_is_refused(pair: tuple[str, str]) -> None:
    """All places of a token, each with two other characters: a near one and a far one."""
    token = jwe_encrypt(b"", KEYS[pair], **names_of(pair))

    taken = 0
    for at, character in enumerate(token):
        place = ALPHABET.index(character)
        for other in (ALPHABET[(place + 1) % 64], ALPHABET[(place + 32) % 64]):
            try:
                jwe_decrypt(token[:at] + other + token[at + 1 :], KEYS[pair], **names_of(pair))
            except (MalformedTokenError, InvalidSignatureError):
                continue
            taken += 1

    assert taken == 0


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(at=st.integers(0), bit=st.integers(0, 5))
def test_a_changed_character_is_refused_of_rsa_too(at: int, bit: int) -> None:
    """Fewer examples, for a private RSA operation takes its time."""
    names: dict[str, Any] = names_of(("RSA-OAEP-256", "A128GCM"))
    token = jwe_encrypt(b"plaintext", RSA, **names)
    place = at % len(token)
    if token[place] == ".":
        return
    other = ALPHABET[ALPHABET.index(token[place]) ^ (1 << bit)]

    with pytest.raises((MalformedTokenError, InvalidSignatureError)):
        jwe_decrypt(token[:place] + other + token[place + 1 :], RSA, **names)


@settings(deadline=None)
@given(token=st.text(max_size=100) | st.binary(max_size=100), key=VALUES)
def test_anything_is_refused_by_name(token: str | bytes, key: Any) -> None:
    """Whatever the token and the key: one of our errors."""
    refusal(jwe_decode, token, key, key_algorithm="A256KW", content_algorithm="A256GCM")
    refusal(jwe_encode, {}, key, key_algorithm="A256KW", content_algorithm="A256GCM")


@settings(deadline=None)
@given(header=st.dictionaries(st.sampled_from(["alg", "enc", "epk", "apu", "kid", "crit", "zip", "iv", "tag"]), VALUES))
def test_any_header_is_refused_by_name(header: dict[str, Any]) -> None:
    """A header of anything, with the right algorithms or without: one of our errors."""
    for more in ({}, {"alg": "ECDH-ES", "enc": "A128GCM"}, {"alg": "A128GCMKW", "enc": "A128GCM"}):
        first = encode_base64url(json.dumps({**header, **more}, ensure_ascii=False).encode())
        for algorithm, key in (("ECDH-ES", KEYS["ECDH-ES", "A128CBC-HS256"]), ("A128GCMKW", create_secret_key(128))):
            for encrypted in ("", "AAAAAAAAAAAAAAAAAAAAAA"):
                token = f"{first}.{encrypted}.AAAAAAAAAAAAAAAA..AAAAAAAAAAAAAAAAAAAAAA"
                with pytest.raises((MalformedTokenError, InvalidSignatureError)):
                    jwe_decrypt(token, key, key_algorithm=algorithm, content_algorithm="A128GCM")
