"""JWK parameters of keys on curves: `EC` (RFC 7518 §6.2) and `OKP` (RFC 8037 §2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from keywright import Key, Secret
from keywright.errors import MalformedKeyError, UnsupportedKeyError
from keywright_jose.base64url import encode_base64url
from keywright_jose.jwk_members import EXPORT_AGAIN, Members

__all__ = ["CurveKind"]


@final
@dataclass(frozen=True, slots=True)
class CurveKind:
    """One curve.

    Attributes:
        type: our key type.
        kty, crv: what the JWK says.
        length: of the secret and of each coordinate, in bytes.
        coordinates: the members of the public half.
        prefix: what `Key.public` has before the coordinates.
    """

    type: str
    kty: str
    crv: str
    length: int
    coordinates: tuple[str, ...]
    prefix: bytes

    @property
    def parameters(self) -> frozenset[str]:
        """The members that belong to the kty."""
        return frozenset({"crv", "d", *self.coordinates})

    def read_public(self, members: Members) -> bytes:
        """The coordinates, which private keys have to carry too."""
        return self.prefix + b"".join(self._octets(members, name).reveal() for name in self.coordinates)

    def read_secret(self, members: Members) -> Secret | None:
        """`d`."""
        return self._octets(members, "d") if "d" in members else None

    def public_members(self, key: Key) -> dict[str, object]:
        """`kty`, `crv` and the coordinates."""
        if key.public is None:
            raise UnsupportedKeyError(
                f"this {self.type} key has no public half, which a JWK must carry; have its key type complete it"
            )
        size = self.length * len(self.coordinates)
        if len(key.public) != len(self.prefix) + size or not key.public.startswith(self.prefix):
            raise UnsupportedKeyError(
                f"the public half of this {self.type} key is not laid out as its type says; load the key again"
            )
        members: dict[str, object] = {"crv": self.crv, "kty": self.kty}
        for number, name in enumerate(self.coordinates):
            start = len(self.prefix) + number * self.length
            members[name] = encode_base64url(key.public[start : start + self.length])
        return members

    def secret_members(self, key: Key) -> Members:
        """The public members and `d`."""
        if key.secret is None:
            raise UnsupportedKeyError(f"this {self.type} key has no secret half; encode its public half instead")
        if len(key.secret) != self.length:
            raise UnsupportedKeyError(
                f"the secret half of this {self.type} key has not {self.length} bytes; load the key again"
            )
        return Members({"d": encode_base64url(key.secret.reveal())}).joined(self.public_members(key))

    def _octets(self, members: Members, name: str) -> Secret:
        octets = members.octets(name)
        if len(octets) != self.length:
            # Leading zero octets stay (RFC 7518 §6.2.1.2): a shorter spelling is a second one for the same key.
            raise MalformedKeyError(
                f"the JWK member {name} must have exactly {self.length} octets on curve {self.crv}; {EXPORT_AGAIN}"
            )
        return octets
