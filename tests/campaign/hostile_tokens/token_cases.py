"""Signed tokens with one fault: in the header, in the claims, in how they are spelled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from hostile_tokens.case import OURS, Call, Case, Given
from hostile_tokens.sound import (
    HEADER,
    OCT,
    PAYLOAD,
    by_secret,
    hs256,
    public,
    rs256,
    rsa_key,
    signed,
    sound_rsa,
    text,
    token,
)

from keywright.errors import (
    ExpiredTokenError,
    InvalidClaimError,
    InvalidSignatureError,
    KeywrightError,
    MalformedTokenError,
)

_GOOD = Given(token(), OCT, ["HS256"])
_UNIQUE = "RFC 7515 §4, may"
_JSON = "RFC 7515 §5.2"

# What is wrong with `%s`, which stands for the members of a sound object; and where that is forbidden.
JSON_FAULTS: tuple[tuple[str, str, str, bytes], ...] = (
    ("empty", "nothing", _JSON, b""),
    ("null", "null instead of an object", _JSON, b"null"),
    ("array", "an array of pairs instead of an object", _JSON, b"[[%s]]"),
    ("open end", "no closing brace", _JSON, b"{%s"),
    ("trailing comma", "a comma before the closing brace", _JSON, b"{%s,}"),
    ("two objects", "a second object after it", _JSON, b"{%s}{}"),
    ("space before", "a space before it, which is JSON", OURS, b" {%s}"),
    ("byte order mark", "a byte order mark", "RFC 8259 §8.1, may", b"\xef\xbb\xbf{%s}"),
    ("no UTF-8", "a byte that is not UTF-8", _JSON, b'{%s,"x":"\xff"}'),
    ("control character", "a bare control character in a text", _JSON, b'{%s,"x":"\n"}'),
    ("NUL after", "a NUL after it", _JSON, b"{%s}\0"),
    ("twice", "a member twice, with one value", _UNIQUE, b"{%s,%s}"),
    ("twice inside", "a member twice inside a member", OURS, b'{%s,"x":{"b":1,"b":2}}'),
    ("NaN", "a number that JSON does not have", _JSON, b'{%s,"x":NaN}'),
    ("Infinity", "a number that JSON does not have", _JSON, b'{%s,"x":-Infinity}'),
    ("1e999", "a number that becomes infinite", OURS, b'{%s,"x":1e999}'),
    ("5000 digits", "an integer of 5000 digits", OURS, b'{%s,"x":' + b"9" * 5000 + b"}"),
    ("33 levels", "more than 32 levels", OURS, b'{%s,"x":' + b"[" * 32 + b"]" * 32 + b"}"),
    ("90000 levels", "90000 levels", OURS, b'{%s,"x":' + b"[" * 45_000 + b"]" * 45_000 + b"}"),
    ("surrogate", "half of a character", OURS, b'{%s,"x":"\\ud800"}'),
)


def header_cases() -> Iterator[Case]:
    """The signature holds wherever there can be one."""
    for name, fault, rule, form in JSON_FAULTS:
        header = form.replace(b"%s", HEADER[1:-1])
        yield _case(f"header: {name}", f"header: {fault}", rule, token(header))
    for name, fault, rule, header in _OBJECTS:
        yield _case(f"header: {name}", fault, rule, token(header))
    yield from _unsigned()
    yield from _brought_keys()


_CRIT = "RFC 7515 §4.1.11"
_OBJECTS: tuple[tuple[str, str, str, bytes], ...] = (
    ("UTF-16", "header in UTF-16", _JSON, '{"alg":"HS256"}'.encode("utf-16")),
    ("twice, none first", "alg twice, the first none", _UNIQUE, b'{"alg":"none","alg":"HS256"}'),
    ("twice, one escaped", "alg twice, one with an escape", _UNIQUE, b'{"\\u0061lg":"none","alg":"HS256"}'),
    ("crit unknown", "crit names an unknown member", _CRIT, b'{"alg":"HS256","crit":["urn:x"],"urn:x":1}'),
    ("crit exp", "crit names a claim as an extension", _CRIT, b'{"alg":"HS256","crit":["exp"],"exp":1}'),
    ("crit empty", "crit is empty", _CRIT + ", producer", b'{"alg":"HS256","crit":[]}'),
    ("crit null", "crit is null", _CRIT, b'{"alg":"HS256","crit":null}'),
    ("crit text", "crit is a text", _CRIT, b'{"alg":"HS256","crit":"alg"}'),
    ("crit of alg", "crit names a registered member", _CRIT + ", may", b'{"alg":"HS256","crit":["alg"]}'),
    ("crit of what is not there", "crit names what the header lacks", _CRIT, b'{"alg":"HS256","crit":["urn:x"]}'),
    ("b64 without crit", "an unencoded payload (RFC 7797), and crit does not say so", OURS,
     b'{"alg":"HS256","b64":false}'),
    ("zip", "compression, which signed tokens do not have", OURS, b'{"alg":"HS256","zip":"DEF"}'),
    ("no alg", "no alg", "RFC 7515 §4.1.1", b'{"typ":"JWT"}'),
    ("ALG", "alg in capitals", "RFC 7515 §4.1.1", b'{"ALG":"HS256"}'),
    ("alg null", "alg is null", "RFC 7515 §4.1.1", b'{"alg":null}'),
    ("alg array", "alg is an array of a right one", "RFC 7515 §4.1.1", b'{"alg":["HS256"]}'),
    ("alg object", "alg is an object", "RFC 7515 §4.1.1", b'{"alg":{"HS256":1}}'),
    ("alg number", "alg is a number", "RFC 7515 §4.1.1", b'{"alg":256}'),
    ("alg empty", "alg is empty", "RFC 7515 §4.1.1", b'{"alg":""}'),
    ("kid number", "kid is a number", "RFC 7515 §4.1.4", b'{"alg":"HS256","kid":7}'),
    ("kid array", "kid is an array", "RFC 7515 §4.1.4", b'{"alg":"HS256","kid":["a"]}'),
    ("kid null", "kid is null", "RFC 7515 §4.1.4", b'{"alg":"HS256","kid":null}'),
    ("typ number", "typ is a number", OURS, b'{"alg":"HS256","typ":7}'),
    ("cty object", "cty is an object", OURS, b'{"alg":"HS256","cty":{}}'),
)  # fmt: skip


def _unsigned() -> Iterator[Case]:
    """Tokens that anybody can write."""
    _, second, third = token().split(".")
    for spelling in ("none", "None", "NONE", "nOnE"):
        bad = f"{_first(spelling)}.{second}."
        yield _case(f"header: alg {spelling}", f"no signature, and alg {spelling}", "RFC 8725 §3.2", bad)
    bad = f"{_first('none')}.{second}.{third}"
    yield _case("header: alg none, signed", "alg none over a signature", "RFC 8725 §3.2", bad)
    good = Given(token(b'{"alg":"RS256"}', PAYLOAD, rs256(rsa_key())), public(sound_rsa()), ["RS256"])
    unsigned = good._replace(token=f"{_first('none')}.{second}.")
    yield Case("header: alg none, RSA", "no signature, for an RSA key", "RFC 8725 §3.2", "verify", unsigned, good,
               MalformedTokenError)  # fmt: skip


def _first(algorithm: str) -> str:
    return text(json.dumps({"alg": algorithm}).encode())


def _brought_keys() -> Iterator[Case]:
    """A key, or where to find one, in the header; and a signature that holds under it."""
    secret = b"o" * 64
    brought = {"kty": "oct", "k": text(secret), "alg": "HS256"}
    for name, value in (
        ("jwk", brought),
        ("jku", "https://example.org/keys"),
        ("x5u", "https://example.org/certificate"),
        ("x5c", [text(secret)]),
    ):
        header = json.dumps({"alg": "HS256", name: value}).encode()
        good = _GOOD._replace(token=token(header)) if name != "x5c" else _GOOD
        yield Case(f"header: {name}", f"signed by the key that the header brings along as {name}", "RFC 8725 §3.10",
                   "verify", _GOOD._replace(token=token(header, PAYLOAD, by_secret(secret))), good,
                   InvalidSignatureError)  # fmt: skip


def _case(name: str, fault: str, rule: str, bad: str, error: type[KeywrightError] = MalformedTokenError) -> Case:
    return Case(name, fault, rule, "verify", _GOOD._replace(token=bad), _GOOD, error)


_LATER = 4_000_000_000  # in 2096
_GOOD_CLAIMS = Given(token(), OCT, ["HS256"])


def claims_cases() -> Iterator[Case]:
    """The signature holds; what it is over is at fault."""
    for name, fault, rule, form in JSON_FAULTS:
        payload = form.replace(b"%s", PAYLOAD[1:-1])
        where = {"RFC 7515 §5.2": "RFC 7519 §7.2", "RFC 7515 §4, may": "RFC 7519 §4, may"}.get(rule, rule)
        bad = _GOOD_CLAIMS._replace(token=token(HEADER, payload))
        yield Case(f"claims: {name}", f"claims: {fault}", where, "claims", bad, _GOOD_CLAIMS, MalformedTokenError)
    twice = b'{"exp":%d,"exp":1}' % _LATER, b'{"exp":1,"exp":%d}' % _LATER
    good = _GOOD_CLAIMS._replace(token=token(HEADER, b'{"exp":%d}' % _LATER))
    bad = good._replace(token=token(HEADER, twice[1]))
    yield Case("claims: exp twice", "exp twice, the first has passed", "RFC 7519 §4, may", "claims", bad, good,
               MalformedTokenError)  # fmt: skip
    for name, rule, value in _TIMES:
        claim = name.partition(" ")[0]
        good = _GOOD_CLAIMS._replace(token=_claiming({claim: _LATER if claim == "exp" else 1}))
        bad = good._replace(token=_claiming({claim: value}))
        error = MalformedTokenError if "is" in name.split() else _LATE[claim]
        yield Case(f"claims: {name}", name, rule, "claims", bad, good, error)
    yield from _expected()


_LATE: dict[str, type[KeywrightError]] = {"exp": ExpiredTokenError, "nbf": InvalidClaimError, "iat": InvalidClaimError}
_TIMES: tuple[tuple[str, str, object], ...] = (
    ("exp has passed", "RFC 7519 §4.1.4", 1),
    ("exp of a second and a half has passed", "RFC 7519 §4.1.4", 1.5),
    ("exp before 1970", "RFC 7519 §4.1.4", -1),
    ("nbf not yet", "RFC 7519 §4.1.5", _LATER),
    ("iat not yet", OURS, _LATER),
    *(
        (f"{claim} is {what}", f"RFC 7519 §4.1.{section}", value)
        for claim, section in (("exp", 4), ("nbf", 5), ("iat", 6))
        for what, value in (("a text", "4000000000" if claim == "exp" else "1"), ("null", None), ("true", True),
                            ("an array", [1]), ("an object", {}))
    ),
    ("exp is 1e300", OURS, 1e300),
    ("exp is an integer of 400 digits", OURS, 10**400),
)  # fmt: skip


def _expected() -> Iterator[Case]:
    """Claims that are checked because the caller expects them."""
    for name, fault, rule, expected, sound, found in (
        ("aud other", "made for another audience", "RFC 7519 §4.1.3", {"aud": "me"}, {"aud": "me"}, {"aud": "you"}),
        ("aud others", "made for other audiences", "RFC 7519 §4.1.3", {"aud": "me"}, {"aud": ["you", "me"]},
         {"aud": ["you", "they"]}),
        ("aud part", "the audience is a part of the text", "RFC 7519 §4.1.3", {"aud": "me"}, {"aud": "me"},
         {"aud": "someone"}),
        ("aud missing", "has no audience, where an audience is expected", "RFC 8725 §3.9", {"aud": "me"},
         {"aud": "me"}, {"sub": "a"}),
        ("aud unsaid", "has an audience, and none is passed", "RFC 7519 §4.1.3", None,
         {"sub": "a"}, {"aud": "me"}),
        ("iss other", "issued by another", "RFC 8725 §3.8", {"iss": "me"}, {"iss": "me"}, {"iss": "you"}),
        ("iss missing", "has no issuer, where an issuer is expected", "RFC 8725 §3.8", {"iss": "me"},
         {"iss": "me"}, {"sub": "a"}),
        ("iss array", "an issuer in an array", "RFC 8725 §3.8", {"iss": "me"}, {"iss": "me"}, {"iss": ["me"]}),
        ("iss part", "the issuer is a part of the one that is expected", "RFC 8725 §3.8", {"iss": "me"},
         {"iss": "me"}, {"iss": "m"}),
    ):  # fmt: skip
        good = Given(_claiming(sound), OCT, ["HS256"], expected)
        bad = good._replace(token=_claiming(found))
        yield Case(f"claims: {name}", fault, rule, "claims", bad, good, InvalidClaimError)


def _claiming(claims: Mapping[str, object]) -> str:
    return token(HEADER, json.dumps(claims).encode())


_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_FIRST, _SECOND = text(b'{"alg": "HS256"}'), text(PAYLOAD)  # both with spare bits
_WHOLE = signed(_FIRST, _SECOND)
_THIRD = _WHOLE.rpartition(".")[2]
_GOOD_SPELLING = Given(_WHOLE, OCT, ["HS256"])


def _spare(part: str) -> str:
    return part[:-1] + _DIGITS[_DIGITS.index(part[-1]) + 1]


_SPELLINGS: tuple[tuple[str, str, str, Callable[[str], str]], ...] = (
    ("padding", "padded with =", "RFC 7515 §2", lambda part: part + "=" * (-len(part) % 4)),
    ("spare bits", "a bit set that spells nothing", "RFC 4648 §3.5, may", _spare),
    ("line feed", "a line feed inside", "RFC 7515 §2", lambda part: part[:4] + "\n" + part[4:]),
    ("space", "a space at the end", "RFC 7515 §2", lambda part: part + " "),
    ("junk", "characters of no alphabet inside", "RFC 7515 §2", lambda part: part[:4] + "!*!*" + part[4:]),
    ("= inside", "= in the middle", "RFC 7515 §2", lambda part: part[:4] + "====" + part[4:]),
    ("one more", "one character too many for whole octets", "RFC 4648 §4", lambda part: part + "A" * (-len(part) % 4)),
)


def spelling_cases() -> Iterator[Case]:
    """The header, the payload and the signature, each spelt in other ways, under a signature that holds."""
    for name, fault, rule, change in _SPELLINGS:
        for place, bad in (
            ("header", signed(change(_FIRST), _SECOND)),
            ("payload", signed(_FIRST, change(_SECOND))),
            ("signature", f"{_FIRST}.{_SECOND}.{change(_THIRD)}"),
        ):
            if name != "one more":
                yield _spelling_case(f"{place}: {name}", f"{place} {fault}", rule, bad)
    yield _spelling_case(
        "header: one more", "header of one character too many", "RFC 4648 §4", signed(_FIRST + "AAA", _SECOND)
    )
    standard = Given(signed(text(HEADER), text(b"\xfb\xff\xfe")), OCT, ["HS256"])
    yield _spelling_case(
        "payload: + and /", "payload in the other alphabet", "RFC 7515 §2", signed(text(HEADER), "+//+"), good=standard
    )
    yield from _segments()


def _segments() -> Iterator[Case]:
    """Another number of segments, or something around them."""
    flat = f'{{"payload":"{_SECOND}","protected":"{_FIRST}","signature":"{_THIRD}"}}'
    other = text(hs256(b"other"))
    for name, fault, rule, bad in (
        ("empty", "nothing", "RFC 7515 §7.1", ""),
        ("one segment", "a header alone", "RFC 7515 §7.1", _FIRST),
        ("two segments", "no signature and no dot before it", "RFC 7515 §7.1", f"{_FIRST}.{_SECOND}"),
        ("four segments", "a second signature", "RFC 7515 §7.1", f"{_WHOLE}.{other}"),
        ("five segments", "as many as an encrypted token has", "RFC 7515 §7.1", f"{_WHOLE}.{other}.{other}"),
        ("dot at the end", "an empty fourth segment", "RFC 7515 §7.1", f"{_WHOLE}."),
        ("dot at the start", "an empty segment before", "RFC 7515 §7.1", f".{_WHOLE}"),
        ("flattened JSON", "the JSON serialization where a compact one is expected", OURS, flat),
        ("selective disclosure", "disclosures after the signature (RFC 9901)", "RFC 7515 §2", f"{_WHOLE}~{other}~"),
        ("space before", "a space before the token", "RFC 7515 §2", f" {_WHOLE}"),
        ("line feed after", "a line feed after the token", "RFC 7515 §2", f"{_WHOLE}\n"),
        ("full-width letter", "a letter that is not ASCII", "RFC 7515 §2", "\N{FULLWIDTH LATIN SMALL LETTER E}" +
         _WHOLE[1:]),
        ("full-width dot", "a dot that is not ASCII", "RFC 7515 §7.1", _WHOLE.replace(".", "\N{ONE DOT LEADER}")),
        ("a million dots", "a million segments", "RFC 7515 §7.1", _WHOLE + "." * 1_000_000),
    ):  # fmt: skip
        yield _spelling_case(f"token: {name}", fault, rule, bad)
    yield _spelling_case(
        "token: byte beyond ASCII", "a byte that is not ASCII", "RFC 7515 §2", _WHOLE.encode() + b"\xff"
    )
    large = token(payload=b'{"sub":"%s"}' % (b"a" * 250_000))
    yield _spelling_case("token: too large", "more than 262144 bytes", OURS, large)


def _spelling_case(
    name: str, fault: str, rule: str, bad: str | bytes, *, good: Given = _GOOD_SPELLING, call: Call = "verify"
) -> Case:
    return Case(name, fault, rule, call, good._replace(token=bad), good, MalformedTokenError)
