"""Small sound formats, each step of them a method, so that a variant can do one of them wrong; and their contract."""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st

from keywright.errors import MalformedKeyError, UnsupportedKeyError
from keywright.keys import Attributes, Key
from keywright.protocols import Format
from keywright.secret import Secret
from keywright.testing import FormatContract, Sample

# RFC 8032 §7.1, test 1
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
KEY = Key("ed25519", "k-1", Secret(SEED), PUBLIC)


class Toy:
    """A format for ed25519 keys: `secret KID SEED PUBLIC` or `public KID PUBLIC`, halves in lower-case hexadecimal."""

    name = "toy"
    key_types: tuple[str, ...] = ("ed25519",)
    kids = re.compile(rb"[a-z0-9._/-]+")

    def encode_secret(self, key: Key) -> Secret:
        self.check(key)
        if key.secret is None or key.public is None or len(key.secret) != 32:
            raise UnsupportedKeyError("a toy key needs both halves, of 32 bytes")
        return Secret(b"secret %b %b %b" % (self.kid(key), self.spell(key.secret.reveal()), self.spell(key.public)))

    def encode_public(self, key: Key) -> bytes:
        self.check(key)
        if key.public is None:
            raise UnsupportedKeyError("a toy key needs its public half")
        return b"public %b %b" % (self.kid(key), self.spell(key.public))

    def decode(self, data: Secret, *, default_kid: str) -> Key:
        words = self.words(data)
        halves = [self.unspell(word) for word in words[2:]]
        wanted = {b"secret": 4, b"public": 3}.get(words[0].reveal())
        if len(words) != wanted or not self.kids.fullmatch(words[1].reveal()) or not all(map(self.fits, halves)):
            raise MalformedKeyError("this is no toy key")
        found = [half for half in halves if half is not None]
        kid = self.read_kid(words[1], default_kid)
        return Key("ed25519", kid, found[0] if len(found) == 2 else None, found[-1].reveal())

    def default_kid(self, name: str, version: int, key: Key) -> str | None:
        return f"{name}-{version}"

    def sniff(self, data: Secret) -> bool:
        return data.reveal().startswith((b"secret ", b"public "))

    def check(self, key: Key) -> None:
        if key.type not in self.key_types:
            raise UnsupportedKeyError("a toy key is of type ed25519")
        if key.public is not None and len(key.public) != 32:
            raise UnsupportedKeyError("the public half of a toy key has 32 bytes")
        if not key.kid.isascii() or not self.kids.fullmatch(key.kid.encode()):
            raise UnsupportedKeyError("the kid of a toy key is of a-z, 0-9, '.', '_', '/' and '-'")

    def kid(self, key: Key) -> bytes:
        return key.kid.encode()

    def read_kid(self, word: Secret, default_kid: str) -> str:
        return word.reveal().decode()

    def words(self, data: Secret) -> Sequence[Secret]:
        return [Secret(word) for word in data.reveal().split(b" ")]

    def fits(self, half: Secret | None) -> bool:
        return half is not None and len(half) == 32

    def spell(self, half: bytes) -> bytes:
        return half.hex().encode()

    def unspell(self, word: Secret) -> Secret | None:
        if not re.fullmatch(rb"([0-9a-f]{2})*", word.reveal()):
            return None
        return Secret(bytes.fromhex(word.reveal().decode()))


class Base64Toy(Toy):
    """The same in padded base64."""

    def spell(self, half: bytes) -> bytes:
        return binascii.b2a_base64(half, newline=False)

    def unspell(self, word: Secret) -> Secret | None:
        try:
            half = Secret(binascii.a2b_base64(word.reveal()))
        except ValueError:
            return None
        return half if self.spell(half.reveal()) == word.reveal() else None


class CarryingToy(Toy):
    """The same with attributes: a line of JSON in front, if there are any; `use` alone is published."""

    def encode_secret(self, key: Key) -> Secret:
        return Secret(self.carried(key.attributes.plain()).reveal() + super().encode_secret(key).reveal())

    def encode_public(self, key: Key) -> bytes:
        published = {name: value for name, value in key.attributes.plain().items() if name == "use"}
        return self.carried(published).reveal() + super().encode_public(key)

    def decode(self, data: Secret, *, default_kid: str) -> Key:
        key = super().decode(Secret(data.reveal().rpartition(b"\n")[2]), default_kid=default_kid)
        if b"\n" not in data.reveal():
            return key
        attributes = self.read_attributes(Secret(data.reveal().rpartition(b"\n")[0]))
        if not attributes or data.reveal().rpartition(b"\n")[0] + b"\n" != self.carried(attributes.plain()).reveal():
            raise MalformedKeyError("the attributes of this toy key are not as a toy writes them")
        return replace(key, attributes=attributes)

    def sniff(self, data: Secret) -> bool:
        return super().sniff(data) or data.reveal().startswith(b"{")

    def carried(self, attributes: dict[str, Any]) -> Secret:
        try:
            text = Secret(self.dump(attributes).encode() + b"\n" if attributes else b"")
        except (ValueError, TypeError, RecursionError):
            text = None
        if text is None or len(text) > 10_000:
            raise UnsupportedKeyError("a toy key carries small attributes of JSON values")
        return text

    def dump(self, attributes: dict[str, Any]) -> str:
        return json.dumps(attributes, sort_keys=True, allow_nan=False)

    def read_attributes(self, text: Secret) -> Attributes:
        try:
            found = json.loads(text.reveal().decode())
        except (ValueError, RecursionError):
            return Attributes()
        return Attributes(found) if isinstance(found, dict) else Attributes()


class LenientToy(Toy):
    """The same with a second reading, in which case and blanks at the ends do not count."""

    def decode_lenient(self, data: Secret, *, default_kid: str) -> tuple[Key, tuple[str, ...]]:
        cleaned = Secret(data.reveal().strip(b" \n").lower())
        key = self.decode(cleaned, default_kid=default_kid)
        return key, () if cleaned == data else ("there are capital letters, or blanks at an end",)


SOUND: tuple[type[Toy], ...] = (Toy, Base64Toy, CarryingToy, LenientToy)


def sound_of(toy: type[Toy]) -> type[Toy]:
    """The sound toy that `toy` is made from."""
    return next(base for base in toy.__mro__ if base in SOUND)


class AnyToy(FormatContract):
    """The contract for one of the toys; the samples are what the sound ones write, with a key that is published."""

    toy: type[Toy] = Toy

    @pytest.fixture
    def format(self) -> Format:
        """The format under test."""
        return self.toy()

    def keys(self, format: Format) -> st.SearchStrategy[Key]:
        """Any two times 32 bytes: a toy does no mathematics."""
        halves = st.binary(min_size=32, max_size=32)
        fresh = st.builds(lambda seed, public: Key("ed25519", "k-1", Secret(seed), public), halves, halves)
        return st.just(KEY) | st.just(replace(KEY, secret=Secret(bytes(4) + SEED[4:]))) | fresh


def samples_of(toy: type[Toy]) -> tuple[Sample, ...]:
    """A secret key and a public one, as the toy writes them."""
    key = replace(KEY, attributes=Attributes({"use": "sig"} if issubclass(toy, CarryingToy) else {}))
    return (
        Sample(toy().encode_secret(key).reveal(), key=key),
        Sample(toy().encode_public(key), key=key.without_secret()),
    )


def contract_for(toy: type[Toy]) -> type[AnyToy]:
    """With the samples of the sound toy that `toy` is made from."""
    return type("_Contract", (AnyToy,), {"toy": toy, "samples": samples_of(sound_of(toy))})
