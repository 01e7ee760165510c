"""Points of edwards25519, the curve of Ed25519 (RFC 8032 §5.1): which 32 bytes are accepted as a public key."""

from __future__ import annotations

from enum import Enum

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_Y_MASK = 2**255 - 1  # the highest bit is the sign of x
_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
# The y of the eight points whose order divides 8: order 4, 1, 2, and 8 twice; all but orders 1 and 2 have two x
# (libsodium, ed25519_ref10.c, ge25519_has_small_order).
_SMALL_ORDER = frozenset((0, 1, _P - 1, _ORDER_8, _P - _ORDER_8))


class PointProblem(Enum):
    """Why bytes are not accepted as an Ed25519 public key."""

    LENGTH = "not 32 bytes"
    NOT_CANONICAL = "y is not below 2^255 - 19"
    SMALL_ORDER = "the order of the point divides 8"
    NOT_ON_CURVE = "no point of the curve has this y"


def ed25519_point_problem(encoded: bytes, *, on_curve: bool = True) -> PointProblem | None:
    """The reason not to accept an encoded point as a public key, or None if it is acceptable.

    Checked are, in this order, the length, that y is reduced modulo 2^255 - 19 (otherwise one key would have two
    encodings), that the point is not one of the eight of small order (anybody can sign under such a key), and that
    the point is on the curve. The first three decide as libsodium does. A point with a component of small order
    beside a large one is accepted, as it is by every verifier without a subgroup check.

    Args:
        encoded: y in little-endian order and the sign of x in the highest bit (RFC 8032 §5.1.2).
        on_curve: whether to check the equation of the curve (RFC 8032 §5.1.3). It takes about 0.1 ms, a hundred times
            the other checks; a caller whose verifier decodes the point anyway can leave it out.
    """
    if len(encoded) != 32:
        return PointProblem.LENGTH
    y = int.from_bytes(encoded, "little") & _Y_MASK
    if y >= _P:
        return PointProblem.NOT_CANONICAL
    if y in _SMALL_ORDER:
        return PointProblem.SMALL_ORDER
    # x² = u/v, and u/v is a square exactly where u·v is, which needs no division (Euler's criterion).
    if on_curve and pow((y * y - 1) * (_D * y * y + 1), (_P - 1) // 2, _P) != 1:
        return PointProblem.NOT_ON_CURVE
    return None
