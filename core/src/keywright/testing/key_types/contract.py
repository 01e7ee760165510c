"""The contract of key types."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import ClassVar, Final, TypeVar

import pytest
from hypothesis import example, given, strategies as st

from keywright import Attributes, Key, KeyType, Options, Secret
from keywright.errors import (
    ConfigError,
    InvalidKeyError,
    InvalidSignatureError,
    NotExportableError,
    UnsupportedOperationError,
)
from keywright.settings.model import RawValue
from keywright.settings.values import check_options
from keywright.testing.leaks import assert_hidden, everything_in, refusal
from keywright.testing.processes import busy_threads
from keywright.testing.rules import SHORT_LAW, Contract

_E = TypeVar("_E", bound=BaseException)

_UNKNOWN: Final = ("", "none", "None", "NONE", "no-such-algorithm", "eddsa", "hs256", "ES256K", "HS256\0", " EdDSA")
_REGISTERED: Final = (
    *("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"),
)
_HMAC_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
_MESSAGES: Final = (b"", b"message", bytes(range(256)) * 256)
_RANDOMIZED: Final = ("ES", "PS")
_EDDSA: Final = ("EdDSA", "Ed25519", "Ed448")
# Of any length, and of the lengths that signatures have.
_SIGNATURES: Final = st.binary(max_size=150) | st.sampled_from((32, 48, 64, 96, 132, 256, 1024)).flatmap(
    lambda length: st.binary(min_size=length, max_size=length)
)
# The group orders of Ed25519 and Ed448 (RFC 8032 §5.1, §5.2), by the length of a signature in bytes.
_ORDERS: Final = {
    64: 2**252 + 27742317777372353535851937790883648493,
    114: 2**446 - 13818066809895115352007386748515426880336692474882178609894547503885,
}


class KeyTypeContract(Contract):
    """The rules for every key type.

    Subclass it as `TestX` and give it a fixture and, where they differ, attributes:

    * `key_type`: the object under test;
    * `option_sets`: the options for `generate`, one mapping of setting to value for each try; `({},)` is the defaults
      alone. Together they allow every algorithm, and none takes seconds.
    * `samples`: how many flipped bits of a signature are tried.
    * `synonyms`: sets of algorithm names that mean one algorithm; `EdDSA` and `Ed25519` are known.

        class TestOct(KeyTypeContract):
            option_sets = ({}, {"bits": 512})

            @pytest.fixture
            def key_type(self): return Oct()
    """

    option_sets: ClassVar[Sequence[Mapping[str, object]]] = ({},)

    samples: ClassVar[int] = 64

    synonyms: ClassVar[Sequence[frozenset[str]]] = (frozenset({"EdDSA", "Ed25519"}),)

    @pytest.fixture
    def key_type(self) -> KeyType:
        """Override this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `key_type`")

    def options(self, key_type: KeyType, values: Mapping[str, object]) -> Options:
        """`values` checked as configuration checks them."""
        given_values = {name: RawValue(value, f"keys.{name}", "the test", "/") for name, value in values.items()}
        return check_options(given_values, key_type.settings, owner="the key type", path="keys", source="the test")

    def keys(self, key_type: KeyType) -> list[Key]:
        """A new key for each of `option_sets`."""
        return [key_type.generate(self.options(key_type, values)) for values in self.option_sets]

    def bindings(self, key_type: KeyType) -> Iterator[tuple[Key, str]]:
        """New keys, each with every algorithm that it is strong enough for."""
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
        """KEYTYPE-01: The object has the members of the protocol, and a name of a-z, digits and '-'.

        Why: Configuration finds a key type by its name and asks it for its settings and algorithms before any key is
        made.

        Do: Compare your class with `keywright.KeyType`, member by member, and name each algorithm once.
        """
        assert isinstance(key_type, KeyType)
        assert re.fullmatch(r"[a-z][a-z0-9-]*", key_type.name)
        assert len(set(key_type.algorithms)) == len(key_type.algorithms)

    def test_keytype_02_a_generated_key_is_bare(self, key_type: KeyType) -> None:
        """KEYTYPE-02: `generate` gives a key of this type with a secret half, without kid and attributes.

        Why: The ring sets kid and attributes from the user's options and the format; values set by a key type
        contradict them.

        Do: Return `Key(self.name, secret=Secret(…), public=…)` and nothing more.
        """
        for key in self.keys(key_type):
            assert (key.type, key.kid, key.attributes) == (key_type.name, "", Attributes())
            assert key.secret

    def test_keytype_03_a_generated_key_is_complete(self, key_type: KeyType) -> None:
        """KEYTYPE-03: `validate` has nothing to add to a generated key.

        Why: A key that is stored without its public half, or with one that its own type would not derive, cannot be
        published.

        Do: Derive the public half in `generate` by the same function as in `validate`.
        """
        for key in self.keys(key_type):
            assert key_type.validate(key) == key

    def test_keytype_04_each_key_is_fresh(self, key_type: KeyType) -> None:
        """KEYTYPE-04: Keys generated one after the other have different halves.

        Why: Two names with one secret are one key: anyone who gets one of them has both.

        Do: Draw from `os.urandom` or the library's own generator in every call, and cache nothing.
        """
        keys = self.keys(key_type) + self.keys(key_type)

        assert len({key.secret.reveal() for key in keys if key.secret}) == len(keys)
        assert len({key.public for key in keys}) == (len(keys) if keys[0].public else 1)

    def test_keytype_05_the_public_half_is_derived(self, key_type: KeyType) -> None:
        """KEYTYPE-05: `validate` derives a missing public half, keeping kid and attributes.

        Why: Many formats carry only a seed; without this such a key signs and cannot be published, and a kid lost here
        is lost in the store.

        Do: Return a `Key` with all five members, three of them as they came.
        """
        for key in self.keys(key_type):
            named = replace(key, kid="kid", attributes=Attributes({"use": "sig"}))

            assert key_type.validate(replace(named, public=None)) == named
            assert key_type.validate(named) == named

    def test_keytype_06_a_public_half_stands_alone(self, key_type: KeyType) -> None:
        """KEYTYPE-06: `validate` accepts a key without its secret half as it is.

        Why: Other people's public keys are imported to verify with; they never come with a secret.

        Do: Check the public half by itself where `secret` is None, and return the key unchanged.
        """
        for key in self.keys(key_type):
            if key.public is not None:
                public = replace(key.without_secret(), kid="kid", attributes=Attributes({"use": "sig"}))
                assert key_type.validate(public) == public

    def test_keytype_07_halves_of_two_keys_are_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-07: `validate` of halves that do not belong together raises InvalidKeyError, and shows no secret.

        Why: Such a key signs, but its signatures do not verify under its public half. Nix accepts it; keywright
        detects it before it is stored.

        Do: Derive the public half from the secret one and compare, whenever both are there.
        """
        for one, two in zip(self.keys(key_type), self.keys(key_type), strict=True):
            if one.public is not None:
                _assert_discreet(refusal(InvalidKeyError, key_type.validate, replace(one, public=two.public)), one)

    def test_keytype_08_an_empty_key_is_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-08: `validate` of a key without any half, or with empty ones, raises InvalidKeyError.

        Why: An empty HMAC secret verifies anything that anyone signs with an empty secret.

        Do: Check for None and for a length of 0 before the library gets the bytes.
        """
        for key in (Key(key_type.name), Key(key_type.name, secret=Secret(b"")), Key(key_type.name, public=b"")):
            with pytest.raises(InvalidKeyError):
                key_type.validate(key)

    @SHORT_LAW
    @given(secret=st.none() | st.binary(max_size=80), public=st.none() | st.binary(max_size=140))
    def test_keytype_09_arbitrary_halves_are_refused_or_complete(
        self, key_type: KeyType, secret: bytes | None, public: bytes | None
    ) -> None:
        """KEYTYPE-09: `validate` of any bytes raises InvalidKeyError, or gives a key that is complete.

        Why: Every imported key goes through here; an exception of a library is a crash that may quote the key.

        Do: Check lengths first, catch what the library raises and raise InvalidKeyError in its place.
        """
        try:
            key = key_type.validate(
                Key(key_type.name, secret=None if secret is None else Secret(secret), public=public)
            )
        except InvalidKeyError:
            return

        assert key_type.validate(key) == key
        assert key_type.bits(key) > 0

    def test_keytype_10_cut_public_halves_are_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-10: A public half with a byte more or less raises InvalidKeyError.

        Why: If a library pads or ignores bytes, several encodings mean one key, and damage is not detected.

        Do: Compare the length with the type's own; for DER, encode again what was parsed and compare.
        """
        for key in self.keys(key_type):
            for public in (key.public[:-1], key.public[1:], key.public + b"\0") if key.public else ():
                with pytest.raises(InvalidKeyError):
                    key_type.validate(Key(key_type.name, public=public))

    def test_keytype_11_bits_are_as_asked_for(self, key_type: KeyType) -> None:
        """KEYTYPE-11: `bits` counts as the setting of that name does, from either half.

        Why: A key of 256 bits where 512 were requested is half as strong as its owner believes, and policies that
        count bits are wrong, too.

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

        Why: Without a lower bound a user can create a key that can be guessed; without an upper one a typing error
        keeps a machine busy for hours.

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

        Why: A seed that lost its last byte in a copy must not be padded silently, nor may surplus bytes be removed.

        Do: Compare the length with the type's own before the bytes reach a library.
        """
        for key in self.keys(key_type):
            assert key.secret
            for secret in (key.secret.reveal()[:-1], key.secret.reveal()[1:], key.secret.reveal() + b"\0"):
                cut = replace(key, secret=Secret(secret))
                if key.public is not None:
                    _assert_discreet(refusal(InvalidKeyError, key_type.validate, cut), key)
                try:
                    alone = key_type.validate(replace(cut, public=None))
                except InvalidKeyError:
                    continue
                assert alone.secret == cut.secret
                assert key.public is None or alone.public != key.public

    def test_keytype_23_a_key_of_another_type_is_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-23: `validate` and `bits` of a key of another type raise InvalidKeyError.

        Why: 32 bytes of x25519 are a seed of ed25519 to any library; a key used for two purposes breaks the promises
        of both.

        Do: Compare `key.type` with your own `name` first, exactly.
        """
        for key in self.keys(key_type):
            for type_ in ("", "no-such-type", key.type.upper(), f"{key.type} "):
                for check in (key_type.validate, key_type.bits):
                    _assert_discreet(refusal(InvalidKeyError, check, replace(key, type=type_)), key)

    def test_keytype_24_generate_checks_its_options_itself(self, key_type: KeyType) -> None:
        """KEYTYPE-24: `generate` with a whole number out of its setting's bounds raises ConfigError.

        Why: Python code can build `Options` without configuration; the bound prevents weak keys for every caller.

        Do: Compare the value with the `Setting` once more in `generate`, before anything is drawn.
        """
        for setting in key_type.settings:
            if setting.type == "integer" and setting.minimum is not None and setting.maximum is not None:
                sound = self.options(key_type, {})
                for value in (setting.minimum - setting.multiple_of, setting.maximum + setting.multiple_of, 0, -1):
                    with pytest.raises(ConfigError):
                        key_type.generate(Options({**sound, setting.name: value}))

    def test_keytype_25_keys_do_not_come_from_a_generator_that_can_be_seeded(self, key_type: KeyType) -> None:
        """KEYTYPE-25: After the same `random.seed`, two keys are still different.

        Why: Python's `random` can be predicted from earlier values, and programs seed it to make tests reproducible.

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

    @pytest.mark.parametrize("algorithm", _UNKNOWN)
    def test_keytype_16_an_unknown_algorithm_is_refused(self, key_type: KeyType, algorithm: str) -> None:
        """KEYTYPE-16: Binding with an algorithm that the type does not list raises UnsupportedOperationError.

        Why: The author of a token chooses its `alg`. A type that accepts `none`, or anything that looks like an
        algorithm, lets the forger choose.

        Do: Check `algorithm in self.algorithms` first, exactly, before the name selects a hash or a padding.
        """
        assert algorithm not in key_type.algorithms
        for key in self.keys(key_type):
            _refused_to_bind(key_type, key, algorithm, UnsupportedOperationError)

    def test_keytype_17_a_public_half_does_not_sign(self, key_type: KeyType) -> None:
        """KEYTYPE-17: `signer` of a key without its secret half raises NotExportableError.

        Why: The caller has to load the other half; any other error suggests a problem in the key.

        Do: Check `key.secret is None` in `signer`, after the algorithm and before the mathematics.
        """
        for key, algorithm in self.bindings(key_type):
            with pytest.raises(NotExportableError):
                key_type.signer(key.without_secret(), algorithm)

    def test_keytype_19_no_repr_shows_a_secret(self, key_type: KeyType) -> None:
        """KEYTYPE-19: Neither key nor type, signer or verifier shows the secret half, nor does a refusal to verify.

        Why: Bound objects live long and are passed around: sooner or later a log or a traceback prints them.

        Do: Keep the library's key object, or a `Secret`, and never the bytes; for HMAC, the correct tag is a secret,
        too. Give classes of your own no generated `repr`.
        """
        for key, algorithm in self.bindings(key_type):
            assert key.secret
            sign, verify = key_type.signer(key, algorithm), key_type.verifier(key, algorithm)
            with pytest.raises(InvalidSignatureError) as caught:
                verify(b"message", b"no signature")

            shown = f"{key!r} {key_type!r} {sign!r} {verify!r} {everything_in(caught.value)}"
            assert_hidden(key.secret, shown, public=key.public or b"")

    def test_keytype_26_a_public_half_is_no_secret_of_another_algorithm(self, key_type: KeyType) -> None:
        """KEYTYPE-26: Binding with an algorithm of another type, HMAC above all, raises UnsupportedOperationError.

        Why: If a public key can be used as an HMAC secret, everyone can sign: many JWT libraries had this bug.

        Do: List in `algorithms` what this type signs with, and hand the library a key object of this type, not bytes.
        """
        for key in self.keys(key_type):
            for algorithm in set(_REGISTERED) - set(key_type.algorithms):
                for bound in (key, key.without_secret()):
                    with pytest.raises(UnsupportedOperationError):
                        key_type.verifier(bound, algorithm)
                with pytest.raises(UnsupportedOperationError):
                    key_type.signer(key, algorithm)

    def test_keytype_27_a_key_of_another_type_is_not_bound(self, key_type: KeyType) -> None:
        """KEYTYPE-27: `signer` and `verifier` of a key of another type raise InvalidKeyError.

        Why: The bytes of one type may be valid in another; the signature is then valid under the wrong key.

        Do: Compare `key.type` with your own `name` in both methods. A type that cannot sign refuses by
        UnsupportedOperationError in any case.
        """
        for key, algorithm in self.bindings(key_type):
            _refused_to_bind(key_type, replace(key, type="no-such-type"), algorithm, InvalidKeyError)

    @SHORT_LAW
    @given(secret=st.none() | st.binary(max_size=80), public=st.none() | st.binary(max_size=140))
    def test_keytype_28_arbitrary_halves_are_bound_or_refused(
        self, key_type: KeyType, secret: bytes | None, public: bytes | None
    ) -> None:
        """KEYTYPE-28: Binding any bytes works or raises InvalidKeyError, NotExportableError where a half is missing.

        Why: A store may contain keys that were never completed; the error of a library at this point is a crash while
        signing.

        Do: Check the halves in `signer` and `verifier` as `validate` checks them, by the same functions.
        """
        key = Key(key_type.name, secret=None if secret is None else Secret(secret), public=public)
        for algorithm in key_type.algorithms:
            for bind in (key_type.signer, key_type.verifier):
                try:
                    bind(key, algorithm)
                except InvalidKeyError:
                    continue
                except NotExportableError:
                    assert key.secret is None

    def test_keytype_29_a_key_too_short_for_its_hash_is_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-29: A key shorter than the hash raises InvalidKeyError with HS256, HS384 and HS512.

        Why: RFC 7518 §3.2 forbids it: such a secret is guessed from one token, on one computer.

        Do: Compare the length of the octets with that of the hash in `signer` and in `verifier`.
        """
        for algorithm in set(key_type.algorithms) & set(_HMAC_BYTES):
            key = Key(key_type.name, secret=Secret(bytes(range(1, _HMAC_BYTES[algorithm]))))
            for error in _refused_to_bind(key_type, key, algorithm, InvalidKeyError):
                assert len(str(error).splitlines()) == 1

    def test_keytype_30_the_default_key_signs_by_the_default_algorithm(self, key_type: KeyType) -> None:
        """KEYTYPE-30: A key made with every setting at its default signs with the first of `algorithms`.

        Why: A caller who passes no options must get a key that works.

        Do: Put the algorithm that the default size is strong enough for first.
        """
        for algorithm in key_type.algorithms[:1]:
            key = key_type.generate(self.options(key_type, {}))

            key_type.verifier(key, algorithm)(b"message", key_type.signer(key, algorithm)(b"message"))

    def test_keytype_12_each_algorithm_signs_and_verifies(self, key_type: KeyType) -> None:
        """KEYTYPE-12: Messages of 0 bytes to 64 KiB, signed by each algorithm, verify under the public half.

        Why: This is the purpose of a key.

        Do: Bind one algorithm at a time and compare hash, padding and form of signer and verifier. A good signature
        gives None. `option_sets` must hold a key that is strong enough for each algorithm.
        """
        tried = set()
        for key, algorithm in self.bindings(key_type):
            sign = key_type.signer(key, algorithm)
            verify: Callable[[bytes, bytes], object] = key_type.verifier(
                key if key.public is None else key.without_secret(), algorithm
            )
            for message in _MESSAGES:
                signature = sign(message)
                assert type(signature) is bytes
                assert verify(message, signature) is None
            tried.add(algorithm)

        assert tried == set(key_type.algorithms)

    def test_keytype_13_a_changed_signature_is_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-13: A signature with a flipped bit, cut short, made longer or empty raises InvalidSignatureError.

        Why: If a changed signature is still valid, a revoked or logged token can be used a second time; and callers
        may ignore a verifier that returns False.

        Do: Compare the length first, then verify; raise, never return a result. Compare all of an HMAC tag, in
        constant time.
        """
        for key, algorithm in self.bindings(key_type):
            signature = key_type.signer(key, algorithm)(b"message")
            bits = len(signature) * 8
            changed = [b"", signature[:-1], signature[1:], signature + b"\0", b"\0" + signature, bytes(len(signature))]
            changed += [signature[: len(signature) // 2], signature * 2, b"\xff" * len(signature)]
            changed += [
                (int.from_bytes(signature) ^ 1 << bit).to_bytes(len(signature))
                for bit in range(0, bits, max(1, bits // self.samples))
            ]
            verify = key_type.verifier(key, algorithm)

            for wrong in changed:
                refusal(InvalidSignatureError, verify, b"message", wrong)

    def test_keytype_14_another_message_is_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-14: A signature is not valid for a message that differs at all.

        Why: If a signature is valid for a second message, the signer appears to have signed that, too.

        Do: Hash all of the message, as it is: no strip, no case, no text decoding, no limit on its length.
        """
        for key, algorithm in self.bindings(key_type):
            signature = key_type.signer(key, algorithm)(b"message")
            verify = key_type.verifier(key, algorithm)

            for message in (b"", b"massage", b"messag", b"message\0", b"Message", b"message\n", b" message"):
                refusal(InvalidSignatureError, verify, message, signature)

    def test_keytype_15_another_key_is_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-15: A signature is not valid under another key.

        Why: A verifier that ignores its key accepts signatures by any key.

        Do: Bind the public half of the key that was given, and nothing that is shared by all of them.
        """
        for (one, algorithm), (two, _) in zip(self.bindings(key_type), self.bindings(key_type), strict=True):
            signature = key_type.signer(one, algorithm)(b"message")

            refusal(InvalidSignatureError, key_type.verifier(two, algorithm), b"message", signature)

    @SHORT_LAW
    @given(message=st.binary(max_size=40), signature=_SIGNATURES)
    @example(message=b"", signature=b"\xff" * 1024)
    def test_keytype_18_arbitrary_signatures_are_refused(
        self, key_type: KeyType, bound: list[tuple[Key, str]], message: bytes, signature: bytes
    ) -> None:
        """KEYTYPE-18: Verifying any bytes raises InvalidSignatureError and nothing else.

        Why: Signatures come from untrusted sources; the error of a library is a crash that they can cause at will.

        Do: Check the form before you parse it, and catch what the library raises for invalid input.
        """
        for key, algorithm in bound:
            refusal(InvalidSignatureError, key_type.verifier(key, algorithm), message, signature)

    def test_keytype_20_threads_may_share_a_binding(self, key_type: KeyType) -> None:
        """KEYTYPE-20: Eight threads that sign and verify by one binding at once all succeed.

        Why: A signer is bound once and used by every request of a service; a message mixed up with another thread's
        is signed for the wrong person.

        Do: Keep nothing of a message in the object or the closure between calls; copy a hash before you feed it.
        """
        for key, algorithm in list(self.bindings(key_type))[:1]:
            sign, verify = key_type.signer(key, algorithm), key_type.verifier(key, algorithm)
            messages = [b"%d" % number * 50 for number in range(256)]

            with busy_threads(), ThreadPoolExecutor(8) as pool:
                signatures = list(pool.map(sign, messages))
                list(pool.map(verify, messages, signatures))

    def test_keytype_31_a_signature_holds_under_its_own_algorithm_alone(self, key_type: KeyType) -> None:
        """KEYTYPE-31: A signature by one algorithm is not valid under another one of the same key.

        Why: A verifier that tries what fits lets the forger choose the weakest hash or padding.

        Do: Fix hash and padding when you bind, by the algorithm's name. Name real synonyms in `synonyms`.
        """
        bound = list(self.bindings(key_type))
        for key, algorithm in bound:
            signature = key_type.signer(key, algorithm)(b"message")
            for other in [one for key_, one in bound if key_ is key and one != algorithm]:
                if not any({algorithm, other} <= names for names in self.synonyms):
                    refusal(InvalidSignatureError, key_type.verifier(key, other), b"message", signature)

    def test_keytype_32_signatures_of_a_key_have_one_length(self, key_type: KeyType) -> None:
        """KEYTYPE-32: Every signature by one key and algorithm has the same length.

        Why: JOSE wants r ‖ s in full width (RFC 7518 §3.4). A signature in DER, or without its leading zeros, fails
        elsewhere one time in some hundred.

        Do: Turn DER into r ‖ s, and write each number with the width of the curve or modulus.
        """
        for key, algorithm in self.bindings(key_type):
            sign = key_type.signer(key, algorithm)

            assert len({len(sign(b"%d" % number)) for number in range(64)}) == 1

    def test_keytype_33_what_the_standard_fixes_is_the_same_each_time(self, key_type: KeyType) -> None:
        """KEYTYPE-33: EdDSA, HMAC and PKCS #1 v1.5 sign one message twice alike, and two messages not.

        Why: In these algorithms a signature that varies comes from a random number where none belongs: in EdDSA one
        that repeats gives the secret away.

        Do: Use the library's plain call, without salt or nonce of your own.
        """
        for key, algorithm in self.bindings(key_type):
            sign = key_type.signer(key, algorithm)
            if not algorithm.startswith(_RANDOMIZED):
                assert sign(b"message") == sign(b"message") == key_type.signer(key, algorithm)(b"message")
            assert sign(b"message") != sign(b"another message")

    def test_keytype_34_no_nonce_is_used_twice(self, key_type: KeyType) -> None:
        """KEYTYPE-34: Where a signature starts with a commitment (ECDSA's r, EdDSA's R), no two messages share it.

        Why: Two signatures with the same r are two equations with two unknowns: anybody computes the secret half.

        Do: Leave the nonce to the library, which draws it or derives it from the message (RFC 6979, RFC 8032).
        """
        for key, algorithm in self.bindings(key_type):
            if algorithm.startswith(("ES", "Ed")):
                sign = key_type.signer(key, algorithm)
                signatures = [sign(b"%d" % number) for number in range(64)]

                assert len({signature[: len(signature) // 2] for signature in signatures}) == len(signatures)

    def test_keytype_35_a_signature_has_one_form(self, key_type: KeyType) -> None:
        """KEYTYPE-35: The s of an EdDSA signature is accepted only below the group order (RFC 8032 §5.1.7, §5.2.7).

        Why: s plus the order is a second signature of the same message: counting or blocking signatures by their bytes
        does not work.

        Do: Verify with a library that checks s, or compare it with the order yourself.
        """
        for key, algorithm in self.bindings(key_type):
            signature = key_type.signer(key, algorithm)(b"message")
            order = _ORDERS.get(len(signature))  # the curve follows from the length; its name need not
            if algorithm in _EDDSA and order is not None:
                half = len(signature) // 2
                s = int.from_bytes(signature[half:], "little") + order

                refusal(
                    InvalidSignatureError,
                    key_type.verifier(key, algorithm),
                    b"message",
                    signature[:half] + s.to_bytes(half, "little"),
                )

    def test_keytype_36_a_public_half_is_a_point_of_the_curve(self, key_type: KeyType) -> None:
        """KEYTYPE-36: `validate` refuses a public half that is not a point of its curve, without a secret half too.

        Why: A point off the curve lies in a small group, in which a secret half is guessed, or anyone can sign.

        Do: Let the library decode the point, and translate its error to InvalidKeyError.
        """
        for key in self.keys(key_type):
            for wrong in _off_curve(key.public or b"", key_type.algorithms):
                _assert_discreet(refusal(InvalidKeyError, key_type.validate, replace(key, public=wrong)), key)
                refusal(InvalidKeyError, key_type.validate, Key(key_type.name, public=wrong))


def _off_curve(public: bytes, algorithms: Sequence[str]) -> Iterator[bytes]:
    """Public halves of the same length that are on no curve, as far as the form of `public` is known."""
    if public[:1] == b"\4" and len(public) % 2:  # SEC 1 §2.3.3: with another y
        yield public[:-1] + bytes([public[-1] ^ 1])
        yield b"\4" + bytes(len(public) - 1)
    elif set(algorithms) & set(_EDDSA):
        # RFC 8032 §5.1.3, §5.2.3: no x belongs to y = 2; in the second ones y is not below the prime of the field.
        rest = {32: b"\x7f", 57: b"\0"}.get(len(public))
        if rest is not None:
            yield b"\2" + bytes(len(public) - 1)
            yield b"\xff" * (len(public) - 1) + rest


def _assert_discreet(error: InvalidKeyError, key: Key) -> None:
    """One line, and nothing of the secret half of the sound `key`."""
    assert len(str(error).splitlines()) == 1
    assert key.secret
    assert_hidden(key.secret, everything_in(error), public=key.public or b"")


def _refused_to_bind(key_type: KeyType, key: Key, algorithm: str, error: type[_E]) -> list[_E]:
    """The errors of `signer` and `verifier`."""
    return [refusal(error, bind, key, algorithm) for bind in (key_type.signer, key_type.verifier)]
