"""The contract of formats catches faults in reading: what is damaged or hostile, and errors that show secrets."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from toy_formats import KEY, Toy, contract_for, samples_of, sound_of

from keywright.errors import MalformedKeyError
from keywright.keys import Key
from keywright.secret import Secret

# Secrecy


class _Refusing(Toy):
    """The next ones refuse what `Toy` refuses, in another way."""

    def decode(self, data: Secret, *, default_kid: str) -> Key:
        refused = False
        try:
            return super().decode(data, default_kid=default_kid)
        except MalformedKeyError:
            refused = True
        return self.refuse(data) if refused else KEY

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
        return KEY


class _QuotesInAMember(_Refusing):
    def refuse(self, data: Secret) -> Key:
        error = MalformedKeyError("this is no toy key")
        vars(error)["data"] = data.reveal()
        raise error


class _SaysItInTwoLines(_Refusing):
    def refuse(self, data: Secret) -> Key:
        raise MalformedKeyError("this is no toy key;\nwrite another")


class _ShowsLocals(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        text = data.reveal().decode(errors="replace")
        key = super().decode(data, default_kid=default_kid)
        return key if text else replace(key)


# Damage


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
        whole = len(samples_of(Toy)[0].data)
        padded = data.reveal() + b"0" if len(data) == whole - 1 else data.reveal()
        return super().decode(Secret(padded), default_kid=default_kid)


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


class _ReadsWhatItCannotWrite(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        words = data.reveal().split(b" ")
        lowered = words[:1] + [word.lower() for word in words[1:2]] + words[2:]
        key = super().decode(Secret(b" ".join(lowered)), default_kid=default_kid)
        return replace(key, kid=words[1].decode())


_FAULTS: list[tuple[type[Toy], str]] = [
    (_ReadsWhatItCannotWrite, "FORMAT-43"),
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
    (_TakesShortHalves, "FORMAT-39"),
]


@pytest.mark.parametrize(("toy", "rule"), _FAULTS)
def test_a_faulty_format_is_caught(toy: type[Toy], rule: str, fails: Callable[..., bool]) -> None:
    """Each planted fault fails the rule that forbids it, and the format that it was planted in passes."""
    sound = sound_of(toy)

    assert fails(contract_for(toy), rule, format=toy())
    assert not fails(contract_for(sound), rule, format=sound())
