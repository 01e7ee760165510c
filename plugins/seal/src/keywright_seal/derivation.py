"""`Derivation`: how the root key comes from what the user gave, as each sealed payload tells it."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = [
    "ARGON2ID",
    "ARGON2ID_BOUNDS",
    "MASTER_KEY",
    "NO_DERIVATION",
    "SALT_BYTES",
    "SCRYPT",
    "SCRYPT_COSTS",
    "Derivation",
]

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
that somebody put into the store would take gigabytes and minutes before it is refused.
"""

SCRYPT_COSTS: Final = (17, 8, 1)
"""128 MiB (OWASP's Password Storage Cheat Sheet); no others are used or accepted."""


class Derivation(NamedTuple):
    """What makes a root key of a passphrase.

    Attributes:
        kind: `MASTER_KEY`, `ARGON2ID` or `SCRYPT`.
        costs: three numbers that mean what the kind says.
        salt: 16 bytes; zeros where there is no salt.
    """

    kind: int
    costs: tuple[int, int, int]
    salt: bytes

    def is_acceptable(self) -> bool:
        """Whether the costs keep the bounds, so that it is neither too cheap to guess nor too dear to try."""
        if self.kind == ARGON2ID:
            return all(low <= cost <= high for cost, (low, high) in zip(self.costs, ARGON2ID_BOUNDS, strict=True))
        if self.kind == SCRYPT:
            return self.costs == SCRYPT_COSTS
        return self == NO_DERIVATION

    def costs_as_much_as(self, other: Derivation) -> bool:
        """Whether both are the same function, the salt aside."""
        return (self.kind, self.costs) == (other.kind, other.costs)


NO_DERIVATION: Final = Derivation(MASTER_KEY, (0, 0, 0), bytes(SALT_BYTES))
"""What stands in payloads that are sealed under a master key."""
