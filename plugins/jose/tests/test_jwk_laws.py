"""Laws of the format over generated keys and attributes."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jose_support import FORMAT, decode, refusal, refused

from keywright import Attributes, Key, Secret
from keywright.errors import FormatError, MalformedKeyError
from keywright_jose import create_rsa_key, thumbprint
from keywright_jose.json import decode_base64url, encode_base64url
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


_ASYMMETRIC = FORMAT.key_types[1:]


@given(_keys())
def test_secret_encoding_round_trips(key: Key) -> None:
    """Every key comes back from its secret encoding as it was."""
    assert FORMAT.decode(FORMAT.encode_secret(key), default_kid="") == key


@given(_keys(kinds=_ASYMMETRIC))
def test_public_encoding_round_trips(key: Key) -> None:
    """The public encoding gives back type, kid and public half, and encodes to the same again."""
    encoded = FORMAT.encode_public(key)

    public = FORMAT.decode(Secret(encoded), default_kid="")

    assert public == Key(key.type, key.kid, None, key.public)
    assert FORMAT.encode_public(public) == encoded


@given(_keys(), st.randoms(use_true_random=False), st.sampled_from([None, 1, "\t"]))
def test_member_order_and_spacing_are_irrelevant(key: Key, random: Any, indent: int | str | None) -> None:
    """Any spelling of the same JSON decodes to the same key, and is written back canonically."""
    canonical = FORMAT.encode_secret(key)
    members = [*json.loads(canonical.reveal()).items()]
    random.shuffle(members)

    decoded = FORMAT.decode(Secret(json.dumps(dict(members), indent=indent).encode()), default_kid="")

    assert decoded == key
    assert FORMAT.encode_secret(decoded) == canonical


@settings(max_examples=25)
@given(_keys())
def test_every_truncation_is_refused(key: Key) -> None:
    """No proper beginning of an encoding is a key."""
    encoded = FORMAT.encode_secret(key).reveal()

    for end in range(len(encoded)):
        assert refused(FORMAT.decode, Secret(encoded[:end]), default_kid="")[0] is MalformedKeyError


@given(_keys(kinds=_ASYMMETRIC))
def test_public_encoding_holds_no_secret_member(key: Key) -> None:
    """Of the secret half, no member and no stretch of it gets into the public encoding."""
    secret = json.loads(FORMAT.encode_secret(key).reveal())
    public = FORMAT.encode_public(key)

    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & json.loads(public).keys()
    for member in ("d", "p", "q", "dp", "dq", "qi"):
        text = secret.get(member, "")
        parts = {text[at : at + 16] for at in range(len(text) - 15)}
        allowed = json.dumps({name: value for name, value in secret.items() if name in ("x", "y", "n", "kid")})
        assert not [part for part in parts if part in public.decode() and part not in allowed]


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode(errors="surrogatepass")))
def test_noise_is_refused_by_type(data: bytes) -> None:
    """Whatever the bytes, nothing but a FormatError comes out. (Noise may happen to be a key.)"""
    with suppress(FormatError):
        FORMAT.decode(Secret(data), default_kid="")


@given(st.dictionaries(st.sampled_from(["kty", "crv", "k", "x", "y", "d", "n", "e", "kid", "use", "key_ops"]), _JSON))
def test_wrong_members_are_refused_by_type(members: dict[str, Any]) -> None:
    """Whatever the members hold, nothing but a FormatError comes out, of the functions on dicts too."""
    for kty in ("oct", "EC", "OKP", "RSA"):
        for error in (
            refusal(decode, members | {"kty": kty, "d": 1, "k": 1}),
            refusal(thumbprint, members | {"kty": kty, "n": 1, "x": 1}),
        ):
            assert isinstance(error, FormatError)


@given(st.binary(max_size=100))
def test_base64url_round_trips(octets: bytes) -> None:
    """base64url is the standard library's without padding, and reads back."""
    text = encode_base64url(octets)

    assert text == urlsafe_b64encode(octets).decode().rstrip("=")
    assert decode_base64url(text) == Secret(octets)


@given(st.text(alphabet="ABab01-_+/= \nä", max_size=9))
def test_base64url_has_one_spelling(text: str) -> None:
    """A text that reads as octets is the text that these octets are written as."""
    octets = decode_base64url(text)

    assert octets is None or encode_base64url(octets.reveal()) == text
