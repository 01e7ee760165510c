"""The header of a token (RFC 7515 §4, RFC 7516 §4): read strictly, and refused if it asks for what is not done here."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from keywright.errors import MalformedTokenError
from keywright_jose.base64url import decode_segment
from keywright_jose.token_json import read_object
from keywright_jose.token_segments import not_base64url

__all__ = ["Header", "read_header"]

_WHAT: Final = "the header of the token"
_LONGEST_KEPT: Final = 512
_REFUSED: Final = {
    "crit": "extensions that must be understood, and none is understood here",
    "b64": "an unencoded payload (RFC 7797), which is not read here",
    "zip": "compression, which is not undone here, for its size tells of what was encrypted",
}


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
        """The members, for whoever may change them."""
        if self.is_flat:
            return {**self.members}
        from copy import deepcopy

        return deepcopy(self.members)


def read_header(segment: str) -> Header:
    """The header that a token's first segment spells.

    Raises:
        MalformedTokenError: no canonical base64url, no JSON object (see `read_object`), no `alg` that is text, a
            `kid`, `typ` or `cty` that is no text; it asks for extensions (`crit`), an unencoded payload (`b64`) or
            compression (`zip`); or it says `none`, so that anybody could have written it.
    """
    if len(segment) > _LONGEST_KEPT:
        return _read(segment)
    return _read_and_keep(segment)


def _read(segment: str) -> Header:
    data = decode_segment(segment)
    if data is None:
        raise not_base64url(segment, "header")
    members = read_object(data, _WHAT)
    for name, meaning in _REFUSED.items():
        if name in members:
            raise MalformedTokenError(f"the header of the token asks for {name}: {meaning}; have it issued without")
    for name in ("alg", "kid", "typ", "cty"):
        if name in members and not (isinstance(members[name], str) and members[name]):
            raise MalformedTokenError(f"the member {name} of the token's header is no text; have it issued anew")
    algorithm, kid = members.get("alg"), members.get("kid")
    if not isinstance(algorithm, str):
        raise MalformedTokenError("the header of the token has no alg; have it issued anew")
    if algorithm.lower() == "none":
        raise MalformedTokenError("the token is not signed at all (alg none); have it issued with a signature")
    is_flat = not any(isinstance(value, dict | list) for value in members.values())
    return Header(algorithm, kid if isinstance(kid, str) else None, members, is_flat)


_read_and_keep = lru_cache(maxsize=256)(_read)
