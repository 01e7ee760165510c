"""Laws of the format and of tokens over generated values: they come back, and nothing that was changed does."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from jose_support import FORMAT, decode, names, refusal

from keywright import Attributes, Key, Secret
from keywright.errors import FormatError, InvalidSignatureError, MalformedTokenError
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
    thumbprint,
    verifier,
)
from keywright_jose.json import decode_base64url, decode_segment, encode_base64url, read_object, write_object
from keywright_jose.jwk.codec import NO_ATTRIBUTES

_RSA = FORMAT.decode(Secret(json.dumps(create_rsa_key(2048)).encode()), default_kid="")

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_JUDGED = {"alg", "use", "key_ops", "x5c", "x5u", "x5t", "x5t#S256"} | NO_ATTRIBUTES
_ATTRIBUTES = st.dictionaries(_TEXT.filter(lambda name: name not in _JUDGED), _JSON, max_size=3)
_HALVES = {
    "ed25519": (32, b"", 32), "x25519": (32, b"", 32),
    "ec-p256": (32, b"\x04", 64), "ec-p384": (48, b"\x04", 96), "ec-p521": (66, b"\x04", 132),
}  # fmt: skip


@st.composite
def _keys(draw: st.DrawFn, *, kinds: tuple[str, ...] = FORMAT.key_types) -> Key:
    type = draw(st.sampled_from(kinds))
    kid = draw(_TEXT)
    attributes = Attributes(draw(_ATTRIBUTES))
    if type == "oct":
        return Key(type, kid, Secret(draw(st.binary(min_size=1, max_size=64))), None, attributes)
    if type == "rsa":
        return Key(type, kid, _RSA.secret, _RSA.public, attributes)
    secret, prefix, public = _HALVES[type]
    halves = draw(st.binary(min_size=secret + public, max_size=secret + public))
    return Key(type, kid, Secret(halves[:secret]), prefix + halves[secret:], attributes)


@given(_keys(), st.randoms(use_true_random=False), st.sampled_from([None, 1, "\t"]))
def test_member_order_and_spacing_are_irrelevant(key: Key, random: Any, indent: int | str | None) -> None:
    canonical = FORMAT.encode_secret(key)
    members = [*json.loads(canonical.reveal()).items()]
    random.shuffle(members)

    decoded = FORMAT.decode(Secret(json.dumps(dict(members), indent=indent).encode()), default_kid="")

    assert decoded == key
    assert FORMAT.encode_secret(decoded) == canonical


@given(st.dictionaries(st.sampled_from(["kty", "crv", "k", "x", "y", "d", "n", "e", "kid", "use", "key_ops"]), _JSON))
def test_wrong_members_are_refused_by_type(members: dict[str, Any]) -> None:
    for kty in ("oct", "EC", "OKP", "RSA"):
        for error in (
            refusal(decode, members | {"kty": kty, "d": 1, "k": 1}),
            refusal(thumbprint, members | {"kty": kty, "n": 1, "x": 1}),
        ):
            assert isinstance(error, FormatError)


@given(st.binary(max_size=100))
def test_base64url_round_trips(octets: bytes) -> None:
    text = encode_base64url(octets)

    assert text == urlsafe_b64encode(octets).decode().rstrip("=")
    assert decode_base64url(text) == Secret(octets)


@given(st.text(alphabet="ABab01-_+/= \nä", max_size=9))
def test_base64url_has_one_spelling(text: str) -> None:
    """A text that reads as octets, in a key or a token, is the text that these octets are written as."""
    octets, segment = decode_base64url(text), decode_segment(text)

    assert octets is None or encode_base64url(octets.reveal()) == text
    assert segment is None or encode_base64url(segment) == text


KEY = {**create_secret_key(256), "alg": "HS256"}
SIGNER, VERIFIER = signer(KEY), verifier(KEY)
CURVE = {**create_curve_key("P-256"), "alg": "ES256"}
CURVE_SIGNER, CURVE_VERIFIER = signer(CURVE), verifier(CURVE)

CLAIMS = st.dictionaries(_TEXT.filter(lambda name: name not in ("aud", "iat", "nbf", "exp")), _JSON, max_size=6)
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(CLAIMS)
def test_claims_come_back(claims: dict[str, object]) -> None:
    assert jws_decode(SIGNER.sign(claims), VERIFIER) == claims
    assert json.loads(CURVE_VERIFIER.verify(CURVE_SIGNER.sign(claims)).payload) == claims


@given(CLAIMS)
def test_objects_have_one_reading(claims: dict[str, object]) -> None:
    written = write_object(claims, "the claims of a token")

    assert read_object(written, "the payload of the token") == json.loads(written) == claims


@given(st.binary(max_size=300))
def test_octets_come_back(payload: bytes) -> None:
    assert VERIFIER.verify(SIGNER.sign(payload)).payload == payload


@given(st.data(), st.binary(max_size=40))
def test_no_changed_character_passes(data: st.DataObject, payload: bytes) -> None:
    for bound, checks in ((SIGNER, VERIFIER), (CURVE_SIGNER, CURVE_VERIFIER)):
        token = bound.sign(payload)
        at = data.draw(st.integers(0, len(token) - 1))
        new = data.draw(st.sampled_from(DIGITS + "=+/ .\n") | st.just(""))
        for changed in (token[:at] + new + token[at + 1 :], token[:at] + new + token[at:]):
            if changed != token:
                refusal(checks.verify, changed)


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


@settings(deadline=None)
@given(pair=PAIRS, claims=CLAIMS)
def test_any_claims_come_back_decrypted(pair: tuple[str, str], claims: dict[str, Any]) -> None:
    assert jwe_decode(jwe_encode(claims, KEYS[pair], **names(*pair)), KEYS[pair], **names(*pair)) == claims


@pytest.mark.parametrize("pair", KEYS, ids=" ".join)
def test_every_other_character_everywhere_is_refused(pair: tuple[str, str]) -> None:
    token = jwe_encrypt(b"", KEYS[pair], **names(*pair))

    taken = 0
    for at, character in enumerate(token):
        place = ALPHABET.index(character)
        near, far = ALPHABET[(place + 1) % 64], ALPHABET[(place + 32) % 64]
        for other in (near, far, "", f"{character}{near}", f"{character}=", f"\n{character}"):
            try:
                jwe_decrypt(token[:at] + other + token[at + 1 :], KEYS[pair], **names(*pair))
            except (MalformedTokenError, InvalidSignatureError):
                continue
            taken += 1

    assert taken == 0


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(at=st.integers(0), bit=st.integers(0, 5))
def test_a_changed_character_is_refused_of_rsa_too(at: int, bit: int) -> None:
    """Fewer examples, for a private RSA operation takes its time."""
    options = names("RSA-OAEP-256", "A128GCM")
    token = jwe_encrypt(b"plaintext", RSA, **options)
    place = at % len(token)
    if token[place] == ".":
        return
    other = ALPHABET[ALPHABET.index(token[place]) ^ (1 << bit)]

    with pytest.raises((MalformedTokenError, InvalidSignatureError)):
        jwe_decrypt(token[:place] + other + token[place + 1 :], RSA, **options)


@settings(deadline=None)
@given(header=st.dictionaries(st.sampled_from(["alg", "enc", "epk", "apu", "kid", "crit", "zip", "iv", "tag"]), _JSON))
def test_any_header_is_refused_by_name(header: dict[str, Any]) -> None:
    for more in ({}, {"alg": "ECDH-ES", "enc": "A128GCM"}, {"alg": "A128GCMKW", "enc": "A128GCM"}):
        first = encode_base64url(json.dumps({**header, **more}, ensure_ascii=False).encode())
        for algorithm, key in (("ECDH-ES", KEYS["ECDH-ES", "A128CBC-HS256"]), ("A128GCMKW", create_secret_key(128))):
            for encrypted in ("", "AAAAAAAAAAAAAAAAAAAAAA"):
                token = f"{first}.{encrypted}.AAAAAAAAAAAAAAAA..AAAAAAAAAAAAAAAAAAAAAA"
                with pytest.raises((MalformedTokenError, InvalidSignatureError)):
                    jwe_decrypt(token, key, **names(algorithm, "A128GCM"))
