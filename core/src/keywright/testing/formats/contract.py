"""The contract of formats."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Final

import pytest
from hypothesis import given, strategies as st

from keywright import Attributes, Format, Key, LenientFormat, Secret
from keywright.errors import UnsupportedKeyError
from keywright.testing import strategies
from keywright.testing.formats.reading import ReadingRules
from keywright.testing.formats.samples import decoded_again, encoded, read
from keywright.testing.leaks import assert_hidden, everything_in, refusal
from keywright.testing.rules import LAW

_ODD_KIDS: Final = ("", " ", "a b", "a:b", "a\nb", "a\0b", "ä", "\ud800", '"', "\\", "a" * 10_000, "\u202e", "\ufeff")
_VERSIONS: Final = (1, 2, 3, 9, 10, 11, 99, 100, 101, 255, 256, 65_536, 999_999_999)
_TYPES: Final = ("ed25519", "x25519", "ec-p256", "ec-p384", "ec-p521", "rsa", "oct", "no-such-type", "")
_CANARY: Final = "Unpublish3dCanary"


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


class FormatContract(ReadingRules):
    """The rules for every format.

    Subclass it as `TestX` and give it one fixture and an attribute:

    * `format`: the object under test;
    * `samples`: published encodings (see `Sample`), at least one of a secret key for each key type.

    `keys` and `validate` may be overridden: with a strategy that makes more keys than those of the samples, and with
    the key type's own `validate` where the format carries only the secret half.

        class TestNix(FormatContract):
            samples = (Sample(b"cache.example.org-0:E7lAO+MsPwT…"),)

            @pytest.fixture
            def format(self): return Nix()
    """

    def test_format_01_the_object_is_a_format(self, format: Format) -> None:
        """FORMAT-01: The object has the members of the protocol, a name of a-z, digits and '-', and key types.

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

        Why: The program that a key came from may not be able to read it if one byte changed.

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

        Why: A decoder and an encoder that are wrong in the same way agree with each other and with no other program.

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

        Why: A store contains only this encoding: what is lost here is lost permanently.

        Do: Decode what you encode and look at the member that differs. Refuse with UnsupportedKeyError what you
        cannot carry.
        """
        key = data.draw(self.keys(format))

        text = format.encode_secret(key)

        assert self.validate(format.decode(text, default_kid=key.kid)) == key
        assert format.encode_secret(key) == text

    @LAW
    @given(data=st.data())
    def test_format_05_public_keys_round_trip(self, format: Format, data: st.DataObject) -> None:
        """FORMAT-05: A key comes back from its public encoding without secret half; no public half is refused.

        Why: Verifiers have only this text; if it means another key, they reject valid signatures.

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
        """FORMAT-06: No part of the secret half is found in the public encoding, in any spelling.

        Why: Public keys are published on web pages and in configuration; a secret included there is disclosed.

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
        """FORMAT-13: `sniff` is true for everything that the format encodes.

        Why: `import` without `--format` asks every format; if one does not recognize its own, users have to guess.

        Do: Let `sniff` look for the first characters that all of your encodings share, those of public keys too.
        """
        key = data.draw(self.keys(format))

        assert format.sniff(format.encode_secret(key)) is True
        if key.public is not None:
            assert format.sniff(Secret(format.encode_public(key))) is True

    def test_format_14_neither_way_changes_what_it_is_given(self, format: Format) -> None:
        """FORMAT-14: The same key gives the same text and the same data the same result, and the key is not changed.

        Why: A stored key is compared with its encoding; a text that differs each time looks like damage, and a key
        that was changed on the way is wrong for its next use.

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

        Why: Keys are converted in places that have none of these, and a text that depends on them cannot be reproduced.

        Do: Take what you need from the key. A date or a random number belongs in the key's attributes, or nowhere.
        """

        def everything() -> None:
            for sample in self.samples:
                key = format.decode(Secret(sample.data), default_kid=sample.default_kid)
                format.sniff(Secret(sample.data))
                format.default_kid("cache.example.org", 1, self.validate(key))
                encoded(format, self.validate(key))
                encoded(format, self.validate(key).without_secret())
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

    @pytest.mark.parametrize("kid", _ODD_KIDS, ids=range(len(_ODD_KIDS)))
    def test_format_10_kids_are_carried_or_refused(self, format: Format, kid: str) -> None:
        """FORMAT-10: An unusual kid comes back unchanged, if necessary by lenient decoding, or is refused.

        Why: Signatures name the key by its kid; one that comes back truncated or normalized names no key, or another.

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

        Why: A key whose text contains no id gets the one that its store gives it; without it the key cannot be found.

        Do: Pass `default_kid` on to the `Key` wherever the text carries no kid.
        """
        for sample in self.samples:
            again = decoded_again(format, replace(self.decoded(format, sample), kid=""), "given")
            assert again is None or again.kid == "given"

    @LAW
    @given(data=st.data())
    def test_format_12_the_default_kid_fits_and_gives_nothing_away(self, format: Format, data: st.DataObject) -> None:
        """FORMAT-12: `default_kid` is the same each time, shows nothing of the secret half, and can be encoded.

        Why: A kid is public: it is in every signature. And the format must be able to encode a key that was just
        generated.

        Do: Derive the kid from name and version or from the public half, never from the secret half or a hash of it;
        return None for a random one.
        """
        key = data.draw(self.keys(format))
        assert key.secret

        kid = format.default_kid("cache.example.org", 3, key)

        assert kid == format.default_kid("cache.example.org", 3, key)
        if kid is not None:
            assert_hidden(key.secret, kid, public=key.public or b"")
            self._fits(format, key, kid)
            assert key.public is None or format.default_kid("cache.example.org", 3, key.without_secret()) == kid

    @LAW
    @given(name=strategies.names(), version=strategies.versions())
    def test_format_18_every_name_and_version_has_a_default_kid(self, format: Format, name: str, version: int) -> None:
        """FORMAT-18: `default_kid` is None or can be encoded for every name and version; two versions never share one.

        Why: A name of two hundred bytes or a tenth version that cannot be written stops a rotation; a kid that two
        versions share makes verifiers take one key for the other.

        Do: Put the whole version number into the kid, or something that distinguishes the public halves, and accept
        every name that `keywright.check_name` accepts.
        """
        keys = self.secret_keys(format)
        for key in keys:
            kid = format.default_kid(name, version, key)
            if kid is not None:
                self._fits(format, key, kid)
                # One made from the public half is the same for every version.
                assert len({format.default_kid(name, other, key) for other in _VERSIONS}) in (1, len(_VERSIONS))
        first = {key.public: format.default_kid(name, 1, key) for key in keys if key.public}
        second = {key.public: format.default_kid(name, 2, key) for key in keys if key.public}
        assert all(
            kid is None or kid != second[other] for one, kid in first.items() for other in second if one != other
        )

    def _fits(self, format: Format, key: Key, kid: str) -> None:
        """Assert that the key can be encoded with this kid, and that it comes back if the format carries kids."""
        text = format.encode_secret(replace(key, kid=kid))
        if format.carries_kid:
            assert format.decode(text, default_kid="").kid == kid

    def test_format_21_a_kid_is_always_carried_or_never(self, format: Format) -> None:
        """FORMAT-21: Every encoding carries the key's kid, or none does, as `carries_kid` says; of any type and half.

        Why: A text without its kid gets any kid that the next store gives it, and its signatures name a key that no
        verifier trusts.

        Do: Write `key.kid` in both encodings, and raise UnsupportedKeyError where there is no room for it; or carry
        none in either, and set `carries_kid` to False.
        """
        carried = {}
        for number, sample in enumerate(self.samples):
            key = self.decoded(format, sample)
            named = key if key.kid else replace(key, kid="one")
            for half, one in (("secret", named), ("public", named.without_secret())):
                again = None if half == "secret" and key.secret is None else decoded_again(format, one, "another")
                if again is not None:
                    assert again.kid in (named.kid, "another")
                    carried[f"{half} encoding of sample {number}"] = again.kid == named.kid

        assert set(carried.values()) == {format.carries_kid}, carried

    def carries(self, format: Format, key: Key) -> None:
        """Assert that all attributes come back, or none does, or the key is refused."""
        again = decoded_again(format, key)
        if again is not None:
            assert again.attributes in (key.attributes, Attributes())
            assert self.validate(again) == replace(key, attributes=again.attributes)

    def test_format_09_attributes_come_back_or_stay_behind(self, format: Format) -> None:
        """FORMAT-09: An unknown attribute comes back with all others, or none comes back, or it is refused.

        Why: A user who sees that `use` was kept assumes that the rest was: a limit on the use of the key is lost
        without a warning.

        Do: Carry every attribute, or none at all (keywright then tells which were lost), or raise
        UnsupportedKeyError for those that you cannot carry.
        """
        for key in self.secret_keys(format):
            more = {**key.attributes, "x-unknown": ["value", 1, True, None]}
            self.carries(format, replace(key, attributes=Attributes(more)))

    def test_format_15_what_nobody_knows_is_not_published(self, format: Format) -> None:
        """FORMAT-15: An unknown attribute is not in the public encoding, neither its name nor its value.

        Why: A member of a secret key that is unknown today may be secret: another prime, a password, a note.

        Do: Publish a list of attributes that you know to be public, and drop the rest silently.
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

        Why: A RecursionError or ValueError from a library ends a program that handles refusals, and often prints the
        value that caused it.

        Do: Check depth, length and kind of each value before you hand it to a library.
        """
        for key in self.secret_keys(format):
            odd = replace(key, attributes=Attributes({**key.attributes, "x-odd": value}))
            decoded_again(format, odd)
            decoded_again(format, odd.without_secret())

    def test_format_07_a_key_without_secret_half_has_no_secret_encoding(self, format: Format) -> None:
        """FORMAT-07: `encode_secret` of a public key raises UnsupportedKeyError.

        Why: A public key written in place of a secret one is a backup that turns out to be empty when it is needed.

        Do: Check `key.secret is None` first, and report that the key has no secret half.
        """
        for sample in self.samples:
            key = self.decoded(format, sample)

            with pytest.raises(UnsupportedKeyError):
                format.encode_secret(key.without_secret())

    def test_format_08_foreign_key_types_are_refused(self, format: Format) -> None:
        """FORMAT-08: Keys of a type that the format does not list raise UnsupportedKeyError, both ways of encoding.

        Why: 32 bytes of x25519 look like an ed25519 seed; written as one, they sign with a key for another purpose.

        Do: Compare `key.type` with `key_types` before anything else, exactly: no upper case, no prefix, no alias.
        """
        for sample in self.samples:
            key = self.decoded(format, sample)
            foreign = {*_TYPES, key.type.upper(), f"{key.type} ", f"{key.type}ph"} - set(format.key_types)
            for type_ in sorted(foreign):
                for encode in (format.encode_secret, format.encode_public):
                    error = refusal(UnsupportedKeyError, encode, replace(key, type=type_))
                    assert len(str(error).splitlines()) == 1
                    if key.secret is not None:
                        assert_hidden(key.secret, everything_in(error), public=key.public or b"")

    def test_format_19_halves_that_disagree_are_not_put_right(self, format: Format) -> None:
        """FORMAT-19: A public half that belongs to another key is refused, or comes back as it was or not at all.

        Why: A key whose halves do not match was damaged or forged. A format that writes only the half that it
        considers right hides that, and gives users a key that was never announced.

        Do: Write the halves as they are given; `KeyType.validate` checks that they belong together. Never derive one
        from the other.
        """
        keys = self.secret_keys(format)
        for key in keys:
            if key.public is None:
                continue
            others = [other.public for other in keys if other.type == key.type and other.public != key.public]
            wrong = replace(key, public=others[0] if others else key.public[:1] + key.public[:0:-1])
            self._comes_back(format, wrong)

    def test_format_20_halves_of_a_wrong_length_are_not_put_right(self, format: Format) -> None:
        """FORMAT-20: A half with a byte more or less is refused, or comes back exactly as it was.

        Why: A seed that is padded or truncated is another key: its signatures verify under no published key.

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
        again = decoded_again(format, key)
        if again is not None:
            assert again.secret == key.secret
            assert again.public in (key.public, None)


