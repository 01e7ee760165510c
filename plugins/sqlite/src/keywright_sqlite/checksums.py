"""Checksums of rows: SQLite has none, and a flipped bit of a key is often another key.

They are CRC-32 (IEEE 802.3, as in zip): they show damage, and are no protection from who may write the file.
"""

from __future__ import annotations

from binascii import crc32
from typing import Final

from keywright import Secret

__all__ = ["link", "payload_check", "record_check"]

_BYTES: Final = 4


def record_check(reference: str, revision: object, place: object, info: bytes) -> int:
    """What `record.crc32` must be: whose the row is, which payload it has if any, and its metadata."""
    return crc32(info, crc32(f"{reference} {revision} {place}".encode()))


def payload_check(reference: str, payload: Secret) -> bytes:
    """What `payload.crc32` must be: the bytes, and whose they are.

    It is a blob, for its zeros are as long as itself: wiping must not change the length of the row.
    """
    return crc32(payload.reveal(), crc32(reference.encode())).to_bytes(_BYTES, "big")


def link(before: str, behind: str | None) -> int:
    """What `record.next` must be in the row `before`, if `behind` follows it; None: if it is the last."""
    return crc32(f"{before} {behind or ''}".encode())
