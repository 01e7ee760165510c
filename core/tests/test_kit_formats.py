"""The contract of formats passes sound formats, and catches each planted fault by the rule beside it."""

from __future__ import annotations

import binascii
import hashlib
import json
import os
import re
import time
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import strategies as st
from planted import Fault, cases, fails, fault, without_fault

from keywright import Attributes, Format, Key, Secret
from keywright.errors import MalformedKeyError, PassphraseNeededError, SealError, UnsupportedKeyError
from keywright.testing import FormatContract, Sample

# RFC 8032 §7.1, test 1
_SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
_PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
_KEY = Key("ed25519", "k-1", Secret(_SEED), _PUBLIC)


class Toy:
    """A format for ed25519 keys: `secret KID SEED PUBLIC` or `public KID PUBLIC`, halves in lower-case hexadecimal."""

    name = "toy"
    key_types: tuple[str, ...] = ("ed25519",)
    carries_kid = True
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
            raise MalformedKeyError("this is not a toy key")
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


class KidlessToy(Toy):
    """The same with `-` in the place of the kid."""

    carries_kid = False

    def check(self, key: Key) -> None:
        super().check(replace(key, kid="-"))

    def kid(self, key: Key) -> bytes:
        return b"-"

    def decode(self, data: Secret, *, default_kid: str) -> Key:
        key = super().decode(data, default_kid="-")
        if key.kid != "-":
            raise MalformedKeyError("this is not a toy key")
        return replace(key, kid=default_kid)

    def default_kid(self, name: str, version: int, key: Key) -> str | None:
        return None

    kids = re.compile(rb"-")


class EncryptedToy(Toy):
    """The same with an encrypted form: `encrypted` and salt and ciphertext in hexadecimal."""

    def sniff(self, data: Secret) -> bool:
        return super().sniff(data) or self.is_encrypted(data)

    def decode(self, data: Secret, *, default_kid: str) -> Key:
        if self.is_encrypted(data):
            raise PassphraseNeededError("the toy key is encrypted")
        return super().decode(data, default_kid=default_kid)

    def is_encrypted(self, data: Secret) -> bool:
        return data.reveal().startswith(b"encrypted ")

    def encode_encrypted(self, key: Key, passphrase: Secret, *, entropy: Secret) -> Secret:
        salt = entropy.reveal()[:16]
        return Secret(b"encrypted " + (salt + self.seal(salt, self.encode_secret(key), passphrase)).hex().encode())

    def seal(self, salt: bytes, plain: Secret, passphrase: Secret) -> bytes:
        return self.cipher(salt, passphrase).encrypt(bytes(12), plain.reveal(), None)

    def decode_encrypted(self, data: Secret, passphrase: Secret, *, default_kid: str) -> Key:
        plain = self.opened(self.unspell(Secret(data.reveal().removeprefix(b"encrypted "))), passphrase)
        if plain is None:
            raise MalformedKeyError("the passphrase is wrong, or the toy key is damaged")
        return super().decode(plain, default_kid=default_kid)

    def opened(self, data: Secret | None, passphrase: Secret) -> Secret | None:
        if data is None or len(data) < 32:
            return None
        try:
            salt = data.reveal()[:16]
            return Secret(self.cipher(salt, passphrase).decrypt(bytes(12), data.reveal()[16:], None))
        except InvalidTag:
            return None

    def cipher(self, salt: bytes, passphrase: Secret) -> AESGCM:
        return AESGCM(sha256(salt + passphrase.reveal()).digest())


_SOUND: tuple[type[Toy], ...] = (Toy, Base64Toy, CarryingToy, LenientToy, KidlessToy, EncryptedToy)


def _sound_of(toy: type[Toy]) -> type[Toy]:
    """The sound toy that `toy` is made from."""
    return next(base for base in toy.__mro__ if base in _SOUND)


class _AnyToy(FormatContract):
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


def _samples_of(toy: type[Toy]) -> tuple[Sample, ...]:
    """A secret key and a public one, as the toy writes them."""
    key = replace(_KEY, attributes=Attributes({"use": "sig"} if issubclass(toy, CarryingToy) else {}))
    kid = "" if toy.carries_kid else key.kid
    return (
        Sample(toy().encode_secret(key).reveal(), kid, key),
        Sample(toy().encode_public(key), kid, key.without_secret()),
    )


