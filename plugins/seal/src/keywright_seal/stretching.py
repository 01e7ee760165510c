"""A passphrase becomes a root key, slowly: Argon2id (RFC 9106) or scrypt (RFC 7914)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keywright import Secret
from keywright.errors import SealError
from keywright_seal.derivation import ARGON2ID, Derivation

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

__all__ = ["ROOT_BYTES", "has_argon2id", "stretched"]

ROOT_BYTES: Final = 32


def stretched(passphrase: Secret, derivation: Derivation) -> Secret:
    """The root key (32 bytes) of a passphrase. Takes the memory and time that `derivation` says, whatever they are.

    Raises:
        SealError: this machine's cryptography or OpenSSL has no such function, or there is not enough memory.
    """
    from cryptography.exceptions import UnsupportedAlgorithm

    name = "Argon2id" if derivation.kind == ARGON2ID else "scrypt"
    try:
        return Secret(_function(derivation).derive(passphrase.reveal()))
    except (ImportError, UnsupportedAlgorithm):
        lacking = f"needs {name}, which this machine lacks; install cryptography 44 or later with OpenSSL 3.2 or later"
    except MemoryError:
        lacking = f"needs more memory for {name} than there is; free some"
    raise SealError(f"seal 'passphrase' {lacking}")


def has_argon2id() -> bool:
    """Whether this machine's cryptography (44) and OpenSSL (3.2) know Argon2id."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        _function(Derivation(ARGON2ID, (1, 1, 1), bytes(16)))
    except (ImportError, UnsupportedAlgorithm):
        return False
    return True


def _function(derivation: Derivation) -> Argon2id | Scrypt:
    if derivation.kind == ARGON2ID:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        memory, passes, lanes = derivation.costs
        return Argon2id(
            salt=derivation.salt, length=ROOT_BYTES, iterations=passes, lanes=lanes, memory_cost=memory * 1024
        )
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    exponent, block_size, lanes = derivation.costs
    return Scrypt(salt=derivation.salt, length=ROOT_BYTES, n=2**exponent, r=block_size, p=lanes)
