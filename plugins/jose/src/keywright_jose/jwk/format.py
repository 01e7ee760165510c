"""The format `jwk`. What its methods need is loaded when they are called."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keywright import JWKKeyType, Key, Secret
    from keywright_jose.jwk.described import DescribedKind

_OURS: Final = ("oct", "ed25519", "x25519", "ec-p256", "ec-p384", "ec-p521", "rsa")


@final
class JwkFormat:
    """JSON Web Keys (RFC 7517) of the kinds `oct`, `EC`, `RSA` (RFC 7518 §6) and `OKP` (RFC 8037).

    It is an `ExtensibleFormat`: key types of other plugins that describe their members have JWKs, too.
    """

    name = "jwk"
    carries_kid = True

    def __init__(self, others: Sequence[JWKKeyType] = ()) -> None:
        """`others` are key types of other plugins."""
        self.key_types = (*_OURS, *(one.name for one in others))
        self._given = tuple(others)

    @cached_property
    def _others(self) -> tuple[DescribedKind, ...]:
        if not self._given:
            return ()
        from keywright_jose.jwk.described import DescribedKind

        return tuple(map(DescribedKind, self._given))

    def with_key_types(self, key_types: Sequence[JWKKeyType]) -> JwkFormat:
        """The same format for these key types, too.

        A JWK of one of the types of this format itself is never shown to them.
        """
        return JwkFormat(key_types)

    def encode_secret(self, key: Key) -> Secret:
        """Compact JSON in UTF-8, members sorted by name, no newline. `kid` is there unless it is empty.

        Raises:
            UnsupportedKeyError: the type is not among `key_types`; a half is missing or not laid out as the type
                says; an attribute is a parameter of a key, contradicts the type or another attribute, or is nothing
                that JSON can carry; the result has more than 65536 bytes or 32 levels.
        """
        from keywright_jose.jwk.codec import encode_secret

        return encode_secret(key, self._others)

    def encode_public(self, key: Key) -> bytes:
        """As `encode_secret`, of the members that are not secret.

        They are `kty`, the public parameters, `kid`, `use`, `key_ops`, `alg`, `x5u`, `x5c`, `x5t` and `x5t#S256`. In
        `key_ops`, `sign` becomes `verify`, `decrypt` `encrypt`, and `unwrapKey` `wrapKey`.

        Raises:
            UnsupportedKeyError: as `encode_secret`, of what is encoded; the type is `oct`.
        """
        from keywright_jose.jwk.codec import encode_public

        return encode_public(key, self._others)

    def decode(self, data: Secret, *, default_kid: str) -> Key:
        """Read one JWK, secret or public. Members that are not parameters of the key become its attributes.

        All numbers come back as they were given, so that `KeyType.validate` finds halves that disagree.

        Raises:
            MalformedKeyError: no JSON object in UTF-8, or one with a duplicate member; a parameter is missing, not
                canonical base64url, of the wrong length or of another kty; the RSA modulus is not the product of
                the primes, or a number is out of its range; an informative member has the wrong form or contradicts
                the type or another one.
            UnsupportedKeyError: the kty or crv is not supported, or an RSA key has more than two primes or 8192 bits.
        """
        from keywright_jose.jwk.codec import decode_members
        from keywright_jose.jwk.members import read_members

        return decode_members(read_members(data), default_kid, self._others)

    def default_kid(self, name: str, version: int, key: Key) -> str | None:  # noqa: ARG002 - the contract's names
        """The RFC 7638 thumbprint; None for `oct`, where a hash would let anyone test guesses of the key.

        Keys of other plugins that have no public half are like `oct`.

        Raises:
            UnsupportedKeyError: the type is not among `key_types`, or the public half is missing or not laid out
                as the type says.
        """
        if key.type == "oct" or (key.public is None and key.type not in _OURS):
            return None
        from keywright_jose.jwk.codec import key_thumbprint

        return key_thumbprint(key, self._others)

    def sniff(self, data: Secret) -> bool:
        """Whether it starts with `{`, whitespace aside."""
        return data.reveal().lstrip(b" \t\n\r").startswith(b"{")
