"""How an error is reported: a message and a hint for people, with `--json` a document for programs, an exit code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from keywright import errors
from keywright.cli.io import ReaderGoneError, say, say_error, shown_path, write_stdout
from keywright.cli.parser import CommandLine, FinishedError
from keywright.errors import KeywrightError

NO = 1
USAGE = 2
CONFLICT = 4
BUG = 70
INTERRUPTED = 130
CLOSED_PIPE = 141

# A subclass stands before its base class: the first match counts.
_CODES = (
    ((errors.InvalidSignatureError, errors.InvalidClaimError), NO),
    ((errors.ConfigError, errors.PluginError, errors.InvalidNameError), USAGE),
    ((errors.KeyNotFoundError,), 3),
    ((errors.KeyExistsError, errors.ConflictError), CONFLICT),
    ((errors.ReadOnlyStoreError, errors.AccessDeniedError, errors.PolicyError, errors.NotExportableError), 5),
    ((errors.StoreError, errors.SealError), 6),
    ((errors.FormatError, errors.InvalidKeyError, errors.UnsupportedOperationError), 65),
)


def exit_code(error: errors.KeywrightError) -> int:
    """The exit code of a keywright error."""
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), BUG)


def failure_document(error: KeywrightError) -> dict[str, Any]:
    """The JSON document of a keywright error."""
    return _document(error, str(error), error.hint, exit_code(error))


def _document(error: BaseException, message: str, hint: str | None, code: int) -> dict[str, Any]:
    return {"error": {"type": type(error).__name__, "message": message, "hint": hint, "exit_code": code}}


def report(given: Sequence[str], error: BaseException) -> int:
    """Print the error that ended the command line `given`, with `--json` a document too. Returns the exit code."""
    if isinstance(error, FinishedError):
        return error.code
    if isinstance(error, ReaderGoneError):
        return CLOSED_PIPE
    if _interrupted(error):
        error = KeyboardInterrupt()
    elif isinstance(error, ImportError) and error.name and not error.name.startswith("keywright"):
        error = _missing_module(error)
    options = CommandLine(given).options
    message, hint, code = _message(error, debug=options.debug)
    say_error(message, hint)
    if options.json:
        import json

        document = json.dumps(_document(error, message, hint, code), sort_keys=True)
        with suppress(KeywrightError, ReaderGoneError):  # stdout cannot be written, and stderr has the message
            write_stdout(document.encode() + b"\n")
    return code


def _interrupted(error: BaseException) -> bool:
    """Whether Ctrl-C came first: a `finally` block that it interrupts (argparse has one) may raise another error."""
    context = error.__context__ if not isinstance(error, KeywrightError) else None
    while context is not None and not isinstance(context, KeyboardInterrupt):
        context = context.__context__
    return context is not None


def _message(error: BaseException, *, debug: bool) -> tuple[str, str | None, int]:
    if isinstance(error, KeywrightError):
        return str(error), error.hint, exit_code(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", None, INTERRUPTED
    hint = "report it; --debug shows more (check it for secrets before you send it)"
    if debug:
        import traceback

        say("".join(traceback.format_exception(error)), end="")
        hint = "report it"
    return f"internal error ({type(error).__name__}): this is a bug in {_owner(error)}", hint, BUG


def _missing_module(error: ImportError) -> errors.PluginError:
    """A dependency that is not there, or that Python cannot import from where it is."""
    archive = os.path.abspath(__file__).rpartition(f"{os.sep}keywright{os.sep}cli")[0]
    hint = "install it, in the environment of keywright"
    if os.path.isfile(archive):
        hint = f"binary modules cannot be imported from {shown_path(archive)}: unpack it, or bundle it with shiv or pex"
    return errors.PluginError(f'{_owner(error)} needs the module "{error.name}", which cannot be imported', hint=hint)


def _owner(error: BaseException) -> str:
    """What raised an error, or called the library that did, by its traceback: a plugin, or keywright itself."""
    owner, trace = "keywright", error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if module == "keywright":
            owner = "keywright"
        elif module in _plugin_modules():
            owner = f'the plugin "{_plugin_modules()[module]}"'
        trace = trace.tb_next
    return owner


def _plugin_modules() -> dict[str, str]:
    """The names of the installed plugins, by their top-level module."""
    from keywright.plugins.discovery import find_entry_points

    return {one.value.partition(".")[0].partition(":")[0]: one.name for one in find_entry_points()}
