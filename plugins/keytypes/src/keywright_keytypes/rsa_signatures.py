"""RSASSA-PSS (RFC 7518 §3.5) and RSASSA-PKCS1-v1_5 (RFC 7518 §3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright_keytypes.hashes import hash_of
from keywright_keytypes.refusals import no_match

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.padding import PSS, PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

__all__ = ["bind_signer", "bind_verifier"]


def bind_signer(private: RSAPrivateKey, algorithm: str) -> Callable[[bytes], bytes]:
    """A call that signs a message; its signatures are as long as the modulus."""
    make, padding, digest = private.sign, _padding(algorithm), hash_of(algorithm)

    def sign(message: bytes) -> bytes:
        return make(message, padding, digest)

    return sign


def bind_verifier(public: RSAPublicKey, algorithm: str) -> Callable[[bytes, bytes], None]:
    """A call that checks `(message, signature)` and raises InvalidSignatureError."""
    from cryptography.exceptions import InvalidSignature

    check, padding, digest = public.verify, _padding(algorithm), hash_of(algorithm)
    size = (public.key_size + 7) // 8

    def verify(message: bytes, signature: bytes) -> None:
        # The library would take a PSS signature without its leading zeros; RFC 8017 §8.1.2 step 1 does not.
        if len(signature) != size:
            raise no_match()
        try:
            check(signature, message, padding, digest)
        except InvalidSignature:
            raise no_match() from None

    return verify


def _padding(algorithm: str) -> PSS | PKCS1v15:
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15

    if algorithm.startswith("RS"):
        return PKCS1v15()
    digest = hash_of(algorithm)
    return PSS(MGF1(digest), digest.digest_size)
