"""The libraries that are asked, ours among them, and what comes of a case."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from hostile_tokens.case import Call, Case, Given

from keywright import Registry, Secret
from keywright_jose import jwe_decode, jws_decode, signer, verify

Calls = Mapping[Call, Callable[[Given], object]]


class Peer(NamedTuple):
    """Another library.

    Attributes:
        distribution: its name where it is installed from.
        errors: the roots of its own errors, `module:name`.
        calls: what it can be asked.
        own_json: whether it reads keys as JSON text, and not as what Python made of it.
    """

    distribution: str
    errors: tuple[str, ...]
    calls: Calls
    own_json: bool = False


def _python_jose() -> Calls:
    def decrypt(given: Given) -> object:
        # It takes secrets for encryption as bytes alone; what else a JWK says is not for it to see.
        key = given.key if given.key["kty"] != "oct" else _octets(given.key)
        return import_module("jose.jwe").decrypt(given.token, key)

    def claims(given: Given) -> object:
        expected = given.claims or {}
        return import_module("jose.jwt").decode(
            given.token, given.key, given.algorithms, audience=expected.get("aud"), issuer=expected.get("iss")
        )

    return {
        "verify": lambda given: import_module("jose.jws").verify(given.token, given.key, given.algorithms),
        "claims": claims,
        "decrypt": decrypt,
        "sign": lambda given: import_module("jose.jws").sign(b"{}", given.key, algorithm=given.algorithms[0]),
        "import": lambda given: import_module("jose.jwk").construct(given.key, given.algorithms[0]),
    }


def _octets(key: Mapping[str, str]) -> bytes:
    from hostile_tokens.sound import octets

    if set(key) != {"kty", "k"}:
        raise NotImplementedError
    return octets(key["k"])


def _joserfc() -> Calls:
    def key_of(given: Given) -> Any:
        module = import_module("joserfc.jwk")
        return (module.KeySet.import_key_set if "keys" in given.key else module.import_key)(given.key)

    def check(given: Given, token: Any) -> object:
        options = {name: {"essential": True, "value": value} for name, value in (given.claims or {}).items()}
        import_module("joserfc.jwt").JWTClaimsRegistry(**options).validate(token.claims)
        return token

    def decrypt_claims(given: Given) -> object:
        registry = import_module("joserfc.jwe").JWERegistry()
        module = import_module("joserfc.jwt")
        return check(given, module.decode(given.token, key_of(given), given.algorithms, registry))

    def load(given: Given) -> object:
        key = key_of(given)
        return key.raw_value, key.is_private and key.key_type != "oct" and key.private_key

    return {
        "verify": lambda given: import_module("joserfc.jws").deserialize_compact(
            given.token, key_of(given), given.algorithms
        ),
        "claims": lambda given: check(
            given, import_module("joserfc.jwt").decode(given.token, key_of(given), given.algorithms)
        ),
        "decrypt": lambda given: import_module("joserfc.jwe").decrypt_compact(
            given.token, key_of(given), given.algorithms
        ),
        "decrypt claims": decrypt_claims,
        "sign": lambda given: import_module("joserfc.jws").serialize_compact(
            {"alg": given.algorithms[0]}, b"{}", key_of(given), given.algorithms
        ),
        "import": load,
    }


def _pyjwt() -> Calls:
    def key_of(given: Given) -> Any:
        if "keys" in given.key:
            raise NotImplementedError  # the caller picks one
        return import_module("jwt").PyJWK(given.key, None if "alg" in given.key else (given.algorithms or [None])[0])

    def claims(given: Given) -> object:
        expected = given.claims or {}
        return import_module("jwt").decode(
            given.token, key_of(given), given.algorithms, audience=expected.get("aud"), issuer=expected.get("iss")
        )

    def load(given: Given) -> object:
        module = import_module("jwt")
        if isinstance(given.key, bytes):
            return module.PyJWK.from_json(given.key, given.algorithms[0])
        return module.PyJWK(given.key, given.algorithms[0])

    return {
        "verify": lambda given: import_module("jwt").PyJWS().decode(given.token, key_of(given), given.algorithms),
        "claims": claims,
        "sign": lambda given: import_module("jwt").PyJWS().encode(b"{}", key_of(given), given.algorithms[0]),
        "import": load,
    }


def _jwcrypto() -> Calls:
    def key_of(given: Given) -> Any:
        module = import_module("jwcrypto.jwk")
        return module.JWKSet.from_json(json.dumps(given.key)) if "keys" in given.key else module.JWK(**given.key)

    def verify(given: Given) -> object:
        token = import_module("jwcrypto.jws").JWS()
        if given.algorithms is not None:
            token.allowed_algs = given.algorithms
        token.deserialize(given.token, key_of(given))
        return token.payload

    def decrypt(given: Given) -> object:
        token = import_module("jwcrypto.jwe").JWE(algs=given.algorithms)
        token.deserialize(given.token, key_of(given))
        return token.payload

    def claims(given: Given, type_: str) -> object:
        token = import_module("jwcrypto.jwt").JWT(
            jwt=given.token, key=key_of(given), algs=given.algorithms, check_claims=given.claims, expected_type=type_
        )
        return token.claims

    def sign(given: Given) -> object:
        token = import_module("jwcrypto.jws").JWS(b"{}")
        token.add_signature(key_of(given), None, json.dumps({"alg": given.algorithms[0]}))
        return token.serialize(compact=True)

    def load(given: Given) -> object:
        text = given.key if isinstance(given.key, bytes) else json.dumps(given.key)
        key = import_module("jwcrypto.jwk").JWK.from_json(text)
        if key["kty"] == "oct":
            return key.get_op_key("verify")
        return key.export_to_pem(private_key=key.has_private, password=None)

    return {
        "verify": verify,
        "claims": lambda given: claims(given, "JWS"),
        "decrypt": decrypt,
        "decrypt claims": lambda given: claims(given, "JWE"),
        "sign": sign,
        "import": load,
    }


def _authlib() -> Calls:
    def key_of(given: Given) -> Any:
        module = import_module("authlib.jose").JsonWebKey
        if "keys" in given.key:
            keys = module.import_key_set(given.key)
            return lambda header, _payload: keys.find_by_kid(header.get("kid"))
        return module.import_key(given.key)

    def claims(given: Given) -> object:
        options = {name: {"essential": True, "value": value} for name, value in (given.claims or {}).items()}
        module = import_module("authlib.jose")
        found = module.JsonWebToken(given.algorithms).decode(given.token, key_of(given), claims_options=options)
        found.validate()
        return found

    def load(given: Given) -> object:
        key = import_module("authlib.jose").JsonWebKey.import_key(given.key)
        if given.key["kty"] == "oct":
            return key.get_op_key("sign")
        return key.get_public_key(), key.get_private_key()

    return {
        "verify": lambda given: import_module("authlib.jose").JsonWebSignature(given.algorithms).deserialize_compact(
            given.token, key_of(given)
        ),
        "claims": claims,
        "decrypt": lambda given: import_module("authlib.jose").JsonWebEncryption(given.algorithms).deserialize_compact(
            given.token, key_of(given)
        ),
        "decrypt claims": claims,
        "sign": lambda given: import_module("authlib.jose").JsonWebSignature(given.algorithms).serialize_compact(
            {"alg": given.algorithms[0]}, b"{}", key_of(given)
        ),
        "import": load,
    }  # fmt: skip


PEERS = (
    Peer("python-jose", ("jose.exceptions:JOSEError",), _python_jose()),
    Peer("joserfc", ("joserfc.errors:JoseError",), _joserfc()),
    Peer("PyJWT", ("jwt.exceptions:PyJWTError",), _pyjwt(), own_json=True),
    Peer("jwcrypto", ("jwcrypto.common:JWException",), _jwcrypto(), own_json=True),
    Peer("authlib", ("authlib.common.errors:AuthlibBaseError",), _authlib()),
)


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
    return _plugins().key_type(key.type).validate(key)


@cache
def _plugins() -> Registry:
    return Registry.load()


REFUSES, ACCEPTS, NOT_ASKED = "refuses", "ACCEPTS", "n/a"


def our_outcome(case: Case) -> str:
    """Ours: it refuses with the very class of the row, or something is wrong."""
    call_ours(case.call, case.good)
    try:
        call_ours(case.call, case.bad)
    except case.error as error:
        return REFUSES if type(error) is case.error else _crash(error)
    except Exception as error:
        return _crash(error)
    return ACCEPTS


def outcome(case: Case, peer: Peer) -> str:
    """Another library's: its own errors, ValueError and TypeError refuse; any other error is a crash.

    It is not asked what it cannot do: where there is no such call, where its reader of keys sees no JSON, or where it
    does not take what is without a fault either.
    """
    call = peer.calls.get(case.call)
    if call is None or (isinstance(case.bad.key, bytes) and not peer.own_json):
        return NOT_ASKED
    try:
        call(case.good)
    except Exception:
        return NOT_ASKED
    own = tuple(getattr(import_module(module), name) for module, _, name in (one.partition(":") for one in peer.errors))
    try:
        call(case.bad)
    except (*own, ValueError, TypeError):
        return REFUSES
    except NotImplementedError:
        return NOT_ASKED
    except Exception as error:
        return _crash(error)
    return ACCEPTS


def _crash(error: Exception) -> str:
    return f"crashes ({type(error).__name__})"
