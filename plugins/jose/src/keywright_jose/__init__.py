"""keywright plugin: the JWK format, and the jose commands.

The Python functions of the same names as the commands are here too: `create_secret_key`, `create_curve_key`,
`create_rsa_key` and `thumbprint`. They load with what they need when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keywright import Commands, Format
    from keywright_jose.jwk_create import create_curve_key, create_rsa_key, create_secret_key
    from keywright_jose.jwk_thumbprint import thumbprint

__all__ = ["KEYWRIGHT_API", "create_curve_key", "create_rsa_key", "create_secret_key", "thumbprint"]

KEYWRIGHT_API = 1

_LAZY = {
    "create_curve_key": "keywright_jose.jwk_create",
    "create_rsa_key": "keywright_jose.jwk_create",
    "create_secret_key": "keywright_jose.jwk_create",
    "thumbprint": "keywright_jose.jwk_thumbprint",
}


@hookimpl
def keywright_register_formats() -> Sequence[Format]:
    """The format `jwk`."""
    from keywright_jose.jwk_format import JwkFormat

    return [JwkFormat()]


@hookimpl
def keywright_add_commands(commands: Commands) -> None:
    """`keywright jose jwk …`."""
    from keywright_jose.jwk_commands import add_jwk_commands

    add_jwk_commands(commands)


def __getattr__(name: str) -> object:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'keywright_jose' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(module), name)
    globals()[name] = value
    return value
