"""Encrypted tokens: there and back, with JWKs and keys of a ring, and keys, headers and arguments that are refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jose_support import (
    MIXED,
    NO_KID,
    ONE_KEY,
    ONE_KID,
    Clock,
    Jwk,
    Observer,
    decode,
    names,
    oct_key,
    public,
    refusal,
    refused,
)
from support.errors import text_of

import keywright
from keywright import Key, KeyRing, Registry, Secret
from keywright.errors import (
    ConfigError,
    ExpiredTokenError,
    FormatError,
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
    Jwe,
    create_curve_key,
    create_rsa_key,
    create_secret_key,
    jwe_decode,
    jwe_decrypt,
    jwe_encode,
    jwe_encrypt,
)
from keywright_jose.json import decode_segment
from keywright_jose.jwe.algorithms import CONTENT_ALGORITHMS, KEY_ALGORITHMS

CLAIMS = {"sub": "user-7", "admin": True, "n": [1, 2.5, None]}
WRAP = names("A256KW")
AGREE = names("ECDH-ES", "A128GCM")
RSA = create_rsa_key(2048)
MEMBERS = {"agree": ["epk"], "agree and wrap": ["epk"], "gcm": ["iv", "tag"]}
ANOTHER = "none of the keys has the kid of the token; pass the key with that kid, or reject the token"
CANNOT = "the token cannot be decrypted with this key; it was modified, or encrypted for another key: reject it"


def keys_for(algorithm: str, encryption: str) -> Iterator[Jwk]:
    way = KEY_ALGORITHMS[algorithm].way
    if way == "rsa":
        yield RSA
    elif way == "direct":
        yield create_secret_key(CONTENT_ALGORITHMS[encryption].key_bytes * 8)
    elif KEY_ALGORITHMS[algorithm].bits and way != "agree and wrap":
        yield create_secret_key(KEY_ALGORITHMS[algorithm].bits)
    else:
        yield from map(create_curve_key, ("P-256", "P-384", "P-521", "X25519"))


def header_of(token: str) -> Jwk:
    header: Jwk = json.loads(decode_segment(token.partition(".")[0]) or b"")
    return header


@pytest.mark.parametrize("encryption", CONTENT_ALGORITHMS)
@pytest.mark.parametrize("algorithm", KEY_ALGORITHMS)
def test_each_pair_of_algorithms_there_and_back(algorithm: str, encryption: str) -> None:
    """What is encrypted for a public key decrypts with its secret one, and has the header that it needs and no more."""
    options = names(algorithm, encryption)
    for jwk in keys_for(algorithm, encryption):
        token = jwe_encode(CLAIMS, public(jwk), **options)

        assert jwe_decode(token, jwk, **options) == CLAIMS
        assert list(header_of(token)) == ["alg", "enc", *MEMBERS.get(KEY_ALGORITHMS[algorithm].way, [])]
        assert set(header_of(token).get("epk", {})) <= {"kty", "crv", "x", "y"}


def test_two_tokens_of_one_plaintext_have_nothing_in_common() -> None:
    jwk = create_secret_key(256)

    first, second = (jwe_encrypt(b"the same", jwk, **WRAP).split(".")[1:] for _ in range(2))

    assert not set(first) & set(second)


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 100_000])
@pytest.mark.parametrize("encryption", CONTENT_ALGORITHMS)
def test_bytes_of_any_length_come_back(encryption: str, length: int) -> None:
    """Nothing, parts of a block, whole blocks and many: what was encrypted comes back, out of sight."""
    jwk = create_secret_key(128)
    options = names("A128KW", encryption)

    found = jwe_decrypt(jwe_encrypt(Secret(b"\xff" * length), jwk, **options).encode(), jwk, **options)

    assert found == Jwe({"alg": "A128KW", "enc": encryption}, Secret(b"\xff" * length), None)
    assert "\\xff" not in repr(found)


def test_the_header_says_what_it_was_asked_to() -> None:
    jwk = create_curve_key("P-256")
    headers = {"kid": "k", "typ": "JWT", "cty": "x", "apu": "QWxpY2U", "apv": "Qm9i", "list": [{"a": 1}]}

    token = jwe_encrypt(b"", jwk, **AGREE, headers=headers)

    assert list(header_of(token)) == ["alg", "enc", "epk", *headers]
    found = jwe_decrypt(token, jwk, **AGREE)
    assert {name: found.header[name] for name in headers} == headers


def test_a_header_that_was_given_can_be_changed() -> None:
    jwk = create_curve_key("P-256")
    token = jwe_encrypt(b"", jwk, **AGREE)

    epk: Any = jwe_decrypt(token, jwk, **AGREE).header["epk"]
    epk.clear()

    assert jwe_decrypt(token, jwk, **AGREE).header["epk"]


def test_a_key_that_says_what_it_is_for_is_used_for_that() -> None:
    """`use`, `key_ops` and `alg` of a JWK that fit do not stand in the way; a direct key says `enc` or `dir`."""
    direct = names("dir", "A128GCM")
    for jwk, options in (
        ({**create_secret_key(256), "use": "enc", "alg": "A256KW", "key_ops": ["wrapKey", "unwrapKey"]}, WRAP),
        ({**create_secret_key(128), "alg": "A128GCM", "key_ops": ["encrypt", "decrypt"]}, direct),
        ({**create_secret_key(128), "alg": "dir"}, direct),
        ({**create_curve_key("P-521"), "key_ops": ["deriveKey"]}, AGREE),
        ({**create_curve_key("P-521"), "alg": "ECDH-ES", "key_ops": ["wrapKey", "unwrapKey"]}, AGREE),
        ({**RSA, "key_ops": ["unwrapKey"]}, names("RSA-OAEP")),
    ):
        assert jwe_decode(jwe_encode(CLAIMS, jwk, **options), jwk, **options) == CLAIMS


def test_a_ring_key_that_the_headers_name_stands_there_once() -> None:
    jwk = {**create_secret_key(256), "kid": "a"}
    key = decode(jwk)

    token = jwe_encode(CLAIMS, key, **WRAP, headers={"kid": "a"})

    assert header_of(token) == {"alg": "A256KW", "enc": "A256GCM", "kid": "a"}
    assert "kid" not in header_of(jwe_encode(CLAIMS, jwk, **WRAP))
    assert jwe_decode(jwe_encode(CLAIMS, key, **WRAP), jwk, **WRAP) == CLAIMS


def test_the_keys_of_a_set_are_found_by_kid() -> None:
    keys = [{**create_secret_key(256), "kid": kid} for kid in ("a", "b")]
    token = jwe_encrypt(b"hi", keys[1], **WRAP, headers={"kid": "b"})

    found = jwe_decrypt(token, {"keys": keys}, **WRAP)

    assert (found.plaintext, found.kid) == (Secret(b"hi"), "b")
    assert refused(jwe_decrypt, token, {"keys": [keys[0], {**keys[1], "kid": "c"}]}, **WRAP) == (
        InvalidSignatureError,
        ANOTHER,
    )


def test_a_set_of_several_wants_a_token_that_names_one() -> None:
    """Without kid nothing is tried, unless only one key is for this: of the others some are for other things."""
    keys = [{**create_secret_key(256), "kid": kid} for kid in ("a", "b")]
    token = jwe_encrypt(b"hi", keys[0], **WRAP)

    assert refused(jwe_decrypt, token, {"keys": keys}, **WRAP) == (
        InvalidSignatureError,
        "the token has no kid, and the set has several keys; pass the one key, or ask the issuer to set kid",
    )
    odd = [{**keys[1], "use": "sig"}, {**create_secret_key(512), "kid": "c"}, {"kty": "new", "kid": "d"}]
    assert jwe_decrypt(token, {"keys": [keys[0], *odd]}, **WRAP).kid == "a"


def test_a_key_with_a_kid_refuses_a_token_with_another() -> None:
    jwk = create_secret_key(256)
    token = jwe_encrypt(b"hi", jwk, **WRAP, headers={"kid": "a"})

    assert refused(jwe_decrypt, token, {**jwk, "kid": "b"}, **WRAP) == (InvalidSignatureError, ANOTHER)
    assert jwe_decrypt(token, jwk, **WRAP).kid is None
    assert jwe_decrypt(token, {**jwk, "kid": "a"}, **WRAP).kid == "a"


@pytest.mark.parametrize("algorithm", KEY_ALGORITHMS)
def test_another_key_decrypts_nothing(algorithm: str) -> None:
    """Whatever the way, a key of another's gets the one refusal, which tells nothing of why."""
    options = names(algorithm, "A128CBC-HS256")
    jwk = next(keys_for(algorithm, "A128CBC-HS256"))
    token = jwe_encode(CLAIMS, jwk, **options)
    other = create_rsa_key(2048) if jwk is RSA else next(keys_for(algorithm, "A128CBC-HS256"))

    assert refused(jwe_decode, token, other, **options) == (InvalidSignatureError, CANNOT)


