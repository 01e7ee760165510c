"""The JWK format, tokens (JWS, JWE), and the jose commands. The plugin itself is `keywright_jose.plugin`.

The Python functions have the names of the commands: `create_secret_key`, `jws_encode` and so on. They load with what
they need when they are first asked for.
"""

from __future__ import annotations

# Not from `typing`, which takes as long to import as the interpreter to start.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from keywright_jose.api_keys import (
        ApiKey,
        NewApiKey,
        create_api_key,
        list_api_keys,
        revoke_api_key,
        verify_api_key,
    )
    from keywright_jose.jwe.decryption import Jwe, jwe_decrypt
    from keywright_jose.jwe.encryption import jwe_encrypt
    from keywright_jose.jwk.codec import thumbprint
    from keywright_jose.jwk.create import create_curve_key, create_rsa_key, create_secret_key, random_bytes
    from keywright_jose.jwk.set import jwks
    from keywright_jose.jws.signer import TokenSigner, signer
    from keywright_jose.jws.verifier import Jws, TokenVerifier, verifier, verify
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

_WHERE = {
    "ApiKey": "keywright_jose.api_keys",
    "Jwe": "keywright_jose.jwe.decryption",
    "Jws": "keywright_jose.jws.verifier",
    "NewApiKey": "keywright_jose.api_keys",
    "TokenSigner": "keywright_jose.jws.signer",
    "TokenVerifier": "keywright_jose.jws.verifier",
    "create_api_key": "keywright_jose.api_keys",
    "create_curve_key": "keywright_jose.jwk.create",
    "create_rsa_key": "keywright_jose.jwk.create",
    "create_secret_key": "keywright_jose.jwk.create",
    "jwe_decode": "keywright_jose.jwt",
    "jwe_decrypt": "keywright_jose.jwe.decryption",
    "jwe_encode": "keywright_jose.jwt",
    "jwe_encrypt": "keywright_jose.jwe.encryption",
    "jwks": "keywright_jose.jwk.set",
    "jws_decode": "keywright_jose.jwt",
    "jws_encode": "keywright_jose.jwt",
    "list_api_keys": "keywright_jose.api_keys",
    "random_bytes": "keywright_jose.jwk.create",
    "revoke_api_key": "keywright_jose.api_keys",
    "signer": "keywright_jose.jws.signer",
    "thumbprint": "keywright_jose.jwk.codec",
    "verifier": "keywright_jose.jws.verifier",
    "verify": "keywright_jose.jws.verifier",
    "verify_api_key": "keywright_jose.api_keys",
}


if not TYPE_CHECKING:  # or a type checker would take every misspelt name for an object

    def __getattr__(name: str) -> object:
        module = _WHERE.get(name)
        if module is None:
            raise AttributeError(f"module 'keywright_jose' has no attribute {name!r}")
        from importlib import import_module

        value: object = getattr(import_module(module), name)
        globals()[name] = value
        return value
