"""The contract of formats: keys that they cannot carry, or that are not for them to judge."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from keywright.errors import UnsupportedKeyError
from keywright.keys import Key
from keywright.protocols import Format
from keywright.secret import Secret
from keywright.testing.formats.samples import FormatSamples, encoded
from keywright.testing.leaks import assert_hidden, everything_in

__all__ = ["LimitRules"]

_TYPES: Final = ("ed25519", "x25519", "ec-p256", "ec-p384", "ec-p521", "rsa", "oct", "no-such-type", "")


def _refusal(encode: Callable[[Key], object], key: Key) -> UnsupportedKeyError:
    # In a frame of its own, for the traceback is looked at, and the samples are there in the clear.
    with pytest.raises(UnsupportedKeyError) as caught:
        encode(key)
    return caught.value


class LimitRules(FormatSamples):
    """Part of `FormatContract`."""

    def test_format_07_a_key_without_secret_half_has_no_secret_encoding(self, format: Format) -> None:
        """FORMAT-07: `encode_secret` of a public key raises UnsupportedKeyError.

        Why: A public key written where a secret one was asked for is a backup that turns out empty on the day that it
        is needed.

        Do: Ask for `key.secret is None` first, and say that the key has no secret half.
        """
        for sample in self.samples:
            key = self.decoded(format, sample)

            with pytest.raises(UnsupportedKeyError):
                format.encode_secret(key.without_secret())

    def test_format_08_foreign_key_types_are_refused(self, format: Format) -> None:
        """FORMAT-08: Keys of a type that the format does not list raise UnsupportedKeyError, both ways of encoding.

        Why: 32 bytes of x25519 look like an ed25519 seed; written as one, they sign as a key that was meant for
        something else.

        Do: Compare `key.type` with `key_types` before anything else, exactly: no upper case, no prefix, no alias.
        """
        for sample in self.samples:
            key = self.decoded(format, sample)
            foreign = {*_TYPES, key.type.upper(), f"{key.type} ", f"{key.type}ph"} - set(format.key_types)
            for type_ in sorted(foreign):
                for encode in (format.encode_secret, format.encode_public):
                    refusal = _refusal(encode, replace(key, type=type_))
                    assert len(str(refusal).splitlines()) == 1
                    if key.secret is not None:
                        assert_hidden(key.secret, everything_in(refusal), public=key.public or b"")

    def test_format_19_halves_that_disagree_are_not_put_right(self, format: Format) -> None:
        """FORMAT-19: A public half that belongs to another key is refused, or comes back as it was or not at all.

        Why: A key whose halves disagree was damaged or forged. A format that writes the half which it thinks right
        hides that, and gives people a key that nobody announced.

        Do: Write the halves as they are given; that they belong together is for `KeyType.complete` to find. Never
        derive one from the other.
        """
        keys = self.secret_keys(format)
        for key in keys:
            if key.public is None:
                continue
            others = [other.public for other in keys if other.type == key.type and other.public != key.public]
            wrong = replace(key, public=others[0] if others else key.public[:1] + key.public[:0:-1])
            text = encoded(format, wrong)
            if text is not None:
                again = format.decode(text, default_kid=key.kid)
                assert again.secret == wrong.secret
                assert again.public in (wrong.public, None)

    def test_format_20_halves_of_a_wrong_length_are_not_put_right(self, format: Format) -> None:
        """FORMAT-20: A half with a byte more or less is refused, or comes back exactly as it was.

        Why: A seed that is filled up or cut to fit is another key: what it signs verifies under nobody's public half.

        Do: Compare the length of each half with the one that its type has, and raise UnsupportedKeyError. Pad
        nothing.
        """
        for key in self.secret_keys(format):
            assert key.secret
            wrong = [
                replace(key, secret=Secret(key.secret.reveal()[:-1])),
                replace(key, secret=Secret(key.secret.reveal()[1:])),
                replace(key, secret=Secret(key.secret.reveal() + b"\0")),
                replace(key, secret=Secret(b"")),
            ]
            if key.public is not None:
                wrong += [replace(key, public=public) for public in (key.public[:-1], key.public + b"\0", b"")]
            for one in wrong:
                self._comes_back(format, one)
                self._comes_back(format, one.without_secret())

    def _comes_back(self, format: Format, key: Key) -> None:
        text = encoded(format, key)
        if text is not None:
            again = format.decode(text, default_kid=key.kid)
            assert again.secret == key.secret
            assert again.public in (key.public, None)
