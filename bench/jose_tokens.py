"""Tokens: what a bound key costs beside python-jose, joserfc, PyJWT, jwcrypto and authlib, and over the bare call."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from stores import row

from keywright_jose import create_curve_key, create_secret_key, signer, verifier

__all__ = ["jose_rows"]

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
    signing = _in_turn({name: calls[0] for name, calls in peers.items()}, runs)
    verifying = _in_turn({name: calls[1] for name, calls in peers.items()}, runs)
    for name in peers:
        yield row(f"HS256 {name}: sign, µs", statistics.median(signing[name]) * 1e6)
        yield row(f"HS256 {name}: verify, µs", statistics.median(verifying[name]) * 1e6)
    theirs = "python-jose"
    yield row("HS256 sign: python-jose with a key dict / bound", _over(signing, theirs, "keywright"), at_least=2.5)
    yield row("HS256 verify: python-jose with a key dict / bound", _over(verifying, theirs, "keywright"), at_least=1)
    for algorithm, curve in (("ES256", "P-256"), ("EdDSA", "Ed25519")):
        tokens = signer(dict(create_curve_key(curve)), algorithm)
        times = _in_turn({"bound": partial(tokens.sign, CLAIMS), "bare": _bare(curve)}, runs)
        yield row(f"{algorithm} sign, bound / the bare call", _over(times, "bound", "bare"), at_most=1.25)


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


def _in_turn(calls: Mapping[str, Call], runs: int) -> dict[str, list[float]]:
    """Seconds a call, by name: so many rounds of a loop of each, in turn, one before that is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(runs + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(_ROUNDS):
                call()
            if number:
                taken[name].append((time.perf_counter() - start) / _ROUNDS)
    return taken


def _over(times: Mapping[str, list[float]], one: str, other: str) -> float:
    return statistics.median(first / second for first, second in zip(times[one], times[other], strict=True))