def test_claims_are_checked() -> None:
    jwk = create_secret_key(256)
    made = datetime(2027, 1, 1, tzinfo=UTC)
    token = jwe_encode({"aud": ["a", "b"], "exp": made.timestamp() + 60}, jwk, **WRAP)

    claims = jwe_decode(token, jwk, **WRAP, check_claims={"aud": "b"}, clock=lambda: made)

    assert claims["aud"] == ["a", "b"]
    assert (
        refused(jwe_decode, token, jwk, **WRAP, check_claims={"aud": "c"}, clock=lambda: made)[0] is InvalidClaimError
    )
    later = datetime(2027, 1, 1, 0, 1, 30, tzinfo=UTC)
    assert refused(jwe_decode, token, jwk, **WRAP, check_claims={"aud": "b"}, clock=lambda: later) == (
        ExpiredTokenError,
        "the token has expired; get a new token from its issuer",
    )
    assert jwe_decode(token, jwk, **WRAP, check_claims={"aud": "b"}, clock=lambda: later, time_drift=31)


def test_a_plaintext_that_is_no_claims_is_no_token_of_claims() -> None:
    """`jwe_decode` wants one JSON object; `jwe_decrypt` any bytes."""
    jwk = create_secret_key(256)
    token = jwe_encrypt(b"[1]", jwk, **WRAP)

    kind, message = refused(jwe_decode, token, jwk, **WRAP)

    assert kind is MalformedTokenError
    assert message.startswith("the payload of the token is not one JSON object in UTF-8 with each member once")
    assert jwe_decrypt(token, jwk, **WRAP).plaintext == Secret(b"[1]")


