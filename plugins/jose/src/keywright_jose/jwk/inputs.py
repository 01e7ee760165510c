"""Keys as callers pass them: a JWK, a JWK Set, or a key of a ring. Hidden before anything can fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from keywright import Key, Secret, Signer, Verifier
from keywright.errors import ConfigError, InvalidKeyError, MalformedKeyError, MalformedTokenError, UnsupportedKeyError
from keywright_jose.json import read_object
from keywright_jose.jwk.codec import decode_members
from keywright_jose.jwk.members import Members, checked_members

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


def read_keys(data: Secret) -> Members:
    """The members of the JWK or JWK Set in `data`, which is JSON with or without white space around it.

    Raises:
        MalformedKeyError: no UTF-8, no JSON object, a member twice at any depth, a number that is not finite, an
            unpaired surrogate, or more than 32 levels.
    """
    members = _members(data)
    if members is None:
        raise MalformedKeyError(
            "a key file is one JWK or JWK Set: a JSON object in UTF-8 with each member once; pass the whole file, and "
            "only it"
        )
    return members


def _members(data: Secret) -> Members | None:
    """It raises nothing, for the error would take the keys along."""
    try:
        return Members(read_object(data.reveal().strip(b" \t\r\n"), "the key file"))
    except MalformedTokenError:
        return None


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


def owned_keys(members: Members) -> tuple[Key, ...]:
    """Its keys, without those whose `kty` or `crv` is none of ours.

    Raises:
        MalformedKeyError: as `keywright_jose.jwk.inputs.keys_of_set`.
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
