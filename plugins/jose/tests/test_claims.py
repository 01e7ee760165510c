"""Claims: set with a time to live, and checked against a clock and what is expected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from jose_support import names, refusal, refused

from keywright.errors import (
    ConfigError,
    ExpiredTokenError,
    FormatError,
    InvalidClaimError,
    InvalidSignatureError,
    KeywrightError,
    MalformedTokenError,
)
from keywright_jose import create_secret_key, jwe_encode, jws_decode, jws_encode, signer, verifier

KEY = create_secret_key(256)
NOW = datetime(2027, 1, 1, tzinfo=UTC)
T = 1_798_761_600  # the same, in seconds

EXPIRED = "the token has expired; get a new token from its issuer"
EARLY = "the token is not valid yet; wait, or compare the clocks"
FUTURE = "the token was issued in the future; compare the clocks"
LACKS = "the token does not have {}, which is required; reject the token"
DIFFERS = "{} of the token does not have the required value; reject the token: it was issued for something else"
NO_TIME = "the claim {} of the token is not a time in seconds (RFC 7519 §2); get a new token from its issuer"
DRIFT = "time_drift must be a whole number of seconds from 0 to 600; correct the clock instead"
TTL = "the ttl of a token must be a whole number of seconds from 1 to 315360000; such as 900"
CLOCK = "the clock must return a datetime with a time zone, such as datetime.now(UTC)"


def decode(claims: dict[str, object], **more: Any) -> dict[str, object]:
    """What is left of a token with these claims at the beginning of 2027."""
    token = jws_encode(claims, KEY, signature_algorithm="HS256")
    return jws_decode(token, KEY, signature_algorithm="HS256", **{"clock": lambda: NOW, **more})


@pytest.mark.parametrize(
    ("claims", "drift"),
    [
        pytest.param({}, 0, id="no times"),
        pytest.param({"exp": T + 1}, 0, id="a second before exp"),
        pytest.param({"exp": T + 0.5}, 0, id="half a second before exp"),
        pytest.param({"exp": T}, 1, id="exp within the drift"),
        pytest.param({"exp": T - 599}, 600, id="exp within the largest drift"),
        pytest.param({"nbf": T}, 0, id="at nbf"),
        pytest.param({"nbf": T + 5}, 5, id="nbf within the drift"),
        pytest.param({"iat": T}, 0, id="at iat"),
        pytest.param({"iat": T + 5}, 5, id="iat within the drift"),
        pytest.param({"iat": 0, "nbf": 0, "exp": 2**53}, 0, id="from 1970 to the last"),
        pytest.param({"nbf": -(2**53)}, 0, id="before 1970"),
    ],
)
def test_tokens_that_are_good_now(claims: dict[str, object], drift: int) -> None:
    """`exp` is the first moment at which a token is no longer good, `nbf` and `iat` are the first at which it is."""
    assert decode(claims, time_drift=drift) == claims


@pytest.mark.parametrize(
    ("claims", "drift", "kind", "message"),
    [
        pytest.param({"exp": T}, 0, ExpiredTokenError, EXPIRED, id="at exp"),
        pytest.param({"exp": T - 0.5}, 0, ExpiredTokenError, EXPIRED, id="half a second after exp"),
        pytest.param({"exp": T - 5}, 5, ExpiredTokenError, EXPIRED, id="exp and the drift"),
        pytest.param({"exp": -1}, 0, ExpiredTokenError, EXPIRED, id="before 1970"),
        pytest.param({"exp": 0, "nbf": T + 9}, 0, ExpiredTokenError, EXPIRED, id="expired before it began"),
        pytest.param({"nbf": T + 1}, 0, InvalidClaimError, EARLY, id="a second before nbf"),
        pytest.param({"nbf": T + 601}, 600, InvalidClaimError, EARLY, id="nbf beyond the largest drift"),
        pytest.param({"iat": T + 1}, 0, InvalidClaimError, FUTURE, id="iat in the future"),
    ],
)
def test_tokens_that_are_not_good_now(
    claims: dict[str, object], drift: int, kind: type[KeywrightError], message: str
) -> None:
    assert refused(decode, claims, time_drift=drift) == (kind, message)


@pytest.mark.parametrize("name", ["iat", "nbf", "exp"])
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="null"),
        pytest.param(True, id="true"),
        pytest.param("1798761600", id="text"),
        pytest.param(2**53 + 1, id="integer too large"),
        pytest.param(-(2**53) - 1, id="integer too small"),
        pytest.param(1e308, id="float too large"),
    ],
)
def test_times_that_are_none(name: str, value: object) -> None:
    """A time is a number of seconds that every reader understands alike; no one reads another, nor makes one."""
    token = signer(KEY, "HS256").sign({name: value})
    no_reader = (
        f"the claim {name} is not a time in seconds (RFC 7519 §2), so no receiver would accept the token; "
        f"pass the seconds since 1970, in UTC"
    )

    of_decode = refused(jws_decode, token, KEY, signature_algorithm="HS256")
    assert of_decode == (MalformedTokenError, NO_TIME.format(name))
    assert refused(jws_encode, {name: value}, KEY, signature_algorithm="HS256") == (FormatError, no_reader)
    assert refused(jwe_encode, {name: value}, KEY, **names("A256KW")) == (FormatError, no_reader)


@pytest.mark.parametrize(
    "drift",
    [-1, 601, 1.0, 0.5, True, False, None, "5", b"5", float("inf"), float("nan"), 10**400, timedelta(seconds=1)],
)
def test_drifts_that_are_none(drift: object) -> None:
    assert refused(decode, {}, time_drift=drift) == (ConfigError, DRIFT)


@pytest.mark.parametrize("ttl", [0, -1, 315_360_001, 1.5, True, "60", None, 10**400, timedelta(minutes=1)])
def test_times_to_live_that_are_none(ttl: Any) -> None:
    if ttl is None:
        assert decode({}) == {}
        return
    assert refused(jws_encode, {}, KEY, signature_algorithm="HS256", ttl=ttl) == (ConfigError, TTL)


@pytest.mark.parametrize("name", ["iat", "nbf", "exp"])
def test_a_ttl_beside_times_is_refused(name: str) -> None:
    assert refused(jws_encode, {name: 1}, KEY, signature_algorithm="HS256", ttl=60) == (
        ConfigError,
        "the claims have iat, nbf or exp, which ttl would set; leave out the claim, or ttl",
    )


def test_a_ttl_changes_no_claims_of_the_callers() -> None:
    """The mapping that was given stays as it was; fractions of the clock's seconds are dropped."""
    claims: dict[str, object] = {"sub": "a"}
    key = create_secret_key(256)

    token = jws_encode(claims, key, signature_algorithm="HS256", ttl=1, clock=lambda: NOW + timedelta(microseconds=9))

    assert claims == {"sub": "a"}
    found = jws_decode(token, key, signature_algorithm="HS256", clock=lambda: NOW)
    assert found == {"sub": "a", "iat": T, "nbf": T, "exp": T + 1}