def _contract_for(toy: type[Toy]) -> type[_AnyToy]:
    """With the samples of the sound toy that `toy` is made from."""
    return type("_Contract", (_AnyToy,), {"toy": toy, "samples": _samples_of(_sound_of(toy))})


class TestToy(_AnyToy):
    """Hexadecimal."""

    samples = _samples_of(Toy)


class TestBase64Toy(_AnyToy):
    """Base64."""

    toy = Base64Toy
    samples = _samples_of(Base64Toy)


class TestCarryingToy(_AnyToy):
    """Attributes."""

    toy = CarryingToy
    samples = _samples_of(CarryingToy)


class TestLenientToy(_AnyToy):
    """A lenient reading."""

    toy = LenientToy
    samples = _samples_of(LenientToy)


class TestKidlessToy(_AnyToy):
    """Without a kid."""

    toy = KidlessToy
    samples = _samples_of(KidlessToy)


class TestEncryptedToy(_AnyToy):
    """With an encrypted form."""

    toy = EncryptedToy
    samples = _samples_of(EncryptedToy)


# Mutants of more than an expression


class _SaysWhichIsWrong(EncryptedToy):
    def decode_encrypted(self, data: Secret, passphrase: Secret, *, default_kid: str) -> Key:
        try:
            return super().decode_encrypted(data, passphrase, default_kid=default_kid)
        except MalformedKeyError:
            raise SealError("the passphrase is wrong") from None


class _HalvesSwapped(Toy):
    def encode_secret(self, key: Key) -> Secret:
        assert key.secret
        return super().encode_secret(replace(key, secret=Secret(key.public or b""), public=key.secret.reveal()))

    def decode(self, data: Secret, *, default_kid: str) -> Key:
        key = super().decode(data, default_kid=default_kid)
        return key if key.secret is None else replace(key, secret=Secret(key.public or b""), public=key.secret.reveal())


class _SaltsItsText(Toy):
    count = 0

    def encode_secret(self, key: Key) -> Secret:
        self.count += 1
        return Secret(super().encode_secret(key).reveal() + b" " * (self.count % 2))


class _ChangesTheKey(Toy):
    def encode_public(self, key: Key) -> bytes:
        object.__setattr__(key, "kid", key.kid + "-published")
        return super().encode_public(key)


class _OpensAFile(Toy):
    def sniff(self, data: Secret) -> bool:
        with open(os.devnull, "rb") as file:
            return not file.read() and super().sniff(data)


