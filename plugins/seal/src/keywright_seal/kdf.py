"""Root keys from passphrases: Argon2id (RFC 9106) or scrypt (RFC 7914), at costs that each sealed payload states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from keywright import Secret
from keywright.errors import SealError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

ROOT_BYTES: Final = 32
SALT_BYTES: Final = 16

MASTER_KEY: Final = 0
"""The root key was given as it is: no costs, no salt."""

ARGON2ID: Final = 1
"""RFC 9106. Costs: memory in MiB, passes over it, lanes."""

SCRYPT: Final = 2
"""RFC 7914. Costs: the binary logarithm of N, then r and p."""

ARGON2ID_BOUNDS: Final = ((19, 512), (2, 10), (1, 16))
"""The lowest and highest costs that are used and accepted.

Below, guessing is too cheap (OWASP's Password Storage Cheat Sheet: 19 MiB and 2 passes at least). Above, one record
that another process put into the store would take gigabytes and minutes before it is refused.
"""

SCRYPT_COSTS: Final = (17, 8, 1)
"""128 MiB (OWASP's Password Storage Cheat Sheet); no others are used or accepted."""


class Derivation(NamedTuple):
    """How a root key is derived from a passphrase.

    Attributes:
        kind: `MASTER_KEY`, `ARGON2ID` or `SCRYPT`.
        costs: three numbers that mean what the kind says.
        salt: 16 bytes; zeros where there is no salt.
    """

    kind: int
    costs: tuple[int, int, int]
    salt: bytes

    def is_acceptable(self) -> bool:
        """Whether the costs keep the bounds, so that it is neither too cheap to guess nor too expensive to try."""
        if self.kind == ARGON2ID:
            return all(low <= cost <= high for cost, (low, high) in zip(self.costs, ARGON2ID_BOUNDS, strict=True))
        if self.kind == SCRYPT:
            return self.costs == SCRYPT_COSTS
        return self == NO_DERIVATION

    def costs_as_much_as(self, other: Derivation) -> bool:
        """Whether both are the same function, the salt aside."""
        return (self.kind, self.costs) == (other.kind, other.costs)


NO_DERIVATION: Final = Derivation(MASTER_KEY, (0, 0, 0), bytes(SALT_BYTES))
"""What is in payloads that are sealed under a master key."""


def derive_root_key(passphrase: Secret, derivation: Derivation) -> Secret:
    """The root key (32 bytes) of a passphrase. Takes the memory and time that `derivation` states; checks no bounds.

    Raises:
        SealError: this machine's cryptography or OpenSSL has no such function, or there is not enough memory.
    """
    from cryptography.exceptions import UnsupportedAlgorithm

    name = "Argon2id" if derivation.kind == ARGON2ID else "scrypt"
    try:
        return Secret(_function(derivation).derive(passphrase.reveal()))
    except (ImportError, UnsupportedAlgorithm):
        lacking, hint = (
            f"needs {name}, which is not available on this machine",
            "install cryptography 44 or later with OpenSSL 3.2 or later",
        )
    except MemoryError:
        lacking, hint = (
            f"does not have enough memory for {name}",
            "free memory, or lower its setting memory for new payloads",
        )
    raise SealError(f"seal 'passphrase' {lacking}", hint=hint)


def has_argon2id() -> bool:
    """Whether this machine's cryptography (44) and OpenSSL (3.2) have Argon2id."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        _function(Derivation(ARGON2ID, (1, 1, 1), bytes(SALT_BYTES)))
    except (ImportError, UnsupportedAlgorithm):
        return False
    return True


def _function(derivation: Derivation) -> Argon2id | Scrypt:
    first, second, lanes = derivation.costs
    if derivation.kind == ARGON2ID:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        return Argon2id(
            salt=derivation.salt, length=ROOT_BYTES, iterations=second, lanes=lanes, memory_cost=first * 1024
        )
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt=derivation.salt, length=ROOT_BYTES, n=2**first, r=second, p=lanes)
