"""Keys, and signed tokens without a fault or with the one that is asked for, made without the library under test."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA512

Jwk = dict[str, Any]
Make = Callable[[bytes], bytes]
HEADER = b'{"alg":"HS256"}'
PAYLOAD = b'{"sub":"a"}'


def text(octets: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(octets).decode().rstrip("=")


def octets(text_: str) -> bytes:
    """What it spells."""
    return urlsafe_b64decode(text_ + "=" * (-len(text_) % 4))


def number(value: int) -> str:
    """Base64urlUInt (RFC 7518 §2)."""
    return text(value.to_bytes((value.bit_length() + 7) // 8))


# RFC 7515 A.1.1
SECRET = octets("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
OCT: Jwk = {"kty": "oct", "k": text(SECRET), "alg": "HS256"}
EC: Jwk = {  # RFC 7515 A.3.1
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
    "alg": "ES256",
}
ED: Jwk = {  # RFC 8037 A.1
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "alg": "EdDSA",
}
X25519: Jwk = {  # RFC 7748 §6.1, Bob
    "kty": "OKP",
    "crv": "X25519",
    "d": "XasIfmJKikt54X-Lg4AO5m87sSkmGLb9HC-LJ_-I4Os",
    "x": "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08",
}


def public(key: Jwk) -> Jwk:
    """Without what is secret."""
    return {name: value for name, value in key.items() if name not in ("d", "p", "q", "dp", "dq", "qi")}


def without(key: Jwk, *names: str) -> Jwk:
    """Without these members."""
    return {name: value for name, value in key.items() if name not in names}


@cache
def rsa_key(bits: int = 2048, exponent: int = 65537) -> rsa.RSAPrivateKey:
    """One of each kind."""
    return rsa.generate_private_key(exponent, bits)


@cache
def roca_key() -> rsa.RSAPrivateKey:
    """A key of the form that can be factored: both primes are k·M + (65537^a mod M) (Nemec et al. 2017, §2)."""
    product = 1
    for prime in (n for n in range(2, 702) if all(n % divisor for divisor in range(2, n))):
        product *= prime
    p, q = (
        k * product + pow(65537, a, product)
        for k, a in ((8746401861818661, 803901945496), (8956076664194932, 67209823319))
    )
    d = pow(65537, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPublicNumbers(65537, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), numbers).private_key()


def rsa_jwk(key: rsa.RSAPrivateKey, **more: object) -> Jwk:
    """All of its numbers."""
    numbers = key.private_numbers()
    parts = {"n": numbers.public_numbers.n, "e": numbers.public_numbers.e, "d": numbers.d, "p": numbers.p}
    parts |= {"q": numbers.q, "dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}
    return {"kty": "RSA", **{name: number(value) for name, value in parts.items()}, **more}


@cache
def _rsa_members() -> str:
    return json.dumps(rsa_jwk(rsa_key(), alg="RS256"))


def sound_rsa(**more: object) -> Jwk:
    """A sound private key for RS256."""
    return {**json.loads(_rsa_members()), **more}


def hs256(message: bytes, secret: bytes = SECRET, hash_: str = "sha256") -> bytes:
    """HMAC."""
    return hmac.digest(secret, message, hash_)


def by_secret(secret: bytes) -> Make:
    """HMAC with SHA-256 under another secret."""
    return lambda message: hs256(message, secret)


def rs256(key: rsa.RSAPrivateKey) -> Make:
    """RSASSA-PKCS1-v1_5."""
    return lambda message: key.sign(message, padding.PKCS1v15(), SHA256())


def ps256(salt: int = 32, *, old_mask: bool = False) -> Make:
    """RSASSA-PSS with a salt of so many bytes, and a mask of SHA-1 if that is wanted."""
    mask = padding.MGF1(SHA1() if old_mask else SHA256())
    return lambda message: rsa_key().sign(message, padding.PSS(mask, salt), SHA256())


def es256(message: bytes) -> bytes:
    """ECDSA, r ‖ s."""
    r, s = decode_dss_signature(es256_der(message))
    return r.to_bytes(32) + s.to_bytes(32)


def es256_der(message: bytes) -> bytes:
    """ECDSA, as X.509 writes it."""
    return ec.derive_private_key(int.from_bytes(octets(EC["d"])), ec.SECP256R1()).sign(message, ec.ECDSA(SHA256()))


def es512_by_p256(message: bytes) -> bytes:
    """ECDSA with the hash of ES512."""
    key = ec.derive_private_key(int.from_bytes(octets(EC["d"])), ec.SECP256R1())
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA512())))
    return r.to_bytes(32) + s.to_bytes(32)


def eddsa(message: bytes) -> bytes:
    """Ed25519."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(octets(ED["d"])).sign(message)


def signed(first: str, second: str, make: Make = hs256) -> str:
    """The token of these two segments, whatever they are, with the right signature."""
    return f"{first}.{second}.{text(make(f'{first}.{second}'.encode()))}"


def token(header: bytes = HEADER, payload: bytes = PAYLOAD, make: Make = hs256) -> str:
    """The token of this header and payload, whatever they are, with the right signature."""
    return signed(text(header), text(payload), make)


def headed(algorithm: str) -> bytes:
    """A header of an `alg` alone."""
    return json.dumps({"alg": algorithm}, separators=(",", ":")).encode()
