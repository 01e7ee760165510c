"""Key type `rsa`: RSA signatures (RFC 8017, RFC 7518 §3.3 and §3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keywright import Key, Secret, Setting
from keywright.errors import InvalidKeyError
from keywright_keytypes import common

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.padding import PSS, PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers, RSAPublicKey

    from keywright import Options

_BITS: Final = Setting(
    "bits", "integer", default=3072, help="Size of the RSA modulus in bits.", minimum=2048, maximum=8192, multiple_of=8
)
_EXPONENT: Final = 65537
# A key of 8192 bits has under 5 KiB of PKCS#8; more is not even parsed.
_MAXIMUM_BYTES: Final = 8192
_PARTS_DISAGREE: Final = "the parts of this rsa key do not belong together (RFC 8017 §3.2)"
_IMPORT_ANOTHER: Final = "import an undamaged key"


class Rsa:
    """Signs and verifies with RSASSA-PSS and RSASSA-PKCS1-v1_5. Secret: PKCS#8 DER; public: SPKI DER."""

    name = "rsa"
    settings = (_BITS,)
    algorithms = ("PS256", "PS384", "PS512", "RS256", "RS384", "RS512")

    def generate(self, options: Options) -> Key:
        """A new key with both halves, of `bits` bits (2048 to 8192, a multiple of 8), e = 65537.

        Raises:
            ConfigError: `bits` is out of bounds.
        """
        from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

        private = generate_private_key(_EXPONENT, common.checked_integer(options, _BITS, self.name))
        return Key(self.name, secret=_encode_secret(private), public=_encode_public(private.public_key()))

    def validate(self, key: Key) -> Key:
        """Derive a missing public half; check that all parts belong together and that the factors are prime.

        Testing the factors takes 0.04 s at 2048 bits, 0.12 s at 3072 and some seconds at 8192.

        Raises:
            InvalidKeyError: another type, no half at all, or a half that is not canonical unencrypted DER of an
                rsaEncryption key of 2048 to 8192 bits with an odd modulus and an odd exponent from 65537 to
                2^64 - 1; parts that disagree; halves that do not belong together.
        """
        return common.complete_halves(key, self.name, _derive_checked, _load_public)

    def bits(self, key: Key) -> int:
        """The size of the modulus, in bits.

        Raises:
            InvalidKeyError: another type, no half at all, or a half that `validate` would refuse by itself.
        """
        common.check_type(key, self.name)
        return _load_public(common.public_half(key, _derive)).key_size

    def signer(self, key: Key, algorithm: str) -> Callable[[bytes], bytes]:
        """Message in, signature as long as the modulus out.

        The factors are not tested for being prime again: `validate` did that.

        Raises:
            InvalidKeyError: another type, or a secret half that `validate` would refuse for another reason.
            UnsupportedOperationError: an algorithm that is not in `algorithms`.
            NotExportableError: the key has no secret half.
        """
        common.check_use(key, algorithm, self)
        make = _load_secret(common.needed_secret(key)).sign
        padding, digest = _padding(algorithm), common.hash_of(algorithm)

        def sign(message: bytes) -> bytes:
            return make(message, padding, digest)

        return sign

    def verifier(self, key: Key, algorithm: str) -> Callable[[bytes, bytes], None]:
        """Check `(message, signature)`; the call raises InvalidSignatureError if the signature is not valid.

        Raises:
            InvalidKeyError: another type, no half at all, or a half that `validate` would refuse by itself.
            UnsupportedOperationError: an algorithm that is not in `algorithms`.
        """
        from cryptography.exceptions import InvalidSignature

        common.check_use(key, algorithm, self)
        public = _load_public(common.public_half(key, _derive))
        check, padding, digest = public.verify, _padding(algorithm), common.hash_of(algorithm)
        size = (public.key_size + 7) // 8

        def verify(message: bytes, signature: bytes) -> None:
            # The library would take a PSS signature without its leading zeros; RFC 8017 §8.1.2 step 1 does not.
            if len(signature) != size:
                raise common.invalid_signature()
            try:
                check(signature, message, padding, digest)
            except InvalidSignature:
                raise common.invalid_signature() from None

        return verify


