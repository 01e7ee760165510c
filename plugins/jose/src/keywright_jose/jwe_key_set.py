"""The keys of a JWK Set (RFC 7517 §5) that its owner decrypts with."""

from __future__ import annotations

from keywright import Key
from keywright.errors import InvalidKeyError
from keywright_jose.jwk_members import Members
from keywright_jose.jwk_set_members import keys_of_set

__all__ = ["owned_keys"]


def owned_keys(members: Members) -> tuple[Key, ...]:
    """Its keys, without those whose `kty` or `crv` is none of ours.

    Raises:
        MalformedKeyError: as `keywright_jose.jwk_set_members.keys_of_set`.
        InvalidKeyError: one of several has no `kid`, two have one, or symmetric keys stand beside others.
    """
    keys = tuple(keys_of_set(members))
    kids = [key.kid for key in keys]
    if len(keys) > 1 and not all(kids):
        raise InvalidKeyError("a key of the JWK Set has no kid, so no token can name it; give it one")
    if len(set(kids)) < len(kids):
        raise InvalidKeyError("two keys of the JWK Set have one kid; give each its own")
    if len({key.type == "oct" for key in keys}) > 1:
        raise InvalidKeyError("the JWK Set mixes symmetric keys with others, and one of them is misplaced; part them")
    return keys
