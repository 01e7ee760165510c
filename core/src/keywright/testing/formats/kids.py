"""The contract of formats: the id that the outside world knows a key by."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.protocols import Format, LenientFormat
from keywright.testing import strategies
from keywright.testing.formats.samples import FormatSamples, encoded
from keywright.testing.laws import LAW
from keywright.testing.leaks import assert_hidden

__all__ = ["KidRules"]

_ODD_KIDS = ("", " ", "a b", "a:b", "a\nb", "a\0b", "ä", "\ud800", '"', "\\", "a" * 10_000, "\u202e", "\ufeff")
_VERSIONS = (1, 2, 3, 9, 10, 11, 99, 100, 101, 255, 256, 65_536, 999_999_999)


class KidRules(FormatSamples):
    """Part of `FormatContract`."""

    @pytest.mark.parametrize("kid", _ODD_KIDS, ids=range(len(_ODD_KIDS)))
    def test_format_10_kids_are_carried_or_refused(self, format: Format, kid: str) -> None:
        """FORMAT-10: An odd kid comes back as it was, leniently read if need be, or is refused.

        Why: Signatures name the key by its kid; one that comes back cut or cleaned up names no key, or another one.

        Do: Raise UnsupportedKeyError for a kid with characters that mean something in your syntax, and quote or
        escape the rest.
        """
        for sample in self.samples:
            key = replace(self.decoded(format, sample), kid=kid)
            text = encoded(format, key)
            if text is None:
                continue
            if isinstance(format, LenientFormat):
                assert format.decode_lenient(text, default_kid=kid)[0].kid == kid
            else:
                assert format.decode(text, default_kid=kid).kid == kid

    def test_format_11_a_key_without_kid_takes_the_default(self, format: Format) -> None:
        """FORMAT-11: A key that is encoded without kid decodes with `default_kid` as its kid.

        Why: A key whose text holds no id is known by the one that its keeper gives it; without it nobody finds it.

        Do: Pass `default_kid` on to the `Key` wherever the text carries no kid.
        """
        for sample in self.samples:
            text = encoded(format, replace(self.decoded(format, sample), kid=""))
            if text is not None:
                assert format.decode(text, default_kid="given").kid == "given"

    @LAW
    @given(data=st.data())
    def test_format_12_the_default_kid_fits_and_gives_nothing_away(self, format: Format, data: st.DataObject) -> None:
        """FORMAT-12: `default_kid` is the same each time, shows nothing of the secret half, and can be encoded.

        Why: A kid is public: it stands in every signature. And a key that was just made must be one that the format
        can write.

        Do: Make the kid from name and version or from the public half, never from the secret one, a hash of it
        included; return None to have it drawn at random.
        """
        key = data.draw(self.keys(format))
        assert key.secret

        kid = format.default_kid("cache.example.org", 3, key)

        assert kid == format.default_kid("cache.example.org", 3, key)
        if kid is not None:
            assert_hidden(key.secret, kid, public=key.public or b"")
            assert format.decode(format.encode_secret(replace(key, kid=kid)), default_kid="").kid == kid
            assert key.public is None or format.default_kid("cache.example.org", 3, key.without_secret()) == kid

    @LAW
    @given(name=strategies.names(), version=strategies.versions())
    def test_format_18_every_name_and_version_has_a_default_kid(self, format: Format, name: str, version: int) -> None:
        """FORMAT-18: `default_kid` is None or can be encoded for every name and version; two versions never share one.

        Why: A name of two hundred bytes or a tenth version that cannot be written stops a rotation; a kid that two
        versions share makes verifiers take one key for the other.

        Do: Put the whole version number into the kid, or what tells the public halves apart, and refuse no name that
        `keywright.check_name` takes.
        """
        keys = self.secret_keys(format)
        for key in keys:
            kid = format.default_kid(name, version, key)
            if kid is not None:
                assert format.decode(format.encode_secret(replace(key, kid=kid)), default_kid="").kid == kid
                # One made from the public half is the same for every version.
                assert len({format.default_kid(name, other, key) for other in _VERSIONS}) in (1, len(_VERSIONS))
        first = {key.public: format.default_kid(name, 1, key) for key in keys if key.public}
        second = {key.public: format.default_kid(name, 2, key) for key in keys if key.public}
        assert all(first[one] != second[two] for one in first for two in second if one != two)

    def test_format_21_a_kid_is_always_carried_or_never(self, format: Format) -> None:
        """FORMAT-21: If any encoding carries the key's kid, every one does, secret or public, of any type.

        Why: A text without its kid takes whatever the next keeper calls it, and its signatures name a key that nobody
        trusts.

        Do: Write `key.kid` in both encodings, and raise UnsupportedKeyError where there is no room for it; or carry
        none in either.
        """
        carried = {}
        for number, sample in enumerate(self.samples):
            key = self.decoded(format, sample)
            named = key if key.kid else replace(key, kid="one")
            for half, one in (("secret", named), ("public", named.without_secret())):
                text = None if half == "secret" and key.secret is None else encoded(format, one)
                if text is not None:
                    kid = format.decode(text, default_kid="another").kid
                    assert kid in (named.kid, "another")
                    carried[f"{half} encoding of sample {number}"] = kid == named.kid

        assert len(set(carried.values())) == 1, carried
