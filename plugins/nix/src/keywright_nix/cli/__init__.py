"""The table of nix commands. The command line reads it without the rest of the plugin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keywright import Commands

KEYWRIGHT_API = 1


def add_commands(commands: Commands) -> None:
    """Add all nix commands. What they need is imported when they are asked for."""

    def add(path: str, module: str, configure: str, run: str, **options: Any) -> None:
        commands.add(path, configure=_from(module, configure), run=_from(module, run), **options)

    add(
        *("nix key generate-secret", "key", "configure_generate", "generate_secret"),
        help="print a new secret key for signing store paths",
        examples=["keywright nix key generate-secret --key-name cache.example.org-1 > secret-key"],
        global_options=False,
    )
    add(
        *("nix key convert-secret-to-public", "key", "configure_convert", "convert_secret_to_public"),
        help="print the public key of the secret key on standard input",
        examples=[
            "keywright nix key convert-secret-to-public < secret-key",
            "nix store verify --trusted-public-keys $(keywright nix key convert-secret-to-public < secret-key) PATH",
        ],
        global_options=False,
    )
    add(
        *("nix key check", "check", "configure_check", "run_check"),
        help="check key files, and report each problem",
        examples=[
            "keywright nix key check /etc/nix/secret-key",
            "keywright nix key check --json secret-key public-key",
        ],
        uses="plugins",
    )
    add(
        *("nix trusted-public-keys", "trusted", "configure_trusted", "run_trusted"),
        help="print the public keys that clients of a cache must trust",
        examples=[
            "keywright nix trusted-public-keys cache.example.org",
            "keywright nix trusted-public-keys --format nixos",
        ],
    )
    add(
        *("nix sign", "sign", "configure_sign", "sign"),
        help="sign the narinfos of a binary cache, or remove signatures",
        examples=[
            "keywright nix sign /srv/cache --key cache.example.org",
            "keywright nix sign file:///srv/cache --drop cache.example.org-1 --jobs 2",
        ],
    )
    add(
        *("nix verify", "verify", "configure_verify", "verify"),
        help="find narinfos without a signature of a trusted key",
        examples=['keywright nix verify /srv/cache --trusted-public-keys "$(cat public-key)" --sigs-needed 2'],
        uses="plugins",
    )


def _from(module: str, function: str) -> Callable[..., Any]:
    def call(*arguments: object) -> object:
        from importlib import import_module

        return getattr(import_module(f"keywright_nix.cli.{module}"), function)(*arguments)

    return call
