"""From a `Key` to a JWK."""

from __future__ import annotations

from collections.abc import Mapping

from keywright import Attributes, Key, Secret
from keywright.errors import UnsupportedKeyError
from keywright_jose.api_key_text import API_KEY, is_key_id
from keywright_jose.jwk_json import attributes_fault, write_members
from keywright_jose.jwk_kinds import NO_ATTRIBUTES, kind_of_type
from keywright_jose.jwk_members import Members
from keywright_jose.jwk_usage import published_attributes, usage_fault

__all__ = ["encode_public", "encode_secret"]


def encode_secret(key: Key) -> Secret:
    """As `JwkFormat.encode_secret`."""
    members = kind_of_type(key.type).secret_members(key)
    _check_attributes(key)
    if key.attributes.get("alg") == API_KEY and not is_key_id(key.kid):
        raise UnsupportedKeyError(
            "an API key is not rotated, for nobody would get the next one; make another with `keywright jose api-key "
            "create`, and revoke this one"
        )
    return write_members(members.joined(_informative(key.kid, key.attributes)))


def encode_public(key: Key) -> bytes:
    """As `JwkFormat.encode_public`."""
    public = kind_of_type(key.type).public_members(key)
    _check_attributes(key)
    published = Attributes(published_attributes(key.attributes))
    return write_members(Members(public).joined(_informative(key.kid, published))).reveal()


def _check_attributes(key: Key) -> None:
    if not key.attributes:
        return
    taken = NO_ATTRIBUTES.intersection(key.attributes)
    if taken:
        raise UnsupportedKeyError(
            f"{min(taken)} cannot be an attribute of a JWK, where it means something else; remove it"
        )
    fault = attributes_fault(key.attributes) or usage_fault(key.type, key.attributes)
    if fault:
        raise UnsupportedKeyError(fault)


def _informative(kid: str, attributes: Attributes) -> Mapping[str, object]:
    return {**attributes.plain(), "kid": kid} if kid else attributes.plain()
