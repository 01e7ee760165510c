"""Hostile tokens: each has one fault and, where it can have one, a signature that holds. Each is refused by name."""

from __future__ import annotations

import hmac
import json
import time
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
    """A token with this header."""
    return seal(text(header), text(PAYLOAD))


GOOD = headed(HEADER)
FIRST, SECOND, THIRD = GOOD.split(".")


def spare(part: str) -> str:
    """The same octets, with a spare bit set."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return part[:-1] + digits[digits.index(part[-1]) + 1]


def nested(levels: int, name: str) -> bytes:
    """An object with so many levels, itself included."""
    return b'{"alg":"HS256","%s":%s%s}' % (name.encode(), b"[" * (levels - 1), b"]" * (levels - 1))


def test_the_token_without_a_fault_is_good() -> None:
    """What every row of the table is made from verifies, as text and as bytes."""
    assert verify(GOOD, KEY).payload == PAYLOAD
    assert verify(GOOD.encode(), KEY).payload == PAYLOAD


NO_TOKENS: list[Any] = [
    pytest.param(None, id="None"),
    pytest.param(7, id="number"),
    pytest.param([FIRST, SECOND, THIRD], id="list"),
    pytest.param(bytearray(GOOD.encode()), id="bytearray"),
    pytest.param(memoryview(GOOD.encode()), id="memoryview"),
    pytest.param({"payload": SECOND}, id="dict"),
    pytest.param(GOOD + "\N{LATIN SMALL LETTER E WITH ACUTE}", id="letter beyond ASCII"),
    pytest.param(GOOD.replace(".", "\N{ONE DOT LEADER}"), id="dots beyond ASCII"),
    pytest.param(GOOD + "\ud800", id="surrogate"),
    pytest.param(GOOD.encode() + b"\xff", id="byte beyond ASCII"),
    pytest.param("\N{FULLWIDTH LATIN SMALL LETTER E}" + GOOD[1:], id="full-width letter"),
    pytest.param("A" * 262_145, id="a byte too many"),
    pytest.param(seal(FIRST, text(b"a" * 200_000)), id="payload too large"),
    pytest.param("." * 1_000_000, id="a million dots"),
]


@pytest.mark.parametrize("token", NO_TOKENS)
def test_what_is_no_token_is_refused(token: Any) -> None:
    """Other types, other characters and too much are refused before anything is taken apart."""
    assert refused(verify, token, KEY) == (MalformedTokenError, TEXT)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param(".", id="one dot"),
        pytest.param(FIRST, id="one segment"),
        pytest.param(f"{FIRST}.{SECOND}", id="no signature"),
        pytest.param(f"{GOOD}.", id="dot at the end"),
        pytest.param(f".{GOOD}", id="dot at the start"),
        pytest.param(f"{GOOD}.{THIRD}", id="four segments"),
        pytest.param(f"{FIRST}..{THIRD}.{SECOND}.{THIRD}", id="five segments"),
        pytest.param(f"{FIRST}.{SECOND}.{THIRD}~{SECOND}.x~", id="selective disclosure"),
        pytest.param(f'{{"payload":"{SECOND}","protected":"{FIRST}","signature":"{THIRD}"}}', id="JSON serialization"),
        pytest.param("a" * 262_144, id="as long as can be"),
    ],
)
def test_another_number_of_segments_is_refused(token: str) -> None:
    assert refused(verify, token, KEY) == (MalformedTokenError, SEGMENTS)


IN_LINES = "the token holds a line break or a blank; paste it as one line"
SPELLINGS = [
    pytest.param(lambda part: part + "=", id="one ="),
    pytest.param(lambda part: part + "=" * (-len(part) % 4 or 4), id="padding"),
    pytest.param(lambda part: "=" + part, id="= before"),
    pytest.param(lambda part: part[:4] + "=" + part[4:], id="= inside"),
    pytest.param(spare, id="spare bits"),
    pytest.param(lambda part: part + "A" * ((1 - len(part)) % 4), id="a character too many"),
    pytest.param(lambda part: " " + part, id="space before"),
    pytest.param(lambda part: part + " ", id="space after"),
    pytest.param(lambda part: part[:4] + "\n" + part[4:], id="line feed inside"),
    pytest.param(lambda part: part + "\r\n", id="CRLF after"),
    pytest.param(lambda part: part[:4] + "\t" + part[4:], id="tab inside"),
    pytest.param(lambda part: part[:4] + "\0" + part[4:], id="NUL inside"),
    pytest.param(lambda part: part[:4] + "!" + part[4:], id="junk inside"),
    pytest.param(lambda part: part[:4] + "%3D" + part[4:], id="percent encoding"),
    pytest.param(lambda part: part[:4] + "+" + part[5:], id="plus"),
    pytest.param(lambda part: part[:4] + "/" + part[5:], id="slash"),
]
# 16 and 11 octets, so that both have spare bits.
SPARE_FIRST = text(b'{"alg": "HS256"}')


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("place", ["header", "payload", "signature"])
def test_other_spellings_of_base64url_are_refused(place: str, spelling: Callable[[str], str]) -> None:
    """Octets have one spelling in each segment, though the signature over another one holds."""
    token = {
        "header": lambda: seal(spelling(SPARE_FIRST), SECOND),
        "payload": lambda: seal(SPARE_FIRST, spelling(SECOND)),
        "signature": lambda: f"{GOOD.rpartition('.')[0]}.{spelling(THIRD)}",
    }[place]()

    error = refusal(verify, token, KEY)

    assert type(error) is MalformedTokenError
    is_broken = any(character.isspace() for character in token)
    assert str(error) == (IN_LINES if is_broken else BASE64.format(place))


def test_the_digits_of_standard_base64_are_refused() -> None:
    """`-` and `_` are taken, and `+` and `/` for the same octets are not."""
    good = seal(FIRST, text(b"\xfb\xff\xfe"))

    assert verify(good, KEY).payload == b"\xfb\xff\xfe"
    assert refused(verify, seal(FIRST, "+//+"), KEY)[1] == BASE64.format("payload")


# What is not JSON is tested with the reader itself, `keywright.read_json`; these are one of each kind.
OBJECTS = [
    pytest.param(b"", id="empty"),
    pytest.param(b"null", id="null"),
    pytest.param(b'[["alg","HS256"]]', id="array of pairs"),
    pytest.param(b'{"alg":"HS256"', id="open end"),
    pytest.param(b'{"alg":"HS256",}', id="trailing comma"),
    pytest.param(b'{"alg":"HS256"}{}', id="two objects"),
    pytest.param(b'{"alg":"HS256"}//}', id="comment"),
    pytest.param(b' {"alg":"HS256"}', id="space before"),
    pytest.param(b'{"alg":"HS256"}\n', id="line feed after"),
    pytest.param(b'\xef\xbb\xbf{"alg":"HS256"}', id="byte order mark"),
    pytest.param('{"alg":"HS256"}'.encode("utf-16"), id="UTF-16"),
    pytest.param(b'{"alg":"HS256","a":"\xff"}', id="no UTF-8"),
    pytest.param(b'{"alg":"none","alg":"HS256"}', id="twice, last is good"),
    pytest.param(b'{"alg":"HS256","\\u0061lg":"none"}', id="twice, one escaped"),
    pytest.param(b'{"alg":"HS256","a":{"b":1,"b":2}}', id="twice, inside"),
    pytest.param(b'{"alg":"HS256","a":NaN}', id="NaN"),
    pytest.param(b'{"alg":"HS256","a":{"b":-1e999}}', id="-1e999"),
    pytest.param(b'{"alg":"HS256","a":%s}' % (b"9" * 5000), id="integer of 5000 digits"),
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
        pytest.param(b'{"alg":"HS256","a":%s%s}' % (b"[" * 900, b"]" * 900), LEVELS, id="900 levels"),
        pytest.param(b'{"alg":"HS256","a":%s%s}' % (b"[" * 70_000, b"]" * 70_000), LEVELS, id="70000 arrays"),
        pytest.param(b'{"alg":"HS256","a":%s%s}' % (b'{"a":' * 30_000, b"}" * 30_000), LEVELS, id="30000 objects"),
        pytest.param(b'{"alg":"HS256","a":"\\ud800"}', SURROGATE, id="surrogate"),
        pytest.param(b'{"alg":"HS256","a":[{"b":"\\udc00x"}]}', SURROGATE, id="surrogate inside"),
        pytest.param(b'{"alg":"HS256","\\ud800":1}', SURROGATE, id="surrogate in a name"),
        pytest.param(b'{"alg":"HS256","a":"\\udc00\\ud800"}', SURROGATE, id="surrogates the wrong way round"),
    ],
)
def test_depth_and_surrogates_are_refused(header: bytes, message: str) -> None:
    """More than 32 levels, and text that is no Unicode, in headers and claims."""
    assert refused(verify, headed(header), KEY) == (MalformedTokenError, message.format("header"))
    assert refused(jws_decode, seal(FIRST, text(header)), KEY) == (MalformedTokenError, message.format("payload"))


def test_32_levels_and_pairs_of_surrogates_are_taken() -> None:
    """The bound itself holds; many short lists are not deep; an escaped pair is one character."""
    wide = b'{"alg":"HS256","a":[%s]}' % b",".join([b"[]"] * 100)

    assert verify(headed(nested(32, "a")), KEY).header["alg"] == "HS256"
    assert verify(headed(wide), KEY).header["a"] == [[]] * 100
    assert verify(headed(b'{"alg":"HS256","a":"\\ud83d\\ude00"}'), KEY).header["a"] == "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        pytest.param(b'{"alg":"HS256","crit":["exp"],"exp":1}', CRIT, id="crit"),
        pytest.param(b'{"alg":"HS256","crit":["b64"],"b64":false}', CRIT, id="crit b64"),
        pytest.param(b'{"alg":"HS256","crit":["alg"]}', CRIT, id="crit of a registered name"),
        pytest.param(b'{"alg":"HS256","crit":[]}', CRIT, id="crit empty"),
        pytest.param(b'{"alg":"HS256","crit":null}', CRIT, id="crit null"),
        pytest.param(b'{"alg":"HS256","b64":false}', B64, id="b64 false"),
        pytest.param(b'{"alg":"HS256","b64":true}', B64, id="b64 true"),
        pytest.param(b'{"alg":"HS256","zip":"DEF"}', ZIP, id="zip"),
        pytest.param(b"{}", "the header of the token has no alg; have it issued anew", id="no alg"),
        pytest.param(b'{"typ":"JWT"}', "the header of the token has no alg; have it issued anew", id="typ alone"),
        pytest.param(b'{"ALG":"HS256"}', "the header of the token has no alg; have it issued anew", id="ALG"),
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
    """`crit`, `b64` and `zip`, whatever they say; members of another type; and tokens that nobody signed."""
    for token in (headed(header), f"{text(header)}.{SECOND}."):
        assert refused(verify, token, KEY) == (MalformedTokenError, message)


@pytest.mark.parametrize(
    ("token", "message"),
    [
        pytest.param(f"{FIRST}.{SECOND}.", BROKEN, id="empty"),
        pytest.param(f"{FIRST}.{SECOND}.{text(bytes(32))}", BROKEN, id="zeros"),
        pytest.param(f"{FIRST}.{SECOND}.{text(urlsafe_b64decode(THIRD + '=')[:31])}", BROKEN, id="a byte less"),
        pytest.param(f"{FIRST}.{SECOND}.{text(urlsafe_b64decode(THIRD + '=') + b'a')}", BROKEN, id="a byte more"),
        pytest.param(f"{FIRST}.{text(b'{}')}.{THIRD}", BROKEN, id="other payload"),
        pytest.param(f"{FIRST}..{THIRD}", BROKEN, id="no payload"),
        pytest.param(f"{SPARE_FIRST}.{SECOND}.{THIRD}", BROKEN, id="header spelt otherwise"),
        pytest.param(seal(text(b'{"alg":"HS384"}'), SECOND, "sha384"), OTHER_ALGORITHM, id="HS384"),
        pytest.param(seal(text(b'{"alg":"HS512"}'), SECOND, "sha512"), OTHER_ALGORITHM, id="HS512"),
        pytest.param(seal(text(b'{"alg":"hs256"}'), SECOND), OTHER_ALGORITHM, id="hs256"),
        pytest.param(seal(text(b'{"alg":"HS256 "}'), SECOND), OTHER_ALGORITHM, id="HS256 and a space"),
        pytest.param(seal(text(b'{"alg":"HS256\\u0000"}'), SECOND), OTHER_ALGORITHM, id="HS256 and NUL"),
        pytest.param(seal(text(b'{"alg":"RS256"}'), SECOND), OTHER_ALGORITHM, id="RS256"),
        pytest.param(seal(text(b'{"alg":"HS2"}'), SECOND), OTHER_ALGORITHM, id="part of a name"),
        pytest.param(seal(text(b'{"alg":"nonesuch"}'), SECOND), OTHER_ALGORITHM, id="nonesuch"),
    ],
)
def test_signatures_that_do_not_hold_are_refused(token: str, message: str) -> None:
    """A signature of another length, another text or another algorithm than the key's is none."""
    assert refused(verify, token, KEY) == (InvalidSignatureError, message)


