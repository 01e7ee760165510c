"""The contract of formats: how data is read that is damaged, hostile or spelled in another way."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Final

import pytest
from hypothesis import given, strategies as st

from keywright import EncryptedFormat, Format, Key, LenientFormat, Secret
from keywright.errors import FormatError, MalformedKeyError, PassphraseNeededError
from keywright.testing.formats.samples import FormatSamples, Spoilable, decoded_again, read
from keywright.testing.leaks import assert_hidden, everything_in, refusal
from keywright.testing.rules import LAW
from keywright.testing.strategies import flipped, spread

_CANARY: Final = b"Quotd8canaRy"
_PASSPHRASE: Final = Secret(b"correct horse battery staple")
_ENTROPY: Final = Secret(bytes(range(64)))
_HOSTILE: Final = (
    pytest.param(b"", id="empty"),
    pytest.param(b"\n", id="line end"),
    pytest.param(b"\0" * 64, id="NUL"),
    pytest.param(b"\xff\xfe" * 40, id="no UTF-8"),
    pytest.param(b"A" * 1_000_000, id="a megabyte"),
    pytest.param(b"[" * 100_000, id="deep list"),
    pytest.param(b"(" * 100_000, id="deep expression"),
    pytest.param(b'{"a":' * 100_000, id="deep object"),
    pytest.param(b"9" * 10_000, id="long number"),
    pytest.param(b'{"kty":"oct","k":' + b"9" * 5_000 + b"}", id="long number in JSON"),
    pytest.param(b'{"kty":"oct","k":1e999}', id="infinite number in JSON"),
    pytest.param(b'{"kty":"oct","k":NaN}', id="no number in JSON"),
    pytest.param(b'{"kty":"\\ud800","k":"\\ud800"}', id="half a character in JSON"),
    pytest.param(b'{"kty":{},"k":[],"crv":null,"x":1,"d":true}', id="wrong types in JSON"),
    pytest.param("name:кл".encode(), id="no ASCII"),
    pytest.param(b"name:" + b"=" * 88, id="only padding"),
    pytest.param(b":" * 1000, id="colons"),
    pytest.param(b" " * 1000, id="blanks"),
    pytest.param(b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", id="empty PEM"),
    pytest.param(b"\x30\x84\xff\xff\xff\xff" + b"\0" * 40, id="DER longer than it is"),
    pytest.param(b"\x30\x80" * 10_000, id="deep DER"),
)

# Of the secret and the public half, in bytes; see `keywright.Key`.
_LENGTHS: Final = {
    "ed25519": (32, 32),
    "x25519": (32, 32),
    "ec-p256": (32, 65),
    "ec-p384": (48, 97),
    "ec-p521": (66, 133),
    "ed448": (57, 57),
    "x448": (56, 56),
}

_RUN: Final = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_DIGITS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_INSIDE: Final = (b" ", b"\t", b"\n", b"\r\n", b"\v", b"\f", b"_", b"=", b"\xc2\xa0", b"\xe2\x80\x8b")
_OTHER_ALPHABET: Final = bytes.maketrans(b"+/-_", b"-_+/")


def damaged(whole: list[Spoilable]) -> Iterator[Spoilable]:
    """Some hundred damaged forms of valid data."""
    for one in whole:
        text = one.data.reveal()
        for at in spread(len(text), 24):
            other = text[:at] + bytes([text[at] ^ 0x15]) + text[at + 1 :]
            for spoilt in (text[:at], other, *(text[:at] + text[at + cut :] for cut in (1, 2, 4))):
                yield one._replace(data=Secret(spoilt))


def respelt(text: bytes) -> Iterator[bytes]:
    """`text` with its base64 and hexadecimal digits in the spellings that lenient readers accept as equal."""
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


def _read(format: LenientFormat, data: Secret, kid: str) -> tuple[Key, tuple[str, ...]] | FormatError:
    try:
        return format.decode_lenient(data, default_kid=kid)
    except FormatError as error:
        return error


def _spoilt(whole: list[Spoilable]) -> Iterator[Spoilable]:
    """Data for lenient decoding: damaged, or only spelled in another way."""
    yield from damaged(whole)
    for one in whole:
        text = one.data.reveal()
        around = (text + b" ", b" " + text, text + b"\n\n", text + b"\r\n", text.upper())
        yield from (one._replace(data=Secret(other)) for other in chain(respelt(text), around))


class ReadingRules(FormatSamples):
    """Part of `FormatContract`."""

    def _encrypted(self, format: Format) -> Iterator[tuple[EncryptedFormat, Key, Secret]]:
        """The keys of the samples, each with an encrypted encoding."""
        if not isinstance(format, EncryptedFormat):
            pytest.skip("the format does not encrypt")
        for key in self.secret_keys(format):
            yield format, key, format.encode_encrypted(key, _PASSPHRASE, entropy=_ENTROPY)

    def test_format_50_an_encrypted_key_comes_back_with_its_passphrase(self, format: Format) -> None:
        """FORMAT-50: An encrypted key decodes with the passphrase to the same key; salts come from `entropy` alone.

        Why: A backup that its passphrase does not open is lost.

        Do: Take salt and nonce from the 64 bytes, and encrypt the same encoding that `encode_secret` gives.
        """
        for encrypting, key, data in self._encrypted(format):
            assert encrypting.is_encrypted(data) is True
            assert encrypting.is_encrypted(format.encode_secret(key)) is False
            again = encrypting.decode_encrypted(data, _PASSPHRASE, default_kid=key.kid)
            assert self.validate(again) == key
            assert encrypting.encode_encrypted(key, _PASSPHRASE, entropy=_ENTROPY) == data
            assert encrypting.encode_encrypted(key, _PASSPHRASE, entropy=Secret(bytes(64))) != data
            assert format.sniff(data) is True
            assert key.secret is not None
            assert_hidden(key.secret, data.reveal(), public=key.public or b"")

    def test_format_51_an_encrypted_key_needs_a_passphrase(self, format: Format) -> None:
        """FORMAT-51: `decode` of an encrypted key raises PassphraseNeededError.

        Why: The command line asks for the passphrase when it gets this error, and for nothing else.

        Do: Ask `is_encrypted` first, in `decode` and in `decode_lenient`.
        """
        for _encrypting, _key, data in self._encrypted(format):
            assert isinstance(read(format, data, ""), PassphraseNeededError)

    def test_format_52_a_wrong_passphrase_and_damage_look_alike(self, format: Format) -> None:
        """FORMAT-52: A wrong passphrase and damaged data raise MalformedKeyError with one message, and quote nothing.

        Why: Which of the two it is cannot be known, and a message that claims to know sends users the wrong way.

        Do: Catch what the cipher and the decoder behind it raise, and raise one error for both.
        """
        for encrypting, key, data in self._encrypted(format):
            wrong = refusal(
                MalformedKeyError, encrypting.decode_encrypted, data, Secret(b"another passphrase"), default_kid=""
            )
            assert_hidden(_PASSPHRASE, everything_in(wrong))
            for at in spread(len(data), 24):
                text = flipped(data.reveal(), at * 8)
                try:
                    found = encrypting.decode_encrypted(Secret(text), _PASSPHRASE, default_kid=key.kid)
                except FormatError as error:
                    assert key.secret is not None
                    assert_hidden(key.secret, everything_in(error), public=key.public or b"")
                else:
                    assert found.secret == key.secret  # such as a byte of a salt's label; never another key

    def test_format_30_every_truncation_is_refused(self, format: Format) -> None:
        """FORMAT-30: Data cut short anywhere raises MalformedKeyError; only line ends at the end may be missing.

        Why: Files are truncated by full disks and when they are copied from a terminal; half a key that is accepted as
        a whole one makes signatures that cannot be verified.

        Do: Count: compare the length of what you decoded with the one it must have, and ask for the text's last
        character or end mark.
        """
        for data, kid, _secret, _public in self.spoilable(format):
            for length in range(len(data.reveal().rstrip(b"\r\n"))):
                found = read(format, data.reveal()[:length], kid)
                assert isinstance(found, MalformedKeyError), f"cut to {length} bytes"

    def test_format_31_every_flipped_bit_is_refused_or_another_key(self, format: Format) -> None:
        """FORMAT-31: Data with any one bit flipped raises a FormatError or is another key, never the same one.

        Why: A bit that may be either way lets two texts mean one key: a list of trusted texts no longer says which
        keys are trusted, and damage goes unseen.

        Do: Find the byte that the failure names: it is one that your decoder skips, folds to one case or masks. The
        surest way is to encode what was decoded and compare.
        """
        for data, kid, _secret, _public in self.spoilable(format):
            whole = read(format, data, kid)
            for bit in range(len(data) * 8):
                assert read(format, flipped(data.reveal(), bit), kid) != whole, f"bit {bit % 8} of byte {bit // 8}"

    @pytest.mark.parametrize("junk", [b"\0", b"x", b"=", b"\n\n\nx", b"\xef\xbb\xbf", b"\x1a"])
    def test_format_32_junk_around_a_key_is_refused_or_another_key(self, format: Format, junk: bytes) -> None:
        """FORMAT-32: Junk before or after a key, or the key twice, raises a FormatError or is another key.

        Why: Data next to a key has a meaning: a second key, a password, the rest of a pasted file. Skipping it is
        guessing.

        Do: Anchor your pattern at both ends (`fullmatch`), and refuse when anything is left over after parsing.
        """
        for data, kid, _secret, _public in self.spoilable(format):
            whole = read(format, data, kid)
            for around in (junk + data.reveal(), data.reveal() + junk, data.reveal() * 2):
                assert read(format, around, kid) != whole

    @pytest.mark.parametrize("data", _HOSTILE)
    def test_format_33_hostile_data_are_refused(self, format: Format, data: bytes) -> None:
        """FORMAT-33: Data made to break parsers raise a FormatError and nothing else.

        Why: Keys come from untrusted sources; a RecursionError or a MemoryError ends a service that should refuse.

        Do: Look at the length before you parse, catch what your parser raises (RecursionError, ValueError and
        UnicodeError among it) and raise MalformedKeyError outside the handler.
        """
        assert isinstance(read(format, data, ""), FormatError)
        assert format.sniff(Secret(data)) in (True, False)

    @LAW
    @given(data=st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode(errors="replace")))
    def test_format_34_arbitrary_data_are_refused_or_a_key(self, format: Format, data: bytes) -> None:
        """FORMAT-34: Any bytes raise a FormatError or are a key; `sniff` answers yes or no.

        Why: Programs that read keys catch keywright's errors; any other one is a crash, and its text may quote the key.

        Do: Decode text with `errors` in mind, and let no exception of a library out of `decode` or `sniff`.
        """
        found = read(format, data, "")

        assert isinstance(found, Key | FormatError)
        assert format.sniff(Secret(data)) in (True, False)

    def test_format_35_no_message_quotes_the_input(self, format: Format) -> None:
        """FORMAT-35: A refusal is one line, and it quotes nothing of the data, nor do its notes, causes and contexts.

        Why: Messages go to logs, tickets and error trackers; what is in a broken key file is most of a key.

        Do: Say which rule was broken, not what was found. Raise outside the `except` block: `from None` hides the
        error of a library from tracebacks, but it stays in `__context__`, the input in its arguments.
        """
        for data, kid, _secret, _public in self.spoilable(format):
            for at in spread(len(data), 48):
                for rest in (at, at + len(_CANARY)):
                    found = read(format, data.reveal()[:at] + _CANARY + data.reveal()[rest:], kid)
                    if isinstance(found, FormatError):
                        assert len(str(found).splitlines()) == 1
                        shown = everything_in(found, local_variables=False).lower()
                        assert _CANARY.decode().lower() not in shown

    def test_format_36_no_traceback_shows_the_secret(self, format: Format) -> None:
        """FORMAT-36: No refusal of a damaged key shows a stretch of its secret half, locals of its frames included.

        Why: pytest, error trackers and debuggers print the local variables of a traceback; a damaged key is still
        most of the key.

        Do: Call `reveal()` inside an expression and keep no part of the text in a variable. What must hold the text
        returns its complaint instead of raising.
        """
        for data, kid, secret, public in damaged(self.spoilable(format)):
            found = read(format, data, kid)
            if isinstance(found, FormatError) and secret is not None:
                assert_hidden(secret, everything_in(found), public=public)

    def test_format_39_decoded_halves_have_the_length_of_their_type(self, format: Format) -> None:
        """FORMAT-39: Halves decoded from data with something left out are as long as their key type says.

        Why: A seed of 31 bytes is not a key: a library pads it or crashes in an unexpected place.

        Do: Compare the number of decoded bytes with the type's own, for each half, before you make the `Key`.
        """
        for data, kid, _secret, _public in damaged(self.spoilable(format)):
            found = read(format, data, kid)
            if isinstance(found, Key) and found.type in _LENGTHS:
                secret, public = _LENGTHS[found.type]
                assert found.secret is None or len(found.secret) == secret
                assert found.public is None or len(found.public) == public

    @LAW
    @given(draw=st.data())
    def test_format_17_what_is_read_can_be_written(self, format: Format, draw: st.DataObject) -> None:
        """FORMAT-17: Whatever decodes, edited in any way before, encodes to a text that decodes to the same key.

        Why: A key that can be read but not written enters a store and cannot leave it: no export, no backup, no
        migration.

        Do: Check the same things in both ways: if `encode_secret` refuses a kid, a length or an attribute, `decode`
        must refuse it too.
        """
        one = draw.draw(st.sampled_from(self.spoilable(format)), label="sample")
        at = draw.draw(st.integers(0, len(one.data)), label="at")
        cut, put = draw.draw(st.integers(0, 4), label="cut"), draw.draw(st.binary(max_size=4), label="put")
        key = read(format, one.data.reveal()[:at] + put + one.data.reveal()[at + cut :], one.default_kid)

        self._is_written(format, key)

    def test_format_43_what_is_read_with_a_byte_changed_can_be_written(self, format: Format) -> None:
        """FORMAT-43: Data with any one byte replaced by a letter, a blank or a mark are refused, or can be written.

        Why: As FORMAT-17: it is mostly the kid for which reading and writing disagree, and few edits hit it by chance.

        Do: Let both ways ask the same function whether a kid or an attribute can be carried.
        """
        for data, kid, _secret, _public in self.spoilable(format):
            text = data.reveal()
            for at in range(len(text)):
                for other in (b"A", b" ", b"~"):
                    self._is_written(format, read(format, text[:at] + other + text[at + 1 :], kid))

    def _is_written(self, format: Format, key: Key | FormatError) -> None:
        if isinstance(key, FormatError) or (key.secret is not None and key.public is None):
            return
        again = decoded_again(format, key)
        assert again is not None
        assert (again.type, again.kid, again.secret, again.public) == (key.type, key.kid, key.secret, key.public)

    def test_format_40_a_key_has_one_spelling_in_base64_or_hexadecimal(self, format: Format) -> None:
        """FORMAT-40: Other padding, alphabet, case, digits, spare bits or blanks in a key are refused or another key.

        Why: With a second spelling, a blocked key passes a list that blocks its text, and two programs disagree whether
        a file was changed.

        Do: Encode again what the library decoded, and refuse the data unless that gives the very same text; most
        base64 decoders skip or ignore something.
        """
        for data, kid, _secret, _public in self.spoilable(format):
            text, whole = data.reveal(), read(format, data, kid)
            for number, other in enumerate(respelt(text)):
                assert read(format, other, kid) != whole, f"spelling {number}"

    def test_format_41_every_byte_counts(self, format: Format) -> None:
        """FORMAT-41: Data with any one byte twice or left out, or in UTF-16 or UTF-32, are refused or another key.

        Why: In a byte that is ignored, damage or a hidden mark is not detected.

        Do: Find what your parser skips at the byte in the failure: blanks, empty fields, a byte order mark. Only line
        ends at the end may be omitted.
        """
        for data, kid, _secret, _public in self.spoilable(format):
            text, whole = data.reveal(), read(format, data, kid)
            for at in range(len(text.rstrip(b"\r\n"))):
                for changed in (text[: at + 1] + text[at:], text[:at] + text[at + 1 :]):
                    assert read(format, changed, kid) != whole, f"byte {at}"
            for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"):
                assert read(format, text.decode("latin-1").encode(encoding), kid) != whole, encoding

    def test_format_37_the_lenient_reading_agrees_on_what_is_canonical(self, format: Format) -> None:
        """FORMAT-37: A second, lenient reading gives the same key for canonical data, and no deviation.

        Why: Users pass `--lenient` for one bad file and keep it; if every good file causes a warning, they stop reading
        warnings.

        Do: Read strictly first, or let both readings share the code that makes the key.
        """
        if not isinstance(format, LenientFormat):
            return
        for data, kid, _secret, _public in self.spoilable(format):
            assert format.decode_lenient(data, default_kid=kid) == (read(format, data, kid), ())

    def test_format_38_the_lenient_reading_fails_as_the_strict_one_does(self, format: Format) -> None:
        """FORMAT-38: The lenient reading of damaged data raises FormatError; neither that nor a deviation quotes.

        Why: Lenient decoding is for files that other programs accept; it must not crash on them or print them.

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

        Why: The user must learn what is wrong with the file, or the next program refuses it for no apparent reason.

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
