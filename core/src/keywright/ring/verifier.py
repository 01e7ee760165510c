"""`Verifier`: the versions of a name that may verify, bound, resolved once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from keywright.errors import InvalidSignatureError
from keywright.ring.given_data import check_bytes
from keywright.ring.resolved import Resolved

__all__ = ["BoundVerifier", "Verifier"]


class BoundVerifier(NamedTuple):
    """One version, bound for verifying.

    Attributes:
        name, version, kid: which key this is.
        key_type: the name of its type.
        algorithm: the JWA name of the signatures that it checks.
        public: the public half as `Key.public` has it, None for `oct`.
        verify: message and signature in; raises InvalidSignatureError if the signature does not hold.
    """

    name: str
    version: int
    kid: str
    key_type: str
    algorithm: str
    public: bytes | None
    verify: Callable[[bytes, bytes], None]


class Verifier(Resolved[tuple[BoundVerifier, ...]]):
    """Verifies with the versions of a name that may: `current()` has the primary first, then newest to oldest.

    There is always one at least. See `Resolved` for when it looks again.
    """

    __slots__ = ()

    def verify(self, data: bytes, signature: bytes) -> BoundVerifier:
        """The version under which the signature holds.

        Raises:
            InvalidSignatureError: it holds under none.
            PolicyError, KeyNotFoundError, StoreError: as `current`.
            ConfigError: `data` or `signature` is no bytes.
        """
        for bound in self.current():
            try:
                bound.verify(data, signature)
            except InvalidSignatureError:
                continue
            except TypeError:
                check_bytes(data=data, signature=signature)
                raise
            return bound
        raise InvalidSignatureError(
            f"the signature holds under no version of {self.name} that may verify; check the data"
        )

    @property
    def name(self) -> str:
        """The key's name."""
        return self._found.bound[0].name

    def __repr__(self) -> str:
        if not hasattr(self, "_found"):
            return "<verifier, not resolved>"  # a traceback with locals asks while the first look-up fails
        versions = ", ".join(f"{bound.version} {bound.algorithm}" for bound in self._found.bound)
        return f"<verifier {self.name}: {versions}>"
