"""The text of an API key, `kwk_` KEY_ID `_` SECRET CHECKSUM, made so that secret scanners find it.

KEY_ID is 80 random bits, 16 of `a-z 2-7` (base32, RFC 4648 §6, in lower case). SECRET is 43 random of `0-9 A-Z a-z`,
256 bits, drawn apart from KEY_ID. CHECKSUM is the CRC-32 (IEEE 802.3, as in zip) of all before it, 6 digits of base 62
in that order, the highest first: who scans for keys can tell one from text that only looks like one, and a typing error
costs no look-up. The whole is matched by `kwk_[a-z2-7]{16}_[0-9A-Za-z]{49}`.
"""

from __future__ import annotations

import re
from binascii import crc32
from typing import Final

from keywright import Secret
from keywright.errors import MalformedTokenError

__all__ = ["API_KEY", "digest_of", "hidden", "is_key_id", "key_id_of", "new_api_key", "new_key_id"]

API_KEY: Final = "keywright-api-key"
"""The `alg` of what is stored of an API key: that of no signature."""

_BASE_62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY_ID: Final = "[a-z2-7]{16}"
_PATTERN: Final = f"kwk_{_KEY_ID}_[0-9A-Za-z]{{49}}".encode()
_KEY_ID_BYTES: Final = 10
_SECRET_CHARACTERS: Final = 43
_CHECKSUM_CHARACTERS: Final = 6
_SECRET_AT: Final = 21
_CHECKSUM_AT: Final = _SECRET_AT + _SECRET_CHARACTERS
_LENGTH: Final = _CHECKSUM_AT + _CHECKSUM_CHARACTERS


def new_key_id() -> str:
    """A random key_id."""
    from base64 import b32encode
    from os import urandom

    return b32encode(urandom(_KEY_ID_BYTES)).decode().lower()


def new_api_key(key_id: str) -> Secret:
    """A random API key of this key_id."""
    from secrets import choice

    start = Secret(f"kwk_{key_id}_{''.join(choice(_BASE_62) for _ in range(_SECRET_CHARACTERS))}".encode())
    return Secret(start.reveal() + _checksum(start))


def hidden(api_key: object) -> Secret:
    """What a caller gave as an API key, out of sight; empty where it can be none. It raises nothing."""
    if isinstance(api_key, str):
        # A strict encoder would raise with the text in its error.
        return Secret(api_key.encode("ascii", "replace") if len(api_key) == _LENGTH else b"")
    if isinstance(api_key, bytes):
        return Secret(api_key if len(api_key) == _LENGTH else b"")
    return api_key if isinstance(api_key, Secret) else Secret(b"")


def key_id_of(api_key: Secret) -> str:
    """The key_id in the text of an API key.

    Raises:
        MalformedTokenError: it is no such text, or the checksum does not fit.
    """
    if not _is_shaped(api_key):
        raise MalformedTokenError("an API key is kwk_, 16 characters, _ and 49 more; copy it whole, and nothing else")
    if api_key.reveal()[_CHECKSUM_AT:] != _checksum(Secret(api_key.reveal()[:_CHECKSUM_AT])):
        raise MalformedTokenError("the checksum of the API key does not fit, so a character is wrong; copy it again")
    return api_key.reveal()[len("kwk_") : _SECRET_AT - 1].decode()


def is_key_id(text: object) -> bool:
    """Whether it could be a key_id."""
    return isinstance(text, str) and re.fullmatch(_KEY_ID, text) is not None


def digest_of(api_key: Secret) -> Secret:
    """SHA-256 of the SECRET in an API key: all that is needed to check it.

    A slow hash would protect a secret that can be guessed. 256 random bits cannot.
    """
    from hashlib import sha256

    return Secret(sha256(api_key.reveal()[_SECRET_AT:_CHECKSUM_AT]).digest())


def _is_shaped(api_key: Secret) -> bool:
    # No match object stays, for its `repr` shows the text.
    return len(api_key) == _LENGTH and re.fullmatch(_PATTERN, api_key.reveal()) is not None


def _checksum(start: Secret) -> bytes:
    rest = crc32(start.reveal())
    digits = ""
    for _ in range(_CHECKSUM_CHARACTERS):
        rest, digit = divmod(rest, len(_BASE_62))
        digits = _BASE_62[digit] + digits
    return digits.encode()
