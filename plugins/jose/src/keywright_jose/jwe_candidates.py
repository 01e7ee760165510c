"""The keys that a token may have been encrypted for, by the `kid` that it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from keywright import Decrypter, Key
from keywright.errors import (
    InvalidKeyError,
    InvalidSignatureError,
    KeywrightError,
    PolicyError,
    UnsupportedOperationError,
)
from keywright_jose.jwe_algorithms import ContentAlgorithm, KeyAlgorithm
from keywright_jose.jwe_keys import ANOTHER_KEY, GivenKey, check_decrypting, chosen_key, decrypting_keys

__all__ = ["Candidate", "candidates"]


class Candidate(NamedTuple):
    """One key.

    Attributes:
        key: with its secret half.
        reference: `NAME@N`, if it is a ring's.
    """

    key: Key
    reference: str | None = None


def candidates(
    given: GivenKey, algorithm: KeyAlgorithm, content: ContentAlgorithm
) -> Callable[[str | None], Sequence[Candidate]]:
    """What finds them for a `kid`, or for None. Of a ring no key is loaded before a token asks for it.

    Raises: as `decrypting_keys`; what is returned raises for a ring's versions as that does, and
        InvalidSignatureError: the token names another key, or none and there are several.
    """
    if isinstance(given, Decrypter):
        return lambda kid: _of_ring(given, algorithm, content, kid)
    keys = decrypting_keys(given, algorithm, content)
    return lambda kid: (Candidate(chosen_key(keys, kid)),)


def _of_ring(
    decrypter: Decrypter, algorithm: KeyAlgorithm, content: ContentAlgorithm, kid: str | None
) -> Sequence[Candidate]:
    """The version with that `kid`; of a token without one all of them, for they are the ring's own."""
    named = [one for one in decrypter.current() if kid is None or one.kid in ("", kid)]
    if not named:
        raise InvalidSignatureError(ANOTHER_KEY)
    found: list[Candidate] = []
    refusals: list[KeywrightError] = []
    for one in named:
        key = one.load()
        try:
            check_decrypting(key, algorithm, content)
        except (InvalidKeyError, PolicyError, UnsupportedOperationError) as refusal:
            # Versions may differ in type and use: that one is not for this says nothing of the others.
            refusals.append(refusal)
        else:
            found.append(Candidate(key, f"{one.name}@{one.version}"))
    if not found:
        raise refusals[0]
    return found
