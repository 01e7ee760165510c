"""The keys of a JWK Set (RFC 7517 §5) that its owner decrypts with."""

from __future__ import annotations

from collections.abc import Iterator

from keywright import Key
from keywright.errors import InvalidKeyError, MalformedKeyError, UnsupportedKeyError
from keywright_jose.given_key import one_key
from keywright_jose.jwk_members import Members

__all__ = ["keys_of_set"]


def keys_of_set(members: Members) -> tuple[Key, ...]:
    """Its keys, without those whose `kty` or `crv` is none of ours.

    Raises:
        MalformedKeyError: `keys` is no array of JWKs, or one is malformed.
        InvalidKeyError: one of several has no `kid`, two have one, or symmetric keys stand beside others.
    """
    keys = tuple(_keys_of(members))
    kids = [key.kid for key in keys]
    if len(keys) > 1 and not all(kids):
        raise InvalidKeyError("a key of the JWK Set has no kid, so no token can name it; give it one")
    if len(set(kids)) < len(kids):
        raise InvalidKeyError("two keys of the JWK Set have one kid; give each its own")
    if len({key.type == "oct" for key in keys}) > 1:
        raise InvalidKeyError("the JWK Set mixes symmetric keys with others, and one of them is misplaced; part them")
    return keys


def _keys_of(members: Members) -> Iterator[Key]:
    each = _taken_apart(members)
    if each is None:
        raise MalformedKeyError("the member keys of a JWK Set is an array of JWKs (RFC 7517 §5.1); correct the set")
    for one in each:
        try:
            yield one_key(one)
        except UnsupportedKeyError:
            continue  # a kty or crv of others' (RFC 7517 §5)


def _taken_apart(members: Members) -> tuple[Members, ...] | None:
    keys = members.reveal()["keys"]
    if not isinstance(keys, list | tuple) or not all(isinstance(one, dict) for one in keys):
        return None
    return tuple(map(Members, keys))
