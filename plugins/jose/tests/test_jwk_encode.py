"""What cannot become a JWK, and the canonical form of what can."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from jose_support import FORMAT, PUBLISHED, assert_nothing_shows, decode, published, refusal, refused

from keywright import Attributes, Format, Key, Secret
from keywright.errors import KeywrightError, UnsupportedKeyError
from keywright.testing import FormatContract, Sample

_SECRET = Secret(b"canary-canary-canary-canary-0123")
_WATCHED = b'{"k":"Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LTAxMjM"}'
_TYPE = (
    "the format jwk carries keys of the types oct, ec-p256, ec-p384, ec-p521, ed25519, x25519, rsa; use another format "
    "for this one"
)
_NO_OCTETS = "this oct key has no octets, so there is nothing to encode; load the secret half"
_NO_SECRET = "this {} key has no secret half; encode its public half instead"
_NO_PUBLIC = "this {} key has no public half, which a JWK must carry; have its key type complete it"
_LAYOUT = "the public half of this ec-p256 key is not laid out as its type says; load the key again"
_NO_PKCS8 = "the secret half of this rsa key is no PKCS#8 of an RSA key; load the key again"
_NO_SPKI = "the public half of this rsa key is no SubjectPublicKeyInfo of an RSA key; load the key again"
_NO_NUMBER = "a JWK cannot carry a number of more than 4300 digits; remove that attribute"
_NO_NAME = "the members of a JWK have text for names; remove the attribute that is named otherwise"
_NAN = "a JWK holds finite numbers only, no NaN or Infinity; remove that member"
_JSON = "a JWK holds JSON values only; remove the attribute that is something else"
_DEEP = "a JWK has at most 32 levels of objects and arrays here; remove the member that has more"
_LARGE = "a JWK has at most 65536 bytes here; remove large attributes"
_SURROGATE = "a JWK holds Unicode text only, no unpaired surrogate (RFC 8259 §8.2); correct that member"
_OCT_PUBLIC = "an oct key has no public half to encode: whoever verifies needs the secret; use an asymmetric key type"
_NESTED: object = json.loads("[" * 32 + "]" * 32)


class TestJwkFormat(FormatContract):
    """The contract that every format fulfils, over published keys of every type."""

    @pytest.fixture
    def format(self) -> Format:
        """The format under test."""
        return FORMAT

    @pytest.fixture(autouse=True)
    def _take_samples(self) -> None:
        canonical = (json.dumps(published(name), sort_keys=True, separators=(",", ":")) for name in PUBLISHED)
        self.samples = tuple(Sample(text.encode()) for text in canonical)  # type: ignore[misc]  # one for each test


def _taken(name: str) -> str:
    return f"{name} cannot be an attribute of a JWK, where it means something else; remove it"


def _key(attributes: dict[str, object]) -> Key:
    return Key("oct", "", _SECRET, None, Attributes(attributes))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param(Key("ed448", "", _SECRET, b"p"), _TYPE, id="type"),
        pytest.param(Key("oct"), _NO_OCTETS, id="oct without"),
        pytest.param(Key("oct", secret=Secret(b"")), _NO_OCTETS, id="oct empty"),
        pytest.param(Key("ed25519", public=bytes(32)), _NO_SECRET.format("ed25519"), id="no secret half"),
        pytest.param(Key("ed25519", secret=_SECRET), _NO_PUBLIC.format("ed25519"), id="no public half"),
        pytest.param(
            Key("ec-p384", secret=_SECRET, public=b"\x04" + bytes(96)),
            "the secret half of this ec-p384 key has not 48 bytes; load the key again",
            id="secret short",
        ),
        pytest.param(Key("ec-p256", secret=_SECRET, public=b"\x04" + bytes(63)), _LAYOUT, id="public short"),
        pytest.param(Key("ec-p256", secret=_SECRET, public=b"\x02" + bytes(64)), _LAYOUT, id="another form"),
        pytest.param(Key("rsa", public=b"p"), _NO_SECRET.format("rsa"), id="rsa public"),
        pytest.param(Key("rsa", secret=_SECRET, public=b"p"), _NO_PKCS8, id="rsa secret no DER"),
        pytest.param(_key({"kid": "a"}), _taken("kid"), id="kid as attribute"),
        pytest.param(_key({"kty": "RSA"}), _taken("kty"), id="kty as attribute"),
        pytest.param(_key({"d": "AQAB"}), _taken("d"), id="parameter of another kty as attribute"),
        pytest.param(_key({"k": "AQAB"}), _taken("k"), id="own parameter as attribute"),
        pytest.param(_key({"note": b"bytes"}), _JSON, id="bytes"),
        pytest.param(_key({"note": [{"set": {1}}]}), _JSON, id="set, deeper"),
        pytest.param(_key({"note": float("nan")}), _NAN, id="NaN"),
        pytest.param(_key({"note": {1: "one"}}), _NO_NAME, id="number as name"),
        pytest.param(_key({"note": 10**5000}), _NO_NUMBER, id="number without end"),
        pytest.param(_key({"note": "\ud800"}), _SURROGATE, id="surrogate"),
        pytest.param(Key("oct", "\ud800", _SECRET), _SURROGATE, id="surrogate in kid"),
        pytest.param(_key({"note": _NESTED}), _DEEP, id="33 levels"),
        pytest.param(_key({"note": "n" * 65_536}), _LARGE, id="too large"),
    ],
)
def test_secret_key_that_no_jwk_can_carry(key: Key, message: str) -> None:
    error = refusal(FORMAT.encode_secret, key)

    assert (type(error), str(error)) == (UnsupportedKeyError, message)
    assert_nothing_shows(error, _WATCHED)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param(Key("oct", "", _SECRET), _OCT_PUBLIC, id="oct"),
        pytest.param(Key("rsa", secret=_SECRET), _NO_PUBLIC.format("rsa"), id="rsa"),
        pytest.param(Key("rsa", public=b"p"), _NO_SPKI, id="rsa public no DER"),
        pytest.param(
            Key("x25519", secret=_SECRET, public=bytes(32), attributes=Attributes({"d": "AQAB"})),
            _taken("d"),
            id="parameter as attribute",
        ),
        pytest.param(Key("ed448", public=b"p"), _TYPE, id="type"),
    ],
)
def test_public_half_that_no_jwk_can_carry(key: Key, message: str) -> None:
    error = refusal(FORMAT.encode_public, key)

    assert (type(error), str(error)) == (UnsupportedKeyError, message)
    assert_nothing_shows(error, _WATCHED)


def test_rsa_halves_of_two_keys_are_refused() -> None:
    """An RSA secret with another key's public half is refused, for a JWK has room for one modulus."""
    mine, other = decode(published("rsa")), decode(published("rsa-public") | {"e": "AQAD"})

    assert refused(FORMAT.encode_secret, Key("rsa", "", mine.secret, other.public)) == (
        UnsupportedKeyError,
        "the halves of this rsa key do not belong together; load the key again",
    )


