"""Keys on NIST curves that are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest

from keywright import Key, KeyType, Secret
from keywright.errors import InvalidKeyError

_ORDERS: Final = {  # SEC 2 §2.4.2, §2.5.1, §2.6.1
    "ec-p256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ec-p384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "ec-p521": 2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
}
_BYTES: Final = {"ec-p256": 32, "ec-p384": 48, "ec-p521": 66}


@pytest.mark.parametrize("name", list(_BYTES))
@pytest.mark.parametrize("difference", [-1, 1])
def test_scalars_have_a_fixed_length(types: Mapping[str, KeyType], name: str, difference: int) -> None:
    """A scalar without its leading zeros, or with more, is refused (RFC 7518 §6.2.2.1)."""
    key = Key(name, secret=Secret((1).to_bytes(_BYTES[name] + difference, "big")))

    with pytest.raises(InvalidKeyError) as caught:
        types[name].complete(key)

    assert str(caught.value) == (
        f"the secret half of an {name} key has {_BYTES[name]} bytes (RFC 7518 §6.2.2.1); pad it with leading zeros, "
        "or check the curve"
    )


@pytest.mark.parametrize("name", list(_BYTES))
@pytest.mark.parametrize("use", ["complete", "signer", "verifier"])
@pytest.mark.parametrize("case", ["zero", "order", "over order", "all ones"])
def test_scalars_have_a_range(types: Mapping[str, KeyType], name: str, use: str, case: str) -> None:
    """A scalar that is zero, or the order of the curve or more, is refused wherever it is used."""
    size = _BYTES[name]
    number = {"zero": 0, "order": _ORDERS[name], "over order": _ORDERS[name] + 1, "all ones": 2 ** (8 * size) - 1}[case]
    key = Key(name, secret=Secret(number.to_bytes(size, "big")))
    arguments = (key,) if use == "complete" else (key, types[name].algorithms[0])

    with pytest.raises(InvalidKeyError) as caught:
        getattr(types[name], use)(*arguments)

    assert str(caught.value) == (
        f"the secret half of an {name} key is a number from 1 to the order of the curve less 1; import another key"
    )


@pytest.mark.parametrize("name", list(_BYTES))
def test_largest_and_smallest_scalar(types: Mapping[str, KeyType], name: str) -> None:
    """1 and n - 1 are scalars, and their points have the same x."""
    one, last = (
        types[name].complete(Key(name, secret=Secret(number.to_bytes(_BYTES[name], "big")))).public
        for number in (1, _ORDERS[name] - 1)
    )

    assert one is not None
    assert last is not None
    assert one != last
    assert one[: 1 + _BYTES[name]] == last[: 1 + _BYTES[name]]


@pytest.mark.parametrize("name", list(_BYTES))
@pytest.mark.parametrize("case", ["identity", "compressed", "hybrid", "no prefix", "cut", "longer", "empty", "other"])
def test_points_are_uncompressed(types: Mapping[str, KeyType], keys: Mapping[str, Key], name: str, case: str) -> None:
    """Only the uncompressed form of a point is a public half; the identity has none."""
    good = keys[name].public or b""
    half = 1 + _BYTES[name]
    public = {
        "identity": b"\0",
        "compressed": bytes([2 + good[-1] % 2]) + good[1:half],
        "hybrid": bytes([6 + good[-1] % 2]) + good[1:],
        "no prefix": good[1:],
        "cut": good[:-1],
        "longer": good + b"\0",
        "empty": b"",
        "other": keys["ec-p384" if name == "ec-p256" else "ec-p256"].public or b"",
    }[case]

    with pytest.raises(InvalidKeyError) as caught:
        types[name].complete(Key(name, public=public))

    assert str(caught.value) == (
        f"the public half of an {name} key is an uncompressed point, byte 04 and {2 * _BYTES[name]} more "
        "(SEC 1 §2.3.3); decompress it, or check the curve"
    )


@pytest.mark.parametrize("name", list(_BYTES))
@pytest.mark.parametrize("case", ["y changed", "zeros", "x over the field"])
def test_points_are_on_the_curve(types: Mapping[str, KeyType], keys: Mapping[str, Key], name: str, case: str) -> None:
    """A pair of coordinates that is no point of the curve is refused, by complete and verifier alike."""
    good, size = keys[name].public or b"", _BYTES[name]
    public = {
        "y changed": good[:-1] + bytes([good[-1] ^ 1]),
        "zeros": b"\4" + bytes(2 * size),
        "x over the field": b"\4" + b"\xff" * size + good[1 + size :],
    }[case]

    for call in (
        lambda: types[name].complete(Key(name, public=public)),
        lambda: types[name].verifier(Key(name, public=public), types[name].algorithms[0]),
    ):
        with pytest.raises(InvalidKeyError) as caught:
            call()

        assert str(caught.value) == f"the public half of this {name} key is no point of the curve; import another key"
