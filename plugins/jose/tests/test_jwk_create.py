"""The functions: `create_secret_key`, `create_curve_key`, `create_rsa_key`, `thumbprint`."""

from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import keywright_jose
from keywright import Secret
from keywright.errors import (
    ConfigError,
    KeywrightError,
    MalformedKeyError,
    UnsupportedKeyError,
    UnsupportedOperationError,
)
from keywright_jose import create_curve_key, create_rsa_key, create_secret_key, thumbprint
from keywright_jose.jwk.format import JwkFormat

Refusal = Callable[[Callable[[], object]], KeywrightError]
Watch = Callable[[KeywrightError, bytes], None]

_AGAIN = "export the key again from the program that made it"
_SECRET_BITS = (
    "the bits of a symmetric key must be a whole number that is a multiple of 8 from 128 to 8192; choose another size"
)
_RSA_BITS = (
    "the bits of an RSA key must be a whole number that is a multiple of 8 from 2048 to 8192; choose another size"
)
_CURVE = "the curve of a key must be one of P-256, P-384, P-521, Ed25519, X25519; choose one of them"
_FORMAT = "the format of a new key must be object or base64; choose one of them"


def _octets(text: str) -> bytes:
    return urlsafe_b64decode(text + "==")


@pytest.mark.parametrize("bits", [128, 136, 256, 512, 1024, 2048, 4096, 8192])
def test_secret_key_has_the_size_asked_for(bits: int) -> None:
    """`create_secret_key` gives a plain oct JWK of that many bits, another one each time."""
    jwk = create_secret_key(bits)

    assert jwk.keys() == {"k", "kty"}
    assert jwk["kty"] == "oct"
    assert len(_octets(jwk["k"])) * 8 == bits
    assert create_secret_key(bits) != jwk


def test_secret_key_has_2048_bits_unless_told() -> None:
    """The default is 2048 bits, as an object."""
    assert len(_octets(create_secret_key()["k"])) == 256


@pytest.mark.parametrize(
    ("curve", "kty", "octets"),
    [("P-256", "EC", 32), ("P-384", "EC", 48), ("P-521", "EC", 66), ("Ed25519", "OKP", 32), ("X25519", "OKP", 32)],
)
def test_curve_key_has_its_members(curve: str, kty: str, octets: int) -> None:
    """`create_curve_key` gives a private JWK on that curve, fixed length, without kid."""
    jwk = create_curve_key(curve)

    coordinates = {"x", "y"} if kty == "EC" else {"x"}
    assert jwk.keys() == {"crv", "d", "kty"} | coordinates
    assert (jwk["kty"], jwk["crv"]) == (kty, curve)
    assert {len(_octets(jwk[name])) for name in coordinates | {"d"}} == {octets}
    assert create_curve_key(curve) != jwk


def test_curve_key_is_on_p256_unless_told() -> None:
    """The default curve is P-256."""
    assert create_curve_key()["crv"] == "P-256"


def test_rsa_key_has_all_its_numbers() -> None:
    """`create_rsa_key` gives a private JWK with e = 65537 and a modulus of that size, without kid."""
    jwk = create_rsa_key(2048)

    assert jwk.keys() == {"kty", "n", "e", "d", "p", "q", "dp", "dq", "qi"}
    assert (jwk["kty"], jwk["e"]) == ("RSA", "AQAB")
    assert int.from_bytes(_octets(jwk["n"]), "big").bit_length() == 2048


def test_rsa_key_has_3072_bits_unless_told() -> None:
    """The default is 3072 bits."""
    assert len(_octets(create_rsa_key()["n"])) == 384


@pytest.mark.parametrize(
    ("make", "kty"),
    [
        pytest.param(partial(create_secret_key, 512, "base64"), "oct", id="secret"),
        pytest.param(partial(create_curve_key, "Ed25519", "base64"), "OKP", id="curve"),
        pytest.param(partial(create_rsa_key, 2048, "base64"), "RSA", id="rsa"),
    ],
)
def test_base64_is_of_the_canonical_json(make: Callable[[], str], kty: str) -> None:
    """Format `base64` is standard base64, on one line, of the JWK's compact sorted JSON."""
    decoded = b64decode(make(), validate=True)

    jwk = json.loads(decoded)
    assert jwk["kty"] == kty
    assert decoded == json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param(create_secret_key(128), id="oct"),
        *(
            pytest.param(create_curve_key(curve), id=curve)
            for curve in ("P-256", "P-384", "P-521", "Ed25519", "X25519")
        ),
        pytest.param(create_rsa_key(2048), id="rsa"),
    ],
)
def test_new_key_is_read_and_written_the_same(
    jwk_format: JwkFormat, hide: Callable[[object], Secret], jwk: dict[str, str]
) -> None:
    """What the functions make is what the strict reader takes and the writer gives."""
    key = jwk_format.decode(hide(jwk), default_kid="")

    assert json.loads(jwk_format.encode_secret(key).reveal()) == jwk


