"""The contract of formats passes sound formats, and catches each planted fault by a rule whose id fits."""

from __future__ import annotations

import binascii
import hashlib
import json
import os
import re
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st

from keywright.errors import MalformedKeyError, UnsupportedKeyError
from keywright.key import Attributes, Key
from keywright.protocols import Format
from keywright.secret import Secret
from keywright.testing import FormatContract, Sample

# RFC 8032 §7.1, test 1
_SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
_PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
_KEY = Key("ed25519", "k-1", Secret(_SEED), _PUBLIC)


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


_SOUND: tuple[type[Toy], ...] = (Toy, Base64Toy, CarryingToy, LenientToy)


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
        return st.just(_KEY) | st.just(replace(_KEY, secret=Secret(bytes(4) + _SEED[4:]))) | fresh


def _samples(toy: type[Toy]) -> tuple[Sample, ...]:
    key = replace(_KEY, attributes=Attributes({"use": "sig"} if issubclass(toy, CarryingToy) else {}))
    return (
        Sample(toy().encode_secret(key).reveal(), key=key),
        Sample(toy().encode_public(key), key=key.without_secret()),
    )


def _contract(toy: type[Toy]) -> type[AnyToy]:
    """With the samples of the sound toy that `toy` is made from."""
    sound = next(base for base in toy.__mro__ if base in _SOUND)
    return type("_Contract", (AnyToy,), {"toy": toy, "samples": _samples(sound)})


class TestToy(AnyToy):
    """Hexadecimal."""

    samples = _samples(Toy)


class TestBase64Toy(AnyToy):
    """Base64."""

    toy = Base64Toy
    samples = _samples(Base64Toy)


class TestCarryingToy(AnyToy):
    """Attributes."""

    toy = CarryingToy
    samples = _samples(CarryingToy)


class TestLenientToy(AnyToy):
    """A lenient reading."""

    toy = LenientToy
    samples = _samples(LenientToy)


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


class _KidFromSecret(Toy):
    def default_kid(self, name: str, version: int, key: Key) -> str | None:
        return "none" if key.secret is None else key.secret.reveal().hex()


class _KidHashesTheSecret(Toy):
    def default_kid(self, name: str, version: int, key: Key) -> str | None:
        return hashlib.sha256(b"" if key.secret is None else key.secret.reveal()).hexdigest()


class _Refusing(Toy):
    """The next ones refuse what `Toy` refuses, in another way."""

    def decode(self, data: Secret, *, default_kid: str) -> Key:
        refused = False
        try:
            return super().decode(data, default_kid=default_kid)
        except MalformedKeyError:
            refused = True
        return self.refuse(data) if refused else _KEY

    def refuse(self, data: Secret) -> Key:
        raise MalformedKeyError("this is no toy key")


class _QuotesInput(_Refusing):
    def refuse(self, data: Secret) -> Key:
        raise MalformedKeyError(f"{data.reveal()!r} is no toy key")


class _QuotesInNotes(_Refusing):
    def refuse(self, data: Secret) -> Key:
        error = MalformedKeyError("this is no toy key")
        error.add_note(f"it was {data.reveal()!r}")
        raise error


class _QuotesInCause(_Refusing):
    def refuse(self, data: Secret) -> Key:
        raise MalformedKeyError("this is no toy key") from ValueError(data.reveal())


class _QuotesInHiddenContext(_Refusing):
    def refuse(self, data: Secret) -> Key:
        try:
            json.loads(data.reveal().decode("latin-1"))
        except ValueError:
            raise MalformedKeyError("this is no toy key") from None
        return _KEY


class _QuotesInAMember(_Refusing):
    def refuse(self, data: Secret) -> Key:
        error = MalformedKeyError("this is no toy key")
        error.data = data.reveal()  # type: ignore[attr-defined]  # the fault
        raise error


class _SaysItInTwoLines(_Refusing):
    def refuse(self, data: Secret) -> Key:
        raise MalformedKeyError("this is no toy key;\nwrite another")


