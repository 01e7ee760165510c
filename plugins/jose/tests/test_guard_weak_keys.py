"""Hostile keys by their numbers: moduli, exponents, points and halves under which others could sign, or nobody."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from made_jwks import MODULUS, RSA, ed_key, rsa_key, text

from keywright.errors import InvalidKeyError, KeywrightError, MalformedKeyError
from keywright_jose import create_curve_key, create_rsa_key, signer, verifier
from keywright_jose.keys import check_rsa, is_roca

Refusal = Callable[[Callable[[], object]], KeywrightError]

P = 2**255 - 19
OFF_CURVE = "the point of the key is not on its curve; get the key again from whoever published it"
LOW_ORDER = "the point of the Ed25519 key is of low order or not canonical, so that anybody could sign; remove the key"
HALVES = "the halves of the key do not belong together; export it again from the program that made it"
FEW_BITS = "an RSA key has at least 2048 bits (RFC 7518 §3.3); make a larger one"
EXPONENT = "the exponent of an RSA key is odd, 65537 at least, and has at most 256 bits; make a new key"
EVEN = "the modulus of an RSA key is odd; export the key again from the program that made it"
ROCA = "this RSA key was made by a faulty chip and can be factored (CVE-2017-15361); make a new one elsewhere"


def roca_modulus(bits: int) -> int:
    """A modulus as the faulty library made them: k·M + (65537^a mod M) (Nemec et al. 2017, §2)."""
    product = 1
    for prime in (number for number in range(2, 168) if all(number % divisor for divisor in range(2, number))):
        product *= prime
    multiple = (1 << (bits - 1)) // product + 1
    while True:
        modulus = multiple * product + pow(65537, 0xC0FFEE, product)
        if modulus.bit_length() == bits and modulus % 2:
            return modulus
        multiple += 1


def test_a_modulus_of_the_faulty_chips_is_known() -> None:
    """The form is told from its remainders, and hardly any other modulus has it (CVE-2017-15361)."""
    assert is_roca(roca_modulus(2048))
    assert is_roca(roca_modulus(4096))
    assert not is_roca(roca_modulus(2048) + 2)
    assert not is_roca(RSA.public_key().public_numbers().n)


@pytest.mark.parametrize(
    ("modulus", "exponent", "message"),
    [
        pytest.param(MODULUS >> 1024 | 1, 65537, FEW_BITS, id="1024 bits"),
        pytest.param(MODULUS >> 1 | 1, 65537, FEW_BITS, id="2047 bits"),
        pytest.param(MODULUS, 3, EXPONENT, id="e=3"),
        pytest.param(MODULUS, 17, EXPONENT, id="e=17"),
        pytest.param(MODULUS, 65535, EXPONENT, id="e=65535"),
        pytest.param(MODULUS, (1 << 256) + 1, EXPONENT, id="e of 257 bits"),
        pytest.param(MODULUS - 1, 65537, EVEN, id="even modulus"),
        pytest.param(roca_modulus(2048), 65537, ROCA, id="ROCA"),
    ],
)
def test_weak_rsa_keys_are_refused(refusal: Refusal, modulus: int, exponent: int, message: str) -> None:
    """Fewer than 2048 bits, small and huge exponents, and moduli that can be factored."""
    key = rsa_key(modulus, exponent)

    error = refusal(partial(verifier, key, algorithms=["RS256", "PS256"]))

    assert (type(error), str(error)) == (InvalidKeyError, message)


@pytest.mark.parametrize(
    ("modulus", "exponent", "message"),
    [
        pytest.param(MODULUS, 65538, EXPONENT, id="even exponent"),
        pytest.param(MODULUS, 1, EXPONENT, id="e=1"),
    ],
)
def test_impossible_rsa_keys_are_refused(refusal: Refusal, modulus: int, exponent: int, message: str) -> None:
    """What no JWK can bring in, for the library refuses it before, is refused here too."""
    error = refusal(partial(check_rsa, modulus, exponent))

    assert (type(error), str(error)) == (InvalidKeyError, message)
    assert isinstance(refusal(partial(verifier, rsa_key(modulus, exponent), algorithms=["RS256"])), MalformedKeyError)


def test_large_exponents_are_taken() -> None:
    """An exponent of 256 bits is within the rule (FIPS 186-5 §A.1.1)."""
    check_rsa(MODULUS, (1 << 256) - 1)


@pytest.mark.parametrize(
    ("curve", "size", "algorithm"), [("P-256", 32, "ES256"), ("P-384", 48, "ES384"), ("P-521", 66, "ES512")]
)
def test_points_off_the_curve_are_refused(refusal: Refusal, curve: Any, size: int, algorithm: str) -> None:
    """Coordinates of no point, beyond the field, and the origin."""
    key = dict(create_curve_key(curve))
    x, y = (urlsafe_b64decode(key[name] + "==") for name in ("x", "y"))
    flipped = text(y[:-1] + bytes([y[-1] ^ 1]))

    for changed in ({"y": flipped}, {"x": text(y), "y": text(x)}, {"x": text(bytes(size)), "y": text(bytes(size))},
                    {"x": text(b"\x01" + b"\xff" * (size - 1))}):  # fmt: skip
        for call in (
            partial(verifier, {**key, **changed}, algorithms=[algorithm]),
            partial(signer, {**key, **changed}, algorithm),
        ):
            error = refusal(call)
            assert (type(error), str(error)) == (InvalidKeyError, OFF_CURVE)


# The y of the points of order 1, 2, 4 and 8, with either sign, and the same beyond the field prime (RFC 8032 §5.1.3).
ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
LOW = [y | sign << 255 for y in (0, 1, P - 1, ORDER_8, P - ORDER_8, P, P + 1, P + 3, 2**255 - 1) for sign in (0, 1)]


@pytest.mark.parametrize("point", LOW, ids=hex)
def test_ed25519_points_under_which_anybody_signs_are_refused(refusal: Refusal, point: int) -> None:
    """Points of low order, and second spellings of points."""
    error = refusal(partial(verifier, ed_key(point.to_bytes(32, "little"))))

    assert (type(error), str(error)) == (InvalidKeyError, LOW_ORDER)


@pytest.mark.parametrize("y", [2, 7, 8])
def test_ed25519_points_off_the_curve_are_refused(refusal: Refusal, y: int) -> None:
    """No x belongs to these."""
    error = refusal(partial(verifier, ed_key(y.to_bytes(32, "little"))))

    assert (type(error), str(error)) == (InvalidKeyError, OFF_CURVE)


@pytest.mark.parametrize(
    ("curve", "algorithm"), [("P-256", "ES256"), ("P-384", "ES384"), ("P-521", "ES512"), ("Ed25519", "EdDSA")]
)
def test_halves_of_two_keys_do_not_sign(refusal: Refusal, curve: Any, algorithm: str) -> None:
    """The secret of one key beside the public half of another is refused before anything is signed."""
    mixed = {**create_curve_key(curve), "d": create_curve_key(curve)["d"]}

    error = refusal(partial(signer, mixed, algorithm))

    assert (type(error), str(error)) == (InvalidKeyError, HALVES)


@pytest.mark.parametrize("scalar", [0, 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551])
def test_scalars_out_of_range_do_not_sign(refusal: Refusal, scalar: int) -> None:
    """Zero and the order of the curve are no secrets (SEC 1 §3.2.1)."""
    key = {**create_curve_key("P-256"), "d": text(scalar.to_bytes(32))}

    error = refusal(partial(signer, key, "ES256"))

    assert (type(error), str(error)) == (InvalidKeyError, HALVES)


def test_halves_of_two_rsa_keys_do_not_sign(refusal: Refusal) -> None:
    """Numbers of two keys are no key, and a `d` of another is none either."""
    one, other = create_rsa_key(2048), create_rsa_key(2048)

    of_two = refusal(partial(signer, {**one, "n": other["n"]}, "RS256"))
    other_d = refusal(partial(signer, {**one, "d": other["d"]}, "RS256"))

    assert type(of_two) is MalformedKeyError
    assert (type(other_d), str(other_d)) == (InvalidKeyError, HALVES)
