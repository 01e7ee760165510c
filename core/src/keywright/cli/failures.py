"""What goes wrong becomes one line for people, with `--json` a document for programs, and an exit code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from keywright import errors
from keywright.cli.io import ReaderGoneError, printable, say, write_stdout
from keywright.cli.parser import FinishedError, asked
from keywright.errors import KeywrightError


def failure_document(kind: str, message: str, code: int) -> dict[str, Any]:
    """The JSON document of a failure; `kind` is the name of the error's class."""
    return {"error": {"type": kind, "message": message, "exit": code}}


def print_failure(kind: str, message: str, code: int) -> int:
    """Print that document, if stdout takes it. Returns the exit code."""
    document = json.dumps(failure_document(kind, message, code), sort_keys=True)
    try:
        write_stdout(document.encode() + b"\n")
    except (KeywrightError, ReaderGoneError):
        return code  # stdout was no use, and stderr has been told
    return code


def tell(given: Sequence[str], error: BaseException) -> int:
    """Tell what ended the command line `given`. Returns the exit code."""
    if isinstance(error, FinishedError):
        return error.code
    if isinstance(error, ReaderGoneError):
        return CLOSED_PIPE
    if _interrupted(error):
        error = KeyboardInterrupt()
    message, code = _told(given, error)
    say(printable(f"keywright: {message}"))
    return print_failure(type(error).__name__, message, code) if asked(given, "--json") else code


def _interrupted(error: BaseException) -> bool:
    """Whether Ctrl-C came first: a `finally` that it found half done (argparse has one) may raise over it."""
    context = error.__context__ if not isinstance(error, KeywrightError) else None
    while context is not None and not isinstance(context, KeyboardInterrupt):
        context = context.__context__
    return context is not None


def _told(given: Sequence[str], error: BaseException) -> tuple[str, int]:
    if isinstance(error, KeywrightError):
        return str(error), exit_code(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", INTERRUPTED
    kind, hint = type(error).__name__, "; --debug shows more (check it for secrets before you send it)"
    if asked(given, "--debug"):
        import traceback

        say("".join(traceback.format_exception(error)), end="")
        hint = ""
    return f"internal error ({kind}): this is a bug in keywright or a plugin, please report it{hint}", BUG


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
