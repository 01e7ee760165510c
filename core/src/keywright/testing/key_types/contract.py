"""The contract of key types: making keys, and telling good ones from bad."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.errors import ConfigError, InvalidKeyError
from keywright.keys import Attributes, Key
from keywright.protocols import KeyType
from keywright.secret import Secret
from keywright.settings.model import Options
from keywright.testing.key_types.binding import BindingRules
from keywright.testing.key_types.signatures import SignatureRules
from keywright.testing.laws import SHORT_LAW
from keywright.testing.leaks import assert_hidden, everything_in

__all__ = ["KeyTypeContract"]


def _refusal(check: Callable[[Key], object], key: Key) -> InvalidKeyError:
    # In a frame of its own, for the traceback is looked at.
    with pytest.raises(InvalidKeyError) as caught:
        check(key)
    return caught.value


def _assert_discreet(refusal: InvalidKeyError, key: Key) -> None:
    """One line, and nothing of the secret half of the sound `key`."""
    assert len(str(refusal).splitlines()) == 1
    assert key.secret
    assert_hidden(key.secret, everything_in(refusal), public=key.public or b"")


class KeyTypeContract(BindingRules, SignatureRules):
    """What every key type promises. Subclass it as `TestX` and give it a fixture and, where they differ, attributes:

    * `key_type`: the object under test;
    * `option_sets`: what `generate` is told, one mapping of setting to value for each try; `({},)` is the defaults
      alone. Between them they allow every algorithm, and none takes seconds.
    * `samples`: how many flipped bits of a signature are tried.
    * `synonyms`: sets of algorithm names that mean one algorithm; `EdDSA` and `Ed25519` are known.

        class TestOct(KeyTypeContract):
            option_sets = ({}, {"bits": 512})

            @pytest.fixture
            def key_type(self): return Oct()
    """

    def test_keytype_01_the_object_is_a_key_type(self, key_type: KeyType) -> None:
        """KEYTYPE-01: The object has what the protocol asks for, and a name of a-z, digits and '-'.

        Why: Configuration finds a key type by its name and asks it for its settings and algorithms before any key is
        made.

        Do: Compare your class with `keywright.KeyType`, member by member, and name each algorithm once.
        """
        assert isinstance(key_type, KeyType)
        assert re.fullmatch(r"[a-z][a-z0-9-]*", key_type.name)
        assert len(set(key_type.algorithms)) == len(key_type.algorithms)

    def test_keytype_02_a_generated_key_is_bare(self, key_type: KeyType) -> None:
        """KEYTYPE-02: `generate` gives a key of this type with a secret half, without kid and attributes.

        Why: Kid and attributes are the ring's to give, by what the user and the format say; what a key type puts there
        contradicts them.

        Do: Return `Key(self.name, secret=Secret(…), public=…)` and nothing more.
        """
        for key in self.keys(key_type):
            assert (key.type, key.kid, key.attributes) == (key_type.name, "", Attributes())
            assert key.secret

    def test_keytype_03_a_generated_key_is_complete(self, key_type: KeyType) -> None:
        """KEYTYPE-03: `complete` has nothing to add to a generated key.

        Why: A key that is stored without its public half, or with one that its own type would not derive, cannot be
        published.

        Do: Derive the public half in `generate` by the same function as in `complete`.
        """
        for key in self.keys(key_type):
            assert key_type.complete(key) == key

    def test_keytype_04_each_key_is_fresh(self, key_type: KeyType) -> None:
        """KEYTYPE-04: Keys generated one after the other have different halves.

        Why: Two names with one secret are one key: whoever is given one of them has both.

        Do: Draw from `os.urandom` or the library's own generator in every call, and cache nothing.
        """
        keys = self.keys(key_type) + self.keys(key_type)

        assert len({key.secret.reveal() for key in keys if key.secret}) == len(keys)
        assert len({key.public for key in keys}) == (len(keys) if keys[0].public else 1)

    def test_keytype_05_the_public_half_is_derived(self, key_type: KeyType) -> None:
        """KEYTYPE-05: `complete` derives a missing public half, keeping kid and attributes.

        Why: Many formats carry only a seed; without this such a key signs and cannot be published, and a kid lost here
        is lost in the store.

        Do: Return a `Key` with all five members, three of them as they came.
        """
        for key in self.keys(key_type):
            named = replace(key, kid="kid", attributes=Attributes({"use": "sig"}))

            assert key_type.complete(replace(named, public=None)) == named
            assert key_type.complete(named) == named

    def test_keytype_06_a_public_half_stands_alone(self, key_type: KeyType) -> None:
        """KEYTYPE-06: `complete` accepts a key without its secret half as it is.

        Why: Other people's public keys are imported to verify with; they never come with a secret.

        Do: Check the public half by itself where `secret` is None, and return the key unchanged.
        """
        for key in self.keys(key_type):
            if key.public is not None:
                public = replace(key.without_secret(), kid="kid", attributes=Attributes({"use": "sig"}))
                assert key_type.complete(public) == public

    def test_keytype_07_halves_of_two_keys_are_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-07: `complete` of halves that do not belong together raises InvalidKeyError, and shows no secret.

        Why: Such a key signs, and what it signs verifies under nobody's public half. Nix takes it; here it is found
        before it is stored.

        Do: Derive the public half from the secret one and compare, whenever both are there.
        """
        for one, two in zip(self.keys(key_type), self.keys(key_type), strict=True):
            if one.public is not None:
                _assert_discreet(_refusal(key_type.complete, replace(one, public=two.public)), one)

    def test_keytype_08_an_empty_key_is_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-08: `complete` of a key without any half, or with empty ones, raises InvalidKeyError.

        Why: An empty HMAC secret verifies whatever anybody signs with an empty secret.

        Do: Ask for None and for a length of 0 before the library sees the bytes.
        """
        for key in (Key(key_type.name), Key(key_type.name, secret=Secret(b"")), Key(key_type.name, public=b"")):
            with pytest.raises(InvalidKeyError):
                key_type.complete(key)

    @SHORT_LAW
    @given(secret=st.none() | st.binary(max_size=80), public=st.none() | st.binary(max_size=140))
    def test_keytype_09_arbitrary_halves_are_refused_or_complete(
        self, key_type: KeyType, secret: bytes | None, public: bytes | None
    ) -> None:
        """KEYTYPE-09: `complete` of any bytes raises InvalidKeyError, or gives a key that is complete.

        Why: Every imported key goes through here; an exception of a library is a crash that may quote the key.

        Do: Check lengths first, catch what the library raises and raise InvalidKeyError in its place.
        """
        try:
            key = key_type.complete(
                Key(key_type.name, secret=None if secret is None else Secret(secret), public=public)
            )
        except InvalidKeyError:
            return

        assert key_type.complete(key) == key
        assert key_type.bits(key) > 0

    def test_keytype_10_cut_public_halves_are_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-10: A public half with a byte more or less raises InvalidKeyError.

        Why: A library that fills up or ignores bytes lets several texts stand for one key, and damage go unseen.

        Do: Compare the length with the type's own; for DER, encode again what was parsed and compare.
        """
        for key in self.keys(key_type):
            for public in (key.public[:-1], key.public[1:], key.public + b"\0") if key.public else ():
                with pytest.raises(InvalidKeyError):
                    key_type.complete(Key(key_type.name, public=public))

    def test_keytype_11_bits_are_as_asked_for(self, key_type: KeyType) -> None:
        """KEYTYPE-11: `bits` counts as the setting of that name does, from either half.

        Why: A key of 256 bits where 512 were asked for is half as strong as its owner believes, and policies that
        count bits are fooled with them.

        Do: Count bits and not bytes, and measure the key (modulus, curve, octets), not what was asked for.
        """
        for values, key in zip(self.option_sets, self.keys(key_type), strict=True):
            options = self.options(key_type, values)
            bits = key_type.bits(key)

            assert bits == (options.integer("bits") if "bits" in options else bits) > 0
            if key.public is not None:
                assert key_type.bits(key.without_secret()) == bits

    def test_keytype_21_settings_refuse_what_is_out_of_bounds(self, key_type: KeyType) -> None:
        """KEYTYPE-21: Whole-number settings have bounds, a default within them, and refuse what lies outside.

        Why: Without a lower bound somebody makes a key that can be guessed, without an upper one a typing error keeps
        a machine busy for hours.

        Do: Give the `Setting` a `minimum`, a `maximum` and, where it applies, `multiple_of`.
        """
        self.options(key_type, {})
        for setting in key_type.settings:
            if setting.type != "integer":
                continue
            assert setting.minimum is not None
            assert setting.maximum is not None
            self.options(key_type, {setting.name: setting.default})
            outside = [setting.minimum - setting.multiple_of, setting.maximum + setting.multiple_of]
            for value in outside + [setting.minimum + 1] * (setting.multiple_of > 1):
                with pytest.raises(ConfigError):
                    self.options(key_type, {setting.name: value})

    def test_keytype_22_cut_secret_halves_are_refused_or_another_key(self, key_type: KeyType) -> None:
        """KEYTYPE-22: A secret half with a byte more or less is refused, alone or with the public half, or another key.

        Why: A seed that lost its last byte in a copy must not be filled up in silence, nor may the surplus be cut off.

        Do: Compare the length with the type's own before the bytes reach a library.
        """
        for key in self.keys(key_type):
            assert key.secret
            for secret in (key.secret.reveal()[:-1], key.secret.reveal()[1:], key.secret.reveal() + b"\0"):
                cut = replace(key, secret=Secret(secret))
                if key.public is not None:
                    _assert_discreet(_refusal(key_type.complete, cut), key)
                try:
                    alone = key_type.complete(replace(cut, public=None))
                except InvalidKeyError:
                    continue
                assert alone.secret == cut.secret
                assert key.public is None or alone.public != key.public

    def test_keytype_23_a_key_of_another_type_is_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-23: `complete` and `bits` of a key that says another type raise InvalidKeyError.

        Why: 32 bytes of x25519 are a seed of ed25519 to any library; a key used for two purposes breaks the promises
        of both.

        Do: Compare `key.type` with your own `name` first, exactly.
        """
        for key in self.keys(key_type):
            for type_ in ("", "no-such-type", key.type.upper(), f"{key.type} "):
                for check in (key_type.complete, key_type.bits):
                    _assert_discreet(_refusal(check, replace(key, type=type_)), key)

    def test_keytype_24_generate_checks_its_options_itself(self, key_type: KeyType) -> None:
        """KEYTYPE-24: `generate` with a whole number out of its setting's bounds raises ConfigError.

        Why: Python code builds `Options` by hand, past configuration; the bound is there against weak keys, whoever
        asks.

        Do: Compare the value with the `Setting` once more in `generate`, before anything is drawn.
        """
        for setting in key_type.settings:
            if setting.type == "integer" and setting.minimum is not None and setting.maximum is not None:
                sound = self.options(key_type, {})
                for value in (setting.minimum - setting.multiple_of, setting.maximum + setting.multiple_of, 0, -1):
                    with pytest.raises(ConfigError):
                        key_type.generate(Options({**sound, setting.name: value}))

    def test_keytype_25_keys_do_not_come_from_a_generator_that_can_be_seeded(self, key_type: KeyType) -> None:
        """KEYTYPE-25: After the same `random.seed`, two keys are different all the same.

        Why: Python's `random` can be predicted from what it gave before, and programs seed it to make tests repeat.

        Do: Draw from `os.urandom`, `secrets` or the library's own generator.
        """
        state = random.getstate()
        try:
            random.seed(1)
            first = self.keys(key_type)
            random.seed(1)
            second = self.keys(key_type)
        finally:
            random.setstate(state)

        assert all(one.secret != two.secret for one, two in zip(first, second, strict=True))
