"""Tokens in the compact serialization: their segments and their header (RFC 7515 §7.1, RFC 7516 §7.1)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple, Protocol, TypeVar

from keywright.errors import (
    FormatError,
    InvalidSignatureError,
    MalformedTokenError,
    PolicyError,
    UnsupportedOperationError,
)
from keywright_jose.json import decode_segment, is_text, read_object, write_object

MAXIMUM_BYTES: Final = 262_144
GET_AGAIN: Final = "get a new token from its issuer"
COPY_AGAIN: Final = "copy the whole token"
WITHOUT: Final = "ask the issuer for a token without it"

_LONGEST_KEPT: Final = 512
_REFUSED: Final = {
    "crit": "extensions that the receiver must understand",
    "b64": "an unencoded payload (RFC 7797)",
    "zip": "compression, whose size can reveal what was encrypted",
}


def too_long() -> FormatError:
    """The error for content that does not fit into a token."""
    return FormatError(f"the token would have more than {MAXIMUM_BYTES} bytes", hint="shorten its content")


def malformed(problem: str, hint: str = GET_AGAIN) -> MalformedTokenError:
    """The error for what is not a token as the RFC defines it."""
    return MalformedTokenError(problem, hint=hint)


def rejected(problem: str) -> InvalidSignatureError:
    """The error for a token that these keys or algorithms are not for."""
    return InvalidSignatureError(problem, hint="reject the token")


def split_token(token: object, count: int) -> list[str]:
    """Exactly `count` segments.

    Raises:
        MalformedTokenError: it is neither text nor bytes, has more than 262144 bytes, another character than ASCII's,
            or another number of segments.
    """
    if not isinstance(token, str | bytes) or len(token) > MAXIMUM_BYTES or not token.isascii():
        raise malformed(f"not a token: not ASCII text, or more than {MAXIMUM_BYTES} bytes", "pass the token itself")
    segments = (token if isinstance(token, str) else str(token, "ascii")).split(".", count)
    if len(segments) != count:
        kind = "a signed token (JWS)" if count == 3 else "an encrypted token (JWE)"
        expected = f"expected {count} segments separated by dots"
        raise malformed(f"not {kind}: {expected}", "pass the whole token, without quotes or spaces")
    return segments


def segment_octets(segment: str, which: str) -> bytes:
    """The octets of a segment; `which` names it in messages: "payload".

    Raises:
        MalformedTokenError: it is not canonical base64url without padding.
    """
    octets = decode_segment(segment)
    if octets is not None:
        return octets
    if any(character.isspace() for character in segment):
        raise malformed("the token has a line break or a space in it", "paste it as one line")
    problem = f"the {which} of the token is not canonical base64url without padding (RFC 7515 §2)"
    raise malformed(problem, f"{COPY_AGAIN}, without quotes")


def unpadded(segment: str) -> str:
    """Without the padding that some issuers write, if the caller allows it."""
    bare = segment.rstrip("=")
    padding = len(segment) - len(bare)
    return bare if padding <= 2 and (len(bare) + padding) % 4 == 0 else segment


def further_members(
    headers: Mapping[str, object] | None, what: str, reserved: tuple[str, ...], setter: str
) -> dict[str, object]:
    """The members that a caller adds to a header. Messages call them `what`, and who sets the `reserved` ones `setter`.

    Raises:
        FormatError: JSON cannot represent them, or a `kid`, `typ` or `cty` is not text.
        UnsupportedOperationError: one is reserved.
    """
    if headers is None:
        return {}
    write_object(headers, "the header of a token")
    members = dict(headers)
    for name in reserved:
        if name in members:
            raise UnsupportedOperationError(
                f"{what} cannot have {name}: the {setter} sets it, or it is not supported", hint="leave it out"
            )
    for name in ("kid", "typ", "cty"):
        if name in members and not is_text(members[name]):
            raise FormatError(
                f"the header member {name} must be text that is not empty", hint="pass text, or leave it out"
            )
    return members


class _Named(Protocol):
    @property
    def kid(self) -> str | None: ...


_N = TypeVar("_N", bound=_Named)


def meant_by(kid: str | None, keys: tuple[_N, ...], *, of_ring: bool) -> tuple[_N, ...]:
    """Those of `keys` that a token with this `kid` may be for: a key without one may be for any token.

    `of_ring`: they are versions of one key, so that a token without `kid` may be for each of them.

    Raises:
        InvalidSignatureError: it is for none of them; or it has no `kid`, and they are several keys.
    """
    if kid is None and len(keys) > 1 and not of_ring:
        raise InvalidSignatureError(
            "the token has no kid, and the set has several keys", hint="pass the one key, or ask the issuer to set kid"
        )
    named = keys if kid is None else tuple(one for one in keys if not one.kid or one.kid == kid)
    if not named:
        raise InvalidSignatureError(
            "none of the keys has the kid of the token",
            hint="pass the key with that kid, or reject the token",
        )
    return named


def check_kid(headers: Mapping[str, object], own: str, act: str) -> None:
    """Refuse a `kid` in `headers` that is not the key's `own`, if it has one; `act` is what a receiver does.

    Raises:
        PolicyError: it is another one.
    """
    if own and headers.get("kid", own) != own:
        raise PolicyError(
            f"the kid in headers is not the key's own, so no receiver would {act} the token", hint="leave it out"
        )


class Header(NamedTuple):
    """A header.

    Attributes:
        algorithm: its `alg`.
        kid: its `kid`, or None.
        members: all of it. Not to be changed: a header is kept, and given again for the next token like it.
        is_flat: whether there are no objects and arrays in it.
    """

    algorithm: str
    kid: str | None
    members: dict[str, object]
    is_flat: bool

    def copied(self) -> dict[str, object]:
        """A copy of the members, which the caller may change."""
        if self.is_flat:
            return {**self.members}
        from copy import deepcopy

        return deepcopy(self.members)


def read_header(segment: str) -> Header:
    """The header that a token's first segment spells.

    Raises:
        MalformedTokenError: no canonical base64url, no JSON object (see `read_object`), no `alg` that is text, a
            `kid`, `typ` or `cty` that is not a text; it asks for extensions (`crit`), an unencoded payload (`b64`) or
            compression (`zip`); or it says `none`, so that anyone could have written it.
    """
    if len(segment) > _LONGEST_KEPT:
        return _read(segment)
    return _read_and_keep(segment)


def _read(segment: str) -> Header:
    members = read_object(segment_octets(segment, "header"), "the header of the token")
    for name, meaning in _REFUSED.items():
        if name in members:
            raise malformed(f"the token uses {name}, which is not supported: {meaning}", WITHOUT)
    for name in ("alg", "kid", "typ", "cty"):
        if name in members and not is_text(members[name]):
            raise malformed(f"the member {name} of the token's header must be text")
    if "alg" not in members:
        raise malformed("the header of the token has no alg")
    algorithm, kid = str(members["alg"]), members.get("kid")
    if algorithm.lower() == "none":
        raise malformed("the token is not signed (alg none)", "ask the issuer for a signed token")
    is_flat = not any(isinstance(value, dict | list) for value in members.values())
    return Header(algorithm, kid if isinstance(kid, str) else None, members, is_flat)


_read_and_keep = lru_cache(maxsize=256)(_read)