def _derive(secret: Secret) -> bytes:
    return _encode_public(_load_secret(secret).public_key())


def _derive_checked(secret: Secret) -> bytes:
    public = _derive(secret)
    if _parse_secret(secret, test_primes=True) is None:
        raise InvalidKeyError(_PARTS_DISAGREE, hint=_IMPORT_ANOTHER)
    return public


def _encode_secret(private: RSAPrivateKey) -> Secret:
    """Unencrypted PKCS#8 DER."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return Secret(private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def _encode_public(public: RSAPublicKey) -> bytes:
    """SubjectPublicKeyInfo DER."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _load_secret(secret: Secret) -> RSAPrivateKey:
    """Read a secret half; its parts agree, but the factors may be composite (see `_derive_checked`).

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
            "the secret half of this rsa key is not unencrypted PKCS#8 DER (RFC 5958)",
            hint="convert it with `openssl pkcs8 -topk8 -nocrypt -outform DER`",
        )
    if not isinstance(private, RSAPrivateKey):
        raise InvalidKeyError(
            "the secret half of this rsa key is a key of another kind", hint="import it under its own type"
        )
    _check_numbers(private.public_key())
    if not _parts_agree(private.private_numbers()):
        raise InvalidKeyError(_PARTS_DISAGREE, hint=_IMPORT_ANOTHER)
    # Encoded from its numbers, for what was read may keep oddities of its spelling.
    if _encode_secret(private.private_numbers().private_key(unsafe_skip_rsa_key_validation=True)) != secret:
        raise InvalidKeyError(
            "the secret half of this rsa key is not canonical PKCS#8 DER of an rsaEncryption key (keys for "
            "RSASSA-PSS only are not supported)",
            hint="convert it with `openssl pkcs8 -topk8 -nocrypt -outform DER`",
        )
    return private


def _load_public(data: bytes) -> RSAPublicKey:
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
            "the public half of this rsa key is not a SubjectPublicKeyInfo DER of a usable key (RFC 5280 §4.1)",
            hint="convert it with `openssl rsa -pubin -outform DER`",
        ) from None
    if not isinstance(public, RSAPublicKey):
        raise InvalidKeyError(
            "the public half of this rsa key is a key of another kind", hint="import it under its own type"
        )
    if _encode_public(public) != data:
        raise InvalidKeyError(
            "the public half of this rsa key is not canonical SubjectPublicKeyInfo DER of an rsaEncryption key "
            "(keys for RSASSA-PSS only are not supported)",
            hint="convert it with `openssl rsa -pubin -outform DER`",
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
            f"the {half} half of this rsa key has over 8 KiB of DER, more than 8192 bits need",
            hint="import the key alone",
        )


def _check_numbers(public: RSAPublicKey) -> None:
    if not 2048 <= public.key_size <= 8192:
        raise InvalidKeyError(
            f"an rsa key has 2048 to 8192 bits (RFC 7518 §3.3), and this one has {public.key_size}",
            hint="create a new key",
        )
    numbers = public.public_numbers()
    if not numbers.n & 1:
        raise InvalidKeyError("the modulus of this rsa key is even", hint="create a new key")
    # Above 3072 bits OpenSSL takes no exponent over 64 bits; the same bound for all sizes is easier to tell.
    if not (numbers.e & 1 and 65537 <= numbers.e < 2**64):
        raise InvalidKeyError(
            "the exponent of this rsa key is not an odd number from 65537 to 2^64 - 1",
            hint="create a new key",
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


def _padding(algorithm: str) -> PSS | PKCS1v15:
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15

    if algorithm.startswith("RS"):
        return PKCS1v15()
    digest = common.hash_of(algorithm)
    return PSS(MGF1(digest), digest.digest_size)
