"""API keys: made once, shown once, and kept as a hash.

An API key is the version 1 of `api-keys/KEY_ID`: an `oct` JWK that holds the hash of the secret, not the secret, and
whose `alg` is that of no signature, so that nothing signs or encrypts with it. Its labels name its owner.

Its text is `kwk_` KEY_ID `_` SECRET CHECKSUM, made so that secret scanners find it.

KEY_ID is 80 random bits, 16 of `a-z 2-7` (base32, RFC 4648 §6, in lower case). SECRET is 43 random of `0-9 A-Z a-z`,
256 bits, drawn apart from KEY_ID. CHECKSUM is the CRC-32 (IEEE 802.3, as in zip) of all before it, 6 digits of base 62
in that order, the highest first: a scanner can tell one from text that only looks like one, and a typing error
costs no look-up. The whole is matched by `kwk_[a-z2-7]{16}_[0-9A-Za-z]{49}`.
"""

from __future__ import annotations

import re
from binascii import crc32
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from keywright import Attributes, Key, KeyRing, RecordInfo, Secret, State
from keywright.errors import (
    ConfigError,
    ExpiredTokenError,
    InvalidSignatureError,
    KeyNotFoundError,
    MalformedTokenError,
)
from keywright_jose.jwk.format import JwkFormat
from keywright_jose.jwk.usage import API_KEY, KEY_ID, is_key_id

_PREFIX: Final = "api-keys/"
_ATTRIBUTES: Final = Attributes({"alg": API_KEY, "key_ops": ("verify",)})
_NO_DIGEST: Final = Secret(bytes(32))
_BASE_62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PATTERN: Final = f"kwk_{KEY_ID}_[0-9A-Za-z]{{49}}".encode()
_KEY_ID_BYTES: Final = 10
_SECRET_CHARACTERS: Final = 43
_CHECKSUM_CHARACTERS: Final = 6
_SECRET_AT: Final = 21
_CHECKSUM_AT: Final = _SECRET_AT + _SECRET_CHARACTERS
_LENGTH: Final = _CHECKSUM_AT + _CHECKSUM_CHARACTERS


class NewApiKey(NamedTuple):
    """An API key that was just made.

    Attributes:
        key_id: its public half, so to speak: for logs, lists and `revoke_api_key`.
        api_key: the text for its user. It is available here, and never again.
    """

    key_id: str
    api_key: Secret


class ApiKey(NamedTuple):
    """What is known of an API key.

    Attributes:
        key_id: as in `NewApiKey`.
        labels: set by the operator, such as `user_id`.
        created: when it was made, in UTC; None where the store cannot know.
        expires: when it ends, in UTC; None: never.
        status: `active`, `expired`, `disabled` (it may be enabled again) or `revoked`.
        reason: why it was disabled or revoked, set by the operator.
    """

    key_id: str
    labels: Mapping[str, str]
    created: datetime | None
    expires: datetime | None
    status: str
    reason: str


def create_api_key(
    ring: KeyRing, *, labels: Mapping[str, str] | None = None, expires: datetime | None = None
) -> NewApiKey:
    """Make an API key and store what is needed to check it.

    Args:
        ring: where it is kept.
        labels: what to write on it, such as `{"user_id": "7"}`. No secrets: they are listed.
        expires: when it ends, with a zone; None: never.

    Raises:
        ConfigError: a label is not valid, or `expires` has no zone or has passed.
        PolicyError: a plugin objects.
        StoreError: the store refused or failed.
    """
    key_id = new_key_id()
    made = NewApiKey(key_id, new_api_key(key_id))
    ring.import_key(
        _PREFIX + key_id,
        _document(key_id, digest_of(made.api_key)),
        format="jwk",
        labels=labels,
        expires=expires,
        allow_duplicate=True,  # its name was drawn, so no other store has it
    )
    return made


def verify_api_key(ring: KeyRing, api_key: Secret | str | bytes) -> ApiKey:
    """Whose API key it is, if it is good now. One look-up in the store; the comparison takes the same time always.

    Raises:
        MalformedTokenError: it is not an API key, or a character of it is wrong. The store was not asked.
        InvalidSignatureError: it is unknown, has another secret, or was revoked or disabled: no telling which.
        ExpiredTokenError: it is right, and its time is over.
        StoreError: the store failed; whether the key is valid is unknown.
    """
    text = hidden(api_key)
    del api_key
    key_id = key_id_of(text)
    info, digest = _stored(ring, key_id)
    holds = digest_of(text) == digest
    if not holds or info is None or info.state is not State.ENABLED:
        raise InvalidSignatureError("the API key is not valid", hint="reject the request")
    found = _api_key(info, ring.now())
    if found.status == "expired":
        raise ExpiredTokenError("the API key has expired", hint="create a new one with `keywright jose api-key create`")
    return found


def list_api_keys(ring: KeyRing, *, labels: Mapping[str, str] | None = None) -> Iterator[ApiKey]:
    """The API keys in the ring's store, by key_id, revoked ones too; `labels`: those that have them all.

    Raises:
        StoreError: the store failed.
    """
    for _, versions in ring.list(_PREFIX, labels=labels):
        if _is_api_key(versions[0].info):
            yield _api_key(versions[0].info, ring.now())


