"""base64url as JOSE writes it: without padding, and only in its one canonical spelling (RFC 7515 §2, RFC 4648 §5)."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

from keywright import Secret

__all__ = ["decode_base64url", "decode_segment", "encode_base64url", "encode_segment"]

_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


def encode_base64url(octets: bytes) -> str:
    """`octets` as unpadded base64url."""
    return encode_segment(octets).decode("ascii")


def encode_segment(octets: bytes) -> bytes:
    """As `encode_base64url`, in bytes."""
    return b2a_base64(octets, newline=False).translate(_TO_URL, b"=")


def decode_base64url(text: str) -> Secret | None:
    """The octets that `encode_base64url` would spell as `text`; None if there are none.

    Padding, spare bits, `+`, `/`, whitespace and everything else that a second spelling could hide in is refused. It
    returns None and does not raise, so that no traceback goes through a frame that holds the text.
    """
    try:
        octets = Secret(a2b_base64(text.encode("ascii").translate(_FROM_URL) + b"=="))
    except ValueError:
        return None
    return octets if encode_base64url(octets.reveal()) == text else None


def decode_segment(text: str) -> bytes | None:
    """As `decode_base64url`, of what is no secret: a segment of a token. The empty text spells no octets."""
    try:
        encoded = text.encode("ascii")
        octets = a2b_base64(encoded.translate(_FROM_URL) + b"==")
    except ValueError:
        return None
    return octets if encode_segment(octets) == encoded else None
