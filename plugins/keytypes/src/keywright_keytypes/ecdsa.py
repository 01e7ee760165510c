"""ECDSA with signatures as RFC 7518 §3.4 has them: r ‖ s, each as long as the curve's field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.errors import InvalidSignatureError
from keywright_keytypes.hashes import hash_of
from keywright_keytypes.refusals import no_match

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

__all__ = ["bind_signer", "bind_verifier"]


def bind_signer(private: EllipticCurvePrivateKey, algorithm: str, size: int) -> Callable[[bytes], bytes]:
    """A call that signs a message; its signatures have 2 × `size` bytes."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    make, method = private.sign, ECDSA(hash_of(algorithm))

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(make(message, method))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign


def bind_verifier(public: EllipticCurvePublicKey, algorithm: str, size: int) -> Callable[[bytes, bytes], None]:
    """A call that checks `(message, signature)` and raises InvalidSignatureError.

    Refused are signatures that are not 2 × `size` bytes long, and, by the library, r or s that are not from 1 to the
    order of the curve less 1.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    check, method = public.verify, ECDSA(hash_of(algorithm))

    def verify(message: bytes, signature: bytes) -> None:
        if len(signature) != 2 * size:
            raise InvalidSignatureError(
                f"an {algorithm} signature is r ‖ s, {2 * size} bytes (RFC 7518 §3.4); convert one that is in DER"
            )
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        try:
            check(encode_dss_signature(r, s), message, method)
        except InvalidSignature:
            raise no_match() from None

    return verify
