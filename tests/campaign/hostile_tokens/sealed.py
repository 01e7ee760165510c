"""Encrypted tokens without a fault or with the one that is asked for, made without the library under test."""

from __future__ import annotations

import hmac
import json
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from hostile_tokens.sound import EC, Jwk, octets, rsa_key, text

CONTENT_KEY = bytes(range(32))
WRAPPING_KEY = bytes(range(1, 17))
PLAINTEXT = b'{"sub":"a"}'
IV = bytes(range(12))
EPHEMERAL = 7  # as good a scalar as any for a key that is used once


class Parts(NamedTuple):
    """The segments of a token, decoded but for the first."""

    first: str
    encrypted_key: bytes
    iv: bytes
    ciphertext: bytes
    tag: bytes

    def compact(self) -> str:
        """The token."""
        return ".".join((self.first, *map(text, self[1:])))


def header(**members: object) -> bytes:
    """JSON."""
    return json.dumps(members, separators=(",", ":")).encode()


def with_gcm(head: bytes, plaintext: bytes = PLAINTEXT, key: bytes = CONTENT_KEY, wrapped: bytes = b"") -> Parts:
    """AES-GCM over the content; `wrapped` is how the key comes along."""
    first = text(head)
    made = AESGCM(key).encrypt(IV, plaintext, first.encode())
    return Parts(first, wrapped, IV, made[:-16], made[-16:])


def with_cbc(head: bytes, padded: bytes, key: bytes = CONTENT_KEY) -> Parts:
    """AES-CBC and HMAC-SHA-256 over a content that has its padding already, if it is to have any."""
    first, iv = text(head), bytes(range(16))
    encryptor = Cipher(algorithms.AES(key[16:]), modes.CBC(iv)).encryptor()
    made = encryptor.update(padded) + encryptor.finalize()
    message = first.encode() + iv + made + (len(first) * 8).to_bytes(8)
    return Parts(first, b"", iv, made, hmac.digest(key[:16], message, "sha256")[:16])


def padded(plaintext: bytes = PLAINTEXT) -> bytes:
    """PKCS#7."""
    room = 16 - len(plaintext) % 16
    return plaintext + bytes([room]) * room


def kw(head: bytes, content_key: bytes = CONTENT_KEY, wrapping_key: bytes = WRAPPING_KEY) -> Parts:
    """AES Key Wrap."""
    return with_gcm(head, key=CONTENT_KEY, wrapped=aes_key_wrap(wrapping_key, content_key))


def gcmkw(tag_bytes: int = 16, **changed: object) -> Parts:
    """AES-GCM over the key too."""
    made = AESGCM(WRAPPING_KEY).encrypt(IV, CONTENT_KEY, None)
    members: dict[str, Any] = {"iv": text(IV), "tag": text(made[32 : 32 + tag_bytes]), **changed}
    head = header(alg="A128GCMKW", enc="A256GCM", **{n: v for n, v in members.items() if v != ""})
    return with_gcm(head, wrapped=made[:32])


def oaep(head: bytes) -> Parts:
    """RSA-OAEP with SHA-256."""
    how = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
    return with_gcm(head, wrapped=rsa_key().public_key().encrypt(CONTENT_KEY, how))


def rsa1_5(head: bytes) -> Parts:
    """RSAES-PKCS1-v1_5."""
    return with_gcm(head, wrapped=rsa_key().public_key().encrypt(CONTENT_KEY, padding.PKCS1v15()))


def ephemeral_p256() -> Jwk:
    """The public half of the ephemeral key."""
    numbers = ec.derive_private_key(EPHEMERAL, ec.SECP256R1()).public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": text(numbers.x.to_bytes(32)), "y": text(numbers.y.to_bytes(32))}


def agreed(epk: Jwk, shared: bytes | None = None, **more: object) -> Parts:
    """ECDH-ES with the P-256 key of the table; `shared` where it is not what the ephemeral key makes of it."""
    if shared is None:
        own = ec.derive_private_key(int.from_bytes(octets(EC["d"])), ec.SECP256R1())
        shared = ec.derive_private_key(EPHEMERAL, ec.SECP256R1()).exchange(ec.ECDH(), own.public_key())
    return _by_agreement(shared, header(alg="ECDH-ES", enc="A256GCM", epk=epk, **more))


def agreed_on_x25519(their_public: bytes) -> Parts:
    """ECDH-ES on X25519."""
    private = X25519PrivateKey.from_private_bytes(bytes(range(32)))
    epk = {"kty": "OKP", "crv": "X25519", "x": text(private.public_key().public_bytes_raw())}
    shared = private.exchange(X25519PublicKey.from_public_bytes(their_public))
    return _by_agreement(shared, header(alg="ECDH-ES", enc="A256GCM", epk=epk))


def forced_on_x25519(point: bytes) -> Parts:
    """ECDH-ES with an ephemeral point of low order, where both sides agree on zeros."""
    epk = {"kty": "OKP", "crv": "X25519", "x": text(point)}
    return _by_agreement(bytes(32), header(alg="ECDH-ES", enc="A256GCM", epk=epk))


def _by_agreement(shared: bytes, head: bytes) -> Parts:
    info = len(b"A256GCM").to_bytes(4) + b"A256GCM" + bytes(8) + (256).to_bytes(4)
    return with_gcm(head, key=ConcatKDFHash(SHA256(), 32, info).derive(shared))
