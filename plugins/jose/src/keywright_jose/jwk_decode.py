"""From a JWK to a `Key`."""

from __future__ import annotations

from keywright import Key, Secret
from keywright.errors import MalformedKeyError
from keywright_jose.jwk_json import read_members
from keywright_jose.jwk_kinds import NO_ATTRIBUTES, kind_of_members
from keywright_jose.jwk_members import Members
from keywright_jose.jwk_usage import usage_fault

__all__ = ["decode", "decode_members"]


def decode(data: Secret, default_kid: str) -> Key:
    """As `JwkFormat.decode`."""
    return decode_members(read_members(data), default_kid)


def decode_members(members: Members, default_kid: str = "") -> Key:
    """As `decode`, of members that were read before."""
    kind = kind_of_members(members)
    kid = members.text("kid") if "kid" in members else default_kid
    attributes = members.attributes(NO_ATTRIBUTES)
    fault = usage_fault(kind.type, attributes)
    if fault:
        raise MalformedKeyError(fault)
    return Key(kind.type, kid, kind.read_secret(members), kind.read_public(members), attributes)
