"""Every error that keywright raises, divided by what the caller does next.

A message says in one clause what is wrong with what; a hint says what to do. Neither contains a secret or input bytes.
"""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Self

__all__ = [
    "AccessDeniedError",
    "ConfigError",
    "ConflictError",
    "CorruptedStoreError",
    "DurabilityError",
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
    "PassphraseNeededError",
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
    """The base class of all errors of keywright. Never raised itself. `str(error)` is the message.

    Attributes:
        hint: what to do, as a command, an option or a setting; None if the caller can do nothing. A traceback shows it.
        name: the name of the key that the error is about; None if it is about no key, or the raiser does not know it.
        version: the number of its version; None likewise.
        store: the store as the configuration calls it; None likewise.
        setting: the setting of a plugin that it is about, by the name that the plugin declares; None likewise.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        name: str | None = None,
        version: int | None = None,
        store: str | None = None,
        setting: str | None = None,
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.name = name
        self.version = version
        self.store = store
        self.setting = setting
        if hint is not None:
            self.add_note(f"hint: {hint}")

    @property
    def text(self) -> str:
        """The message, and the hint after a semicolon if there is one: for a place that has one line."""
        return str(self) if self.hint is None else f"{self}; {self.hint}"

    def prefixed(self, prefix: str) -> Self:
        """The same error with `prefix` before its message, for a caller that knows where the subject comes from."""
        from copy import copy

        other = copy(self)
        other.args = (f"{prefix}{self}",)
        return other


class ConfigError(KeywrightError):
    """A setting, argument or configuration file is not valid: correct it. Exit code 2."""


class PluginError(KeywrightError):
    """A plugin is broken, or two plugins claim one name: fix the installation. Exit code 2."""


class UnknownPluginError(PluginError):
    """No plugin has the requested name: install it, or correct the name. Exit code 2."""


class InvalidNameError(KeywrightError):
    """A key name or reference is not valid by the grammar of names: choose another. Exit code 2."""


class InvalidKeyError(KeywrightError):
    """A key is well-formed but not valid: halves that differ, a point off the curve, a wrong size. Exit code 65."""


class InvalidSignatureError(KeywrightError):
    """A signature is not valid under any key that may verify. Exit code 1."""


class InvalidClaimError(KeywrightError):
    """A token's signature is valid, but a claim is not: not valid yet, or issued for another audience. Exit code 1."""


class ExpiredTokenError(InvalidClaimError):
    """A token's signature is valid, but the token has expired: get a new one. Exit code 1."""


class UnsupportedOperationError(KeywrightError):
    """A key, type or store does not support the operation for any caller: use another. Exit code 65."""


class NotExportableError(UnsupportedOperationError):
    """The secret half is not available: it never leaves its store, was destroyed, or never came. Exit code 5."""


class PolicyError(KeywrightError):
    """A rule forbids the operation: the key's lifecycle (disabled, superseded, expired), or a policy. Exit code 5."""


class SealError(KeywrightError):
    """A payload could not be sealed or unsealed: wrong master key, or the sealed bytes were changed. Exit code 6."""


class FormatError(KeywrightError):
    """Data is not valid in the given format. Exit code 65."""


class MalformedKeyError(FormatError):
    """The bytes are not a key in this format. Exit code 65."""


class PassphraseNeededError(MalformedKeyError):
    """The key is encrypted, and no passphrase was given. Exit code 65."""


class UnsupportedKeyError(FormatError):
    """A format cannot represent a key of this type, or one of its attributes. Exit code 65."""


class MalformedTokenError(FormatError):
    """The bytes are not a signed or encrypted token. Exit code 65."""


class StoreError(KeywrightError):
    """The base class of all errors of stores. Never raised itself."""


class KeyNotFoundError(StoreError):
    """The store answered, and has no such name or version. Exit code 3."""


class KeyExistsError(StoreError):
    """The name or version exists already: nothing was written. Exit code 4."""


class ConflictError(StoreError):
    """The record changed since it was read: nothing was written; read again. Exit code 4."""


class ReadOnlyStoreError(StoreError):
    """The store, its file system or its directory is read-only. Exit code 5."""


class AccessDeniedError(StoreError):
    """The operating system or server refuses this user, or the permissions are unsafe. Exit code 5."""


class StoreUnavailableError(StoreError):
    """The store could not be reached or opened; its content is unknown. Exit code 6."""


class CorruptedStoreError(StoreError):
    """The content of the store is not what was written. Never treat this as "no keys". Exit code 6."""


class DurabilityError(StoreError):
    """The system did not confirm that a write is on the medium; the message says what is visible. Exit code 6."""


# What every store refuses, in the same words. The errors have `name` and `version` as attributes, too.


def key_not_found(name: str, version: int | None = None) -> KeyNotFoundError:
    """The error for a name without versions or, with `version`, for a version that does not exist."""
    if version is None:
        message, hint = f'the store has no key "{name}"', "run `keywright list` to see its keys"
    else:
        message, hint = f'the store has no key "{name}@{version}"', f"run `keywright show {name}` to see its versions"
    return KeyNotFoundError(message, hint=hint, name=name, version=version)


def key_exists(name: str, version: int) -> KeyExistsError:
    """The error for a version that cannot be created because it exists."""
    message = f'"{name}@{version}" already exists; nothing was written'
    hint = f"run `keywright rotate {name}` to create the next version"
    return KeyExistsError(message, hint=hint, name=name, version=version)


def conflict(name: str, version: int | None = None) -> ConflictError:
    """The error for a version or, without `version`, a whole name that is not as the caller read it."""
    subject = name if version is None else f"{name}@{version}"
    message = f'"{subject}" changed since it was read; nothing was written'
    return ConflictError(message, hint="read it again, then repeat the change", name=name, version=version)


def payload_of_destroyed(name: str, version: int) -> UnsupportedOperationError:
    """The error for metadata whose state is `destroyed`, for a version that has a payload or is to get one."""
    message = f'"{name}@{version}" has a payload, so its state cannot be "destroyed"'
    return UnsupportedOperationError(message, hint="call destroy, or leave the payload out", name=name, version=version)


def not_destroyed(name: str, version: int) -> UnsupportedOperationError:
    """The error for `destroy` with metadata in another state than `destroyed`."""
    message = f'destroy needs metadata of "{name}@{version}" in state "destroyed"'
    return UnsupportedOperationError(message, hint="call update_info", name=name, version=version)


def no_payload(name: str, version: int) -> UnsupportedOperationError:
    """The error for `replace_payload` of a version without a payload."""
    message = f'"{name}@{version}" has no payload to replace'
    return UnsupportedOperationError(message, hint="create a new version", name=name, version=version)


_RENAMED = {"DamagedStoreError": "CorruptedStoreError", "DurabilityUnknownError": "DurabilityError"}


def __getattr__(name: str) -> object:
    if name in _RENAMED:
        raise ImportError(f"{name} was renamed to {_RENAMED[name]} in keywright 0.2")
    raise AttributeError(f"module 'keywright.errors' has no attribute {name!r}")
