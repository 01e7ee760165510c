"""Key type `x25519`: key agreement (RFC 7748 §5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from keywright import Key, Secret
from keywright.errors import InvalidKeyError, UnsupportedOperationError
from keywright_keytypes.common import check_type, complete_halves

if TYPE_CHECKING:
    from keywright import Options, Setting

_BYTES: Final = 32
_CANNOT_SIGN: Final = "a key of type x25519 agrees on secrets and cannot sign or verify; use ed25519 for signatures"


class X25519:
    """Agrees on secrets and cannot sign. Secret: 32 bytes, clamped only when used; public: the 32-byte u."""

    name = "x25519"
    settings: tuple[Setting, ...] = ()
    algorithms: tuple[str, ...] = ()

    def generate(self, options: Options) -> Key:  # noqa: ARG002  # the contract names it
        """A new key with both halves."""
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        private = X25519PrivateKey.generate()
        return Key(
            self.name, secret=Secret(private.private_bytes_raw()), public=private.public_key().public_bytes_raw()
        )

    def complete(self, key: Key) -> Key:
        """Derive a missing public half; check that both belong together.

        A public half that stands alone must not be of low order; RFC 7748 §5 demands that every other 32 bytes,
        non-canonical ones included, be accepted.

        Raises:
            InvalidKeyError: another type, no half at all, a half that is not 32 bytes, halves that do not belong
                together, or a public half of low order (all zeros among them).
        """
        return complete_halves(key, self.name, _derive, _check_public)

    def bits(self, key: Key) -> int:
        """256: the length of both halves.

        Raises:
            InvalidKeyError: another type.
        """
        check_type(key, self.name)
        return 256

    def signer(self, key: Key, algorithm: str) -> NoReturn:  # noqa: ARG002  # the contract names them
        """Refused.

        Raises:
            UnsupportedOperationError: always.
        """
        raise UnsupportedOperationError(_CANNOT_SIGN)

    def verifier(self, key: Key, algorithm: str) -> NoReturn:  # noqa: ARG002  # the contract names them
        """Refused.

        Raises:
            UnsupportedOperationError: always.
        """
        raise UnsupportedOperationError(_CANNOT_SIGN)


def _derive(secret: Secret) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    if len(secret) != _BYTES:
        raise InvalidKeyError("the secret half of an x25519 key has 32 bytes (RFC 7748 §5); give the scalar alone")
    return X25519PrivateKey.from_private_bytes(secret.reveal()).public_key().public_bytes_raw()


def _check_public(data: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    if len(data) != _BYTES:
        raise InvalidKeyError("the public half of an x25519 key has 32 bytes (RFC 7748 §5); give the u alone")
    try:
        # Any scalar, clamped to a multiple of 8, takes exactly the low-order points to zero, which the library
        # refuses; this one is not secret.
        X25519PrivateKey.from_private_bytes(bytes(_BYTES)).exchange(X25519PublicKey.from_public_bytes(data))
    except ValueError:
        raise InvalidKeyError(
            "the public half of this x25519 key is a point of low order, with which every agreed secret is zero "
            "(RFC 7748 §6.1); import another key"
        ) from None
