"""Which halves are a key: laws over any bytes, and keys that are refused, each with its own message.

RSA keys have test_keytypes_rsa.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings, strategies as st
from nacl.bindings import crypto_core_ed25519_add, crypto_core_ed25519_is_valid_point
from nacl.exceptions import RuntimeError as SodiumRefusalError
from support.errors import text_of

from keywright import Key, KeyType, PointProblem, Secret, ed25519_point_problem
from keywright.errors import InvalidKeyError

Types = Mapping[str, KeyType]
Keys = Mapping[str, Key]

_P: Final = 2**255 - 19
_ORDERS: Final = {  # SEC 2 §2.4.2, §2.5.1, §2.6.1
    "ec-p256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ec-p384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "ec-p521": 2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
}
_BYTES: Final = {"ec-p256": 32, "ec-p384": 48, "ec-p521": 66}
_TWO_HALVES: Final = ["ed25519", "x25519", *_ORDERS, "rsa"]
_FEW: Final = settings(max_examples=15, deadline=None)
_MORE: Final = settings(max_examples=60, deadline=None)
_SEEDS: Final = st.binary(min_size=32, max_size=32)


def _little(number: int) -> bytes:
    return number.to_bytes(32, "little")


def _refusal(types: Types, key: Key, use: str = "validate") -> str:
    algorithms = () if use == "validate" else types[key.type].algorithms[:1]
    with pytest.raises(InvalidKeyError) as caught:
        getattr(types[key.type], use)(key, *algorithms)
    return text_of(caught.value)


@_MORE
@given(seed=_SEEDS)
def test_every_seed_is_an_ed25519_key(types: Types, seed: bytes) -> None:
    key = types["ed25519"].validate(Key("ed25519", secret=Secret(seed)))

    assert key.public == Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert types["ed25519"].validate(key.without_secret()) == key.without_secret()


@settings(max_examples=200, deadline=None)
@given(public=_SEEDS)
def test_ed25519_points_are_libsodiums(public: bytes) -> None:
    """Of any 32 bytes, `ed25519_point_problem` accepts exactly what libsodium decodes, small orders aside."""
    try:
        crypto_core_ed25519_add(public, public)
        decodes = True
    except SodiumRefusalError:
        decodes = False

    problem = ed25519_point_problem(public)

    if problem is not PointProblem.NOT_CANONICAL:  # which this function of libsodium decodes, and its verifier refuses
        assert decodes == (problem in (None, PointProblem.SMALL_ORDER))
    assert problem is None or not crypto_core_ed25519_is_valid_point(public)


@_MORE
@given(scalar=_SEEDS)
def test_every_scalar_is_an_x25519_key(types: Types, scalar: bytes) -> None:
    """Any 32 bytes are a secret half, and the derived public half is a key by itself."""
    key = types["x25519"].validate(Key("x25519", secret=Secret(scalar)))

    assert key.secret == Secret(scalar)
    assert types["x25519"].validate(key.without_secret()) == key.without_secret()


@pytest.mark.parametrize("name", _ORDERS)
@_FEW
@given(data=st.data())
def test_every_scalar_in_range_is_an_ec_key(types: Types, name: str, data: st.DataObject) -> None:
    scalar = data.draw(st.integers(1, _ORDERS[name] - 1))

    key = types[name].validate(Key(name, secret=Secret(scalar.to_bytes(_BYTES[name], "big"))))

    assert types[name].validate(key.without_secret()) == key.without_secret()
    assert types[name].validate(key) == key


@pytest.mark.parametrize("name", _ORDERS)
def test_largest_and_smallest_scalar(types: Types, name: str) -> None:
    """1 and n - 1 are scalars, and their points have the same x."""
    one, last = (
        types[name].validate(Key(name, secret=Secret(number.to_bytes(_BYTES[name], "big")))).public or b""
        for number in (1, _ORDERS[name] - 1)
    )

    assert one != last
    assert one[: 1 + _BYTES[name]] == last[: 1 + _BYTES[name]] != b""


@_MORE
@given(octets=st.binary(min_size=1, max_size=1024))
def test_octets_are_oct_keys(types: Types, octets: bytes) -> None:
    """1 to 1024 bytes are an oct key as they are: what a short one is good for is decided where it is used."""
    key = Key("oct", secret=Secret(octets))

    assert types["oct"].validate(key) == key
    assert types["oct"].bits(key) == 8 * len(octets)


_ED25519_SECRET = "the secret half of an ed25519 key must have 32 bytes (RFC 8032 §5.1.5); pass the seed only"
_ED25519_PUBLIC = "the public half of an ed25519 key must have 32 bytes (RFC 8032 §5.1.5); pass the point only"
_ED25519_NOT_CANONICAL = (
    "the public half of an ed25519 key must encode y below 2^255 - 19 (RFC 8032 §5.1.3); import another key"
)
_ED25519_LOW_ORDER = (
    "the public half of this ed25519 key is a point of low order, for which signatures are forged without a secret; "
    "import another key"
)
_ED25519_NO_POINT = (
    "the public half of this ed25519 key is not a point on the curve (RFC 8032 §5.1.3); import another key"
)
_X25519_SECRET = "the secret half of an x25519 key must have 32 bytes (RFC 7748 §5); pass the scalar only"
_X25519_PUBLIC = "the public half of an x25519 key must have 32 bytes (RFC 7748 §5); pass the u-coordinate only"
_X25519_LOW_ORDER = (
    "the public half of this x25519 key is a point of low order, with which every agreed secret is zero "
    "(RFC 7748 §6.1); import another key"
)
_OCT_LENGTH = "an oct key has 1 to 1024 bytes, and this one has {}; create a new key"
_U_OF_ORDER_8 = [  # cr.yp.to/ecdh.html, "small-order points"
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
]
_REFUSED = {
    # Every point of small order is in core/tests/test_edwards25519.py.
    "ed25519 secret short": (Key("ed25519", secret=Secret(bytes(31))), _ED25519_SECRET),
    "ed25519 secret with public": (Key("ed25519", secret=Secret(bytes(64))), _ED25519_SECRET),
    "ed25519 secret empty": (Key("ed25519", secret=Secret(b"")), _ED25519_SECRET),
    "ed25519 public short": (Key("ed25519", public=bytes(31)), _ED25519_PUBLIC),
    "ed25519 public long": (Key("ed25519", public=bytes(33)), _ED25519_PUBLIC),
    "ed25519 public empty": (Key("ed25519", public=b""), _ED25519_PUBLIC),
    "ed25519 y is p": (Key("ed25519", public=_little(_P)), _ED25519_NOT_CANONICAL),
    "ed25519 no point": (Key("ed25519", public=_little(2)), _ED25519_NO_POINT),
    "ed25519 order 1": (Key("ed25519", public=_little(1)), _ED25519_LOW_ORDER),
    "x25519 secret long": (Key("x25519", secret=Secret(bytes(33))), _X25519_SECRET),
    "x25519 public short": (Key("x25519", public=b"\x09"), _X25519_PUBLIC),
    "x25519 zero": (Key("x25519", public=bytes(32)), _X25519_LOW_ORDER),
    "x25519 one": (Key("x25519", public=_little(1)), _X25519_LOW_ORDER),
    "x25519 zero, spare bit": (Key("x25519", public=_little(2**255)), _X25519_LOW_ORDER),
    "x25519 p - 1": (Key("x25519", public=_little(_P - 1)), _X25519_LOW_ORDER),
    "x25519 p": (Key("x25519", public=_little(_P)), _X25519_LOW_ORDER),
    "x25519 p + 1": (Key("x25519", public=_little(_P + 1)), _X25519_LOW_ORDER),
    "x25519 order 8, first": (Key("x25519", public=bytes.fromhex(_U_OF_ORDER_8[0])), _X25519_LOW_ORDER),
    "x25519 order 8, second": (Key("x25519", public=bytes.fromhex(_U_OF_ORDER_8[1])), _X25519_LOW_ORDER),
    "oct empty": (Key("oct", secret=Secret(b"")), _OCT_LENGTH.format(0)),
    "oct long": (Key("oct", secret=Secret(bytes(1025))), _OCT_LENGTH.format(1025)),
    "oct no secret": (Key("oct"), "this oct key has no secret half, the only half of an oct key; pass the secret"),
    "oct public": (
        Key("oct", secret=Secret(bytes(32)), public=b"x"),
        "an oct key has no public half, because its verifiers can sign; leave it out",
    ),
}


@pytest.mark.parametrize(("key", "message"), _REFUSED.values(), ids=_REFUSED)
def test_an_invalid_half_is_refused_with_the_rule_that_it_breaks(types: Types, key: Key, message: str) -> None:
    assert _refusal(types, key) == message


@pytest.mark.parametrize("name", _TWO_HALVES)
def test_a_key_has_halves_that_belong_together(types: Types, keys: Keys, name: str) -> None:
    own = keys[name].public or b""
    wrong = own[:-1] + bytes([own[-1] ^ 1])

    assert _refusal(types, Key(name)) == f"this {name} key has neither a secret nor a public half; pass at least one"
    assert _refusal(types, Key(name, secret=keys[name].secret, public=wrong)) == (
        f"the public half of this {name} key does not belong to its secret half; import a key whose halves match"
    )


@pytest.mark.parametrize("name", _BYTES)
def test_scalars_have_a_fixed_length(types: Types, name: str) -> None:
    """A scalar without its leading zeros, or with more, is refused (RFC 7518 §6.2.2.1)."""
    for difference in (-1, 1):
        key = Key(name, secret=Secret((1).to_bytes(_BYTES[name] + difference, "big")))
        assert _refusal(types, key) == (
            f"the secret half of an {name} key must have {_BYTES[name]} bytes (RFC 7518 §6.2.2.1); pad it "
            f"with leading zeros, or check the curve"
        )


@pytest.mark.parametrize("name", _BYTES)
@pytest.mark.parametrize("use", ["validate", "signer", "verifier"])
def test_scalars_have_a_range(types: Types, name: str, use: str) -> None:
    size = _BYTES[name]
    for number in (0, _ORDERS[name], _ORDERS[name] + 1, 2 ** (8 * size) - 1):
        assert _refusal(types, Key(name, secret=Secret(number.to_bytes(size, "big"))), use) == (
            f"the secret half of an {name} key must be from 1 to the order of the curve minus 1; import another key"
        )


@pytest.mark.parametrize("name", _BYTES)
def test_points_are_uncompressed(types: Types, keys: Keys, name: str) -> None:
    """Only the uncompressed form of a point is a public half; the identity has none."""
    good = keys[name].public or b""
    spellings = {
        "identity": b"\0",
        "compressed": bytes([2 + good[-1] % 2]) + good[1 : 1 + _BYTES[name]],
        "hybrid": bytes([6 + good[-1] % 2]) + good[1:],
        "no prefix": good[1:],
        "cut": good[:-1],
        "longer": good + b"\0",
        "empty": b"",
        "other curve": keys["ec-p384" if name == "ec-p256" else "ec-p256"].public,
    }

    for spelling, public in spellings.items():
        assert _refusal(types, Key(name, public=public)) == (
            f"the public half of an {name} key must be an uncompressed point, byte 04 and {2 * _BYTES[name]} "
            f"more (SEC 1 §2.3.3); decompress it, or check the curve"
        ), spelling


@pytest.mark.parametrize("name", _BYTES)
@pytest.mark.parametrize("use", ["validate", "verifier"])
def test_points_are_on_the_curve(types: Types, keys: Keys, name: str, use: str) -> None:
    good, size = keys[name].public or b"", _BYTES[name]
    pairs = {
        "y changed": good[:-1] + bytes([good[-1] ^ 1]),
        "zeros": b"\4" + bytes(2 * size),
        "x over the field": b"\4" + b"\xff" * size + good[1 + size :],
    }

    for pair, public in pairs.items():
        assert _refusal(types, Key(name, public=public), use) == (
            f"the public half of this {name} key is not a point on the curve; import another key"
        ), pair
