"""The table of jose commands. The command line reads it without the rest of the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright_jose.cli.api_keys import add_api_key_commands
from keywright_jose.cli.jwe import add_jwe_commands
from keywright_jose.cli.jwk import add_jwk_commands, add_jwks_command
from keywright_jose.cli.jws import add_jws_commands

if TYPE_CHECKING:
    from keywright import Commands


KEYWRIGHT_API = 1


def add_commands(commands: Commands) -> None:
    """Add all jose commands. What they need is imported when they are asked for."""
    add_jwk_commands(commands)
    add_jwks_command(commands)
    add_jws_commands(commands)
    add_jwe_commands(commands)
    add_api_key_commands(commands)
