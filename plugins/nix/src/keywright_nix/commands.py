"""The table of nix commands; and Nix's own two, `nix key generate-secret` and `nix key convert-secret-to-public`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from keywright import Key, Options
from keywright.errors import InvalidNameError, MalformedKeyError
from keywright_nix.format import NixFormat
from keywright_nix.names import fault_in

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from keywright import Commands, Context

__all__ = ["add_commands"]

_EXAMPLE = "keywright nix key generate-secret --key-name cache.example.org-1 > secret-key"
_NO_EFFECT = "accepted as Nix accepts it; no effect here"
_LOG_FORMATS = ("raw", "internal-json", "bar", "bar-with-logs")


def add_commands(commands: Commands) -> None:
    """Add all nix commands. What they need is imported when they are asked for."""
    commands.add(
        "nix key generate-secret",
        help="print a new secret key for signing store paths",
        configure=configure_generate,
        run=generate_secret,
        examples=[_EXAMPLE],
        global_options=False,
    )
    commands.add(
        "nix key convert-secret-to-public",
        help="print the public key of the secret key on standard input",
        configure=configure_convert,
        run=convert_secret_to_public,
        examples=[
            "keywright nix key convert-secret-to-public < secret-key",
            "nix store verify --trusted-public-keys $(keywright nix key convert-secret-to-public < secret-key) PATH",
        ],
        global_options=False,
    )
    commands.add(
        "nix key check",
        help="examine key files and report each deviation, without printing a key",
        configure=_from("key_check_command", "configure_check"),
        run=_from("key_check_command", "run_check"),
        examples=[
            "keywright nix key check /etc/nix/secret-key",
            "keywright nix key check --json secret-key public-key",
        ],
        uses="plugins",
    )
    commands.add(
        "nix trusted-public-keys",
        help="print the public keys that clients of a binary cache are to trust, announced ones too",
        configure=_from("trusted_command", "configure_trusted"),
        run=_from("trusted_command", "run_trusted"),
        examples=[
            "keywright nix trusted-public-keys cache.example.org",
            "keywright nix trusted-public-keys --format nixos",
        ],
    )
    commands.add(
        "nix sign",
        help="sign the narinfos of a binary cache, or take signatures away",
        configure=_from("sign_command", "configure_sign"),
        run=_from("sign_command", "sign"),
        examples=[
            "keywright nix sign /srv/cache --key cache.example.org",
            "keywright nix sign file:///srv/cache --drop cache.example.org-1 --jobs 2",
        ],
    )
    commands.add(
        "nix verify",
        help="find the narinfos of a binary cache that lack signatures of trusted keys",
        configure=_from("verify_command", "configure_verify"),
        run=_from("verify_command", "verify"),
        examples=['keywright nix verify /srv/cache --trusted-public-keys "$(cat public-key)" --sigs-needed 2'],
        uses="plugins",
    )


def _from(module: str, function: str) -> Callable[..., Any]:
    def call(*arguments: object) -> object:
        from importlib import import_module

        return getattr(import_module(f"keywright_nix.{module}"), function)(*arguments)

    return call


def configure_generate(parser: ArgumentParser) -> None:
    """Add the arguments of `generate-secret`."""
    parser.add_argument(
        "--key-name", action="store", metavar="NAME", help="name of the key, such as cache.example.org-1; required"
    )
    _add_options_of_nix(parser)


def configure_convert(parser: ArgumentParser) -> None:
    """Add the arguments of `convert-secret-to-public`."""
    _add_options_of_nix(parser)


def _add_options_of_nix(parser: ArgumentParser) -> None:
    # With `action="store"` the last one wins, as with Nix; keywright's own options stand once.
    parser.add_argument("--version", action="store_true", help="print the version and do nothing else")
    parser.add_argument("--json", action="store_true", help="print a JSON document (keywright's own)")
    group = parser.add_argument_group("options of Nix without effect here")
    for name in ("--debug", "--offline", "--quiet", "--refresh"):
        group.add_argument(name, action="store_true", help=_NO_EFFECT)
    group.add_argument("-v", "--verbose", action="count", help=_NO_EFFECT)
    group.add_argument("-L", "--print-build-logs", action="store_true", help=_NO_EFFECT)
    group.add_argument("--log-format", action="store", choices=_LOG_FORMATS, help=_NO_EFFECT)
    group.add_argument("--option", nargs=2, action="append", metavar=("NAME", "VALUE"), help=_NO_EFFECT)
    # On no manual page of these commands, but Nix does not run them without: scripts say it.
    for name in ("--experimental-features", "--extra-experimental-features"):
        group.add_argument(name, action="store", metavar="FEATURES", help=_NO_EFFECT)


def generate_secret(arguments: Namespace, context: Context) -> int:
    """Print a new secret key, without a line feed. Reads nothing and stores nothing.

    Raises:
        InvalidNameError: the name is empty, or holds a colon, whitespace or a character that does not print.
        UnknownPluginError: no plugin provides the key type ed25519.
    """
    if arguments.version:
        return _print_version(context)
    if arguments.key_name is None:
        message = "required argument '--key-name' is missing"  # Nix's own words
        context.say(f"error: {message}")
        if context.json:
            context.print_json({"error": {"type": "ConfigError", "message": message, "exit": 1}})
        return 1
    fault = fault_in(arguments.key_name)
    if fault:
        raise InvalidNameError(f"--key-name {fault}; use something like cache.example.org-1")
    key = context.registry.key_type("ed25519").generate(Options())
    named = Key(key.type, arguments.key_name, key.secret, key.public)
    context.write_key(NixFormat().encode_secret(named), format="nix", secret=True)
    return 0


def convert_secret_to_public(arguments: Namespace, context: Context) -> int:
    """Print the public key of the secret key on stdin, without a line feed.

    Raises:
        MalformedKeyError: stdin holds no secret Nix key.
        InvalidKeyError: its halves do not belong together. (Nix prints the second half unseen.)
        UnknownPluginError: no plugin provides the key type ed25519.
    """
    if arguments.version:
        return _print_version(context)
    key = NixFormat().decode(context.read_input(None), default_kid="")
    if key.secret is None:
        raise MalformedKeyError("standard input holds a public Nix key already; give the secret key")
    public = NixFormat().encode_public(context.registry.key_type("ed25519").complete(key))
    context.write_key(public, format="nix", secret=False)
    return 0


def _print_version(context: Context) -> int:
    from importlib.metadata import version

    number = version("keywright-nix")
    if context.json:
        context.print_json({"name": "keywright", "version": number})
    else:
        context.print(f"keywright {number}")
    return 0
