"""The contract of formats catches faults in what a key carries along: its kid and its attributes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from toy_formats import CarryingToy, Toy, contract_for, sound_of

from keywright.keys import Key
from keywright.secret import Secret

# Kids


class _KidFromSecret(Toy):
    def default_kid(self, name: str, version: int, key: Key) -> str | None:
        return "none" if key.secret is None else key.secret.reveal().hex()


class _KidHashesTheSecret(Toy):
    def default_kid(self, name: str, version: int, key: Key) -> str | None:
        return hashlib.sha256(b"" if key.secret is None else key.secret.reveal()).hexdigest()


class _CleansKids(Toy):
    def check(self, key: Key) -> None:
        super().check(replace(key, kid=key.kid.strip() or "k"))

    def kid(self, key: Key) -> bytes:
        return key.kid.strip().encode() or b"k"


class _NamesNobody(Toy):
    def check(self, key: Key) -> None:
        super().check(replace(key, kid=key.kid or "-"))

    def kid(self, key: Key) -> bytes:
        return key.kid.encode() or b"-"


class _DropsTheKidOfPublicKeys(Toy):
    def encode_public(self, key: Key) -> bytes:
        return super().encode_public(replace(key, kid="-"))

    def read_kid(self, word: Secret, default_kid: str) -> str:
        return default_kid if word.reveal() == b"-" else super().read_kid(word, default_kid)


class _TenVersions(Toy):
    def default_kid(self, name: str, version: int, key: Key) -> str | None:
        return f"{name}-{version % 10}"


class _KidsWithoutSlash(Toy):
    kids = re.compile(rb"[a-z0-9._-]+")


# Attributes


class _DropsSomeAttributes(CarryingToy):
    def dump(self, attributes: dict[str, Any]) -> str:
        return super().dump({name: value for name, value in attributes.items() if name == "use"})


class _PublishesAttributes(CarryingToy):
    def encode_public(self, key: Key) -> bytes:
        return self.carried(key.attributes.plain()).reveal() + Toy.encode_public(self, key)


class _AttributesAsText(CarryingToy):
    def dump(self, attributes: dict[str, Any]) -> str:
        return super().dump({name: str(value) for name, value in attributes.items()})


class _AttributesOfAnyDepth(CarryingToy):
    def carried(self, attributes: dict[str, Any]) -> Secret:
        return Secret(self.dump(attributes).encode() + b"\n" if attributes else b"")


_FAULTS: list[tuple[type[Toy], str]] = [
    (_DropsSomeAttributes, "FORMAT-09"),
    (_CleansKids, "FORMAT-10"),
    (_NamesNobody, "FORMAT-11"),
    (_KidFromSecret, "FORMAT-12"),
    (_KidHashesTheSecret, "FORMAT-12"),
    (_PublishesAttributes, "FORMAT-15"),
    (_TenVersions, "FORMAT-18"),
    (_KidsWithoutSlash, "FORMAT-18"),
    (_DropsTheKidOfPublicKeys, "FORMAT-21"),
    (_AttributesAsText, "FORMAT-22"),
    (_AttributesOfAnyDepth, "FORMAT-24"),
]


@pytest.mark.parametrize(("toy", "rule"), _FAULTS)
def test_a_faulty_format_is_caught(toy: type[Toy], rule: str, fails: Callable[..., bool]) -> None:
    """Each planted fault fails the rule that forbids it, and the format that it was planted in passes."""
    sound = sound_of(toy)

    assert fails(contract_for(toy), rule, format=toy())
    assert not fails(contract_for(sound), rule, format=sound())
