"""Every error that keywright raises, split by what the caller does next.

Each message names the subject, the rule and the way out in one line. It holds no secret and no input bytes.
"""

from __future__ import annotations

__all__ = [
    "AccessDeniedError",
    "ConfigError",
    "ConflictError",
    "DamagedStoreError",
    "DurabilityUnknownError",
    "ExpiredTokenError",
    "FormatError",
    "InvalidClaimError",
    "InvalidKeyError",
    "InvalidNameError",
    "InvalidSignatureError",
    "KeyExistsError",
    "KeyNotFoundError",
    "KeywrightError",
    "MalformedKeyError",
    "MalformedTokenError",
    "NotExportableError",
    "PluginError",
    "PolicyError",
    "ReadOnlyStoreError",
    "SealError",
    "StoreError",
    "StoreUnavailableError",
    "UnknownPluginError",
    "UnsupportedKeyError",
    "UnsupportedOperationError",
]


class KeywrightError(Exception):
    """The base of all errors here. Never raised itself."""


class ConfigError(KeywrightError):
    """A setting, argument or configuration file is wrong: correct it. Exit code 2."""


class PluginError(KeywrightError):
    """A plugin is broken, or two plugins claim one name: mend the installation. Exit code 2."""


class UnknownPluginError(PluginError):
    """No plugin goes by the name that was asked for: install it, or correct the name. Exit code 2."""


class InvalidNameError(KeywrightError):
    """A key name or reference breaks the grammar of names: choose another. Exit code 2."""


class InvalidKeyError(KeywrightError):
    """A key is well-formed but invalid: halves that disagree, a point off the curve, a wrong size. Exit code 65."""


class InvalidSignatureError(KeywrightError):
    """A signature does not hold under any key that may verify. Exit code 1."""


class InvalidClaimError(KeywrightError):
    """A token's signature holds, but it is not good for this: not valid yet, or made for somebody else. Exit code 1."""


class ExpiredTokenError(InvalidClaimError):
    """A token's signature holds, and its time is over: get a new one. Exit code 1."""


class UnsupportedOperationError(KeywrightError):
    """A key, type or store cannot do what was asked, whoever asks: use another. Exit code 65."""


class NotExportableError(UnsupportedOperationError):
    """The secret half is not available: it stays inside its store, was destroyed, or was never there. Exit code 5."""


class PolicyError(KeywrightError):
    """A rule forbids it: the key's lifecycle (disabled, superseded, expired), or a plugin that reviews. Exit code 5."""


class SealError(KeywrightError):
    """A payload could not be sealed or unsealed: wrong master key, or the sealed bytes were changed. Exit code 6."""


class FormatError(KeywrightError):
    """Data does not fit the format it was given as. Exit code 65."""


class MalformedKeyError(FormatError):
    """Bytes are no key of this format. Exit code 65."""


class UnsupportedKeyError(FormatError):
    """A format cannot carry a key of this type, or an attribute of it. Exit code 65."""


class MalformedTokenError(FormatError):
    """Bytes are no signed or encrypted token. Exit code 65."""


class StoreError(KeywrightError):
    """The base of what goes wrong in a store. Never raised itself."""


class KeyNotFoundError(StoreError):
    """The store answered, and holds no such name or version. Exit code 3."""


class KeyExistsError(StoreError):
    """The name or version is taken: nothing was written. Exit code 4."""


class ConflictError(StoreError):
    """The record changed since it was read: nothing was written; read again. Exit code 4."""


class ReadOnlyStoreError(StoreError):
    """The store, its file system or its directory takes no writes. Exit code 5."""


class AccessDeniedError(StoreError):
    """The operating system or server refuses this user, or the permissions are unsafe. Exit code 5."""


class StoreUnavailableError(StoreError):
    """The store could not be reached or opened; nothing is said of what it holds. Exit code 6."""


class DamagedStoreError(StoreError):
    """What the store holds is not what was written: never to be taken for "no keys". Exit code 6."""


class DurabilityUnknownError(StoreError):
    """The system would not confirm that a write is on the medium; the message says what is visible. Exit code 6."""
