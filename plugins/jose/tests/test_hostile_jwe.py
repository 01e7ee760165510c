"""Hostile encrypted tokens: each has one fault, and is otherwise one that decrypts. Each is refused by name."""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from jose_support import names, oct_key, public, refused, text

from keywright.errors import InvalidSignatureError, KeywrightError, MalformedTokenError
from keywright_jose import create_curve_key, create_rsa_key, jwe_decode, jwe_decrypt, jwe_encrypt
from keywright_jose.json import decode_segment

KEY = bytes(range(32))
IV = bytes(12)
HEADER = {"alg": "dir", "enc": "A256GCM"}
DIRECT = "dir", "A256GCM"

SEGMENTS = (
    "not an encrypted token (JWE): expected 5 segments separated by dots; pass the whole token, without quotes "
    "or spaces"
)
BASE64 = (
    "the {} of the token is not canonical base64url without padding (RFC 7515 §2); copy the whole token, without quotes"
)
NO_ENC = "the header of the token has no enc that is text; get a new token from its issuer"
MEANS_NOTHING = "the header of the token has {}, which its alg does not use; ask the issuer for a token without it"
IV_LENGTH = (
    "the initialization vector of the token does not have the 12 bytes of A256GCM (RFC 7518 §5.3); copy the whole token"
)
TAG_LENGTH = (
    "the authentication tag of the token does not have the 16 bytes of A256GCM (RFC 7518 §5.3); copy the whole token"
)
CBC_LENGTH = "the {} of the token does not have the 16 bytes of A128CBC-HS256 (RFC 7518 §5.2.3); copy the whole token"
BLOCKS = (
    "the ciphertext of the token is not in whole blocks of 16 bytes, as A128CBC-HS256 requires; copy the whole token"
)
KEY_LENGTH = "the encrypted key of the token does not have the {} bytes that its algorithms need; copy the whole token"
HEADER_OCTETS = (
    "the member {} of the token's header is not canonical base64url of {} bytes (RFC 7518 §4.7.1); get a new "
    "token from its issuer"
)
PARTIES = (
    "apu or apv in the token's header is not canonical base64url without padding (RFC 7518 §4.6.1); get a "
    "new token from its issuer"
)
EPK = (
    "the epk of the token's header is not a public JWK on P-256, P-384, P-521 or X25519 (RFC 7518 "
    "§4.6.1.1); get a new token from its issuer"
)
EPK_OFF_CURVE = "the epk of the token's header is not on its curve; reject the token"
EPK_OTHER_CURVE = "the token was encrypted for a key on another curve; reject the token"
OTHER_ALGORITHMS = "the token was encrypted with algorithms that are not allowed; reject the token"
CANNOT = "the token cannot be decrypted with this key; it was modified, or encrypted for another key: reject it"


def sealed(header: object, *, key: str = "", octets: bytes = KEY, iv: bytes = IV, plaintext: bytes = b"{}") -> str:
    """A token that decrypts with AES-GCM, whatever its header (bytes as they are) and encrypted key."""
    first = text(header if isinstance(header, bytes) else json.dumps(header).encode())
    sealed = AESGCM(octets).encrypt(iv, plaintext, first.encode())
    return f"{first}.{key}.{text(iv)}.{text(sealed[:-16])}.{text(sealed[-16:])}"


def sealed_with_cbc(padded: bytes, *, iv: bytes = bytes(16), tag_bytes: int = 16) -> str:
    """A token of A128CBC-HS256 with a tag that holds, whatever padding there is."""
    first = text(b'{"alg":"dir","enc":"A128CBC-HS256"}')
    encryptor = Cipher(algorithms.AES(KEY[16:]), modes.CBC(bytes(16))).encryptor()
    ciphertext = encryptor.update(padded) + encryptor.finalize()
    message = first.encode() + iv + ciphertext + (len(first) * 8).to_bytes(8, "big")
    tag = hmac.digest(KEY[:16], message, "sha256")[:tag_bytes]
    return f"{first}..{text(iv)}.{text(ciphertext)}.{text(tag)}"


def sealed_as(algorithm: str, wrapped_key: bytes, **more: object) -> str:
    """A token whose content key, of zeros, comes along as `wrapped_key`."""
    return sealed({"alg": algorithm, "enc": "A256GCM", **more}, key=text(wrapped_key), octets=bytes(32))


def wrapped_with_gcm(**changes: object) -> str:
    """A token of A256GCMKW, with changes of its header."""
    wrapped_key = AESGCM(KEY).encrypt(IV, bytes(32), None)
    header = {"iv": text(IV), "tag": text(wrapped_key[-16:]), **changes}
    return sealed_as("A256GCMKW", wrapped_key[:-16], **header)


