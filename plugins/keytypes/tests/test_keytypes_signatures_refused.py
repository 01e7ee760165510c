"""Signatures that do not hold though they look nearly right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_private_key

from keywright import Key, KeyType
from keywright.errors import InvalidSignatureError

_NO_MATCH: Final = "the signature does not hold for this message and key; check that the three belong together"
_MESSAGE: Final = b"what is signed"
_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES: Final = [
    pytest.param("ec-p256", "ES256", ec.SECP256R1(), 32, id="ec-p256"),
    pytest.param("ec-p384", "ES384", ec.SECP384R1(), 48, id="ec-p384"),
    pytest.param("ec-p521", "ES512", ec.SECP521R1(), 66, id="ec-p521"),
]
_RSA = ["PS256", "PS384", "PS512", "RS256", "RS384", "RS512"]
_EVERY = [
    ("ed25519", "EdDSA"),
    ("ec-p256", "ES256"),
    ("ec-p384", "ES384"),
    ("ec-p521", "ES512"),
    *(("rsa", algorithm) for algorithm in _RSA),
    *(("oct", algorithm) for algorithm in ("HS256", "HS384", "HS512")),
]


def _secret(key: Key) -> bytes:
    assert key.secret is not None
    return key.secret.reveal()


def _rsa_padding(algorithm: str, salt_length: int | None = None) -> padding.AsymmetricPadding:
    if algorithm.startswith("RS"):
        return padding.PKCS1v15()
    digest = _HASHES[algorithm[2:]]
    return padding.PSS(padding.MGF1(digest), digest.digest_size if salt_length is None else salt_length)


@pytest.mark.parametrize(("name", "algorithm"), [pair for pair in _EVERY if not pair[0].startswith("ec")])
@pytest.mark.parametrize("change", ["empty", "cut", "longer", "zero in front"])
def test_signatures_have_one_length(
    types: Mapping[str, KeyType], keys: Mapping[str, Key], name: str, algorithm: str, change: str
) -> None:
    """A signature that was cut or padded does not hold."""
    good = types[name].signer(keys[name], algorithm)(_MESSAGE)
    bad = {"empty": b"", "cut": good[:-1], "longer": good + b"\0", "zero in front": b"\0" + good}[change]

    with pytest.raises(InvalidSignatureError) as caught:
        types[name].verifier(keys[name], algorithm)(_MESSAGE, bad)

    assert str(caught.value) == _NO_MATCH


@pytest.mark.parametrize(("name", "algorithm", "curve", "size"), _CURVES)
@pytest.mark.parametrize("change", ["empty", "cut", "longer", "zero in front", "DER"])
def test_ecdsa_signatures_have_one_length(
    types: Mapping[str, KeyType],
    keys: Mapping[str, Key],
    name: str,
    algorithm: str,
    curve: ec.EllipticCurve,
    size: int,
    change: str,
) -> None:
    """An ECDSA signature of another length, DER above all, is refused by the length that it should have."""
    good = types[name].signer(keys[name], algorithm)(_MESSAGE)
    r, s = int.from_bytes(good[:size], "big"), int.from_bytes(good[size:], "big")
    bad = {
        "empty": b"",
        "cut": good[:-1],
        "longer": good + b"\0",
        "zero in front": b"\0" + good,
        "DER": encode_dss_signature(r, s),
    }[change]

    with pytest.raises(InvalidSignatureError) as caught:
        types[name].verifier(keys[name], algorithm)(_MESSAGE, bad)

    assert str(caught.value) == (
        f"an {algorithm} signature is r ‖ s, {2 * size} bytes (RFC 7518 §3.4); convert one that is in DER"
    )


@pytest.mark.parametrize("case", ["r is 0", "s is 0", "r is n", "s is n", "r + n", "s + n", "largest"])
def test_ecdsa_numbers_have_a_range(types: Mapping[str, KeyType], keys: Mapping[str, Key], case: str) -> None:
    """r and s from 1 to n - 1 only: r + n is the same number to a verifier that reduces, and must not hold."""
    n = 2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7  # SEC 2 §2.6.1
    good = types["ec-p521"].signer(keys["ec-p521"], "ES512")(_MESSAGE)
    r, s = int.from_bytes(good[:66], "big"), int.from_bytes(good[66:], "big")
    bad = {
        "r is 0": (0, s),
        "s is 0": (r, 0),
        "r is n": (n, s),
        "s is n": (r, n),
        "r + n": (r + n, s),
        "s + n": (r, s + n),
        "largest": (2**528 - 1, 2**528 - 1),
    }[case]

    with pytest.raises(InvalidSignatureError) as caught:
        types["ec-p521"].verifier(keys["ec-p521"], "ES512")(_MESSAGE, b"".join(x.to_bytes(66, "big") for x in bad))

    assert str(caught.value) == _NO_MATCH


def test_ecdsa_keeps_leading_zeros(types: Mapping[str, KeyType], keys: Mapping[str, Key]) -> None:
    """A small r is padded to the length of the field."""
    sign = types["ec-p256"].signer(keys["ec-p256"], "ES256")

    signature = next(made for made in (sign(_MESSAGE) for _ in range(100_000)) if made[0] == 0)

    assert len(signature) == 64
    types["ec-p256"].verifier(keys["ec-p256"], "ES256")(_MESSAGE, signature)


def test_rsa_signatures_keep_leading_zeros(types: Mapping[str, KeyType], keys: Mapping[str, Key]) -> None:
    """A PSS signature without its leading zero is refused (RFC 8017 §8.1.2 step 1), with it it holds."""
    sign, verify = types["rsa"].signer(keys["rsa"], "PS256"), types["rsa"].verifier(keys["rsa"], "PS256")
    signature = next(made for made in (sign(_MESSAGE) for _ in range(20_000)) if made[0] == 0)

    verify(_MESSAGE, signature)
    with pytest.raises(InvalidSignatureError) as caught:
        verify(_MESSAGE, signature[1:])

    assert str(caught.value) == _NO_MATCH


@pytest.mark.parametrize("algorithm", ["PS256", "PS384", "PS512"])
@pytest.mark.parametrize("difference", [-1, 1, None])
def test_pss_salts_are_as_long_as_the_hash(
    types: Mapping[str, KeyType], keys: Mapping[str, Key], algorithm: str, difference: int | None
) -> None:
    """RFC 7518 §3.5: a signature with a salt of another length, or none, does not hold."""
    digest = _HASHES[algorithm[2:]]
    length = 0 if difference is None else digest.digest_size + difference
    private = load_der_private_key(_secret(keys["rsa"]), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    signature = private.sign(_MESSAGE, _rsa_padding(algorithm, length), digest)

    with pytest.raises(InvalidSignatureError) as caught:
        types["rsa"].verifier(keys["rsa"], algorithm)(_MESSAGE, signature)

    assert str(caught.value) == _NO_MATCH


@pytest.mark.parametrize("signed", _RSA)
@pytest.mark.parametrize("checked", _RSA)
def test_rsa_algorithms_are_not_mixed(
    types: Mapping[str, KeyType], keys: Mapping[str, Key], signed: str, checked: str
) -> None:
    """A signature holds under the algorithm that made it and under no other."""
    signature = types["rsa"].signer(keys["rsa"], signed)(_MESSAGE)
    verify = types["rsa"].verifier(keys["rsa"], checked)

    if signed == checked:
        verify(_MESSAGE, signature)
    else:
        with pytest.raises(InvalidSignatureError):
            verify(_MESSAGE, signature)


def test_ed25519_scalars_have_a_range(types: Mapping[str, KeyType], keys: Mapping[str, Key]) -> None:
    """S + L is refused (RFC 8032 §5.1.7 step 1), or every signature would have a twin."""
    order = 2**252 + 27742317777372353535851937790883648493  # RFC 8032 §5.1
    good = types["ed25519"].signer(keys["ed25519"], "EdDSA")(_MESSAGE)
    twin = good[:32] + (int.from_bytes(good[32:], "little") + order).to_bytes(32, "little")

    with pytest.raises(InvalidSignatureError) as caught:
        types["ed25519"].verifier(keys["ed25519"], "EdDSA")(_MESSAGE, twin)

    assert str(caught.value) == _NO_MATCH
