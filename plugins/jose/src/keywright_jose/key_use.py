"""What a key may be used for by its own `use` and `key_ops` (RFC 7517 §4.2, §4.3)."""

from __future__ import annotations

from keywright import Key
from keywright.errors import PolicyError

__all__ = ["check_use", "own_algorithm"]


def check_use(key: Key, use: str, operations: tuple[str, ...]) -> None:
    """Refuse a key that is for something else.

    Args:
        key: any key.
        use: `sig` or `enc`.
        operations: of which one at least must be among its `key_ops`, if it has any.

    Raises:
        PolicyError: it is.
    """
    if key.attributes.get("use", use) != use:
        raise PolicyError(f"this key is not for {_WORDS[use]} by its own use; use another key")
    own = key.attributes.get("key_ops")
    if isinstance(own, tuple) and not any(operation in own for operation in operations):
        raise PolicyError(f"this key may not {operations[0]} by its own key_ops; use another key")


def own_algorithm(key: Key) -> str | None:
    """The key's `alg`, if it has one."""
    algorithm = key.attributes.get("alg")
    return algorithm if isinstance(algorithm, str) else None


_WORDS = {"sig": "signatures", "enc": "encryption"}