WHOLE = sealed(HEADER)
PARTS = WHOLE.split(".")
CBC = "dir", "A128CBC-HS256"
KW = "A256KW", "A256GCM"
GCMKW = "A256GCMKW", "A256GCM"


def with_part(number: int, part: str) -> str:
    return ".".join((*PARTS[:number], part, *PARTS[number + 1 :]))


@pytest.mark.parametrize(
    ("token", "algorithms"),
    [
        pytest.param(WHOLE, DIRECT, id="GCM"),
        pytest.param(sealed_with_cbc(b"{}" + b"\x0e" * 14), CBC, id="CBC"),
        pytest.param(sealed_as("A256KW", aes_key_wrap(KEY, bytes(32))), KW, id="KW"),
        pytest.param(wrapped_with_gcm(), GCMKW, id="GCMKW"),
    ],
)
def test_what_these_tokens_are_made_of_decrypts(token: str, algorithms: tuple[str, str]) -> None:
    assert jwe_decode(token, oct_key(KEY), **names(*algorithms)) == {}


# Other faults are in the table of tests/campaign/hostile_tokens; these are one for each message.
MALFORMED = [
    pytest.param("", DIRECT, SEGMENTS, id="nothing"),
    pytest.param(with_part(0, PARTS[0] + "="), DIRECT, BASE64.format("header"), id="padding of the header"),
    pytest.param(with_part(1, "A"), DIRECT, BASE64.format("encrypted key"), id="a single character of a key"),
    pytest.param(with_part(2, PARTS[2] + "=="), DIRECT, BASE64.format("initialization vector"), id="padding of the IV"),
    pytest.param(with_part(3, PARTS[3] + "+"), DIRECT, BASE64.format("ciphertext"), id="a plus"),
    pytest.param(sealed({"alg": "dir"}), DIRECT, NO_ENC, id="no enc"),
    *(
        pytest.param(sealed({**HEADER, name: "A"}), DIRECT, MEANS_NOTHING.format(name), id=f"{name} of another alg")
        for name in ("epk", "apu", "apv", "iv", "tag", "p2s", "p2c")
    ),
    pytest.param(sealed(HEADER, key="AAAA"), DIRECT, KEY_LENGTH.format(0), id="an encrypted key beside dir"),
    pytest.param(with_part(2, ""), DIRECT, IV_LENGTH, id="no IV"),
    pytest.param(with_part(4, ""), DIRECT, TAG_LENGTH, id="no tag"),
    pytest.param(
        sealed_with_cbc(bytes(16)).replace("AAAAAAAAAAAAAAAAAAAAAA.", "AAAAAAAAAAAAAAAAAAAAAA.AAAA", 1), CBC, BLOCKS,
        id="parts of a block",
    ),
    pytest.param(sealed_with_cbc(bytes(16), iv=bytes(12)), CBC, CBC_LENGTH.format("initialization vector"),
                 id="a GCM IV"),
    pytest.param(sealed_with_cbc(bytes(16), tag_bytes=32), CBC, CBC_LENGTH.format("authentication tag"),
                 id="the whole HMAC"),
    pytest.param(sealed_as("A256KW", aes_key_wrap(KEY, bytes(64))), KW, KEY_LENGTH.format(40), id="a key of 512 bits"),
    pytest.param(wrapped_with_gcm(iv=text(bytes(16))), GCMKW, HEADER_OCTETS.format("iv", 12), id="a long iv"),
    pytest.param(wrapped_with_gcm(iv=7), GCMKW, HEADER_OCTETS.format("iv", 12), id="iv is a number"),
    pytest.param(wrapped_with_gcm(iv=text(IV) + "="), GCMKW, HEADER_OCTETS.format("iv", 12), id="a padded iv"),
    pytest.param(wrapped_with_gcm(tag="AAAA"), GCMKW, HEADER_OCTETS.format("tag", 16), id="a short tag"),
    pytest.param(wrapped_with_gcm(epk={}), GCMKW, MEANS_NOTHING.format("epk"), id="epk"),
]  # fmt: skip


@pytest.mark.parametrize(("token", "algorithms", "message"), MALFORMED)
def test_malformed_tokens(token: str, algorithms: tuple[str, str], message: str) -> None:
    assert refused(jwe_decrypt, token, oct_key(KEY), **names(*algorithms)) == (MalformedTokenError, message)


