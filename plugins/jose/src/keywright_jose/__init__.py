"""The JWK format, tokens (JWS, JWE), and the jose commands. The plugin itself is `keywright_jose.plugin`.

The Python functions have the names of the commands: `create_secret_key`, `jws_encode` and so on. They load with what
they need when they are first asked for.
"""

from __future__ import annotations

# Not from `typing`, which takes as long to import as the interpreter to start.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from keywright_jose.api_keys import ApiKey, NewApiKey, create_api_key, list_api_keys, revoke_api_key, verify_api_key
    from keywright_jose.jwe.token import Jwe, jwe_decrypt, jwe_encrypt
    from keywright_jose.jwk.codec import thumbprint
    from keywright_jose.jwk.create import create_curve_key, create_rsa_key, create_secret_key, random_bytes
    from keywright_jose.jwk.set import jwks
    from keywright_jose.jws import Jws, TokenSigner, TokenVerifier, signer, verifier, verify
    from keywright_jose.jwt import jwe_decode, jwe_encode, jws_decode, jws_encode

__all__ = [
    "ApiKey",
    "Jwe",
    "Jws",
    "NewApiKey",
    "TokenSigner",
    "TokenVerifier",
    "create_api_key",
    "create_curve_key",
    "create_rsa_key",
    "create_secret_key",
    "jwe_decode",
    "jwe_decrypt",
    "jwe_encode",
    "jwe_encrypt",
    "jwks",
    "jws_decode",
    "jws_encode",
    "list_api_keys",
    "random_bytes",
    "revoke_api_key",
    "signer",
    "thumbprint",
    "verifier",
    "verify",
    "verify_api_key",
]

_NAMES = {
    "api_keys": "ApiKey NewApiKey create_api_key list_api_keys revoke_api_key verify_api_key",
    "jwe.token": "Jwe jwe_decrypt jwe_encrypt",
    "jwk.codec": "thumbprint",
    "jwk.create": "create_curve_key create_rsa_key create_secret_key random_bytes",
    "jwk.set": "jwks",
    "jws": "Jws TokenSigner TokenVerifier signer verifier verify",
    "jwt": "jwe_decode jwe_encode jws_decode jws_encode",
}
_WHERE = {name: f"keywright_jose.{module}" for module, names in _NAMES.items() for name in names.split()}


if not TYPE_CHECKING:  # or a type checker would take every misspelled name for an object

    def __getattr__(name: str) -> object:
        module = _WHERE.get(name)
        if module is None:
            raise AttributeError(f"module 'keywright_jose' has no attribute {name!r}")
        from importlib import import_module

        value: object = getattr(import_module(module), name)
        globals()[name] = value
        return value
