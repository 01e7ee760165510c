"""The contract of key types: binding a key to an algorithm."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.errors import (
    InvalidKeyError,
    InvalidSignatureError,
    NotExportableError,
    UnsupportedOperationError,
)
from keywright.keys import Key
from keywright.protocols import KeyType
from keywright.secret import Secret
from keywright.testing.formats.generated_keys import GeneratedKeys
from keywright.testing.laws import SHORT_LAW
from keywright.testing.leaks import assert_hidden, everything_in

__all__ = ["BindingRules"]

_UNKNOWN: Final = ("", "none", "None", "NONE", "no-such-algorithm", "eddsa", "hs256", "ES256K", "HS256\0", " EdDSA")
_REGISTERED: Final = (
    *("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"),
)
_HMAC_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}


class BindingRules(GeneratedKeys):
    """Part of `KeyTypeContract`."""

    @pytest.mark.parametrize("algorithm", _UNKNOWN)
    def test_keytype_16_an_unknown_algorithm_is_refused(self, key_type: KeyType, algorithm: str) -> None:
        """KEYTYPE-16: Binding with an algorithm that the type does not list raises UnsupportedOperationError.

        Why: Whoever writes a token writes its `alg`. A type that takes `none`, or anything that looks like an
        algorithm, lets the forger choose.

        Do: Ask `algorithm in self.algorithms` first, exactly, before the name picks a hash or a padding.
        """
        assert algorithm not in key_type.algorithms
        for key in self.keys(key_type):
            for bind in (key_type.signer, key_type.verifier):
                with pytest.raises(UnsupportedOperationError):
                    bind(key, algorithm)

    def test_keytype_17_a_public_half_does_not_sign(self, key_type: KeyType) -> None:
        """KEYTYPE-17: `signer` of a key without its secret half raises NotExportableError.

        Why: The caller has to load the other half; any other error sends people to look for a fault in the key.

        Do: Ask for `key.secret is None` in `signer`, after the algorithm and before the mathematics.
        """
        for key, algorithm in self.bindings(key_type):
            with pytest.raises(NotExportableError):
                key_type.signer(key.without_secret(), algorithm)

    def test_keytype_19_no_repr_shows_a_secret(self, key_type: KeyType) -> None:
        """KEYTYPE-19: Neither key nor type, signer or verifier shows the secret half, nor does a refusal to verify.

        Why: What is bound lives long and is passed around: sooner or later a log or a traceback prints it.

        Do: Keep the library's key object, or a `Secret`, and never the bytes; for HMAC, the tag that would be right is
        a secret too. Give classes of your own no generated `repr`.
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

        Why: Where a public key may serve as an HMAC secret, everybody can sign: this has broken many a JWT library.

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
        """KEYTYPE-27: `signer` and `verifier` of a key that says another type raise InvalidKeyError.

        Why: The bytes of one type fit another; a signature made so is valid, under a key that nobody meant.

        Do: Compare `key.type` with your own `name` in both methods. A type that cannot sign refuses by
        UnsupportedOperationError in any case.
        """
        for key, algorithm in self.bindings(key_type):
            for bind in (key_type.signer, key_type.verifier):
                with pytest.raises(InvalidKeyError):
                    bind(replace(key, type="no-such-type"), algorithm)

    @SHORT_LAW
    @given(secret=st.none() | st.binary(max_size=80), public=st.none() | st.binary(max_size=140))
    def test_keytype_28_arbitrary_halves_are_bound_or_refused(
        self, key_type: KeyType, secret: bytes | None, public: bytes | None
    ) -> None:
        """KEYTYPE-28: Binding any bytes works or raises InvalidKeyError, NotExportableError where a half is missing.

        Why: A store may hold what nobody completed; the error of a library at this point is a crash in the middle of
        signing.

        Do: Check the halves in `signer` and `verifier` as `complete` checks them, by the same functions.
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
            for bind in (key_type.signer, key_type.verifier):
                with pytest.raises(InvalidKeyError) as caught:
                    bind(key, algorithm)
                assert len(str(caught.value).splitlines()) == 1

    def test_keytype_30_the_default_key_signs_by_the_default_algorithm(self, key_type: KeyType) -> None:
        """KEYTYPE-30: A key made with every setting at its default signs with the first of `algorithms`.

        Why: Somebody who asks for nothing in particular must get a key that works.

        Do: Put the algorithm that the default size is strong enough for first.
        """
        for algorithm in key_type.algorithms[:1]:
            key = key_type.generate(self.options(key_type, {}))

            key_type.verifier(key, algorithm)(b"message", key_type.signer(key, algorithm)(b"message"))
