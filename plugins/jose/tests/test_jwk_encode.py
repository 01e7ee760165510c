"""What cannot become a JWK, and the canonical form of what can."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from keywright import Attributes, Key, Secret
from keywright.errors import KeywrightError, UnsupportedKeyError
from keywright_jose.jwk.format import JwkFormat

Refusal = Callable[[Callable[[], object]], KeywrightError]
Watch = Callable[[KeywrightError, bytes], None]

_TYPES = "oct, ec-p256, ec-p384, ec-p521, ed25519, x25519, rsa"
_SECRET = Secret(b"canary-canary-canary-canary-0123")
_WATCHED = b'{"k":"Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LTAxMjM"}'
_JSON = "a JWK holds JSON values only; remove the attribute that is something else"
_DEEP = "a JWK has at most 32 levels of objects and arrays here; remove the member that has more"
_SURROGATE = "a JWK holds Unicode text only, no unpaired surrogate (RFC 8259 §8.2); correct that member"
_OCT_PUBLIC = "an oct key has no public half to encode: whoever verifies needs the secret; use an asymmetric key type"
_NESTED: object = json.loads("[" * 32 + "]" * 32)


def _taken(name: str) -> str:
    return f"{name} cannot be an attribute of a JWK, where it means something else; remove it"


def _key(attributes: dict[str, object]) -> Key:
    return Key("oct", "", _SECRET, None, Attributes(attributes))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param(
            Key("ed448", "", _SECRET, b"p"),
            f"the format jwk carries keys of the types {_TYPES}; use another format for this one",
            id="type",
        ),
        pytest.param(
            Key("oct"),
            "this oct key has no octets, so there is nothing to encode; load the secret half",
            id="oct without",
        ),
        pytest.param(
            Key("oct", secret=Secret(b"")),
            "this oct key has no octets, so there is nothing to encode; load the secret half",
            id="oct empty",
        ),
        pytest.param(
            Key("ed25519", public=bytes(32)),
            "this ed25519 key has no secret half; encode its public half instead",
            id="no secret half",
        ),
        pytest.param(
            Key("ed25519", secret=_SECRET),
            "this ed25519 key has no public half, which a JWK must carry; have its key type complete it",
            id="no public half",
        ),
        pytest.param(
            Key("ec-p384", secret=_SECRET, public=b"\x04" + bytes(96)),
            "the secret half of this ec-p384 key has not 48 bytes; load the key again",
            id="secret short",
        ),
        pytest.param(
            Key("ec-p256", secret=_SECRET, public=b"\x04" + bytes(63)),
            "the public half of this ec-p256 key is not laid out as its type says; load the key again",
            id="public short",
        ),
        pytest.param(
            Key("ec-p256", secret=_SECRET, public=b"\x02" + bytes(64)),
            "the public half of this ec-p256 key is not laid out as its type says; load the key again",
            id="public of another form",
        ),
        pytest.param(
            Key("rsa", public=b"p"), "this rsa key has no secret half; encode its public half instead", id="rsa public"
        ),
        pytest.param(
            Key("rsa", secret=_SECRET, public=b"p"),
            "the secret half of this rsa key is no PKCS#8 of an RSA key; load the key again",
            id="rsa secret no DER",
        ),
        pytest.param(_key({"kid": "a"}), _taken("kid"), id="kid as attribute"),
        pytest.param(_key({"kty": "RSA"}), _taken("kty"), id="kty as attribute"),
        pytest.param(_key({"d": "AQAB"}), _taken("d"), id="parameter of another kty as attribute"),
        pytest.param(_key({"k": "AQAB"}), _taken("k"), id="own parameter as attribute"),
        pytest.param(_key({"note": b"bytes"}), _JSON, id="bytes"),
        pytest.param(_key({"note": [{"set": {1}}]}), _JSON, id="set, deeper"),
        pytest.param(
            _key({"note": float("nan")}),
            "a JWK holds finite numbers only, no NaN or Infinity; remove that member",
            id="NaN",
        ),
        pytest.param(
            _key({"note": {1: "one"}}),
            "the members of a JWK have text for names; remove the attribute that is named otherwise",
            id="number as name",
        ),
        pytest.param(
            _key({"note": 10**5000}),
            "a JWK cannot carry a number of more than 4300 digits; remove that attribute",
            id="number without end",
        ),
        pytest.param(_key({"note": "\ud800"}), _SURROGATE, id="surrogate"),
        pytest.param(Key("oct", "\ud800", _SECRET), _SURROGATE, id="surrogate in kid"),
        pytest.param(_key({"note": _NESTED}), _DEEP, id="33 levels"),
        pytest.param(
            _key({"note": "n" * 65_536}),
            "a JWK has at most 65536 bytes here; remove large attributes",
            id="too large",
        ),
    ],
)
def test_secret_key_that_no_jwk_can_carry(
    jwk_format: JwkFormat, refusal: Refusal, assert_nothing_shows: Watch, key: Key, message: str
) -> None:
    """`encode_secret` refuses what `decode` would not give back, and shows nothing of it."""
    error = refusal(partial(jwk_format.encode_secret, key))

    assert isinstance(error, UnsupportedKeyError)
    assert str(error) == message
    assert_nothing_shows(error, _WATCHED)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param(Key("oct", "", _SECRET), _OCT_PUBLIC, id="oct"),
        pytest.param(
            Key("rsa", secret=_SECRET),
            "this rsa key has no public half, which a JWK must carry; have its key type complete it",
            id="rsa",
        ),
        pytest.param(
            Key("rsa", public=b"p"),
            "the public half of this rsa key is no SubjectPublicKeyInfo of an RSA key; load the key again",
            id="rsa public no DER",
        ),
        pytest.param(
            Key("x25519", secret=_SECRET, public=bytes(32), attributes=Attributes({"d": "AQAB"})),
            _taken("d"),
            id="parameter as attribute",
        ),
        pytest.param(
            Key("ed448", public=b"p"),
            f"the format jwk carries keys of the types {_TYPES}; use another format for this one",
            id="type",
        ),
    ],
)
def test_public_half_that_no_jwk_can_carry(
    jwk_format: JwkFormat, refusal: Refusal, assert_nothing_shows: Watch, key: Key, message: str
) -> None:
    """`encode_public` refuses keys without a public half rather than emptying them."""
    error = refusal(partial(jwk_format.encode_public, key))

    assert isinstance(error, UnsupportedKeyError)
    assert str(error) == message
    assert_nothing_shows(error, _WATCHED)


def test_rsa_halves_of_two_keys_are_refused(
    jwk_format: JwkFormat, refusal: Refusal, hide: Callable[[object], Secret], published: dict[str, dict[str, Any]]
) -> None:
    """An RSA secret with another key's public half is refused, for a JWK has room for one modulus."""
    mine = jwk_format.decode(hide(published["rsa"]), default_kid="")
    other = jwk_format.decode(hide(published["rsa-public"] | {"e": "AQAD"}), default_kid="")

    error = refusal(partial(jwk_format.encode_secret, Key("rsa", "", mine.secret, other.public)))

    assert isinstance(error, UnsupportedKeyError)
    assert str(error) == "the halves of this rsa key do not belong together; load the key again"


