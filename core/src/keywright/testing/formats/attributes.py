"""The contract of formats: what a key carries beside its numbers."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from keywright.errors import UnsupportedKeyError
from keywright.keys import Attributes, Key
from keywright.protocols import Format
from keywright.testing import strategies
from keywright.testing.formats.samples import FormatSamples, encoded
from keywright.testing.laws import LAW

__all__ = ["AttributeRules"]

_CANARY = "Unpublish3dCanary"


def _nested(levels: int) -> object:
    value: object = 1
    for level in range(levels):
        value = [value] if level % 2 else {"x": value}
    return value


_ODD_VALUES = (
    pytest.param(float("nan"), id="no number"),
    pytest.param(float("-inf"), id="infinite"),
    pytest.param(10**5000, id="a number of 5001 digits"),
    pytest.param("\ud800", id="half a character"),
    pytest.param("\0", id="NUL"),
    pytest.param(b"bytes", id="bytes"),
    pytest.param(object(), id="no JSON"),
    pytest.param("x" * 1_000_000, id="a megabyte"),
    pytest.param(_nested(200), id="200 levels"),
)


class AttributeRules(FormatSamples):
    """Part of `FormatContract`."""

    def carries(self, format: Format, key: Key) -> None:
        """Assert that all attributes come back, or none does, or the key is refused."""
        text = encoded(format, key)
        if text is None:
            return
        again = format.decode(text, default_kid=key.kid)
        assert again.attributes in (key.attributes, Attributes())
        assert self.complete(again) == replace(key, attributes=again.attributes)

    def test_format_09_attributes_come_back_or_stay_behind(self, format: Format) -> None:
        """FORMAT-09: An attribute that nobody knows comes back with all others, or none comes back, or it is refused.

        Why: Whoever sees that `use` survived takes it that the rest did: a limit on what the key is for is gone, and
        nobody said so.

        Do: Carry every attribute, or none at all (keywright then tells which were lost), or raise
        UnsupportedKeyError for those that you cannot carry.
        """
        for key in self.secret_keys(format):
            more = {**key.attributes, "x-unknown": ["value", 1, True, None]}
            self.carries(format, replace(key, attributes=Attributes(more)))

    def test_format_15_what_nobody_knows_is_not_published(self, format: Format) -> None:
        """FORMAT-15: An attribute that nobody knows is not in the public encoding, neither its name nor its value.

        Why: A member of a secret key that is unknown today may be secret: another prime, a password, a note.

        Do: Publish a list of attributes that you know to be public, and drop the rest without a word.
        """
        for key in self.secret_keys(format):
            more = replace(key, attributes=Attributes({**key.attributes, f"x-{_CANARY}": {"a": [_CANARY]}}))
            try:
                text = format.encode_public(more)
            except UnsupportedKeyError:
                continue
            assert _CANARY.encode() not in text

    @LAW
    @given(attributes=strategies.attributes())
    def test_format_22_any_attributes_come_back_or_stay_behind(self, format: Format, attributes: Attributes) -> None:
        """FORMAT-22: Attributes of any JSON value come back as they were, or none comes back, or they are refused.

        Why: An attribute that comes back as another value (`1` as `true`, a list as a text) permits what was
        forbidden, or forbids what was permitted.

        Do: Write values with a JSON encoder that keeps their types, and refuse with UnsupportedKeyError what your
        syntax has no way to say.
        """
        for key in self.secret_keys(format):
            self.carries(format, replace(key, attributes=Attributes({**key.attributes, **attributes})))

    @pytest.mark.parametrize("value", _ODD_VALUES)
    def test_format_24_odd_attributes_are_carried_or_refused(self, format: Format, value: object) -> None:
        """FORMAT-24: Attributes that break encoders raise UnsupportedKeyError and nothing else, or are left behind.

        Why: A RecursionError or ValueError out of a library ends a program that was ready for a refusal, and often
        prints what it choked on.

        Do: Check depth, length and kind of each value before you hand it to a library.
        """
        for key in self.secret_keys(format):
            odd = replace(key, attributes=Attributes({**key.attributes, "x-odd": value}))
            for text in (encoded(format, odd), encoded(format, odd.without_secret())):
                if text is not None:
                    format.decode(text, default_kid=key.kid)
