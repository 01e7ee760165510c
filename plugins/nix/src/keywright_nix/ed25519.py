"""Ed25519 by libsodium, with which Nix signs and verifies.

RFC 8032 leaves room, and `cryptography` (OpenSSL) accepts what libsodium refuses: public keys and commitments of small
order, for which signatures are valid without any secret, and public keys that are not encoded canonically.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from keywright import Secret, ed25519_point_problem
from keywright.errors import InvalidKeyError, InvalidSignatureError

if TYPE_CHECKING:
    from collections.abc import Callable

_SEED_BYTES: Final = 32
_PUBLIC_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64


def is_sound_point(raw: bytes) -> bool:
    """Whether 32 bytes are a canonical public key: y reduced modulo p, and not of small order.

    Whether they are a point on the curve at all is checked when they are used.
    """
    return ed25519_point_problem(raw, on_curve=False) is None


# Nix's key files need no key type of the registry: to find one takes longer than all use of the key.


def generate() -> Secret:
    """A new secret key: the seed and the public half, 64 bytes, as a Nix key holds them."""
    seed = _Hidden(os.urandom(_SEED_BYTES))
    return Secret(seed + _public(seed))


def public_half(both: Secret) -> bytes:
    """The public half (32 bytes) of a secret key's 64 bytes.

    Raises:
        InvalidKeyError: The halves do not belong together.
    """
    public = _public(_Hidden(both.reveal()[:_SEED_BYTES]))
    if public != both.reveal()[_SEED_BYTES:]:
        raise InvalidKeyError(
            "the public half of this ed25519 key does not belong to its secret half; import a key whose halves match"
        )
    return public


def signer(both: Secret) -> tuple[bytes, Callable[[bytes], bytes]]:
    """The public half (32 bytes), and a function that signs a message (64 bytes). Raises: as `public_half`."""
    from nacl.bindings import crypto_sign

    public = public_half(both)
    hidden = _Hidden(both.reveal())
    return public, lambda message: crypto_sign(message, hidden)[:_SIGNATURE_BYTES]


def _public(seed: bytes) -> bytes:
    from nacl.bindings import crypto_sign_seed_keypair

    return crypto_sign_seed_keypair(seed)[0]


class _Hidden(bytes):
    """Bytes that a traceback with locals does not show: the library's frames hold them, and memory may run out."""

    def __repr__(self) -> str:
        return "<hidden>"

    __str__ = __repr__


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Check a signature of 64 bytes under a public key of 32.

    Raises:
        InvalidSignatureError: libsodium does not accept it either.
    """
    from nacl.bindings import crypto_sign_open
    from nacl.exceptions import BadSignatureError

    if len(signature) == _SIGNATURE_BYTES and len(public) == _PUBLIC_BYTES:
        with suppress(BadSignatureError):
            crypto_sign_open(signature + message, public)
            return
    raise InvalidSignatureError("the signature does not hold; what was signed, or the signature, was changed")
