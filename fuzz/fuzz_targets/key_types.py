"""Key types: halves of any bytes, and signatures of any bytes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from random import Random
from typing import Final
from zlib import crc32

from fuzz_targets.contract import attempt, require
from fuzz_targets.target import Target
from keywright import Key, KeyType, Options, Secret
from keywright.errors import InvalidKeyError, InvalidSignatureError, NotExportableError
from keywright_keytypes import keywright_register_key_types

_TYPES: Final[tuple[KeyType, ...]] = tuple(keywright_register_key_types())
_MESSAGE: Final = b"message"
_HEAD: Final = 4  # bytes: the key type, the layout, and in two the length of the secret half where both are there
_TESTED_PRIMES: Final = 16  # one RSA key of so many has its primes tested, which takes 0.04 s
_LAYOUTS: Final = 4  # secret half, public half, both, signature


def check(data: bytes) -> None:
    """Halves make a key that completes, signs and verifies, or are refused; a signature holds or is refused."""
    if len(data) < _HEAD:
        return
    number = data[0] % len(_TYPES)
    key_type = _TYPES[number]
    layout, split, rest = data[1] % _LAYOUTS, int.from_bytes(data[2:_HEAD], "big"), data[_HEAD:]
    if layout == _LAYOUTS - 1:
        _check_signature(number, rest)
        return
    secret = (rest, None, rest[:split])[layout]
    public = (None, rest, rest[split:])[layout]
    key = Key(key_type.name, "kid", None if secret is None else Secret(secret), public)
    if key_type.name == "rsa" and secret is not None and crc32(data) % _TESTED_PRIMES:
        return
    whole = attempt(
        lambda: key_type.validate(key),
        InvalidKeyError,
        given=(rest,),
        secrets=() if secret is None else (secret,),
        known=public or b"",
    )
    if whole is not None:
        _check_whole(key_type, key, whole)


def _check_whole(key_type: KeyType, key: Key, whole: Key) -> None:
    require(whole.secret == key.secret and key.public in (None, whole.public), "completing a key changed a half")
    require(whole.public is not None or key_type.name == "oct", "a complete key has no public half")
    require(key_type.validate(whole) == whole, "completing twice is not completing once")
    require(key_type.bits(whole) > 0, "a key of no size")
    for algorithm in key_type.algorithms[:1]:
        sign = attempt(partial(key_type.signer, whole, algorithm), InvalidKeyError, NotExportableError, given=())
        verify = attempt(partial(key_type.verifier, whole, algorithm), InvalidKeyError, NotExportableError, given=())
        if sign is not None and verify is not None:
            verify(_MESSAGE, sign(_MESSAGE))


def _check_signature(number: int, signature: bytes) -> None:
    if _TYPES[number].algorithms:
        verify, own = _verifier(number)

        def holds() -> bool:
            verify(_MESSAGE, signature)
            return True

        held = attempt(holds, InvalidSignatureError, given=(signature,))
        # ECDSA has a second signature to each: r with the negative of s.
        require(held is None or signature == own or _TYPES[number].name.startswith("ec-"), "another signature holds")


@cache
def _verifier(number: int) -> tuple[Callable[[bytes, bytes], None], bytes]:
    key_type, key = _TYPES[number], _generated(number)
    algorithm = key_type.algorithms[0]
    return key_type.verifier(key, algorithm), key_type.signer(key, algorithm)(_MESSAGE)


@cache
def _generated(number: int) -> Key:
    key_type = _TYPES[number]
    settings = {"bits": 2048} if key_type.name == "rsa" else {"bits": 256}
    return key_type.generate(Options(settings if key_type.settings else {}))


def mutate(_data: bytes, random: Random) -> bytes:
    """A sound half or signature, with a few of its bytes changed or not."""
    number = random.randrange(len(_TYPES))
    key_type = _TYPES[number]
    key = _generated(number)
    secret = b"" if key.secret is None else key.secret.reveal()
    layout = random.randrange(_LAYOUTS)
    parts = (secret, key.public or b"", secret + (key.public or b""), b"")
    rest = bytearray(parts[layout] if layout < _LAYOUTS - 1 or not key_type.algorithms else _verifier(number)[1])
    for _ in range(random.randrange(3)):
        if rest:
            rest[random.randrange(len(rest))] ^= random.choice((1, 2, 128, 255, random.randrange(256)))
    return bytes((number, layout)) + len(secret).to_bytes(2, "big") + bytes(rest)


def _seeds() -> tuple[bytes, ...]:
    seeds = []
    for number, key_type in enumerate(_TYPES):
        key = _generated(number)
        secret = b"" if key.secret is None else key.secret.reveal()
        split = len(secret).to_bytes(2, "big")
        parts = [secret, key.public or b"", secret + (key.public or b"")]
        parts += [_verifier(number)[1]] if key_type.algorithms else []
        seeds += [bytes((number, layout)) + split + part for layout, part in enumerate(parts)]
    return tuple(seeds)


TARGETS: Final = {
    "key_types": Target(
        check,
        seeds=_seeds(),
        words=(b"\x04", b"\0" * 32, b"\xff" * 32, b"\x30\x82", b"\x02\x01\0", b"\x02\x03\x01\0\x01", b"\x05\0"),
        maximum_bytes=2048,
        mutate=mutate,
    ),
}
