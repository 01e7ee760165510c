"""Laws of encrypted tokens: anything comes back, and nothing that was changed does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keywright import Secret
from keywright.errors import InvalidSignatureError, KeywrightError, MalformedTokenError
from keywright_jose import create_curve_key, create_rsa_key, create_secret_key, jwe_decode, jwe_decrypt, jwe_encrypt
from keywright_jose.json import encode_base64url
from keywright_jose.jwt import jwe_encode

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
def test_any_bytes_come_back(pair: tuple[str, str], plaintext: bytes) -> None:
    """Decrypting undoes encrypting."""
    token = jwe_encrypt(plaintext, KEYS[pair], **names_of(pair))

    assert jwe_decrypt(token, KEYS[pair], **names_of(pair)).plaintext == Secret(plaintext)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(), part, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    pair=PAIRS, claims=st.dictionaries(st.text().filter(lambda name: name not in ("aud", "exp", "nbf", "iat")), JSON)
)
def test_any_claims_come_back(pair: tuple[str, str], claims: dict[str, Any]) -> None:
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
@given(token=st.text(max_size=100) | st.binary(max_size=100), key=JSON)
def test_anything_is_refused_by_name(token: str | bytes, key: Any) -> None:
    """Whatever the token and the key: one of our errors."""
    with pytest.raises(KeywrightError):
        jwe_decode(token, key, key_algorithm="A256KW", content_algorithm="A256GCM")
    with pytest.raises(KeywrightError):
        jwe_encode({}, key, key_algorithm="A256KW", content_algorithm="A256GCM")


@settings(deadline=None)
@given(header=st.dictionaries(st.sampled_from(["alg", "enc", "epk", "apu", "kid", "crit", "zip", "iv", "tag"]), JSON))
def test_any_header_is_refused_by_name(header: dict[str, Any]) -> None:
    """A header of anything, with the right algorithms or without: one of our errors."""
    for more in ({}, {"alg": "ECDH-ES", "enc": "A128GCM"}, {"alg": "A128GCMKW", "enc": "A128GCM"}):
        first = encode_base64url(json.dumps({**header, **more}, ensure_ascii=False).encode())
        for algorithm, key in (("ECDH-ES", KEYS["ECDH-ES", "A128CBC-HS256"]), ("A128GCMKW", create_secret_key(128))):
            for encrypted in ("", "AAAAAAAAAAAAAAAAAAAAAA"):
                token = f"{first}.{encrypted}.AAAAAAAAAAAAAAAA..AAAAAAAAAAAAAAAAAAAAAA"
                with pytest.raises((MalformedTokenError, InvalidSignatureError)):
                    jwe_decrypt(token, key, key_algorithm=algorithm, content_algorithm="A128GCM")
