"""The hash that a JWA algorithm name ends in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

__all__ = ["hash_of"]


def hash_of(algorithm: str) -> HashAlgorithm:
    """SHA-2 by the last three digits of `ES256`, `PS384`, `HS512`, … (RFC 7518 §3.1), which must be one of these."""
    from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

    return {"256": SHA256(), "384": SHA384(), "512": SHA512()}[algorithm[-3:]]
