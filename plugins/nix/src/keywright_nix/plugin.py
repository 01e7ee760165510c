"""The plugin `nix`: the format `nix` and the commands `nix …`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import hookimpl
from keywright_nix.commands import KEYWRIGHT_API, add_commands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keywright import Commands, Format

__all__ = ["KEYWRIGHT_API", "keywright_add_commands", "keywright_register_formats"]


@hookimpl
def keywright_register_formats() -> Sequence[Format]:
    """The format `nix`."""
    from keywright_nix.format import NixFormat

    return [NixFormat()]


@hookimpl
def keywright_add_commands(commands: Commands) -> None:
    """The commands `nix …`."""
    add_commands(commands)
