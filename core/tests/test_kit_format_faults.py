"""The contract of formats passes sound formats, and catches each planted fault by a rule whose id fits."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from toy_formats import (
    PUBLIC,
    SEED,
    AnyToy,
    Base64Toy,
    CarryingToy,
    LenientToy,
    Toy,
    contract_for,
    samples_of,
    sound_of,
)

from keywright.keys import Key
from keywright.secret import Secret


class TestToy(AnyToy):
    """Hexadecimal."""

    samples = samples_of(Toy)


class TestBase64Toy(AnyToy):
    """Base64."""

    toy = Base64Toy
    samples = samples_of(Base64Toy)


class TestCarryingToy(AnyToy):
    """Attributes."""

    toy = CarryingToy
    samples = samples_of(CarryingToy)


class TestLenientToy(AnyToy):
    """A lenient reading."""

    toy = LenientToy
    samples = samples_of(LenientToy)


# What it is


class _CapitalName(Toy):
    name = "Toy"


class _NoKeyTypes(Toy):
    key_types = ()


class _SecretsAsBytes(Toy):
    def encode_secret(self, key: Key) -> Secret:
        return super().encode_secret(key).reveal()  # type: ignore[return-value]  # the fault


# Secrecy


class _LeaksIntoPublic(Toy):
    def encode_public(self, key: Key) -> bytes:
        return super().encode_public(key) + (b"" if key.secret is None else b" " + key.secret.reveal().hex().encode())


class _PublicHoldsAHashOfTheSecret(Toy):
    def encode_public(self, key: Key) -> bytes:
        if key.secret is None:
            return super().encode_public(key)
        return super().encode_public(replace(key, public=hashlib.sha256(key.secret.reveal()).digest()))


# There and back


class _SniffsNothing(Toy):
    def sniff(self, data: Secret) -> bool:
        return False


class _SniffsSecretsAlone(Toy):
    def sniff(self, data: Secret) -> bool:
        return data.reveal().startswith(b"secret ")


class _EndsWithALineFeed(Toy):
    def encode_public(self, key: Key) -> bytes:
        return super().encode_public(key) + b"\n"

    def decode(self, data: Secret, *, default_kid: str) -> Key:
        return super().decode(Secret(data.reveal().removesuffix(b"\n")), default_kid=default_kid)


class _HalvesSwapped(Toy):
    def encode_secret(self, key: Key) -> Secret:
        assert key.secret
        return super().encode_secret(replace(key, secret=Secret(key.public or b""), public=key.secret.reveal()))

    def decode(self, data: Secret, *, default_kid: str) -> Key:
        key = super().decode(data, default_kid=default_kid)
        return key if key.secret is None else replace(key, secret=Secret(key.public or b""), public=key.secret.reveal())


class _LosesLeadingZeros(Toy):
    def spell(self, half: bytes) -> bytes:
        return b"%x" % int.from_bytes(half)


class _SaltsItsText(Toy):
    count = 0

    def encode_secret(self, key: Key) -> Secret:
        self.count += 1
        return Secret(super().encode_secret(key).reveal() + b" " * (self.count % 2))


class _ChangesTheKey(Toy):
    def encode_public(self, key: Key) -> bytes:
        object.__setattr__(key, "kid", key.kid + "-published")
        return super().encode_public(key)


class _ReadsTheClock(Toy):
    def encode_public(self, key: Key) -> bytes:
        assert time.time() > 0
        return super().encode_public(key)


class _DrawsARandomNumber(Toy):
    def encode_secret(self, key: Key) -> Secret:
        assert os.urandom(1)
        return super().encode_secret(key)


class _ReadsTheEnvironment(Toy):
    def default_kid(self, name: str, version: int, key: Key) -> str | None:
        return f"{os.environ.get('KID_PREFIX', '')}{name}-{version}"


class _OpensAFile(Toy):
    def sniff(self, data: Secret) -> bool:
        with open(os.devnull, "rb") as file:
            return not file.read() and super().sniff(data)


# Limits


class _PublicForSecret(Toy):
    def encode_secret(self, key: Key) -> Secret:
        return Secret(self.encode_public(key)) if key.secret is None else super().encode_secret(key)


class _TakesAnyType(Toy):
    def encode_secret(self, key: Key) -> Secret:
        return super().encode_secret(replace(key, type="ed25519"))


class _TakesTheTypeInCapitals(Toy):
    def check(self, key: Key) -> None:
        super().check(replace(key, type=key.type.lower()))


class _PutsHalvesRight(Toy):
    def encode_secret(self, key: Key) -> Secret:
        return super().encode_secret(replace(key, public=PUBLIC) if key.secret == Secret(SEED) else key)


class _PutsHalvesRightWhenRead(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        key = super().decode(data, default_kid=default_kid)
        return replace(key, public=PUBLIC) if key.secret == Secret(SEED) else key


class _CutsLongHalves(Toy):
    def encode_secret(self, key: Key) -> Secret:
        return super().encode_secret(replace(key, secret=key.secret and Secret(key.secret.reveal()[:32])))


class _FillsUpShortHalves(Toy):
    def check(self, key: Key) -> None:
        super().check(replace(key, public=None))

    def spell(self, half: bytes) -> bytes:
        return super().spell(half.ljust(32, b"\0")[:32])


_FAULTS: list[tuple[type[Toy], str]] = [
    (_CapitalName, "FORMAT-01"),
    (_NoKeyTypes, "FORMAT-01"),
    (_EndsWithALineFeed, "FORMAT-02"),
    (_HalvesSwapped, "FORMAT-03"),
    (_LosesLeadingZeros, "FORMAT-04"),
    (_PublicHoldsAHashOfTheSecret, "FORMAT-05"),
    (_LeaksIntoPublic, "FORMAT-06"),
    (_PublicForSecret, "FORMAT-07"),
    (_TakesAnyType, "FORMAT-08"),
    (_TakesTheTypeInCapitals, "FORMAT-08"),
    (_SniffsNothing, "FORMAT-13"),
    (_SniffsSecretsAlone, "FORMAT-13"),
    (_SaltsItsText, "FORMAT-14"),
    (_ChangesTheKey, "FORMAT-14"),
    (_ReadsTheClock, "FORMAT-16"),
    (_DrawsARandomNumber, "FORMAT-16"),
    (_ReadsTheEnvironment, "FORMAT-16"),
    (_OpensAFile, "FORMAT-16"),
    (_PutsHalvesRight, "FORMAT-19"),
    (_PutsHalvesRightWhenRead, "FORMAT-19"),
    (_CutsLongHalves, "FORMAT-20"),
    (_FillsUpShortHalves, "FORMAT-20"),
    (_SecretsAsBytes, "FORMAT-23"),
]


@pytest.mark.parametrize(("toy", "rule"), _FAULTS)
def test_a_faulty_format_is_caught(toy: type[Toy], rule: str, fails: Callable[..., bool]) -> None:
    """Each planted fault fails the rule that forbids it, and the format that it was planted in passes."""
    sound = sound_of(toy)

    assert fails(contract_for(toy), rule, format=toy())
    assert not fails(contract_for(sound), rule, format=sound())