@pytest.mark.parametrize(
    ("kid", "message"),
    [
        pytest.param(b'"b"', OTHER_KEY, id="other"),
        pytest.param(b'"A"', OTHER_KEY, id="other case"),
        pytest.param(b'"a "', OTHER_KEY, id="space after"),
        pytest.param(b'"a\\u0000"', OTHER_KEY, id="NUL after"),
        pytest.param(b'"../a"', OTHER_KEY, id="path"),
    ],
)
def test_a_key_with_a_kid_refuses_a_token_with_another(kid: bytes, message: str) -> None:
    """The signature holds, and the token says that another key made it."""
    token = headed(b'{"alg":"HS256","kid":%s}' % kid)

    assert refused(verify, token, {**KEY, "kid": "a"}) == (InvalidSignatureError, message)
    assert verify(token, KEY).kid is None


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"])
def test_keys_that_a_header_brings_along_are_never_used(member: str) -> None:
    """A token says nothing of which key it is to be verified with, but for `kid` among the caller's own."""
    other = {"kty": "oct", "k": text(b"o" * 64)}
    value = {"jwk": other, "x5c": ["AAAA"]}.get(member, "https://example.org/keys")
    header = text(str({"alg": "HS256", member: value}).replace("'", '"').encode())
    forged = f"{header}.{SECOND}.{text(hmac.digest(b'o' * 64, f'{header}.{SECOND}'.encode(), 'sha256'))}"

    assert refused(verify, forged, KEY) == (InvalidSignatureError, BROKEN)
    assert verify(seal(header, SECOND), KEY).header[member] == value


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


def test_64_mebibytes_are_refused_at_once() -> None:
    text, octets = "A." * (32 << 20), b"A." * (32 << 20)

    for token in (text, octets):
        started = time.perf_counter()
        assert refused(verify, token, KEY)[0] is MalformedTokenError
        assert time.perf_counter() - started < 0.05


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
