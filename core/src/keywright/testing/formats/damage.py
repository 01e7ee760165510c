"""The contract of formats: data that was damaged or never was a key."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.errors import FormatError, MalformedKeyError
from keywright.keys import Key
from keywright.protocols import Format
from keywright.secret import Secret
from keywright.testing.formats.samples import FormatSamples, Spoilable, encoded, read
from keywright.testing.laws import LAW
from keywright.testing.leaks import assert_hidden, everything_in

__all__ = ["DamageRules", "damaged", "spread"]

_CANARY: Final = b"Quotd8canaRy"

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
}


def spread(length: int, count: int) -> range:
    """At most about `count` positions in `length`."""
    return range(0, length, max(1, length // count))


def damaged(whole: list[Spoilable]) -> Iterator[Spoilable]:
    """Some hundred damaged forms of valid data."""
    for one in whole:
        text = one.data.reveal()
        for at in spread(len(text), 24):
            flipped = bytearray(text)
            flipped[at] ^= 0x15
            for spoilt in (text[:at], bytes(flipped), *(text[:at] + text[at + cut :] for cut in (1, 2, 4))):
                yield one._replace(data=Secret(spoilt))


class DamageRules(FormatSamples):
    """Part of `FormatContract`."""

    def test_format_30_every_truncation_is_refused(self, format: Format) -> None:
        """FORMAT-30: Data cut short anywhere raises MalformedKeyError; only line ends at the end may be missing.

        Why: Files are cut by full disks and by people who copy from a terminal; half a key that is taken for a whole
        one signs what nobody can verify.

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
                flipped = bytearray(data.reveal())
                flipped[bit // 8] ^= 1 << bit % 8
                assert read(format, bytes(flipped), kid) != whole, f"bit {bit % 8} of byte {bit // 8}"

    @pytest.mark.parametrize("junk", [b"\0", b"x", b"=", b"\n\n\nx", b"\xef\xbb\xbf", b"\x1a"])
    def test_format_32_junk_around_a_key_is_refused_or_another_key(self, format: Format, junk: bytes) -> None:
        """FORMAT-32: Junk before or after a key, or the key twice, raises a FormatError or is another key.

        Why: What stands beside a key was meant to say something: a second key, a password, the rest of a file that
        was pasted. To skip it is to guess.

        Do: Anchor your pattern at both ends (`fullmatch`), and refuse when anything is left over after parsing.
        """
        for data, kid, _secret, _public in self.spoilable(format):
            whole = read(format, data, kid)
            for around in (junk + data.reveal(), data.reveal() + junk, data.reveal() * 2):
                assert read(format, around, kid) != whole

    @pytest.mark.parametrize("data", _HOSTILE)
    def test_format_33_hostile_data_are_refused(self, format: Format, data: bytes) -> None:
        """FORMAT-33: Data made to break parsers raise a FormatError and nothing else.

        Why: Keys are read from strangers; a RecursionError or a MemoryError ends a service that should have said no.

        Do: Look at the length before you parse, catch what your parser raises (RecursionError, ValueError and
        UnicodeError among it) and raise MalformedKeyError outside the handler.
        """
        assert isinstance(read(format, data, ""), FormatError)
        assert format.sniff(Secret(data)) in (True, False)

    @LAW
    @given(data=st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode(errors="replace")))
    def test_format_34_arbitrary_data_are_refused_or_a_key(self, format: Format, data: bytes) -> None:
        """FORMAT-34: Any bytes raise a FormatError or are a key; `sniff` answers yes or no.

        Why: Whoever reads a key catches keywright's errors; any other one is a crash, and its text may quote the key.

        Do: Decode text with `errors` in mind, and let no exception of a library out of `decode` or `sniff`.
        """
        found = read(format, data, "")

        assert isinstance(found, Key | FormatError)
        assert format.sniff(Secret(data)) in (True, False)

    def test_format_35_no_message_quotes_the_input(self, format: Format) -> None:
        """FORMAT-35: A refusal is one line, and it quotes nothing of the data, nor do its notes, causes and contexts.

        Why: Messages go to logs, tickets and error trackers; what stands in a broken key file is most of a key.

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

        Why: A seed of 31 bytes is no key: a library fills it up or crashes, in a place where nobody expects it.

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

        Why: A key that is read but not written gets into a store by one door and out by none: no export, no backup,
        no migration.

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
        text = encoded(format, key)
        assert text is not None
        again = format.decode(text, default_kid=key.kid)
        assert (again.type, again.kid, again.secret, again.public) == (key.type, key.kid, key.secret, key.public)
