"""What every key type refuses in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keywright.errors import (
    ConfigError,
    InvalidKeyError,
    InvalidSignatureError,
    NotExportableError,
    UnsupportedOperationError,
)

if TYPE_CHECKING:
    from keywright import Key, Options, Secret, Setting

__all__ = ["check_algorithm", "check_type", "checked_integer", "needed_secret", "no_match"]

_NO_MATCH: Final = "the signature does not hold for this message and key; check that the three belong together"


def check_type(key: Key, name: str) -> None:
    """Refuse a key of another type: 32 bytes of x25519 would sign as ed25519 without complaint.

    Raises:
        InvalidKeyError: `key.type` is not `name`.
    """
    if key.type != name:
        raise InvalidKeyError(f"this key is not of type {name}; hand it to the key type that it names")


def check_algorithm(algorithm: str, algorithms: tuple[str, ...], name: str) -> None:
    """Refuse an algorithm that the type does not sign with.

    Raises:
        UnsupportedOperationError: `algorithm` is not one of `algorithms`.
    """
    if algorithm not in algorithms:
        raise UnsupportedOperationError(
            f"a key of type {name} does not sign with that algorithm; use {' or '.join(algorithms)}"
        )


def needed_secret(key: Key) -> Secret:
    """The secret half, for a use that cannot do without.

    Raises:
        NotExportableError: there is none.
    """
    if key.secret is None:
        raise NotExportableError(f"this {key.type} key has no secret half; load the secret key for this")
    return key.secret


def checked_integer(options: Options, setting: Setting, name: str) -> int:
    """The value of an integer setting, checked once more for callers that build `Options` by hand.

    Raises:
        ConfigError: it is out of bounds or no multiple.
    """
    value = options.integer(setting.name)
    lowest, highest = setting.minimum or 0, setting.maximum or 0
    if not lowest <= value <= highest or value % setting.multiple_of:
        raise ConfigError(f"{setting.name} of a key of type {name} must be {setting.rule()}")
    return value


def no_match() -> InvalidSignatureError:
    """The answer to a signature that does not hold."""
    return InvalidSignatureError(_NO_MATCH)
