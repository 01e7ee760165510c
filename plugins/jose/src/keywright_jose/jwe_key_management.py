"""How the key of the content comes along: agreed on, encrypted under another key, or known already (RFC 7518 §4)."""

from __future__ import annotations

from collections.abc import Mapping
from os import urandom
from typing import TYPE_CHECKING, NamedTuple

from jose.backends.cryptography_backend import CryptographyAESKey, CryptographyRSAKey
from jose.exceptions import JOSEError

from keywright import Key, Secret
from keywright.errors import MalformedTokenError, NotExportableError, UnsupportedOperationError
from keywright_jose.base64url import decode_segment, encode_base64url
from keywright_jose.jwe_algorithms import ContentAlgorithm, KeyAlgorithm
from keywright_jose.key_objects import private_object, public_object

if TYPE_CHECKING:
    from jose.backends.base import Key as JoseKey

__all__ = ["ContentKey", "content_key_for", "content_key_of"]

_GCM_IV_BYTES = 12
_GCM_TAG_BYTES = 16
_WRAP_BYTES = 8


class ContentKey(NamedTuple):
    """A fresh key for the content of one token.

    Attributes:
        key: the key.
        encrypted: as the token carries it; empty if it does not.
        members: what the header has to say, that it can be had again: `epk`, or `iv` and `tag`.
    """

    key: Secret
    encrypted: bytes
    members: dict[str, object]


def content_key_for(
    key: Key, algorithm: KeyAlgorithm, content: ContentAlgorithm, headers: Mapping[str, object]
) -> ContentKey:
    """A content key that whoever has `key` can get again.

    Raises:
        InvalidKeyError: the key is weak or wrong.
        NotExportableError: an `oct` key without its octets.
        FormatError: `apu` or `apv` in `headers` is not canonical base64url.
        UnsupportedOperationError: the libraries cannot encrypt so here.
    """
    if algorithm.way == "direct":
        return ContentKey(_octets(key), b"", {})
    if algorithm.way == "agree":
        from keywright_jose.jwe_agreement import agreed_with_ephemeral

        agreed, members = agreed_with_ephemeral(key, content.name, content.key_bytes * 8, headers)
        return ContentKey(agreed, b"", members)
    fresh = Secret(urandom(content.key_bytes))
    found = _encrypted(key, algorithm, fresh, headers)
    if found is None:
        raise UnsupportedOperationError(
            f"the libraries that are installed do not encrypt with {algorithm.name}; install cryptography anew"
        )
    return found


def content_key_of(
    key: Key, algorithm: KeyAlgorithm, content: ContentAlgorithm, header: Mapping[str, object], encrypted: bytes
) -> Secret:
    """The content key of a token; a random one where it cannot be had, so that nobody learns why (RFC 7516 §11.5).

    Raises:
        MalformedTokenError: `encrypted` cannot be such a key, for its length, or because there must be none; `epk`,
            `apu`, `apv`, `iv` or `tag` in the header is missing or malformed.
        InvalidSignatureError: `epk` is on another curve than the key.
        NotExportableError: there is no secret half.
        InvalidKeyError: the key is weak or wrong.
    """
    _check_length(algorithm, content, encrypted)
    anything = Secret(urandom(content.key_bytes))
    found = _decrypted(key, algorithm, content, header, encrypted)
    return found if found is not None and len(found) == content.key_bytes else anything


def _encrypted(key: Key, algorithm: KeyAlgorithm, fresh: Secret, headers: Mapping[str, object]) -> ContentKey | None:
    if algorithm.way == "gcm":
        return _encrypted_with_gcm(_octets(key), algorithm, fresh)
    members: dict[str, object] = {}
    if algorithm.way == "rsa":
        wrapping = _rsa_key(public_object(key), algorithm)
    elif algorithm.way == "wrap":
        wrapping = _wrapping_key(_octets(key), algorithm)
    else:
        from keywright_jose.jwe_agreement import agreed_with_ephemeral

        agreed, members = agreed_with_ephemeral(key, algorithm.name, algorithm.bits, headers)
        wrapping = _wrapping_key(agreed, algorithm)
    encrypted = _wrapped(wrapping, fresh)
    return None if encrypted is None else ContentKey(fresh, encrypted, members)