def test_other_der_is_no_rsa_key(
    jwk_format: JwkFormat, refusal: Refusal, hide: Callable[[object], Secret], published: dict[str, dict[str, Any]]
) -> None:
    """PKCS#8 and SPKI of another algorithm are refused as no RSA key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    other = Ed25519PrivateKey.generate()
    secret = Secret(other.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    public = other.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    mine = jwk_format.decode(hide(published["rsa"]), default_kid="")

    of_secret = refusal(partial(jwk_format.encode_secret, Key("rsa", "", secret, mine.public)))
    of_public = refusal(partial(jwk_format.encode_public, Key("rsa", "", mine.secret, public)))

    assert str(of_secret) == "the secret half of this rsa key is no PKCS#8 of an RSA key; load the key again"
    assert str(of_public) == (
        "the public half of this rsa key is no SubjectPublicKeyInfo of an RSA key; load the key again"
    )


def test_canonical_form_is_sorted_compact_utf8(jwk_format: JwkFormat) -> None:
    """Members are sorted by name at every depth, text is UTF-8, and there is no space and no newline."""
    key = Key("oct", "kid-é", Secret(b"\xfb\xff"), None, Attributes({"z": {"b": 1, "a": [True, None]}, "alg": "HS256"}))

    encoded = jwk_format.encode_secret(key).reveal()

    assert encoded == '{"alg":"HS256","k":"-_8","kid":"kid-é","kty":"oct","z":{"a":[true,null],"b":1}}'.encode()


def test_empty_kid_is_left_out(jwk_format: JwkFormat) -> None:
    """A key without kid becomes a JWK without `kid`."""
    encoded = jwk_format.encode_secret(Key("oct", "", Secret(b"\x00\x01")))

    assert json.loads(encoded.reveal()) == {"k": "AAE", "kty": "oct"}


def test_kid_default_needs_a_type_of_ours(jwk_format: JwkFormat, refusal: Refusal) -> None:
    """There is no thumbprint of a key that no JWK can carry."""
    error = refusal(partial(jwk_format.default_kid, "a", 1, Key("ed448", public=b"p")))

    assert str(error) == f"the format jwk carries keys of the types {_TYPES}; use another format for this one"


def test_deep_stack_is_no_crash(jwk_format: JwkFormat, refusal: Refusal) -> None:
    """Attributes too deep for what is left of the stack are refused as too deep."""
    value: object = 1
    for _ in range(300):
        value = [value]
    key = _key({"note": value})

    def deeper(levels: int) -> KeywrightError:
        return deeper(levels - 1) if levels else refusal(partial(jwk_format.encode_secret, key))

    assert str(deeper(500)) == _DEEP


def test_exactly_65536_bytes_are_written(jwk_format: JwkFormat) -> None:
    """The bound is the reader's: what is just not too large to be read is written."""
    least = len(jwk_format.encode_secret(_key({"note": ""})))
    note = "n" * (65_536 - least)

    assert len(jwk_format.encode_secret(_key({"note": note}))) == 65_536
    with pytest.raises(UnsupportedKeyError):
        jwk_format.encode_secret(_key({"note": f"{note}n"}))