def test_der_of_something_else_is_no_rsa_key() -> None:
    mine = decode(published("rsa"))
    assert mine.secret is not None
    assert mine.public is not None
    other = Ed25519PrivateKey.generate()
    known = bytes.fromhex("2a864886f70d010101")  # 1.2.840.113549.1.1.1, RFC 8017 §A.1
    unknown = bytes.fromhex("2a864886f70d010163")  # 1.2.840.113549.1.1.99
    locked = load_der_private_key(mine.secret.reveal(), None).private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
    )

    for secret in (
        other.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        mine.secret.reveal().replace(known, unknown),
        locked,
    ):
        assert refused(FORMAT.encode_secret, Key("rsa", "", Secret(secret), mine.public))[1] == _NO_PKCS8
    for public in (
        other.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        mine.public.replace(known, unknown),
    ):
        assert refused(FORMAT.encode_public, Key("rsa", "", mine.secret, public))[1] == _NO_SPKI


def test_canonical_form_is_sorted_compact_utf8() -> None:
    key = Key("oct", "kid-é", Secret(b"\xfb\xff"), None, Attributes({"z": {"b": 1, "a": [True, None]}, "alg": "HS256"}))

    encoded = FORMAT.encode_secret(key).reveal()

    assert encoded == '{"alg":"HS256","k":"-_8","kid":"kid-é","kty":"oct","z":{"a":[true,null],"b":1}}'.encode()


def test_empty_kid_is_left_out() -> None:
    encoded = FORMAT.encode_secret(Key("oct", "", Secret(b"\x00\x01")))

    assert json.loads(encoded.reveal()) == {"k": "AAE", "kty": "oct"}


def test_kid_default_needs_a_type_of_ours() -> None:
    assert refused(FORMAT.default_kid, "a", 1, Key("ed448", public=b"p"))[1] == _TYPE


def test_deep_stack_is_no_crash() -> None:
    value: object = 1
    for _ in range(300):
        value = [value]
    key = _key({"note": value})

    def deeper(levels: int) -> KeywrightError:
        return deeper(levels - 1) if levels else refusal(FORMAT.encode_secret, key)

    assert str(deeper(500)) == _DEEP


def test_exactly_65536_bytes_are_written() -> None:
    least = len(FORMAT.encode_secret(_key({"note": ""})))
    note = "n" * (65_536 - least)

    assert len(FORMAT.encode_secret(_key({"note": note}))) == 65_536
    assert refused(FORMAT.encode_secret, _key({"note": f"{note}n"}))[0] is UnsupportedKeyError
