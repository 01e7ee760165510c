"""The keys that may verify a token, each bound to the algorithms that it may verify with."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from keywright import BoundVerifier, Key, Verifier
from keywright.errors import (
    ConfigError,
    InvalidKeyError,
    InvalidSignatureError,
    PolicyError,
    UnsupportedOperationError,
)
from keywright_jose.given_key import one_key
from keywright_jose.jwk_members import Members
from keywright_jose.jwk_set_members import keys_of_set
from keywright_jose.jws_algorithms import SIGNING, algorithms_of
from keywright_jose.key_use import check_use, own_algorithm

__all__ = ["Candidate", "candidates_of_members", "candidates_of_ring"]

Holds = Callable[[bytes, bytes], bool]


class Candidate(NamedTuple):
    """One key.

    Attributes:
        kid: its own; None if it has none.
        checks: by algorithm, whether a signature of a message holds.
        reference: `NAME@N`, if it is a ring's.
    """

    kid: str | None
    checks: dict[str, Holds]
    reference: str | None = None

    def holds(self, algorithm: str, message: bytes, signature: bytes) -> bool:
        """Whether a signature by an algorithm of `checks` holds."""
        return self.checks[algorithm](message, signature)


def candidates_of_members(members: Members, allowed: frozenset[str] | None) -> tuple[Candidate, ...]:
    """Of a JWK or JWK Set. Raises: as `keywright_jose.verifier`."""
    if "keys" not in members or "kty" in members:
        return (_candidate(one_key(members), allowed),)
    keys = tuple(keys_of_set(members))
    _check_set(keys)
    # Of a set, what is for something else stays out (RFC 7517 §5); a token that names it finds no key.
    found = tuple(_candidate(key, allowed) for key in keys if _is_for_signatures(key, allowed))
    if not found:
        raise InvalidKeyError("this JWK Set has no key that verifies with these algorithms; get the issuer's own set")
    return found


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
        raise UnsupportedOperationError("no version of this key verifies with these algorithms; bind it with another")
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
            'the key has no alg, so say which algorithms are allowed, such as algorithms=["ES256"], --algorithm ES256'
        )
    able = algorithms_of(key.type)
    if own is not None and own not in able:
        raise PolicyError("this key is for another algorithm than signatures by its own alg; use another key")
    found = tuple(one for one in able if own in (None, one) and (allowed is None or one in allowed))
    if not found:
        raise UnsupportedOperationError(
            f"a key of type {key.type} verifies with none of the algorithms that are allowed; allow its own"
        )
    return found


def _bound(key: Key, algorithm: str) -> Holds:
    from keywright_jose.jose_keys import verifying_key

    verify, length = verifying_key(key, algorithm)

    def holds(message: bytes, signature: bytes) -> bool:
        # Whatever the library's version makes of some that are shorter or longer.
        return len(signature) == length and verify(message, signature)

    return holds


def _check_set(keys: tuple[Key, ...]) -> None:
    kids = [key.kid for key in keys]
    if len(keys) > 1 and not all(kids):
        raise InvalidKeyError("a key of the JWK Set has no kid, so no token can name it; have the set published anew")
    if len(set(kids)) < len(kids):
        raise InvalidKeyError("two keys of the JWK Set have one kid; have the set published anew")
    if len({key.type == "oct" for key in keys}) > 1:
        raise InvalidKeyError(
            "the JWK Set mixes symmetric keys with public ones, and a secret that is published is none; take it out"
        )


def _is_for_signatures(key: Key, allowed: frozenset[str] | None) -> bool:
    try:
        check_use(key, "sig", ("verify", "sign"))
        _algorithms(key, allowed)
    except (PolicyError, UnsupportedOperationError):
        return False
    return True
