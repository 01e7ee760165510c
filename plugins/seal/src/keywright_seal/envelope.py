"""The sealed bytes: a header, a data key under a wrapping key, and the payload under the data key.

| bytes | |
|---|---|
| 1 | 1, the version of this layout |
| 1 | the kind of derivation |
| 2, 1, 1 | its three costs, big-endian |
| 16 | its salt |
| 8 | the key id, which tells which master key this is for |
| 12 | nonce of the data key |
| 48 | data key, encrypted by AES-256-GCM under the wrapping key; authenticated: header and context |
| 12 | nonce of the payload |
| the rest | payload, encrypted by AES-256-GCM under the data key; authenticated: all but its nonce, and context |

The header is the first 30 bytes. The parts have one length each, so that nothing can move from one to the next.
"""

from __future__ import annotations

import os
from struct import Struct
from typing import Final, NamedTuple

from keywright import Secret
from keywright_seal.derivation import Derivation

__all__ = ["Envelope", "Header", "open_envelope", "parse_envelope", "seal_envelope"]

_VERSION: Final = 1
_HEADER: Final = Struct(">BBHBB16s8s")
_NONCE_BYTES: Final = 12  # NIST SP 800-38D §8.2.2: random ones, at most 2³² under one wrapping key
_KEY_BYTES: Final = 32
_TAG_BYTES: Final = 16
_PARTS: Final = Struct(f"{_HEADER.size}s{_NONCE_BYTES}s{_KEY_BYTES + _TAG_BYTES}s{_NONCE_BYTES}s")


class Header(NamedTuple):
    """What a sealed payload says of itself.

    Attributes:
        derivation: how the root key comes about.
        key_id: 8 bytes, to choose among master keys; it proves nothing.
    """

    derivation: Derivation
    key_id: bytes


class Envelope(NamedTuple):
    """A sealed payload, taken apart. No part of it is secret.

    Attributes:
        header: what the encoded header says.
        head: the header (30 bytes).
        key_nonce: 12 bytes.
        wrapped: the encrypted data key and its tag (48 bytes).
        nonce: 12 bytes.
        body: the encrypted payload and its tag.
    """

    header: Header
    head: bytes
    key_nonce: bytes
    wrapped: bytes
    nonce: bytes
    body: bytes


def parse_envelope(sealed: Secret) -> Envelope | None:
    """The parts, or None if it is none: another version, too short, or a derivation that is not acceptable."""
    if len(sealed) < _PARTS.size + _TAG_BYTES:
        return None
    head, key_nonce, wrapped, nonce = _PARTS.unpack_from(sealed.reveal())
    version, kind, first, second, third, salt, key_id = _HEADER.unpack(head)
    derivation = Derivation(kind, (first, second, third), salt)
    if version != _VERSION or not derivation.is_acceptable():
        return None
    return Envelope(Header(derivation, key_id), head, key_nonce, wrapped, nonce, sealed.reveal()[_PARTS.size :])


def seal_envelope(header: Header, wrapping: Secret, payload: Secret, context: bytes) -> Secret:
    """Encrypt a payload (less than 2 GiB) under a data key of its own, and that under the wrapping key (32 bytes)."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    derivation, key_id = header
    head = _HEADER.pack(_VERSION, derivation.kind, *derivation.costs, derivation.salt, key_id)
    data_key = Secret(os.urandom(_KEY_BYTES))
    key_nonce, nonce = os.urandom(_NONCE_BYTES), os.urandom(_NONCE_BYTES)
    wrapped = AESGCM(wrapping.reveal()).encrypt(key_nonce, data_key.reveal(), head + context)
    before = head + key_nonce + wrapped
    return Secret(before + nonce + AESGCM(data_key.reveal()).encrypt(nonce, payload.reveal(), before + context))


def open_envelope(envelope: Envelope, wrapping: Secret, context: bytes) -> Secret | None:
    """The payload, or None if the wrapping key, the context or a byte of the envelope is another."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    _, head, key_nonce, wrapped, nonce, body = envelope
    try:
        data_key = Secret(AESGCM(wrapping.reveal()).decrypt(key_nonce, wrapped, head + context))
        return Secret(AESGCM(data_key.reveal()).decrypt(nonce, body, head + key_nonce + wrapped + context))
    except InvalidTag:
        return None
