"""What the key types share: checks of keys and uses, missing halves, and the hash of an algorithm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import Key
from keywright.errors import (
    ConfigError,
    InvalidKeyError,
    InvalidSignatureError,
    NotExportableError,
    UnsupportedOperationError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.hashes import HashAlgorithm

    from keywright import KeyType, Options, Secret, Setting


def check_type(key: Key, name: str) -> None:
    """Refuse a key of another type: 32 bytes of x25519 would sign as ed25519 without complaint.

    Raises:
        InvalidKeyError: `key.type` is not `name`.
    """
    if key.type != name:
        raise InvalidKeyError(f"this key is not of type {name}", hint="use the key type that it names")


def check_use(key: Key, algorithm: str, key_type: KeyType) -> None:
    """Refuse a key of another type and an algorithm that the type does not sign with.

    Raises:
        InvalidKeyError: the key is of another type.
        UnsupportedOperationError: the algorithm is not one of the type's.
    """
    check_type(key, key_type.name)
    if algorithm not in key_type.algorithms:
        raise UnsupportedOperationError(
            f"a key of type {key_type.name} does not sign with that algorithm",
            hint=f"use {' or '.join(key_type.algorithms)}",
        )


def invalid_signature() -> InvalidSignatureError:
    """The error for a signature that was made with another key, or of another message."""
    return InvalidSignatureError(
        "the signature is not valid for this message and key",
        hint="check that signature, message and key belong together",
    )


def needed_secret(key: Key) -> Secret:
    """The secret half.

    Raises:
        NotExportableError: the key has none.
    """
    if key.secret is None:
        raise NotExportableError(f"this {key.type} key has no secret half", hint="load the secret key for this")
    return key.secret


def checked_integer(options: Options, setting: Setting, name: str) -> int:
    """The value of an integer setting, checked again for callers that build `Options` by hand.

    Raises:
        ConfigError: it is out of bounds or not a multiple.
    """
    value = options.integer(setting.name)
    lowest, highest = setting.minimum or 0, setting.maximum or 0
    if not lowest <= value <= highest or value % setting.multiple_of:
        raise ConfigError(f"{setting.name} of a key of type {name} must be {setting.rule()}")
    return value


def complete_halves(
    key: Key, name: str, derive: Callable[[Secret], bytes], check_public: Callable[[bytes], object]
) -> Key:
    """`key` with both halves, or unchanged if it is a public key.

    `derive` makes the public half of a secret one, `check_public` checks a public half that stands alone. Both raise
    InvalidKeyError for an invalid half.

    Raises:
        InvalidKeyError: the key is of another type, has neither half, has an invalid half, or its halves do not belong
            together.
    """
    check_type(key, name)
    if key.secret is None:
        check_public(public_half(key, derive))
        return key
    public = derive(key.secret)
    if key.public is None:
        return Key(key.type, key.kid, key.secret, public, key.attributes)
    if key.public != public:
        raise InvalidKeyError(
            f"the public half of this {name} key does not belong to its secret half",
            hint="import a key whose halves match",
        )
    return key


def public_half(key: Key, derive: Callable[[Secret], bytes]) -> bytes:
    """The public half as given, else derived from the secret one.

    Raises:
        InvalidKeyError: the key has neither half, or `derive` refuses the secret one.
    """
    if key.public is not None:
        return key.public
    if key.secret is not None:
        return derive(key.secret)
    raise InvalidKeyError(f"this {key.type} key has neither a secret nor a public half", hint="pass at least one")


def hash_of(algorithm: str) -> HashAlgorithm:
    """SHA-2 by the last three digits of `ES256`, `PS384`, `HS512`, … (RFC 7518 §3.1)."""
    from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

    return {"256": SHA256(), "384": SHA384(), "512": SHA512()}[algorithm[-3:]]
