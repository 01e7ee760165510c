"""keywright plugin: the Nix Ed25519 key format, narinfos, and the nix commands.

`NarInfo`, `verify_signature` and `realisation_fingerprint` are here too. They load when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keywright import Commands, Format
    from keywright_nix.narinfo import NarInfo
    from keywright_nix.realisation import realisation_fingerprint
    from keywright_nix.signatures import verify_signature

__all__ = ["KEYWRIGHT_API", "NarInfo", "realisation_fingerprint", "verify_signature"]

KEYWRIGHT_API = 1

_LAZY = {
    "NarInfo": "keywright_nix.narinfo",
    "realisation_fingerprint": "keywright_nix.realisation",
    "verify_signature": "keywright_nix.signatures",
}


@hookimpl
def keywright_register_formats() -> Sequence[Format]:
    """The format `nix`."""
    from keywright_nix.format import NixFormat

    return [NixFormat()]


@hookimpl
def keywright_add_commands(commands: Commands) -> None:
    """The commands `nix …`."""
    from keywright_nix.commands import add_commands

    add_commands(commands)


def __getattr__(name: str) -> object:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'keywright_nix' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(module), name)
    globals()[name] = value
    return value
