"""Octets that are a public key: used as an HMAC secret, anybody could sign with what everybody may know."""

from __future__ import annotations

from binascii import a2b_base64
from typing import Final

from keywright import Secret

__all__ = ["is_public_key"]

_ARMOR: Final = (b"-----BEGIN ", b"---- BEGIN ")
_OPENSSH: Final = (b"ssh-", b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-")
_SEQUENCE: Final = 0x30
_SHORTEST_DER: Final = 40  # bytes; an Ed25519 SubjectPublicKeyInfo has 44
_SHORTEST_BASE64: Final = 56  # characters of such
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")


def is_public_key(octets: Secret) -> bool:
    """Whether the octets are a public key or certificate: PEM, DER, OpenSSH, Nix, JWK, or base64 of one of these.

    Private keys in text are among them: where one was given for a secret, its public half may have been as well.
    """
    return _is_one(octets) or _is_nix(octets) or _is_base64_of_one(octets)


def _is_one(octets: Secret) -> bool:
    return _is_text_of_one(octets) or _is_openssh_blob(octets) or _is_der(octets)


def _is_text_of_one(octets: Secret) -> bool:
    # Anything may stand before an armor; before the others, spaces and a byte order mark.
    if any(armor in octets.reveal() for armor in _ARMOR):
        return True
    start = Secret(octets.reveal().lstrip(b" \t\r\n\xef\xbb\xbf"))
    return start.reveal().startswith(_OPENSSH) or (start.reveal().startswith(b"{") and b'"kty"' in start.reveal())


def _is_openssh_blob(octets: Secret) -> bool:
    """What base64 spells in a line of OpenSSH: the length of the name, and the name (RFC 4253 §6.6)."""
    return octets.reveal().startswith(b"\x00\x00\x00") and octets.reveal().startswith(_OPENSSH, 4)


def _is_der(octets: Secret) -> bool:
    if len(octets) < _SHORTEST_DER or octets.reveal()[0] != _SEQUENCE:
        return False
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key
    from cryptography.x509 import InvalidVersion, load_der_x509_certificate

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
    except (InvalidVersion, Warning):
        return True  # one that breaks the rules of certificates is one all the same
    except ValueError:
        return False
    return True


def _is_nix(octets: Secret) -> bool:
    """`NAME:` and base64 of 32 or 64 bytes."""
    _, colon, encoded = map(Secret, octets.reveal().strip().partition(b":"))
    return len(colon) == 1 and len(_decoded(encoded)) in (32, 64)


def _is_base64_of_one(octets: Secret) -> bool:
    return len(octets) >= _SHORTEST_BASE64 and _is_one(_decoded(Secret(b"".join(octets.reveal().split()))))


def _decoded(text: Secret) -> Secret:
    """What base64 spells, in either alphabet, padded or not; nothing if it is none."""
    try:
        return Secret(a2b_base64(text.reveal().translate(_TO_STANDARD) + b"=" * (-len(text) % 4), strict_mode=True))
    except ValueError:
        return Secret(b"")
