"""The RFC 7638 thumbprint of a key: the same for every JWK that spells it, secret or public."""

from __future__ import annotations

from collections.abc import Mapping

from keywright import Key, Secret
from keywright.errors import MalformedKeyError, UnsupportedOperationError
from keywright_jose.base64url import encode_base64url
from keywright_jose.jwk_json import read_members, write_members
from keywright_jose.jwk_kinds import kind_of_members, kind_of_type
from keywright_jose.jwk_members import Members

__all__ = ["encoded_thumbprint", "key_thumbprint", "thumbprint"]


def thumbprint(jwk: Mapping[str, object]) -> str:
    """The SHA-256 thumbprint of an asymmetric JWK (RFC 7638; RFC 8037 §2 for OKP), in base64url, 43 characters.

    Only `kty` and the public parameters count; the secret and the public JWK of a key have the same.

    Raises:
        MalformedKeyError: `jwk` is no mapping, or `kty` or a public parameter is missing or not as JWK wants it.
        UnsupportedKeyError: its `kty` or `crv` is none of ours.
        UnsupportedOperationError: its `kty` is `oct`.
    """
    members = _hidden(jwk)
    # From here on something may raise, and a traceback that prints locals must not show the key.
    del jwk
    if members is None:
        raise MalformedKeyError("a JWK is a mapping of member names to values; pass the dict of one key")
    return _members_thumbprint(members)


def encoded_thumbprint(data: Secret) -> str:
    """As `thumbprint`, of the JWK's JSON.

    Raises:
        MalformedKeyError: also if it is no JSON object or breaks `read_members` otherwise.
        UnsupportedKeyError, UnsupportedOperationError: as `thumbprint`.
    """
    return _members_thumbprint(read_members(data))


def key_thumbprint(key: Key) -> str:
    """As `thumbprint`, of a key with its public half.

    Raises:
        UnsupportedKeyError: a JWK cannot carry the key, or it has no public half.
    """
    from hashlib import sha256

    public = Members(kind_of_type(key.type).public_members(key))
    return encode_base64url(sha256(write_members(public).reveal()).digest())


def _hidden(jwk: object) -> Members | None:
    return Members(dict(jwk)) if isinstance(jwk, Mapping) else None


def _members_thumbprint(members: Members) -> str:
    kind = kind_of_members(members)
    if kind.type == "oct":
        # RFC 7638 §7: whoever sees the hash of a symmetric key can test guesses of it.
        raise UnsupportedOperationError(
            "an oct key has no thumbprint here: it would be a hash of the secret, for anybody to test guesses with; "
            "give the key a random kid"
        )
    return key_thumbprint(Key(kind.type, public=kind.read_public(members)))
