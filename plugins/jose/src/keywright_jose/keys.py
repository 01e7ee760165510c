"""A `Key` before it is used: what it may be used for, the object of `cryptography` that uses it, and weak keys."""

from __future__ import annotations

from binascii import a2b_base64
from typing import TYPE_CHECKING, Final, TypeAlias

from keywright import Key, PointProblem, Secret, ed25519_point_problem
from keywright.errors import (
    InvalidKeyError,
    NotExportableError,
    PolicyError,
    UnsupportedKeyError,
    UnsupportedOperationError,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519

NewPrivate: TypeAlias = "ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | x25519.X25519PrivateKey"
PrivateObject: TypeAlias = "NewPrivate | rsa.RSAPrivateKey"
CurvePublic: TypeAlias = "ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | x25519.X25519PublicKey"
PublicObject: TypeAlias = "CurvePublic | rsa.RSAPublicKey"

EXPORT_AGAIN: Final = "export the key again from the program that made it"

_USES: Final = {"sig": "signatures", "enc": "encryption"}
_OFF_CURVE: Final = "the point of the key is not on its curve"
_GET_AGAIN: Final = "get the key again from its publisher"


def check_use(key: Key, use: str, operations: tuple[str, ...]) -> None:
    """Refuse a key that is for something else by its own `use` and `key_ops` (RFC 7517 §4.2, §4.3).

    Args:
        key: any key.
        use: `sig` or `enc`.
        operations: of which one at least must be among its `key_ops`, if it has any.

    Raises:
        PolicyError: it is.
    """
    if key.attributes.get("use", use) != use:
        raise PolicyError(f"the key is not for {_USES[use]} (its use)", hint="use a key that allows it")
    own = key.attributes.get("key_ops")
    if isinstance(own, tuple) and not any(operation in own for operation in operations):
        raise PolicyError(f"the key does not allow {operations[0]} (its key_ops)", hint="use a key that allows it")


def public_half(key: Key) -> bytes:
    """The public half.

    Raises:
        UnsupportedKeyError: the key has no public half.
    """
    if key.public is None:
        raise UnsupportedKeyError(
            f"this {key.type} key has no public half, which a JWK needs",
            hint="import the key again, from its secret half",
        )
    return key.public


def secret_half(key: Key) -> Secret:
    """The secret half.

    Raises:
        UnsupportedKeyError: the key has no secret half.
    """
    if key.secret is None:
        raise UnsupportedKeyError(f"this {key.type} key has no secret half", hint="encode its public half instead")
    return key.secret


def own_algorithm(key: Key) -> str | None:
    """The key's `alg`, if it has one."""
    algorithm = key.attributes.get("alg")
    return algorithm if isinstance(algorithm, str) else None


def public_object(key: Key) -> PublicObject:
    """The public half, which `oct` does not have.

    Raises:
        InvalidKeyError: a point is not on the curve, or of low order; an RSA key is weak (`check_rsa`).
        UnsupportedOperationError: the type is `oct`, or none of JOSE's.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519

    public = key.public or b""
    if key.type == "rsa":
        return _rsa_public(public)
    if key.type == "ed25519":
        _check_point(public)
        return ed25519.Ed25519PublicKey.from_public_bytes(public)
    if key.type == "x25519":
        return x25519.X25519PublicKey.from_public_bytes(public)
    if not key.type.startswith("ec-"):
        raise UnsupportedOperationError(
            f"a key of type {key.type} has no public half", hint="use an asymmetric key type"
        )
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(elliptic_curve(key.type), public)
    except ValueError:
        pass
    raise InvalidKeyError(_OFF_CURVE, hint=_GET_AGAIN)


def private_object(key: Key, *, primes: bool = True) -> PrivateObject:
    """The secret half, once the public one was found to belong to it.

    Testing the `primes` of an RSA key takes 0.1 s at 2048 bits; a caller that decrypts with its own key may skip it.

    Raises:
        NotExportableError: the key has no secret half.
        InvalidKeyError: the halves do not belong together, a number is out of its range; as `public_object`.
        UnsupportedOperationError: as `public_object`.
    """
    if key.secret is None:
        raise NotExportableError(
            "this is a public key, and the secret half is needed", hint="load the secret key for this"
        )
    public = public_object(key)
    private = _private(key.type, key.secret, primes=primes)
    if private is None or private.public_key() != public:
        raise InvalidKeyError("the halves of the key do not belong together", hint=EXPORT_AGAIN)
    return private


def _private(type: str, secret: Secret, *, primes: bool) -> PrivateObject | None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519

    if type == "rsa":
        return load_rsa_private(secret, primes=primes)
    if type == "ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(secret.reveal())
    if type == "x25519":
        return x25519.X25519PrivateKey.from_private_bytes(secret.reveal())
    try:
        return ec.derive_private_key(int.from_bytes(secret.reveal(), "big"), elliptic_curve(type))
    except ValueError:
        return None  # zero, or the curve's order and beyond


def new_private(type: str) -> NewPrivate:
    """A random private key of a type on a curve."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519

    if type == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if type == "x25519":
        return x25519.X25519PrivateKey.generate()
    return ec.generate_private_key(elliptic_curve(type))


def public_octets(public: CurvePublic) -> bytes:
    """The public half as `Key.public` has it."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if isinstance(public, ec.EllipticCurvePublicKey):
        return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return public.public_bytes_raw()


def elliptic_curve(type: str) -> ec.EllipticCurve:
    """The curve of one of the three EC key types."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return {"ec-p256": ec.SECP256R1(), "ec-p384": ec.SECP384R1(), "ec-p521": ec.SECP521R1()}[type]


def _check_point(public: bytes) -> None:
    problem = ed25519_point_problem(public)
    if problem is PointProblem.NOT_ON_CURVE:
        raise InvalidKeyError(_OFF_CURVE, hint=_GET_AGAIN)
    if problem:
        raise InvalidKeyError(
            "the Ed25519 key is a point of low order or not canonical, so anyone could sign", hint="remove the key"
        )


def _rsa_public(public: bytes) -> rsa.RSAPublicKey:
    key = load_rsa_public(public)
    if key is None:
        raise InvalidKeyError("the public half of the RSA key is not valid", hint=EXPORT_AGAIN)
    numbers = key.public_numbers()
    check_rsa(numbers.n, numbers.e)
    return key


def load_rsa_public(der: bytes) -> rsa.RSAPublicKey | None:
    """The RSA key in a SubjectPublicKeyInfo; None if it is not one."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None


def load_rsa_private(der: Secret, *, primes: bool) -> rsa.RSAPrivateKey | None:
    """The RSA key in a PKCS#8, its `primes` tested or not; None if it is not one."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        key = load_der_private_key(der.reveal(), None, unsafe_skip_rsa_key_validation=not primes)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPrivateKey) else None


_FEWEST_BITS: Final = 2048
_LEAST_EXPONENT: Final = 65537
_EXPONENT_BITS: Final = 256  # at most (FIPS 186-5 §A.1.1); a longer one makes verifying as slow as signing
# The primes whose product the faulty library built its primes from (CVE-2017-15361; Nemec et al., "The Return of
# Coppersmith's Attack", 2017, §2): for 2048 bits and more the first 126 at least, of which these tell enough.
_PRIMES: Final = (
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
)  # fmt: skip


def check_rsa(modulus: int, exponent: int) -> None:
    """Refuse a weak key.

    Raises:
        InvalidKeyError: the modulus is even or has fewer than 2048 bits (RFC 7518 §3.3), the exponent is even, below
            65537 or longer than 256 bits, or the modulus has the form of those that can be factored (CVE-2017-15361,
            "ROCA").
    """
    if modulus.bit_length() < _FEWEST_BITS:
        raise InvalidKeyError(
            f"the RSA key has fewer than {_FEWEST_BITS} bits (RFC 7518 §3.3)", hint="use a larger key"
        )
    if not modulus % 2:
        raise InvalidKeyError("the modulus of the RSA key is even", hint=EXPORT_AGAIN)
    if not exponent % 2 or exponent < _LEAST_EXPONENT or exponent.bit_length() > _EXPONENT_BITS:
        raise InvalidKeyError(
            f"the exponent of the RSA key must be odd, from {_LEAST_EXPONENT}, and have at most {_EXPONENT_BITS} bits",
            hint="create a new key",
        )
    if is_roca(modulus):
        raise InvalidKeyError(
            "the RSA key was generated by a faulty chip and can be factored (CVE-2017-15361)",
            hint="create a new key on other hardware",
        )


def is_roca(modulus: int) -> bool:
    """Whether the modulus is a power of 65537 modulo each of the primes, which by chance 1 of 2^154 is at the most."""
    return all(modulus % prime in _powers(prime) for prime in _PRIMES)


def _powers(prime: int) -> set[int]:
    powers = {1}
    power = _LEAST_EXPONENT % prime
    while power not in powers:
        powers.add(power)
        power = power * _LEAST_EXPONENT % prime
    return powers


_ARMOR: Final = (b"-----BEGIN ", b"---- BEGIN ")
_OPENSSH: Final = (b"ssh-", b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-")
_SEQUENCE: Final = 0x30
_SHORTEST_DER: Final = 40  # bytes; an Ed25519 SubjectPublicKeyInfo has 44
_SHORTEST_BASE64: Final = 56  # characters of such
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")


def is_public_key(octets: Secret) -> bool:
    """Whether the octets are a public key or certificate: PEM, DER, OpenSSH, Nix, JWK, or base64 of one of these.

    Used as an HMAC secret, it would let anyone sign. Private keys in text are among them: where one was given for a
    secret, its public half may have been as well.
    """
    return _is_one(octets) or _is_nix(octets) or _is_base64_of_one(octets)


def check_not_public(octets: Secret, hint: str) -> None:
    """Refuse the octets of an `oct` key that are a public key.

    Raises:
        InvalidKeyError: they are, as `is_public_key` says.
    """
    if is_public_key(octets):
        raise InvalidKeyError("the secret of this oct key is a public key or certificate", hint=hint)


def _is_one(octets: Secret) -> bool:
    # Anything may stand before an armor; before the others, spaces and a byte order mark.
    if any(armor in octets.reveal() for armor in _ARMOR):
        return True
    start = Secret(octets.reveal().lstrip(b" \t\r\n\xef\xbb\xbf"))
    if start.reveal().startswith(_OPENSSH) or (start.reveal().startswith(b"{") and b'"kty"' in start.reveal()):
        return True
    # What base64 spells in a line of OpenSSH: the length of the name, and the name (RFC 4253 §6.6).
    if octets.reveal().startswith(b"\x00\x00\x00") and octets.reveal().startswith(_OPENSSH, 4):
        return True
    return _is_der(octets)


def _is_der(octets: Secret) -> bool:
    if len(octets) < _SHORTEST_DER or octets.reveal()[0] != _SEQUENCE:
        return False
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key
    from cryptography.x509 import InvalidVersion, load_der_x509_certificate

    for load in (load_der_public_key, load_der_x509_certificate):
        try:
            load(octets.reveal())
        except (UnsupportedAlgorithm, InvalidVersion, Warning):
            return True  # one that breaks the rules is one all the same
        except ValueError:
            continue
        return True
    return False


def _is_nix(octets: Secret) -> bool:
    """`NAME:` and base64 of 32 or 64 bytes."""
    _, colon, encoded = map(Secret, octets.reveal().strip().partition(b":"))
    return len(colon) == 1 and len(_decoded(encoded)) in (32, 64)


def _is_base64_of_one(octets: Secret) -> bool:
    return len(octets) >= _SHORTEST_BASE64 and _is_one(_decoded(Secret(b"".join(octets.reveal().split()))))


def _decoded(text: Secret) -> Secret:
    """What base64 spells, in either alphabet, padded or not; nothing if it is not base64."""
    try:
        return Secret(a2b_base64(text.reveal().translate(_TO_STANDARD) + b"=" * (-len(text) % 4), strict_mode=True))
    except ValueError:
        return Secret(b"")