# By module, the functions that depend on the world.
_WORLD: Final = {
    **dict.fromkeys(
        ("posix", "nt", "os", "random", "_random", "secrets", "_socket", "select", "_posixsubprocess"),
        re.compile(r"(?!(_?fspath|fsencode|fsdecode)$).*"),
    ),
    "time": re.compile(
        r"(time|monotonic|perf_counter|process_time)(_ns)?|localtime|gmtime|ctime|asctime|strftime|sleep"
    ),
    **dict.fromkeys(("datetime", "_datetime"), re.compile("now|today|utcnow")),
    **dict.fromkeys(("io", "_io"), re.compile("open|open_code")),
}


def reached_for(action: Callable[[], object]) -> list[str]:
    """Call `action` and name the environment-dependent functions that it called, directly or not, in Python or C.

    Modules that it imports on first use would count as files: call it once before. What C code does inside itself, and
    calls of classes, are not seen.
    """
    found: list[str] = []

    def watch(frame: FrameType, event: str, called: object) -> None:
        if event == "c_call":
            module, name = _origin(called)
        elif event == "call":
            module, name = str(frame.f_globals.get("__name__")), frame.f_code.co_name
        else:
            return
        if module in _WORLD and _WORLD[module].fullmatch(name):
            found.append(f"{module}.{name}")

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        action()
    finally:
        sys.setprofile(before)
    return found


def _origin(called: object) -> tuple[str, str]:
    """The module and the name of a built-in function or method."""
    owner = getattr(called, "__self__", None)
    module = getattr(called, "__module__", None) or getattr(owner, "__module__", None)
    return str(module or type(owner).__module__), str(getattr(called, "__name__", ""))
