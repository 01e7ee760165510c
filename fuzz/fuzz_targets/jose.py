"""JOSE: keys in the format `jwk` and their thumbprints, signed tokens, encrypted tokens."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Final, TypeVar
from zlib import crc32

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fuzz_targets.contract import attempt, require
from fuzz_targets.json_mutations import mutated_object
from fuzz_targets.target import Target
from keywright import Key, KeyType, Options, Secret
from keywright.errors import (
    ConfigError,
    InvalidClaimError,
    InvalidKeyError,
    InvalidSignatureError,
    KeywrightError,
    MalformedKeyError,
    MalformedTokenError,
    NotExportableError,
    PolicyError,
    UnsupportedKeyError,
    UnsupportedOperationError,
)
from keywright_jose import (
    create_curve_key,
    create_secret_key,
    jwe_decode,
    jwe_decrypt,
    jwe_encrypt,
    jws_decode,
    signer,
    thumbprint,
    verifier,
    verify,
)
from keywright_jose.compact import read_header
from keywright_jose.json import encode_base64url, read_object, write_object
from keywright_jose.jwk.codec import encoded_thumbprint
from keywright_jose.jwk.format import JwkFormat
from keywright_keytypes import keywright_register_key_types

_T = TypeVar("_T")
_FORMAT = JwkFormat()
_TYPES: dict[str, KeyType] = {one.name: one for one in keywright_register_key_types()}
_KEY_REFUSALS = (
    ConfigError, InvalidKeyError, MalformedKeyError, NotExportableError, PolicyError, UnsupportedKeyError,
    UnsupportedOperationError,
)  # fmt: skip
_NAMES = b"iat\nnbf\nexp"
_SECRET_MEMBERS = ("k", "d", "p", "q", "dp", "dq", "qi")
_KID = "given"
_TESTED_PRIMES = 16  # one RSA key of so many has its primes tested, which takes 0.04 s


def check_jwk(data: bytes) -> None:
    """Reading refuses or gives a key; a complete key has one canonical spelling, and a public one without secrets."""
    require(_FORMAT.sniff(Secret(data)) in (True, False), "sniff gives no answer")
    refusals = (MalformedKeyError, UnsupportedKeyError)
    key = _tried_key(data, lambda: _FORMAT.decode(Secret(data), default_kid=_KID), *refusals)
    own = _tried_key(data, lambda: encoded_thumbprint(Secret(data)), *refusals, UnsupportedOperationError)
    _check_thumbprint_of_mapping(data, own)
    if key is None:
        return
    require(_FORMAT.sniff(Secret(data)), "sniff does not know a key")
    require(bool(key.kid) and key.type in _FORMAT.key_types, "a key without kid, or of a type that is not declared")
    if key.type == "rsa" and key.secret is not None and crc32(data) % _TESTED_PRIMES:
        return
    whole = _tried_key(data, lambda: _TYPES[key.type].validate(key), InvalidKeyError)
    if whole is not None:
        require(_TYPES[key.type].validate(whole) == whole, "completing twice is not completing once")
        _check_written(whole)
        require(own == (None if key.type == "oct" else _FORMAT.default_kid("a", 1, whole)), "two thumbprints")


def _check_written(key: Key) -> None:
    if key.secret is not None:
        encoded = _FORMAT.encode_secret(key)
        again = _FORMAT.decode(encoded, default_kid="")
        require(_TYPES[key.type].validate(again) == key, "a secret key does not come back")
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
        # Who repeats the secret as `use` or kid has published it.
        said = key.kid + repr(key.attributes.plain())
        require(text in said or text.encode() not in public, "a public key shows the secret half")


def _check_thumbprint_of_mapping(data: bytes, expected: str | None) -> None:
    document = _parsed(data)
    if isinstance(document, dict) and expected is not None:
        require(thumbprint(document) == expected, "two thumbprints of one key")
    elif isinstance(document, dict):
        # Numbers and nesting that no JWK may have say nothing to a thumbprint, so this one may succeed.
        refusals = (MalformedKeyError, UnsupportedKeyError, UnsupportedOperationError)
        _tried_key(data, partial(thumbprint, document), *refusals)


def _canonical(encoded: bytes) -> bytes:
    return json.dumps(json.loads(encoded), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _parsed(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _tried_key(data: bytes, call: Callable[[], _T], *allowed: type[KeywrightError]) -> _T | None:
    """What is made of a key: no local holds the texts of secret members, or any of it where there are none to find."""
    document = _parsed(data)
    secrets, known = [data], b""
    if isinstance(document, dict):
        texts = [text for name, text in document.items() if name in _SECRET_MEMBERS and isinstance(text, str)]
        secrets = [text.encode(errors="surrogatepass") for text in texts]
        rest = repr([part for part in document.items() if part[0] not in _SECRET_MEMBERS])
        known = rest.encode(errors="surrogatepass")
    return attempt(call, *allowed, given=(data,), secrets=secrets, known=known)


def _mutated_token(data: bytes, random: Random, count: int) -> bytes | None:
    """A token of so many segments with a few characters changed, taken away or put in."""
    segments = data.split(b".")
    if len(segments) != count:
        return None
    at = random.randrange(count)
    place = random.randrange(len(segments[at]) + 1)
    speck = random.choice((b"", b"A", b"AAAA", b"-", b"_", b"=", b"+", b"\n", b"\xff"))
    segments[at] = segments[at][:place] + speck + segments[at][place + random.randrange(2) :]
    return b".".join(segments)


_JWK_WORDS = (
    "kty", "oct", "EC", "OKP", "RSA", "crv", "P-256", "P-384", "P-521", "Ed25519", "X25519", "kid", "use", "sig",
    "enc", "alg", "HS256", "ES256", "EdDSA", "PS256", "RSA-OAEP", "dir", "key_ops", "sign", "verify", "encrypt",
    "wrapKey", "deriveKey", "x5c", "x5t", "x5t#S256", "x5u", "k", "d", "x", "y", "n", "e", "p", "q", "dp", "dq", "qi",
    "oth", "keys"
)  # fmt: skip


def mutate_jwk(data: bytes, random: Random) -> bytes | None:
    """As `mutated_object`, with the members of JWK."""
    return mutated_object(data, random, _JWK_WORDS)


def _jwk_seeds() -> Iterator[bytes]:
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


_HS256_KEY = {**create_secret_key(256), "alg": "HS256"}
_SIGNER = signer(_HS256_KEY)
_ES256_KEY = {**create_curve_key("P-256"), "alg": "ES256", "kid": "a"}
_VERIFIERS = (
    verifier(_HS256_KEY),
    verifier({"keys": [_ES256_KEY, {**create_curve_key("Ed25519"), "kid": "b"}]}, algorithms=["ES256", "EdDSA"]),
    verifier(_HS256_KEY, allow_padding=True),
)
_DEEPEST = 32


def check_jws(data: bytes) -> None:
    """Whatever the bytes are taken for, they are refused by our errors, or mean what a second reader says."""
    _check_signed_token(data)
    _check_signed_header(data)
    _check_claims(data)
    _check_signing_key(data)


def _check_signed_token(data: bytes) -> None:
    for one in _VERIFIERS:
        found, again = (
            attempt(partial(one.verify, token), MalformedTokenError, InvalidSignatureError, given=(data,))
            for token in (data, data.decode("latin-1"))
        )
        require(found is None or found.header["alg"] in ("HS256", "ES256"), "a token under no key of ours")
        require(again == found, "as text it is another token")


def _check_signed_header(data: bytes) -> None:
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


def _check_signing_key(data: bytes) -> None:
    document = _parsed(data)
    if not isinstance(document, dict):
        return
    tried = partial(_tried_key, data)
    for algorithm in ("HS256", "ES256", "EdDSA", "RS256"):
        bound = tried(partial(signer, document, algorithm), *_KEY_REFUSALS)
        checks = tried(partial(verifier, document, algorithms=[algorithm]), *_KEY_REFUSALS)
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


_JWS_WORDS = (
    "alg", "HS256", "ES256", "EdDSA", "none", "kid", "a", "b", "typ", "JWT", "cty", "crit", "b64", "zip", "jwk",
    "jku", "x5c", "iat", "nbf", "exp", "aud", "sub", "iss", "kty", "oct", "EC", "OKP", "crv", "P-256", "Ed25519", "k",
    "d", "x", "y", "use", "sig", "enc", "key_ops", "sign", "verify", "keys",
)  # fmt: skip


def mutate_jws(data: bytes, random: Random) -> bytes | None:
    """Another object, or another token: its header or claims changed, and signed again."""
    changed = mutated_object(data, random, _JWS_WORDS)
    if changed is not None:
        return changed if random.randrange(3) else _SIGNER.sign(changed).encode()
    return _mutated_token(data, random, 3)


def _jws_seeds() -> Iterator[bytes]:
    yield _SIGNER.sign({"sub": "a"}).encode()
    yield signer(_ES256_KEY, headers={"kid": "a", "typ": "JWT"}).sign({"exp": 2**40}).encode()
    yield b'{"alg":"HS256"}'
    yield b'{"alg":"ES256","kid":"a","jwk":{"kty":"oct","k":"AA"},"x5c":["AA=="]}'
    yield b'{"alg":"HS256","crit":["b64"],"b64":false}'
    yield b'{"iat":1,"nbf":1.5,"exp":9007199254740992,"aud":["a","b"],"n":{"deep":[[1e300,null,"\\ud83d\\ude00"]]}}'
    for key in (_HS256_KEY, _ES256_KEY):
        yield json.dumps(key).encode()
    yield json.dumps({"keys": [_ES256_KEY]}).encode()


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
_REFUSED_MEMBERS = frozenset(("crit", "b64", "zip", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c"))


def check_jwe(data: bytes) -> None:
    """Whatever the bytes are taken for, they are refused by our errors, or come back."""
    for pair in _KEYS:
        _check_encrypted_token(data, pair)
        _check_plaintext(data, pair)
    _check_encrypted_header(data)
    document = _parsed(data)
    _check_ephemeral(document)
    if isinstance(document, dict):
        _check_encryption_key(data, document)


def _check_encrypted_token(data: bytes, pair: tuple[str, str]) -> None:
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


def _check_encrypted_header(data: bytes) -> None:
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
    header = {"alg": "ECDH-ES", "enc": "A128GCM", "epk": document}
    token = encode_base64url(json.dumps(header).encode()) + "..AAAAAAAAAAAAAAAA..AAAAAAAAAAAAAAAAAAAAAA"
    for key in (_EC, _OKP):
        decrypt = partial(jwe_decrypt, token, key, key_algorithm="ECDH-ES", content_algorithm="A128GCM")
        require(attempt(decrypt, *_TOKEN_REFUSALS, given=(token.encode(),)) is None, "a forged tag is valid")


def _check_encryption_key(data: bytes, document: dict[str, object]) -> None:
    for algorithm, encryption in (*_KEYS, ("RSA-OAEP-256", "A128GCM")):
        encrypt = partial(jwe_encrypt, b"a", document, key_algorithm=algorithm, content_algorithm=encryption)
        token = _tried_key(data, encrypt, *_KEY_REFUSALS) or "...."
        decrypt = partial(jwe_decrypt, token, document, key_algorithm=algorithm, content_algorithm=encryption)
        found = _tried_key(data, decrypt, *_KEY_REFUSALS, *_TOKEN_REFUSALS)
        require(found is None or found.plaintext.reveal() == b"a", "a key decrypts something else than it encrypted")


_JWE_WORDS = (
    "alg", "enc", "dir", "A256GCM", "A128GCM", "A128KW", "A192GCMKW", "A192GCM", "A128CBC-HS256", "A256CBC-HS512",
    "ECDH-ES", "ECDH-ES+A256KW", "RSA-OAEP-256", "RSA1_5", "kid", "a", "typ", "JWT", "cty", "crit", "b64", "zip",
    "epk", "apu", "apv", "iv", "tag", "p2s", "p2c", "iat", "nbf", "exp", "kty", "oct", "EC", "OKP", "RSA", "crv",
    "P-256", "P-384", "X25519", "k", "d", "x", "y", "n", "e", "use", "key_ops", "wrapKey", "unwrapKey", "encrypt",
    "decrypt", "deriveKey", "keys",
)  # fmt: skip


def mutate_jwe(data: bytes, random: Random) -> bytes | None:
    """Another object, the token whose header it is, or another token."""
    changed = mutated_object(data, random, _JWE_WORDS)
    if changed is not None:
        return changed if random.randrange(3) else _sealed(changed).encode()
    return _mutated_token(data, random, 5)


def _jwe_seeds() -> Iterator[bytes]:
    for (algorithm, encryption), key in _KEYS.items():
        yield jwe_encrypt(b'{"sub":"a"}', key, key_algorithm=algorithm, content_algorithm=encryption).encode()
        yield json.dumps(key).encode()
    yield b'{"alg":"dir","enc":"A256GCM"}'
    yield b'{"alg":"dir","enc":"A256GCM","kid":"a","cty":"JWT","list":[{"deep":null}]}'
    yield b'{"alg":"dir","enc":"A256GCM","zip":"DEF"}'
    yield json.dumps({name: value for name, value in _EC.items() if name != "d"}).encode()
    yield json.dumps({"kty": "OKP", "crv": "X25519", "x": "A" * 43}).encode()
    yield json.dumps({"keys": [{**_oct(256), "kid": "a"}, {**_oct(256), "kid": "b"}]}).encode()


TARGETS: Final = {
    "jwk": Target(
        check_jwk,
        seeds=tuple(_jwk_seeds()),
        words=(*(f'"{word}"'.encode() for word in _JWK_WORDS), b"\\u0000", b"\\ud800", b"1e999", b"NaN", b"{}", b"[]"),
        maximum_bytes=4096,
        mutate=mutate_jwk,
    ),
    "jws": Target(
        check_jws,
        seeds=tuple(_jws_seeds()),
        words=(
            *(f'"{word}"'.encode() for word in _JWS_WORDS),
            b"..",
            b"\\u0000",
            b"\\ud800",
            b"1e999",
            b"NaN",
            b"{}",
            b"[]",
        ),
        maximum_bytes=4096,
        mutate=mutate_jws,
    ),
    "jwe": Target(
        check_jwe,
        seeds=tuple(_jwe_seeds()),
        words=(
            *(f'"{word}"'.encode() for word in _JWE_WORDS),
            b"....",
            b"..",
            b"\\u0000",
            b"\\ud800",
            b"1e999",
            b"NaN",
            b"{}",
        ),
        maximum_bytes=4096,
        mutate=mutate_jwe,
    ),
}