_unchecked_secret: Callable[..., object] = create_secret_key
_unchecked_curve: Callable[..., object] = create_curve_key
_unchecked_rsa: Callable[..., object] = create_rsa_key


@pytest.mark.parametrize(
    ("call", "message"),
    [
        *(
            pytest.param(partial(_unchecked_secret, bits), _SECRET_BITS, id=f"secret {bits!r}")
            for bits in (0, 8, 120, -256, 129, 8200, 256.0, "256", None, True)
        ),
        *(
            pytest.param(partial(_unchecked_rsa, bits), _RSA_BITS, id=f"rsa {bits!r}")
            for bits in (0, 1024, 2047, 2052, 8200, 2048.0, "2048", None)
        ),
        *(
            pytest.param(partial(_unchecked_curve, curve), _CURVE, id=f"curve {curve!r}")
            for curve in ("", "p-256", "secp256k1", "Ed448", None, ["P-256"])
        ),
        pytest.param(partial(_unchecked_secret, 256, "jwk"), _FORMAT, id="format of secret"),
        pytest.param(partial(_unchecked_curve, "P-256", None), _FORMAT, id="format of curve"),
        pytest.param(partial(_unchecked_rsa, 2048, ["object"]), _FORMAT, id="format of rsa"),
    ],
)
def test_wrong_arguments_are_refused(refusal: Refusal, call: Callable[[], object], message: str) -> None:
    """A size, curve or format that is none of ours is refused with the exact rule."""
    error = refusal(call)

    assert isinstance(error, ConfigError)
    assert str(error) == message


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        pytest.param(
            {"kty": None},
            MalformedKeyError,
            f"the JWK member kty must be text that is not empty; {_AGAIN}",
            id="kty null",
        ),
        pytest.param(
            {"crv": "Ed448"},
            UnsupportedKeyError,
            "a JWK of this crv cannot be carried; with kty OKP, crv is one of Ed25519, X25519 here",
            id="crv of none",
        ),
        pytest.param(
            {"x": b"x"},
            MalformedKeyError,
            f"the JWK member x must be text that is not empty; {_AGAIN}",
            id="x bytes",
        ),
        pytest.param(
            {"kty": "oct"},
            MalformedKeyError,
            "the JWK member crv is no parameter of a key whose kty is oct; "
            "remove it, or correct kty, whichever is wrong",
            id="oct with others",
        ),
    ],
)
def test_thumbprint_refuses_what_is_no_key(
    refusal: Refusal,
    assert_nothing_shows: Watch,
    published: dict[str, dict[str, Any]],
    change: dict[str, object],
    kind: type[KeywrightError],
    message: str,
) -> None:
    """A dict that is no JWK of ours has no thumbprint, and is not shown."""
    jwk = published["ed25519"] | change
    document = json.dumps(published["ed25519"]).encode()

    error = refusal(_Call(jwk))

    assert type(error) is kind
    assert str(error) == message
    assert_nothing_shows(error, document)


class _Call:
    """Calls `thumbprint`, and shows nothing itself."""

    def __init__(self, jwk: object) -> None:
        self._jwk = jwk

    def __call__(self) -> str:
        call: Callable[..., str] = thumbprint
        return call(self._jwk)

    def __repr__(self) -> str:
        return "<call>"


@pytest.mark.parametrize("jwk", [None, "text", 1, [("kty", "oct")]])
def test_thumbprint_wants_a_mapping(refusal: Refusal, jwk: object) -> None:
    """Something else than a dict is refused."""
    error = refusal(_Call(jwk))

    assert isinstance(error, MalformedKeyError)
    assert str(error) == "a JWK is a mapping of member names to values; pass the dict of one key"


def test_thumbprint_of_a_symmetric_key_is_refused(
    refusal: Refusal, assert_nothing_shows: Watch, published: dict[str, dict[str, Any]]
) -> None:
    """RFC 7638 defines one for oct too, but it would let anybody test guesses of the key (its §7)."""
    error = refusal(_Call(published["oct"]))

    assert isinstance(error, UnsupportedOperationError)
    assert str(error) == (
        "an oct key has no thumbprint here: it would be a hash of the secret, for anybody to test guesses with; "
        "give the key a random kid"
    )
    assert_nothing_shows(error, json.dumps(published["oct"]).encode())


def test_module_has_no_other_names() -> None:
    """The lazy module raises AttributeError for what it does not have."""
    with pytest.raises(AttributeError, match="module 'keywright_jose' has no attribute 'create_key'"):
        keywright_jose.create_key  # type: ignore[attr-defined]  # noqa: B018  (looking it up is the test)
