"""Encrypted tokens: any bytes as a token, as the header and the plaintext of one, as an ephemeral key, and as a key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

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
from keywright_jose import jwe_decode, jwe_decrypt, jwe_encrypt
from keywright_jose.json import encode_base64url

__all__ = ["TARGET"]

_OCTETS = bytes(range(64))
_EC = {  # RFC 7518 C, Bob
    "kty": "EC",
    "crv": "P-256",
    "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
    "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
    "d": "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw",
}
_OKP = {  # RFC 7748 §6.1, Bob
    "kty": "OKP",
    "crv": "X25519",
    "x": "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08",
    "d": "XasIfmJKikt54X-Lg4AO5m87sSkmGLb9HC-LJ_-I4Os",
}


def _oct(bits: int) -> dict[str, str]:
    return {"kty": "oct", "k": encode_base64url(_OCTETS[: bits // 8])}


_KEYS: dict[tuple[str, str], dict[str, str]] = {
    ("dir", "A256GCM"): _oct(256),
    ("A128KW", "A128CBC-HS256"): _oct(128),
    ("A192GCMKW", "A192GCM"): _oct(192),
    ("ECDH-ES", "A128GCM"): _EC,
    ("ECDH-ES+A256KW", "A256CBC-HS512"): _OKP,
}
_TOKEN_REFUSALS = (MalformedTokenError, InvalidSignatureError)
_KEY_REFUSALS = (
    ConfigError, InvalidKeyError, MalformedKeyError, NotExportableError, PolicyError, UnsupportedKeyError,
    UnsupportedOperationError,
)  # fmt: skip
_SECRET_MEMBERS = ("k", "d", "p", "q", "dp", "dq", "qi")
_REFUSED_MEMBERS = frozenset(("crit", "b64", "zip", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c"))
_NAMES = b"iat\nnbf\nexp"


def check(data: bytes) -> None:
    """Whatever the bytes are taken for, they are refused by our errors, or come back."""
    for pair in _KEYS:
        _check_token(data, pair)
        _check_plaintext(data, pair)
    _check_header(data)
    document = _parsed(data)
    _check_ephemeral(document)
    if isinstance(document, dict):
        _check_key(data, document)


def _check_token(data: bytes, pair: tuple[str, str]) -> None:
    found = attempt(
        lambda: jwe_decrypt(data, _KEYS[pair], key_algorithm=pair[0], content_algorithm=pair[1]),
        *_TOKEN_REFUSALS,
        given=(data,),
        secrets=(_OCTETS,),
    )
    require(found is None or (found.header["alg"], found.header["enc"]) == pair, "a token of other algorithms")


def _check_plaintext(data: bytes, pair: tuple[str, str]) -> None:
    key = _KEYS[pair]
    token = jwe_encrypt(data, key, key_algorithm=pair[0], content_algorithm=pair[1])
    found = jwe_decrypt(token, key, key_algorithm=pair[0], content_algorithm=pair[1])
    require(found.plaintext.reveal() == data, "octets do not come back")
    attempt(
        lambda: jwe_decode(token, key, key_algorithm=pair[0], content_algorithm=pair[1]),
        MalformedTokenError,
        InvalidClaimError,
        given=(data,),
        secrets=(data,),
        known=token.encode() + repr(pair).encode(),
        shown=_NAMES,
    )


def _check_header(data: bytes) -> None:
    """A token with this very header, encrypted by another program."""
    token = _sealed(data)
    found = attempt(
        lambda: jwe_decrypt(token, _KEYS["dir", "A256GCM"], key_algorithm="dir", content_algorithm="A256GCM"),
        *_TOKEN_REFUSALS,
        given=(data,),
        known=b"A256GCM",
    )
    if found is not None:
        require(found.plaintext.reveal() == b"{}", "something else was decrypted")
        require(found.header == json.loads(data), "a header means something else to a second reader")
        require(not _REFUSED_MEMBERS & found.header.keys(), "a header that asks for more than is done")


def _sealed(header: bytes) -> str:
    first = encode_base64url(header)
    sealed = AESGCM(_OCTETS[:32]).encrypt(bytes(12), b"{}", first.encode())
    return f"{first}..{encode_base64url(bytes(12))}.{encode_base64url(sealed[:-16])}.{encode_base64url(sealed[-16:])}"


def _check_ephemeral(document: object) -> None:
    for key in (_EC, _OKP):
        header = {"alg": "ECDH-ES", "enc": "A128GCM", "epk": document}
        first = encode_base64url(json.dumps(header).encode())
        found = attempt(
            lambda key=key, first=first: jwe_decrypt(  # type: ignore[misc]  # (bound here, for the loop goes on)
                f"{first}..AAAAAAAAAAAAAAAA..AAAAAAAAAAAAAAAAAAAAAA",
                key,
                key_algorithm="ECDH-ES",
                content_algorithm="A128GCM",
            ),
            *_TOKEN_REFUSALS,
            given=(first.encode(),),
        )
        require(found is None, "a forged tag holds")


def _check_key(data: bytes, document: dict[str, object]) -> None:
    hidden = [
        text.encode(errors="surrogatepass")
        for name, text in document.items()
        if name in _SECRET_MEMBERS and isinstance(text, str)
    ]
    rest = repr([part for part in document.items() if part[0] not in _SECRET_MEMBERS]).encode(errors="surrogatepass")
    for algorithm, encryption in (*_KEYS, ("RSA-OAEP-256", "A128GCM")):
        token = attempt(
            lambda one=algorithm, two=encryption: jwe_encrypt(  # type: ignore[misc]  # (bound here, as above)
                b"a", document, key_algorithm=one, content_algorithm=two
            ),
            *_KEY_REFUSALS,
            given=(data,),
            secrets=hidden,
            known=rest,
        )
        found = attempt(
            lambda token=token, one=algorithm, two=encryption: jwe_decrypt(  # type: ignore[misc]  # (as above)
                token or "....", document, key_algorithm=one, content_algorithm=two
            ),
            *_KEY_REFUSALS,
            *_TOKEN_REFUSALS,
            given=(data,),
            secrets=hidden,
            known=rest,
        )
        require(found is None or found.plaintext.reveal() == b"a", "a key decrypts something else than it encrypted")


def _parsed(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


_WORDS = (
    "alg", "enc", "dir", "A256GCM", "A128GCM", "A128KW", "A192GCMKW", "A192GCM", "A128CBC-HS256", "A256CBC-HS512",
    "ECDH-ES", "ECDH-ES+A256KW", "RSA-OAEP-256", "RSA1_5", "kid", "a", "typ", "JWT", "cty", "crit", "b64", "zip",
    "epk", "apu", "apv", "iv", "tag", "p2s", "p2c", "iat", "nbf", "exp", "kty", "oct", "EC", "OKP", "RSA", "crv",
    "P-256", "P-384", "X25519", "k", "d", "x", "y", "n", "e", "use", "key_ops", "wrapKey", "unwrapKey", "encrypt",
    "decrypt", "deriveKey", "keys",
)  # fmt: skip


def mutate(data: bytes, random: Random) -> bytes | None:
    """Another object, the token whose header it is, or another token."""
    changed = mutated_object(data, random, _WORDS)
    if changed is not None:
        return changed if random.randrange(3) else _sealed(changed).encode()
    segments = data.split(b".")
    if len(segments) != 5:
        return None
    at = random.randrange(5)
    place = random.randrange(len(segments[at]) + 1)
    speck = random.choice((b"", b"A", b"AAAA", b"-", b"_", b"=", b"+", b"\n", b"\xff"))
    segments[at] = segments[at][:place] + speck + segments[at][place + random.randrange(2) :]
    return b".".join(segments)


def _seeds() -> Iterator[bytes]:
    for (algorithm, encryption), key in _KEYS.items():
        yield jwe_encrypt(b'{"sub":"a"}', key, key_algorithm=algorithm, content_algorithm=encryption).encode()
        yield json.dumps(key).encode()
    yield b'{"alg":"dir","enc":"A256GCM"}'
    yield b'{"alg":"dir","enc":"A256GCM","kid":"a","cty":"JWT","list":[{"deep":null}]}'
    yield b'{"alg":"dir","enc":"A256GCM","zip":"DEF"}'
    yield json.dumps({name: value for name, value in _EC.items() if name != "d"}).encode()
    yield json.dumps({"kty": "OKP", "crv": "X25519", "x": "A" * 43}).encode()
    yield json.dumps({"keys": [{**_oct(256), "kid": "a"}, {**_oct(256), "kid": "b"}]}).encode()


TARGET = Target(
    check,
    seeds=tuple(_seeds()),
    words=(*(f'"{word}"'.encode() for word in _WORDS), b"....", b"..", b"\\u0000", b"\\ud800", b"1e999", b"NaN", b"{}"),
    maximum_bytes=4096,
    mutate=mutate,
)