def find_api_key(ring: KeyRing, key_id: str) -> ApiKey:
    """What is known of one API key.

    Raises:
        ConfigError: `key_id` is not a key_id.
        KeyNotFoundError: the API key does not exist.
        StoreError: the store failed.
    """
    if not is_key_id(key_id):
        raise ConfigError(
            "not a valid key_id: it has 16 characters of a-z and 2-7",
            hint="list them with `keywright jose api-key list`",
        )
    try:
        info = ring.resolve(_reference(key_id))
    except KeyNotFoundError:
        info = None
    if info is None or not _is_api_key(info):
        raise KeyNotFoundError(
            "the store has no API key with this key_id", hint="list them with `keywright jose api-key list`"
        )
    return _api_key(info, ring.now())


def revoke_api_key(ring: KeyRing, key_id: str, *, reason: str = "") -> ApiKey:
    """Revoke an API key permanently. Its hash is destroyed; a record that it was revoked stays.

    Revoking it again changes nothing.

    Raises:
        ConfigError: `key_id` is not a key_id, or `reason` not printable text of at most 1000 characters.
        KeyNotFoundError: the API key does not exist.
        PolicyError: a plugin objects.
        StoreError: the store refused or failed.
    """
    find_api_key(ring, key_id)
    return _api_key(ring.destroy(_reference(key_id), reason=reason), ring.now())


def _reference(key_id: str) -> str:
    return f"{_PREFIX}{key_id}@1"


def _document(key_id: str, digest: Secret) -> Secret:
    return JwkFormat().encode_secret(Key("oct", key_id, digest, None, _ATTRIBUTES))


def _stored(ring: KeyRing, key_id: str) -> tuple[RecordInfo | None, Secret]:
    """What the store has of it, and the hash; without one, about the same work for a hash that nothing matches."""
    try:
        info, key = ring.get_record(_reference(key_id))
    except KeyNotFoundError:
        key = None
    if key is None or key.secret is None:
        JwkFormat().decode(_document(key_id, _NO_DIGEST), default_kid="")
        return None, _NO_DIGEST
    return info, key.secret if key.attributes == _ATTRIBUTES else _NO_DIGEST


def _is_api_key(info: RecordInfo) -> bool:
    named = info.name == _PREFIX + info.kid and is_key_id(info.kid)
    return named and (info.version, info.key_type, info.format) == (1, "oct", "jwk")


def _api_key(info: RecordInfo, now: datetime) -> ApiKey:
    status = {State.ENABLED: "active", State.DISABLED: "disabled"}.get(info.state, "revoked")
    if status == "active" and info.expires is not None and now >= info.expires:
        status = "expired"
    return ApiKey(info.kid, info.labels, info.created, info.expires, status, info.reason)


def new_key_id() -> str:
    """A random key_id."""
    from base64 import b32encode
    from os import urandom

    return b32encode(urandom(_KEY_ID_BYTES)).decode().lower()


def new_api_key(key_id: str) -> Secret:
    """A random API key of this key_id."""
    from secrets import choice

    start = Secret(f"kwk_{key_id}_{''.join(choice(_BASE_62) for _ in range(_SECRET_CHARACTERS))}".encode())
    return Secret(start.reveal() + _checksum(start))


def hidden(api_key: object) -> Secret:
    """What a caller passed as an API key, hidden; empty if it cannot be one. It raises nothing."""
    if isinstance(api_key, str):
        # A strict encoder would raise with the text in its error.
        return Secret(api_key.encode("ascii", "replace") if len(api_key) == _LENGTH else b"")
    if isinstance(api_key, bytes):
        return Secret(api_key if len(api_key) == _LENGTH else b"")
    return api_key if isinstance(api_key, Secret) else Secret(b"")


def key_id_of(api_key: Secret) -> str:
    """The key_id in the text of an API key.

    Raises:
        MalformedTokenError: it is no such text, or the checksum does not fit.
    """
    # No match object stays, for its `repr` shows the text.
    if len(api_key) != _LENGTH or re.fullmatch(_PATTERN, api_key.reveal()) is None:
        raise MalformedTokenError(
            "the API key is incomplete, or has extra characters",
            hint="copy the whole key: kwk_, 16 characters, _ and 49 more",
        )
    if api_key.reveal()[_CHECKSUM_AT:] != _checksum(Secret(api_key.reveal()[:_CHECKSUM_AT])):
        raise MalformedTokenError(
            "the API key has a wrong character: its checksum does not match", hint="copy it again"
        )
    return api_key.reveal()[len("kwk_") : _SECRET_AT - 1].decode()


def digest_of(api_key: Secret) -> Secret:
    """SHA-256 of the SECRET in an API key: all that is needed to check it.

    A slow hash would protect a secret that can be guessed. 256 random bits cannot.
    """
    from hashlib import sha256

    return Secret(sha256(api_key.reveal()[_SECRET_AT:_CHECKSUM_AT]).digest())


def _checksum(start: Secret) -> bytes:
    rest = crc32(start.reveal())
    digits = ""
    for _ in range(_CHECKSUM_CHARACTERS):
        rest, digit = divmod(rest, len(_BASE_62))
        digits = _BASE_62[digit] + digits
    return digits.encode()
