"""The contract of key types."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.errors import (
    ConfigError,
    InvalidKeyError,
    InvalidSignatureError,
    NotExportableError,
    UnsupportedOperationError,
)
from keywright.key import Attributes, Key
from keywright.protocols import KeyType
from keywright.secret import Secret
from keywright.settings import Given, Options, check_options
from keywright.testing.laws import SHORT_LAW
from keywright.testing.leaks import assert_hidden, traceback_with_locals

__all__ = ["KeyTypeContract"]

_MESSAGES = (b"", b"message", bytes(range(256)) * 256)


class KeyTypeContract:
    """What every key type promises. Subclass it as `TestX` and give it a fixture and, where they differ, attributes:

    * `key_type`: the object under test;
    * `option_sets`: what `generate` is told, one mapping of setting to value for each try; `({},)` is the defaults
      alone. Between them they allow every algorithm, and none takes seconds.
    * `samples`: how many flipped bits of a signature are tried.

        class TestOct(KeyTypeContract):
            option_sets = ({}, {"bits": 512})

            @pytest.fixture
            def key_type(self): return Oct()
    """

    option_sets: ClassVar[Sequence[Mapping[str, object]]] = ({},)
    samples: ClassVar[int] = 64

    @pytest.fixture
    def key_type(self) -> KeyType:
        """To be overridden."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `key_type`")

    def options(self, key_type: KeyType, values: Mapping[str, object]) -> Options:
        """`values` checked as configuration checks them."""
        given_values = {name: Given(value, f"keys.{name}", "the test", "/") for name, value in values.items()}
        return check_options(given_values, key_type.settings, owner="the key type", path="keys", source="the test")

    def keys(self, key_type: KeyType) -> list[Key]:
        """A fresh key for each of `option_sets`."""
        return [key_type.generate(self.options(key_type, values)) for values in self.option_sets]

    def bindings(self, key_type: KeyType) -> Iterator[tuple[Key, str]]:
        """Fresh keys, each with every algorithm that it is strong enough for."""
        for key in self.keys(key_type):
            for algorithm in key_type.algorithms:
                try:
                    key_type.verifier(key, algorithm)
                except InvalidKeyError:
                    continue
                yield key, algorithm

    @pytest.fixture
    def bound(self, key_type: KeyType) -> list[tuple[Key, str]]:
        """`bindings` made once, for laws that try many messages."""
        return list(self.bindings(key_type))

    def test_keytype_01_the_object_is_a_key_type(self, key_type: KeyType) -> None:
        """KEYTYPE-01: The object has what the protocol asks for, and a name of a-z, digits and '-'."""
        assert isinstance(key_type, KeyType)
        assert re.fullmatch(r"[a-z][a-z0-9-]*", key_type.name)
        assert len(set(key_type.algorithms)) == len(key_type.algorithms)

    def test_keytype_02_a_generated_key_is_bare(self, key_type: KeyType) -> None:
        """KEYTYPE-02: `generate` gives a key of this type with a secret half, without kid and attributes."""
        for key in self.keys(key_type):
            assert (key.type, key.kid, key.attributes) == (key_type.name, "", Attributes())
            assert key.secret

    def test_keytype_03_a_generated_key_is_complete(self, key_type: KeyType) -> None:
        """KEYTYPE-03: `complete` has nothing to add to a generated key."""
        for key in self.keys(key_type):
            assert key_type.complete(key) == key

    def test_keytype_04_each_key_is_fresh(self, key_type: KeyType) -> None:
        """KEYTYPE-04: Keys generated one after the other have different halves."""
        keys = self.keys(key_type) + self.keys(key_type)

        assert len({key.secret.reveal() for key in keys if key.secret}) == len(keys)
        assert len({key.public for key in keys}) == (len(keys) if keys[0].public else 1)

    def test_keytype_05_the_public_half_is_derived(self, key_type: KeyType) -> None:
        """KEYTYPE-05: `complete` derives a missing public half, keeping kid and attributes."""
        for key in self.keys(key_type):
            named = replace(key, kid="kid", attributes=Attributes({"use": "sig"}))

            assert key_type.complete(replace(named, public=None)) == named

    def test_keytype_06_a_public_half_stands_alone(self, key_type: KeyType) -> None:
        """KEYTYPE-06: `complete` accepts a key without its secret half as it is."""
        for key in self.keys(key_type):
            if key.public is not None:
                assert key_type.complete(key.without_secret()) == key.without_secret()

    def test_keytype_07_halves_of_two_keys_are_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-07: `complete` of halves that do not belong together raises InvalidKeyError, and shows no secret."""
        for one, two in zip(self.keys(key_type), self.keys(key_type), strict=True):
            if one.public is None:
                continue
            assert one.secret
            mismatched = replace(one, public=two.public)

            with pytest.raises(InvalidKeyError) as caught:
                key_type.complete(mismatched)

            assert len(str(caught.value).splitlines()) == 1
            assert_hidden(one.secret, traceback_with_locals(caught.value), public=one.public)

    def test_keytype_08_an_empty_key_is_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-08: `complete` of a key without any half, or with empty ones, raises InvalidKeyError."""
        for key in (Key(key_type.name), Key(key_type.name, secret=Secret(b"")), Key(key_type.name, public=b"")):
            with pytest.raises(InvalidKeyError):
                key_type.complete(key)

    @SHORT_LAW
    @given(secret=st.none() | st.binary(max_size=80), public=st.none() | st.binary(max_size=140))
    def test_keytype_09_arbitrary_halves_are_refused_or_complete(
        self, key_type: KeyType, secret: bytes | None, public: bytes | None
    ) -> None:
        """KEYTYPE-09: `complete` of any bytes raises InvalidKeyError, or gives a key that is complete."""
        try:
            key = key_type.complete(
                Key(key_type.name, secret=None if secret is None else Secret(secret), public=public)
            )
        except InvalidKeyError:
            return

        assert key_type.complete(key) == key
        assert key_type.bits(key) > 0

    def test_keytype_10_cut_halves_are_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-10: A public half with a byte more or less raises InvalidKeyError."""
        for key in self.keys(key_type):
            for public in (key.public[:-1], key.public[1:], key.public + b"\0") if key.public else ():
                with pytest.raises(InvalidKeyError):
                    key_type.complete(Key(key_type.name, public=public))

    def test_keytype_11_bits_are_as_asked_for(self, key_type: KeyType) -> None:
        """KEYTYPE-11: `bits` counts as the setting of that name does, from either half."""
        for values, key in zip(self.option_sets, self.keys(key_type), strict=True):
            options = self.options(key_type, values)
            bits = key_type.bits(key)

            assert bits == (options.integer("bits") if "bits" in options else bits) > 0
            if key.public is not None:
                assert key_type.bits(key.without_secret()) == bits

    def test_keytype_12_each_algorithm_signs_and_verifies(self, key_type: KeyType) -> None:
        """KEYTYPE-12: Messages of 0 bytes to 64 KiB, signed by each algorithm, verify under the public half."""
        tried = set()
        for key, algorithm in self.bindings(key_type):
            sign = key_type.signer(key, algorithm)
            verify = key_type.verifier(key if key.public is None else key.without_secret(), algorithm)
            for message in _MESSAGES:
                verify(message, sign(message))
            tried.add(algorithm)

        assert tried == set(key_type.algorithms)

    def test_keytype_13_a_changed_signature_is_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-13: A signature with a flipped bit, cut short, made longer or empty raises InvalidSignatureError."""
        for key, algorithm in self.bindings(key_type):
            signature = key_type.signer(key, algorithm)(b"message")
            bits = len(signature) * 8
            changed = [b"", signature[:-1], signature[1:], signature + b"\0", b"\0" + signature, bytes(len(signature))]
            changed += [
                (int.from_bytes(signature) ^ 1 << bit).to_bytes(len(signature))
                for bit in range(0, bits, max(1, bits // self.samples))
            ]
            verify = key_type.verifier(key, algorithm)

            for wrong in changed:
                with pytest.raises(InvalidSignatureError):
                    verify(b"message", wrong)

    def test_keytype_14_another_message_is_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-14: A signature does not hold for a message that differs at all."""
        for key, algorithm in self.bindings(key_type):
            signature = key_type.signer(key, algorithm)(b"message")
            verify = key_type.verifier(key, algorithm)

            for message in (b"", b"massage", b"messag", b"message\0", b"Message"):
                with pytest.raises(InvalidSignatureError):
                    verify(message, signature)

    def test_keytype_15_another_key_is_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-15: A signature does not hold under another key."""
        for (one, algorithm), (two, _) in zip(self.bindings(key_type), self.bindings(key_type), strict=True):
            signature = key_type.signer(one, algorithm)(b"message")

            with pytest.raises(InvalidSignatureError):
                key_type.verifier(two, algorithm)(b"message", signature)

    @pytest.mark.parametrize("algorithm", ["", "none", "no-such-algorithm", "eddsa", "hs256", "ES256K"])
    def test_keytype_16_an_unknown_algorithm_is_refused(self, key_type: KeyType, algorithm: str) -> None:
        """KEYTYPE-16: Binding with an algorithm that the type does not list raises UnsupportedOperationError."""
        assert algorithm not in key_type.algorithms
        for key in self.keys(key_type):
            for bind in (key_type.signer, key_type.verifier):
                with pytest.raises(UnsupportedOperationError):
                    bind(key, algorithm)

    def test_keytype_17_a_public_half_does_not_sign(self, key_type: KeyType) -> None:
        """KEYTYPE-17: `signer` of a key without its secret half raises NotExportableError."""
        for key, algorithm in self.bindings(key_type):
            with pytest.raises(NotExportableError):
                key_type.signer(key.without_secret(), algorithm)

    @SHORT_LAW
    @given(message=st.binary(max_size=40), signature=st.binary(max_size=150))
    def test_keytype_18_arbitrary_signatures_are_refused(
        self, key_type: KeyType, bound: list[tuple[Key, str]], message: bytes, signature: bytes
    ) -> None:
        """KEYTYPE-18: Verifying any bytes raises InvalidSignatureError and nothing else."""
        for key, algorithm in bound:
            with pytest.raises(InvalidSignatureError):
                key_type.verifier(key, algorithm)(message, signature)

    def test_keytype_19_no_repr_shows_a_secret(self, key_type: KeyType) -> None:
        """KEYTYPE-19: Neither key nor type, signer or verifier shows the secret half, nor does a refusal to verify."""
        for key, algorithm in self.bindings(key_type):
            assert key.secret
            sign, verify = key_type.signer(key, algorithm), key_type.verifier(key, algorithm)
            with pytest.raises(InvalidSignatureError) as caught:
                verify(b"message", b"no signature")

            shown = f"{key!r} {key_type!r} {sign!r} {verify!r} {traceback_with_locals(caught.value)}"
            assert_hidden(key.secret, shown, public=key.public or b"")

    def test_keytype_20_threads_may_share_a_binding(self, key_type: KeyType) -> None:
        """KEYTYPE-20: Eight threads that sign and verify by one binding at once all succeed."""
        for key, algorithm in list(self.bindings(key_type))[:1]:
            sign, verify = key_type.signer(key, algorithm), key_type.verifier(key, algorithm)
            messages = [b"%d" % number for number in range(32)]

            with ThreadPoolExecutor(8) as pool:
                signatures = list(pool.map(sign, messages))
                list(pool.map(verify, messages, signatures))

    def test_keytype_21_settings_refuse_what_is_out_of_bounds(self, key_type: KeyType) -> None:
        """KEYTYPE-21: Whole-number settings have bounds, a default within them, and refuse what lies outside."""
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
