"""The contract of formats: what they carry, and what they keep apart."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.errors import UnsupportedKeyError
from keywright.key import Attributes, Key
from keywright.protocols import Format, LenientFormat
from keywright.secret import Secret
from keywright.testing.damage import DamagedDataContract
from keywright.testing.laws import LAW
from keywright.testing.leaks import assert_hidden

__all__ = ["FormatContract", "Sample"]

_ODD_KIDS = ("", " ", "a b", "a:b", "a\nb", "a\0b", "ä", "\ud800", '"', "\\", "a" * 10_000, "\u202e", "\ufeff")


class Sample(NamedTuple):
    """A published encoding: the canonical one of a secret or a public key.

    Attributes:
        data: the bytes, as they were published.
        default_kid: what `decode` is given, for formats that carry no kid.
        key: what it must decode to; None where only the way there and back is known.
    """

    data: bytes
    default_kid: str = ""
    key: Key | None = None


class FormatContract(DamagedDataContract):
    """What every format promises. Subclass it as `TestX` and give it one fixture and an attribute:

    * `format`: the object under test;
    * `samples`: published encodings (see `Sample`), at least one of a secret key for each key type.

    `keys` and `complete` may be overridden: with a strategy that makes more keys than those of the samples, and with
    the key type's own `complete` where the format carries only the secret half.

        class TestNix(FormatContract):
            samples = (Sample(b"cache.example.org-0:E7lAO+MsPwT…"),)

            @pytest.fixture
            def format(self): return Nix()
    """

    samples: ClassVar[Sequence[Sample]] = ()

    @pytest.fixture
    def format(self) -> Format:
        """To be overridden."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `format`")

    def complete(self, key: Key) -> Key:
        """`key` with both halves."""
        return key

    def keys(self, format: Format) -> st.SearchStrategy[Key]:
        """Secret keys that the format can carry, with both halves; those of the samples unless overridden."""
        keys = [key for sample in self.samples if (key := self.decoded(format, sample)).secret is not None]
        return st.sampled_from(keys)

    def decoded(self, format: Format, sample: Sample) -> Key:
        """The key of a sample, completed."""
        return self.complete(format.decode(Secret(sample.data), default_kid=sample.default_kid))

    def damageable(self, format: Format) -> list[tuple[Secret, str, Secret | None, bytes]]:
        """The samples, for `DamagedDataContract`."""
        keys = [self.decoded(format, sample) for sample in self.samples]
        return [
            (Secret(sample.data), sample.default_kid, key.secret, key.public or b"")
            for sample, key in zip(self.samples, keys, strict=True)
        ]

    def test_format_01_the_object_is_a_format(self, format: Format) -> None:
        """FORMAT-01: The object has what the protocol asks for, a name of a-z, digits and '-', and key types."""
        assert isinstance(format, Format)
        assert re.fullmatch(r"[a-z][a-z0-9-]*", format.name)
        assert format.key_types
        assert self.samples, f"{type(self).__name__} needs the attribute `samples`"

    def test_format_02_published_samples_come_back_byte_for_byte(self, format: Format) -> None:
        """FORMAT-02: Each published sample decodes, and the key encodes to the same bytes."""
        for sample in self.samples:
            key = self.decoded(format, sample)

            if key.secret is None:
                assert format.encode_public(key) == sample.data
            else:
                assert format.encode_secret(key) == Secret(sample.data)

    def test_format_03_published_samples_are_the_keys_they_say(self, format: Format) -> None:
        """FORMAT-03: Each published sample decodes to the key that was published with it, of a type it can carry."""
        for sample in self.samples:
            key = self.decoded(format, sample)

            assert key.type in format.key_types
            assert sample.key in (None, key)

    @LAW
    @given(data=st.data())
    def test_format_04_secret_keys_round_trip(self, format: Format, data: st.DataObject) -> None:
        """FORMAT-04: A key comes back from its secret encoding as it was, kid and attributes included."""
        key = data.draw(self.keys(format))

        encoded = format.encode_secret(key)

        assert self.complete(format.decode(encoded, default_kid=key.kid)) == key
        assert format.encode_secret(key) == encoded

    @LAW
    @given(data=st.data())
    def test_format_05_public_keys_round_trip(self, format: Format, data: st.DataObject) -> None:
        """FORMAT-05: A key comes back from its public encoding without secret half; no public half is refused."""
        key = data.draw(self.keys(format))
        if key.public is None:
            with pytest.raises(UnsupportedKeyError):
                format.encode_public(key)
            return

        encoded = format.encode_public(key)

        decoded = format.decode(Secret(encoded), default_kid=key.kid)
        assert (decoded.type, decoded.kid, decoded.secret, decoded.public) == (key.type, key.kid, None, key.public)
        assert format.encode_public(decoded) == encoded
        assert format.encode_public(key.without_secret()) == encoded

    @LAW
    @given(data=st.data())
    def test_format_06_public_encodings_hold_nothing_secret(self, format: Format, data: st.DataObject) -> None:
        """FORMAT-06: No stretch of the secret half is found in the public encoding, in whatever spelling."""
        key = data.draw(self.keys(format))
        assert key.secret
        if key.public is not None:
            assert_hidden(key.secret, format.encode_public(key), public=key.public)

    def test_format_07_a_key_without_secret_half_has_no_secret_encoding(self, format: Format) -> None:
        """FORMAT-07: `encode_secret` of a public key raises UnsupportedKeyError."""
        for sample in self.samples:
            key = self.decoded(format, sample)

            with pytest.raises(UnsupportedKeyError):
                format.encode_secret(key.without_secret())

    def test_format_08_foreign_key_types_are_refused(self, format: Format) -> None:
        """FORMAT-08: Keys of a type that the format does not list raise UnsupportedKeyError, both ways of encoding."""
        for sample in self.samples:
            key = replace(self.decoded(format, sample), type="no-such-type")

            for encode in (format.encode_secret, format.encode_public):
                with pytest.raises(UnsupportedKeyError) as caught:
                    encode(key)
                assert len(str(caught.value).splitlines()) == 1

    def test_format_09_attributes_come_back_or_stay_behind(self, format: Format) -> None:
        """FORMAT-09: An attribute that nobody knows comes back as it was, is left out, or is refused."""
        for sample in self.samples:
            key = self.decoded(format, sample)
            if key.secret is None:
                continue
            more = replace(key, attributes=Attributes({**key.attributes, "x-unknown": ["value", 1, True, None]}))
            try:
                encoded = format.encode_secret(more)
            except UnsupportedKeyError:
                continue
            assert self.complete(format.decode(encoded, default_kid=key.kid)) in (more, key)

    @pytest.mark.parametrize("kid", _ODD_KIDS, ids=range(len(_ODD_KIDS)))
    def test_format_10_kids_are_carried_or_refused(self, format: Format, kid: str) -> None:
        """FORMAT-10: An odd kid comes back as it was, leniently read if need be, or is refused."""
        for sample in self.samples:
            key = replace(self.decoded(format, sample), kid=kid)
            try:
                encoded = Secret(format.encode_public(key)) if key.secret is None else format.encode_secret(key)
            except UnsupportedKeyError:
                continue
            if isinstance(format, LenientFormat):
                assert format.decode_lenient(encoded, default_kid=kid)[0].kid == kid
            else:
                assert format.decode(encoded, default_kid=kid).kid == kid

    def test_format_11_a_key_without_kid_takes_the_default(self, format: Format) -> None:
        """FORMAT-11: A key that is encoded without kid decodes with `default_kid` as its kid."""
        for sample in self.samples:
            key = replace(self.decoded(format, sample), kid="")
            if key.secret is None:
                continue
            try:
                encoded = format.encode_secret(key)
            except UnsupportedKeyError:
                continue
            assert format.decode(encoded, default_kid="given").kid == "given"

    @LAW
    @given(data=st.data())
    def test_format_12_the_default_kid_fits_and_gives_nothing_away(self, format: Format, data: st.DataObject) -> None:
        """FORMAT-12: `default_kid` is the same each time, shows nothing of the secret half, and can be encoded."""
        key = data.draw(self.keys(format))
        assert key.secret

        kid = format.default_kid("cache.example.org", 3, key)

        assert kid == format.default_kid("cache.example.org", 3, key)
        if kid is not None:
            assert_hidden(key.secret, kid, public=key.public or b"")
            assert format.decode(format.encode_secret(replace(key, kid=kid)), default_kid="").kid == kid

    @LAW
    @given(data=st.data())
    def test_format_13_a_format_knows_its_own(self, format: Format, data: st.DataObject) -> None:
        """FORMAT-13: `sniff` is true of everything that the format encodes."""
        key = data.draw(self.keys(format))

        assert format.sniff(format.encode_secret(key)) is True
        if key.public is not None:
            assert format.sniff(Secret(format.encode_public(key))) is True
