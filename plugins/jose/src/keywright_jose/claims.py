"""What a token claims (RFC 7519 §4): set when it is made, checked when it is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeGuard

from keywright.errors import ConfigError, ExpiredTokenError, FormatError, InvalidClaimError, MalformedTokenError
from keywright_jose.token_json import read_object

__all__ = [
    "MAXIMUM_DRIFT",
    "MAXIMUM_TTL",
    "Clock",
    "check_claims",
    "check_drift",
    "check_said_times",
    "read_claims",
    "with_times",
]

Clock = Callable[[], datetime]

MAXIMUM_DRIFT: Final = 600
"""In seconds; whose clock is wrong by more has to be mended."""

MAXIMUM_TTL: Final = 10 * 365 * 86_400
"""In seconds; what is good for longer has no end that anybody plans for."""

_CLAIM: Final = "[A-Za-z0-9_.:/#-]{1,64}"
_TIMES: Final = ("iat", "nbf", "exp")
_LATEST: Final = 2**53  # beyond it, JSON readers disagree about integers (RFC 8259 §6)


def with_times(claims: Mapping[str, object], ttl: int | None, clock: Clock | None) -> Mapping[str, object]:
    """The claims, and with a `ttl` in seconds `iat` and `nbf` (now) and `exp` (now and `ttl`).

    Raises:
        ConfigError: `ttl` is no whole number from 1 to ten years, the claims hold one of the three already, or the
            clock gives no time with a zone.
        FormatError: the claims are no mapping, or as `check_said_times`.
    """
    if not isinstance(claims, Mapping):
        raise FormatError("the claims of a token are a mapping; bytes are for the sign of a token signer")
    check_said_times(claims)
    if ttl is None:
        return claims
    if not _is_whole(ttl, 1, MAXIMUM_TTL):
        raise ConfigError(f"the ttl of a token is a whole number of seconds from 1 to {MAXIMUM_TTL}; choose another")
    if any(name in claims for name in _TIMES):
        raise ConfigError("the claims say iat, nbf or exp, which the ttl would set; leave out one or the other")
    now = int(_now(clock))
    return {**claims, "iat": now, "nbf": now, "exp": now + ttl}


def check_said_times(claims: Mapping[str, object]) -> None:
    """Refuse a token that nobody would take.

    Raises:
        FormatError: `iat`, `nbf` or `exp` is there, and no time in seconds.
    """
    for name in _TIMES:
        if name in claims and not _is_time(claims[name]):
            raise FormatError(
                f"the claim {name} is no time in seconds (RFC 7519 §2), so nobody would take the token; correct it"
            )


def read_claims(payload: bytes) -> dict[str, object]:
    """The claims in a payload. Raises: MalformedTokenError, as `read_object`."""
    return read_object(payload, "the payload of the token")


def check_drift(time_drift: object) -> int:
    """How many seconds the issuer's clock may be off.

    Raises:
        ConfigError: it is no whole number from 0 to 600.
    """
    if not isinstance(time_drift, int) or not _is_whole(time_drift, 0, MAXIMUM_DRIFT):
        raise ConfigError(f"time_drift is a whole number of seconds from 0 to {MAXIMUM_DRIFT}; mend the clock instead")
    return time_drift


def check_claims(
    claims: Mapping[str, object], expected: Mapping[str, object] | None, time_drift: int, clock: Clock | None
) -> None:
    """Check the times, if the token has any, and that each expected claim is there and is just that.

    `aud` may be a list: then the expected one must be in it. A token that has an `aud` is refused by who does not say
    which audience it is (RFC 7519 §4.1.3).

    Raises:
        ExpiredTokenError: it is past `exp`.
        InvalidClaimError: it is before `nbf`, issued in the future, or says something else than was expected.
        MalformedTokenError: a time is no number.
        ConfigError: `expected` is no mapping of texts, or the clock gives no time with a zone.
    """
    if not _is_expectation(expected):
        raise ConfigError("check_claims is a mapping of claims to what they must be; correct it")
    _check_times(claims, _now(clock), time_drift)
    if "aud" in claims and "aud" not in (expected or {}):
        raise InvalidClaimError(
            "the token is made for an audience (aud), and nobody said that it is this one; say which aud is expected"
        )
    for name, value in (expected or {}).items():
        if name not in claims:
            raise InvalidClaimError(f"the token lacks {_named(name)}, which is expected of it; refuse it")
        if not _agrees(name, claims[name], value):
            raise InvalidClaimError(
                f"{_named(name)} of the token is not what is expected; it was made for something else"
            )


def _named(name: str) -> str:
    """An expected claim, in a message; its name as long as it looks like one."""
    return f"the claim {name}" if re.fullmatch(_CLAIM, name) else "a claim"


def _check_times(claims: Mapping[str, object], now: float, drift: int) -> None:
    issued, start, end = (_time(claims, name) for name in _TIMES)
    if end is not None and now >= end + drift:
        raise ExpiredTokenError("the token has expired; get a new one")
    if start is not None and now < start - drift:
        raise InvalidClaimError("the token is not valid yet; wait, or compare the clocks")
    if issued is not None and now < issued - drift:
        raise InvalidClaimError("the token was issued in the future; compare the clocks")


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_expectation(expected: object) -> bool:
    return expected is None or (isinstance(expected, Mapping) and all(isinstance(name, str) for name in expected))


def _time(claims: Mapping[str, object], name: str) -> float | None:
    if name not in claims:
        return None
    time = claims[name]
    if not _is_time(time):
        raise MalformedTokenError(
            f"the claim {name} of the token is no time in seconds (RFC 7519 §2); have it reissued"
        )
    return time


def _is_time(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LATEST


def _agrees(name: str, found: object, expected: object) -> bool:
    if name == "aud" and isinstance(found, list) and not isinstance(expected, list | tuple):
        return any(_same(one, expected) for one in found)
    return _same(found, expected)


def _same(found: object, expected: object) -> bool:
    """Equal, and of one kind: to Python, 1 is True."""
    if isinstance(found, dict) and isinstance(expected, Mapping):
        return found.keys() == expected.keys() and all(_same(found[name], expected[name]) for name in found)
    if isinstance(found, list) and isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(_same, found, expected))
    return isinstance(found, bool) == isinstance(expected, bool) and found == expected


def _now(clock: Clock | None) -> float:
    now: object = datetime.now(UTC) if clock is None else clock()
    if not isinstance(now, datetime) or now.utcoffset() is None:
        raise ConfigError("a clock gives the time as a datetime with a time zone, such as datetime.now(UTC)")
    return now.timestamp()