@pytest.mark.parametrize("claims", [None, 7, "", "sub", b"", b'{"sub":"a"}', [], [("sub", "a")], ()], ids=repr)
@pytest.mark.parametrize("ttl", [None, 60])
def test_claims_that_are_none(claims: Any, ttl: int | None) -> None:
    assert refused(jws_encode, claims, KEY, signature_algorithm="HS256", ttl=ttl) == (
        FormatError,
        "the claims of a token must be a mapping; bytes are for the sign of a token signer",
    )


@pytest.mark.parametrize(
    "now",
    [None, T, float(T), "2027-01-01", NOW.replace(tzinfo=None), NOW.date()],
    ids=repr,
)
def test_clocks_that_are_none(now: Any) -> None:
    """A time without a zone means another moment on each machine."""
    assert refused(decode, {"exp": T}, clock=lambda: now) == (ConfigError, CLOCK)
    of_encode = refused(jws_encode, {}, KEY, signature_algorithm="HS256", ttl=1, clock=lambda: now)
    assert of_encode == (ConfigError, CLOCK)


def test_a_clock_of_another_zone_says_the_same() -> None:
    """The moment counts, not how it is written; and the system's clock is used without one."""
    there = datetime(2027, 1, 1, 5, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))

    assert decode({"exp": T + 1, "nbf": T}, clock=lambda: there) == {"exp": T + 1, "nbf": T}
    assert decode({"iat": 0, "exp": 2**53}, clock=None) == {"iat": 0, "exp": 2**53}


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        pytest.param({"iss": "a"}, {"iss": "a"}, id="text"),
        pytest.param({"n": 1}, {"n": 1.0}, id="the same number"),
        pytest.param({"n": None}, {"n": None}, id="null"),
        pytest.param({"n": True}, {"n": True}, id="true"),
        pytest.param({"n": [1, "a", {"b": True}]}, {"n": [1, "a", {"b": True}]}, id="list"),
        pytest.param({"n": [1, "a"]}, {"n": (1, "a")}, id="tuple"),
        pytest.param({"n": {"a": [1]}}, {"n": {"a": [1]}}, id="object"),
        pytest.param({"aud": "a"}, {"aud": "a"}, id="aud"),
        pytest.param({"aud": ["b", "a"]}, {"aud": "a"}, id="one of aud"),
        pytest.param({"aud": ["a", "b"]}, {"aud": ["a", "b"]}, id="all of aud"),
        pytest.param({"aud": ["a", "b"]}, {"aud": ("a", "b")}, id="all of aud, a tuple"),
    ],
)
def test_claims_that_are_expected(claims: dict[str, object], expected: dict[str, object]) -> None:
    """Each expected claim is there, and just that; `aud` may be one of a list (RFC 7519 §4.1.3)."""
    assert decode(claims, check_claims=expected) == claims


