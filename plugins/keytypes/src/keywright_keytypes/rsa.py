"""Key type `rsa`: RSA signatures (RFC 8017, RFC 7518 §3.3 and §3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keywright import Key, Secret, Setting
from keywright_keytypes.halves import complete_halves, public_half
from keywright_keytypes.refusals import check_algorithm, check_type, checked_integer, needed_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywright import Options

__all__ = ["Rsa"]

_BITS: Final = Setting(
    "bits",
    "integer",
    default=3072,
    help="Size of the RSA modulus in bits.",
    minimum=2048,
    maximum=8192,
    multiple_of=8,
)
_EXPONENT: Final = 65537


class Rsa:
    """Signs and verifies with RSASSA-PSS and RSASSA-PKCS1-v1_5. Secret: PKCS#8 DER; public: SPKI DER."""

    name = "rsa"
    settings = (_BITS,)
    algorithms = ("PS256", "PS384", "PS512", "RS256", "RS384", "RS512")

    def generate(self, options: Options) -> Key:
        """A fresh key with both halves, of `bits` bits (2048 to 8192, a multiple of 8), e = 65537.

        Raises:
            ConfigError: `bits` is out of bounds.
        """
        from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

        from keywright_keytypes.rsa_der import encode_public, encode_secret

        private = generate_private_key(_EXPONENT, checked_integer(options, _BITS, self.name))
        return Key(self.name, secret=encode_secret(private), public=encode_public(private.public_key()))

    def complete(self, key: Key) -> Key:
        """Derive a missing public half; check that all parts belong together and that the factors are prime.

        Testing the factors takes 0.04 s at 2048 bits, 0.12 s at 3072 and some seconds at 8192.

        Raises:
            InvalidKeyError: another type, no half at all, or a half that is not canonical unencrypted DER of an
                rsaEncryption key of 2048 to 8192 bits with an odd modulus and an odd exponent from 65537 to
                2^64 - 1; parts that disagree; halves that do not belong together.
        """
        from keywright_keytypes.rsa_der import load_public

        return complete_halves(key, self.name, _derive_checked, load_public)

    def bits(self, key: Key) -> int:
        """The size of the modulus, in bits.

        Raises:
            InvalidKeyError: another type, no half at all, or a half that `complete` would refuse by itself.
        """
        from keywright_keytypes.rsa_der import load_public

        check_type(key, self.name)
        return load_public(public_half(key, _derive)).key_size

    def signer(self, key: Key, algorithm: str) -> Callable[[bytes], bytes]:
        """Message in, signature as long as the modulus out.

        The factors are not tested for being prime again: `complete` did that.

        Raises:
            InvalidKeyError: another type, or a secret half that `complete` would refuse for another reason.
            UnsupportedOperationError: an algorithm that is not in `algorithms`.
            NotExportableError: the key has no secret half.
        """
        from keywright_keytypes.rsa_der import load_secret
        from keywright_keytypes.rsa_signatures import bind_signer

        check_type(key, self.name)
        check_algorithm(algorithm, self.algorithms, self.name)
        return bind_signer(load_secret(needed_secret(key)), algorithm)

    def verifier(self, key: Key, algorithm: str) -> Callable[[bytes, bytes], None]:
        """Check `(message, signature)`; the call raises InvalidSignatureError if the signature does not hold.

        Raises:
            InvalidKeyError: another type, no half at all, or a half that `complete` would refuse by itself.
            UnsupportedOperationError: an algorithm that is not in `algorithms`.
        """
        from keywright_keytypes.rsa_der import load_public
        from keywright_keytypes.rsa_signatures import bind_verifier

        check_type(key, self.name)
        check_algorithm(algorithm, self.algorithms, self.name)
        return bind_verifier(load_public(public_half(key, _derive)), algorithm)


def _derive(secret: Secret) -> bytes:
    from keywright_keytypes.rsa_der import encode_public, load_secret

    return encode_public(load_secret(secret).public_key())


def _derive_checked(secret: Secret) -> bytes:
    from keywright_keytypes.rsa_der import check_primes

    public = _derive(secret)
    check_primes(secret)
    return public
