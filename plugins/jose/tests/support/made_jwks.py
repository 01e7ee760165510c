"""Keys of each kind, and JWKs that are made by hand, so that they may be wrong."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

Jwk = dict[str, Any]

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
MODULUS = RSA.public_key().public_numbers().n
ONE_KEY = "this is a JWK Set (RFC 7517 §5), and one key is needed here; pass one of its keys"


def text(octets: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(octets).decode().rstrip("=")


def number(value: int) -> str:
    """Base64urlUInt (RFC 7518 §2)."""
    return text(value.to_bytes((value.bit_length() + 7) // 8))


def oct_key(octets: bytes, **more: object) -> Jwk:
    """An `oct` JWK."""
    return {"kty": "oct", "k": text(octets), **more}


def rsa_key(modulus: int, exponent: int = 65537, **more: object) -> Jwk:
    """A public RSA JWK."""
    return {"kty": "RSA", "n": number(modulus), "e": number(exponent), **more}


def ed_key(point: bytes) -> Jwk:
    """A public Ed25519 JWK."""
    return {"kty": "OKP", "crv": "Ed25519", "x": text(point), "alg": "EdDSA"}
