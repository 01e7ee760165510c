"""The contract of formats: the object, the way there and back, and no more than that."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.errors import UnsupportedKeyError
from keywright.keys import Attributes, Key
from keywright.protocols import Format
from keywright.secret import Secret
from keywright.testing.formats.attributes import AttributeRules
from keywright.testing.formats.damage import DamageRules
from keywright.testing.formats.kids import KidRules
from keywright.testing.formats.lenient import LenientRules
from keywright.testing.formats.limits import LimitRules
from keywright.testing.formats.purity import reached_for
from keywright.testing.formats.samples import encoded, read
from keywright.testing.formats.spellings import SpellingRules
from keywright.testing.laws import LAW
from keywright.testing.leaks import assert_hidden

__all__ = ["FormatContract"]


class FormatContract(KidRules, AttributeRules, LimitRules, DamageRules, SpellingRules, LenientRules):
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

    def test_format_01_the_object_is_a_format(self, format: Format) -> None:
        """FORMAT-01: The object has what the protocol asks for, a name of a-z, digits and '-', and key types.

        Why: Configuration finds a format by its name, and the ring chooses by the key types it lists; an object that
        lacks either cannot be asked for.

        Do: Compare your class with `keywright.Format`, member by member, and give your test class the attribute
        `samples`.
        """
        assert isinstance(format, Format)
        assert re.fullmatch(r"[a-z][a-z0-9-]*", format.name)
        assert format.key_types
        assert self.samples, f"{type(self).__name__} needs the attribute `samples`"

    def test_format_02_published_samples_come_back_byte_for_byte(self, format: Format) -> None:
        """FORMAT-02: Each published sample decodes, and the key encodes to the same bytes.

        Why: A key that leaves with one byte changed is a key that the program it came from may not read any more.

        Do: Compare the two texts from the left: the first difference names the member, the order, the padding or the
        line end that your encoder writes in its own way.
        """
        for sample in self.samples:
            key = self.decoded(format, sample)

            if key.secret is None:
                assert format.encode_public(key) == sample.data
            else:
                assert format.encode_secret(key) == Secret(sample.data)

    def test_format_03_published_samples_are_the_keys_they_say(self, format: Format) -> None:
        """FORMAT-03: Each published sample decodes to the key that was published with it, of a type it can carry.

        Why: A decoder and an encoder that are wrong in the same way agree with each other and with nobody else.

        Do: Lay out the halves as `keywright.Key` says for the type (seed or DER, point or DER), and list the type in
        `key_types`.
        """
        for sample in self.samples:
            key = self.decoded(format, sample)

            assert key.type in format.key_types
            assert sample.key in (None, key)

    @LAW
    @given(data=st.data())
    def test_format_04_secret_keys_round_trip(self, format: Format, data: st.DataObject) -> None:
        """FORMAT-04: A key comes back from its secret encoding as it was, kid and attributes included.

        Why: What a store holds is this encoding and nothing beside it: what is lost here is lost for good.

        Do: Decode what you encode and look at the member that differs. Refuse with UnsupportedKeyError what you
        cannot carry.
        """
        key = data.draw(self.keys(format))

        text = format.encode_secret(key)

        assert self.complete(format.decode(text, default_kid=key.kid)) == key
        assert format.encode_secret(key) == text

    @LAW
    @given(data=st.data())
    def test_format_05_public_keys_round_trip(self, format: Format, data: st.DataObject) -> None:
        """FORMAT-05: A key comes back from its public encoding without secret half; no public half is refused.

        Why: Whoever verifies has nothing but this text; one that means another key rejects good signatures.

        Do: Encode kid and public half of the same key, whether its secret half is there or not, and raise
        UnsupportedKeyError where `public` is None.
        """
        key = data.draw(self.keys(format))
        if key.public is None:
            with pytest.raises(UnsupportedKeyError):
                format.encode_public(key)
            return

        text = format.encode_public(key)

        decoded = format.decode(Secret(text), default_kid=key.kid)
        assert (decoded.type, decoded.kid, decoded.secret, decoded.public) == (key.type, key.kid, None, key.public)
        assert format.encode_public(decoded) == text
        assert format.encode_public(key.without_secret()) == text

    @LAW
    @given(data=st.data())
    def test_format_06_public_encodings_hold_nothing_secret(self, format: Format, data: st.DataObject) -> None:
        """FORMAT-06: No stretch of the secret half is found in the public encoding, in whatever spelling.

        Why: Public keys are put on web pages and into other people's configuration; a secret that goes along is lost.

        Do: Build the public encoding from a list of the members that belong in it. Never take the secret one and
        remove something.
        """
        key = data.draw(self.keys(format))
        assert key.secret
        if key.public is not None:
            assert_hidden(key.secret, format.encode_public(key), public=key.public)

    @LAW
    @given(data=st.data())
    def test_format_13_a_format_knows_its_own(self, format: Format, data: st.DataObject) -> None:
        """FORMAT-13: `sniff` is true of everything that the format encodes.

        Why: `import` without `--format` asks every format; one that does not know its own leaves people to guess.

        Do: Let `sniff` look for the first characters that all of your encodings share, those of public keys too.
        """
        key = data.draw(self.keys(format))

        assert format.sniff(format.encode_secret(key)) is True
        if key.public is not None:
            assert format.sniff(Secret(format.encode_public(key))) is True

    def test_format_14_neither_way_changes_what_it_is_given(self, format: Format) -> None:
        """FORMAT-14: The same key gives the same text and the same data the same answer, and the key stays as it was.

        Why: A stored key is compared with what it encodes to; a text that differs each time looks like damage, and a
        key changed in passing is wrong for whoever uses it next.

        Do: Write members in one order and without salt, date or counter. Never write into `key`, `key.attributes` or
        a cache that they are read from.
        """
        for sample in self.samples:
            key, untouched = self.decoded(format, sample), self.decoded(format, sample)

            texts = [(encoded(format, key), encoded(format, key.without_secret())) for _ in range(3)]
            answers = [read(format, sample.data, sample.default_kid) for _ in range(3)]
            refusals = [str(read(format, sample.data[:-5], sample.default_kid)) for _ in range(3)]

            assert texts == [texts[0]] * 3
            assert answers == [answers[0]] * 3
            assert refusals == [refusals[0]] * 3
            assert key == untouched

    def test_format_16_a_format_is_pure(self, format: Format) -> None:
        """FORMAT-16: Encoding, decoding, `sniff` and `default_kid` use no file, environment, clock or randomness.

        Why: Keys are converted in places that have none of these, and a text that depends on them cannot be made
        again.

        Do: Take what you need from the key. A date or a number drawn at random belongs into the key's attributes, or
        nowhere.
        """

        def everything() -> None:
            for sample in self.samples:
                key = format.decode(Secret(sample.data), default_kid=sample.default_kid)
                format.sniff(Secret(sample.data))
                format.default_kid("cache.example.org", 1, self.complete(key))
                encoded(format, self.complete(key))
                encoded(format, self.complete(key).without_secret())
                read(format, sample.data[:-5], sample.default_kid)

        everything()  # what it imports on first use comes from files

        assert reached_for(everything) == []

    def test_format_23_results_are_of_the_types_that_the_protocol_says(self, format: Format) -> None:
        """FORMAT-23: Secret encodings are `Secret`, public ones bytes, decoded keys a `Key` made of such halves.

        Why: A secret that comes as bytes is printed by the next traceback, and a bytearray may change after it was
        checked.

        Do: Wrap the text in `Secret(…)` in the expression that makes it, and turn other buffers into `bytes`.
        """
        for sample in self.samples:
            key = self.decoded(format, sample)

            assert type(key) is Key
            assert type(key.kid) is str
            assert type(key.attributes) is Attributes
            assert type(key.secret) in (Secret, type(None))
            assert type(key.public) in (bytes, type(None))
            assert key.secret is None or type(format.encode_secret(key)) is Secret
            assert key.public is None or type(format.encode_public(key)) is bytes
            assert type(format.sniff(Secret(sample.data))) is bool
