"""`Decrypter`: the versions of a name that may decrypt, resolved once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from keywright.ring.resolved import Resolved

if TYPE_CHECKING:
    from keywright.keys import Key

__all__ = ["Decrypter", "DecryptionKey"]


class DecryptionKey(NamedTuple):
    """One version that may decrypt.

    Attributes:
        name, version, kid: which key this is.
        key_type: the name of its type.
        load: the key, with its secret half where there is one to be had. Read when it is first asked for, and kept
            for as long as the `Decrypter` does not look again.
    """

    name: str
    version: int
    kid: str
    key_type: str
    load: Callable[[], Key]


class Decrypter(Resolved[tuple[DecryptionKey, ...]]):
    """The versions of a name that may decrypt: `current()` has the primary first, then newest to oldest.

    There is always one at least. See `Resolved` for when it looks again. The core decrypts nothing. What does, such as
    `keywright_jose.jwe_decrypt`, takes this for a key.
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """The key's name."""
        return self._found.bound[0].name

    def __repr__(self) -> str:
        if not hasattr(self, "_found"):
            return "<decrypter, not resolved>"  # a traceback with locals asks while the first look-up fails
        versions = ", ".join(str(bound.version) for bound in self._found.bound)
        return f"<decrypter {self.name}: {versions}>"
