"""The key type `ed448` (RFC 8032 §5.2), which describes its JWKs (RFC 8037 §2).

Both halves are 57 bytes, a signature 114. `cryptography` does the mathematics.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from keywright import Key, Options, Secret, Setting, hookimpl
from keywright.errors import (
    InvalidKeyError,
    InvalidSignatureError,
    MalformedKeyError,
    NotExportableError,
    UnsupportedKeyError,
    UnsupportedOperationError,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey, Ed448PublicKey

KEYWRIGHT_API = 1
HALF_BYTES = 57
PRIME = 2**448 - 2**224 - 1  # of the field, and D the parameter of the curve (RFC 7748 §4.2)
D = -39081


class Ed448:
    """Signs and verifies with Ed448 (RFC 9864 §2.2). Secret and public half: 57 bytes each (RFC 8032 §5.2.5)."""

    name = "ed448"
    settings: tuple[Setting, ...] = ()
    algorithms = ("Ed448",)

    def generate(self, options: Options) -> Key:  # noqa: ARG002  (it has no settings)
        """A new key with both halves."""
        from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey

        private = Ed448PrivateKey.generate()
        secret = Secret(private.private_bytes_raw())
        return Key(self.name, secret=secret, public=private.public_key().public_bytes_raw())

    def validate(self, key: Key) -> Key:
        """Check both halves, and derive a missing public one.

        Raises:
            InvalidKeyError: another type, no half, or a half that is not one of Ed448 or not that of the other.
        """
        self._check_type(key)
        if key.secret is None:
            _load_public(key)
            return key
        public = _load_private(key).public_key().public_bytes_raw()
        if key.public not in (None, public):
            raise InvalidKeyError(
                "the halves of the ed448 key do not belong together", hint="import a key whose halves match"
            )
        return key.replace(public=public)

    def bits(self, key: Key) -> int:
        """456, as its public half has 57 bytes. Raises InvalidKeyError: another type."""
        self._check_type(key)
        return 8 * HALF_BYTES

    def signer(self, key: Key, algorithm: str) -> Callable[[bytes], bytes]:
        """Message in, signature of 114 bytes out.

        Raises:
            InvalidKeyError: as `validate`.
            NotExportableError: the key has no secret half.
            UnsupportedOperationError: another algorithm than Ed448.
        """
        self._check_use(key, algorithm)
        if key.secret is None:
            raise NotExportableError("this ed448 key has no secret half, and cannot sign", hint="load the secret key")
        return _load_private(key).sign

    def verifier(self, key: Key, algorithm: str) -> Callable[[bytes, bytes], None]:
        """Check `(message, signature)`.

        Raises:
            InvalidKeyError: as `validate`.
            UnsupportedOperationError: another algorithm than Ed448.
        """
        from cryptography.exceptions import InvalidSignature

        self._check_use(key, algorithm)
        public = _load_public(self.validate(key))

        def verify(message: bytes, signature: bytes) -> None:
            try:
                public.verify(signature, message)
            except InvalidSignature:
                raise InvalidSignatureError("the signature is not valid", hint="check key and message") from None

        return verify

    def jwk_members(self, key: Key) -> Mapping[str, str]:
        """`kty`, `crv` and `x`, and `d` of a secret half (RFC 8037 §2).

        Raises:
            UnsupportedKeyError: a half is missing or has not 57 bytes.
        """
        halves = [len(half) for half in (key.public or b"", key.secret) if half is not None]
        if set(halves) != {HALF_BYTES}:
            raise UnsupportedKeyError("a half of this ed448 key has not 57 bytes", hint="load the key again")
        members = {"kty": "OKP", "crv": "Ed448", "x": _base64url(key.public or b"")}
        return members if key.secret is None else {**members, "d": _base64url(key.secret.reveal())}

    def key_from_jwk(self, members: Mapping[str, object]) -> Key | None:
        """The key of a JWK whose `crv` is Ed448.

        Raises:
            MalformedKeyError: `x` is missing, or a half is not base64url of 57 bytes.
        """
        if (members.get("kty"), members.get("crv")) != ("OKP", "Ed448"):
            return None
        secret = _half(members, "d") if "d" in members else None
        return Key(self.name, secret=secret, public=_half(members, "x").reveal())

    def _check_type(self, key: Key) -> None:
        if key.type != self.name:
            raise InvalidKeyError(f"this is not an ed448 key but one of type {key.type}", hint="use its own key type")

    def _check_use(self, key: Key, algorithm: str) -> None:
        self._check_type(key)
        if algorithm not in self.algorithms:
            raise UnsupportedOperationError("an ed448 key has only the algorithm Ed448", hint="leave the algorithm out")


def _load_private(key: Key) -> Ed448PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey

    if key.secret is None or len(key.secret) != HALF_BYTES:
        raise InvalidKeyError("the secret half of an ed448 key has 57 bytes (RFC 8032 §5.2.5)", hint="give them alone")
    return Ed448PrivateKey.from_private_bytes(key.secret.reveal())


def _load_public(key: Key) -> Ed448PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey

    data = key.public or b""
    if len(data) != HALF_BYTES or not _is_point(data):
        raise InvalidKeyError("this is not the public half of an ed448 key", hint="import another key")
    return Ed448PublicKey.from_public_bytes(data)


def _is_point(data: bytes) -> bool:
    """Whether 57 bytes encode a point (RFC 8032 §5.2.3) whose order does not divide 4; OpenSSL does not look."""
    y, sign = int.from_bytes(data[:-1], "little"), data[-1]
    if y >= PRIME or sign not in (0, 0x80) or y in (0, 1, PRIME - 1):
        return False
    x_squared = (y * y - 1) * pow(D * y * y - 1, -1, PRIME) % PRIME
    return pow(x_squared, (PRIME - 1) // 2, PRIME) == 1


def _half(members: Mapping[str, object], name: str) -> Secret:
    try:
        half = Secret(urlsafe_b64decode(f"{members.get(name)}==".encode()))
    except ValueError:
        half = Secret(b"")
    if len(half) != HALF_BYTES:
        raise MalformedKeyError(
            f"the JWK member {name} has 57 bytes in base64url (RFC 8037 §2)", hint="export it again"
        )
    return half


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


@hookimpl
def keywright_register_key_types() -> Sequence[Ed448]:
    """The key type."""
    return [Ed448()]
