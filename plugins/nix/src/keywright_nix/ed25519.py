"""Ed25519 verification by libsodium, by which Nix verifies.

RFC 8032 leaves room, and `cryptography` (OpenSSL) takes what libsodium refuses: public keys and commitments of small
order, for which signatures hold that nobody made with a secret, and public keys that are not spelled canonically.
"""

from __future__ import annotations

from typing import Final

from keywright.errors import InvalidSignatureError

__all__ = ["is_sound_point", "verify"]

_PUBLIC_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_P: Final = 2**255 - 19
_Y: Final = 2**255 - 1  # the sign of x is the highest bit
# The y of the points of order 1, 2, 4 and 8, and the spellings of them that are not reduced modulo p
# (libsodium, `ed25519_ref10.c`, ge25519_has_small_order).
_ORDER_8: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER: Final = frozenset((0, 1, _P - 1, _P, _P + 1, _ORDER_8, _P - _ORDER_8))


def is_sound_point(raw: bytes) -> bool:
    """Whether 32 bytes are spelled as a public key should be: y reduced modulo p, and not of small order.

    That they are a point on the curve at all is seen when they are used.
    """
    y = int.from_bytes(raw, "little") & _Y
    return y < _P and y not in _SMALL_ORDER


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Check a signature of 64 bytes under a public key of 32.

    Raises:
        InvalidSignatureError: libsodium would not take it either.
    """
    from nacl.bindings import crypto_sign_open
    from nacl.exceptions import BadSignatureError

    if len(signature) == _SIGNATURE_BYTES and len(public) == _PUBLIC_BYTES:
        try:
            crypto_sign_open(signature + message, public)
        except BadSignatureError:
            pass
        else:
            return
    raise InvalidSignatureError("the signature does not hold; what was signed, or the signature, was changed")
