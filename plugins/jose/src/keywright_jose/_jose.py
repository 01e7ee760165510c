"""Everything that python-jose does: its key objects sign, verify, encrypt and wrap. No other module imports it.

What it lacks is here in its likeness: EdDSA, RSASSA-PSS, and AES-CBC with HMAC that decrypts only what is authentic.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256, sha384, sha512
from hmac import compare_digest, digest
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hmac import HMAC
from jose import jwk
from jose.backends.base import Key as JoseKey
from jose.backends.cryptography_backend import (
    CryptographyAESKey,
    CryptographyECKey,
    CryptographyHMACKey,
    CryptographyRSAKey,
)
from jose.exceptions import JOSEError, JWEError

from keywright import Key, Secret
from keywright.errors import InvalidKeyError, PluginError
from keywright_jose.keys import check_not_public, private_object, public_object

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_T = TypeVar("_T")
_BACKEND: Final = "jose.backends.cryptography_backend"
_HASHES: Final[dict[str, Callable[[], hashes.HashAlgorithm]]] = {
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}
_CBC_HASHES: Final = {16: sha256, 24: sha384, 32: sha512}
_LENGTHS: Final = {"ed25519": 64, "ec-p256": 64, "ec-p384": 96, "ec-p521": 132}


def signing_key(key: Key, algorithm: str) -> Callable[[bytes], bytes]:
    """The call that signs. `algorithm` must be one that the key's type can be used with.

    Raises:
        InvalidKeyError: the key is too short for the algorithm, is a public key, or wrong (`private_object`).
        NotExportableError: the key has no secret half.
        PluginError: python-jose works with another backend than cryptography.
    """
    check_backend()
    if key.type == "oct":
        return _hmac_key(key, algorithm).sign
    return _key_object(private_object(key), algorithm).sign


def verifying_key(key: Key, algorithm: str) -> tuple[Callable[[bytes, bytes], bool], int]:
    """The call that says whether a signature is valid, and how many bytes a signature has.

    Raises:
        InvalidKeyError, PluginError: as `signing_key`.
        NotExportableError: an `oct` key without its octets.
    """
    check_backend()
    if key.type == "oct":
        return _hmac_key(key, algorithm).verify, int(algorithm[-3:]) // 8
    public = public_object(key)
    object_ = _key_object(public, algorithm)
    length = _LENGTHS.get(key.type) or (cast("RSAPublicKey", public).key_size + 7) // 8
    return object_.verify, length


def check_backend() -> None:
    """Refuse to work where python-jose does its mathematics with something else than `cryptography`.

    Raises:
        PluginError: it does.
    """
    for name in ("HMACKey", "RSAKey", "ECKey", "AESKey"):
        if getattr(getattr(jwk, name, None), "__module__", None) != _BACKEND:
            raise PluginError(
                "python-jose does not work with the installed cryptography",
                hint="reinstall python-jose[cryptography]",
            )


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


class PlainKey:
    """A key of `cryptography` that signs and verifies by itself: RSASSA-PSS (RFC 7518 §3.5), Ed25519 (RFC 8037 §3.1).

    `parameters` are the further arguments of its `sign` and `verify`.
    """

    def __init__(self, key: Any, *parameters: object) -> None:
        self._key = key
        self._parameters = parameters

    def sign(self, msg: bytes) -> bytes:
        """The signature."""
        signature: bytes = self._key.sign(msg, *self._parameters)
        return signature

    def verify(self, msg: bytes, sig: bytes) -> bool:
        """Whether the signature is valid."""
        try:
            self._key.verify(sig, msg, *self._parameters)
        except InvalidSignature:
            return False
        return True


def _hmac_key(key: Key, algorithm: str) -> JoseKey:
    octets = key.secret
    if octets is None or len(octets) * 8 < int(algorithm[-3:]):
        raise InvalidKeyError(
            f"{algorithm} needs a key of at least {algorithm[-3:]} bits (RFC 7518 §3.2)", hint="use a longer key"
        )
    check_not_public(octets, "verify with that key under an algorithm of its own kind")
    return _checked(_unless_refused(lambda: HmacKey(octets.reveal(), algorithm)), algorithm)


def _key_object(prepared: Any, algorithm: str) -> JoseKey | PlainKey:
    if algorithm.startswith("Ed"):
        return PlainKey(prepared)
    if algorithm.startswith("PS"):
        hash_ = _HASHES[algorithm[-3:]]()
        return PlainKey(prepared, PSS(MGF1(hash_), hash_.digest_size), hash_)  # a salt as long as the hash
    kind = CurveKey if algorithm.startswith("ES") else CryptographyRSAKey
    return _checked(_unless_refused(lambda: kind(prepared, algorithm)), algorithm)


def _unless_refused(act: Callable[[], _T]) -> _T | None:
    """What `act` returns; None if python-jose refuses: its own traceback goes through frames that hold a secret."""
    try:
        return act()
    except JOSEError:
        return None


def _checked(key: JoseKey | None, algorithm: str) -> JoseKey:
    if key is None:
        raise InvalidKeyError(f"python-jose does not accept this key for {algorithm}", hint="use a key of another type")
    return key


class Encrypted(NamedTuple):
    """What encrypting gives: `iv`, `ciphertext` and `tag`."""

    iv: bytes
    ciphertext: bytes
    tag: bytes


class CbcHmacKey:
    """AES-CBC and HMAC (RFC 7518 §5.2): the first half of the key authenticates, the second encrypts.

    python-jose has no object for both, and its own function decrypts before it looks at the tag.
    """

    def __init__(self, key: bytes) -> None:
        self._half = len(key) // 2
        self._authenticating = key[: self._half]
        self._cipher: JoseKey = CryptographyAESKey(key[self._half :], f"A{self._half * 8}CBC")

    def encrypt(self, plain_text: bytes, aad: bytes) -> tuple[bytes, bytes, bytes]:
        """IV, ciphertext and tag."""
        iv, ciphertext, _ = self._cipher.encrypt(plain_text)
        return iv, ciphertext, self._tag(aad, iv, ciphertext)

    def decrypt(self, cipher_text: bytes, iv: bytes, aad: bytes, tag: bytes) -> bytes:
        """What was encrypted. Raises: JWEError, before anything is decrypted, if the tag is another one."""
        if not compare_digest(self._tag(aad, iv, cipher_text), tag):
            raise JWEError("the tag does not hold")
        return self._cipher.decrypt(cipher_text, iv)

    def _tag(self, aad: bytes, iv: bytes, ciphertext: bytes) -> bytes:
        message = b"".join((aad, iv, ciphertext, (len(aad) * 8).to_bytes(8, "big")))
        return digest(self._authenticating, message, _CBC_HASHES[self._half])[: self._half]


def encrypt(algorithm: str, key: Secret, plaintext: Secret, aad: bytes = b"") -> Encrypted | None:
    """Encrypt under a new random IV; None if the libraries cannot.

    `algorithm` is an `enc` (RFC 7518 §5.1), and `key` has its length. Neither this nor `decrypt` raises, so that no
    traceback goes through a frame of a library that holds the content.
    """
    parts = _unless_refused(lambda: _content_key(algorithm, key).encrypt(plaintext.reveal(), aad))
    if parts is None:
        return None
    iv, ciphertext, tag = parts
    return Encrypted(iv, ciphertext, tag or b"")


def decrypt(algorithm: str, key: Secret, encrypted: Encrypted, aad: bytes = b"") -> Secret | None:
    """What was encrypted; None if the tag is another one, which is found out before anything is decrypted."""
    iv, ciphertext, tag = encrypted
    return _unless_refused(lambda: Secret(_content_key(algorithm, key).decrypt(ciphertext, iv, aad, tag)))


def _content_key(algorithm: str, key: Secret) -> JoseKey | CbcHmacKey:
    return CbcHmacKey(key.reveal()) if "CBC" in algorithm else CryptographyAESKey(key.reveal(), algorithm)


def aes_wrapping_key(octets: Secret) -> JoseKey:
    """What wraps keys with AES (RFC 7518 §4.4)."""
    return CryptographyAESKey(octets.reveal(), f"A{len(octets) * 8}KW")


def rsa_wrapping_key(prepared: object, algorithm: str) -> JoseKey:
    """What wraps keys with RSA-OAEP (RFC 7518 §4.3)."""
    return CryptographyRSAKey(prepared, algorithm)


def wrap(wrapping: JoseKey, key: Secret) -> bytes | None:
    """A key encrypted under another; None if the libraries cannot. It does not raise, nor does `unwrap`."""
    return _unless_refused(lambda: wrapping.wrap_key(key.reveal()))


def unwrap(wrapping: JoseKey, encrypted: bytes) -> Secret | None:
    """The key that was wrapped; None if it cannot be unwrapped."""
    return _unless_refused(lambda: Secret(wrapping.unwrap_key(encrypted)))