def test_a_public_key_that_a_program_made_encrypts() -> None:
    """A `Key` without secret half is enough to encrypt for; without kid the header has none."""
    jwk = create_curve_key("P-256")
    whole = decode(jwk)

    token = jwe_encode(CLAIMS, Key(whole.type, public=whole.public), **AGREE)

    assert list(header_of(token)) == ["alg", "enc", "epk"]
    assert jwe_decode(token, whole, **AGREE) == CLAIMS


AES = "A128KW, A192KW, A256KW, A128GCMKW, A192GCMKW, A256GCMKW, dir"
ECDH = "ECDH-ES, ECDH-ES+A128KW, ECDH-ES+A192KW, ECDH-ES+A256KW"
CONTENT_NAMES = "A128GCM, A192GCM, A256GCM, A128CBC-HS256, A192CBC-HS384, A256CBC-HS512"
OCT = create_secret_key(256)
EC = create_curve_key("P-256")
OKP = create_curve_key("X25519")
NIX = b"cache.example.org-1:" + b"A" * 43 + b"="  # 64 bytes, a Nix public key
P256_X = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"  # RFC 7517 A.2

RSA1_5 = "RSA1_5 is not supported: it is open to padding oracles (RFC 8725 §3.2); use RSA-OAEP-256"
PBES2 = (
    "PBES2 is not supported: it derives keys from passwords, at a cost that the sender chooses; use A256KW with a "
    "random key"
)
UNKNOWN_KEY = f"key_algorithm is not supported; use one of {AES}, RSA-OAEP, RSA-OAEP-256, {ECDH}"
UNKNOWN_CONTENT = f"content_algorithm is not supported; use one of {CONTENT_NAMES}"
NO_KEY = "the key must be a JWK (a dict), or an encrypter or decrypter of a ring; such as ring.encrypter(NAME)"
OTHER_ALG = "the key is restricted to another algorithm (its alg); use a key for this one"
NOT_ENC = "the key is not for encryption (its use); use a key that allows it"
MAY_NOT = "the key does not allow {} (its key_ops); use a key that allows it"
PUBLIC_OCTETS = (
    "the secret of this oct key is a public key or certificate; encrypt for that key under an algorithm of its own kind"
)
LOW_ORDER = "the X25519 key is a point of low order, so anyone could decrypt; get the key again from its publisher"
PUBLIC = "this is a public key, and the secret half is needed; load the secret key for this"
NO_OCTETS = "this oct key has no secret, which is needed here; load the secret key for this"
NONE_DECRYPTS = (
    "this JWK Set has no key that decrypts with these algorithms; pass the set that has the recipient's secret keys"
)


