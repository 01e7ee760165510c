"""The table of jose commands. The command line reads it without the rest of the plugin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keywright import Commands

KEYWRIGHT_API = 1


def add_commands(commands: Commands) -> None:
    """Add all jose commands. What they need is imported when they are asked for."""

    def add(path: str, module: str, run: str, **options: Any) -> None:
        commands.add(path, configure=_from(module, f"configure_{run}"), run=_from(module, run), **options)

    add(
        *("jose jwk create-secret-key", "jwk", "create_secret_key"),
        help="print a new symmetric key as a JWK",
        examples=(
            "keywright jose jwk create-secret-key --bits 256 -o hs256.jwk",
            "keywright jose jwk create-secret-key --bits 512 --format base64",
        ),
        uses="plugins",
    )
    add(
        *("jose jwk create-curve-key", "jwk", "create_curve_key"),
        help="print a new private key on a curve (EC, OKP) as a JWK",
        examples=("keywright jose jwk create-curve-key --curve Ed25519 -o signing.jwk",),
        uses="plugins",
    )
    add(
        *("jose jwk create-rsa-key", "jwk", "create_rsa_key"),
        help="print a new RSA private key as a JWK",
        examples=("keywright jose jwk create-rsa-key --bits 3072 -o signing.jwk",),
        uses="plugins",
    )
    add(
        *("jose jwk thumbprint", "jwk", "thumbprint"),
        help="print the RFC 7638 thumbprint of an asymmetric JWK",
        examples=("keywright jose jwk thumbprint signing.jwk", "keywright jose jwk thumbprint < signing.jwk"),
        uses="plugins",
    )
    add(
        *("jose jwks", "jwk", "print_set"),
        help="print the public keys that verify tokens, as a JWK Set",
        examples=("keywright jose jwks prod/jwt", "keywright jose jwks prod/jwt -o /srv/www/.well-known/jwks.json"),
    )
    add(
        *("jose jws sign", "tokens", "sign"),
        help="print a signed token (JWS) of claims",
        examples=(
            "keywright jose jws sign --key prod/jwt --ttl 15m < claims.json",
            "keywright jose jws sign --key-file hs256.jwk --algorithm HS256 --header typ=JWT claims.json",
        ),
    )
    add(
        *("jose jws verify", "tokens", "verify"),
        help="verify a signed token (JWS) and print its claims",
        examples=(
            "keywright jose jws verify --key prod/jwt token",
            "keywright jose jws verify --key-file jwks.json --algorithm ES256 --claim aud=api --json < token",
        ),
    )
    agreement = "--key-algorithm ECDH-ES --content-algorithm A256GCM"
    wrapping = "--key-algorithm A256KW --content-algorithm A256GCM"
    add(
        *("jose jwe encrypt", "tokens", "encrypt"),
        help="print an encrypted token (JWE) of any bytes",
        examples=(
            f"keywright jose jwe encrypt --key prod/box {agreement} < claims.json",
            f"keywright jose jwe encrypt --key-file a256kw.jwk {wrapping} --header cty=JWT token",
        ),
    )
    add(
        *("jose jwe decrypt", "tokens", "decrypt"),
        help="decrypt a token (JWE) and print its content",
        examples=(
            f"keywright jose jwe decrypt --key prod/box {agreement} < token",
            f"keywright jose jwe decrypt --key-file a256kw.jwk {wrapping} -o plaintext token",
        ),
    )
    add(
        *("jose api-key create", "api_keys", "create_key"),
        help="create an API key and print it, this once",
        examples=("keywright jose api-key create --label user_id=7 --expires 90d",),
    )
    add(
        *("jose api-key verify", "api_keys", "verify_key"),
        help="check an API key from stdin, and print its labels",
        examples=("keywright jose api-key verify < api-key.txt",),
    )
    add(
        *("jose api-key list", "api_keys", "list_keys"),
        help="list the API keys, with revoked ones",
        examples=("keywright jose api-key list --label user_id=7",),
    )
    add(
        *("jose api-key revoke", "api_keys", "revoke_key"),
        help="revoke an API key permanently",
        examples=("keywright jose api-key revoke mfrggzdfmztwq2lk --reason 'left the company'",),
    )


def _from(module: str, function: str) -> Callable[..., Any]:
    def call(*arguments: object) -> object:
        from importlib import import_module

        return getattr(import_module(f"keywright_jose.cli.{module}"), function)(*arguments)

    return call
