"""The objects of `cryptography` that do the mathematics of a `Key`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import Key, Secret
from keywright.errors import InvalidKeyError, NotExportableError, UnsupportedOperationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    PrivateObject = ec.EllipticCurvePrivateKey | Ed25519PrivateKey | RSAPrivateKey | X25519PrivateKey
    PublicObject = ec.EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey | X25519PublicKey

__all__ = ["private_object", "public_object"]

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_OFF_CURVE = "the point of the key is not on its curve; get the key again from whoever published it"
_HALVES = "the halves of the key do not belong together; export it again from the program that made it"


def public_object(key: Key) -> PublicObject:
    """The public half. (`oct` has none.)

    Raises:
        InvalidKeyError: a point is not on the curve, or of low order; an RSA key is weak (`check_rsa`).
        UnsupportedOperationError: the type is `oct`, or none of JOSE's.
    """
    public = key.public or b""
    if key.type == "rsa":
        return _rsa_public(public)
    if key.type.startswith("ec-"):
        return _ec_public(key.type, public)
    if key.type == "ed25519":
        return _ed25519_public(public)
    if key.type == "x25519":
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

        return X25519PublicKey.from_public_bytes(public)
    raise UnsupportedOperationError(f"a key of type {key.type} has no public half; use an asymmetric one")


def private_object(key: Key, *, primes: bool = True) -> PrivateObject:
    """The secret half, once the public one was found to belong to it.

    Testing the `primes` of an RSA key takes 0.1 s at 2048 bits; whoever decrypts with his own key may leave it out.

    Raises:
        NotExportableError: there is none.
        InvalidKeyError: the halves do not belong together, a number is out of its range; as `public_object`.
        UnsupportedOperationError: as `public_object`.
    """
    if key.secret is None:
        raise NotExportableError("this is a public key, and the secret half is needed; load the secret key for this")
    public = public_object(key)
    private = _private(key.type, key.secret, primes=primes)
    if private is None or private.public_key() != public:
        raise InvalidKeyError(_HALVES)
    return private


def _private(type: str, secret: Secret, *, primes: bool) -> PrivateObject | None:
    if type == "rsa":
        return _rsa_private(secret, primes=primes)
    if type == "ed25519":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(secret.reveal())
    if type == "x25519":
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        return X25519PrivateKey.from_private_bytes(secret.reveal())
    from cryptography.hazmat.primitives.asymmetric.ec import derive_private_key

    try:
        return derive_private_key(int.from_bytes(secret.reveal(), "big"), _curve(type))
    except ValueError:
        return None  # zero, or the curve's order and beyond


def _curve(type: str) -> ec.EllipticCurve:
    from cryptography.hazmat.primitives.asymmetric import ec

    return {"ec-p256": ec.SECP256R1(), "ec-p384": ec.SECP384R1(), "ec-p521": ec.SECP521R1()}[type]


def _ec_public(type: str, public: bytes) -> ec.EllipticCurvePublicKey:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    try:
        return EllipticCurvePublicKey.from_encoded_point(_curve(type), public)
    except ValueError:
        pass
    raise InvalidKeyError(_OFF_CURVE)


def _ed25519_public(public: bytes) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    y = int.from_bytes(public, "little") & (2**255 - 1)
    if y >= _P or y in (0, 1, _P - 1, _ORDER_8, _P - _ORDER_8):
        raise InvalidKeyError(
            "the point of the Ed25519 key is of low order or not canonical, so that anybody could sign; remove the key"
        )
    if not _is_on_curve(y):
        raise InvalidKeyError(_OFF_CURVE)
    return Ed25519PublicKey.from_public_bytes(public)


def _is_on_curve(y: int) -> bool:
    """Whether an x belongs to it: x² = u/v (RFC 8032 §5.1.3), which is a square where u·v is one."""
    u, v = y * y - 1, _D * y * y + 1
    return pow(u * v, (_P - 1) // 2, _P) == 1


def _rsa_public(public: bytes) -> RSAPublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    from keywright_jose.rsa_modulus import check_rsa

    try:
        key = load_der_public_key(public)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey):
        raise InvalidKeyError("the public half of the RSA key is none; export it again from the program that made it")
    numbers = key.public_numbers()
    check_rsa(numbers.n, numbers.e)
    return key


def _rsa_private(der: Secret, *, primes: bool) -> RSAPrivateKey | None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        key = load_der_private_key(der.reveal(), None, unsafe_skip_rsa_key_validation=not primes)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPrivateKey) else None
