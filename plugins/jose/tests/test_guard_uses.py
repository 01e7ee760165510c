"""A key is used for what it says and what it is, and algorithms are said by their exact names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from made_jwks import MODULUS, Jwk, oct_key, rsa_key

from keywright.errors import ConfigError, KeywrightError, PolicyError, UnsupportedOperationError
from keywright_jose import create_curve_key, jws_decode, signer, verifier, verify

Refusal = Callable[[Callable[[], object]], KeywrightError]

SIGNING = (
    "HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519; choose one of "
    "them"
)
NO_SIGNATURES = "this key is not for signatures by its own use; use another key"

USES = [
    pytest.param({"use": "enc"}, NO_SIGNATURES, NO_SIGNATURES, id="use enc"),
    pytest.param({"use": "other"}, NO_SIGNATURES, NO_SIGNATURES, id="use other"),
    pytest.param({"key_ops": ["encrypt"]}, "this key may not sign by its own key_ops; use another key",
                 "this key may not verify by its own key_ops; use another key", id="key_ops encrypt"),
    pytest.param({"key_ops": []}, "this key may not sign by its own key_ops; use another key",
                 "this key may not verify by its own key_ops; use another key", id="key_ops empty"),
    pytest.param({"key_ops": ["verify"]}, "this key may not sign by its own key_ops; use another key", "",
                 id="key_ops verify"),
    pytest.param({"key_ops": ["sign"]}, "", "", id="key_ops sign"),
    pytest.param({"use": "sig", "key_ops": ["sign", "verify"]}, "", "", id="both"),
    pytest.param({"alg": "HS384"}, "this key is for HS384 alone; leave the algorithm out, or bind another key",
                 "a key of type oct verifies with none of the algorithms that are allowed; allow its own",
                 id="alg HS384"),
    pytest.param({"alg": "A256KW"}, "this key is for another algorithm than signatures by its own alg; use another key",
                 "this key is for another algorithm than signatures by its own alg; use another key", id="alg A256KW"),
    pytest.param({"alg": "k\n\x1b[31m"},
                 "this key is for another algorithm than signatures by its own alg; use another key",
                 "this key is for another algorithm than signatures by its own alg; use another key", id="alg mine"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "of_signer", "of_verifier"), USES)
def test_a_key_is_used_for_what_it_says_alone(refusal: Refusal, more: Jwk, of_signer: str, of_verifier: str) -> None:
    """`use`, `key_ops` and `alg` bind (RFC 7517 §4.2 to §4.4)."""
    key = oct_key(bytes(range(64)), **more)

    for call, message in (
        (partial(signer, key, "HS256"), of_signer),
        (partial(verifier, key, algorithms=["HS256"]), of_verifier),
    ):
        if message:
            error = refusal(call)
            assert isinstance(error, PolicyError | UnsupportedOperationError)
            assert str(error) == message
        else:
            call()


@pytest.mark.parametrize(
    ("key", "algorithm", "message"),
    [
        (oct_key(bytes(range(64))), "RS256", "oct does not sign with RS256; it can with: HS256, HS384, HS512"),
        (oct_key(bytes(range(64))), "ES256", "oct does not sign with ES256; it can with: HS256, HS384, HS512"),
        (create_curve_key("P-256"), "ES384", "ec-p256 does not sign with ES384; it can with: ES256"),
        (create_curve_key("P-256"), "HS256", "ec-p256 does not sign with HS256; it can with: ES256"),
        (create_curve_key("Ed25519"), "ES256", "ed25519 does not sign with ES256; it can with: EdDSA, Ed25519"),
        (rsa_key(MODULUS), "HS256",
         "rsa does not sign with HS256; it can with: RS256, RS384, RS512, PS256, PS384, PS512"),
        (create_curve_key("X25519"), "EdDSA", "x25519 does not sign with EdDSA; it signs with none"),
    ],
)  # fmt: skip
def test_an_algorithm_of_another_kind_is_refused(refusal: Refusal, key: Jwk, algorithm: str, message: str) -> None:
    """The key decides which algorithms it can be used with."""
    of_signer = refusal(partial(signer, key, algorithm))
    of_verifier = refusal(partial(verifier, key, algorithms=[algorithm]))

    assert (type(of_signer), str(of_signer)) == (UnsupportedOperationError, f"a key of type {message}")
    assert type(of_verifier) is UnsupportedOperationError
    assert str(of_verifier) == (
        f"a key of type {message.split()[0]} verifies with none of the algorithms that are allowed; allow its own"
    )


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "", "hs256", "HS2", "HS256,none", "A256KW", b"HS256", 7, ["HS256"]]
)
def test_what_is_no_algorithm_is_refused(refusal: Refusal, algorithm: Any) -> None:
    """Signature algorithms have exact names, and `none` is none."""
    key = oct_key(bytes(range(64)))

    of_signer = refusal(partial(signer, key, algorithm))
    of_verifier = refusal(partial(verifier, key, algorithms=[algorithm]))
    of_decode = refusal(partial(jws_decode, "a.b.c", key, signature_algorithm=algorithm))

    assert (type(of_signer), str(of_signer)) == (
        UnsupportedOperationError,
        f"the algorithm of a token must be one of {SIGNING}",
    )
    for error in (of_verifier, of_decode):
        assert (type(error), str(error)) == (UnsupportedOperationError, f"each of algorithms must be one of {SIGNING}")


@pytest.mark.parametrize("algorithms", ["HS256", b"HS256", "", [], (), {}, 7, iter(["HS256"])], ids=repr)
def test_what_is_no_list_of_algorithms_is_refused(refusal: Refusal, algorithms: Any) -> None:
    """A text would be matched letter by letter, and an empty list allow nothing or everything."""
    error = refusal(partial(verifier, oct_key(bytes(range(64))), algorithms=algorithms))

    assert (type(error), str(error)) == (
        ConfigError,
        'algorithms must be a list of names such as ["ES256"], and hold one at least; correct it',
    )


def test_a_key_without_alg_needs_an_algorithm(refusal: Refusal) -> None:
    """Nothing is guessed: neither the header nor the type of the key chooses."""
    key = oct_key(bytes(range(64)))

    of_signer = refusal(partial(signer, key))
    of_verifier = refusal(partial(verify, "a.b.c", key))
    of_set = refusal(partial(verify, "a.b.c", {"keys": [key]}))

    assert (type(of_signer), str(of_signer)) == (
        ConfigError,
        "the key has no alg, so the algorithm must be said, such as HS256 or ES256 (--algorithm)",
    )
    for error in (of_verifier, of_set):
        assert (type(error), str(error)) == (
            ConfigError,
            'the key has no alg, so say which algorithms are allowed, such as algorithms=["ES256"], --algorithm ES256',
        )
