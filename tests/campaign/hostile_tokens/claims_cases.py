"""Signed tokens whose payload is no strict JSON, or whose claims are not what they have to be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from hostile_tokens.case import OURS, Case, Given
from hostile_tokens.header_cases import JSON_FAULTS
from hostile_tokens.sound import HEADER, OCT, PAYLOAD, token

from keywright.errors import ExpiredTokenError, InvalidClaimError, KeywrightError, MalformedTokenError

__all__ = ["claims_cases"]

_LATER = 4_000_000_000  # in 2096
_GOOD = Given(token(), OCT, ["HS256"])


def claims_cases() -> Iterator[Case]:
    """The signature holds; what it is over is at fault."""
    for name, fault, rule, form in JSON_FAULTS:
        payload = form.replace(b"%s", PAYLOAD[1:-1])
        where = {"RFC 7515 §5.2": "RFC 7519 §7.2", "RFC 7515 §4, may": "RFC 7519 §4, may"}.get(rule, rule)
        bad = _GOOD._replace(token=token(HEADER, payload))
        yield Case(f"claims: {name}", f"claims: {fault}", where, "claims", bad, _GOOD, MalformedTokenError)
    twice = b'{"exp":%d,"exp":1}' % _LATER, b'{"exp":1,"exp":%d}' % _LATER
    good = _GOOD._replace(token=token(HEADER, b'{"exp":%d}' % _LATER))
    bad = good._replace(token=token(HEADER, twice[1]))
    yield Case("claims: exp twice", "exp twice, the first has passed", "RFC 7519 §4, may", "claims", bad, good,
               MalformedTokenError)  # fmt: skip
    for name, rule, value in _TIMES:
        claim = name.partition(" ")[0]
        good = _GOOD._replace(token=_claiming({claim: _LATER if claim == "exp" else 1}))
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
        ("aud missing", "made for nobody, where an audience is expected", "RFC 8725 §3.9", {"aud": "me"},
         {"aud": "me"}, {"sub": "a"}),
        ("aud unsaid", "made for an audience, and nobody says that it is this one", "RFC 7519 §4.1.3", None,
         {"sub": "a"}, {"aud": "me"}),
        ("iss other", "issued by another", "RFC 8725 §3.8", {"iss": "me"}, {"iss": "me"}, {"iss": "you"}),
        ("iss missing", "issued by nobody, where an issuer is expected", "RFC 8725 §3.8", {"iss": "me"},
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
