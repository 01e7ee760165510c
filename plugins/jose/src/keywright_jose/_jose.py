"""python-jose's key objects, which sign and verify; and those that python-jose lacks, made in its likeness."""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest
from typing import TYPE_CHECKING, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hmac import HMAC
from jose import jwk
from jose.backends.base import Key as JoseKey
from jose.backends.cryptography_backend import CryptographyECKey, CryptographyHMACKey, CryptographyRSAKey
from jose.exceptions import JOSEError

from keywright import Key
from keywright.errors import InvalidKeyError, PluginError
from keywright_jose.keys import is_public_key, private_object, public_object

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey


_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}
_BACKEND = "jose.backends.cryptography_backend"


class HmacKey(CryptographyHMACKey):
    """HMAC that has taken in its key, to be copied for each message: python-jose takes it in each time."""

    def __init__(self, octets: bytes, algorithm: str) -> None:
        super().__init__(octets, algorithm)
        self._keyed = HMAC(octets, _HASHES[algorithm[-3:]]())

    def sign(self, msg: bytes) -> bytes:
        """A tag as long as the hash."""
        hmac = self._keyed.copy()
        hmac.update(msg)
        return hmac.finalize()

    def verify(self, msg: bytes, sig: bytes) -> bool:
        """Whether the tag is this one, in constant time."""
        return compare_digest(self.sign(msg), sig)


class CurveKey(CryptographyECKey):
    """ECDSA, r ‖ s (RFC 7518 §3.4), without python-jose's looking up of lengths for each signature."""

    def __init__(self, key: EllipticCurvePrivateKey | EllipticCurvePublicKey, algorithm: str) -> None:
        super().__init__(key, algorithm)
        self._method = ECDSA(_HASHES[algorithm[-3:]]())
        self._size = (key.key_size + 7) // 8

    def sign(self, msg: bytes) -> bytes:
        """Twice as long as a coordinate."""
        r, s = decode_dss_signature(self.prepared_key.sign(msg, self._method))
        return r.to_bytes(self._size, "big") + s.to_bytes(self._size, "big")


class PssKey(JoseKey):
    """RSASSA-PSS with a salt as long as the hash (RFC 7518 §3.5)."""

    def __init__(self, key: RSAPrivateKey | RSAPublicKey, algorithm: str) -> None:
        super().__init__(key, algorithm)
        self.prepared_key = key
        self._hash = _HASHES[algorithm[-3:]]()
        self._padding = PSS(MGF1(self._hash), self._hash.digest_size)

    def sign(self, msg: bytes) -> bytes:
        """A signature as long as the modulus."""
        return cast("RSAPrivateKey", self.prepared_key).sign(msg, self._padding, self._hash)

    def verify(self, msg: bytes, sig: bytes) -> bool:
        """Whether the signature holds."""
        try:
            cast("RSAPublicKey", self.prepared_key).verify(sig, msg, self._padding, self._hash)
        except InvalidSignature:
            return False
        return True


class EdwardsKey(JoseKey):
    """Ed25519 (RFC 8037 §3.1)."""

    def __init__(self, key: Ed25519PrivateKey | Ed25519PublicKey, algorithm: str) -> None:
        super().__init__(key, algorithm)
        self.prepared_key = key

    def sign(self, msg: bytes) -> bytes:
        """64 bytes."""
        return cast("Ed25519PrivateKey", self.prepared_key).sign(msg)

    def verify(self, msg: bytes, sig: bytes) -> bool:
        """Whether the signature holds."""
        try:
            cast("Ed25519PublicKey", self.prepared_key).verify(sig, msg)
        except InvalidSignature:
            return False
        return True


def signing_key(key: Key, algorithm: str) -> Callable[[bytes], bytes]:
    """The call that signs. `algorithm` must be one that the key's type can be used with.

    Raises:
        InvalidKeyError: the key is too weak for the algorithm (`check_hmac_key`), or wrong (`private_object`).
        NotExportableError: there is no secret half.
        PluginError: python-jose works with another backend than cryptography.
    """
    check_backend()
    if key.type == "oct":
        return _hmac_key(key, algorithm).sign
    return _key_object(private_object(key), algorithm).sign


def verifying_key(key: Key, algorithm: str) -> tuple[Callable[[bytes, bytes], bool], int]:
    """The call that says whether a signature holds, and how many bytes a signature has.

    Raises:
        InvalidKeyError, PluginError: as `signing_key`.
        NotExportableError: an `oct` key without its octets.
    """
    check_backend()
    if key.type == "oct":
        return _hmac_key(key, algorithm).verify, int(algorithm[-3:]) // 8
    public = public_object(key)
    object_ = _key_object(public, algorithm)
    lengths = {"ed25519": 64, "ec-p256": 64, "ec-p384": 96, "ec-p521": 132}
    length = lengths[key.type] if key.type in lengths else (cast("RSAPublicKey", public).key_size + 7) // 8
    return object_.verify, length


def check_backend() -> None:
    """Refuse to work where python-jose does its mathematics with something else than `cryptography`.

    Raises:
        PluginError: it does.
    """
    for name in ("HMACKey", "RSAKey", "ECKey", "AESKey"):
        if getattr(getattr(jwk, name, None), "__module__", None) != _BACKEND:
            raise PluginError(
                "python-jose does not work with cryptography here, so its checks are not known; install "
                "python-jose[cryptography] anew"
            )


def check_hmac_key(key: Key, fewest_bits: int, algorithm: str) -> None:
    """Refuse octets that are too short for a use, or anybody's.

    Raises:
        InvalidKeyError: they have fewer bits, or are a public key.
    """
    octets = key.secret
    if octets is None or len(octets) * 8 < fewest_bits:
        raise InvalidKeyError(
            f"{algorithm} needs a key of at least {fewest_bits} bits (RFC 7518 §3.2); make a longer one"
        )
    if is_public_key(octets):
        raise InvalidKeyError(
            "the octets of this oct key are a public key or certificate, which anybody may know; verify with that key "
            "under an algorithm of its own kind"
        )


def _hmac_key(key: Key, algorithm: str) -> JoseKey:
    check_hmac_key(key, int(algorithm[-3:]), algorithm)
    return _taken(_made(HmacKey, None if key.secret is None else key.secret.reveal(), algorithm), algorithm)


def _key_object(prepared: object, algorithm: str) -> JoseKey:
    if algorithm.startswith("PS"):
        return PssKey(cast("RSAPrivateKey", prepared), algorithm)
    if algorithm.startswith("Ed"):
        return EdwardsKey(cast("Ed25519PrivateKey", prepared), algorithm)
    kind = CurveKey if algorithm.startswith("ES") else CryptographyRSAKey
    return _taken(_made(kind, prepared, algorithm), algorithm)


def _made(kind: Callable[..., JoseKey], material: object, algorithm: str) -> JoseKey | None:
    """It raises nothing: `material` may be the octets of a secret, which a traceback with locals would show."""
    try:
        return kind(material, algorithm)
    except JOSEError:
        return None


def _taken(key: JoseKey | None, algorithm: str) -> JoseKey:
    if key is None:
        raise InvalidKeyError(f"python-jose does not take this key for {algorithm}; use another key")
    return key
