"""keywright plugin: the JWK format, tokens (JWS, JWE), and the jose commands.

The Python functions of the same names as the commands are here too: `create_secret_key`, `jws_encode` and so on. They
load with what they need when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keywright import Commands, Format
    from keywright_jose.jwk_create import create_curve_key, create_rsa_key, create_secret_key, random_bytes
    from keywright_jose.jwk_thumbprint import thumbprint
    from keywright_jose.jws import jws_decode, jws_encode
    from keywright_jose.jws_sign import TokenSigner, signer
    from keywright_jose.jws_verify import Jws, TokenVerifier, verifier, verify

__all__ = [
    "KEYWRIGHT_API",
    "Jws",
    "TokenSigner",
    "TokenVerifier",
    "create_curve_key",
    "create_rsa_key",
    "create_secret_key",
    "jws_decode",
    "jws_encode",
    "random_bytes",
    "signer",
    "thumbprint",
    "verifier",
    "verify",
]

KEYWRIGHT_API = 1

_LAZY = {
    "Jws": "keywright_jose.jws_verify",
    "TokenSigner": "keywright_jose.jws_sign",
    "TokenVerifier": "keywright_jose.jws_verify",
    "create_curve_key": "keywright_jose.jwk_create",
    "create_rsa_key": "keywright_jose.jwk_create",
    "create_secret_key": "keywright_jose.jwk_create",
    "jws_decode": "keywright_jose.jws",
    "jws_encode": "keywright_jose.jws",
    "random_bytes": "keywright_jose.jwk_create",
    "signer": "keywright_jose.jws_sign",
    "thumbprint": "keywright_jose.jwk_thumbprint",
    "verifier": "keywright_jose.jws_verify",
    "verify": "keywright_jose.jws_verify",
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
