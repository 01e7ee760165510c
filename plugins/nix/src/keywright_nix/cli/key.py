"""Nix's own two commands, `nix key generate-secret` and `nix key convert-secret-to-public`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import Secret, print_either
from keywright.errors import InvalidNameError, MalformedKeyError
from keywright_nix.key import SECRET_BYTES, generate, problem_in, public_half, read_key, write_key

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from keywright import Context

_NO_EFFECT = "accepted as Nix accepts it; no effect here"
_LOG_FORMATS = ("raw", "internal-json", "bar", "bar-with-logs")


def configure_generate(parser: ArgumentParser) -> None:
    """Add the arguments of `generate-secret`."""
    parser.add_argument(
        "--key-name", action="store", metavar="NAME", help="name of the key, such as cache.example.org-1; required"
    )
    configure_convert(parser)


def configure_convert(parser: ArgumentParser) -> None:
    """Add the arguments of `convert-secret-to-public`: the options of Nix, and keywright's own two."""
    # With `action="store"` the last one wins, as with Nix; keywright's own options may be given once.
    parser.add_argument("--version", action="store_true", help="print the version and do nothing else")
    parser.add_argument("--json", action="store_true", help="print a JSON document (keywright's own)")
    group = parser.add_argument_group("options of Nix without effect here")
    for name in ("--debug", "--offline", "--quiet", "--refresh"):
        group.add_argument(name, action="store_true", help=_NO_EFFECT)
    group.add_argument("-v", "--verbose", action="count", help=_NO_EFFECT)
    group.add_argument("-L", "--print-build-logs", action="store_true", help=_NO_EFFECT)
    group.add_argument("--log-format", action="store", choices=_LOG_FORMATS, help=_NO_EFFECT)
    group.add_argument("--option", nargs=2, action="append", metavar=("NAME", "VALUE"), help=_NO_EFFECT)
    # Not on the manual page of these commands, but Nix does not run them without, so scripts pass it.
    for name in ("--experimental-features", "--extra-experimental-features"):
        group.add_argument(name, action="store", metavar="FEATURES", help=_NO_EFFECT)


def generate_secret(arguments: Namespace, context: Context) -> int:
    """Print a new secret key, without a line feed. Reads nothing and stores nothing.

    Raises:
        InvalidNameError: The name is empty, or contains a colon, whitespace or an unprintable character.
    """
    if arguments.version:
        return _print_version(context)
    if arguments.key_name is None:
        message = "required argument '--key-name' is missing"  # Nix's own words
        context.say(f"error: {message}")
        if context.json:
            context.print_json({"error": {"type": "ConfigError", "message": message, "hint": None, "exit_code": 1}})
        return 1
    problem = problem_in(arguments.key_name)
    if problem:
        raise InvalidNameError(f"--key-name {problem}", hint="use something like cache.example.org-1")
    context.write_key(write_key(arguments.key_name, generate()), format="nix", secret=True)
    return 0


def convert_secret_to_public(arguments: Namespace, context: Context) -> int:
    """Print the public key of the secret key on stdin, without a line feed.

    Raises:
        MalformedKeyError: Stdin is not a secret Nix key.
        InvalidKeyError: Its halves do not belong together. (Nix prints the second half without a check.)
    """
    if arguments.version:
        return _print_version(context)
    name, raw = read_key(context.read_input(None))
    if len(raw) != SECRET_BYTES:
        raise MalformedKeyError("standard input is a public Nix key already", hint="pass the secret key")
    public = write_key(name, Secret(public_half(raw)))
    context.write_key(public.reveal(), format="nix", secret=False)
    return 0


def _print_version(context: Context) -> int:
    from importlib.metadata import version

    number = version("keywright-nix")
    print_either(context, {"name": "keywright", "version": number}, f"keywright {number}")
    return 0
