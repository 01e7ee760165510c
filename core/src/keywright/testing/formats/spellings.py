"""The contract of formats: that one key has one spelling, or at least none that hides in base64 or hexadecimal."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from keywright.protocols import Format
from keywright.testing.formats.damage import spread
from keywright.testing.formats.samples import FormatSamples, read

__all__ = ["SpellingRules", "respelt"]

_RUN: Final = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_DIGITS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_INSIDE: Final = (b" ", b"\t", b"\n", b"\r\n", b"\v", b"\f", b"_", b"=", b"\xc2\xa0", b"\xe2\x80\x8b")
_OTHER_ALPHABET: Final = bytes.maketrans(b"+/-_", b"-_+/")


def respelt(text: bytes) -> Iterator[bytes]:
    """`text` with the base64 and hexadecimal digits in it spelt in the ways that lenient readers take for the same."""
    for run in _RUN.finditer(text):
        for other in _respellings(run[0]):
            if other != run[0]:
                yield text[: run.start()] + other + text[run.end() :]


def _respellings(run: bytes) -> Iterator[bytes]:
    digits = run.rstrip(b"=")
    for at in spread(len(digits), 8):
        yield from (digits[:at] + more + run[at:] for more in _INSIDE)
    yield from (digits + b"=" * count for count in range(5))
    yield from (run.translate(_OTHER_ALPHABET), run.upper(), run.lower(), run.swapcase())
    yield from (prefix + run for prefix in (b"0", b"00", b"0x", b"A", b"+", b" ", b"\n"))
    yield from (run + more for more in (b" ", b"\t", b"\r"))
    yield from (digits[:-1] + bytes([digit]) + run[len(digits) :] for digit in _DIGITS)
    # What `int` and Unicode normalisation take for digits and letters.
    for first in (0xFF10, 0x0660, 0x1D7CE):
        yield re.sub(rb"[0-9]", lambda found: chr(first - 0x30 + found[0][0]).encode(), run)  # noqa: B023  (called here)
    yield re.sub(rb"[A-Za-z]", lambda found: chr(0xFEE0 + found[0][0]).encode(), run)


class SpellingRules(FormatSamples):
    """Part of `FormatContract`."""

    def test_format_40_a_key_has_one_spelling_in_base64_or_hexadecimal(self, format: Format) -> None:
        """FORMAT-40: Other padding, alphabet, case, digits, spare bits or blanks in a key are refused or another key.

        Why: With a second spelling a blocked key passes a list that blocks its text, and two programs disagree about
        whether a file was changed.

        Do: Encode again what the library decoded, and refuse the data unless that gives the very same text; most
        base64 decoders skip or ignore something.
        """
        for data, kid, _secret, _public in self.spoilable(format):
            text, whole = data.reveal(), read(format, data, kid)
            for number, other in enumerate(respelt(text)):
                assert read(format, other, kid) != whole, f"spelling {number}"

    def test_format_41_every_byte_counts(self, format: Format) -> None:
        """FORMAT-41: Data with any one byte twice or left out, or in UTF-16 or UTF-32, are refused or another key.

        Why: A byte that does not count is room in which damage, or somebody's mark, goes unseen.

        Do: Find what your parser skips at the byte that the failure names: blanks, empty fields, a byte order mark.
        Only line ends at the end may be left out.
        """
        for data, kid, _secret, _public in self.spoilable(format):
            text, whole = data.reveal(), read(format, data, kid)
            for at in range(len(text.rstrip(b"\r\n"))):
                for changed in (text[: at + 1] + text[at:], text[:at] + text[at + 1 :]):
                    assert read(format, changed, kid) != whole, f"byte {at}"
            for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"):
                assert read(format, text.decode("latin-1").encode(encoding), kid) != whole, encoding
