"""Hostile tokens: each has one fault and, where it can have one, a signature that holds. Each is refused by name."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

import pytest
from jose_support import refusal, refused, sealed, text

from keywright.errors import InvalidSignatureError, MalformedTokenError
from keywright_jose import jws_decode, verifier, verify

K = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"  # RFC 7515 A.1.1
KEY = {"kty": "oct", "alg": "HS256", "k": K}
HEADER = b'{"alg":"HS256"}'
PAYLOAD = b'{"sub":"a"}'

TEXT = "a token is ASCII text of at most 262144 bytes; pass the token itself"
SEGMENTS = "a signed token (JWS) is 3 segments parted by dots; copy it whole, without what stands around it"
BASE64 = "the {} of the token is not canonical base64url without padding (RFC 7515 §2); copy the token whole"
JSON = (
    "the {} of the token is not one JSON object in UTF-8 with each member once and nothing around it; have it issued "
    "anew"
)
LEVELS = "the {} of the token has more than 32 levels; have it issued anew"
SURROGATE = "the {} of the token holds an unpaired surrogate; have it issued anew"
UNSIGNED = "the token is not signed at all (alg none); have it issued with a signature"
NO_TEXT = "the member {} of the token's header is no text; have it issued anew"
CRIT = (
    "the header of the token asks for crit: extensions that must be understood, and none is understood here; have it "
    "issued without"
)
B64 = (
    "the header of the token asks for b64: an unencoded payload (RFC 7797), which is not read here; have it issued "
    "without"
)
ZIP = (
    "the header of the token asks for zip: compression, which is not undone here, for its size tells of what was "
    "encrypted; have it issued without"
)
BROKEN = "the signature of the token does not hold; it was changed, or made with another key: refuse it"
OTHER_ALGORITHM = "the token was signed with an algorithm that its key is not for; refuse it"
OTHER_KEY = "the token was signed with a key that is not among these (kid); refuse it"


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


NO_TOKENS: list[Any] = [
    pytest.param(bytearray(GOOD.encode()), id="bytearray"),
    pytest.param(GOOD + "\ud800", id="surrogate"),
    pytest.param("A" * 262_145, id="a byte too many"),
]


@pytest.mark.parametrize("token", NO_TOKENS)
def test_what_is_no_token_is_refused(token: Any) -> None:
    assert refused(verify, token, KEY) == (MalformedTokenError, TEXT)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(".", id="one dot"),
        pytest.param(f"{FIRST}.{SECOND}", id="no signature"),
        pytest.param(f"{GOOD}.{THIRD}", id="four segments"),
        pytest.param("a" * 262_144, id="as long as can be"),
    ],
)
def test_another_number_of_segments_is_refused(token: str) -> None:
    assert refused(verify, token, KEY) == (MalformedTokenError, SEGMENTS)


IN_LINES = "the token holds a line break or a blank; paste it as one line"
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
    assert str(error) == (IN_LINES if is_broken else BASE64.format(place))


# What is not JSON is tested with the reader itself, `keywright.read_json`; these are one of each kind.
OBJECTS = [
    pytest.param(b'{"alg":"HS256"}//}', id="comment"),
    pytest.param(b'{"alg":"HS256"}\n', id="line feed after"),
    pytest.param(b'{"alg":"none","alg":"HS256"}', id="twice, last is good"),
]


@pytest.mark.parametrize("document", OBJECTS)
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
        pytest.param(b"{}", "the header of the token has no alg; have it issued anew", id="no alg"),
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
        pytest.param(seal(text(b'{"alg":"HS512"}'), SECOND, "sha512"), OTHER_ALGORITHM, id="HS512"),
        pytest.param(seal(text(b'{"alg":"HS256\\u0000"}'), SECOND), OTHER_ALGORITHM, id="HS256 and NUL"),
        pytest.param(seal(text(b'{"alg":"nonesuch"}'), SECOND), OTHER_ALGORITHM, id="nonesuch"),
    ],
)
def test_signatures_that_do_not_hold_are_refused(token: str, message: str) -> None:
    assert refused(verify, token, KEY) == (InvalidSignatureError, message)


@pytest.mark.parametrize(
    ("kid", "message"),
    [
        pytest.param(b'"b"', OTHER_KEY, id="other"),
        pytest.param(b'"a "', OTHER_KEY, id="space after"),
        pytest.param(b'"a\\u0000"', OTHER_KEY, id="NUL after"),
    ],
)
def test_a_key_with_a_kid_refuses_a_token_with_another(kid: bytes, message: str) -> None:
    """The signature holds, and the token says that another key made it."""
    token = headed(b'{"alg":"HS256","kid":%s}' % kid)

    assert refused(verify, token, {**KEY, "kid": "a"}) == (InvalidSignatureError, message)
    assert verify(token, KEY).kid is None


def test_padding_is_taken_where_the_caller_says_so() -> None:
    """`allow_padding` takes right padding in each segment, and nothing else; without it there is none."""
    first, second = SPARE_FIRST + "==", SECOND + "="
    signed = seal(first, second) + "="

    assert verify(signed, KEY, allow_padding=True).payload == PAYLOAD
    assert verify(GOOD, KEY, allow_padding=True).payload == PAYLOAD
    assert jws_decode(signed, KEY, allow_padding=True) == {"sub": "a"}
    assert verifier(KEY, allow_padding=True).verify(signed).payload == PAYLOAD
    assert str(refusal(verify, signed, KEY)) == BASE64.format("header")
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
    assert str(refusal(verify, seal(FIRST, text(payload + b"aaaa")), KEY)) == TEXT


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
