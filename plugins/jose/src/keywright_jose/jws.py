"""Signed tokens (RFC 7515): `signer` and `verifier` bind keys once, and each token is then a plain call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple, NoReturn, final

from keywright import BoundKey, BoundVerifier, Key, Signer, Verifier
from keywright.errors import (
    ConfigError,
    InvalidKeyError,
    InvalidSignatureError,
    PolicyError,
    UnsupportedOperationError,
)
from keywright_jose import compact
from keywright_jose.json import encode_segment, write_object
from keywright_jose.jwk.inputs import KeyInput, hide_key, keys_of_set, one_key
from keywright_jose.jwk.members import Members, is_set
from keywright_jose.jwk.usage import SIGNING
from keywright_jose.keys import check_use, own_algorithm

Holds = Callable[[bytes, bytes], bool]

_LONGEST_MESSAGE: Final = compact.MAXIMUM_BYTES - 1368  # what is left by a dot and base64url of 8192 bits


def algorithms_of(key_type: str) -> tuple[str, ...]:
    """Those that a key of this type can be used with; none for a type that does not sign."""
    return tuple(algorithm for algorithm, type_ in SIGNING.items() if type_ == key_type)


def check_algorithm(algorithm: object, what: str) -> str:
    """The name of a signature algorithm; `what` names the argument in messages.

    Raises:
        UnsupportedOperationError: it is not one.
    """
    if not isinstance(algorithm, str) or algorithm not in SIGNING:
        raise UnsupportedOperationError(f"{what} is not a signature algorithm", hint=f"use one of {', '.join(SIGNING)}")
    return algorithm


def check_allowed(algorithms: object, what: str = "each of algorithms") -> frozenset[str] | None:
    """The allow-list, checked; None without one. `what` names one of them in messages.

    Raises:
        ConfigError: it is a text, which would be taken apart letter by letter, or not a collection, or empty.
        UnsupportedOperationError: one of them is not a signature algorithm.
    """
    if algorithms is None:
        return None
    if isinstance(algorithms, str | bytes) or not isinstance(algorithms, Collection) or not algorithms:
        raise ConfigError("algorithms must be a list of names, and not empty", hint='such as ["ES256"]')
    return frozenset(check_algorithm(one, what) for one in algorithms)


def signer(
    key: Mapping[str, object] | Signer, algorithm: str | None = None, *, headers: Mapping[str, object] | None = None
) -> TokenSigner:
    """Bind a key for signing tokens.

    Args:
        key: a private JWK, or a signer of a ring, whose `kid` goes into each header.
        algorithm: what the header's `alg` says (`HS256`, `ES256`, …); needed unless the JWK has an `alg`. A ring's
            signer has been bound with its own.
        headers: more members of the header. Nothing is added that was not asked for: no `typ`, no `kid` of a JWK.

    Raises:
        ConfigError: `key` is not a key, or no algorithm is known.
        FormatError: JSON cannot represent `headers`, or a `kid`, `typ` or `cty` in them is not text.
        MalformedKeyError, UnsupportedKeyError: the JWK is malformed, or a JWK Set.
        InvalidKeyError: the key is weak, wrong, too short for the algorithm, or a public key taken for a secret.
        UnsupportedOperationError: the algorithm is unknown, or not one of the key's type; `headers` have `alg`, `crit`,
            `b64` or `zip`.
        NotExportableError: the key has no secret half.
        PolicyError: by its `alg`, `use` or `key_ops` the key is for something else, or `headers` say another `kid`
            than the key's.
    """
    given = hide_key(key)
    del key
    return bound_signer(given, algorithm, headers)


@final
class TokenSigner:
    """A key bound for signing tokens. Safe to use from threads, as a ring's `Signer` is."""

    __slots__ = ("_current", "_headers", "_last")

    def __init__(self, current: Callable[[], BoundKey], headers: Mapping[str, object]) -> None:
        """For `signer` alone. `current` gives the key that signs now."""
        self._current = current
        self._headers = dict(headers)
        self._last: tuple[BoundKey | None, bytes, Callable[[bytes], bytes]] = (None, b"", current().sign)
        self._bind(current())

    def sign(self, claims: Mapping[str, object] | bytes) -> str:
        """A token of these claims, or of these very bytes, in the compact serialization.

        Raises:
            FormatError: JSON cannot represent the claims, or they are too long.
            PolicyError, KeyNotFoundError, StoreError: the ring's key signs no more.
            UnsupportedOperationError: the version that took over signs with an algorithm that no token has.
        """
        bound = self._current()
        last, start, make = self._last
        if bound is not last:
            start, make = self._bind(bound)
        payload = claims if isinstance(claims, bytes) else write_object(claims, "the claims of a token")
        if len(payload) > compact.MAXIMUM_BYTES or len(message := start + encode_segment(payload)) > _LONGEST_MESSAGE:
            raise compact.too_long()
        return (message + b"." + encode_segment(make(message))).decode("ascii")

    def _bind(self, bound: BoundKey) -> tuple[bytes, Callable[[bytes], bytes]]:
        check_algorithm(bound.algorithm, "the algorithm of a token")
        header = {"alg": bound.algorithm, **({"kid": bound.kid} if bound.kid else {}), **self._headers}
        start = encode_segment(write_object(header, "the header of a token")) + b"."
        # One tuple, so that no thread signs with one key under another's header.
        self._last = (bound, start, bound.sign)
        return start, bound.sign

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a TokenSigner cannot be pickled, because it contains a key: bind the key in the other process")

    def __repr__(self) -> str:
        # Not the ring's word of now: a traceback with locals asks while looking up fails.
        last = self._last[0] if hasattr(self, "_last") else None
        return "<token signer>" if last is None else f"<token signer {last.algorithm}>"


