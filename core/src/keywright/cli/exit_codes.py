"""Which error ends in which exit code."""

from __future__ import annotations

from keywright import errors

__all__ = ["BUG", "CLOSED_PIPE", "INTERRUPTED", "NO", "USAGE", "exit_code"]

NO = 1
USAGE = 2
BUG = 70
INTERRUPTED = 130
CLOSED_PIPE = 141

# A subclass stands before its base: the first that fits counts.
_CODES: tuple[tuple[type[errors.KeywrightError], int], ...] = (
    (errors.InvalidSignatureError, NO),
    (errors.InvalidClaimError, NO),
    (errors.ConfigError, USAGE),
    (errors.PluginError, USAGE),
    (errors.InvalidNameError, USAGE),
    (errors.KeyNotFoundError, 3),
    (errors.KeyExistsError, 4),
    (errors.ConflictError, 4),
    (errors.ReadOnlyStoreError, 5),
    (errors.AccessDeniedError, 5),
    (errors.PolicyError, 5),
    (errors.NotExportableError, 5),
    (errors.StoreError, 6),
    (errors.SealError, 6),
    (errors.FormatError, 65),
    (errors.InvalidKeyError, 65),
    (errors.UnsupportedOperationError, 65),
)


def exit_code(error: errors.KeywrightError) -> int:
    """The exit code for an error of our own."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), BUG)
