"""The contract of formats: a second, lenient reading. Formats without one pass."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from keywright.errors import FormatError
from keywright.keys import Key
from keywright.protocols import Format, LenientFormat
from keywright.secret import Secret
from keywright.testing.formats.damage import damaged
from keywright.testing.formats.samples import FormatSamples, Spoilable, read
from keywright.testing.formats.spellings import respelt
from keywright.testing.leaks import assert_hidden, everything_in

__all__ = ["LenientRules"]


def _read(format: LenientFormat, data: Secret, kid: str) -> tuple[Key, tuple[str, ...]] | FormatError:
    try:
        return format.decode_lenient(data, default_kid=kid)
    except FormatError as error:
        return error


def _spoilt(whole: list[Spoilable]) -> Iterator[Spoilable]:
    """Data as a lenient reading meets them: damaged, or only spelt in another way."""
    yield from damaged(whole)
    for one in whole:
        text = one.data.reveal()
        around = (text + b" ", b" " + text, text + b"\n\n", text + b"\r\n", text.upper())
        yield from (one._replace(data=Secret(other)) for other in chain(respelt(text), around))


class LenientRules(FormatSamples):
    """Part of `FormatContract`."""

    def test_format_37_the_lenient_reading_agrees_on_what_is_canonical(self, format: Format) -> None:
        """FORMAT-37: A second, lenient reading gives the same key for canonical data, and no deviation.

        Why: People say `--lenient` for one bad file and leave it there; a warning about every good one teaches them
        to read none.

        Do: Read strictly first, or let both readings share the code that makes the key.
        """
        if not isinstance(format, LenientFormat):
            return
        for data, kid, _secret, _public in self.spoilable(format):
            assert format.decode_lenient(data, default_kid=kid) == (read(format, data, kid), ())

    def test_format_38_the_lenient_reading_fails_as_the_strict_one_does(self, format: Format) -> None:
        """FORMAT-38: The lenient reading of damaged data raises FormatError; neither that nor a deviation quotes.

        Why: Lenience is for files that other programs take, and no licence to crash on them or to print them.

        Do: Catch and word errors as in `decode`, and let a deviation say what was odd, never what it looked like.
        """
        if not isinstance(format, LenientFormat):
            return
        for data, kid, secret, public in _spoilt(self.spoilable(format)):
            found = _read(format, data, kid)
            shown = everything_in(found) if isinstance(found, FormatError) else "\n".join(found[1])
            if secret is not None:
                assert_hidden(secret, shown, public=public)

    def test_format_42_every_deviation_is_told(self, format: Format) -> None:
        """FORMAT-42: What only the lenient reading takes comes with deviations, a line each; what both take is one key.

        Why: Whoever reads leniently must learn what was wrong with the file, or the next program refuses it and
        nobody knows why.

        Do: Add a sentence wherever the lenient reading passes over something that `decode` refuses, and nowhere else.
        """
        if not isinstance(format, LenientFormat):
            return
        for data, kid, _secret, _public in _spoilt(self.spoilable(format)):
            strict, lenient = read(format, data, kid), _read(format, data, kid)
            if isinstance(strict, Key):
                assert lenient == (strict, ())
            elif not isinstance(lenient, FormatError):
                assert lenient[1]
                assert all(told.strip() and len(told.splitlines()) == 1 for told in lenient[1])
