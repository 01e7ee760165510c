"""Octets that are a public key: used as an HMAC secret, anybody could sign with what everybody may know."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import Final

from keywright import Secret

__all__ = ["is_public_key"]

_STARTS: Final = (b"-----BEGIN ", b"---- BEGIN ", b"ssh-", b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-")
_SEQUENCE: Final = 0x30
_SHORTEST_DER: Final = 40  # bytes; an Ed25519 SubjectPublicKeyInfo has 44
_SHORTEST_BASE64: Final = 56  # characters of such


def is_public_key(octets: Secret) -> bool:
    """Whether the octets are a public key or certificate: PEM, DER, base64 of DER, OpenSSH, Nix or JWK.

    Private keys in text are among them: where one was given for a secret, its public half may have been as well.
    """
    return _is_text_of_one(octets) or _is_der(octets) or _is_nix(octets) or _is_base64_of_der(octets)


def _is_text_of_one(octets: Secret) -> bool:
    start = octets.reveal()[:1024].lstrip(b" \t\r\n\xef\xbb\xbf")
    return start.startswith(_STARTS) or (start.startswith(b"{") and b'"kty"' in octets.reveal())


def _is_der(octets: Secret) -> bool:
    if len(octets) < _SHORTEST_DER or octets.reveal()[0] != _SEQUENCE:
        return False
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key
    from cryptography.x509 import load_der_x509_certificate

    try:
        load_der_public_key(octets.reveal())
    except UnsupportedAlgorithm:
        return True
    except ValueError:
        pass
    else:
        return True
    try:
        load_der_x509_certificate(octets.reveal())
    except ValueError:
        return False
    return True


def _is_nix(octets: Secret) -> bool:
    """`NAME:` and base64 of 32 or 64 bytes."""
    _, colon, encoded = octets.reveal().strip().partition(b":")
    return bool(colon) and len(_decoded(Secret(encoded))) in (32, 64)


def _is_base64_of_der(octets: Secret) -> bool:
    if len(octets) < _SHORTEST_BASE64:
        return False
    decoded = _decoded(Secret(b"".join(octets.reveal().split())))
    return _is_der(decoded)


def _decoded(text: Secret) -> Secret:
    """What standard base64 spells, padded or not; nothing if it is none."""
    try:
        return Secret(a2b_base64(text.reveal() + b"=" * (-len(text) % 4), strict_mode=True))
    except (Base64Error, ValueError):
        return Secret(b"")
