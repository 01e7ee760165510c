"""The table of nix commands. The command line reads it without the rest of the plugin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keywright import Commands

KEYWRIGHT_API = 1

_EXAMPLE = "keywright nix key generate-secret --key-name cache.example.org-1 > secret-key"


def add_commands(commands: Commands) -> None:
    """Add all nix commands. What they need is imported when they are asked for."""
    commands.add(
        "nix key generate-secret",
        help="print a new secret key for signing store paths",
        configure=_from("key", "configure_generate"),
        run=_from("key", "generate_secret"),
        examples=[_EXAMPLE],
        global_options=False,
    )
    commands.add(
        "nix key convert-secret-to-public",
        help="print the public key of the secret key on standard input",
        configure=_from("key", "configure_convert"),
        run=_from("key", "convert_secret_to_public"),
        examples=[
            "keywright nix key convert-secret-to-public < secret-key",
            "nix store verify --trusted-public-keys $(keywright nix key convert-secret-to-public < secret-key) PATH",
        ],
        global_options=False,
    )
    commands.add(
        "nix key check",
        help="examine key files and report each deviation, without printing a key",
        configure=_from("check", "configure_check"),
        run=_from("check", "run_check"),
        examples=[
            "keywright nix key check /etc/nix/secret-key",
            "keywright nix key check --json secret-key public-key",
        ],
        uses="plugins",
    )
    commands.add(
        "nix trusted-public-keys",
        help="print the public keys that clients of a binary cache are to trust, announced ones too",
        configure=_from("trusted", "configure_trusted"),
        run=_from("trusted", "run_trusted"),
        examples=[
            "keywright nix trusted-public-keys cache.example.org",
            "keywright nix trusted-public-keys --format nixos",
        ],
    )
    commands.add(
        "nix sign",
        help="sign the narinfos of a binary cache, or take signatures away",
        configure=_from("sign", "configure_sign"),
        run=_from("sign", "sign"),
        examples=[
            "keywright nix sign /srv/cache --key cache.example.org",
            "keywright nix sign file:///srv/cache --drop cache.example.org-1 --jobs 2",
        ],
    )
    commands.add(
        "nix verify",
        help="find the narinfos of a binary cache that lack signatures of trusted keys",
        configure=_from("verify", "configure_verify"),
        run=_from("verify", "verify"),
        examples=['keywright nix verify /srv/cache --trusted-public-keys "$(cat public-key)" --sigs-needed 2'],
        uses="plugins",
    )


def _from(module: str, function: str) -> Callable[..., Any]:
    def call(*arguments: object) -> object:
        from importlib import import_module

        return getattr(import_module(f"keywright_nix.cli.{module}"), function)(*arguments)

    return call
