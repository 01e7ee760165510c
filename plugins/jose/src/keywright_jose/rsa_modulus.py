"""What an RSA public key must be before a signature under it means anything."""

from __future__ import annotations

from typing import Final

from keywright.errors import InvalidKeyError

__all__ = ["check_rsa", "is_roca"]

_FEWEST_BITS: Final = 2048
_LEAST_EXPONENT: Final = 65537
_EXPONENT_BITS: Final = 256  # at most (FIPS 186-5 §A.1.1); a longer one makes verifying as slow as signing
# The primes whose product the faulty library built its primes from (CVE-2017-15361; Nemec et al., "The Return of
# Coppersmith's Attack", 2017, §2): for 2048 bits and more the first 126 at least, of which these tell enough.
_PRIMES: Final = (
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
)  # fmt: skip


def check_rsa(modulus: int, exponent: int) -> None:
    """Refuse a weak key.

    Raises:
        InvalidKeyError: the modulus is even or has fewer than 2048 bits (RFC 7518 §3.3), the exponent is even, below
            65537 or longer than 256 bits, or the modulus has the form of those that can be factored (CVE-2017-15361,
            "ROCA").
    """
    if modulus.bit_length() < _FEWEST_BITS:
        raise InvalidKeyError(f"an RSA key has at least {_FEWEST_BITS} bits (RFC 7518 §3.3); make a larger one")
    if not modulus % 2:
        raise InvalidKeyError("the modulus of an RSA key is odd; export the key again from the program that made it")
    if not exponent % 2 or exponent < _LEAST_EXPONENT or exponent.bit_length() > _EXPONENT_BITS:
        raise InvalidKeyError(
            f"the exponent of an RSA key is odd, {_LEAST_EXPONENT} at least, and has at most {_EXPONENT_BITS} bits; "
            "make a new key"
        )
    if is_roca(modulus):
        raise InvalidKeyError(
            "this RSA key was made by a faulty chip and can be factored (CVE-2017-15361); make a new one elsewhere"
        )


def is_roca(modulus: int) -> bool:
    """Whether the modulus is a power of 65537 modulo each of the primes, which by chance 1 of 2^154 is at the most."""
    return all(modulus % prime in _powers(prime) for prime in _PRIMES)


def _powers(prime: int) -> set[int]:
    powers = {1}
    power = _LEAST_EXPONENT % prime
    while power not in powers:
        powers.add(power)
        power = power * _LEAST_EXPONENT % prime
    return powers
