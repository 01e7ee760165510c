"""The contract of key types: what is signed verifies, and nothing else does."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keywright.errors import InvalidSignatureError
from keywright.keys import Key
from keywright.protocols import KeyType
from keywright.testing.formats.generated_keys import GeneratedKeys
from keywright.testing.laws import SHORT_LAW

__all__ = ["SignatureRules", "busy_threads"]

_MESSAGES: Final = (b"", b"message", bytes(range(256)) * 256)
_RANDOMIZED: Final = ("ES", "PS")
_EDDSA: Final = ("EdDSA", "Ed25519")
# Of any length, and of the lengths that signatures have.
_SIGNATURES: Final = st.binary(max_size=150) | st.sampled_from((32, 48, 64, 96, 132, 256, 1024)).flatmap(
    lambda length: st.binary(min_size=length, max_size=length)
)
_ORDER_OF_ED25519: Final = 2**252 + 27742317777372353535851937790883648493


@contextmanager
def busy_threads() -> Iterator[None]:
    """Lets the interpreter change threads as often as it can, so that eight of them do meet."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class SignatureRules(GeneratedKeys):
    """Part of `KeyTypeContract`."""

    def test_keytype_12_each_algorithm_signs_and_verifies(self, key_type: KeyType) -> None:
        """KEYTYPE-12: Messages of 0 bytes to 64 KiB, signed by each algorithm, verify under the public half.

        Why: This is what a key is for.

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

        Why: Whoever can change a signature and have it hold can get a revoked or logged token in a second time; and
        a verifier that answers False is taken for one that is content.

        Do: Compare the length first, then verify; raise, never return an answer. Compare all of an HMAC tag, in
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
                with pytest.raises(InvalidSignatureError):
                    verify(b"message", wrong)

    def test_keytype_14_another_message_is_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-14: A signature does not hold for a message that differs at all.

        Why: A signature that fits a second message lets its holder say what nobody signed.

        Do: Hash all of the message, as it is: no strip, no case, no text decoding, no limit on its length.
        """
        for key, algorithm in self.bindings(key_type):
            signature = key_type.signer(key, algorithm)(b"message")
            verify = key_type.verifier(key, algorithm)

            for message in (b"", b"massage", b"messag", b"message\0", b"Message", b"message\n", b" message"):
                with pytest.raises(InvalidSignatureError):
                    verify(message, signature)

    def test_keytype_15_another_key_is_refused(self, key_type: KeyType) -> None:
        """KEYTYPE-15: A signature does not hold under another key.

        Why: A verifier that does not look at its key takes everybody's signatures for its own.

        Do: Bind the public half of the key that was given, and nothing that is shared by all of them.
        """
        for (one, algorithm), (two, _) in zip(self.bindings(key_type), self.bindings(key_type), strict=True):
            signature = key_type.signer(one, algorithm)(b"message")

            with pytest.raises(InvalidSignatureError):
                key_type.verifier(two, algorithm)(b"message", signature)

    @SHORT_LAW
    @given(message=st.binary(max_size=40), signature=_SIGNATURES)
    @example(message=b"", signature=b"\xff" * 1024)
    def test_keytype_18_arbitrary_signatures_are_refused(
        self, key_type: KeyType, bound: list[tuple[Key, str]], message: bytes, signature: bytes
    ) -> None:
        """KEYTYPE-18: Verifying any bytes raises InvalidSignatureError and nothing else.

        Why: Signatures come from strangers; the error of a library is a crash that they can cause at will.

        Do: Check the form before you parse it, and catch what the library raises for nonsense.
        """
        for key, algorithm in bound:
            with pytest.raises(InvalidSignatureError):
                key_type.verifier(key, algorithm)(message, signature)

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
        """KEYTYPE-31: A signature by one algorithm does not hold under another one of the same key.

        Why: A verifier that tries what fits lets the forger choose the weakest hash or padding.

        Do: Fix hash and padding when you bind, by the algorithm's name. Name real synonyms in `synonyms`.
        """
        bound = list(self.bindings(key_type))
        for key, algorithm in bound:
            signature = key_type.signer(key, algorithm)(b"message")
            for other in [one for key_, one in bound if key_ is key and one != algorithm]:
                if not any({algorithm, other} <= names for names in self.synonyms):
                    with pytest.raises(InvalidSignatureError):
                        key_type.verifier(key, other)(b"message", signature)

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
        """KEYTYPE-35: The s of an Ed25519 signature is taken below the group order alone (RFC 8032 §5.1.7).

        Why: s plus the order is a second signature of the same message: whoever counts or blocks signatures by their
        bytes is fooled.

        Do: Verify with a library that checks s, or compare it with the order yourself.
        """
        for key, algorithm in self.bindings(key_type):
            if algorithm in _EDDSA:
                signature = key_type.signer(key, algorithm)(b"message")
                s = int.from_bytes(signature[32:], "little") + _ORDER_OF_ED25519

                with pytest.raises(InvalidSignatureError):
                    key_type.verifier(key, algorithm)(b"message", signature[:32] + s.to_bytes(32, "little"))