@pytest.mark.parametrize(
    ("claims", "expected", "message"),
    [
        pytest.param({}, {"iss": None}, LACKS, id="missing is not null"),
        pytest.param({"ISS": "a"}, {"iss": "a"}, LACKS, id="other case of the name"),
        pytest.param({"iss": "A"}, {"iss": "a"}, DIFFERS, id="other case"),
        pytest.param({"n": 1}, {"n": True}, DIFFERS, id="1 is not true"),
        pytest.param({"n": 0}, {"n": False}, DIFFERS, id="0 is not false"),
        pytest.param({"n": True}, {"n": 1}, DIFFERS, id="true is not 1"),
        pytest.param({"n": [1]}, {"n": [True]}, DIFFERS, id="inside a list"),
        pytest.param({"n": {"a": 0}}, {"n": {"a": False}}, DIFFERS, id="inside an object"),
        pytest.param({"n": "1"}, {"n": 1}, DIFFERS, id="text is not a number"),
        pytest.param({"n": None}, {"n": False}, DIFFERS, id="null is not false"),
        pytest.param({"n": [1, 2]}, {"n": [1]}, DIFFERS, id="longer list"),
        pytest.param({"n": [1, 2]}, {"n": [2, 1]}, DIFFERS, id="other order"),
        pytest.param({"n": {"a": 1, "b": 2}}, {"n": {"a": 1}}, DIFFERS, id="larger object"),
        pytest.param({"aud": []}, {"aud": "a"}, DIFFERS, id="aud empty"),
        pytest.param({"aud": "a"}, {"aud": ["a"]}, DIFFERS, id="a list for one aud"),
        pytest.param({"aud": ["a", "b"]}, {"aud": ["a"]}, DIFFERS, id="a shorter list of aud"),
        pytest.param({"aud": [1]}, {"aud": True}, DIFFERS, id="1 in aud is not true"),
        pytest.param({"aud": [["a"]]}, {"aud": "a"}, DIFFERS, id="list in aud"),
        pytest.param({}, {"https://example.org/role": "a"}, LACKS, id="a name that is a URL"),
    ],
)
def test_claims_that_differ(claims: dict[str, object], expected: dict[str, object], message: str) -> None:
    """What is missing or anything else is refused; Python's own equality takes 1 for True."""
    (name,) = expected

    assert refused(decode, claims, check_claims=expected) == (
        InvalidClaimError,
        message.format(f"the claim {name}"),
    )


@pytest.mark.parametrize("name", ["", "a b", "a\n", "\N{LATIN SMALL LETTER E WITH ACUTE}", "a" * 65])
def test_a_claim_of_an_odd_name_is_not_named(name: str) -> None:
    assert refused(decode, {}, check_claims={name: 1})[1] == LACKS.format("a claim")
    assert refused(decode, {name: 2}, check_claims={name: 1})[1] == DIFFERS.format("a claim")


@pytest.mark.parametrize("expected", [7, "iss", ["iss"], [("iss", "a")], {1: "a"}, {None: "a"}, b"iss"], ids=repr)
def test_expectations_that_are_none(expected: object) -> None:
    assert refused(decode, {"iss": "a"}, check_claims=expected) == (
        ConfigError,
        'check_claims must be a mapping of claim names to required values; such as {"aud": "api"}',
    )


def test_nothing_is_read_before_the_signature_holds() -> None:
    forged = signer(create_secret_key(256), "HS256").sign(b'{"exp":"no time"')

    assert type(refusal(jws_decode, forged, KEY, signature_algorithm="HS256")) is InvalidSignatureError


def test_what_a_bound_one_was_bound_with_is_not_said_again() -> None:
    """An algorithm, headers or leniency beside a bound signer or verifier would be without effect."""
    tokens, bound = signer(KEY, "HS256"), verifier(KEY, algorithms=["HS256"])
    token = jws_encode({"sub": "a"}, tokens)
    encoding: list[dict[str, Any]] = [{"signature_algorithm": "HS256"}, {"headers": {}}]
    decoding: list[dict[str, Any]] = [{"signature_algorithm": "HS256"}, {"allow_padding": True}]

    assert jws_decode(token, bound) == {"sub": "a"}
    for more in encoding:
        assert refused(jws_encode, {}, tokens, **more) == (
            ConfigError,
            "a token signer was bound with its algorithm and headers; leave them out, or bind another one",
        )
    for more in decoding:
        assert refused(jws_decode, token, bound, **more) == (
            ConfigError,
            "a token verifier was bound with its algorithms and leniency; leave them out, or bind another one",
        )


@pytest.mark.parametrize("audience", ["", [], None, 0, False, {}])
@pytest.mark.parametrize("expected", [None, {}, {"sub": "a"}], ids=["none", "nothing", "something else"])
def test_an_audience_that_is_nobody_is_an_audience(audience: object, expected: Any) -> None:
    """A token that has an `aud`, however empty, is refused by who does not say which one it is (RFC 7519 §4.1.3)."""
    assert refused(decode, {"sub": "a", "aud": audience}, check_claims=expected) == (
        InvalidClaimError,
        'the token has an "aud" claim; pass the expected one: --claim aud=NAME, or check_claims={"aud": NAME}',
    )
