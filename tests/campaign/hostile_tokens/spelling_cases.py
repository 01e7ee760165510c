"""Signed tokens whose segments are spelt in another way than the one that there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hostile_tokens.case import OURS, Call, Case, Given
from hostile_tokens.sound import HEADER, OCT, PAYLOAD, hs256, signed, text, token

from keywright.errors import MalformedTokenError

__all__ = ["spelling_cases"]

_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_FIRST, _SECOND = text(b'{"alg": "HS256"}'), text(PAYLOAD)  # both with spare bits
_WHOLE = signed(_FIRST, _SECOND)
_THIRD = _WHOLE.rpartition(".")[2]
_GOOD = Given(_WHOLE, OCT, ["HS256"])


def _spare(part: str) -> str:
    return part[:-1] + _DIGITS[_DIGITS.index(part[-1]) + 1]


_SPELLINGS: tuple[tuple[str, str, str, Callable[[str], str]], ...] = (
    ("padding", "padded with =", "RFC 7515 §2", lambda part: part + "=" * (-len(part) % 4)),
    ("spare bits", "a bit set that spells nothing", "RFC 4648 §3.5, may", _spare),
    ("line feed", "a line feed inside", "RFC 7515 §2", lambda part: part[:4] + "\n" + part[4:]),
    ("space", "a space at the end", "RFC 7515 §2", lambda part: part + " "),
    ("junk", "characters of no alphabet inside", "RFC 7515 §2", lambda part: part[:4] + "!*!*" + part[4:]),
    ("= inside", "= in the middle", "RFC 7515 §2", lambda part: part[:4] + "====" + part[4:]),
    ("one more", "one character too many for whole octets", "RFC 4648 §4", lambda part: part + "A" * (-len(part) % 4)),
)


def spelling_cases() -> Iterator[Case]:
    """The header, the payload and the signature, each spelt in other ways, under a signature that holds."""
    for name, fault, rule, change in _SPELLINGS:
        for place, bad in (
            ("header", signed(change(_FIRST), _SECOND)),
            ("payload", signed(_FIRST, change(_SECOND))),
            ("signature", f"{_FIRST}.{_SECOND}.{change(_THIRD)}"),
        ):
            if name != "one more":
                yield _case(f"{place}: {name}", f"{place} {fault}", rule, bad)
    yield _case("header: one more", "header of one character too many", "RFC 4648 §4", signed(_FIRST + "AAA", _SECOND))
    standard = Given(signed(text(HEADER), text(b"\xfb\xff\xfe")), OCT, ["HS256"])
    yield _case("payload: + and /", "payload in the other alphabet", "RFC 7515 §2", signed(text(HEADER), "+//+"),
                good=standard)  # fmt: skip
    yield from _segments()


def _segments() -> Iterator[Case]:
    """Another number of segments, or something around them."""
    flat = f'{{"payload":"{_SECOND}","protected":"{_FIRST}","signature":"{_THIRD}"}}'
    other = text(hs256(b"other"))
    for name, fault, rule, bad in (
        ("empty", "nothing", "RFC 7515 §7.1", ""),
        ("one segment", "a header alone", "RFC 7515 §7.1", _FIRST),
        ("two segments", "no signature and no dot before it", "RFC 7515 §7.1", f"{_FIRST}.{_SECOND}"),
        ("four segments", "a second signature", "RFC 7515 §7.1", f"{_WHOLE}.{other}"),
        ("five segments", "as many as an encrypted token has", "RFC 7515 §7.1", f"{_WHOLE}.{other}.{other}"),
        ("dot at the end", "an empty fourth segment", "RFC 7515 §7.1", f"{_WHOLE}."),
        ("dot at the start", "an empty segment before", "RFC 7515 §7.1", f".{_WHOLE}"),
        ("flattened JSON", "the JSON serialization where a compact one is expected", OURS, flat),
        ("selective disclosure", "disclosures after the signature (RFC 9901)", "RFC 7515 §2", f"{_WHOLE}~{other}~"),
        ("space before", "a space before the token", "RFC 7515 §2", f" {_WHOLE}"),
        ("line feed after", "a line feed after the token", "RFC 7515 §2", f"{_WHOLE}\n"),
        ("full-width letter", "a letter that is no ASCII", "RFC 7515 §2", "\N{FULLWIDTH LATIN SMALL LETTER E}" +
         _WHOLE[1:]),
        ("full-width dot", "a dot that is no ASCII", "RFC 7515 §7.1", _WHOLE.replace(".", "\N{ONE DOT LEADER}")),
        ("a million dots", "a million segments", "RFC 7515 §7.1", _WHOLE + "." * 1_000_000),
    ):  # fmt: skip
        yield _case(f"token: {name}", fault, rule, bad)
    yield _case("token: byte beyond ASCII", "a byte that is no ASCII", "RFC 7515 §2", _WHOLE.encode() + b"\xff")
    large = token(payload=b'{"sub":"%s"}' % (b"a" * 250_000))
    yield _case("token: too large", "more than 262144 bytes", OURS, large)


def _case(name: str, fault: str, rule: str, bad: str | bytes, *, good: Given = _GOOD, call: Call = "verify") -> Case:
    return Case(name, fault, rule, call, good._replace(token=bad), good, MalformedTokenError)