def cannot(type: str, algorithm: str, able: str = "") -> str:
    can = f"it can with: {able}" if able else "pass a key that encrypts, such as one of type x25519"
    return f"a key of type {type} does not encrypt with {algorithm}; {can}"


def size(algorithm: str, bits: int, section: str) -> str:
    return f"{algorithm} needs a key of exactly {bits} bits (RFC 7518 §{section}); use a key of that size"


@pytest.mark.parametrize(
    ("key", "algorithm", "encryption", "error", "message"),
    [
        pytest.param(OCT, "RSA1_5", "A256GCM", UnsupportedOperationError, RSA1_5, id="RSA1_5"),
        pytest.param(OCT, "PBES2-HS256+A128KW", "A256GCM", UnsupportedOperationError, PBES2, id="PBES2"),
        pytest.param(OCT, "HS256", "A256GCM", UnsupportedOperationError, UNKNOWN_KEY, id="a signature algorithm"),
        pytest.param(OCT, "a256kw", "A256GCM", UnsupportedOperationError, UNKNOWN_KEY, id="lower case"),
        pytest.param(OCT, None, "A256GCM", UnsupportedOperationError, UNKNOWN_KEY, id="no algorithm"),
        pytest.param(OCT, "A256KW", "A256CBC", UnsupportedOperationError, UNKNOWN_CONTENT, id="CBC without HMAC"),
        pytest.param(OCT, "A256KW", {}, UnsupportedOperationError, UNKNOWN_CONTENT, id="no content algorithm"),
        pytest.param("secret", "A256KW", "A256GCM", ConfigError, NO_KEY, id="a password"),
        pytest.param({"kty": "oct", "k": "AA=="}, "A256KW", "A256GCM", MalformedKeyError, None, id="padding"),
        pytest.param(EC, "A256KW", "A256GCM", UnsupportedOperationError, cannot("ec-p256", "A256KW", ECDH), id="EC"),
        pytest.param(OCT, "RSA-OAEP", "A256GCM", UnsupportedOperationError, cannot("oct", "RSA-OAEP", AES), id="oct"),
        pytest.param(OCT, "ECDH-ES", "A256GCM", UnsupportedOperationError, cannot("oct", "ECDH-ES", AES), id="ECDH"),
        pytest.param(create_curve_key("Ed25519"), "ECDH-ES", "A256GCM", UnsupportedOperationError,
                     cannot("ed25519", "ECDH-ES"), id="Ed25519"),
        pytest.param(create_secret_key(512), "A256KW", "A256GCM", InvalidKeyError, size("A256KW", 256, "4.4"),
                     id="512 bits for A256KW"),
        pytest.param(OCT, "A128GCMKW", "A256GCM", InvalidKeyError, size("A128GCMKW", 128, "4.7"),
                     id="256 bits for A128GCMKW"),
        pytest.param(OCT, "dir", "A256CBC-HS512", InvalidKeyError, size("A256CBC-HS512", 512, "5.2.5"),
                     id="256 bits for A256CBC-HS512"),
        pytest.param(oct_key(NIX), "dir", "A256CBC-HS512", InvalidKeyError, PUBLIC_OCTETS, id="a Nix key as octets"),
        pytest.param({**OCT, "alg": "A256GCM"}, "A256KW", "A256GCM", PolicyError, OTHER_ALG, id="a direct key wraps"),
        pytest.param({**OCT, "alg": "A256KW"}, "dir", "A256GCM", PolicyError, OTHER_ALG, id="a wrapping key directly"),
        pytest.param({**OCT, "alg": "HS256"}, "dir", "A256GCM", PolicyError, OTHER_ALG, id="an HMAC key"),
        pytest.param({**OCT, "alg": "A128CBC-HS256"}, "dir", "A256GCM", PolicyError, OTHER_ALG, id="enc of its size"),
        pytest.param({**OCT, "use": "sig"}, "A256KW", "A256GCM", PolicyError, NOT_ENC, id="use sig"),
        pytest.param({**EC, "x": P256_X}, "ECDH-ES", "A256GCM", InvalidKeyError, None, id="off the curve"),
        pytest.param(RSA | {"e": "Aw"}, "RSA-OAEP", "A256GCM", InvalidKeyError, None, id="exponent 3"),
        pytest.param(Key("oct"), "A256KW", "A256GCM", NotExportableError, NO_OCTETS, id="a Key without octets"),
        pytest.param(Key("x25519", public=b"short"), "ECDH-ES", "A256GCM", UnsupportedKeyError, None,
                     id="a Key of another length"),
        pytest.param(Key("x25519", secret=Secret(b"short")), "ECDH-ES", "A256GCM", UnsupportedKeyError, None,
                     id="a Key whose secret has another length"),
        pytest.param(Key("ec-p256", secret=Secret(bytes(32))), "ECDH-ES", "A256GCM", UnsupportedKeyError, None,
                     id="a Key without public half"),
        pytest.param(Key("quantum", public=b"?"), "ECDH-ES", "A256GCM", UnsupportedOperationError,
                     cannot("quantum", "ECDH-ES"), id="a Key of a type of others'"),
    ],
)  # fmt: skip
def test_refused_both_ways(
    key: Any, algorithm: Any, encryption: Any, error: type[KeywrightError], message: str | None
) -> None:
    """Encrypting and decrypting refuse the same keys and algorithms, in the same words, whatever the token says."""
    options = names(algorithm, encryption)

    encrypting = refusal(jwe_encrypt, b"", key, **options)
    decrypting = refusal(jwe_decrypt, TOKENS.get(str(algorithm), ""), key, **options)

    assert type(encrypting) is type(decrypting) is error
    assert text_of(encrypting) == text_of(decrypting)
    assert message in (None, text_of(encrypting))


