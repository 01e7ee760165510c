"""The contract of formats, second part: data that was damaged or never was a key."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import traceback
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.errors import FormatError, MalformedKeyError
from keywright.key import Key
from keywright.protocols import Format, LenientFormat
from keywright.secret import Secret
from keywright.testing.laws import LAW
from keywright.testing.leaks import assert_hidden, traceback_with_locals

__all__ = ["DamagedDataContract"]

_CANARY = b"Quotd8canaRy"

_HOSTILE = (
    pytest.param(b"", id="empty"),
    pytest.param(b"\n", id="line end"),
    pytest.param(b"\0" * 64, id="NUL"),
    pytest.param(b"\xff\xfe" * 40, id="no UTF-8"),
    pytest.param(b"A" * 1_000_000, id="a megabyte"),
    pytest.param(b"[" * 100_000, id="deep list"),
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
    pytest.param(b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", id="empty PEM"),
    pytest.param(b"\x30\x84\xff\xff\xff\xff" + b"\0" * 40, id="DER longer than it is"),
    pytest.param(b"\x30\x80" * 10_000, id="deep DER"),
)


def _read(format: Format, data: Secret, default_kid: str) -> Key | FormatError:
    """The key, or the refusal. Anything else that is raised fails the test by itself."""
    try:
        return format.decode(data, default_kid=default_kid)
    except FormatError as error:
        return error


def _spread(length: int, count: int) -> range:
    return range(0, length, max(1, length // count))


class DamagedDataContract:
    """Part of `FormatContract`."""

    @pytest.fixture
    def format(self) -> Format:
        """See `FormatContract`."""
        raise NotImplementedError

    def damageable(self, format: Format) -> list[tuple[Secret, str, Secret | None, bytes]]:
        """Valid data, its default kid, and the halves of its key."""
        raise NotImplementedError

    def damaged(self, format: Format) -> Iterator[tuple[Secret, str, Secret | None, bytes]]:
        """Some hundred damaged forms of the valid data, in the same shape."""
        for data, kid, secret, public in self.damageable(format):
            for at in _spread(len(data), 48):
                flipped = bytearray(data.reveal())
                flipped[at] ^= 0x15
                for damaged in (data.reveal()[:at], data.reveal()[at + 1 :], bytes(flipped)):
                    yield Secret(damaged), kid, secret, public

    def test_format_30_every_truncation_is_refused(self, format: Format) -> None:
        """FORMAT-30: Data cut short anywhere raises MalformedKeyError; only line ends at the end may be missing."""
        for data, kid, _secret, _public in self.damageable(format):
            for length in range(len(data.reveal().rstrip(b"\r\n"))):
                found = _read(format, Secret(data.reveal()[:length]), kid)
                assert isinstance(found, MalformedKeyError), f"cut to {length} bytes"

    def test_format_31_every_flipped_bit_is_refused_or_another_key(self, format: Format) -> None:
        """FORMAT-31: Data with any one bit flipped raises a FormatError or is another key, never the same one."""
        for data, kid, _secret, _public in self.damageable(format):
            whole = _read(format, data, kid)
            for bit in range(len(data) * 8):
                flipped = bytearray(data.reveal())
                flipped[bit // 8] ^= 1 << bit % 8
                assert _read(format, Secret(bytes(flipped)), kid) != whole, f"bit {bit % 8} of byte {bit // 8}"

    @pytest.mark.parametrize("junk", [b"\0", b"x", b"=", b"\n\n\nx", b"\xef\xbb\xbf", b"\x1a"])
    def test_format_32_junk_around_a_key_is_refused_or_another_key(self, format: Format, junk: bytes) -> None:
        """FORMAT-32: Junk before or after a key, or the key twice, raises a FormatError or is another key."""
        for data, kid, _secret, _public in self.damageable(format):
            whole = _read(format, data, kid)
            for around in (junk + data.reveal(), data.reveal() + junk, data.reveal() * 2):
                assert _read(format, Secret(around), kid) != whole

    @pytest.mark.parametrize("data", _HOSTILE)
    def test_format_33_hostile_data_are_refused(self, format: Format, data: bytes) -> None:
        """FORMAT-33: Data made to break parsers raise a FormatError and nothing else."""
        assert isinstance(_read(format, Secret(data), ""), FormatError)
        assert format.sniff(Secret(data)) in (True, False)

    @LAW
    @given(data=st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode(errors="replace")))
    def test_format_34_arbitrary_data_are_refused_or_a_key(self, format: Format, data: bytes) -> None:
        """FORMAT-34: Any bytes raise a FormatError or are a key; `sniff` answers yes or no."""
        found = _read(format, Secret(data), "")

        assert isinstance(found, Key | FormatError)
        assert format.sniff(Secret(data)) in (True, False)

    def test_format_35_no_message_quotes_the_input(self, format: Format) -> None:
        """FORMAT-35: The message and traceback of a refusal are free of what was in the data, and one line long."""
        for data, kid, _secret, _public in self.damageable(format):
            for at in _spread(len(data), 48):
                for rest in (at, at + len(_CANARY)):
                    found = _read(format, Secret(data.reveal()[:at] + _CANARY + data.reveal()[rest:]), kid)
                    if isinstance(found, FormatError):
                        assert len(str(found).splitlines()) == 1
                        shown = "".join(traceback.format_exception(found)) + repr(found)
                        assert _CANARY.decode().lower() not in shown.lower()

    def test_format_36_no_traceback_shows_the_secret(self, format: Format) -> None:
        """FORMAT-36: No refusal of a damaged key shows a stretch of its secret half, locals of its frames included."""
        for data, kid, secret, public in self.damaged(format):
            found = _read(format, data, kid)
            if isinstance(found, FormatError) and secret is not None:
                assert_hidden(secret, traceback_with_locals(found), public=public)

    def test_format_37_the_lenient_reading_agrees_on_what_is_canonical(self, format: Format) -> None:
        """FORMAT-37: A second, lenient reading gives the same key for canonical data, and no deviation."""
        if not isinstance(format, LenientFormat):
            return
        for data, kid, _secret, _public in self.damageable(format):
            assert format.decode_lenient(data, default_kid=kid) == (_read(format, data, kid), ())

    def test_format_38_the_lenient_reading_fails_as_the_strict_one_does(self, format: Format) -> None:
        """FORMAT-38: The lenient reading of damaged data raises FormatError; neither that nor a deviation quotes."""
        if not isinstance(format, LenientFormat):
            return
        for data, kid, secret, public in self.damaged(format):
            try:
                _key, deviations = format.decode_lenient(data, default_kid=kid)
            except FormatError as error:
                shown = traceback_with_locals(error)
            else:
                shown = "\n".join(deviations)
            if secret is not None:
                assert_hidden(secret, shown, public=public)
