"""Signed tokens (RFC 7515): `signer` binds a key once, and each token is then a plain call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn, final

from keywright import BoundKey, Key, Signer
from keywright.errors import ConfigError, FormatError, PolicyError, UnsupportedOperationError
from keywright_jose.compact import MAXIMUM_BYTES, further_members
from keywright_jose.json import encode_segment, write_object
from keywright_jose.jwk.inputs import KeyInput, hide_key, one_key
from keywright_jose.jwk.usage import SIGNING
from keywright_jose.jws.algorithms import algorithms_of, check_algorithm
from keywright_jose.keys import check_use, own_algorithm

_LONGEST_MESSAGE = MAXIMUM_BYTES - 1368  # what is left by a dot and base64url of 8192 bits


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
        if len(payload) > MAXIMUM_BYTES or len(message := start + encode_segment(payload)) > _LONGEST_MESSAGE:
            raise FormatError(f"a token has at most {MAXIMUM_BYTES} bytes, and this one would have more; say less")
        return (message + b"." + encode_segment(make(message))).decode("ascii")

    def _bind(self, bound: BoundKey) -> tuple[bytes, Callable[[bytes], bytes]]:
        check_algorithm(bound.algorithm, "the algorithm of a token")
        header = {"alg": bound.algorithm, **({"kid": bound.kid} if bound.kid else {}), **self._headers}
        start = encode_segment(write_object(header, "the header of a token")) + b"."
        # One tuple, so that no thread signs with one key under another's header.
        self._last = (bound, start, bound.sign)
        return start, bound.sign

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a TokenSigner is not pickled: it holds a key; bind the key there")

    def __repr__(self) -> str:
        # Not the ring's word of now: a traceback with locals asks while looking up fails.
        last = self._last[0] if hasattr(self, "_last") else None
        return "<token signer>" if last is None else f"<token signer {last.algorithm}>"


def bound_signer(given: KeyInput, algorithm: str | None, headers: Mapping[str, object] | None) -> TokenSigner:
    """As `signer`, of a key that was hidden."""
    more = checked_headers(headers)
    if isinstance(given, Signer):
        _check_same(algorithm, given.algorithm, "a ring's signer")
        _check_kid(more, given.kid)
        more.pop("kid", None)
        return TokenSigner(given.current, more)
    key = one_key(given)
    chosen = _choose_algorithm(key, algorithm)
    check_use(key, "sig", ("sign",))
    _check_kid(more, key.kid)
    from keywright_jose._jose import signing_key

    # A JWK's kid goes into the header if that is asked for, so it is not the bound key's.
    bound = BoundKey("", 0, "", key.type, chosen, key.public, signing_key(key, chosen))
    return TokenSigner(lambda: bound, more)


def _choose_algorithm(key: Key, algorithm: str | None) -> str:
    own = own_algorithm(key)
    if algorithm is None and own is None:
        raise ConfigError("the key has no alg, so the algorithm must be said, such as HS256 or ES256 (--algorithm)")
    if own is not None:
        if own not in SIGNING:  # it may be any text, so it is not quoted
            raise PolicyError("this key is for another algorithm than signatures by its own alg; use another key")
        _check_same(algorithm, own, "this key")
    chosen = check_algorithm(own if algorithm is None else algorithm, "the algorithm of a token")
    able = algorithms_of(key.type)
    if chosen not in able:
        can = f"it can with: {', '.join(able)}" if able else "it signs with none"
        raise UnsupportedOperationError(f"a key of type {key.type} does not sign with {chosen}; {can}")
    return chosen


def _check_same(algorithm: str | None, own: str, whose: str) -> None:
    if algorithm is not None and algorithm != own:
        raise PolicyError(f"{whose} is for {own} alone; leave the algorithm out, or bind another key")


def checked_headers(headers: Mapping[str, object] | None, what: str = "headers") -> dict[str, object]:
    """More members of a header, if they may be there; `what` names them in messages.

    Raises:
        FormatError, UnsupportedOperationError: as `signer`.
    """
    reserved = ("alg", "b64", "crit", "zip")
    return further_members(headers, reserved, f"{what} cannot say {{}}, which is the signer's or none; leave it out")


def _check_kid(headers: Mapping[str, object], own: str) -> None:
    if own and headers.get("kid", own) != own:
        raise PolicyError("headers say another kid than the key's own, so nobody would verify the token; leave it out")
