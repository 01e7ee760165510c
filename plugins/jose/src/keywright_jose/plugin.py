"""The plugin `jose`: the format `jwk` and the commands `jose …`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keywright import Commands, Format

KEYWRIGHT_API = 1


@hookimpl
def keywright_register_formats() -> Sequence[Format]:
    """The format `jwk`."""
    from keywright_jose.jwk.format import JwkFormat

    return [JwkFormat()]


@hookimpl
def keywright_add_commands(commands: Commands) -> None:
    """The commands `jose …`."""
    from keywright_jose.cli import add_commands

    add_commands(commands)
