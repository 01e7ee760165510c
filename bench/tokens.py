"""Tokens: what a bound key costs beside python-jose, joserfc, PyJWT, jwcrypto and authlib, and over the bare call."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from timing import row, time_calls_in_turn

from keywright_jose import create_curve_key, create_secret_key, signer, verifier

CLAIMS = {"sub": "user-7", "iss": "https://example.org", "iat": 1700000000, "exp": 4102444800, "scope": "read write"}
_ROUNDS = 200
Call = Callable[[], object]


def jose_rows(_home: Path, *, runs: int) -> Iterator[str]:
    """HS256 with every check on, ES256 and EdDSA over the bare call, and peers with what they offer for a key dict."""
    key = dict(create_secret_key(256))
    bound, checked = signer(key, "HS256"), verifier(key, algorithms=["HS256"])
    token = bound.sign(CLAIMS)
    peers = dict(_peers(key, token))
    peers["keywright"] = (lambda: bound.sign(CLAIMS), lambda: checked.verify(token))
    for index, (use, budget) in enumerate((("sign", 2.5), ("verify", 1))):
        timed = time_calls_in_turn({name: calls[index] for name, calls in peers.items()}, runs=runs, rounds=_ROUNDS)
        for name, one in timed.items():
            yield row(f"HS256 {name}: {use}, µs", one.median * 1e6)
        over = timed["python-jose"].over(timed["keywright"])
        yield row(f"HS256 {use}: python-jose with a key dict / bound", over, at_least=budget)
    for algorithm, curve in (("ES256", "P-256"), ("EdDSA", "Ed25519")):
        tokens = signer(dict(create_curve_key(curve)), algorithm)
        calls: dict[str, Call] = {"bound": partial(tokens.sign, CLAIMS), "bare": _bare(curve)}
        timed = time_calls_in_turn(calls, runs=runs, rounds=_ROUNDS)
        yield row(f"{algorithm} sign, bound / the bare call", timed["bound"].over(timed["bare"]), at_most=1.25)


def _bare(curve: str) -> Call:
    """A signature by `cryptography` alone, of a message as long as the token's."""
    message = b"x" * 190
    if curve == "Ed25519":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        edwards = Ed25519PrivateKey.generate()
        return lambda: edwards.sign(message)
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    private, method = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
    return lambda: private.sign(message, method)


def _peers(key: Mapping[str, Any], token: str) -> Iterator[tuple[str, tuple[Call, Call]]]:
    """Each peer's call to sign the claims and to verify the token, given the key as its users hold it."""
    jws: Any = import_module("jose.jws")
    theirs = jws.sign(CLAIMS, key, algorithm="HS256")
    yield (
        "python-jose",
        (lambda: jws.sign(CLAIMS, key, algorithm="HS256"), lambda: jws.verify(theirs, key, algorithms=["HS256"])),
    )
    rfc: Any = import_module("joserfc.jwt")
    imported = import_module("joserfc.jwk").OctKey.import_key(key)
    yield (
        "joserfc",
        (
            lambda: rfc.encode({"alg": "HS256"}, CLAIMS, imported),
            lambda: rfc.decode(token, imported, algorithms=["HS256"]),
        ),
    )
    pyjwt: Any = import_module("jwt")
    octets = pyjwt.PyJWK(key, algorithm="HS256").key
    yield (
        "PyJWT",
        (
            lambda: pyjwt.encode(CLAIMS, octets, algorithm="HS256"),
            lambda: pyjwt.decode(token, octets, algorithms=["HS256"]),
        ),
    )
    jwcrypto: Any = import_module("jwcrypto.jwt")
    jwk = import_module("jwcrypto.jwk").JWK(**key)
    yield "jwcrypto", (lambda: _by_jwcrypto(jwcrypto, jwk), lambda: jwcrypto.JWT(jwt=token, key=jwk, algs=["HS256"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that its author now prefers joserfc
        authlib: Any = import_module("authlib.jose")
    held = authlib.OctKey.import_key(key)
    web = authlib.JsonWebToken(["HS256"])
    yield "authlib", (lambda: web.encode({"alg": "HS256"}, CLAIMS, held), lambda: web.decode(token, held))


def _by_jwcrypto(jwcrypto: Any, key: Any) -> str:
    made = jwcrypto.JWT(header={"alg": "HS256"}, claims=CLAIMS)
    made.make_signed_token(key)
    serialized: str = made.serialize()
    return serialized
