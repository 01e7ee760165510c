"""The table of jose commands. The command line reads it without the rest of the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright_jose.cli.api_keys import add_api_key_commands
from keywright_jose.cli.jwk import add_jwk_commands
from keywright_jose.cli.tokens import add_token_commands

if TYPE_CHECKING:
    from keywright import Commands


KEYWRIGHT_API = 1


def add_commands(commands: Commands) -> None:
    """Add all jose commands. What they need is imported when they are asked for."""
    add_jwk_commands(commands)
    add_token_commands(commands)
    add_api_key_commands(commands)
