"""RSA keys in DER: PKCS#8 (RFC 5958) and SubjectPublicKeyInfo (RFC 5280 §4.1), canonical and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keywright import Secret
from keywright.errors import InvalidKeyError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers, RSAPublicKey

__all__ = ["check_primes", "encode_public", "encode_secret", "load_public", "load_secret"]

# A key of 8192 bits has under 5 KiB of PKCS#8; more is not even parsed.
_MAXIMUM_BYTES: Final = 8192


def encode_secret(private: RSAPrivateKey) -> Secret:
    """Unencrypted PKCS#8 DER."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return Secret(private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def encode_public(public: RSAPublicKey) -> bytes:
    """SubjectPublicKeyInfo DER."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def load_secret(secret: Secret) -> RSAPrivateKey:
    """Read a secret half; its parts agree, but the factors are not tested for being prime (see `check_primes`).

    Raises:
        InvalidKeyError: not canonical PKCS#8 DER of an unencrypted rsaEncryption key, modulus or exponent out of
            bounds, or parts that disagree.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    _check_length(len(secret), "secret")
    # Reading comes before testing: a test of hostile numbers takes minutes, their size is known at once.
    private = _parse_secret(secret, test_primes=False)
    if private is None:
        raise InvalidKeyError(
            "the secret half of this rsa key is no unencrypted PKCS#8 DER (RFC 5958); convert it with "
            "`openssl pkcs8 -topk8 -nocrypt -outform DER`"
        )
    if not isinstance(private, RSAPrivateKey):
        raise InvalidKeyError("the secret half of this rsa key is a key of another kind; import it under its own type")
    _check_numbers(private.public_key())
    if not _parts_agree(private.private_numbers()):
        raise _parts_disagree()
    # Encoded from its numbers, for what was read may keep oddities of its spelling.
    if encode_secret(private.private_numbers().private_key(unsafe_skip_rsa_key_validation=True)) != secret:
        raise InvalidKeyError(
            "the secret half of this rsa key is not canonical PKCS#8 DER of an rsaEncryption key (one for RSASSA-PSS "
            "alone is not taken); convert it with `openssl pkcs8 -topk8 -nocrypt -outform DER`"
        )
    return private


def check_primes(secret: Secret) -> None:
    """Test the factors of a secret half that `load_secret` takes.

    Raises:
        InvalidKeyError: a factor is not prime.
    """
    if _parse_secret(secret, test_primes=True) is None:
        raise _parts_disagree()


def load_public(data: bytes) -> RSAPublicKey:
    """Read a public half.

    Raises:
        InvalidKeyError: not canonical SubjectPublicKeyInfo DER of an rsaEncryption key, or modulus or exponent out
            of bounds.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    _check_length(len(data), "public")
    try:
        public = load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidKeyError(
            "the public half of this rsa key is no SubjectPublicKeyInfo DER of a usable key (RFC 5280 §4.1); convert "
            "it with `openssl rsa -pubin -outform DER`"
        ) from None
    if not isinstance(public, RSAPublicKey):
        raise InvalidKeyError("the public half of this rsa key is a key of another kind; import it under its own type")
    if encode_public(public) != data:
        raise InvalidKeyError(
            "the public half of this rsa key is not canonical SubjectPublicKeyInfo DER of an rsaEncryption key (one "
            "for RSASSA-PSS alone is not taken); convert it with `openssl rsa -pubin -outform DER`"
        )
    _check_numbers(public)
    return public


def _parse_secret(secret: Secret, *, test_primes: bool) -> object:
    """The library's key object, or None where it refuses: an error raised in a handler would lead to its frames."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        return load_der_private_key(secret.reveal(), None, unsafe_skip_rsa_key_validation=not test_primes)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _check_length(length: int, half: str) -> None:
    if length > _MAXIMUM_BYTES:
        raise InvalidKeyError(
            f"the {half} half of this rsa key is over 8 KiB of DER, and 8192 bits take less; import the key alone"
        )


def _check_numbers(public: RSAPublicKey) -> None:
    if not 2048 <= public.key_size <= 8192:
        raise InvalidKeyError(
            f"an rsa key has 2048 to 8192 bits (RFC 7518 §3.3), and this one has {public.key_size}; make a new one"
        )
    numbers = public.public_numbers()
    if not numbers.n & 1:
        raise InvalidKeyError("the modulus of an rsa key is odd, and this one is even; make a new one")
    # Above 3072 bits OpenSSL takes no exponent over 64 bits; the same bound for all sizes is easier to tell.
    if not (numbers.e & 1 and 65537 <= numbers.e < 2**64):
        raise InvalidKeyError(
            "the exponent of an rsa key is an odd number from 65537 to 2^64 - 1, and this one is not; make a new one"
        )


def _parts_agree(numbers: RSAPrivateNumbers) -> bool:
    """RFC 8017 §3.2, all but the primes. Nothing here raises, for the numbers are secret."""
    return (
        min(numbers.p, numbers.q) > 2
        and numbers.p * numbers.q == numbers.public_numbers.n
        and numbers.d < numbers.public_numbers.n
        and numbers.d * numbers.public_numbers.e % (numbers.p - 1) == 1
        and numbers.d * numbers.public_numbers.e % (numbers.q - 1) == 1
        and numbers.dmp1 == numbers.d % (numbers.p - 1)
        and numbers.dmq1 == numbers.d % (numbers.q - 1)
        and numbers.iqmp < numbers.p
        and numbers.iqmp * numbers.q % numbers.p == 1
    )


def _parts_disagree() -> InvalidKeyError:
    return InvalidKeyError("the parts of this rsa key do not belong together (RFC 8017 §3.2); import an undamaged key")
