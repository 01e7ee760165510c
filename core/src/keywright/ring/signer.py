"""`Signer`: a key bound for signing, resolved once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from keywright.ring.given_data import check_bytes
from keywright.ring.resolved import Resolved

__all__ = ["BoundKey", "Signer"]


class BoundKey(NamedTuple):
    """One version, bound. What a caller needs to stay together (a header's `kid` and the signature) is together here.

    Attributes:
        name, version, kid: which key this is.
        key_type: the name of its type.
        algorithm: the JWA name that it signs with.
        public: the public half as `Key.public` has it, None for `oct`.
        sign: the message in, the signature out, in JOSE form (EC: r ‖ s).
    """

    name: str
    version: int
    kid: str
    key_type: str
    algorithm: str
    public: bytes | None
    sign: Callable[[bytes], bytes]


class Signer(Resolved[BoundKey]):
    """Signs with the primary of a name: `current()` is the version that does. `Resolved` says when it looks again."""

    __slots__ = ()

    def sign(self, data: bytes) -> bytes:
        """The signature of `data`, in JOSE form.

        Raises: as `current`, and ConfigError: `data` is no bytes.
        """
        try:
            return self.current().sign(data)
        except TypeError:
            check_bytes(data=data)
            raise

    @property
    def name(self) -> str:
        """The key's name."""
        return self._found.bound.name

    @property
    def version(self) -> int:
        """The version that signs now. Raises: as `current`."""
        return self.current().version

    @property
    def kid(self) -> str:
        """Its id. Raises: as `current`."""
        return self.current().kid

    @property
    def algorithm(self) -> str:
        """The JWA name that it signs with. Raises: as `current`."""
        return self.current().algorithm

    @property
    def public(self) -> bytes | None:
        """Its public half, as `Key.public` has it; None for `oct`. Raises: as `current`."""
        return self.current().public

    def __repr__(self) -> str:
        if not hasattr(self, "_found"):
            return "<signer, not resolved>"  # a traceback with locals asks while the first look-up fails
        bound = self._found.bound
        return f"<signer {bound.name}@{bound.version} {bound.algorithm}>"
