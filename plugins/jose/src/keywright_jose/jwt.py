"""JSON Web Tokens (RFC 7519): claims, signed (`jws_encode`, `jws_decode`) or encrypted (`jwe_encode`, `jwe_decode`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeGuard

from keywright import Decrypter, Encrypter, Key, Secret, Signer, Verifier
from keywright.errors import (
    ConfigError,
    ExpiredTokenError,
    FormatError,
    InvalidClaimError,
    KeywrightError,
)
from keywright_jose.compact import GET_AGAIN, malformed
from keywright_jose.json import is_whole, read_object, write_object
from keywright_jose.jwe.keys import hide_jwe_key
from keywright_jose.jwk.inputs import hide_key
from keywright_jose.jws import TokenSigner, TokenVerifier, bound_signer, bound_verifier, verify

Clock = Callable[[], datetime]

MAXIMUM_DRIFT: Final = 600
"""In seconds; a clock that is wrong by more has to be corrected."""

MAXIMUM_TTL: Final = 10 * 365 * 86_400
"""In seconds; a longer time is no limit in practice."""

_CLAIM: Final = "[A-Za-z0-9_.:/#-]{1,64}"
_TIMES: Final = ("iat", "nbf", "exp")
_LATEST: Final = 2**53  # beyond it, JSON readers disagree about integers (RFC 8259 §6)


def with_times(claims: Mapping[str, object], ttl: int | None, clock: Clock | None) -> Mapping[str, object]:
    """The claims, and with a `ttl` in seconds `iat` and `nbf` (now) and `exp` (now and `ttl`).

    Raises:
        ConfigError: `ttl` is not a whole number from 1 to ten years, the claims hold one of the three already, or the
            clock gives no time with a zone.
        FormatError: the claims are not a mapping, or as `check_time_claims`.
    """
    if not isinstance(claims, Mapping):
        raise FormatError("the claims of a token must be a mapping", hint="bytes are for the sign of a token signer")
    check_time_claims(claims)
    if ttl is None:
        return claims
    if not is_whole(ttl, 1, MAXIMUM_TTL):
        raise ConfigError(
            f"the ttl of a token must be a whole number of seconds from 1 to {MAXIMUM_TTL}", hint="such as 900"
        )
    if any(name in claims for name in _TIMES):
        raise ConfigError("the claims have iat, nbf or exp, which ttl would set", hint="leave out the claim, or ttl")
    now = int(_now(clock))
    return {**claims, "iat": now, "nbf": now, "exp": now + ttl}


def check_time_claims(claims: Mapping[str, object]) -> None:
    """Refuse to make a token that no reader would accept.

    Raises:
        FormatError: `iat`, `nbf` or `exp` is there, and no time in seconds.
    """
    for name in _TIMES:
        if name in claims and not _is_time(claims[name]):
            raise FormatError(
                f"the claim {name} is not a time in seconds (RFC 7519 §2), so no receiver would accept the token",
                hint="pass the seconds since 1970, in UTC",
            )


def read_claims(payload: bytes) -> dict[str, object]:
    """The claims in a payload. Raises: MalformedTokenError, as `read_object`."""
    return read_object(payload, "the payload of the token")


def check_drift(time_drift: object) -> int:
    """How many seconds the issuer's clock may be off.

    Raises:
        ConfigError: it is not a whole number from 0 to 600.
    """
    if not is_whole(time_drift, 0, MAXIMUM_DRIFT):
        raise ConfigError(
            f"time_drift must be a whole number of seconds from 0 to {MAXIMUM_DRIFT}", hint="correct the clock instead"
        )
    return time_drift


def validate_claims(
    claims: Mapping[str, object], expected: Mapping[str, object] | None, time_drift: int, clock: Clock | None
) -> None:
    """Check the times, if the token has any, and that each expected claim is there and is just that.

    `aud` may be a list: then the expected one must be in it. A token that has an `aud` is refused if none is
    expected (RFC 7519 §4.1.3).

    Raises:
        ExpiredTokenError: it is past `exp`.
        InvalidClaimError: it is before `nbf`, issued in the future, or a claim is not the expected one.
        MalformedTokenError: a time is not a number.
        ConfigError: `expected` is not a mapping of texts, or the clock gives no time with a zone.
    """
    if not _is_expectation(expected):
        raise ConfigError(
            "check_claims must be a mapping of claim names to required values", hint='such as {"aud": "api"}'
        )
    _check_times(claims, _now(clock), time_drift)
    if "aud" in claims and "aud" not in (expected or {}):
        raise InvalidClaimError(
            'the token has an "aud" claim',
            hint='pass the expected one: --claim aud=NAME, or check_claims={"aud": NAME}',
        )
    for name, value in (expected or {}).items():
        if name not in claims:
            raise InvalidClaimError(
                f"the token does not have {_describe(name)}, which is required", hint="reject the token"
            )
        if not _agrees(name, claims[name], value):
            raise InvalidClaimError(
                f"{_describe(name)} of the token does not have the required value",
                hint="reject the token: it was issued for something else",
            )


def _describe(name: str) -> str:
    """An expected claim, in a message; its name as long as it looks like one."""
    return f"the claim {name}" if re.fullmatch(_CLAIM, name) else "a claim"


def _check_times(claims: Mapping[str, object], now: float, drift: int) -> None:
    issued, start, end = _time(claims, "iat"), _time(claims, "nbf"), _time(claims, "exp")
    if end is not None and now >= end + drift:
        raise ExpiredTokenError("the token has expired", hint=GET_AGAIN)
    if start is not None and now < start - drift:
        raise InvalidClaimError("the token is not valid yet", hint="wait, or compare the clocks")
    if issued is not None and now < issued - drift:
        raise InvalidClaimError("the token was issued in the future", hint="compare the clocks")


def _is_expectation(expected: object) -> bool:
    return expected is None or (isinstance(expected, Mapping) and all(isinstance(name, str) for name in expected))


def _time(claims: Mapping[str, object], name: str) -> float | None:
    if name not in claims:
        return None
    time = claims[name]
    if not _is_time(time):
        raise malformed(f"the claim {name} of the token is not a time in seconds (RFC 7519 §2)")
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
        raise ConfigError("the clock must return a datetime with a time zone, such as datetime.now(UTC)")
    return now.timestamp()


def jws_encode(
    claims: Mapping[str, object],
    key: Mapping[str, object] | Signer | TokenSigner,
    *,
    signature_algorithm: str | None = None,
    headers: Mapping[str, object] | None = None,
    ttl: int | None = None,
    clock: Clock | None = None,
) -> str:
    """A signed token of these claims.

    Args:
        claims: JSON values by text.
        key: as for `keywright_jose.signer`, or a token signer, which has its own algorithm and headers.
        signature_algorithm: as for `keywright_jose.signer`; left out with a token signer.
        headers: the same.
        ttl: how long it is good for, in seconds; sets `iat`, `nbf` and `exp`.
        clock: the time; that of the system by default.

    Raises:
        ConfigError: `ttl` is not valid, or the claims set those times themselves; an argument is passed that the
            token signer was bound with; as `signer`.
        FormatError: JSON cannot represent the claims, or they are too long; `iat`, `nbf` or `exp` is not a time.
        KeywrightError: as `signer`.
    """
    given = key if isinstance(key, TokenSigner) else hide_key(key)
    del key
    if not isinstance(given, TokenSigner):
        bound = bound_signer(given, signature_algorithm, headers)
    elif signature_algorithm is None and headers is None:
        bound = given
    else:
        raise ConfigError(
            "a token signer was bound with its algorithm and headers", hint="leave them out, or bind another one"
        )
    return bound.sign(with_times(claims, ttl, clock))


def jws_decode(
    token: str | bytes,
    key: Mapping[str, object] | Verifier | TokenVerifier,
    *,
    signature_algorithm: str | None = None,
    check_claims: Mapping[str, object] | None = None,
    time_drift: int = 0,
    clock: Clock | None = None,
    allow_padding: bool = False,
) -> dict[str, object]:
    """The claims of a token whose signature is valid, that is valid now, and that has the expected claims.

    Args:
        token: in the compact serialization.
        key: as for `keywright_jose.verifier`, or a token verifier, which has its own algorithm and `allow_padding`.
        signature_algorithm: the one that is allowed; needed unless the key says its own; left out with a token
            verifier.
        allow_padding: as for `keywright_jose.verifier`; left out with a token verifier.
        check_claims: claims that must be there and be just that; `aud` may be one of a list.
        time_drift: how many seconds the issuer's clock may be off, 600 at most.
        clock: the time; that of the system by default.

    Raises:
        MalformedTokenError: it is not a token, its payload not a JSON object with each member once, or a time not a
            number.
        InvalidSignatureError: it was made with another key or algorithm, or changed.
        ExpiredTokenError, InvalidClaimError: it is not good now, or for this.
        ConfigError: `time_drift` or `check_claims` is wrong; an argument is passed that the token verifier was
            bound with; as `verifier`.
        KeywrightError: as `verifier`.
    """
    given = key if isinstance(key, TokenVerifier) else hide_key(key)
    del key
    drift = check_drift(time_drift)
    allowed = None if signature_algorithm is None else [signature_algorithm]
    if isinstance(given, TokenVerifier):
        found = verify(token, given, algorithms=allowed, allow_padding=allow_padding)
    else:
        found = bound_verifier(given, allowed, allow_padding=allow_padding).verify(token)
    claims = read_claims(found.payload)
    validate_claims(claims, check_claims, drift, clock)
    return claims


def jwe_encode(
    claims: Mapping[str, object],
    key: Mapping[str, object] | Key | Encrypter,
    *,
    key_algorithm: str,
    content_algorithm: str,
    headers: Mapping[str, object] | None = None,
) -> str:
    """An encrypted token of these claims.

    Args:
        claims: JSON values by text.
        key: as for `keywright_jose.jwe_encrypt`.
        key_algorithm: the same.
        content_algorithm: the same.
        headers: the same.

    Raises:
        FormatError: JSON cannot represent the claims, or they are too long; `iat`, `nbf` or `exp` is not a time.
        KeywrightError: as `keywright_jose.jwe_encrypt`.
    """
    given, written = hide_jwe_key(key), _written(claims)
    del key, claims
    if isinstance(written, KeywrightError):
        raise written
    from keywright_jose.jwe.token import encrypted_token

    return encrypted_token(written, given, key_algorithm, content_algorithm, headers)


def jwe_decode(
    token: str | bytes,
    key: Mapping[str, object] | Key | Decrypter,
    *,
    key_algorithm: str,
    content_algorithm: str,
    check_claims: Mapping[str, object] | None = None,
    time_drift: int = 0,
    clock: Clock | None = None,
) -> dict[str, object]:
    """The claims of an encrypted token that is valid now, and that has the expected claims.

    Args:
        token: in the compact serialization.
        key: as for `keywright_jose.jwe_decrypt`.
        key_algorithm: the same.
        content_algorithm: the same.
        check_claims: claims that must be there and be just that; `aud` may be one of a list.
        time_drift: how many seconds the issuer's clock may be off, 600 at most.
        clock: the time; that of the system by default.

    Raises:
        MalformedTokenError: it is not a token, its plaintext not a JSON object with each member once, or a time not a
            number.
        InvalidSignatureError: it was encrypted for another key or with another algorithm, or changed.
        ExpiredTokenError, InvalidClaimError: it is not good now, or for this.
        ConfigError: `time_drift` or `check_claims` is wrong, or the clock gives no time with a zone.
        KeywrightError: as `keywright_jose.jwe_decrypt`.
    """
    given = hide_jwe_key(key)
    del key
    from keywright_jose.jwe.token import decrypted_token

    drift = check_drift(time_drift)
    found = decrypted_token(token, given, key_algorithm, content_algorithm)
    # Before the claims are in sight: whatever a clock raises passes through here.
    now = datetime.now(UTC) if clock is None else clock()
    outcome = _checked_claims(found.plaintext, check_claims, drift, lambda: now)
    if isinstance(outcome, KeywrightError):
        raise outcome
    return outcome


def _written(claims: object) -> Secret | KeywrightError:
    """It returns its refusal without the frames that hold the claims: they are a secret."""
    if not isinstance(claims, Mapping):
        return FormatError("the claims of a token must be a mapping", hint="bytes are for jwe_encrypt")
    try:
        check_time_claims(claims)
        return Secret(write_object(claims, "the claims of a token"))
    except KeywrightError as error:
        return error.with_traceback(None)


def _checked_claims(
    plaintext: Secret, expected: Mapping[str, object] | None, drift: int, clock: Clock
) -> dict[str, object] | KeywrightError:
    """As `_written`."""
    try:
        claims = read_claims(plaintext.reveal())
        validate_claims(claims, expected, drift, clock)
    except KeywrightError as error:
        return error.with_traceback(None)
    return claims
