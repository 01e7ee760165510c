"""The format `jwk`, the key types that complete what it reads, and thumbprints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from zlib import crc32

from fuzz_targets.contract import attempt, require
from fuzz_targets.json_mutations import mutated_object
from fuzz_targets.target import Target
from keywright import Key, KeyType, Options, Secret
from keywright.errors import (
    InvalidKeyError,
    MalformedKeyError,
    UnsupportedKeyError,
    UnsupportedOperationError,
)
from keywright_jose import thumbprint
from keywright_jose.json import encode_base64url
from keywright_jose.jwk.codec import encoded_thumbprint
from keywright_jose.jwk.format import JwkFormat
from keywright_keytypes import keywright_register_key_types

__all__ = ["TARGET"]

_FORMAT = JwkFormat()
_TYPES: dict[str, KeyType] = {one.name: one for one in keywright_register_key_types()}
_SECRET_MEMBERS = ("k", "d", "p", "q", "dp", "dq", "qi")
_KID = "given"
_TESTED_PRIMES = 16  # one RSA key of so many has its primes tested, which takes 0.04 s


def check(data: bytes) -> None:
    """Reading refuses or gives a key; a complete key has one canonical spelling, and a public one without secrets."""
    require(_FORMAT.sniff(Secret(data)) in (True, False), "sniff gives no answer")
    secrets, known = _parts(data)
    key = attempt(
        lambda: _FORMAT.decode(Secret(data), default_kid=_KID),
        MalformedKeyError,
        UnsupportedKeyError,
        given=(data,),
        secrets=secrets,
        known=known,
    )
    own = attempt(
        lambda: encoded_thumbprint(Secret(data)),
        MalformedKeyError,
        UnsupportedKeyError,
        UnsupportedOperationError,
        given=(data,),
        secrets=secrets,
        known=known,
    )
    _check_thumbprint_of_mapping(data, own)
    if key is None:
        return
    require(_FORMAT.sniff(Secret(data)), "sniff does not know a key")
    require(bool(key.kid) and key.type in _FORMAT.key_types, "a key without kid, or of a type that is not declared")
    if key.type == "rsa" and key.secret is not None and crc32(data) % _TESTED_PRIMES:
        return
    whole = attempt(
        lambda: _TYPES[key.type].complete(key), InvalidKeyError, given=(data,), secrets=secrets, known=known
    )
    if whole is not None:
        require(_TYPES[key.type].complete(whole) == whole, "completing twice is not completing once")
        _check_written(whole)
        require(own == (None if key.type == "oct" else _FORMAT.default_kid("a", 1, whole)), "two thumbprints")


def _check_written(key: Key) -> None:
    if key.secret is not None:
        encoded = _FORMAT.encode_secret(key)
        again = _FORMAT.decode(encoded, default_kid="")
        require(_TYPES[key.type].complete(again) == key, "a secret key does not come back")
        require(_FORMAT.encode_secret(again) == encoded, "a secret key has two canonical spellings")
        require(encoded.reveal() == _canonical(encoded.reveal()), "the spelling is not canonical JSON")
    if key.public is None:
        return
    public = _FORMAT.encode_public(key)
    decoded = _FORMAT.decode(Secret(public), default_kid="")
    require(decoded.secret is None and decoded.public == key.public, "the public half differs")
    require(decoded.kid == key.kid, "the public half has another kid")
    require(_FORMAT.encode_public(decoded) == public, "a public key has two canonical spellings")
    require(json.loads(public).keys().isdisjoint(_SECRET_MEMBERS), "a public key has a secret member")
    if key.secret is not None and key.type != "rsa":
        text = encode_base64url(key.secret.reveal())
        # Who repeats the secret as `use` or kid has said himself that it is none.
        said = key.kid + repr(key.attributes.plain())
        require(text in said or text.encode() not in public, "a public key shows the secret half")


def _check_thumbprint_of_mapping(data: bytes, expected: str | None) -> None:
    document = _parsed(data)
    secrets, known = _parts(data)
    if isinstance(document, dict) and expected is not None:
        require(thumbprint(document) == expected, "two thumbprints of one key")
    elif isinstance(document, dict):
        # Numbers and nesting that no JWK may have say nothing to a thumbprint, so this one may succeed.
        attempt(
            lambda: thumbprint(document),
            MalformedKeyError,
            UnsupportedKeyError,
            UnsupportedOperationError,
            given=(data,),
            secrets=secrets,
            known=known,
        )


def _canonical(encoded: bytes) -> bytes:
    return json.dumps(json.loads(encoded), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _parsed(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _parts(data: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """The texts of secret members, and the rest; all of it is secret where no such members can be told."""
    document = _parsed(data)
    if not isinstance(document, dict):
        return (data,), b""
    secrets = [text for name, text in document.items() if name in _SECRET_MEMBERS and isinstance(text, str)]
    rest = repr([part for part in document.items() if part[0] not in _SECRET_MEMBERS])
    return tuple(text.encode(errors="surrogatepass") for text in secrets), rest.encode(errors="surrogatepass")


_WORDS = (
    "kty", "oct", "EC", "OKP", "RSA", "crv", "P-256", "P-384", "P-521", "Ed25519", "X25519", "kid", "use", "sig",
    "enc", "alg", "HS256", "ES256", "EdDSA", "PS256", "RSA-OAEP", "dir", "key_ops", "sign", "verify", "encrypt",
    "wrapKey", "deriveKey", "x5c", "x5t", "x5t#S256", "x5u", "k", "d", "x", "y", "n", "e", "p", "q", "dp", "dq", "qi",
    "oth", "keys"
)  # fmt: skip


def mutate(data: bytes, random: Random) -> bytes | None:
    """As `mutated_object`, with the members of JWK."""
    return mutated_object(data, random, _WORDS)


def _seeds() -> Iterator[bytes]:
    for name, key_type in _TYPES.items():
        # No test of the seeds depends on which key it is, and a fixed one would have to be written down somewhere.
        settings = {"bits": 2048} if name == "rsa" else {"bits": 256}
        key = key_type.generate(Options(settings if key_type.settings else {}))
        yield _FORMAT.encode_secret(key).reveal()
        if key.public is not None:
            yield _FORMAT.encode_public(key)
    yield b'{"kty":"oct","k":"AQID","kid":"a","use":"sig","alg":"HS256","key_ops":["sign","verify"]}'
    yield b' {"x5c":["AQ=="],"kty":"oct","k":"AQ","ext":true,"n\\u0061me":{"deep":[1,1.5e3,null,"\\ud83d\\ude00"]}}\n'
    yield b'{"keys":[]}'


TARGET = Target(
    check,
    seeds=tuple(_seeds()),
    words=(*(f'"{word}"'.encode() for word in _WORDS), b"\\u0000", b"\\ud800", b"1e999", b"NaN", b"{}", b"[]"),
    maximum_bytes=4096,
    mutate=mutate,
)
