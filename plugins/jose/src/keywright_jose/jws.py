"""`jws_encode` and `jws_decode`: Xano's functions of these names."""

from __future__ import annotations

from collections.abc import Mapping

from keywright import Signer, Verifier
from keywright.errors import ConfigError
from keywright_jose.claims import Clock, check_drift, read_claims, with_times
from keywright_jose.claims import check_claims as check
from keywright_jose.given_key import taken
from keywright_jose.jws_sign import TokenSigner, bound_signer
from keywright_jose.jws_verify import TokenVerifier, bound_verifier, verify

__all__ = ["jws_decode", "jws_encode"]


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
        ConfigError: `ttl` is none, or the claims set those times themselves; something is said beside a token
            signer that it was bound with; as `signer`.
        FormatError: the claims are nothing that JSON can carry, or too much; `iat`, `nbf` or `exp` is no time.
        KeywrightError: as `signer`.
    """
    given = key if isinstance(key, TokenSigner) else taken(key)
    del key
    if not isinstance(given, TokenSigner):
        bound = bound_signer(given, signature_algorithm, headers)
    elif signature_algorithm is None and headers is None:
        bound = given
    else:
        raise ConfigError(
            "a token signer was bound with its algorithm and headers; leave them out, or bind another one"
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
    """The claims of a token whose signature holds, that is valid now, and that says what is expected.

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
        MalformedTokenError: it is no token, or its payload no JSON object with each member once, or a time no number.
        InvalidSignatureError: it was made with another key or algorithm, or changed.
        ExpiredTokenError, InvalidClaimError: it is not good now, or for this.
        ConfigError: `time_drift` or `check_claims` is wrong; something is said beside a token verifier that it was
            bound with; as `verifier`.
        KeywrightError: as `verifier`.
    """
    given = key if isinstance(key, TokenVerifier) else taken(key)
    del key
    drift = check_drift(time_drift)
    allowed = None if signature_algorithm is None else [signature_algorithm]
    if isinstance(given, TokenVerifier):
        found = verify(token, given, algorithms=allowed, allow_padding=allow_padding)
    else:
        found = bound_verifier(given, allowed, allow_padding=allow_padding).verify(token)
    claims = read_claims(found.payload)
    check(claims, check_claims, drift, clock)
    return claims