TOKENS = {
    "ECDH-ES": jwe_encrypt(b"", EC, **names("ECDH-ES")),
    "RSA-OAEP": jwe_encrypt(b"", RSA, **names("RSA-OAEP")),
}


@pytest.mark.parametrize(
    ("key", "algorithm", "error", "message"),
    [
        pytest.param({"keys": [OCT]}, "A256KW", MalformedKeyError, ONE_KEY, id="a set"),
        pytest.param({**OCT, "key_ops": ["unwrapKey"]}, "A256KW", PolicyError, MAY_NOT.format("wrapKey"), id="wraps"),
        pytest.param({**OCT, "key_ops": ["decrypt"]}, "dir", PolicyError, MAY_NOT.format("encrypt"), id="encrypts"),
        pytest.param({**EC, "key_ops": []}, "ECDH-ES", PolicyError, MAY_NOT.format("deriveKey"), id="no key_ops"),
        pytest.param({"kty": "OKP", "crv": "X25519", "x": "A" * 43}, "ECDH-ES", InvalidKeyError, LOW_ORDER, id="zero"),
        pytest.param({"kty": "OKP", "crv": "X25519", "x": "AQ" + "A" * 41}, "ECDH-ES+A256KW", InvalidKeyError,
                     LOW_ORDER, id="one"),
    ],
)  # fmt: skip
def test_refused_to_encrypt_for(key: dict[str, Any], algorithm: str, error: type[KeywrightError], message: str) -> None:
    options = names(algorithm)

    assert refused(jwe_encrypt, b"", key, **options) == (error, message)


A, B = {**OCT, "kid": "a"}, create_secret_key(256)


