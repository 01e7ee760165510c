"""The algorithms of signed tokens, as callers name them."""

from __future__ import annotations

from collections.abc import Collection

from keywright.errors import ConfigError, UnsupportedOperationError
from keywright_jose.jwk.usage import SIGNING


def algorithms_of(key_type: str) -> tuple[str, ...]:
    """Those that a key of this type can be used with; none for a type that does not sign."""
    return tuple(algorithm for algorithm, type_ in SIGNING.items() if type_ == key_type)


def check_algorithm(algorithm: object, what: str) -> str:
    """The name of a signature algorithm; `what` names the argument in messages.

    Raises:
        UnsupportedOperationError: it is not one.
    """
    if not isinstance(algorithm, str) or algorithm not in SIGNING:
        raise UnsupportedOperationError(f"{what} must be one of {', '.join(SIGNING)}; choose one of them")
    return algorithm


def check_allowed(algorithms: object, what: str = "each of algorithms") -> frozenset[str] | None:
    """The allow-list, checked; None if there is none. `what` names one of them in messages.

    Raises:
        ConfigError: it is a text, which would be taken apart letter by letter, or not a collection, or empty.
        UnsupportedOperationError: one of them is not a signature algorithm.
    """
    if algorithms is None:
        return None
    if isinstance(algorithms, str | bytes) or not isinstance(algorithms, Collection) or not algorithms:
        raise ConfigError('algorithms must be a list of names such as ["ES256"], and hold one at least; correct it')
    return frozenset(check_algorithm(one, what) for one in algorithms)