def _decrypted(
    key: Key, algorithm: KeyAlgorithm, content: ContentAlgorithm, header: Mapping[str, object], encrypted: bytes
) -> Secret | None:
    if algorithm.way == "direct":
        return _octets(key)
    if algorithm.way == "gcm":
        return _decrypted_with_gcm(_octets(key), algorithm, header, encrypted)
    if algorithm.way == "rsa":
        return _unwrapped(_rsa_key(private_object(key, primes=False), algorithm), encrypted)
    if algorithm.way == "wrap":
        return _unwrapped(_wrapping_key(_octets(key), algorithm), encrypted)
    from keywright_jose.jwe_agreement import agreed_with_sender

    if algorithm.way == "agree":
        return agreed_with_sender(key, content.name, content.key_bytes * 8, header)
    agreed = agreed_with_sender(key, algorithm.name, algorithm.bits, header)
    return None if agreed is None else _unwrapped(_wrapping_key(agreed, algorithm), encrypted)


def _check_length(algorithm: KeyAlgorithm, content: ContentAlgorithm, encrypted: bytes) -> None:
    if algorithm.way == "rsa":
        return  # as long as the modulus, which is for the key to say
    length = {"gcm": content.key_bytes, "direct": 0, "agree": 0}.get(algorithm.way, content.key_bytes + _WRAP_BYTES)
    if len(encrypted) != length:
        raise MalformedTokenError(
            f"the encrypted key of the token has not the {length} bytes that its algorithms ask for; copy the token "
            "whole"
        )


def _encrypted_with_gcm(octets: Secret, algorithm: KeyAlgorithm, fresh: Secret) -> ContentKey | None:
    try:
        iv, encrypted, tag = _gcm_key(octets, algorithm).encrypt(fresh.reveal())
    except JOSEError:
        return None
    return ContentKey(fresh, encrypted, {"iv": encode_base64url(iv), "tag": encode_base64url(tag or b"")})


def _decrypted_with_gcm(
    octets: Secret, algorithm: KeyAlgorithm, header: Mapping[str, object], encrypted: bytes
) -> Secret | None:
    iv = _header_octets(header, "iv", _GCM_IV_BYTES)
    tag = _header_octets(header, "tag", _GCM_TAG_BYTES)
    try:
        return Secret(_gcm_key(octets, algorithm).decrypt(encrypted, iv, None, tag))
    except JOSEError:
        return None


def _header_octets(header: Mapping[str, object], name: str, length: int) -> bytes:
    value = header.get(name)
    octets = decode_segment(value) if isinstance(value, str) else None
    if octets is None or len(octets) != length:
        raise MalformedTokenError(
            f"the member {name} of the token's header is not canonical base64url of {length} bytes (RFC 7518 §4.7.1); "
            "have it issued anew"
        )
    return octets


def _wrapped(wrapping: JoseKey, fresh: Secret) -> bytes | None:
    try:
        return wrapping.wrap_key(fresh.reveal())
    except JOSEError:
        return None


def _unwrapped(wrapping: JoseKey, encrypted: bytes) -> Secret | None:
    try:
        return Secret(wrapping.unwrap_key(encrypted))
    except JOSEError:
        return None


def _wrapping_key(octets: Secret, algorithm: KeyAlgorithm) -> JoseKey:
    return CryptographyAESKey(octets.reveal(), f"A{algorithm.bits}KW")


def _gcm_key(octets: Secret, algorithm: KeyAlgorithm) -> JoseKey:
    return CryptographyAESKey(octets.reveal(), f"A{algorithm.bits}GCM")


def _rsa_key(prepared: object, algorithm: KeyAlgorithm) -> JoseKey:
    return CryptographyRSAKey(prepared, algorithm.name)


def _octets(key: Key) -> Secret:
    if key.secret is None:
        raise NotExportableError("this is a key without its octets, and they are needed; load the secret key for this")
    return key.secret