def bound_signer(given: KeyInput, algorithm: str | None, headers: Mapping[str, object] | None) -> TokenSigner:
    """As `signer`, of a key that was hidden."""
    more = checked_headers(headers)
    if isinstance(given, Signer):
        _check_same(algorithm, given.algorithm, "a ring's signer")
        compact.check_kid(more, given.kid, "verify")
        more.pop("kid", None)
        return TokenSigner(given.current, more)
    key = one_key(given)
    chosen = _choose_algorithm(key, algorithm)
    check_use(key, "sig", ("sign",))
    compact.check_kid(more, key.kid, "verify")
    from keywright_jose._jose import signing_key

    # A JWK's kid goes into the header if that is asked for, so it is not the bound key's.
    bound = BoundKey("", 0, "", key.type, chosen, key.public, signing_key(key, chosen))
    return TokenSigner(lambda: bound, more)


def _choose_algorithm(key: Key, algorithm: str | None) -> str:
    own = own_algorithm(key)
    if algorithm is None and own is None:
        raise ConfigError(
            "the key has no alg, and no algorithm was given", hint="pass one, such as HS256 or ES256 (--algorithm)"
        )
    if own is not None:
        if own not in SIGNING:  # it may be any text, so it is not quoted
            raise PolicyError("the key is not for signatures (its alg)", hint="use a key that signs")
        _check_same(algorithm, own, "this key")
    chosen = check_algorithm(own if algorithm is None else algorithm, "the algorithm of a token")
    able = algorithms_of(key.type)
    if chosen not in able:
        can = f"it can with: {', '.join(able)}" if able else "it signs with none"
        raise UnsupportedOperationError(f"a key of type {key.type} does not sign with {chosen}", hint=can)
    return chosen


def _check_same(algorithm: str | None, own: str, whose: str) -> None:
    if algorithm is not None and algorithm != own:
        raise PolicyError(f"{whose} is restricted to {own}", hint="leave out the algorithm, or bind another key")


def checked_headers(headers: Mapping[str, object] | None, what: str = "headers") -> dict[str, object]:
    """More members of a header, if they may be there; `what` names them in messages.

    Raises:
        FormatError, UnsupportedOperationError: as `signer`.
    """
    return compact.further_members(headers, what, ("alg", "b64", "crit", "zip"), "signer")


class Jws(NamedTuple):
    """A token whose signature is valid.

    Attributes:
        header: its header.
        payload: the octets that were signed. Claims in them (expiry, audience) were not checked.
        kid: that of the key that verified it; None if the key has none.
        reference: `NAME@N`, the version of a ring's key; None if it was none.
    """

    header: dict[str, object]
    payload: bytes
    kid: str | None
    reference: str | None = None


