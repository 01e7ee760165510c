"""`keywright jose jwks`: the public JWK Set of a ring's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from keywright import Commands, Context


def add_jwks_command(commands: Commands) -> None:
    """Add it to the table."""
    commands.add(
        "jose jwks",
        help="print the public keys that verify tokens, as a JWK Set",
        configure=_configure,
        run=_run,
        examples=("keywright jose jwks prod/jwt", "keywright jose jwks prod/jwt -o /srv/www/.well-known/jwks.json"),
    )


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="a name in the ring; none: all asymmetric keys of the format jwk"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="bring FILE up to date instead: a new one has mode 0644, and one that is right already is not touched",
    )
    parser.add_argument("--force", action="store_true", help="replace FILE though it is no public JWK Set")


def _run(arguments: Namespace, context: Context) -> int:
    """Print the set, or bring a file up to date.

    Raises:
        KeyNotFoundError, PolicyError, UnsupportedKeyError, InvalidKeyError: as `jwks`.
        KeyExistsError, AccessDeniedError: as `check_published`, without `--force`.
        ConfigError, AccessDeniedError, StoreUnavailableError, DurabilityUnknownError: as `write_public`.
    """
    from keywright_jose.jwk.set import encode_set, public_keys

    keys = public_keys(context.ring, arguments.names, report=lambda told: context.note(f"keywright: {told}"))
    if arguments.output is None or arguments.output == "-":
        context.write(encode_set(keys))
        return 0
    from keywright_jose.cli.published_set import check_published, write_public

    if not arguments.force:
        check_published(arguments.output)
    changed = write_public(arguments.output, encode_set(keys))
    if context.json:
        references = [key.reference for key in keys]
        context.print_json({"output": arguments.output, "changed": changed, "references": references})
    return 0