@pytest.mark.parametrize(
    ("key", "algorithm", "error", "message"),
    [
        pytest.param({**OCT, "key_ops": ["wrapKey"]}, "A256KW", PolicyError, MAY_NOT.format("unwrapKey"), id="wraps"),
        pytest.param({**RSA, "key_ops": ["wrapKey"]}, "RSA-OAEP", PolicyError, MAY_NOT.format("unwrapKey"), id="RSA"),
        pytest.param(public(EC), "ECDH-ES", NotExportableError, PUBLIC, id="a public EC key"),
        pytest.param(public(RSA), "RSA-OAEP", NotExportableError, PUBLIC, id="a public RSA key"),
        pytest.param({"keys": [A, {**B, "kid": "a"}]}, "A256KW", InvalidKeyError, ONE_KID, id="a kid twice"),
        pytest.param({"keys": [A, B]}, "A256KW", InvalidKeyError, NO_KID, id="no kid"),
        pytest.param({"keys": [A, {**EC, "kid": "b"}]}, "A256KW", InvalidKeyError, MIXED, id="mixed"),
        pytest.param({"keys": []}, "A256KW", InvalidKeyError, NONE_DECRYPTS, id="an empty set"),
        pytest.param({"keys": [{**OCT, "use": "sig"}]}, "A256KW", InvalidKeyError, NONE_DECRYPTS, id="for signatures"),
    ],
)
def test_refused_to_decrypt_with(
    key: dict[str, Any], algorithm: str, error: type[KeywrightError], message: str
) -> None:
    options = names(algorithm)

    assert refused(jwe_decrypt, TOKENS.get(algorithm, ""), key, **options) == (error, message)


@pytest.mark.parametrize("kind", ["signer", "verifier", "encrypter", "decrypter"])
def test_what_a_ring_gives_for_something_else(ring: KeyRing, kind: str) -> None:
    options = names("ECDH-ES")
    ring.generate("agreeing", type="ec-p256")
    given: Any = getattr(ring, kind)("agreeing")

    for verb in {"encrypt", "decrypt"} - {kind.removesuffix("er")}:
        assert refused(jwe_encrypt if verb == "encrypt" else jwe_decrypt, b"", given, **options) == (
            ConfigError,
            f"a ring's {kind} does not {verb}; pass ring.{verb}er(NAME)",
        )


CANNOT_SAY = "headers cannot have {}: the algorithm sets it, or it is not supported; leave it out"
NO_TEXT = "the header member {} must be text that is not empty; pass text, or leave it out"
OTHER_KID = "the kid in headers is not the key's own, so no receiver would decrypt the token; leave it out"


@pytest.mark.parametrize(
    ("headers", "error", "message"),
    [
        *(
            pytest.param({name: "A"}, UnsupportedOperationError, CANNOT_SAY.format(name), id=name)
            for name in ("alg", "enc", "epk", "iv", "tag", "p2s", "p2c", "zip", "crit", "b64", "apu", "apv")
        ),
        pytest.param({"kid": ""}, FormatError, NO_TEXT.format("kid"), id="kid"),
        pytest.param({"kid": "b"}, PolicyError, OTHER_KID, id="another kid"),
    ],
)
def test_headers_that_are_refused(headers: Any, error: type[KeywrightError], message: str) -> None:
    assert refused(jwe_encrypt, b"", A, **WRAP, headers=headers) == (error, message)


@pytest.mark.parametrize("value", ["A", "AA==", "A+", "ü", 1, None])
@pytest.mark.parametrize("algorithm", ["ECDH-ES", "ECDH-ES+A256KW"])
def test_parties_that_are_no_base64url_are_refused(algorithm: str, value: object) -> None:
    options = names(algorithm)

    assert refused(jwe_encrypt, b"", EC, **options, headers={"apu": value}) == (
        FormatError,
        (
            "apu or apv in headers is not canonical base64url without padding (RFC 7518 §4.6.1); encode it with "
            "base64url, without padding"
        ),
    )


@pytest.mark.parametrize("plaintext", ["text", 7, None, [1]])
def test_a_plaintext_is_bytes(plaintext: Any) -> None:
    assert refused(jwe_encrypt, plaintext, OCT, **WRAP) == (
        FormatError,
        "the plaintext of a token must be bytes; encode text first",
    )


def test_the_longest_plaintext_fits() -> None:
    """196503 bytes make 262143 characters beside header, key, IV and tag; one more is too much."""
    token = jwe_encrypt(bytes(196_503), OCT, **WRAP)

    assert jwe_decrypt(token, OCT, **WRAP).plaintext == Secret(bytes(196_503))
    for length in (196_504, 262_144, 262_145, 50_000_000):
        assert refused(jwe_encrypt, bytes(length), OCT, **WRAP) == (
            FormatError,
            "the token would have more than 262144 bytes; shorten its content",
        )


