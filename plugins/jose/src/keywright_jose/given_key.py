"""What a caller gives as a key: a JWK, a JWK Set, or something of a ring. Out of sight before anything can fail."""

from __future__ import annotations

from collections.abc import Mapping

from keywright import Key, Signer, Verifier
from keywright.errors import ConfigError, MalformedKeyError
from keywright_jose.jwk_decode import decode_members
from keywright_jose.jwk_json import checked_members
from keywright_jose.jwk_members import Members

__all__ = ["Given", "one_key", "taken"]

Given = Members | Signer | Verifier | None


def taken(key: object) -> Given:
    """The same, with a `repr` that shows nothing; None if it is nothing that can be a key.

    It raises nothing: whoever calls it drops its own reference next, so that no traceback shows a key.
    """
    if isinstance(key, Signer | Verifier):
        return key
    return Members(dict(key)) if isinstance(key, Mapping) else None


def one_key(given: Given) -> Key:
    """The key of a JWK.

    Raises:
        ConfigError: it is no JWK.
        MalformedKeyError, UnsupportedKeyError: as `JwkFormat.decode`; a JWK Set.
    """
    if not isinstance(given, Members):
        raise ConfigError("a key is a JWK (a dict), or a signer or verifier of a ring; pass one of these")
    if "keys" in given and "kty" not in given:
        raise MalformedKeyError("this is a JWK Set (RFC 7517 §5), and one key is needed here; pass one of its keys")
    return decode_members(checked_members(given))
