"""`nix trusted-public-keys`: what clients of a binary cache are to trust, as they are to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from keywright import Context
    from keywright_nix.published import Published

__all__ = ["configure_trusted", "run_trusted"]


def configure_trusted(parser: ArgumentParser) -> None:
    """Add the arguments of `nix trusted-public-keys`."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="a name in the ring; none: all that hold Nix keys")
    parser.add_argument(
        "--format",
        choices=("nix.conf", "json", "nixos"),
        help="a line for nix.conf (the default), a JSON list with references and phases, or a line for NixOS",
    )


def run_trusted(arguments: Namespace, context: Context) -> int:
    """Print the keys that verify now or will, of each name oldest first.

    Raises:
        ConfigError: `--json` with another format.
        KeyNotFoundError, PolicyError, UnsupportedKeyError: as `published_keys` says.
    """
    from keywright.errors import ConfigError
    from keywright_nix.published import published_keys

    format_ = arguments.format or ("json" if context.json else "nix.conf")
    if context.json and format_ != "json":
        raise ConfigError("--json prints a JSON document, and --format asks for something else; leave one of them out")
    keys = published_keys(context.ring, arguments.names, report=context.warn)
    if format_ == "json":
        context.print_json({"keys": [_document(key) for key in keys]})
    elif format_ == "nixos":
        context.print(f"nix.settings.trusted-public-keys = [ {' '.join(_quoted(key.public_key) for key in keys)} ];")
    else:
        context.print(f"trusted-public-keys = {' '.join(key.public_key for key in keys)}")
    return 0


def _document(key: Published) -> dict[str, str | None]:
    from keywright import format_time

    until = None if key.verifies_until is None else format_time(key.verifies_until)
    return {**key._asdict(), "verifies_until": until}


def _quoted(text: str) -> str:
    """A string of the Nix language, in which `${` starts code."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${") + '"'