def test_claims_are_a_mapping_of_json() -> None:
    claims: Any = b"{}"
    assert refused(jwe_encode, claims, OCT, **WRAP) == (
        FormatError,
        "the claims of a token must be a mapping; bytes are for jwe_encrypt",
    )
    assert refused(jwe_encode, {"a": float("nan")}, OCT, **WRAP)[0] is FormatError


def test_the_drift_has_a_bound() -> None:
    assert refused(jwe_decode, jwe_encode({}, OCT, **WRAP), OCT, **WRAP, time_drift=601)[0] is ConfigError


Rings = Callable[[str], KeyRing]

NONE = (
    "box may not decrypt: version 1 is retired, version 2 is disabled; have the data encrypted for an enabled version"
)
NOT_OCT = (
    "a key of type oct does not encrypt with ECDH-ES; it can with: A128KW, A192KW, A256KW, A128GCMKW, A192GCMKW, "
    "A256GCMKW, dir"
)


@pytest.fixture
def rings(clock: Clock, observer: Observer, request: pytest.FixtureRequest) -> Iterator[Rings]:
    """Opens rings over one store; new versions of `box` are of the type that is said."""
    registry = Registry.load()
    registry.add(observer, "observer")
    store = {"backend": "memory", "id": request.node.nodeid}
    with ExitStack() as opened:

        def ring(box: str) -> KeyRing:
            document: dict[str, object] = {"stores": {"main": store}, "keys": {"box": {"type": box, "format": "jwk"}}}
            return opened.enter_context(keywright.open(document, clock=clock, registry=registry))

        yield ring


@pytest.fixture
def ring(rings: Rings) -> KeyRing:
    """A ring with the keys `box` (x25519) and `wrapping` (oct, 256 bits)."""
    opened = rings("x25519")
    opened.generate("box")
    opened.generate("wrapping", type="oct", bits=256)
    return opened


def test_tokens_of_before_a_rotation_decrypt(ring: KeyRing) -> None:
    """What was bound goes on: new tokens are for the new version, and the old ones are still read."""
    to, of = ring.encrypter("box"), ring.decrypter("box")
    first = jwe_encode({"n": 1}, to, **AGREE)
    ring.rotate("box")
    second = jwe_encode({"n": 2}, to, **AGREE)

    assert [jwe_decode(token, of, **AGREE) for token in (first, second)] == [{"n": 1}, {"n": 2}]
    found = [jwe_decrypt(token, of, **AGREE) for token in (first, second)]
    assert [one.reference for one in found] == ["box@1", "box@2"]
    assert [one.kid for one in found] == [ring.load(f"box@{version}").kid for version in (1, 2)]
    assert [one.header["kid"] for one in found] == [one.kid for one in found]


def test_of_a_version_that_may_not_any_more(ring: KeyRing, clock: Clock) -> None:
    """Once its overlap is over it decrypts nothing, and neither does one that is disabled."""
    to, of = ring.encrypter("box"), ring.decrypter("box", refresh=None)
    first = jwe_encrypt(b"first", to, **AGREE)
    ring.rotate("box", overlap=timedelta(hours=1))

    assert jwe_decrypt(first, of, **AGREE).reference == "box@1"
    clock.now += timedelta(hours=1)
    assert refused(jwe_decrypt, first, of, **AGREE) == (InvalidSignatureError, ANOTHER)
    ring.disable("box@2")

    assert refused(jwe_decrypt, first, of, **AGREE) == (PolicyError, NONE)


def test_only_what_is_needed_is_opened(ring: KeyRing, clock: Clock, observer: Observer) -> None:
    """No secret to encrypt for a public half, one to decrypt: that of the version that a token names, once a look."""
    tokens = [jwe_encrypt(b"first", ring.encrypter("box"), **AGREE)]
    ring.rotate("box")
    tokens += [jwe_encrypt(b"second", ring.encrypter("box"), **AGREE) for _ in range(3)]
    of = ring.decrypter("box")
    assert observer.exported == []

    for token in tokens[1:]:
        jwe_decrypt(token, of, **AGREE)
    assert observer.exported == ["box@2"]
    jwe_decrypt(tokens[0], of, **AGREE)
    assert observer.exported == ["box@2", "box@1"]
    clock.now += timedelta(seconds=60)
    jwe_decrypt(tokens[0], of, **AGREE)

    assert observer.exported == ["box@2", "box@1", "box@1"]