class _ShowsLocals(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        text = data.reveal().decode(errors="replace")
        key = super().decode(data, default_kid=default_kid)
        return key if text else replace(key)


# Damage and spellings


class _IgnoresCase(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        return super().decode(Secret(data.reveal().lower()), default_kid=default_kid)


class _MasksTheHighBit(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        return super().decode(Secret(bytes(byte & 127 for byte in data.reveal())), default_kid=default_kid)


class _StripsJunk(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        return super().decode(Secret(data.reveal().rstrip(b"\0=")), default_kid=default_kid)


class _TakesAByteOrderMark(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        return super().decode(Secret(data.reveal().removeprefix(b"\xef\xbb\xbf")), default_kid=default_kid)


class _PadsWhatIsShort(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        whole = len(_samples(Toy)[0].data)
        padded = data.reveal() + b"0" if len(data) == whole - 1 else data.reveal()
        return super().decode(Secret(padded), default_kid=default_kid)


class _IgnoresSpareBits(Base64Toy):
    def unspell(self, word: Secret) -> Secret | None:
        try:
            half = Secret(binascii.a2b_base64(word.reveal()))
        except ValueError:
            return None
        return half if len(self.spell(half.reveal())) == len(word) and word.reveal().endswith(b"=") else None


class _NeedsNoPadding(Base64Toy):
    def unspell(self, word: Secret) -> Secret | None:
        return super().unspell(Secret(word.reveal() + b"=" * (-len(word) % 4)))


class _SkipsBlanks(Base64Toy):
    def unspell(self, word: Secret) -> Secret | None:
        return super().unspell(Secret(b"".join(word.reveal().split())))


class _TakesBothAlphabets(Base64Toy):
    def unspell(self, word: Secret) -> Secret | None:
        return super().unspell(Secret(word.reveal().replace(b"-", b"+").replace(b"_", b"/")))


class _NormalisesUnicode(Toy):
    def words(self, data: Secret) -> Sequence[Secret]:
        text = Secret(unicodedata.normalize("NFKC", data.reveal().decode(errors="replace")).encode(errors="replace"))
        return super().words(text)


class _TakesUtf16(Toy):
    def words(self, data: Secret) -> Sequence[Secret]:
        if data.reveal().startswith(b"\xff\xfe"):
            return super().words(Secret(data.reveal().decode("utf-16", "replace").encode(errors="replace")))
        return super().words(data)


class _SplitsAtAnyBlank(Toy):
    def words(self, data: Secret) -> Sequence[Secret]:
        return [Secret(word) for word in data.reveal().split()] or super().words(data)


class _TakesShortHalves(Toy):
    def fits(self, half: Secret | None) -> bool:
        return half is not None and 30 <= len(half) <= 32


class _RaisesItsOwn(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        data.reveal().decode("ascii")
        return super().decode(data, default_kid=default_kid)


class _Recurses(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        if data.reveal().startswith((b"[", b"(")):
            return self.decode(Secret(data.reveal()[1:]), default_kid=default_kid)
        return super().decode(data, default_kid=default_kid)


class _SniffRaises(Toy):
    def sniff(self, data: Secret) -> bool:
        return data.reveal().decode("ascii").startswith(("secret ", "public "))


class _SniffsNothing(Toy):
    def sniff(self, data: Secret) -> bool:
        return False


class _SniffsSecretsAlone(Toy):
    def sniff(self, data: Secret) -> bool:
        return data.reveal().startswith(b"secret ")


# There and back


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


class _ReadsWhatItCannotWrite(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        words = data.reveal().split(b" ")
        lowered = words[:1] + [word.lower() for word in words[1:2]] + words[2:]
        key = super().decode(Secret(b" ".join(lowered)), default_kid=default_kid)
        return replace(key, kid=words[1].decode())


# Kids


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
        return super().encode_secret(replace(key, public=_PUBLIC) if key.secret == Secret(_SEED) else key)


class _PutsHalvesRightWhenRead(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        key = super().decode(data, default_kid=default_kid)
        return replace(key, public=_PUBLIC) if key.secret == Secret(_SEED) else key


class _CutsLongHalves(Toy):
    def encode_secret(self, key: Key) -> Secret:
        return super().encode_secret(replace(key, secret=key.secret and Secret(key.secret.reveal()[:32])))


class _FillsUpShortHalves(Toy):
    def check(self, key: Key) -> None:
        super().check(replace(key, public=None))

    def spell(self, half: bytes) -> bytes:
        return super().spell(half.ljust(32, b"\0")[:32])


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


# A lenient reading


class _LenientTellsTooMuch(LenientToy):
    def decode_lenient(self, data: Secret, *, default_kid: str) -> tuple[Key, tuple[str, ...]]:
        return super().decode_lenient(data, default_kid=default_kid)[0], ("it was read leniently",)


class _LenientTellsNothing(LenientToy):
    def decode_lenient(self, data: Secret, *, default_kid: str) -> tuple[Key, tuple[str, ...]]:
        return super().decode_lenient(data, default_kid=default_kid)[0], ()


class _LenientQuotes(LenientToy):
    def decode_lenient(self, data: Secret, *, default_kid: str) -> tuple[Key, tuple[str, ...]]:
        key, deviations = super().decode_lenient(data, default_kid=default_kid)
        return key, tuple(f"{told}: {data.reveal()!r}" for told in deviations)


class _LenientRaisesItsOwn(LenientToy):
    def decode_lenient(self, data: Secret, *, default_kid: str) -> tuple[Key, tuple[str, ...]]:
        data.reveal().index(b" ", 10)
        return super().decode_lenient(data, default_kid=default_kid)


_FAULTS: list[tuple[type[Toy], str]] = [
    (_CapitalName, "FORMAT-01"),
    (_NoKeyTypes, "FORMAT-01"),
    (_EndsWithALineFeed, "FORMAT-02"),
    (_HalvesSwapped, "FORMAT-03"),
    (_LosesLeadingZeros, "FORMAT-04"),
    (_ReadsWhatItCannotWrite, "FORMAT-43"),
    (_PublicHoldsAHashOfTheSecret, "FORMAT-05"),
    (_LeaksIntoPublic, "FORMAT-06"),
    (_PublicForSecret, "FORMAT-07"),
    (_TakesAnyType, "FORMAT-08"),
    (_TakesTheTypeInCapitals, "FORMAT-08"),
    (_DropsSomeAttributes, "FORMAT-09"),
    (_CleansKids, "FORMAT-10"),
    (_NamesNobody, "FORMAT-11"),
    (_KidFromSecret, "FORMAT-12"),
    (_KidHashesTheSecret, "FORMAT-12"),
    (_SniffsNothing, "FORMAT-13"),
    (_SniffsSecretsAlone, "FORMAT-13"),
    (_SaltsItsText, "FORMAT-14"),
    (_ChangesTheKey, "FORMAT-14"),
    (_PublishesAttributes, "FORMAT-15"),
    (_ReadsTheClock, "FORMAT-16"),
    (_DrawsARandomNumber, "FORMAT-16"),
    (_ReadsTheEnvironment, "FORMAT-16"),
    (_OpensAFile, "FORMAT-16"),
    (_TenVersions, "FORMAT-18"),
    (_KidsWithoutSlash, "FORMAT-18"),
    (_PutsHalvesRight, "FORMAT-19"),
    (_PutsHalvesRightWhenRead, "FORMAT-19"),
    (_CutsLongHalves, "FORMAT-20"),
    (_FillsUpShortHalves, "FORMAT-20"),
    (_DropsTheKidOfPublicKeys, "FORMAT-21"),
    (_AttributesAsText, "FORMAT-22"),
    (_SecretsAsBytes, "FORMAT-23"),
    (_AttributesOfAnyDepth, "FORMAT-24"),
    (_PadsWhatIsShort, "FORMAT-30"),
    (_IgnoresCase, "FORMAT-31"),
    (_MasksTheHighBit, "FORMAT-31"),
    (_StripsJunk, "FORMAT-32"),
    (_TakesAByteOrderMark, "FORMAT-32"),
    (_Recurses, "FORMAT-33"),
    (_SniffRaises, "FORMAT-33"),
    (_RaisesItsOwn, "FORMAT-34"),
    (_QuotesInput, "FORMAT-35"),
    (_QuotesInNotes, "FORMAT-35"),
    (_QuotesInCause, "FORMAT-35"),
    (_QuotesInHiddenContext, "FORMAT-35"),
    (_QuotesInAMember, "FORMAT-35"),
    (_SaysItInTwoLines, "FORMAT-35"),
    (_QuotesInput, "FORMAT-36"),
    (_ShowsLocals, "FORMAT-36"),
    (_LenientTellsTooMuch, "FORMAT-37"),
    (_LenientRaisesItsOwn, "FORMAT-38"),
    (_LenientQuotes, "FORMAT-38"),
    (_TakesShortHalves, "FORMAT-39"),
    (_IgnoresSpareBits, "FORMAT-40"),
    (_NeedsNoPadding, "FORMAT-40"),
    (_SkipsBlanks, "FORMAT-40"),
    (_TakesBothAlphabets, "FORMAT-40"),
    (_NormalisesUnicode, "FORMAT-40"),
    (_SplitsAtAnyBlank, "FORMAT-41"),
    (_TakesUtf16, "FORMAT-41"),
    (_LenientTellsNothing, "FORMAT-42"),
]


@pytest.mark.parametrize(("toy", "rule"), _FAULTS)
def test_a_faulty_format_is_caught(toy: type[Toy], rule: str, fails: Callable[..., bool]) -> None:
    """Each planted fault fails the rule that forbids it, and the format that it was planted in passes."""
    sound = next(base for base in toy.__mro__ if base in _SOUND)

    assert fails(_contract(toy), rule, format=toy())
    assert not fails(_contract(sound), rule, format=sound())
