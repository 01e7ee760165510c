"""JWKs as keys and keys as JWKs: what comes back, in which form, and what is refused without showing it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)
from jose_support import (
    FORMAT,
    PUBLISHED,
    assert_nothing_shows,
    decode,
    hide,
    public,
    published,
    refusal,
    refused,
    vectors,
)
from support.errors import text_of

from keywright import Attributes, Format, Key, Secret
from keywright.errors import KeywrightError, MalformedKeyError, UnsupportedKeyError
from keywright.testing import FormatContract, Sample
from keywright_jose import thumbprint

THUMBPRINTS = vectors("jwk.json")["thumbprints"]
_AGAIN = "export the key again from the program that made it"
_NOT_JSON = (
    "the JWK is not JSON in UTF-8, or is followed by something else; "
    "pass one JSON object in UTF-8, without duplicate members"
)
_NO_OBJECT = "the JWK is JSON, but not an object; pass the key itself, which has a member kty"
_TWICE = f"the JWK has a duplicate member (RFC 7517 §4); remove it, or {_AGAIN}"
_DEEP = "the JWK has more than 32 levels; remove the member that has more"
_LARGE = "the JWK has more than 65536 bytes; pass one key, without attachments"
_BOM = "the JWK starts with a byte order mark (RFC 8259 §8.1); save it as UTF-8 without one"
_FINITE = "the JWK has NaN or Infinity, which JSON cannot represent; remove that member"
_SURROGATE = "the JWK has an unpaired surrogate (RFC 8259 §8.2); change that member"
_SET = "this is a JWK Set (RFC 7517 §5), not a JWK; pass one of the keys in its member keys at a time"

_K = b'"k":"Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LTAxMjM"'
_OCT = b'{"kty":"oct",%s}' % _K
_INSIDE = b'{"kty":"oct",%s,"hidden":%%s}' % _K


@pytest.mark.parametrize("name", THUMBPRINTS)
def test_thumbprint_is_the_published_one(name: str) -> None:
    """`thumbprint` gives what the RFC gives, whatever else the JWK holds; it is the default kid, too."""
    jwk, expected = THUMBPRINTS[name].values()

    assert thumbprint(jwk) == expected
    assert FORMAT.default_kid("prod/jwt", 7, decode(jwk)) == expected


def test_oct_key_has_no_default_kid() -> None:
    """The kid of a symmetric key is left to chance, for a hash would leak the key."""
    key = decode(published("oct"))

    assert FORMAT.default_kid("prod/jwt", 1, key) is None


@pytest.mark.parametrize("name", ["ec-p256", "ec-p521", "ed25519", "rsa"])
def test_secret_and_public_jwk_share_a_thumbprint(name: str) -> None:
    assert thumbprint(published(name)) == thumbprint(public(published(name)))


@pytest.mark.parametrize("name", ["ec-p256", "ec-p521", "ed25519"])
def test_curve_members_become_the_layout_of_the_key_type(name: str) -> None:
    """`d` becomes the secret half, the coordinates the public half, with the SEC 1 prefix on EC curves."""
    jwk = published(name)
    prefix, coordinates = (b"\x04", ("x", "y")) if jwk["kty"] == "EC" else (b"", ("x",))

    key = decode(jwk)

    assert key.type == name
    assert key.secret == Secret(urlsafe_b64decode(jwk["d"] + "=="))
    assert key.public == prefix + b"".join(urlsafe_b64decode(jwk[one] + "==") for one in coordinates)


def test_rsa_members_become_pkcs8_and_spki() -> None:
    def number(member: str) -> int:
        return int.from_bytes(urlsafe_b64decode(published("rsa")[member] + "=="), "big")

    key = decode(published("rsa"))

    assert key.secret is not None
    assert key.public is not None
    private = load_der_private_key(key.secret.reveal(), None)
    public = load_der_public_key(key.public)
    assert isinstance(private, RSAPrivateKey)
    assert isinstance(public, RSAPublicKey)
    numbers = private.private_numbers()
    assert [numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp] == [
        number(member) for member in ("d", "p", "q", "dp", "dq", "qi")
    ]
    assert numbers.public_numbers == public.public_numbers()
    assert (public.public_numbers().n, public.public_numbers().e) == (number("n"), 65537)


def test_kid_and_attributes_come_along() -> None:
    jwk = published("oct") | {"https://example.org/note": {"a": [1, 2.5, None, True]}}

    key = FORMAT.decode(hide(jwk), default_kid="other")

    assert key.kid == "018c0ae5-4d9b-471b-bfd6-eef314bc7037"
    assert key.attributes.plain() == {
        "use": "sig",
        "alg": "HS256",
        "https://example.org/note": {"a": [1, 2.5, None, True]},
    }


@pytest.mark.parametrize("around", [b"%s\n", b" \t\r\n%s\r\n", b"%s"])
def test_whitespace_around_the_object_is_tolerated(around: bytes) -> None:
    plain = hide(published("oct"))
    data = Secret(around % plain.reveal())

    assert FORMAT.decode(data, default_kid="") == FORMAT.decode(plain, default_kid="")
    assert FORMAT.sniff(data)


@pytest.mark.parametrize("data", [b"", b"cache.example.org-1:AAAA", b"-----BEGIN PRIVATE KEY-----", b"[{}]", b"\xff{"])
def test_other_data_is_not_sniffed(data: bytes) -> None:
    assert not FORMAT.sniff(Secret(data))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"\xef\xbb\xbf" + _OCT, _BOM, id="byte order mark"),
        pytest.param(_OCT + _OCT, _NOT_JSON, id="two objects"),
        pytest.param(b"\x0b" + _OCT, _NOT_JSON, id="whitespace outside JSON's"),
        pytest.param(b"[%s]" % _OCT, _NO_OBJECT, id="array"),
        pytest.param(b"{%s,%s}" % (_K, _K), _TWICE, id="k twice"),
        pytest.param(_INSIDE % (b"[" * 32 + b"]" * 32), _DEEP, id="33 levels"),
        pytest.param(_OCT + b" " * (65_537 - len(_OCT)), _LARGE, id="65537 bytes"),
        pytest.param(_INSIDE % b"NaN", _FINITE, id="NaN"),
        pytest.param(_INSIDE % b'"\\ud800"', _SURROGATE, id="unpaired surrogate in a value"),
        pytest.param(b'{"keys":[%s]}' % _OCT, _SET, id="JWK Set"),
    ],
)
def test_bad_json_is_refused(data: bytes, message: str) -> None:
    error = refusal(FORMAT.decode, Secret(data), default_kid="")

    assert (type(error), text_of(error)) == (MalformedKeyError, message)
    assert_nothing_shows(error, data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_INSIDE % (b"[" * 31 + b"]" * 31), id="32 levels"),
        pytest.param(_OCT + b" " * (65_536 - len(_OCT)), id="65536 bytes"),
    ],
)
def test_bounds_are_inclusive(data: bytes) -> None:
    assert FORMAT.decode(Secret(data), default_kid="").type == "oct"


_missing = f"the JWK member {{}} is missing; {_AGAIN}".format
_text = f"the JWK member {{}} must be text that is not empty; {_AGAIN}".format
_base64url = f"the JWK member {{}} is not canonical base64url without padding (RFC 7515 §2); {_AGAIN}".format
_length = f"the JWK member {{}} must have exactly {{}} octets on curve {{}}; {_AGAIN}".format
_foreign = ("the JWK member {} is not a parameter of a key whose kty is {}; remove it, or change kty").format
_zero = f"the JWK member {{}} must not start with a zero octet (RFC 7518 §2, Base64urlUInt); {_AGAIN}".format
_partial = (
    "the JWK member {} is missing: a private RSA key needs all of d, p, q, dp, dq and qi here (RFC 7518 §6.3.2); "
    f"{_AGAIN}"
).format
_large = "the JWK member {} has more than 8192 bits, the largest RSA key here; create a key of at most 8192 bits".format
_NO_PUBLIC = f"the JWK members n and e are not an RSA public key: e is odd, from 3, and less than n; {_AGAIN}"
_NOT_TOGETHER = f"the JWK members n, e, d, p, q, dp, dq and qi do not belong together (RFC 8017 §3.2); {_AGAIN}"
_NO_KTY = "the kty of the JWK is not supported; use a key with kty oct, EC, OKP or RSA"
_NO_EC = "the crv of the JWK is not supported; with kty EC, use one of P-256, P-384, P-521"
_NO_OKP = "the crv of the JWK is not supported; with kty OKP, use one of Ed25519, X25519"
_OTH = "RSA keys with more than two primes (oth) are not supported; create a new key"
_CANARY = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LTAxMjM"
_GONE = object()
_33_OCTETS = "Q" * 44


@pytest.mark.parametrize(
    ("name", "change", "kind", "message"),
    [
        pytest.param("oct", {"kty": _GONE}, MalformedKeyError, _missing("kty"), id="no kty"),
        pytest.param("oct", {"kty": 1}, MalformedKeyError, _text("kty"), id="kty a number"),
        pytest.param("oct", {"kty": "OCT"}, UnsupportedKeyError, _NO_KTY, id="kty OCT"),
        pytest.param("oct", {"k": _GONE}, MalformedKeyError, _missing("k"), id="no k"),
        pytest.param("oct", {"k": ""}, MalformedKeyError, _text("k"), id="k empty"),
        pytest.param("oct", {"k": _CANARY + "="}, MalformedKeyError, _base64url("k"), id="k padded"),
        pytest.param("oct", {"k": _CANARY[:-1] + "N"}, MalformedKeyError, _base64url("k"), id="k with spare bits"),
        pytest.param("oct", {"x": None, "n": 1}, MalformedKeyError, _foreign("n", "oct"), id="oct with x and n"),
        pytest.param("oct", {"crv": "P-256"}, MalformedKeyError, _foreign("crv", "oct"), id="oct with crv"),
        pytest.param("oct", {"kid": ""}, MalformedKeyError, _text("kid"), id="kid empty"),
        pytest.param("ec-p256", {"crv": _GONE}, MalformedKeyError, _missing("crv"), id="no crv"),
        pytest.param("ec-p256", {"crv": ["P-256"]}, MalformedKeyError, _text("crv"), id="crv an array"),
        pytest.param("ec-p256", {"crv": "secp256k1"}, UnsupportedKeyError, _NO_EC, id="secp256k1"),
        pytest.param("ec-p256", {"crv": "Ed25519"}, UnsupportedKeyError, _NO_EC, id="EC with Ed25519"),
        pytest.param("ed25519", {"crv": "Ed448"}, UnsupportedKeyError, _NO_OKP, id="Ed448"),
        pytest.param("ec-p256", {"x": _GONE}, MalformedKeyError, _missing("x"), id="EC without x"),
        pytest.param("ec-p256", {"d": ""}, MalformedKeyError, _text("d"), id="d empty"),
        pytest.param("ec-p256", {"k": _CANARY}, MalformedKeyError, _foreign("k", "EC"), id="EC with k"),
        pytest.param("ec-p256", {"x": "AAAA"}, MalformedKeyError, _length("x", 32, "P-256"), id="x short"),
        pytest.param("ec-p256", {"y": _33_OCTETS}, MalformedKeyError, _length("y", 32, "P-256"), id="y long"),
        pytest.param("ec-p256", {"crv": "P-384"}, MalformedKeyError, _length("d", 48, "P-384"), id="crv of another"),
        pytest.param("ec-p521", {"d": "AQAB"}, MalformedKeyError, _length("d", 66, "P-521"), id="d not filled up"),
        pytest.param("ed25519", {"d": _33_OCTETS}, MalformedKeyError, _length("d", 32, "Ed25519"), id="OKP d long"),
        pytest.param("ed25519", {"y": _33_OCTETS}, MalformedKeyError, _foreign("y", "OKP"), id="OKP with y"),
        pytest.param("rsa", {"n": _GONE}, MalformedKeyError, _missing("n"), id="no n"),
        pytest.param("rsa", {"e": _GONE}, MalformedKeyError, _missing("e"), id="no e"),
        pytest.param("rsa-public", {"e": "AAEAAQ"}, MalformedKeyError, _zero("e"), id="e with leading zero"),
        pytest.param("rsa-public", {"e": "AA"}, MalformedKeyError, _zero("e"), id="e zero"),
        pytest.param("rsa-public", {"n": "AQAB"}, MalformedKeyError, _NO_PUBLIC, id="e not less than n"),
        pytest.param("rsa-public", {"n": "_" * 1368}, UnsupportedKeyError, _large("n"), id="n of 8208 bits"),
        pytest.param("rsa-public", {"e": "_" * 1368}, UnsupportedKeyError, _large("e"), id="e of 8208 bits"),
        pytest.param("rsa", {"d": "AAAA" + "_" * 340}, MalformedKeyError, _zero("d"), id="d with leading zeros"),
        pytest.param("rsa", {"d": _GONE}, MalformedKeyError, _partial("d"), id="primes without d"),
        *(
            pytest.param("rsa", {member: _GONE}, MalformedKeyError, _partial(member), id=f"no {member}")
            for member in ("p", "q", "dp", "dq", "qi")
        ),
        pytest.param("rsa", {"oth": []}, UnsupportedKeyError, _OTH, id="more primes"),
        pytest.param("rsa", {"k": _CANARY}, MalformedKeyError, _foreign("k", "RSA"), id="RSA with k"),
        pytest.param("rsa", {"p": "_" * 171 + "w"}, MalformedKeyError, _NOT_TOGETHER, id="another p"),
        pytest.param("rsa", {"n": "_" * 341 + "w"}, MalformedKeyError, _NOT_TOGETHER, id="another n"),
        pytest.param("rsa", {"dp": "_" * 341 + "w"}, MalformedKeyError, _NOT_TOGETHER, id="dp out of range"),
    ],
)
def test_bad_parameters_are_refused(
    name: str,
    change: dict[str, object],
    kind: type[KeywrightError],
    message: str,
) -> None:
    """A published key with one thing wrong is refused by name of the member, without showing any of it."""
    jwk = {member: value for member, value in (published(name) | change).items() if value is not _GONE}
    data = json.dumps(jwk).encode()

    error = refusal(FORMAT.decode, Secret(data), default_kid="")

    assert (type(error), text_of(error)) == (kind, message)
    assert_nothing_shows(error, data)


_SECRET = Secret(b"canary-canary-canary-canary-0123")
_WATCHED = b'{"k":"Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LTAxMjM"}'
_TYPE = (
    "the format jwk carries keys of the types oct, ec-p256, ec-p384, ec-p521, ed25519, x25519, rsa; use another format "
    "for this one"
)
_DECODE = "decode the key again from its store or file"
_NO_OCTETS = f"this oct key has no secret to encode; {_DECODE}"
_NO_SECRET = "this {} key has no secret half; encode its public half instead"
_NO_PUBLIC_HALF = "this {} key has no public half, which a JWK needs; import the key again, from its secret half"
_LAYOUT = f"the public half of this ec-p256 key is not encoded as its type requires; {_DECODE}"
_NO_PKCS8 = f"the secret half of this rsa key is not PKCS#8 of an RSA key; {_DECODE}"
_NO_SPKI = f"the public half of this rsa key is not a SubjectPublicKeyInfo of an RSA key; {_DECODE}"
_NO_NUMBER = "a JWK cannot carry a number of more than 4300 digits; remove that attribute"
_NO_NAME = "the JWK has a member whose name is not text; remove that attribute"
_JSON = "the JWK has a value that JSON cannot represent; remove that attribute"
_ATTRIBUTES_LARGE = "the JWK has more than 65536 bytes; remove large attributes"
_OCT_PUBLIC = (
    "an oct key has no public half to encode: its verifiers need the secret; pass --secret to "
    "export the secret, or use an asymmetric key type"
)
_NESTED: object = json.loads("[" * 32 + "]" * 32)


class TestJwkFormat(FormatContract):
    """The contract that every format fulfils, over published keys of every type."""

    samples = tuple(
        Sample(json.dumps(published(name), sort_keys=True, separators=(",", ":")).encode()) for name in PUBLISHED
    )

    @pytest.fixture
    def format(self) -> Format:
        """The format under test."""
        return FORMAT


def _taken(name: str) -> str:
    return f"{name} cannot be an attribute of a JWK, where it means something else; remove the attribute"


def _key(attributes: dict[str, object]) -> Key:
    return Key("oct", "", _SECRET, None, Attributes(attributes))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param(Key("ed448", "", _SECRET, b"p"), _TYPE, id="type"),
        pytest.param(Key("oct"), _NO_OCTETS, id="oct without"),
        pytest.param(Key("oct", secret=Secret(b"")), _NO_OCTETS, id="oct empty"),
        pytest.param(Key("ed25519", public=bytes(32)), _NO_SECRET.format("ed25519"), id="no secret half"),
        pytest.param(Key("ed25519", secret=_SECRET), _NO_PUBLIC_HALF.format("ed25519"), id="no public half"),
        pytest.param(
            Key("ec-p384", secret=_SECRET, public=b"\x04" + bytes(96)),
            "the secret half of this ec-p384 key does not have 48 bytes; decode the key again from its store or file",
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
        pytest.param(_key({"note": float("nan")}), _FINITE, id="NaN"),
        pytest.param(_key({"note": {1: "one"}}), _NO_NAME, id="number as name"),
        pytest.param(_key({"note": 10**5000}), _NO_NUMBER, id="number without end"),
        pytest.param(_key({"note": "\ud800"}), _SURROGATE, id="surrogate"),
        pytest.param(Key("oct", "\ud800", _SECRET), _SURROGATE, id="surrogate in kid"),
        pytest.param(_key({"note": _NESTED}), _DEEP, id="33 levels"),
        pytest.param(_key({"note": "n" * 65_536}), _ATTRIBUTES_LARGE, id="too large"),
    ],
)
def test_secret_key_that_no_jwk_can_carry(key: Key, message: str) -> None:
    error = refusal(FORMAT.encode_secret, key)

    assert (type(error), text_of(error)) == (UnsupportedKeyError, message)
    assert_nothing_shows(error, _WATCHED)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param(Key("oct", "", _SECRET), _OCT_PUBLIC, id="oct"),
        pytest.param(Key("rsa", secret=_SECRET), _NO_PUBLIC_HALF.format("rsa"), id="rsa"),
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

    assert (type(error), text_of(error)) == (UnsupportedKeyError, message)
    assert_nothing_shows(error, _WATCHED)


def test_rsa_halves_of_two_keys_are_refused() -> None:
    """An RSA secret with another key's public half is refused, for a JWK has room for one modulus."""
    mine, other = decode(published("rsa")), decode(published("rsa-public") | {"e": "AQAD"})

    assert refused(FORMAT.encode_secret, Key("rsa", "", mine.secret, other.public)) == (
        UnsupportedKeyError,
        "the halves of this rsa key do not belong together; decode the key again from its store or file",
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
    for half in (
        other.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        mine.public.replace(known, unknown),
    ):
        assert refused(FORMAT.encode_public, Key("rsa", "", mine.secret, half))[1] == _NO_SPKI


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

    assert text_of(deeper(500)) == _DEEP


def test_exactly_65536_bytes_are_written() -> None:
    least = len(FORMAT.encode_secret(_key({"note": ""})))
    note = "n" * (65_536 - least)

    assert len(FORMAT.encode_secret(_key({"note": note}))) == 65_536
    assert refused(FORMAT.encode_secret, _key({"note": f"{note}n"}))[0] is UnsupportedKeyError
