"""Signed tokens whose header is no strict JSON, or asks for what must not be done."""

from __future__ import annotations

import json
from collections.abc import Iterator

from hostile_tokens.case import OURS, Case, Given
from hostile_tokens.sound import HEADER, OCT, PAYLOAD, by_secret, public, rs256, rsa_key, sound_rsa, text, token

from keywright.errors import InvalidSignatureError, KeywrightError, MalformedTokenError

__all__ = ["JSON_FAULTS", "header_cases"]

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
    ("no UTF-8", "a byte that is no UTF-8", _JSON, b'{%s,"x":"\xff"}'),
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
    ("crit unknown", "crit names what nobody knows", _CRIT, b'{"alg":"HS256","crit":["urn:x"],"urn:x":1}'),
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