def verify(
    token: str | bytes,
    key: Mapping[str, object] | Verifier | TokenVerifier,
    *,
    algorithms: Collection[str] | None = None,
    allow_padding: bool = False,
) -> Jws:
    """Verify a token in the compact serialization. For several, bind a `verifier`. Args and errors: as `verifier`.

    Raises:
        MalformedTokenError: it is not exactly what the RFC says a token is: three segments in canonical base64url,
            a header of one JSON object with each member once, nothing in it that is not understood (`crit`, `b64`,
            `zip`), an `alg` that is not `none`, 262144 bytes at most.
        InvalidSignatureError: it was made with another key or algorithm, or changed.
    """
    if isinstance(key, TokenVerifier):
        if algorithms is not None or allow_padding:
            raise ConfigError(
                "a token verifier was bound with its algorithms and leniency",
                hint="leave them out, or bind another one",
            )
        return key.verify(token)
    given = hide_key(key)
    del key
    return bound_verifier(given, algorithms, allow_padding=allow_padding).verify(token)


def verifier(
    key: Mapping[str, object] | Verifier, *, algorithms: Collection[str] | None = None, allow_padding: bool = False
) -> TokenVerifier:
    """Bind a key, or the keys of a set, for verifying tokens.

    Args:
        key: a JWK, a JWK Set, or a verifier of a ring.
        algorithms: those that are allowed; each key is used with those of its kind. Needed for keys without an
            `alg`; a ring's verifier has been bound with its own.
        allow_padding: take base64url with padding too, as some issuers write it. Nothing else is lenient.

    Raises:
        ConfigError: `key` is not a key, `algorithms` is a text or empty, or a key has no `alg` and there are none.
        MalformedKeyError, UnsupportedKeyError: a JWK is malformed.
        InvalidKeyError: a key is weak, wrong, too short for the algorithm, or a public key taken for a secret; a set
            has a `kid` twice, keys without one, symmetric keys beside others, or no key that verifies.
        UnsupportedOperationError: no algorithm that is allowed is one of the key's type.
        NotExportableError: an `oct` key without its octets.
        PolicyError: by its `alg`, `use` or `key_ops` the key is for something else.
    """
    given = hide_key(key)
    del key
    return bound_verifier(given, algorithms, allow_padding=allow_padding)


@final
class TokenVerifier:
    """Keys bound for verifying tokens. Safe to use from threads, as a ring's `Verifier` is."""

    __slots__ = ("_allow_padding", "_candidates")

    def __init__(self, candidates: Callable[[], tuple[Candidate, ...]], *, allow_padding: bool) -> None:
        """For `verifier` alone. `candidates` gives the keys that may verify now."""
        self._candidates = candidates
        self._allow_padding = allow_padding

    def verify(self, token: str | bytes) -> Jws:
        """What the token contains, if its signature is valid.

        Raises:
            MalformedTokenError, InvalidSignatureError: as `keywright_jose.verify`.
            PolicyError, UnsupportedOperationError, KeyNotFoundError, StoreError: the ring's key verifies no more, or
                not with these algorithms.
        """
        first, second, third = signed = compact.split_token(token, 3)
        if self._allow_padding:
            first, second, third = map(compact.unpadded, signed)
        header = compact.read_header(first)
        payload = compact.segment_octets(second, "payload")
        signature = compact.segment_octets(third, "signature")
        message = f"{signed[0]}.{signed[1]}".encode()
        for candidate in _fitting(self._candidates(), header):
            if candidate.checks[header.algorithm](message, signature):
                return Jws(header.copied(), payload, candidate.kid, candidate.reference)
        raise InvalidSignatureError(
            "the signature of the token is not valid", hint="it was modified, or signed with another key: reject it"
        )

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(
            "a TokenVerifier cannot be pickled, because it may contain a key: bind the key in the other process"
        )

    def __repr__(self) -> str:
        return "<token verifier>"


def bound_verifier(given: KeyInput, algorithms: Collection[str] | None, *, allow_padding: bool) -> TokenVerifier:
    """As `verifier`, of a key that was hidden."""
    allowed = check_allowed(algorithms)
    if isinstance(given, Verifier):
        return TokenVerifier(candidates_of_ring(given, allowed), allow_padding=allow_padding)
    if not isinstance(given, Members):
        raise ConfigError(
            "the key must be a JWK or JWK Set (a dict), or a verifier of a ring", hint="such as ring.verifier(NAME)"
        )
    candidates = candidates_of_members(given, allowed)
    return TokenVerifier(lambda: candidates, allow_padding=allow_padding)


