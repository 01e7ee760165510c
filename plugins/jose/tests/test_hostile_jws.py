"""Hostile signed tokens, each with one fault, and signatures that differ little from a good one: all are refused."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jose_support import ED, MODULUS, RSA, oct_key, refusal, refused, rsa_key, sealed, text
from support.errors import text_of

from keywright.errors import InvalidSignatureError, MalformedTokenError
from keywright_jose import jws_decode, verifier, verify
from keywright_jose._jose import verifying_key
from keywright_jose.jwk.inputs import hide_key, one_key

K = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"  # RFC 7515 A.1.1
KEY = {"kty": "oct", "alg": "HS256", "k": K}
HEADER = b'{"alg":"HS256"}'
PAYLOAD = b'{"sub":"a"}'

TEXT = "not a token: not ASCII text, or more than 262144 bytes; pass the token itself"
SEGMENTS = (
    "not a signed token (JWS): expected 3 segments separated by dots; pass the whole token, without quotes or spaces"
)
BASE64 = (
    "the {} of the token is not canonical base64url without padding (RFC 7515 §2); copy the whole token, without quotes"
)
JSON = (
    "the {} of the token is not one JSON object in UTF-8 with each member once and nothing around it; get a "
    "new token from its issuer"
)
LEVELS = "the {} of the token has more than 32 levels; get a new token from its issuer"
SURROGATE = "the {} of the token has an unpaired surrogate; get a new token from its issuer"
UNSIGNED = "the token is not signed (alg none); ask the issuer for a signed token"
NO_TEXT = "the member {} of the token's header must be text; get a new token from its issuer"
CRIT = (
    "the token uses crit, which is not supported: extensions that the receiver must understand; ask the "
    "issuer for a token without it"
)
B64 = (
    "the token uses b64, which is not supported: an unencoded payload (RFC 7797); ask the issuer for a token without it"
)
ZIP = (
    "the token uses zip, which is not supported: compression, whose size can reveal what was encrypted; ask "
    "the issuer for a token without it"
)
BROKEN = "the signature of the token is not valid; it was modified, or signed with another key: reject it"
OTHER_ALGORITHM = "the token was signed with an algorithm that its key does not allow; reject the token"
OTHER_KEY = "none of the keys has the kid of the token; pass the key with that kid, or reject the token"


def seal(first: str, second: str, algorithm: str = "sha256") -> str:
    """The token of these two segments, whatever they are, under the right signature."""
    return sealed(first, second, urlsafe_b64decode(K + "=="), algorithm)


def headed(header: bytes) -> str:
    return seal(text(header), text(PAYLOAD))


GOOD = headed(HEADER)
FIRST, SECOND, THIRD = GOOD.split(".")


def spare(part: str) -> str:
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return part[:-1] + digits[digits.index(part[-1]) + 1]


def nested(levels: int, name: str) -> bytes:
    return b'{"alg":"HS256","%s":%s%s}' % (name.encode(), b"[" * (levels - 1), b"]" * (levels - 1))


def test_the_token_without_a_fault_is_good() -> None:
    assert verify(GOOD, KEY).payload == PAYLOAD
    assert verify(GOOD.encode(), KEY).payload == PAYLOAD


@pytest.mark.parametrize(
    ("token", "message"),
    [
        pytest.param(bytearray(GOOD.encode()), TEXT, id="bytearray"),
        pytest.param(GOOD + "\ud800", TEXT, id="surrogate"),
        pytest.param("A" * 262_145, TEXT, id="a byte too many"),
        pytest.param("A" * 262_144, SEGMENTS, id="as long as can be"),
        pytest.param(f"{FIRST}.{SECOND}", SEGMENTS, id="two segments"),
        pytest.param(f"{GOOD}.{THIRD}", SEGMENTS, id="four segments"),
    ],
)
def test_what_is_not_a_token_is_refused(token: Any, message: str) -> None:
    assert refused(verify, token, KEY) == (MalformedTokenError, message)


IN_LINES = "the token has a line break or a space in it; paste it as one line"
SPELLINGS = [
    pytest.param(lambda part: part + "=", id="one ="),
    pytest.param(lambda part: "=" + part, id="= before"),
    pytest.param(lambda part: " " + part, id="space before"),
    pytest.param(lambda part: part + "\r\n", id="CRLF after"),
    pytest.param(lambda part: part[:4] + "\t" + part[4:], id="tab inside"),
    pytest.param(lambda part: part[:4] + "\0" + part[4:], id="NUL inside"),
    pytest.param(lambda part: part[:4] + "%3D" + part[4:], id="percent encoding"),
    pytest.param(lambda part: part[:4] + "+" + part[5:], id="plus"),
    pytest.param(lambda part: part[:4] + "/" + part[5:], id="slash"),
]
# 16 and 11 octets, so that both have spare bits.
SPARE_FIRST = text(b'{"alg": "HS256"}')


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("place", ["header", "payload", "signature"])
def test_other_spellings_of_base64url_are_refused(place: str, spelling: Callable[[str], str]) -> None:
    token = {
        "header": lambda: seal(spelling(SPARE_FIRST), SECOND),
        "payload": lambda: seal(SPARE_FIRST, spelling(SECOND)),
        "signature": lambda: f"{GOOD.rpartition('.')[0]}.{spelling(THIRD)}",
    }[place]()

    error = refusal(verify, token, KEY)

    assert type(error) is MalformedTokenError
    is_broken = any(character.isspace() for character in token)
    assert text_of(error) == (IN_LINES if is_broken else BASE64.format(place))


# What is not JSON is tested with the reader itself, `keywright.read_json`; these are one of each kind.
@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b'{"alg":"HS256"}//}', id="comment"),
        pytest.param(b'{"alg":"HS256"}\n', id="line feed after"),
        pytest.param(b'{"alg":"none","alg":"HS256"}', id="twice, last is good"),
    ],
)
def test_what_is_not_one_strict_object_is_refused(document: bytes) -> None:
    """A header and claims are one JSON object in UTF-8, with each member once at any depth, and nothing around it.

    `verify`, which does not read claims, gives their octets.
    """
    token = seal(FIRST, text(document))

    assert refused(verify, headed(document), KEY) == (MalformedTokenError, JSON.format("header"))
    assert refused(jws_decode, token, KEY) == (MalformedTokenError, JSON.format("payload"))
    assert verify(token, KEY).payload == document


@pytest.mark.parametrize(
    ("header", "message"),
    [
        pytest.param(nested(33, "a"), LEVELS, id="33 levels"),
        pytest.param(b'{"alg":"HS256","a":%s}' % (b'{"a":' * 32 + b"1" + b"}" * 32), LEVELS, id="33 objects"),
        pytest.param(b'{"alg":"HS256","a":[{"b":"\\udc00x"}]}', SURROGATE, id="surrogate inside"),
        pytest.param(b'{"alg":"HS256","\\ud800":1}', SURROGATE, id="surrogate in a name"),
        pytest.param(b'{"alg":"HS256","a":"\\udc00\\ud800"}', SURROGATE, id="surrogates the wrong way round"),
    ],
)
def test_depth_and_surrogates_are_refused(header: bytes, message: str) -> None:
    assert refused(verify, headed(header), KEY) == (MalformedTokenError, message.format("header"))
    assert refused(jws_decode, seal(FIRST, text(header)), KEY) == (MalformedTokenError, message.format("payload"))


def test_32_levels_and_pairs_of_surrogates_are_taken() -> None:
    wide = b'{"alg":"HS256","a":[%s]}' % b",".join([b"[]"] * 100)

    assert verify(headed(nested(32, "a")), KEY).header["alg"] == "HS256"
    assert verify(headed(wide), KEY).header["a"] == [[]] * 100
    assert verify(headed(b'{"alg":"HS256","a":"\\ud83d\\ude00"}'), KEY).header["a"] == "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        pytest.param(b'{"alg":"HS256","crit":["exp"],"exp":1}', CRIT, id="crit"),
        pytest.param(b'{"alg":"HS256","crit":["b64"],"b64":false}', CRIT, id="crit b64"),
        pytest.param(b'{"alg":"HS256","b64":true}', B64, id="b64 true"),
        pytest.param(b'{"alg":"HS256","zip":"DEF"}', ZIP, id="zip"),
        pytest.param(b"{}", "the header of the token has no alg; get a new token from its issuer", id="no alg"),
        *(
            pytest.param(b'{"%s":%s,"a":1%s}' % (name, value, b"" if name == b"alg" else b',"alg":"HS256"'),
                         NO_TEXT.format(name.decode()), id=f"{name.decode()} {value.decode()}")
            for name in (b"alg", b"kid", b"typ", b"cty")
            for value in (b"null", b"7", b"true", b'["HS256"]', b'{"a":1}', b'""')
        ),
        *(
            pytest.param(b'{"alg":"%s"}' % name, UNSIGNED, id=name.decode())
            for name in (b"none", b"None", b"NONE", b"nOnE", b"\\u006eone")
        ),
    ],
)  # fmt: skip
def test_headers_that_ask_for_what_is_not_done_are_refused(header: bytes, message: str) -> None:
    for token in (headed(header), f"{text(header)}.{SECOND}."):
        assert refused(verify, token, KEY) == (MalformedTokenError, message)


@pytest.mark.parametrize(
    ("token", "message"),
    [
        pytest.param(f"{FIRST}.{SECOND}.{text(bytes(32))}", BROKEN, id="zeros"),
        pytest.param(seal(text(b'{"alg":"HS384"}'), SECOND, "sha384"), OTHER_ALGORITHM, id="HS384"),
        pytest.param(seal(text(b'{"alg":"HS256\\u0000"}'), SECOND), OTHER_ALGORITHM, id="HS256 and NUL"),
        pytest.param(seal(text(b'{"alg":"nonesuch"}'), SECOND), OTHER_ALGORITHM, id="nonesuch"),
    ],
)
def test_signatures_that_do_not_hold_are_refused(token: str, message: str) -> None:
    assert refused(verify, token, KEY) == (InvalidSignatureError, message)


def test_a_key_with_a_kid_refuses_a_token_with_another() -> None:
    """The signature is valid, and the token says that another key made it."""
    for kid in (b"b", b"a ", b"a\\u0000"):
        token = headed(b'{"alg":"HS256","kid":"%s"}' % kid)

        assert refused(verify, token, {**KEY, "kid": "a"}) == (InvalidSignatureError, OTHER_KEY)
        assert verify(token, KEY).kid is None


def test_padding_is_taken_where_the_caller_says_so() -> None:
    """`allow_padding` takes right padding in each segment, and nothing else; without it no padding is accepted."""
    first, second = SPARE_FIRST + "==", SECOND + "="
    signed = seal(first, second) + "="

    assert verify(signed, KEY, allow_padding=True).payload == PAYLOAD
    assert verify(GOOD, KEY, allow_padding=True).payload == PAYLOAD
    assert jws_decode(signed, KEY, allow_padding=True) == {"sub": "a"}
    assert verifier(KEY, allow_padding=True).verify(signed).payload == PAYLOAD
    assert text_of(refusal(verify, signed, KEY)) == BASE64.format("header")
    for spelling in ("=", "===", "====", "= ", "=\n"):
        token = seal(SPARE_FIRST, SECOND + "=" + spelling) if spelling != "=" else seal(SPARE_FIRST + "=", SECOND)
        assert refused(verify, token, KEY, allow_padding=True)[0] is MalformedTokenError
    assert refused(verify, seal(spare(SPARE_FIRST) + "==", SECOND), KEY, allow_padding=True)[1] == BASE64.format(
        "header"
    )


def test_a_token_of_the_largest_size_is_taken() -> None:
    room = 262_144 - len(FIRST) - len(THIRD) - 2
    payload = b"a" * (room * 3 // 4)
    token = seal(FIRST, text(payload))

    assert 262_140 <= len(token) <= 262_144
    assert verify(token, KEY).payload == payload
    assert text_of(refusal(verify, seal(FIRST, text(payload + b"aaaa")), KEY)) == TEXT


@pytest.mark.parametrize("member", ['"x":1', '"x":["a"]', '"x":{"a":1}', '"x":[["a"]]', '"x":{"a":{"b":[1]}}'])
def test_what_a_caller_does_with_a_header_is_his_own(member: str) -> None:
    """Headers are kept for the next token like it; changing one that was given out changes no other."""
    token = headed(f'{{"alg":"HS256",{member}}}'.encode())
    before = json.dumps(verify(token, KEY).header)

    value: Any = verify(token, KEY).header
    while isinstance(value, dict | list):
        inner = [*value.values()][-1] if isinstance(value, dict) else value[0]
        value.clear()
        value = inner

    assert json.dumps(verify(token, KEY).header) == before


def test_long_headers_are_not_kept() -> None:
    """What anybody may send must not fill the memory: of headers that are kept, none is long."""
    from keywright_jose.compact import _read_and_keep

    before = _read_and_keep.cache_info().currsize
    for number in range(3):
        verify(headed(f'{{"alg":"HS256","x":"{number}{"a" * 400}"}}'.encode()), KEY)

    assert _read_and_keep.cache_info().currsize == before


Sign = Callable[[bytes], bytes]


def always(signature: bytes) -> Sign:
    """Signs every message with these bytes."""
    return lambda _: signature


CURVES = {"ES256": ec.generate_private_key(ec.SECP256R1()), "ES384": ec.generate_private_key(ec.SECP384R1()),
          "ES512": ec.generate_private_key(ec.SECP521R1())}  # fmt: skip
ORDERS = {  # FIPS 186-4 §D.1.2
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "ES512": 2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
}
OCTETS = bytes(range(64))
HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
ALGORITHMS = [*(f"{family}{bits}" for family in ("HS", "RS", "PS", "ES") for bits in (256, 384, 512)), "EdDSA"]


def key_of(algorithm: str) -> dict[str, Any]:
    if algorithm.startswith("HS"):
        return oct_key(OCTETS)
    if algorithm == "EdDSA":
        return {"kty": "OKP", "crv": "Ed25519", "x": text(ED.public_key().public_bytes_raw())}
    if algorithm.startswith("ES"):
        point = CURVES[algorithm].public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
        curve = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[algorithm]
        return {"kty": "EC", "crv": curve, "x": text(point[: len(point) // 2]), "y": text(point[len(point) // 2 :])}
    return rsa_key(MODULUS)


def pss(message: bytes, hash_: hashes.HashAlgorithm, salt: int, mask: hashes.HashAlgorithm | None = None) -> bytes:
    return RSA.sign(message, padding.PSS(padding.MGF1(mask or hash_), salt), hash_)


def signature(algorithm: str, message: bytes) -> bytes:
    """A good signature, made by the library and not by us."""
    hash_ = HASHES.get(algorithm[-3:], hashes.SHA512())
    if algorithm.startswith("HS"):
        return hmac.digest(OCTETS, message, hash_.name)
    if algorithm.startswith("RS"):
        return RSA.sign(message, padding.PKCS1v15(), hash_)
    if algorithm.startswith("PS"):
        return pss(message, hash_, hash_.digest_size)
    if algorithm == "EdDSA":
        return ED.sign(message)
    key = CURVES[algorithm]
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hash_)))
    return r.to_bytes((key.key_size + 7) // 8) + s.to_bytes((key.key_size + 7) // 8)


def token_of(algorithm: str, sign: Sign) -> str:
    header = b'{"alg":"%s"}' % algorithm.encode()
    message = f"{text(header)}.{text(b'{}')}"
    return f"{message}.{text(sign(message.encode()))}"


def check(algorithm: str, sign: Sign) -> None:
    found = refused(verify, token_of(algorithm, sign), key_of(algorithm), algorithms=[algorithm])
    assert found == (InvalidSignatureError, BROKEN)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_librarys_own_signature_holds(algorithm: str) -> None:
    token = token_of(algorithm, lambda message: signature(algorithm, message))

    assert verify(token, key_of(algorithm), algorithms=[algorithm]).header == {"alg": algorithm}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda good: good[:-1], id="a byte less"),
        pytest.param(lambda good: good[1:], id="the first byte less"),
        pytest.param(lambda good: good + b"\0", id="zero after"),
        pytest.param(lambda good: b"\0" + good, id="zero before"),
        pytest.param(lambda good: good + good, id="twice"),
        pytest.param(lambda good: good[: len(good) // 2], id="half"),
        pytest.param(lambda good: b"", id="empty"),
        pytest.param(lambda good: bytes(len(good)), id="zeros"),
        pytest.param(lambda good: b"\xff" * len(good), id="ones"),
        pytest.param(lambda good: bytes([good[0] ^ 1]) + good[1:], id="first bit"),
        pytest.param(lambda good: good[:-1] + bytes([good[-1] ^ 1]), id="last bit"),
        pytest.param(lambda good: good[::-1], id="backwards"),
    ],
)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_changed_signature_does_not_hold(algorithm: str, change: Callable[[bytes], bytes]) -> None:
    check(algorithm, lambda message: change(signature(algorithm, message)))


@pytest.mark.parametrize("other", ALGORITHMS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_of_another_algorithm_does_not_hold(algorithm: str, other: str) -> None:
    """A header that says one algorithm over the signature of another, with the same key where there is one."""
    if algorithm != other:
        check(algorithm, lambda message: signature(other, message))


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512"])
def test_ecdsa_numbers_out_of_range_do_not_hold(algorithm: str) -> None:
    """r and s are from 1 to n - 1 (FIPS 186-4 §6.4.2): no zero, no order, nothing beyond (CVE-2022-21449)."""
    size, order = (CURVES[algorithm].key_size + 7) // 8, ORDERS[algorithm]

    for r, s in ((0, 0), (0, 1), (1, 0), (1, 1), (order, order), (order, 1), (1, order), (order - 1, order),
                 (0, order), (2 ** (8 * size) - 1, 1)):  # fmt: skip
        check(algorithm, always(r.to_bytes(size) + s.to_bytes(size)))

    def beyond(message: bytes) -> bytes:
        # The same numbers, to anyone who reduces them: r + n where that fits.
        r = int.from_bytes(signature(algorithm, message)[:size]) + order
        return (r & (1 << 8 * size) - 1).to_bytes(size) + signature(algorithm, message)[size:]

    check(algorithm, beyond)


@pytest.mark.parametrize("bits", ["256", "384", "512"])
def test_pss_has_a_salt_as_long_as_the_hash(bits: str) -> None:
    """Another length of salt, or another hash in the mask, does not hold (RFC 7518 §3.5)."""
    hash_ = HASHES[bits]

    for salt in (0, 1, hash_.digest_size - 1, hash_.digest_size + 1, 256 - hash_.digest_size - 2):
        check(f"PS{bits}", partial(pss, hash_=hash_, salt=salt))
    check(f"PS{bits}", lambda message: pss(message, hash_, hash_.digest_size, hashes.SHA1()))


def test_rsa_numbers_and_padding_that_are_not_valid() -> None:
    """A signature is less than the modulus (RFC 8017 §8.2.2); adding that changes nothing to anyone who reduces it."""

    def beyond(message: bytes) -> bytes:
        return ((int.from_bytes(signature("RS256", message)) + MODULUS) % 2**2048).to_bytes(256)

    check("RS256", beyond)
    check("PS256", lambda message: MODULUS.to_bytes(256))
    # What is padded is the hash and nothing beside it (CVE-2006-4339): here with another algorithm's parameters.
    check("RS256", lambda message: RSA.sign(message, padding.PKCS1v15(), hashes.SHA1()))


@pytest.mark.parametrize("y", [0, 1, 2**255 - 20])
def test_ed25519_points_of_low_order_sign_nothing(y: int) -> None:
    """An R of low order with an S of zero holds for many messages under a key of low order, and under none here."""
    check("EdDSA", lambda _: y.to_bytes(32, "little") + bytes(32))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_length_is_checked_before_the_library_is_asked(monkeypatch: pytest.MonkeyPatch, algorithm: str) -> None:
    """Were a library to take everything, another length would still be refused."""
    _, length = verifying_key(one_key(hide_key(key_of(algorithm))), algorithm)
    monkeypatch.setattr("keywright_jose._jose.verifying_key", lambda *_: (lambda *_: True, length))

    assert length == len(signature(algorithm, b""))
    assert verify(token_of(algorithm, lambda _: bytes(length)), key_of(algorithm), algorithms=[algorithm])
    for size in (0, length // 2, length - 1, length + 1, 2 * length):
        check(algorithm, always(bytes(size)))
