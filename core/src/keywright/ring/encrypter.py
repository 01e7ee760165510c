"""`Encrypter`: the version of a name that is encrypted for, resolved once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from keywright.ring.resolved import Resolved

if TYPE_CHECKING:
    from keywright.keys import Key

__all__ = ["Encrypter", "EncryptionKey"]


class EncryptionKey(NamedTuple):
    """One version, to encrypt for.

    Attributes:
        name, version, kid: which key this is.
        key: its public half alone where it has one; of `oct` the secret one.
    """

    name: str
    version: int
    kid: str
    key: Key


class Encrypter(Resolved[EncryptionKey]):
    """The primary of a name, to encrypt for: `current()` is that version. `Resolved` says when it looks again.

    The core encrypts nothing. What does, such as `keywright_jose.jwe_encrypt`, takes this for a key.
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """The key's name."""
        return self._found.bound.name

    def __repr__(self) -> str:
        if not hasattr(self, "_found"):
            return "<encrypter, not resolved>"  # a traceback with locals asks while the first look-up fails
        bound = self._found.bound
        return f"<encrypter {bound.name}@{bound.version}>"
