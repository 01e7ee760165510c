"""`jwe_encode` and `jwe_decode`: Xano's functions of these names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from keywright import Decrypter, Encrypter, Key, Secret
from keywright.errors import FormatError, KeywrightError
from keywright_jose.claims import Clock, check_drift, check_said_times, read_claims
from keywright_jose.claims import check_claims as check
from keywright_jose.jwe_decryption import decrypted_token
from keywright_jose.jwe_encryption import encrypted_token
from keywright_jose.jwe_keys import taken_key
from keywright_jose.token_json import write_object

__all__ = ["jwe_decode", "jwe_encode"]


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
        FormatError: the claims are nothing that JSON can carry, or too much; `iat`, `nbf` or `exp` is no time.
        KeywrightError: as `keywright_jose.jwe_encrypt`.
    """
    given, written = taken_key(key), _written(claims)
    del key, claims
    if isinstance(written, KeywrightError):
        raise written
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
    """The claims of an encrypted token that is valid now, and that says what is expected.

    Args:
        token: in the compact serialization.
        key: as for `keywright_jose.jwe_decrypt`.
        key_algorithm: the same.
        content_algorithm: the same.
        check_claims: claims that must be there and be just that; `aud` may be one of a list.
        time_drift: how many seconds the issuer's clock may be off, 600 at most.
        clock: the time; that of the system by default.

    Raises:
        MalformedTokenError: it is no token, or its plaintext no JSON object with each member once, or a time no number.
        InvalidSignatureError: it was encrypted for another key or with another algorithm, or changed.
        ExpiredTokenError, InvalidClaimError: it is not good now, or for this.
        ConfigError: `time_drift` or `check_claims` is wrong, or the clock gives no time with a zone.
        KeywrightError: as `keywright_jose.jwe_decrypt`.
    """
    given = taken_key(key)
    del key
    drift = check_drift(time_drift)
    found = decrypted_token(token, given, key_algorithm, content_algorithm)
    # Before the claims are in sight: whatever a clock raises passes through here.
    now = datetime.now(UTC) if clock is None else clock()
    outcome = _checked(found.plaintext, check_claims, drift, lambda: now)
    if isinstance(outcome, KeywrightError):
        raise outcome
    return outcome


def _written(claims: object) -> Secret | KeywrightError:
    """It returns its refusal without the frames that hold the claims: they are a secret."""
    if not isinstance(claims, Mapping):
        return FormatError("the claims of a token are a mapping; bytes are for jwe_encrypt")
    try:
        check_said_times(claims)
        return Secret(write_object(claims, "the claims of a token"))
    except KeywrightError as error:
        return error.with_traceback(None)


def _checked(
    plaintext: Secret, expected: Mapping[str, object] | None, drift: int, clock: Clock
) -> dict[str, object] | KeywrightError:
    """As `_written`."""
    try:
        claims = read_claims(plaintext.reveal())
        check(claims, expected, drift, clock)
    except KeywrightError as error:
        return error.with_traceback(None)
    return claims
