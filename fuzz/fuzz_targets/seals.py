"""What seals wrote, or someone else: sealed payloads of the seals `passphrase` and `master-key`."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Final
from zlib import crc32

from fuzz_targets.contract import attempt, require
from fuzz_targets.target import Target
from keywright import Secret
from keywright.errors import SealError
from keywright_seal.envelope import MasterKeys, OpenedEnvelopeSeal
from keywright_seal.kdf import ARGON2ID, NO_DERIVATION, Derivation

_CONTEXT: Final = b'["a", 1, "nix", "a-1"]'
# Computed, for hypothesis tries the literals of a program as input.
_PAYLOAD, *_MASTERS = (Secret(hashlib.sha256(b"%d" % number).hexdigest().encode()) for number in range(3))
_HEADER_BYTES: Final = 30


def stretch(passphrase: Secret, derivation: Derivation) -> Secret:
    """A quick stand-in for the slow functions, which may be asked for what is in bounds only."""
    kind, (first, second, third), salt = derivation
    in_bounds = {
        0: (first, second, third, salt) == (0, 0, 0, bytes(16)),
        1: 19 <= first <= 512 and 2 <= second <= 10 and 1 <= third <= 16,
        2: (first, second, third) == (17, 8, 1),
    }
    require(in_bounds.get(kind, False), "a derivation out of bounds was tried")
    return Secret(hashlib.sha256(repr(derivation).encode() + passphrase.reveal()).digest())


def _opened(derivation: Derivation, number: int = 2) -> OpenedEnvelopeSeal:
    name, setting = ("master-key", "key") if derivation == NO_DERIVATION else ("passphrase", "passphrase")
    return OpenedEnvelopeSeal(name, setting, MasterKeys(_MASTERS[:number], stretch), derivation)


_DERIVATIONS: Final = (NO_DERIVATION, Derivation(ARGON2ID, (19, 2, 1), bytes(16)))
_GENUINE: Final = tuple(
    bytes.fromhex(text)
    for text in (
        (
            "0100000000000000000000000000000000000000000073fe0361400a2efe42e30cb55850aa4b97e6a2c634f4ff2f29a2c64e"
            "4825a46b827caa14d3c2d7226943d8b4da9925dd46a7c7c767c6e6b739089626f2bc6c46e1bed4d7e141ba6c191e0512f47c"
            "fae2ec548c3017ce964f8ac0da0003d67e050871f20fb0adc9bae4dac2520ef956bea64fe7e1953c81034f1faebd4da79327"
            "5426a81bbf401d82327802348517ea25a2fa671c0a4f175842981f0864915406"
        ),
        (
            "010100130201b3a57731b6402dfd30cb1ddb8be8641625f432fc189bcec3587de570e105c524a87543b41668898af6d5588c"
            "946501f98832d0f041460ab8b8e2b687b9985f963867b5c0a2ee43da765b06241c1118bac8bed5d5da12fac9a4b8285a19c1"
            "f09dfc3a298c88f5a206ac6d619703dadb3c065cde8971e2dda62f1a5f6bbcbc5721c86464732cd95140de310154b06eb2e9"
            "de1dbbf8e35cbf314b5830c95831b691e1e9a9b55ef3267912015ac0b264711e"
        ),
    )
)
"""What the two seals made of `_PAYLOAD` under `_CONTEXT`; kept, so that a finding can be run again."""


def check(data: bytes) -> None:
    """Nothing opens but what was sealed; what is sealed opens, and with a flipped bit does not."""
    for number, derivation in enumerate(_DERIVATIONS):
        opened = _opened(derivation)
        opened.adopt(Secret(data))
        opened.is_current(Secret(data))
        got = _unsealed(opened, data, _CONTEXT)
        require((got is not None) == (data == _GENUINE[number]), "what was not sealed opens, or what was does not")
        require(_unsealed(opened, data, data[:40]) is None or data[:40] == _CONTEXT, "it opens under another context")
        _check_there_and_back(_opened(derivation, 1), data)


def _check_there_and_back(opened: OpenedEnvelopeSeal, data: bytes) -> None:
    context, payload = data[: len(data) % 50], Secret(data[len(data) % 50 :])
    sealed = bytearray(opened.seal(payload, context).reveal())
    require(_unsealed(opened, bytes(sealed), context) == payload, "another payload came back")
    require(opened.is_current(Secret(bytes(sealed))), "what was sealed just now is not current")
    bit = crc32(data) % (8 * len(sealed))
    sealed[bit // 8] ^= 1 << bit % 8
    require(_unsealed(opened, bytes(sealed), context) is None, "a flipped bit goes unseen")


def _unsealed(opened: OpenedEnvelopeSeal, data: bytes, context: bytes) -> Secret | None:
    secrets = (*(one.reveal() for one in _MASTERS), _PAYLOAD.reveal())
    return attempt(lambda: opened.unseal(Secret(data), context), SealError, given=(data,), secrets=secrets)


def mutate(data: bytes, random: Random) -> bytes:
    """A payload with another field in its header, with parts of another one, or cut."""
    made = bytearray(data.ljust(_HEADER_BYTES + 88, b"\0"))
    choice = random.randrange(4)
    if choice == 0:
        made[random.randrange(6)] = random.choice((0, 1, 2, 3, 8, 10, 11, 16, 17, 19, 255))
    elif choice == 1:
        at = random.choice((6, 22, 30, 42, 90, 102))
        made[at:] = random.choice(_GENUINE)[at:]
    elif choice == 2:
        del made[random.randrange(len(made)) :]
    else:
        made[:_HEADER_BYTES] = random.choice(_GENUINE)[:_HEADER_BYTES]
    return bytes(made)


TARGETS: Final = {
    "seals": Target(
        check,
        seeds=(
            *_GENUINE,
            b"\x01\x02\x00\x11\x08\x01" + bytes(150),
        ),
        words=(b"\x01\x00\x00\x00\x00\x00", b"\x01\x01\x00\x13\x02\x01", b"\x01\x02\x00\x11\x08\x01", bytes(16)),
        maximum_bytes=1024,
        mutate=mutate,
    ),
}
