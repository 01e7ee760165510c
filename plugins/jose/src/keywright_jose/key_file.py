"""A file with keys: one JWK, or a JWK Set."""

from __future__ import annotations

from keywright import Secret
from keywright.errors import MalformedKeyError, MalformedTokenError
from keywright_jose.jwk_members import Members
from keywright_jose.token_json import read_object

__all__ = ["read_keys"]


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
