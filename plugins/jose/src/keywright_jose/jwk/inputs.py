"""Keys as callers pass them: a JWK, a JWK Set, or a key of a ring. Hidden before anything can fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from keywright import JsonProblem, Key, Secret, Signer, Verifier
from keywright.errors import ConfigError, InvalidKeyError, MalformedKeyError, UnsupportedKeyError
from keywright_jose.jwk.codec import decode_members
from keywright_jose.jwk.members import Members, checked_members, is_set, load_members

KeyInput = Members | Signer | Verifier | None

MOST_KEYS: Final = 1000

_FIX_KIDS: Final = "give each key its own kid, or ask the publisher of the set to"


def hide_key(key: object) -> KeyInput:
    """The same, with a `repr` that shows nothing; None if it is nothing that can be a key.

    It raises nothing. The caller drops its own reference next, so that no traceback shows a key.
    """
    if isinstance(key, Signer | Verifier):
        return key
    return Members(dict(key)) if isinstance(key, Mapping) else None


def one_key(given: KeyInput) -> Key:
    """The key of a JWK.

    Raises:
        ConfigError: it is not a JWK.
        MalformedKeyError, UnsupportedKeyError: as `JwkFormat.decode`; a JWK Set.
    """
    if not isinstance(given, Members):
        raise ConfigError(
            "the key must be a JWK (a dict), or a signer or verifier of a ring", hint="such as ring.signer(NAME)"
        )
    if is_set(given):
        raise MalformedKeyError(
            "this is a JWK Set (RFC 7517 §5), and one key is needed here", hint="pass one of its keys"
        )
    return decode_members(checked_members(given))


def keys_of_set(members: Members) -> tuple[Key, ...]:
    """The keys of a set; those whose kty or crv is not supported are left out.

    Raises:
        MalformedKeyError: its member `keys` is not an array of objects, or has more than 1000; a key is malformed.
        InvalidKeyError: one of several has no `kid`, two have one, or symmetric keys stand beside others.
    """
    keys = tuple(_each_key(members))
    kids = [key.kid for key in keys]
    if len(keys) > 1 and not all(kids):
        raise InvalidKeyError("a key of the JWK Set has no kid, so no token can refer to it", hint=_FIX_KIDS)
    if len(set(kids)) < len(kids):
        raise InvalidKeyError("two keys of the JWK Set have the same kid", hint=_FIX_KIDS)
    if len({key.type == "oct" for key in keys}) > 1:
        raise InvalidKeyError(
            "the JWK Set mixes symmetric keys with others",
            hint="pass a set with keys of one kind: a published symmetric key is not secret",
        )
    return keys


def _each_key(members: Members) -> Iterator[Key]:
    each = _split_set(members)
    if each is None:
        raise MalformedKeyError(
            "the member keys of a JWK Set must be an array of JWKs (RFC 7517 §5.1)",
            hint="get the set again from its issuer",
        )
    if len(each) > MOST_KEYS:
        raise MalformedKeyError(f"the JWK Set has more than {MOST_KEYS} keys", hint="pass only the keys that you need")
    for one in each:
        try:
            yield one_key(one)
        except UnsupportedKeyError:
            continue


def _split_set(members: Members) -> tuple[Members, ...] | None:
    keys = members.reveal()["keys"]
    # One more than there may be is enough to know, however many there are.
    some = keys[: MOST_KEYS + 1] if isinstance(keys, list | tuple) else None
    if some is None or not all(isinstance(one, dict) for one in some):
        return None
    return tuple(map(Members, some))


def read_keys(data: Secret) -> Members:
    """The members of the JWK or JWK Set in `data`, which is JSON with or without white space around it.

    Raises:
        MalformedKeyError: no UTF-8, no JSON object, a member twice at any depth, a number that is not finite, an
            unpaired surrogate, or more than 32 levels.
    """
    members = load_members(data)
    if isinstance(members, JsonProblem):
        raise MalformedKeyError(
            "the key file is not a valid JWK or JWK Set",
            hint="it must be one JSON object in UTF-8, without duplicate members",
        )
    return members
