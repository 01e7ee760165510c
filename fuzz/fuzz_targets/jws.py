"""Signed tokens: any bytes as a token, as the header and the claims of a signed one, and as its key."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from random import Random

from fuzz_targets.contract import attempt, require
from fuzz_targets.json_mutations import mutated_object
from fuzz_targets.target import Target
from keywright.errors import (
    ConfigError,
    InvalidClaimError,
    InvalidKeyError,
    InvalidSignatureError,
    MalformedKeyError,
    MalformedTokenError,
    NotExportableError,
    PolicyError,
    UnsupportedKeyError,
    UnsupportedOperationError,
)
from keywright_jose import create_curve_key, create_secret_key, jws_decode, signer, verifier, verify
from keywright_jose.compact import read_header
from keywright_jose.json import encode_base64url, read_object, write_object

__all__ = ["TARGET"]

_OCT = {**create_secret_key(256), "alg": "HS256"}
_SIGNER = signer(_OCT)
_EC = {**create_curve_key("P-256"), "alg": "ES256", "kid": "a"}
_VERIFIERS = (
    verifier(_OCT),
    verifier({"keys": [_EC, {**create_curve_key("Ed25519"), "kid": "b"}]}, algorithms=["ES256", "EdDSA"]),
    verifier(_OCT, allow_padding=True),
)
_KEY_REFUSALS = (
    ConfigError, InvalidKeyError, MalformedKeyError, NotExportableError, PolicyError, UnsupportedKeyError,
    UnsupportedOperationError,
)  # fmt: skip
_SECRET_MEMBERS = ("k", "d", "p", "q", "dp", "dq", "qi")
_DEEPEST = 32


def check(data: bytes) -> None:
    """Whatever the bytes are taken for, they are refused by our errors, or mean what a second reader says."""
    _check_token(data)
    _check_header(data)
    _check_claims(data)
    _check_key(data)


def _check_token(data: bytes) -> None:
    for one in _VERIFIERS:
        found = attempt(lambda one=one: one.verify(data), MalformedTokenError, InvalidSignatureError, given=(data,))  # type: ignore[misc]  # (bound here, for the loop goes on)
        require(found is None or found.header["alg"] in ("HS256", "ES256"), "a token under no key of ours")
        again = attempt(
            lambda one=one: one.verify(data.decode("latin-1")),  # type: ignore[misc]  # (as above)
            MalformedTokenError,
            InvalidSignatureError,
            given=(data,),
        )
        require(again == found, "as text it is another token")


def _check_header(data: bytes) -> None:
    segment = encode_base64url(data)
    header = attempt(lambda: read_header(segment), MalformedTokenError, given=(data,))
    document = _strictly(data)
    if header is None:
        return
    require(header.members == document, "a header means something else to a second reader")
    require(header.algorithm.lower() != "none", "an unsigned token")
    require(not {"crit", "b64", "zip"} & header.members.keys(), "a header that asks for more than is done")


def _check_claims(data: bytes) -> None:
    token = _SIGNER.sign(data)
    require(verify(token, _VERIFIERS[0]).payload == data, "octets do not come back")
    document = _strictly(data)
    read = attempt(lambda: read_object(data, "the payload of the token"), MalformedTokenError, given=(data,))
    require(read == document, "claims mean something else to a second reader")
    claims = attempt(
        lambda: jws_decode(token, _VERIFIERS[0]), MalformedTokenError, InvalidClaimError, given=(data,), shown=_NAMES
    )
    require(claims is None or claims == document, "what was decoded was not read")
    if document is not None:
        written = write_object(document, "the claims of a token")
        require(
            read_object(written, "the payload of the token") == document, "claims are not written as they were read"
        )


def _check_key(data: bytes) -> None:
    document = _parsed(data)
    if not isinstance(document, dict):
        return
    secrets = [text for name, text in document.items() if name in _SECRET_MEMBERS and isinstance(text, str)]
    rest = repr([part for part in document.items() if part[0] not in _SECRET_MEMBERS]).encode(errors="surrogatepass")
    hidden = [text.encode(errors="surrogatepass") for text in secrets]
    for algorithm in ("HS256", "ES256", "EdDSA", "RS256"):
        bound = attempt(
            lambda algorithm=algorithm: signer(document, algorithm),  # type: ignore[misc]  # (bound here, as above)
            *_KEY_REFUSALS,
            given=(data,),
            secrets=hidden,
            known=rest,
        )
        checks = attempt(
            lambda algorithm=algorithm: verifier(document, algorithms=[algorithm]),  # type: ignore[misc]  # (as above)
            *_KEY_REFUSALS,
            given=(data,),
            secrets=hidden,
            known=rest,
        )
        if bound is not None and checks is not None:
            require(checks.verify(bound.sign(b"a")).payload == b"a", "a key does not verify what it signed")


def _strictly(data: bytes) -> dict[str, object] | None:
    """What Python's own reader says, if the document is as strict as ours has to be; else None."""
    try:
        text = data.decode()
        if not text.startswith("{") or not text.endswith("}"):
            return None
        document = json.loads(text, object_pairs_hook=_pairs)
        if not isinstance(document, dict) or not _is_sound(document, _DEEPEST):
            return None
    except (ValueError, RecursionError):
        return None
    return document


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError
    return dict(pairs)


