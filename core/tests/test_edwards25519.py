"""Which 32 bytes are accepted as an Ed25519 public key."""

from __future__ import annotations

import pytest

from keywright import PointProblem, ed25519_point_problem

P = 2**255 - 19
SIGN = 2**255
ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7  # y, as is -y
# RFC 8032 §7.1: the public keys of TEST 1, 2, 3, 1024 and SHA(abc).
PUBLISHED = [
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
    "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
]


def encoded(number: int) -> bytes:
    """A number of 256 bits as RFC 8032 §5.1.2 encodes it."""
    return number.to_bytes(32, "little")


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        pytest.param(1, PointProblem.SMALL_ORDER, id="order 1"),
        pytest.param(P - 1, PointProblem.SMALL_ORDER, id="order 2"),
        pytest.param(0, PointProblem.SMALL_ORDER, id="order 4"),
        pytest.param(SIGN, PointProblem.SMALL_ORDER, id="order 4, -x"),
        pytest.param(ORDER_8, PointProblem.SMALL_ORDER, id="order 8"),
        pytest.param(P - ORDER_8, PointProblem.SMALL_ORDER, id="order 8, -y"),
        pytest.param(ORDER_8 + SIGN, PointProblem.SMALL_ORDER, id="order 8, -x"),
        pytest.param(P - ORDER_8 + SIGN, PointProblem.SMALL_ORDER, id="order 8, -x, -y"),
        # x is 0, so that the sign should not be set: a second encoding of the point.
        pytest.param(1 + SIGN, PointProblem.SMALL_ORDER, id="order 1, sign of zero"),
        pytest.param(P - 1 + SIGN, PointProblem.SMALL_ORDER, id="order 2, sign of zero"),
        pytest.param(P, PointProblem.NOT_CANONICAL, id="order 4, not reduced"),
        pytest.param(P + SIGN, PointProblem.NOT_CANONICAL, id="order 4, -x, not reduced"),
        pytest.param(P + 1, PointProblem.NOT_CANONICAL, id="order 1, not reduced"),
        pytest.param(P + 1 + SIGN, PointProblem.NOT_CANONICAL, id="order 1, not reduced, sign of zero"),
        pytest.param(P + 3, PointProblem.NOT_CANONICAL, id="large order, not reduced"),
        pytest.param(2**255 - 1, PointProblem.NOT_CANONICAL, id="highest y"),
        pytest.param(2**256 - 1, PointProblem.NOT_CANONICAL, id="all ones"),
        pytest.param(2, PointProblem.NOT_ON_CURVE, id="no x"),
        pytest.param(2 + SIGN, PointProblem.NOT_ON_CURVE, id="no x, sign"),
        pytest.param(P - 2, PointProblem.NOT_ON_CURVE, id="no x, -y"),
        pytest.param(3, None, id="large order"),
        pytest.param(3 + SIGN, None, id="large order, -x"),
        pytest.param(P - 3, None, id="large order, -y"),
        pytest.param(4 * pow(5, -1, P) % P, None, id="base point"),
    ],
)
def test_points(number: int, problem: PointProblem | None) -> None:
    """Every encoding of a point of small order has its problem, and only points of the curve are accepted."""
    assert ed25519_point_problem(encoded(number)) is problem


@pytest.mark.parametrize("public", PUBLISHED, ids=["test 1", "test 2", "test 3", "test 1024", "test sha abc"])
def test_published_keys_are_accepted(public: str) -> None:
    """RFC 8032 §7.1."""
    assert ed25519_point_problem(bytes.fromhex(public)) is None


def test_without_the_curve_the_other_checks_stay() -> None:
    """`on_curve=False` leaves out the equation and nothing else."""
    assert ed25519_point_problem(encoded(2), on_curve=False) is None
    assert ed25519_point_problem(encoded(1), on_curve=False) is PointProblem.SMALL_ORDER
    assert ed25519_point_problem(encoded(P), on_curve=False) is PointProblem.NOT_CANONICAL
    assert ed25519_point_problem(b"", on_curve=False) is PointProblem.LENGTH


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_point_has_32_bytes(length: int) -> None:
    """Zeros after a point, or a missing byte, are not read as part of a number."""
    assert ed25519_point_problem(encoded(3).ljust(length, b"\0")[:length]) is PointProblem.LENGTH
