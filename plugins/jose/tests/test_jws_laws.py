"""Laws of signed tokens."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from keywright.errors import KeywrightError, MalformedTokenError
from keywright_jose import create_curve_key, create_secret_key, jws_decode, signer, verifier, verify
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
CLAIMS = st.dictionaries(TEXT.filter(lambda name: name not in ("iat", "nbf", "exp")), VALUES, max_size=6)
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
                try:
                    checks.verify(changed)
                except KeywrightError:
                    continue
                raise AssertionError("a changed token verified")


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_anything_is_refused_by_our_errors(token: bytes | str) -> None:
    """Whatever comes in, what comes out is one of ours."""
    try:
        verify(token, KEY)
    except MalformedTokenError:
        return
    raise AssertionError("something that is no token verified")


@given(st.binary(max_size=200))
def test_any_header_and_any_claims_are_refused_by_our_errors(document: bytes) -> None:
    """Also behind a signature that holds."""
    second = SIGNER.sign(document)
    for token in (second, f"{encode_base64url(document)}.e30.AAAA"):
        try:
            jws_decode(token, VERIFIER)
        except KeywrightError:
            continue


@given(st.text(DIGITS + "=+/ \n", max_size=12))
def test_octets_have_one_spelling(text: str) -> None:
    """A segment that reads is the one that would be written."""
    octets = decode_segment(text)

    assert octets is None or encode_base64url(octets) == text