def test_der_that_the_library_will_not_read_is_no_rsa_key(
    jwk_format: JwkFormat, refusal: Refusal, hide: Callable[[object], Secret], published: dict[str, dict[str, Any]]
) -> None:
    """PKCS#8 under a password, and SPKI and PKCS#8 of an algorithm that nobody knows, are refused as no RSA key."""
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_der_private_key,
    )

    mine = jwk_format.decode(hide(published["rsa"]), default_kid="")
    assert mine.secret is not None
    assert mine.public is not None
    rsa = bytes.fromhex("2a864886f70d010101")  # 1.2.840.113549.1.1.1, RFC 8017 §A.1
    nothing = bytes.fromhex("2a864886f70d010163")  # 1.2.840.113549.1.1.99
    locked = load_der_private_key(mine.secret.reveal(), None).private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
    )
    keys = [
        Key("rsa", "", Secret(locked), mine.public),
        Key("rsa", "", Secret(mine.secret.reveal().replace(rsa, nothing)), mine.public),
    ]

    of_secrets = [str(refusal(partial(jwk_format.encode_secret, key))) for key in keys]
    of_public = refusal(partial(jwk_format.encode_public, Key("rsa", public=mine.public.replace(rsa, nothing))))

    assert of_secrets == ["the secret half of this rsa key is no PKCS#8 of an RSA key; load the key again"] * 2
    assert str(of_public) == (
        "the public half of this rsa key is no SubjectPublicKeyInfo of an RSA key; load the key again"
    )
