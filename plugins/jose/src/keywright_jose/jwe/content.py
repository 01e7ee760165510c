"""Encrypting and decrypting the content of a token (RFC 7518 §5)."""

from __future__ import annotations

from hashlib import sha256, sha384, sha512
from hmac import compare_digest, digest
from typing import NamedTuple

from jose.backends.base import Key as JoseKey
from jose.backends.cryptography_backend import CryptographyAESKey
from jose.exceptions import JOSEError, JWEError

from keywright import Secret
from keywright.errors import UnsupportedOperationError
from keywright_jose.jwe.algorithms import ContentAlgorithm

_HASHES = {16: sha256, 24: sha384, 32: sha512}


class Encrypted(NamedTuple):
    """What encrypting gives: `iv`, `ciphertext` and `tag`."""

    iv: bytes
    ciphertext: bytes
    tag: bytes


class CbcHmacKey(JoseKey):
    """AES-CBC and HMAC (RFC 7518 §5.2): the first half of the key authenticates, the second encrypts.

    python-jose has no object for both, and its own function decrypts before it looks at the tag.
    """

    def __init__(self, key: bytes, algorithm: str) -> None:
        super().__init__(key, algorithm)
        self._half = len(key) // 2
        self._authenticating = key[: self._half]
        self._cipher: JoseKey = CryptographyAESKey(key[self._half :], f"A{self._half * 8}CBC")

    def encrypt(self, plain_text: str | bytes, aad: bytes | None = None) -> tuple[bytes, bytes, bytes]:
        """IV, ciphertext and tag."""
        iv, ciphertext, _ = self._cipher.encrypt(plain_text)
        return iv, ciphertext, self._tag(aad or b"", iv, ciphertext)

    def decrypt(
        self,
        cipher_text: str | bytes,
        iv: str | bytes | None = None,
        aad: bytes | None = None,
        tag: bytes | None = None,
    ) -> bytes:
        """What was encrypted. Raises: JWEError, before anything is decrypted, if the tag is another one."""
        if not compare_digest(self._tag(aad or b"", _octets(iv), _octets(cipher_text)), tag or b""):
            raise JWEError("the tag does not hold")
        return self._cipher.decrypt(cipher_text, iv)

    def _tag(self, aad: bytes, iv: bytes, ciphertext: bytes) -> bytes:
        message = b"".join((aad, iv, ciphertext, (len(aad) * 8).to_bytes(8, "big")))
        return digest(self._authenticating, message, _HASHES[self._half])[: self._half]


def encrypted_content(content: ContentAlgorithm, key: Secret, plaintext: Secret, aad: bytes) -> Encrypted:
    """Encrypt under a fresh random IV. `key` has the length that `content` says.

    Raises:
        UnsupportedOperationError: the libraries cannot encrypt so here.
    """
    found = _encrypted(content, key, plaintext, aad)
    if found is None:
        raise UnsupportedOperationError(
            f"the libraries that are installed do not encrypt with {content.name}; install cryptography anew"
        )
    return found


def decrypted_content(content: ContentAlgorithm, key: Secret, encrypted: Encrypted, aad: bytes) -> Secret | None:
    """What was encrypted; None if the tag does not hold, which is found out before anything is decrypted.

    It does not raise, so that no traceback goes through a frame of a library that holds the content.
    """
    iv, ciphertext, tag = encrypted
    try:
        return Secret(_key_object(content, key).decrypt(ciphertext, iv, aad, tag))
    except JOSEError:
        return None


def _encrypted(content: ContentAlgorithm, key: Secret, plaintext: Secret, aad: bytes) -> Encrypted | None:
    try:
        iv, ciphertext, tag = _key_object(content, key).encrypt(plaintext.reveal(), aad)
    except JOSEError:
        return None
    return Encrypted(iv, ciphertext, tag or b"")


def _key_object(content: ContentAlgorithm, key: Secret) -> JoseKey:
    kind = CbcHmacKey if content.is_cbc else CryptographyAESKey
    return kind(key.reveal(), content.name)


def _octets(value: str | bytes | None) -> bytes:
    return value if isinstance(value, bytes) else b""
