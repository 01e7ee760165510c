"""Key types `ed25519` and `x25519`, the octet key pairs of RFC 8037 §2: both halves are 32 bytes.

Ed25519 signatures (RFC 8032 §5.1) are made and checked by libsodium.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NoReturn

from keywright import Key, PointProblem, Secret, ed25519_point_problem
from keywright.errors import InvalidKeyError, UnsupportedOperationError
from keywright_keytypes import common

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywright import Options, Setting

_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_POINT_PROBLEMS: Final = {
    PointProblem.LENGTH: (
        "the public half of an ed25519 key must have 32 bytes (RFC 8032 §5.1.5)",
        "pass the point only",
    ),
    PointProblem.NOT_CANONICAL: (
        "the public half of an ed25519 key must encode y below 2^255 - 19 (RFC 8032 §5.1.3)",
        "import another key",
    ),
    PointProblem.SMALL_ORDER: (
        "the public half of this ed25519 key is a point of low order, for which signatures are forged without a secret",
        "import another key",
    ),
    PointProblem.NOT_ON_CURVE: (
        "the public half of this ed25519 key is not a point on the curve (RFC 8032 §5.1.3)",
        "import another key",
    ),
}


class Ed25519:
    """Signs and verifies with EdDSA (RFC 8037 §3.1). Secret: the 32-byte seed; public: the 32-byte point."""

    name = "ed25519"
    settings: tuple[Setting, ...] = ()
    algorithms = ("EdDSA", "Ed25519")  # one signature; RFC 9864 §2.2 names it fully

    def generate(self, options: Options) -> Key:  # noqa: ARG002  # the contract names it
        """A new key with both halves."""
        secret = Secret(os.urandom(_BYTES))
        return Key(self.name, secret=secret, public=_ed25519_public(secret))

    def validate(self, key: Key) -> Key:
        """Derive a missing public half; check that both belong together.

        A public half that stands alone must decode to a point of the curve whose order does not divide 8.

        Raises:
            InvalidKeyError: another type, no half at all, a half that is not 32 bytes, halves that do not belong
                together, or a public half that is not such a point.
        """
        return common.complete_halves(key, self.name, _ed25519_public, _checked_point)

    def bits(self, key: Key) -> int:
        """256, as ssh-keygen counts it.

        Raises:
            InvalidKeyError: another type.
        """
        common.check_type(key, self.name)
        return 256

    def signer(self, key: Key, algorithm: str) -> Callable[[bytes], bytes]:
        """Message in, 64-byte signature out.

        Raises:
            InvalidKeyError: another type, or a secret half that is not 32 bytes.
            UnsupportedOperationError: another algorithm than EdDSA or Ed25519.
            NotExportableError: the key has no secret half.
        """
        from nacl.bindings import crypto_sign

        common.check_use(key, algorithm, self)
        secret = common.needed_secret(key)
        both = _Hidden(secret.reveal() + _ed25519_public(secret))  # as libsodium wants it

        def sign(message: bytes) -> bytes:
            return crypto_sign(_octets(message), both)[:_SIGNATURE_BYTES]

        return sign

    def verifier(self, key: Key, algorithm: str) -> Callable[[bytes, bytes], None]:
        """Check `(message, signature)`; the call raises InvalidSignatureError if the signature is not valid.

        Raises:
            InvalidKeyError: another type, no half at all, or a half that `validate` would refuse by itself.
            UnsupportedOperationError: another algorithm than EdDSA or Ed25519.
        """
        from nacl.bindings import crypto_sign_open
        from nacl.exceptions import BadSignatureError

        common.check_use(key, algorithm, self)
        public = _checked_point(common.public_half(key, _ed25519_public))

        def verify(message: bytes, signature: bytes) -> None:
            # What libsodium takes is the signature and the message in one: a longer one would eat from the message.
            if len(signature) != _SIGNATURE_BYTES:
                raise common.invalid_signature()
            try:
                crypto_sign_open(_octets(signature) + _octets(message), public)
            except BadSignatureError:
                raise common.invalid_signature() from None

        return verify


class _Hidden(bytes):
    """Bytes that do not show in a traceback with locals: the library's own frames hold them, and memory may run out."""

    def __repr__(self) -> str:
        return "<hidden>"

    __str__ = __repr__


def _ed25519_public(secret: Secret) -> bytes:
    # Not from `nacl.bindings`, which binds all of libsodium at each start: a quarter of what importing Python takes.
    from nacl._sodium import ffi, lib

    if len(secret) != _BYTES:
        raise InvalidKeyError(
            "the secret half of an ed25519 key must have 32 bytes (RFC 8032 §5.1.5)", hint="pass the seed only"
        )
    public, both = ffi.new("unsigned char[]", _BYTES), ffi.new("unsigned char[]", 2 * _BYTES)
    lib.crypto_sign_seed_keypair(public, both, _Hidden(secret.reveal()))  # never fails
    return bytes(ffi.buffer(public))


def _checked_point(data: bytes) -> bytes:
    problem = ed25519_point_problem(data)
    if problem:
        message, hint = _POINT_PROBLEMS[problem]
        raise InvalidKeyError(message, hint=hint)
    return data


def _octets(data: bytes) -> bytes:
    """Bytes of any bytes-like object; the library would accept a list of numbers too."""
    return data if type(data) is bytes else bytes(memoryview(data))


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

    def validate(self, key: Key) -> Key:
        """Derive a missing public half; check that both belong together.

        A public half that stands alone must not be of low order; RFC 7748 §5 demands that every other 32 bytes,
        non-canonical ones included, be accepted.

        Raises:
            InvalidKeyError: another type, no half at all, a half that is not 32 bytes, halves that do not belong
                together, or a public half of low order (all zeros among them).
        """
        return common.complete_halves(key, self.name, _x25519_public, _check_u)

    def bits(self, key: Key) -> int:
        """256: the length of both halves.

        Raises:
            InvalidKeyError: another type.
        """
        common.check_type(key, self.name)
        return 256

    def signer(self, key: Key, algorithm: str) -> NoReturn:  # noqa: ARG002  # the contract names them
        """Refused.

        Raises:
            UnsupportedOperationError: always.
        """
        raise UnsupportedOperationError(
            "a key of type x25519 agrees on secrets and cannot sign or verify", hint="use ed25519 for signatures"
        )

    verifier = signer


def _x25519_public(secret: Secret) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    if len(secret) != _BYTES:
        raise InvalidKeyError(
            "the secret half of an x25519 key must have 32 bytes (RFC 7748 §5)", hint="pass the scalar only"
        )
    return X25519PrivateKey.from_private_bytes(secret.reveal()).public_key().public_bytes_raw()


def _check_u(data: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    if len(data) != _BYTES:
        raise InvalidKeyError(
            "the public half of an x25519 key must have 32 bytes (RFC 7748 §5)", hint="pass the u-coordinate only"
        )
    try:
        # Any scalar, clamped to a multiple of 8, takes exactly the low-order points to zero, which the library
        # refuses; this one is not secret.
        X25519PrivateKey.from_private_bytes(bytes(_BYTES)).exchange(X25519PublicKey.from_public_bytes(data))
    except ValueError:
        raise InvalidKeyError(
            "the public half of this x25519 key is a point of low order, with which every agreed secret is zero (RFC "
            "7748 §6.1)",
            hint="import another key",
        ) from None
