"""Whether 32 bytes are a point of edwards25519 that can be somebody's public key."""

from __future__ import annotations

from typing import Final

from keywright.errors import InvalidKeyError

__all__ = ["check_point"]

_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
_Y_OF_ORDER_8: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_Y_OF_LOW_ORDER: Final = frozenset({0, 1, _P - 1, _Y_OF_ORDER_8, _P - _Y_OF_ORDER_8})


def check_point(encoded: bytes) -> None:
    """Check 32 bytes as RFC 8032 §5.1.3 decodes them, and that the point is not one of the eight of low order.

    Points with a low-order part beside a large one pass, as they do in every verifier without a subgroup check.

    Raises:
        InvalidKeyError: y is not below the field prime, no x belongs to it, or the order of the point divides 8.
    """
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    if y >= _P:
        raise InvalidKeyError(
            "the public half of an ed25519 key must encode y below 2^255 - 19 (RFC 8032 §5.1.3); import another key"
        )
    # Some signature under such a point holds for every message: the key would be nobody's.
    if y in _Y_OF_LOW_ORDER:
        raise InvalidKeyError(
            "the public half of this ed25519 key is a point of low order, for which signatures are forged without "
            "a secret; import another key"
        )
    # x² = u/v, and u/v is a square exactly where u·v is, which needs no division (Euler's criterion).
    u, v = y * y - 1, _D * y * y + 1
    if pow(u * v, (_P - 1) // 2, _P) != 1:
        raise InvalidKeyError(
            "the public half of this ed25519 key is no point of the curve (RFC 8032 §5.1.3); import another key"
        )
