"""The contract of formats catches faults in spelling: second ones that are taken, and lenient readings."""

from __future__ import annotations

import binascii
import unicodedata
from collections.abc import Callable, Sequence

import pytest
from toy_formats import Base64Toy, LenientToy, Toy, contract_for, sound_of

from keywright.keys import Key
from keywright.secret import Secret

# Spellings


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
    (_LenientTellsTooMuch, "FORMAT-37"),
    (_LenientRaisesItsOwn, "FORMAT-38"),
    (_LenientQuotes, "FORMAT-38"),
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
    sound = sound_of(toy)

    assert fails(contract_for(toy), rule, format=toy())
    assert not fails(contract_for(sound), rule, format=sound())