def test_symmetric_keys(ring: KeyRing, observer: Observer) -> None:
    to, of = ring.encrypter("wrapping"), ring.decrypter("wrapping")

    tokens = [jwe_encrypt(b"any", to, **WRAP) for _ in range(3)]

    assert [jwe_decrypt(token, of, **WRAP).plaintext.reveal() for token in tokens] == [b"any"] * 3
    assert observer.exported == ["wrapping@1", "wrapping@1"]


def _without_kid(ring: KeyRing, reference: str) -> str:
    """A token as someone else makes it, who knows the public half and no kid."""
    jwk = json.loads(ring.export(reference, format="jwk"))
    return jwe_encrypt(b"any", {one: jwk[one] for one in ("kty", "crv", "x", "y") if one in jwk}, **AGREE)


def test_a_token_without_kid_is_tried_under_each_version(ring: KeyRing, rings: Rings) -> None:
    """The versions of one name are the ring's own, so a token need not name one; another curve is not an end of it."""
    for kind in ("ec-p256", "ec-p256", "ec-p384"):
        rings(kind).rotate("box")
    ring.generate("stranger", type="ec-p521")
    of = ring.decrypter("box")

    found = [jwe_decrypt(_without_kid(ring, f"box@{version}"), of, **AGREE) for version in range(1, 5)]

    assert [one.reference for one in found] == ["box@1", "box@2", "box@3", "box@4"]
    assert refused(jwe_decrypt, _without_kid(ring, "stranger"), of, **AGREE) == (InvalidSignatureError, CANNOT)


def test_versions_that_are_not_for_an_algorithm_stay_out(ring: KeyRing, rings: Rings) -> None:
    """They say nothing of the others; if there is no other, it is told why."""
    token = _without_kid(ring, "box")
    rings("oct").rotate("box")

    assert jwe_decrypt(token, ring.decrypter("box"), **AGREE).reference == "box@1"
    assert refused(jwe_decrypt, token, ring.decrypter("box@2"), **AGREE) == (
        UnsupportedOperationError,
        NOT_OCT,
    )


def test_a_size_or_a_use_keeps_a_version_out(ring: KeyRing) -> None:
    """If all stay out, it is told why of the primary."""
    jwk = json.loads(ring.export("wrapping", format="jwk", secret=True).reveal())
    token = jwe_encrypt(b"any", {"kty": "oct", "k": jwk["k"]}, **WRAP)
    ring.rotate("wrapping", bits=128)
    ring.rotate("wrapping", bits=256, attributes={"use": "sig"})

    assert jwe_decrypt(token, ring.decrypter("wrapping"), **WRAP).reference == "wrapping@1"
    ring.disable("wrapping@1")
    assert refused(jwe_decrypt, token, ring.decrypter("wrapping"), **WRAP) == (
        PolicyError,
        "the key is not for encryption (its use); use a key that allows it",
    )


def test_a_key_without_kid(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a JWK without one: it decrypts whatever kid a token says, and says none."""
    jwk = {name: value for name, value in create_secret_key(256).items() if name != "kid"}
    monkeypatch.setenv("BOX", json.dumps(jwk))
    stores = {"ci": {"backend": "env", "variables": {"box": "BOX"}}}
    with keywright.open({"stores": stores}) as ring:
        found = jwe_decrypt(jwe_encrypt(b"any", jwk, **WRAP, headers={"kid": "x"}), ring.decrypter("box"), **WRAP)
        token = jwe_encrypt(b"any", ring.encrypter("box"), **WRAP)

        assert (found.kid, found.reference) == (None, "box@1")
        assert "kid" not in jwe_decrypt(token, ring.decrypter("box"), **WRAP).header


def test_threads_never_mix_a_kid_and_a_key(ring: KeyRing) -> None:
    to, of = ring.encrypter("box"), ring.decrypter("box")

    def work(_: int) -> list[str]:
        return [jwe_encrypt(b"any", to, **AGREE) for _ in range(40)]

    with ThreadPoolExecutor(4) as pool:
        works = pool.map(work, range(4))
        for _ in range(8):
            ring.rotate("box")
        tokens = [token for made in works for token in made]

    found = [jwe_decrypt(token, of, **AGREE) for token in tokens]
    assert all(one.plaintext.reveal() == b"any" and one.header["kid"] == one.kid for one in found)
