"""Key types of other plugins, which describe the members of their JWKs themselves (`keywright.JWKKeyType`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, final

from keywright import Key
from keywright.errors import UnsupportedKeyError
from keywright_jose.json import is_text
from keywright_jose.jwk.members import Members, malformed
from keywright_jose.keys import public_half, secret_half

if TYPE_CHECKING:
    from keywright import JWKKeyType

_INFORMATIVE: Final = frozenset({"kid", "use", "key_ops", "alg", "x5u", "x5c", "x5t", "x5t#S256", "keys"})


class _Hidden(dict[str, object]):
    """Members that a traceback with locals of the other plugin does not show."""

    def __repr__(self) -> str:
        return "<members>"


@final
class DescribedKind:
    """One such key type, with the methods of the kinds in `codec` that write members.

    Attributes:
        type: its name.
        algorithms: those that it signs with, which its keys may have as `alg`.
    """

    def __init__(self, key_type: JWKKeyType) -> None:
        self._key_type = key_type
        self.type = key_type.name
        self.algorithms = key_type.algorithms

    def read(self, members: Members) -> Key | None:
        """The key with these members, without kid and attributes; None if they are of another type.

        Raises:
            MalformedKeyError: they are of this type, and one is missing or not written as the type writes it.
            UnsupportedKeyError: the key type does not describe its members as it must.
        """
        key = self._key_type.key_from_jwk(_Hidden(members.reveal()))
        if key is None:
            return None
        if getattr(key, "type", None) != self.type:
            raise self._wrong("returns something else than a key of that type from key_from_jwk")
        own = self.secret_members(key) if key.secret is not None else Members(self.public_members(key))
        for name in sorted(own.reveal()):
            if members.reveal().get(name) != own.reveal()[name]:
                raise malformed(f"the JWK member {name} is not valid in a key of type {self.type}")
        return key

    def names(self, key: Key) -> frozenset[str]:
        """The names of the members that a key of this type has. Raises: as `read`."""
        own = self.secret_members(key).reveal() if key.secret is not None else self.public_members(key)
        return frozenset(own)

    def public_members(self, key: Key) -> dict[str, object]:
        """The members of the public half.

        Raises:
            UnsupportedKeyError: the key has no public half; as `read`.
        """
        public_half(key)
        return self._described(key.without_secret()).reveal()

    def secret_members(self, key: Key) -> Members:
        """The members of both halves.

        Raises:
            UnsupportedKeyError: the key has no secret half; as `read`.
        """
        secret_half(key)
        both = self._described(key)
        if key.public is not None and not self.public_members(key).items() <= both.reveal().items():
            raise self._wrong("writes other public members for a secret key than for a public one")
        return both

    def _described(self, key: Key) -> Members:
        members = Members(dict(self._key_type.jwk_members(key)))
        if not all(is_text(value) for value in members.reveal().values()) or "kty" not in members:
            raise self._wrong("writes a JWK without kty, or with a member that is not text")
        if not _INFORMATIVE.isdisjoint(members.reveal()):
            raise self._wrong("writes a JWK with a member such as kid or use, which is not part of the key")
        return members

    def _wrong(self, what: str) -> UnsupportedKeyError:
        return UnsupportedKeyError(f'the key type "{self.type}" {what}', hint="report it to the plugin's author")


def described_key(members: Members, kinds: Sequence[DescribedKind]) -> tuple[DescribedKind, Key] | None:
    """The key type that takes these members for its own, and the key; None if none does.

    Raises:
        MalformedKeyError: as `DescribedKind.read`.
        UnsupportedKeyError: two of them do; as `DescribedKind.read`.
    """
    found = [(kind, key) for kind in kinds for key in (kind.read(members),) if key is not None]
    if len(found) > 1:
        names = " and ".join(f'"{kind.type}"' for kind, _ in found)
        raise UnsupportedKeyError(f"the key types {names} both claim this JWK", hint="uninstall the plugin of one")
    return found[0] if found else None