@pytest.mark.parametrize(
    ("token", "algorithms"),
    [
        pytest.param(with_part(3, ""), DIRECT, id="no ciphertext"),
        pytest.param(sealed(HEADER, octets=bytes(32)), DIRECT, id="another key"),
        pytest.param(sealed_as("A256KW", bytes(40)), KW, id="nothing that unwraps"),
        pytest.param(wrapped_with_gcm(iv=text(b"\1" * 12)), GCMKW, id="another iv"),
        *(
            pytest.param(sealed_with_cbc(padding), CBC, id=f"padding {padding.hex()}")
            for padding in (bytes(16), b"{}" + b"\x0f" * 14, b"\x11" * 16, b"\x10" * 15 + b"\x00")
        ),
    ],
)
def test_changed_tokens(token: str, algorithms: tuple[str, str]) -> None:
    """Who has the key can pad wrongly under a right tag; nothing tells that apart from a wrong tag."""
    assert refused(jwe_decrypt, token, oct_key(KEY), **names(*algorithms)) == (InvalidSignatureError, CANNOT)


@pytest.mark.parametrize(
    ("algorithm", "encryption", "more"),
    [
        ("A256KW", "A256GCM", {}),
        ("dir", "A128GCM", {}),
        ("DIR", "A256GCM", {}),
        ("RSA1_5", "A256GCM", {}),
        ("PBES2-HS256+A128KW", "A256GCM", {"p2c": 10**9, "p2s": "A"}),
        ("HS256", "A256GCM", {}),
    ],
)
def test_other_algorithms_than_those_that_are_allowed(algorithm: str, encryption: str, more: dict[str, Any]) -> None:
    token = sealed({"alg": algorithm, "enc": encryption, **more})

    assert refused(jwe_decrypt, token, oct_key(KEY), **names(*DIRECT)) == (InvalidSignatureError, OTHER_ALGORITHMS)


RSA = create_rsa_key(2048)
EC = create_curve_key("P-256")
OKP = create_curve_key("X25519")
PUBLIC = public(EC)


@pytest.mark.parametrize("algorithm", ["ECDH-ES", "ECDH-ES+A256KW"])
@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        pytest.param({"epk": {}}, MalformedTokenError, EPK, id="epk is empty"),
        pytest.param({"epk": [PUBLIC]}, MalformedTokenError, EPK, id="epk is a list"),
        pytest.param({"epk": {**PUBLIC, "d": None}}, MalformedTokenError, EPK, id="epk has a null d"),
        pytest.param({"epk": {**PUBLIC, "use": "enc", "alg": "ES256"}}, MalformedTokenError, EPK, id="alg ES256"),
        pytest.param({"epk": oct_key(KEY)}, MalformedTokenError, EPK, id="a symmetric epk"),
        pytest.param({"epk": {"kty": "OKP", "crv": "Ed25519", "x": OKP["x"]}}, MalformedTokenError, EPK, id="Ed25519"),
        pytest.param({"epk": {**PUBLIC, "x": "A" * 43, "y": "A" * 43}}, MalformedTokenError, EPK_OFF_CURVE, id="zero"),
        pytest.param({"epk": public(create_curve_key("P-384"))}, InvalidSignatureError, EPK_OTHER_CURVE, id="P-384"),
        pytest.param({"epk": PUBLIC}, InvalidSignatureError, CANNOT, id="another epk"),
        pytest.param({"apu": "AA=="}, MalformedTokenError, PARTIES, id="apu with padding"),
        pytest.param({"apv": "AB"}, MalformedTokenError, PARTIES, id="apv with spare bits"),
        pytest.param({"apu": "QWxpY2U"}, InvalidSignatureError, CANNOT, id="another apu"),
        pytest.param({"iv": "AA"}, MalformedTokenError, MEANS_NOTHING.format("iv"), id="iv of GCMKW"),
    ],
)
def test_hostile_agreements(algorithm: str, changes: dict[str, Any], error: type[KeywrightError], message: str) -> None:
    """The key that comes with a token is on the key's own curve, public, and says something."""
    first, *rest = jwe_encrypt(b"{}", EC, **names(algorithm)).split(".")
    header = {**json.loads(decode_segment(first) or b""), **changes}
    token = ".".join((text(json.dumps(header).encode()), *rest))

    assert refused(jwe_decrypt, token, EC, **names(algorithm)) == (error, message)


@pytest.mark.parametrize("length", [0, 1, 255, 256, 257, 512])
def test_an_rsa_key_tells_nothing_of_why(length: int) -> None:
    """An encrypted key of any length or content that does not decrypt is one and the same refusal."""
    token = sealed({"alg": "RSA-OAEP", "enc": "A256GCM"}, key=text(b"\1" * length))

    assert refused(jwe_decrypt, token, RSA, **names("RSA-OAEP")) == (InvalidSignatureError, CANNOT)


def test_an_rsa_content_key_of_another_length_is_not_used() -> None:
    _, key, *_ = jwe_encrypt(b"{}", RSA, **names("RSA-OAEP", "A128GCM")).split(".")
    token = sealed({"alg": "RSA-OAEP", "enc": "A256GCM"}, key=key)

    assert refused(jwe_decrypt, token, RSA, **names("RSA-OAEP")) == (InvalidSignatureError, CANNOT)
