"""Ways to damage bytes, for formats, seals and stores alike."""

from __future__ import annotations


def spread(length: int, count: int) -> range:
    """At most about `count` positions in `length`."""
    return range(0, length, max(1, length // count))


def flipped(data: bytes, bit: int) -> bytes:
    """`data` with one bit changed."""
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]