class _PutsHalvesRightWhenRead(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        key = super().decode(data, default_kid=default_kid)
        return replace(key, public=_PUBLIC) if key.secret == Secret(_SEED) else key


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
        raise MalformedKeyError("this is not a toy key")


class _QuotesInput(_Refusing):
    def refuse(self, data: Secret) -> Key:
        raise MalformedKeyError(f"{data.reveal()!r} is not a toy key")


class _QuotesInNotes(_Refusing):
    def refuse(self, data: Secret) -> Key:
        error = MalformedKeyError("this is not a toy key")
        error.add_note(f"it was {data.reveal()!r}")
        raise error


class _QuotesInCause(_Refusing):
    def refuse(self, data: Secret) -> Key:
        raise MalformedKeyError("this is not a toy key") from ValueError(data.reveal())


class _QuotesInHiddenContext(_Refusing):
    def refuse(self, data: Secret) -> Key:
        try:
            json.loads(data.reveal().decode("latin-1"))
        except ValueError:
            raise MalformedKeyError("this is not a toy key") from None
        return _KEY


class _QuotesInAMember(_Refusing):
    def refuse(self, data: Secret) -> Key:
        error = MalformedKeyError("this is not a toy key")
        vars(error)["data"] = data.reveal()
        raise error


class _SaysItInTwoLines(_Refusing):
    def refuse(self, data: Secret) -> Key:
        raise MalformedKeyError("this is not a toy key;\nwrite another")


class _ShowsLocals(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        text = data.reveal().decode(errors="replace")
        key = super().decode(data, default_kid=default_kid)
        return key if text else replace(key)


class _PadsWhatIsShort(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        whole = len(_samples_of(Toy)[0].data)
        padded = data.reveal() + b"0" if len(data) == whole - 1 else data.reveal()
        return super().decode(Secret(padded), default_kid=default_kid)


class _RaisesItsOwn(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        data.reveal().decode("ascii")
        return super().decode(data, default_kid=default_kid)


class _Recurses(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        if data.reveal().startswith((b"[", b"(")):
            return self.decode(Secret(data.reveal()[1:]), default_kid=default_kid)
        return super().decode(data, default_kid=default_kid)


class _ReadsWhatItCannotWrite(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        words = data.reveal().split(b" ")
        lowered = words[:1] + [word.lower() for word in words[1:2]] + words[2:]
        key = super().decode(Secret(b" ".join(lowered)), default_kid=default_kid)
        return replace(key, kid=words[1].decode())


class _IgnoresSpareBits(Base64Toy):
    def unspell(self, word: Secret) -> Secret | None:
        try:
            half = Secret(binascii.a2b_base64(word.reveal()))
        except ValueError:
            return None
        return half if len(self.spell(half.reveal())) == len(word) and word.reveal().endswith(b"=") else None


class _TakesUtf16(Toy):
    def words(self, data: Secret) -> Sequence[Secret]:
        if data.reveal().startswith(b"\xff\xfe"):
            return super().words(Secret(data.reveal().decode("utf-16", "replace").encode(errors="replace")))
        return super().words(data)


class _LenientQuotes(LenientToy):
    def decode_lenient(self, data: Secret, *, default_kid: str) -> tuple[Key, tuple[str, ...]]:
        key, deviations = super().decode_lenient(data, default_kid=default_kid)
        return key, tuple(f"{told}: {data.reveal()!r}" for told in deviations)


class _LenientRaisesItsOwn(LenientToy):
    def decode_lenient(self, data: Secret, *, default_kid: str) -> tuple[Key, tuple[str, ...]]:
        data.reveal().index(b" ", 10)
        return super().decode_lenient(data, default_kid=default_kid)


def _decoding(change: Callable[[bytes], bytes]) -> Any:
    """`decode` of data that was changed first."""
    return lambda self, sound, data, default_kid: sound(Secret(change(data.reveal())), default_kid=default_kid)


def _unspelling(change: Callable[[bytes], bytes]) -> Any:
    """`unspell` of a word that was changed first."""
    return lambda self, sound, word: sound(Secret(change(word.reveal())))


def _kid_of(secret: Secret | None) -> str:
    return hashlib.sha256(b"" if secret is None else secret.reveal()).hexdigest()


_toy = partial(fault, Toy)
_base64_toy = partial(fault, Base64Toy)
_carrying_toy = partial(fault, CarryingToy)
_lenient_toy = partial(fault, LenientToy)
_kidless_toy = partial(fault, KidlessToy)
_encrypted_toy = partial(fault, EncryptedToy)
_FAULTS = [
    # What it is
    _toy("FORMAT-01: capital name", name="Toy"),
    _toy("FORMAT-01: no key types", key_types=()),
    _toy("FORMAT-23: secrets as bytes", encode_secret=lambda self, sound, key: sound(key).reveal()),
    # There and back
    _toy(
        "FORMAT-02: ends with a line feed",
        encode_public=lambda self, sound, key: sound(key) + b"\n",
        decode=_decoding(lambda data: data.removesuffix(b"\n")),
    ),
    Fault("FORMAT-03", _HalvesSwapped),
    _toy("FORMAT-04: loses leading zeros", spell=lambda self, sound, half: b"%x" % int.from_bytes(half)),
    _toy(
        "FORMAT-05: public holds a hash of the secret",
        encode_public=lambda self, sound, key: sound(
            key if key.secret is None else replace(key, public=hashlib.sha256(key.secret.reveal()).digest())
        ),
    ),
    _toy(
        "FORMAT-06: leaks into public",
        encode_public=lambda self, sound, key: sound(key) + self.spell(key.secret.reveal() if key.secret else b""),
    ),
    _toy("FORMAT-13: sniffs nothing", sniff=lambda self, sound, data: False),
    _toy("FORMAT-13: sniffs secrets alone", sniff=lambda self, sound, data: data.reveal().startswith(b"secret ")),
    Fault("FORMAT-14", _SaltsItsText),
    Fault("FORMAT-14", _ChangesTheKey),
    _toy("FORMAT-16: reads the clock", encode_public=lambda self, sound, key: time.time() and sound(key)),
    _toy("FORMAT-16: draws a random number", encode_secret=lambda self, sound, key: os.urandom(1) and sound(key)),
    _toy(
        "FORMAT-16: reads the environment",
        default_kid=lambda self, sound, name, version, key: f"{os.environ.get('KID_PREFIX', '')}{name}-{version}",
    ),
    Fault("FORMAT-16", _OpensAFile),
    # Kids
    _toy(
        "FORMAT-10: cleans kids",
        check=lambda self, sound, key: sound(replace(key, kid=key.kid.strip() or "k")),
        kid=lambda self, sound, key: key.kid.strip().encode() or b"k",
    ),
    _toy(
        "FORMAT-11: names no one",
        check=lambda self, sound, key: sound(replace(key, kid=key.kid or "-")),
        kid=lambda self, sound, key: key.kid.encode() or b"-",
    ),
    _toy(
        "FORMAT-12: kid from secret",
        default_kid=lambda self, sound, name, version, key: "none" if key.secret is None else key.secret.reveal().hex(),
    ),
    _toy("FORMAT-12: kid hashes the secret", default_kid=lambda self, sound, name, version, key: _kid_of(key.secret)),
    _toy("FORMAT-18: ten versions", default_kid=lambda self, sound, name, version, key: f"{name}-{version % 10}"),
    _toy("FORMAT-18: kids without slash", kids=re.compile(rb"[a-z0-9._-]+")),
    _toy(
        "FORMAT-21: drops the kid of public keys",
        encode_public=lambda self, sound, key: sound(replace(key, kid="-")),
        read_kid=lambda self, sound, word, kid: kid if word.reveal() == b"-" else sound(word, kid),
    ),
    # Attributes
    _carrying_toy(
        "FORMAT-09: drops some attributes",
        dump=lambda self, sound, found: sound({name: found[name] for name in found if name == "use"}),
    ),
    _carrying_toy(
        "FORMAT-15: publishes attributes",
        encode_public=lambda self, sound, key: self.carried(key.attributes.plain()).reveal() + sound(key),
    ),
    _carrying_toy(
        "FORMAT-22: attributes as text",
        dump=lambda self, sound, found: sound({name: str(value) for name, value in found.items()}),
    ),
    _carrying_toy(
        "FORMAT-24: attributes of any depth",
        carried=lambda self, sound, found: Secret(self.dump(found).encode() + b"\n" if found else b""),
    ),
    # Limits
    _toy(
        "FORMAT-07: public for secret",
        encode_secret=lambda self, sound, key: Secret(self.encode_public(key)) if key.secret is None else sound(key),
    ),
    _toy("FORMAT-08: takes any type", encode_secret=lambda self, sound, key: sound(replace(key, type="ed25519"))),
    _toy(
        "FORMAT-08: takes the type in capitals",
        check=lambda self, sound, key: sound(replace(key, type=key.type.lower())),
    ),
    _toy(
        "FORMAT-19: puts halves right",
        encode_secret=lambda self, sound, key: sound(
            replace(key, public=_PUBLIC) if key.secret == Secret(_SEED) else key
        ),
    ),
    Fault("FORMAT-19", _PutsHalvesRightWhenRead),
    _toy(
        "FORMAT-20: cuts long halves",
        encode_secret=lambda self, sound, key: sound(
            replace(key, secret=key.secret and Secret(key.secret.reveal()[:32]))
        ),
    ),
    _toy(
        "FORMAT-20: fills up short halves",
        check=lambda self, sound, key: sound(replace(key, public=None)),
        spell=lambda self, sound, half: sound(half.ljust(32, b"\0")[:32]),
    ),
    # Damage
    Fault("FORMAT-30", _PadsWhatIsShort),
    _toy("FORMAT-31: ignores case", decode=_decoding(bytes.lower)),
    _toy("FORMAT-31: masks the high bit", decode=_decoding(lambda data: bytes(byte & 127 for byte in data))),
    _toy("FORMAT-32: strips junk", decode=_decoding(lambda data: data.rstrip(b"\0="))),
    _toy("FORMAT-32: takes a byte order mark", decode=_decoding(lambda data: data.removeprefix(b"\xef\xbb\xbf"))),
    Fault("FORMAT-33", _Recurses),
    _toy(
        "FORMAT-33: sniff raises",
        sniff=lambda self, sound, data: data.reveal().decode("ascii").startswith(("secret ", "public ")),
    ),
    Fault("FORMAT-34", _RaisesItsOwn),
    Fault("FORMAT-35 FORMAT-36", _QuotesInput),
    Fault("FORMAT-35", _QuotesInNotes),
    Fault("FORMAT-35", _QuotesInCause),
    Fault("FORMAT-35", _QuotesInHiddenContext),
    Fault("FORMAT-35", _QuotesInAMember),
    Fault("FORMAT-35", _SaysItInTwoLines),
    Fault("FORMAT-36", _ShowsLocals),
    _toy("FORMAT-39: takes short halves", fits=lambda self, sound, half: half is not None and 30 <= len(half) <= 32),
    Fault("FORMAT-43", _ReadsWhatItCannotWrite),
    # Spellings, and a lenient reading
    _lenient_toy(
        "FORMAT-37: lenient tells too much",
        decode_lenient=lambda self, sound, data, *, default_kid: (
            sound(data, default_kid=default_kid)[0],
            ("it was read leniently",),
        ),
    ),
    Fault("FORMAT-38", _LenientRaisesItsOwn),
    Fault("FORMAT-38", _LenientQuotes),
    Fault("FORMAT-40", _IgnoresSpareBits),
    _base64_toy("FORMAT-40: needs no padding", unspell=_unspelling(lambda word: word + b"=" * (-len(word) % 4))),
    _base64_toy("FORMAT-40: skips blanks", unspell=_unspelling(lambda word: b"".join(word.split()))),
    _base64_toy(
        "FORMAT-40: takes both alphabets",
        unspell=_unspelling(lambda word: word.replace(b"-", b"+").replace(b"_", b"/")),
    ),
    _toy(
        "FORMAT-40: normalises unicode",
        words=lambda self, sound, data: sound(
            Secret(unicodedata.normalize("NFKC", data.reveal().decode(errors="replace")).encode(errors="replace"))
        ),
    ),
    _toy(
        "FORMAT-41: splits at any blank",
        words=lambda self, sound, data: [Secret(word) for word in data.reveal().split()] or sound(data),
    ),
    Fault("FORMAT-41", _TakesUtf16),
    _kidless_toy("FORMAT-21: claims to carry the kid", carries_kid=True),
    _encrypted_toy(
        "FORMAT-50: ignores the entropy",
        encode_encrypted=lambda self, sound, key, passphrase, *, entropy: sound(
            key, passphrase, entropy=Secret(bytes(range(64)))
        ),
    ),
    _encrypted_toy("FORMAT-50: encrypts nothing", seal=lambda self, sound, salt, plain, passphrase: plain.reveal()),
    _encrypted_toy("FORMAT-51: calls it malformed", decode=Toy.decode),
    Fault("FORMAT-52", _SaysWhichIsWrong),
    _encrypted_toy(
        "FORMAT-52: opens with any passphrase", cipher=lambda self, sound, salt, passphrase: sound(salt, Secret(b""))
    ),
    _lenient_toy(
        "FORMAT-42: lenient tells nothing",
        decode_lenient=lambda self, sound, data, *, default_kid: (sound(data, default_kid=default_kid)[0], ()),
    ),
]


@pytest.mark.parametrize(("planted", "rule"), cases(_FAULTS))
def test_a_faulty_format_is_caught(planted: Fault, rule: str) -> None:
    """Each planted fault fails the rule that forbids it, and the format that it was planted in passes."""

    def broken(toy: type[Toy]) -> bool:
        return fails(_contract_for(toy), rule, lambda: nullcontext({"format": toy()}))

    assert broken(planted.mutant)
    assert not broken(_sound_of(planted.mutant))


def test_every_rule_has_a_planted_fault() -> None:
    """Each rule is one that a fault breaks, but for FORMAT-17, whose examples are drawn: FORMAT-43 tries them all."""
    assert without_fault(FormatContract, _FAULTS) == ["FORMAT-17"]
