"""The segments of a token in the compact serialization (RFC 7515 §7.1, RFC 7516 §7.1)."""

from __future__ import annotations

from typing import Final

from keywright.errors import MalformedTokenError
from keywright_jose.base64url import decode_segment

__all__ = ["MAXIMUM_BYTES", "not_base64url", "payload_octets", "split_token", "unpadded"]

MAXIMUM_BYTES: Final = 262_144


def split_token(token: str | bytes, count: int) -> list[str]:
    """Exactly `count` segments.

    Raises:
        MalformedTokenError: it is neither text nor bytes, has more than 262144 bytes, another character than ASCII's,
            or another number of segments.
    """
    text = _text(token)
    if text is None:
        raise MalformedTokenError(f"a token is ASCII text of at most {MAXIMUM_BYTES} bytes; pass the token itself")
    segments = text.split(".", count)
    if len(segments) != count:
        kind = "a signed token (JWS)" if count == 3 else "an encrypted token (JWE)"
        raise MalformedTokenError(
            f"{kind} is {count} segments parted by dots; copy it whole, without what stands around it"
        )
    return segments


def payload_octets(segment: str, which: str) -> bytes:
    """The octets of a segment; `which` names it in messages: "payload".

    Raises:
        MalformedTokenError: it is not canonical base64url without padding.
    """
    octets = decode_segment(segment)
    if octets is None:
        raise not_base64url(segment, which)
    return octets


def not_base64url(segment: str, which: str) -> MalformedTokenError:
    """What is wrong with a segment that does not decode; `which` as above."""
    if any(character.isspace() for character in segment):
        return MalformedTokenError("the token holds a line break or a blank; paste it as one line")
    return MalformedTokenError(
        f"the {which} of the token is not canonical base64url without padding (RFC 7515 §2); copy the token whole"
    )


def unpadded(segment: str) -> str:
    """Without the padding that some issuers write, where the caller said that it may be there."""
    bare = segment.rstrip("=")
    padding = len(segment) - len(bare)
    return bare if padding <= 2 and (len(bare) + padding) % 4 == 0 else segment


def _text(token: object) -> str | None:
    if not isinstance(token, str | bytes) or len(token) > MAXIMUM_BYTES or not token.isascii():
        return None
    return token if isinstance(token, str) else str(token, "ascii")
