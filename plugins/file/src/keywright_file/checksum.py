"""The checksum of a payload: the name of an empty file beside it, for the key file holds nothing but the payload."""

from __future__ import annotations

import os
from binascii import crc32
from typing import Final

from keywright import Secret

__all__ = ["checksum_of", "is_checksum", "write_checksum"]

_PREFIX: Final = "crc32-"
_HEXADECIMAL: Final = frozenset("0123456789abcdef")
_LENGTH: Final = len("crc32-01234567")


def checksum_of(payload: Secret) -> str:
    """`crc32-XXXXXXXX`: the CRC-32 (IEEE 802.3, as in zip) of the payload in lower-case hexadecimal digits.

    It shows damage that would otherwise read as another key; it is no protection from who may write the file. 32 bits
    in a directory that is its owner's alone tell nobody anything about a key.
    """
    return f"{_PREFIX}{crc32(payload.reveal()):08x}"


def is_checksum(file: str) -> bool:
    """Whether a file has the name of a checksum."""
    return len(file) == _LENGTH and file.startswith(_PREFIX) and _HEXADECIMAL.issuperset(file[len(_PREFIX) :])


def write_checksum(directory: int, payload: Secret) -> None:
    """Put the checksum of a payload into a directory, where it may stand already. Syncing that makes it durable.

    Raises:
        OSError: it could not be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    descriptor = os.open(checksum_of(payload), flags, 0o600, dir_fd=directory)
    try:
        os.fchmod(descriptor, 0o600)  # a umask may have taken more away than it should
    finally:
        os.close(descriptor)
