"""Signatures that differ from a good one as little as can be: none holds, whatever the algorithm."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jose_support import ED, MODULUS, RSA, oct_key, refused, rsa_key, text

from keywright.errors import InvalidSignatureError
from keywright_jose import verify
from keywright_jose._jose import verifying_key
from keywright_jose.jwk.inputs import hide_key, one_key

Sign = Callable[[bytes], bytes]

CURVES = {"ES256": ec.generate_private_key(ec.SECP256R1()), "ES384": ec.generate_private_key(ec.SECP384R1()),
          "ES512": ec.generate_private_key(ec.SECP521R1())}  # fmt: skip
ORDERS = {  # FIPS 186-4 §D.1.2
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "ES512": 2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
}
OCTETS = bytes(range(64))
HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
ALGORITHMS = [*(f"{family}{bits}" for family in ("HS", "RS", "PS", "ES") for bits in (256, 384, 512)), "EdDSA"]


def key_of(algorithm: str) -> dict[str, Any]:
    if algorithm.startswith("HS"):
        return oct_key(OCTETS)
    if algorithm == "EdDSA":
        return {"kty": "OKP", "crv": "Ed25519", "x": text(ED.public_key().public_bytes_raw())}
    if algorithm.startswith("ES"):
        point = CURVES[algorithm].public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
        curve = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[algorithm]
        return {"kty": "EC", "crv": curve, "x": text(point[: len(point) // 2]), "y": text(point[len(point) // 2 :])}
    return rsa_key(MODULUS)


def pss(message: bytes, hash_: hashes.HashAlgorithm, salt: int, mask: hashes.HashAlgorithm | None = None) -> bytes:
    return RSA.sign(message, padding.PSS(padding.MGF1(mask or hash_), salt), hash_)


def signature(algorithm: str, message: bytes) -> bytes:
    """A good signature, made by the library and not by us."""
    hash_ = HASHES.get(algorithm[-3:], hashes.SHA512())
    if algorithm.startswith("HS"):
        return hmac.digest(OCTETS, message, hash_.name)
    if algorithm.startswith("RS"):
        return RSA.sign(message, padding.PKCS1v15(), hash_)
    if algorithm.startswith("PS"):
        return pss(message, hash_, hash_.digest_size)
    if algorithm == "EdDSA":
        return ED.sign(message)
    key = CURVES[algorithm]
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hash_)))
    return r.to_bytes((key.key_size + 7) // 8) + s.to_bytes((key.key_size + 7) // 8)


def token_of(algorithm: str, sign: Sign) -> str:
    header = b'{"alg":"%s"}' % algorithm.encode()
    message = f"{text(header)}.{text(b'{}')}"
    return f"{message}.{text(sign(message.encode()))}"


def check(algorithm: str, sign: Sign) -> None:
    assert refused(verify, token_of(algorithm, sign), key_of(algorithm), algorithms=[algorithm]) == (
        InvalidSignatureError,
        "the signature of the token does not hold; it was changed, or made with another key: refuse it",
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_librarys_own_signature_holds(algorithm: str) -> None:
    token = token_of(algorithm, lambda message: signature(algorithm, message))

    assert verify(token, key_of(algorithm), algorithms=[algorithm]).header == {"alg": algorithm}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda good: good[:-1], id="a byte less"),
        pytest.param(lambda good: good[1:], id="the first byte less"),
        pytest.param(lambda good: good + b"\0", id="zero after"),
        pytest.param(lambda good: b"\0" + good, id="zero before"),
        pytest.param(lambda good: good + good, id="twice"),
        pytest.param(lambda good: good[: len(good) // 2], id="half"),
        pytest.param(lambda good: b"", id="empty"),
        pytest.param(lambda good: bytes(len(good)), id="zeros"),
        pytest.param(lambda good: b"\xff" * len(good), id="ones"),
        pytest.param(lambda good: bytes([good[0] ^ 1]) + good[1:], id="first bit"),
        pytest.param(lambda good: good[:-1] + bytes([good[-1] ^ 1]), id="last bit"),
        pytest.param(lambda good: good[::-1], id="backwards"),
    ],
)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_changed_signature_does_not_hold(algorithm: str, change: Callable[[bytes], bytes]) -> None:
    check(algorithm, lambda message: change(signature(algorithm, message)))


@pytest.mark.parametrize("other", ALGORITHMS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_of_another_algorithm_does_not_hold(algorithm: str, other: str) -> None:
    """A header that says one algorithm over the signature of another, with the same key where there is one."""
    if algorithm != other:
        check(algorithm, lambda message: signature(other, message))


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512"])
def test_ecdsa_numbers_out_of_range_do_not_hold(algorithm: str) -> None:
    """r and s are from 1 to n - 1 (FIPS 186-4 §6.4.2): no zero, no order, nothing beyond (CVE-2022-21449)."""
    size, order = (CURVES[algorithm].key_size + 7) // 8, ORDERS[algorithm]

    for r, s in ((0, 0), (0, 1), (1, 0), (1, 1), (order, order), (order, 1), (1, order), (order - 1, order),
                 (0, order), (2 ** (8 * size) - 1, 1)):  # fmt: skip
        check(algorithm, lambda _, r=r, s=s: r.to_bytes(size) + s.to_bytes(size))  # type: ignore[misc]

    def beyond(message: bytes) -> bytes:
        # The same numbers, to whoever reduces them: r + n where that fits.
        r = int.from_bytes(signature(algorithm, message)[:size]) + order
        return (r & (1 << 8 * size) - 1).to_bytes(size) + signature(algorithm, message)[size:]

    check(algorithm, beyond)


@pytest.mark.parametrize("bits", ["256", "384", "512"])
def test_pss_has_a_salt_as_long_as_the_hash(bits: str) -> None:
    """Another length of salt, or another hash in the mask, does not hold (RFC 7518 §3.5)."""
    hash_ = HASHES[bits]

    for salt in (0, 1, hash_.digest_size - 1, hash_.digest_size + 1, 256 - hash_.digest_size - 2):
        check(f"PS{bits}", lambda message, salt=salt: pss(message, hash_, salt))  # type: ignore[misc]
    check(f"PS{bits}", lambda message: pss(message, hash_, hash_.digest_size, hashes.SHA1()))


def test_rsa_numbers_beyond_the_modulus_do_not_hold() -> None:
    """A signature is less than the modulus (RFC 8017 §8.2.2); adding that changes nothing to whoever reduces it."""

    def beyond(message: bytes) -> bytes:
        return ((int.from_bytes(signature("RS256", message)) + MODULUS) % 2**2048).to_bytes(256)

    check("RS256", beyond)
    check("PS256", lambda message: MODULUS.to_bytes(256))


def test_rsa_padding_with_room_for_more_does_not_hold() -> None:
    """What is padded is the hash and nothing beside it (CVE-2006-4339): here with another algorithm's parameters."""
    check("RS256", lambda message: RSA.sign(message, padding.PKCS1v15(), hashes.SHA1()))


@pytest.mark.parametrize("y", [0, 1, 2**255 - 20])
def test_ed25519_points_of_low_order_sign_nothing(y: int) -> None:
    """An R of low order with an S of zero holds for many messages under a key of low order, and under none here."""
    check("EdDSA", lambda _: y.to_bytes(32, "little") + bytes(32))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_length_is_checked_before_the_library_is_asked(monkeypatch: pytest.MonkeyPatch, algorithm: str) -> None:
    """Were a library to take everything, another length would still be refused."""
    _, length = verifying_key(one_key(hide_key(key_of(algorithm))), algorithm)
    monkeypatch.setattr("keywright_jose._jose.verifying_key", lambda *_: (lambda *_: True, length))

    assert length == len(signature(algorithm, b""))
    assert verify(token_of(algorithm, lambda _: bytes(length)), key_of(algorithm), algorithms=[algorithm])
    for size in (0, length // 2, length - 1, length + 1, 2 * length):
        check(algorithm, lambda _, size=size: bytes(size))  # type: ignore[misc]
