"""The plugin `nix`: the format `nix` and the commands `nix …`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keywright import Commands, Format

KEYWRIGHT_API = 1


@hookimpl
def keywright_register_formats() -> Sequence[Format]:
    """The format `nix`."""
    from keywright_nix.key import NixFormat

    return [NixFormat()]


@hookimpl
def keywright_add_commands(commands: Commands) -> None:
    """The commands `nix …`."""
    from keywright_nix.cli import add_commands

    add_commands(commands)