def _is_sound(value: object, levels: int) -> bool:
    if isinstance(value, dict | list) and not levels:
        return False
    if isinstance(value, dict):
        return all(_is_sound(part, levels - 1) for part in (*value.values(), *value))
    if isinstance(value, list):
        return all(_is_sound(part, levels - 1) for part in value)
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return not isinstance(value, float) or math.isfinite(value)


def _parsed(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


_NAMES = b"iat\nnbf\nexp"
_WORDS = (
    "alg", "HS256", "ES256", "EdDSA", "none", "kid", "a", "b", "typ", "JWT", "cty", "crit", "b64", "zip", "jwk",
    "jku", "x5c", "iat", "nbf", "exp", "aud", "sub", "iss", "kty", "oct", "EC", "OKP", "crv", "P-256", "Ed25519", "k",
    "d", "x", "y", "use", "sig", "enc", "key_ops", "sign", "verify", "keys",
)  # fmt: skip


def mutate(data: bytes, random: Random) -> bytes | None:
    """Another object, or another token: its header or claims changed, and signed anew."""
    changed = mutated_object(data, random, _WORDS)
    if changed is not None:
        return changed if random.randrange(3) else _SIGNER.sign(changed).encode()
    segments = data.split(b".")
    if len(segments) != 3:
        return None
    at = random.randrange(3)
    place = random.randrange(len(segments[at]) + 1)
    speck = random.choice((b"", b"A", b"-", b"_", b"=", b"+", b"\n", b"\xff"))
    segments[at] = segments[at][:place] + speck + segments[at][place + random.randrange(2) :]
    return b".".join(segments)


def _seeds() -> Iterator[bytes]:
    yield _SIGNER.sign({"sub": "a"}).encode()
    yield signer(_EC, headers={"kid": "a", "typ": "JWT"}).sign({"exp": 2**40}).encode()
    yield b'{"alg":"HS256"}'
    yield b'{"alg":"ES256","kid":"a","jwk":{"kty":"oct","k":"AA"},"x5c":["AA=="]}'
    yield b'{"alg":"HS256","crit":["b64"],"b64":false}'
    yield b'{"iat":1,"nbf":1.5,"exp":9007199254740992,"aud":["a","b"],"n":{"deep":[[1e300,null,"\\ud83d\\ude00"]]}}'
    for key in (_OCT, _EC):
        yield json.dumps(key).encode()
    yield json.dumps({"keys": [_EC]}).encode()


TARGET = Target(
    check,
    seeds=tuple(_seeds()),
    words=(*(f'"{word}"'.encode() for word in _WORDS), b"..", b"\\u0000", b"\\ud800", b"1e999", b"NaN", b"{}", b"[]"),
    maximum_bytes=4096,
    mutate=mutate,
)
