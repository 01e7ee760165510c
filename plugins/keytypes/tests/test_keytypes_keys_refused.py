"""Keys that are refused, each with its own message. What is particular to DER stands in test_keytypes_rsa_der.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest

from keywright import Key, KeyType, Secret
from keywright.errors import InvalidKeyError

_P: Final = 2**255 - 19

_TWO_HALVES = ["ed25519", "x25519", "ec-p256", "ec-p384", "ec-p521", "rsa"]


def _little(number: int) -> bytes:
    return number.to_bytes(32, "little")


_ED25519_SECRET = "the secret half of an ed25519 key has 32 bytes (RFC 8032 §5.1.5); give the seed alone"
_ED25519_PUBLIC = "the public half of an ed25519 key has 32 bytes (RFC 8032 §5.1.5); give the point alone"
_ED25519_NOT_CANONICAL = (
    "the public half of an ed25519 key must encode y below 2^255 - 19 (RFC 8032 §5.1.3); import another key"
)
_ED25519_LOW_ORDER = (
    "the public half of this ed25519 key is a point of low order, for which signatures are forged without a secret; "
    "import another key"
)
_ED25519_NO_POINT = "the public half of this ed25519 key is no point of the curve (RFC 8032 §5.1.3); import another key"
_X25519_SECRET = "the secret half of an x25519 key has 32 bytes (RFC 7748 §5); give the scalar alone"
_X25519_PUBLIC = "the public half of an x25519 key has 32 bytes (RFC 7748 §5); give the u alone"
_X25519_LOW_ORDER = (
    "the public half of this x25519 key is a point of low order, with which every agreed secret is zero "
    "(RFC 7748 §6.1); import another key"
)
_OCT_LENGTH = "an oct key has 1 to 1024 bytes, and this one has {}; make a new one"
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7  # y of order 8, as is -y
_U_OF_ORDER_8 = [  # cr.yp.to/ecdh.html, "small-order points"
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param(Key("ed25519", secret=Secret(bytes(31))), _ED25519_SECRET, id="ed25519-secret-short"),
        pytest.param(Key("ed25519", secret=Secret(bytes(64))), _ED25519_SECRET, id="ed25519-secret-with-public"),
        pytest.param(Key("ed25519", secret=Secret(b"")), _ED25519_SECRET, id="ed25519-secret-empty"),
        pytest.param(Key("ed25519", public=bytes(31)), _ED25519_PUBLIC, id="ed25519-public-short"),
        pytest.param(Key("ed25519", public=bytes(33)), _ED25519_PUBLIC, id="ed25519-public-long"),
        pytest.param(Key("ed25519", public=b""), _ED25519_PUBLIC, id="ed25519-public-empty"),
        pytest.param(Key("ed25519", public=_little(_P)), _ED25519_NOT_CANONICAL, id="ed25519-y-is-p"),
        pytest.param(Key("ed25519", public=_little(_P + 2**255)), _ED25519_NOT_CANONICAL, id="ed25519-y-is-p-minus-x"),
        pytest.param(Key("ed25519", public=_little(_P + 3)), _ED25519_NOT_CANONICAL, id="ed25519-y-over-p"),
        pytest.param(Key("ed25519", public=_little(2**256 - 1)), _ED25519_NOT_CANONICAL, id="ed25519-all-ones"),
        pytest.param(Key("ed25519", public=_little(2)), _ED25519_NO_POINT, id="ed25519-no-point"),
        pytest.param(Key("ed25519", public=_little(1)), _ED25519_LOW_ORDER, id="ed25519-order-1"),
        pytest.param(Key("ed25519", public=_little(1 + 2**255)), _ED25519_LOW_ORDER, id="ed25519-order-1-minus-0"),
        pytest.param(Key("ed25519", public=_little(_P - 1)), _ED25519_LOW_ORDER, id="ed25519-order-2"),
        pytest.param(Key("ed25519", public=bytes(32)), _ED25519_LOW_ORDER, id="ed25519-order-4"),
        pytest.param(Key("ed25519", public=_little(2**255)), _ED25519_LOW_ORDER, id="ed25519-order-4-minus"),
        pytest.param(Key("ed25519", public=_little(_ORDER_8)), _ED25519_LOW_ORDER, id="ed25519-order-8"),
        pytest.param(Key("ed25519", public=_little(_P - _ORDER_8)), _ED25519_LOW_ORDER, id="ed25519-order-8-minus-y"),
        pytest.param(
            Key("ed25519", public=_little(_ORDER_8 + 2**255)), _ED25519_LOW_ORDER, id="ed25519-order-8-minus-x"
        ),
        pytest.param(Key("x25519", secret=Secret(bytes(33))), _X25519_SECRET, id="x25519-secret-long"),
        pytest.param(Key("x25519", public=b"\x09"), _X25519_PUBLIC, id="x25519-public-short"),
        pytest.param(Key("x25519", public=bytes(32)), _X25519_LOW_ORDER, id="x25519-zero"),
        pytest.param(Key("x25519", public=_little(1)), _X25519_LOW_ORDER, id="x25519-one"),
        pytest.param(Key("x25519", public=_little(2**255)), _X25519_LOW_ORDER, id="x25519-zero-spare-bit"),
        pytest.param(Key("x25519", public=_little(_P - 1)), _X25519_LOW_ORDER, id="x25519-p-minus-1"),
        pytest.param(Key("x25519", public=_little(_P)), _X25519_LOW_ORDER, id="x25519-p"),
        pytest.param(Key("x25519", public=_little(_P + 1)), _X25519_LOW_ORDER, id="x25519-p-plus-1"),
        pytest.param(Key("x25519", public=bytes.fromhex(_U_OF_ORDER_8[0])), _X25519_LOW_ORDER, id="x25519-order-8-a"),
        pytest.param(Key("x25519", public=bytes.fromhex(_U_OF_ORDER_8[1])), _X25519_LOW_ORDER, id="x25519-order-8-b"),
        pytest.param(Key("oct", secret=Secret(b"")), _OCT_LENGTH.format(0), id="oct-empty"),
        pytest.param(Key("oct", secret=Secret(bytes(1025))), _OCT_LENGTH.format(1025), id="oct-long"),
        pytest.param(
            Key("oct"),
            "this oct key has no secret half, and an oct key is nothing else; give the octets",
            id="oct-no-secret",
        ),
        pytest.param(
            Key("oct", secret=Secret(bytes(32)), public=b"x"),
            "an oct key has no public half, for whoever verifies can sign; leave it out",
            id="oct-public",
        ),
    ],
)
def test_complete_refuses(types: Mapping[str, KeyType], key: Key, message: str) -> None:
    """A wrong half is refused with the rule that it breaks."""
    with pytest.raises(InvalidKeyError) as caught:
        types[key.type].complete(key)

    assert str(caught.value) == message


@pytest.mark.parametrize("name", _TWO_HALVES)
def test_halves_belong_together(types: Mapping[str, KeyType], keys: Mapping[str, Key], name: str) -> None:
    """A public half that is not the secret half's own is refused, though each is fine by itself."""
    own = keys[name].public or b""
    wrong = own[:-1] + bytes([own[-1] ^ 1])

    with pytest.raises(InvalidKeyError) as caught:
        types[name].complete(Key(name, secret=keys[name].secret, public=wrong))

    assert str(caught.value) == (
        f"the public half of this {name} key does not belong to its secret half; import a key whose halves match"
    )


@pytest.mark.parametrize("name", _TWO_HALVES)
def test_no_half_at_all(types: Mapping[str, KeyType], name: str) -> None:
    """A key without halves is none."""
    with pytest.raises(InvalidKeyError) as caught:
        types[name].complete(Key(name))

    assert str(caught.value) == f"this {name} key has neither a secret nor a public half; give at least one"
