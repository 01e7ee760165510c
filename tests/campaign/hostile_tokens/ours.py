"""What this library makes of a row."""

from __future__ import annotations

import json
from functools import cache

from hostile_tokens.case import Call, Given

from keywright import Registry, Secret
from keywright_jose import jwe_decode, jws_decode, signer, verify

__all__ = ["call_ours"]


def call_ours(call: Call, given: Given) -> object:
    """The answer, or the refusal."""
    if call == "verify":
        return verify(given.token, given.key, algorithms=given.algorithms)
    if call == "claims":
        return jws_decode(given.token, given.key, signature_algorithm=given.algorithms[0], check_claims=given.claims)
    if call in ("decrypt", "decrypt claims"):
        algorithm, content = given.algorithms
        return jwe_decode(given.token, given.key, key_algorithm=algorithm, content_algorithm=content)
    if call == "sign":
        return signer(given.key, given.algorithms[0]).sign(b"{}")
    text = given.key if isinstance(given.key, bytes) else json.dumps(given.key).encode()
    key = _plugins().format("jwk").decode(Secret(text), default_kid="")
    return _plugins().key_type(key.type).complete(key)


@cache
def _plugins() -> Registry:
    return Registry.load()
