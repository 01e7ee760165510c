"""Key type `oct`: octets for HMAC and for symmetric encryption (RFC 7518 §6.4)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from keywright import Key, Secret, Setting
from keywright.errors import InvalidKeyError
from keywright_keytypes import common

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywright import Options

_BITS: Final = Setting(
    "bits", "integer", default=256, help="Length of the key in bits.", minimum=128, maximum=8192, multiple_of=8
)
_MAXIMUM_BYTES: Final = 1024


class Oct:
    """Signs and verifies with HMAC (RFC 7518 §3.2). Secret: the octets; there is no public half."""

    name = "oct"
    settings = (_BITS,)
    algorithms = ("HS256", "HS384", "HS512")

    def generate(self, options: Options) -> Key:
        """Fresh octets from the operating system, `bits` bits (128 to 8192, a multiple of 8).

        Raises:
            ConfigError: `bits` is out of bounds.
        """
        return Key(self.name, secret=Secret(os.urandom(common.checked_integer(options, _BITS, self.name) // 8)))

    def validate(self, key: Key) -> Key:
        """Check the length: 1 to 1024 bytes. A key that is too short to sign with may have another use.

        Raises:
            InvalidKeyError: another type, no secret half, one that is empty or over 1024 bytes, or a public half.
        """
        self._octets(key)
        if key.public is not None:
            raise InvalidKeyError("an oct key has no public half, because its verifiers can sign", hint="leave it out")
        return key

    def bits(self, key: Key) -> int:
        """The length in bits.

        Raises:
            InvalidKeyError: another type, or no secret half, or one of a wrong length.
        """
        return 8 * len(self._octets(key))

    def signer(self, key: Key, algorithm: str) -> Callable[[bytes], bytes]:
        """Message in, tag out, as long as the hash: 32, 48 or 64 bytes.

        Raises:
            InvalidKeyError: another type, or a key shorter than the hash (RFC 7518 §3.2) or over 1024 bytes.
            UnsupportedOperationError: an algorithm that is not in `algorithms`.
            NotExportableError: the key has no secret half.
        """
        from cryptography.hazmat.primitives.hmac import HMAC

        common.check_use(key, algorithm, self)
        common.needed_secret(key)
        octets, digest = self._octets(key), common.hash_of(algorithm)
        if len(octets) < digest.digest_size:
            raise InvalidKeyError(
                f"{algorithm} needs a key of at least {8 * digest.digest_size} bits (RFC 7518 §3.2), and this one has "
                f"{8 * len(octets)}",
                hint="use a longer key",
            )
        keyed = HMAC(octets.reveal(), digest)  # copied for each message, which is faster than to start again

        def tag(message: bytes) -> bytes:
            hmac = keyed.copy()
            hmac.update(message)
            return hmac.finalize()

        return tag

    def verifier(self, key: Key, algorithm: str) -> Callable[[bytes, bytes], None]:
        """Check `(message, tag)`, in constant time; the call raises InvalidSignatureError if the tag is another.

        Raises:
            InvalidKeyError, UnsupportedOperationError, NotExportableError: as for `signer`.
        """
        from hmac import compare_digest

        tag = self.signer(key, algorithm)

        def verify(message: bytes, signature: bytes) -> None:
            # The right tag is a secret too: it goes into no local that a traceback would show.
            if not compare_digest(tag(message), signature):
                raise common.invalid_signature()

        return verify

    def _octets(self, key: Key) -> Secret:
        common.check_type(key, self.name)
        if key.secret is None:
            raise InvalidKeyError(
                "this oct key has no secret half, the only half of an oct key", hint="pass the secret"
            )
        if not 1 <= len(key.secret) <= _MAXIMUM_BYTES:
            raise InvalidKeyError(
                f"an oct key has 1 to {_MAXIMUM_BYTES} bytes, and this one has {len(key.secret)}",
                hint="create a new key",
            )
        return key.secret
