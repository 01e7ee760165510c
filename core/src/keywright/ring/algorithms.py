"""Which algorithm a key is used with: its own `alg` wins, and its `use` and `key_ops` are obeyed."""

from __future__ import annotations

from keywright.errors import PolicyError, UnsupportedOperationError
from keywright.keys import Attributes
from keywright.protocols import KeyType

__all__ = ["choose_algorithm"]


def choose_algorithm(
    key_type: KeyType, attributes: Attributes, requested: str | None, operation: str, reference: str
) -> str:
    """The JWA name to use for `operation`, `sign` or `verify`, with a key that carries `attributes`.

    Raises:
        UnsupportedOperationError: the type cannot sign, or not with the algorithm that was asked for.
        PolicyError: the key says that it is for another algorithm or use (RFC 7517 §4.2 to §4.4).
    """
    if not key_type.algorithms:
        raise UnsupportedOperationError(f"{reference} is of type {key_type.name}, which cannot sign; use another key")
    if requested is not None and requested not in key_type.algorithms:
        can = ", ".join(key_type.algorithms)
        raise UnsupportedOperationError(
            f"{reference} is of type {key_type.name}, which cannot sign with this algorithm; it can with: {can}"
        )
    own = attributes.get("alg")
    if own is not None and own not in key_type.algorithms:
        raise PolicyError(f"{reference} is for another algorithm than signatures by its own alg; use another key")
    if requested is not None and own is not None and requested != own:
        raise PolicyError(f"{reference} is for {own} alone by its own alg; leave the algorithm out, or use another key")
    if attributes.get("use", "sig") != "sig":
        raise PolicyError(f"{reference} is not for signatures by its own use; use another key")
    operations = attributes.get("key_ops")
    # The public half of a signing key verifies, whatever its secret half lists (RFC 7517 §4.3 is about each half).
    allowed = (operation,) if operation == "sign" else ("sign", "verify")
    if isinstance(operations, tuple) and not any(one in operations for one in allowed):
        raise PolicyError(f"{reference} may not {operation} by its own key_ops; use another key")
    return str(requested or own or key_type.algorithms[0])