def _fitting(candidates: tuple[Candidate, ...], header: compact.Header) -> tuple[Candidate, ...]:
    """Those that the header's `kid` and `alg` mean.

    Raises:
        InvalidSignatureError: there are none.
    """
    named = compact.meant_by(header.kid, candidates, of_ring=candidates[0].reference is not None)
    able = tuple(one for one in named if header.algorithm in one.checks)
    if not able:
        raise compact.rejected("the token was signed with an algorithm that its key does not allow")
    return able


class Candidate(NamedTuple):
    """One key.

    Attributes:
        kid: its own; None if it has none.
        checks: by algorithm, whether a signature of a message is valid.
        reference: `NAME@N`, if it is a ring's.
    """

    kid: str | None
    checks: dict[str, Holds]
    reference: str | None = None


def candidates_of_members(members: Members, allowed: frozenset[str] | None) -> tuple[Candidate, ...]:
    """Of a JWK or JWK Set. Raises: as `keywright_jose.verifier`."""
    if not is_set(members):
        return (_candidate(one_key(members), allowed),)
    found: list[Candidate] = []
    for key in keys_of_set(members):
        try:
            found.append(_candidate(key, allowed))
        except (PolicyError, UnsupportedOperationError):
            continue  # it is for something else (RFC 7517 §5); a token that names it finds no key
    if not found:
        raise InvalidKeyError(
            "this JWK Set has no key that verifies with these algorithms", hint="get the issuer's own set"
        )
    return tuple(found)


def candidates_of_ring(verifier: Verifier, allowed: frozenset[str] | None) -> Callable[[], tuple[Candidate, ...]]:
    """Of a ring's key: its versions that may verify when it is called.

    Raises:
        UnsupportedOperationError: none of them is bound with an algorithm that is allowed.
    """
    last: tuple[tuple[BoundVerifier, ...], tuple[Candidate, ...]] = ((), ())

    def current() -> tuple[Candidate, ...]:
        nonlocal last
        bound = verifier.current()
        if bound is not last[0]:
            # One tuple, so that no thread sees the keys of two look-ups.
            last = (bound, _candidates_of_bound(bound, allowed))
        return last[1]

    current()
    return current


def _candidates_of_bound(bound: tuple[BoundVerifier, ...], allowed: frozenset[str] | None) -> tuple[Candidate, ...]:
    found = tuple(
        Candidate(one.kid or None, {one.algorithm: _holding(one.verify)}, f"{one.name}@{one.version}")
        for one in bound
        if one.algorithm in SIGNING and (allowed is None or one.algorithm in allowed)
    )
    if not found:
        raise UnsupportedOperationError(
            "no version of this key verifies with these algorithms", hint="pass an algorithm of the key"
        )
    return found


def _holding(verify: Callable[[bytes, bytes], None]) -> Holds:
    def holds(message: bytes, signature: bytes) -> bool:
        try:
            verify(message, signature)
        except InvalidSignatureError:
            return False
        return True

    return holds


def _candidate(key: Key, allowed: frozenset[str] | None) -> Candidate:
    check_use(key, "sig", ("verify", "sign"))
    return Candidate(key.kid or None, {algorithm: _bound(key, algorithm) for algorithm in _algorithms(key, allowed)})


def _algorithms(key: Key, allowed: frozenset[str] | None) -> tuple[str, ...]:
    own = own_algorithm(key)
    if own is None and allowed is None:
        raise ConfigError(
            "the key has no alg, and no algorithm is allowed",
            hint='pass algorithms=["ES256"], or --algorithm ES256',
        )
    able = algorithms_of(key.type)
    if own is not None and own not in able:
        raise PolicyError("the key is not for signatures (its alg)", hint="use a key that signs")
    found = tuple(one for one in able if own in (None, one) and (allowed is None or one in allowed))
    if not found:
        raise UnsupportedOperationError(
            f"a key of type {key.type} verifies with none of the algorithms that are allowed",
            hint="pass an algorithm of this type",
        )
    return found


def _bound(key: Key, algorithm: str) -> Holds:
    from keywright_jose._jose import verifying_key

    verify, length = verifying_key(key, algorithm)

    def holds(message: bytes, signature: bytes) -> bool:
        # Whatever the library's version makes of some that are shorter or longer.
        return len(signature) == length and verify(message, signature)

    return holds
