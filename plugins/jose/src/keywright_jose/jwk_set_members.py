"""A JWK Set that somebody gave, taken apart (RFC 7517 §5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from keywright import Key
from keywright.errors import MalformedKeyError, UnsupportedKeyError
from keywright_jose.given_key import one_key
from keywright_jose.jwk_members import Members

__all__ = ["MOST_KEYS", "keys_of_set"]

MOST_KEYS: Final = 1000


def keys_of_set(members: Members) -> Iterator[Key]:
    """The keys of a set; those of a kty or crv that is none of ours are left out.

    Raises:
        MalformedKeyError: its member `keys` is no array of objects, or has more than 1000; a key is malformed.
    """
    each = _taken_apart(members)
    if each is None:
        raise MalformedKeyError(
            "the member keys of a JWK Set is an array of JWKs (RFC 7517 §5.1); get the set again from its issuer"
        )
    if len(each) > MOST_KEYS:
        raise MalformedKeyError(f"a JWK Set has at most {MOST_KEYS} keys here; pass those that are needed")
    for one in each:
        try:
            yield one_key(one)
        except UnsupportedKeyError:
            continue


def _taken_apart(members: Members) -> tuple[Members, ...] | None:
    keys = members.reveal()["keys"]
    # One more than there may be is enough to know, however many there are.
    some = keys[: MOST_KEYS + 1] if isinstance(keys, list | tuple) else None
    if some is None or not all(isinstance(one, dict) for one in some):
        return None
    return tuple(map(Members, some))
