"""JWK parameters of `oct` (RFC 7518 §6.4)."""

from __future__ import annotations

from typing import final

from keywright import Key, Secret
from keywright.errors import UnsupportedKeyError
from keywright_jose.base64url import encode_base64url
from keywright_jose.jwk_members import Members

__all__ = ["OctKind"]


@final
class OctKind:
    """Octets: all of the key is secret."""

    type = "oct"
    kty = "oct"
    parameters = frozenset({"k"})

    def read_public(self, _members: Members) -> None:
        """There is none."""
        return

    def read_secret(self, members: Members) -> Secret:
        """`k`."""
        return members.octets("k")

    def public_members(self, _key: Key) -> dict[str, object]:
        """Refused: what is left of an `oct` key without `k` is no key, and some programs take it for an empty one."""
        raise UnsupportedKeyError(
            "an oct key has no public half to encode: whoever verifies needs the secret; use an asymmetric key type"
        )

    def secret_members(self, key: Key) -> Members:
        """`kty` and `k`."""
        if not key.secret:
            raise UnsupportedKeyError("this oct key has no octets, so there is nothing to encode; load the secret half")
        return Members({"k": encode_base64url(key.secret.reveal()), "kty": "oct"})
