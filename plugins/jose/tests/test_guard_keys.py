"""Hostile keys: each has one fault, and is refused by name, whether it signs or verifies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from made_jwks import EC, ED, MODULUS, Jwk, ed_key, oct_key, rsa_key, text

from keywright import Key, Secret
from keywright.errors import (
    ConfigError,
    InvalidKeyError,
    KeywrightError,
    MalformedKeyError,
    NotExportableError,
    PluginError,
    UnsupportedKeyError,
    UnsupportedOperationError,
)
from keywright_jose import (
    create_curve_key,
    jwe_decrypt,
    jwe_encrypt,
    jws_decode,
    jws_encode,
    signer,
    verifier,
    verify,
)
from keywright_jose.keys import public_object

Refusal = Callable[[Callable[[], object]], KeywrightError]
Call = Callable[[], object]

TOO_SHORT = "{} needs a key of at least {} bits (RFC 7518 §3.2); make a longer one"
NO_SECRET = "this is a public key, and the secret half is needed; load the secret key for this"
NOT_A_KEY = "a key is a JWK (a dict), or a signer or verifier of a ring; pass one of these"
NOT_A_VERIFYING_KEY = "a key that verifies is a JWK or JWK Set (a dict), or a ring's verifier; pass one of these"
BACKEND = (
    "python-jose does not work with cryptography here, so its checks are not known; install python-jose[cryptography] "
    "anew"
)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(None, id="None"),
        pytest.param("secret", id="text"),
        pytest.param(b"s" * 64, id="bytes"),
        pytest.param(EC.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), id="PEM"),
        pytest.param([oct_key(b"s" * 64)], id="list"),
        pytest.param(7, id="number"),
        pytest.param(EC.public_key(), id="object of a library"),
        pytest.param(Key("oct", "", Secret(b"s" * 64)), id="Key"),
        pytest.param(signer(oct_key(b"s" * 64), "HS256").sign, id="method"),
    ],
)
def test_what_is_no_key_is_refused(refusal: Refusal, key: Any) -> None:
    """Texts and bytes are never taken for secrets, nor library objects for keys."""
    signing: list[Call] = [partial(signer, key, "HS256"), partial(jws_encode, {}, key, signature_algorithm="HS256")]
    verifying: list[Call] = [partial(verifier, key), partial(verify, "a.b.c", key), partial(jws_decode, "a.b.c", key)]

    for call in signing:
        error = refusal(call)
        assert (type(error), str(error)) == (ConfigError, NOT_A_KEY)
    for call in verifying:
        error = refusal(call)
        assert (type(error), str(error)) == (ConfigError, NOT_A_VERIFYING_KEY)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        pytest.param({}, MalformedKeyError, id="empty"),
        pytest.param({"k": text(b"s" * 64)}, MalformedKeyError, id="no kty"),
        pytest.param({"a": text(b"s" * 64), "b": text(b"t" * 64)}, MalformedKeyError, id="secrets by name"),
        pytest.param({"kty": None, "k": text(b"s" * 64)}, MalformedKeyError, id="kty null"),
        pytest.param({"kty": "OCT", "k": text(b"s" * 64)}, UnsupportedKeyError, id="kty OCT"),
        pytest.param({"kty": "oct"}, MalformedKeyError, id="no k"),
        pytest.param(oct_key(b""), MalformedKeyError, id="no octets"),
        pytest.param({"kty": "oct", "k": b"s" * 64}, MalformedKeyError, id="k in bytes"),
        pytest.param({"kty": "oct", "k": text(b"s" * 64) + "=="}, MalformedKeyError, id="padding"),
        pytest.param(oct_key(b"s" * 64, alg="none"), MalformedKeyError, id="alg none"),
        pytest.param(oct_key(b"s" * 64, alg="RS256"), MalformedKeyError, id="alg of another kty"),
        pytest.param(oct_key(b"s" * 64, alg=7), MalformedKeyError, id="alg no text"),
        pytest.param(oct_key(b"s" * 64, kid=7), MalformedKeyError, id="kid no text"),
        pytest.param(oct_key(b"s" * 64, kid=""), MalformedKeyError, id="kid empty"),
        pytest.param(oct_key(b"s" * 64, key_ops="sign"), MalformedKeyError, id="key_ops no list"),
        pytest.param(oct_key(b"s" * 64, key_ops=["sign", "sign"]), MalformedKeyError, id="key_ops twice"),
        pytest.param(oct_key(b"s" * 64, use="enc", alg="HS256"), MalformedKeyError, id="use against alg"),
        pytest.param(oct_key(b"s" * 64, a=float("nan")), MalformedKeyError, id="NaN"),
        pytest.param(oct_key(b"s" * 64, a=object()), MalformedKeyError, id="no JSON"),
        pytest.param({1: 2}, MalformedKeyError, id="names that are no text"),
        pytest.param({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}, UnsupportedKeyError, id="secp256k1"),
        pytest.param({"kty": "OKP", "crv": "Ed448", "x": text(bytes(57))}, UnsupportedKeyError, id="Ed448"),
        pytest.param({"kty": "EC", "crv": "P-256", "x": text(bytes(31)), "y": text(bytes(32))}, MalformedKeyError,
                     id="short coordinate"),
    ],
)  # fmt: skip
def test_malformed_jwks_are_refused(refusal: Refusal, key: Jwk, kind: type[KeywrightError]) -> None:
    """A dict is a JWK, and is read as strictly as one that comes from a file."""
    for call in (partial(signer, key, "HS256"), partial(verifier, key, algorithms=["HS256"])):
        assert type(refusal(call)) is kind


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_hmac_keys_have_the_length_of_the_hash(refusal: Refusal, algorithm: str) -> None:
    """A key of just as many bits as the hash is taken, and one of eight fewer is not."""
    size = int(algorithm[2:]) // 8
    short, long = oct_key(bytes(range(size - 1))), oct_key(bytes(range(size)))

    assert verify(signer(long, algorithm).sign(b""), long, algorithms=[algorithm]).payload == b""
    for call in (partial(signer, short, algorithm), partial(verifier, short, algorithms=[algorithm])):
        error = refusal(call)
        assert (type(error), str(error)) == (InvalidKeyError, TOO_SHORT.format(algorithm, size * 8))


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        pytest.param(rsa_key(MODULUS), "RS256", id="RSA"),
        pytest.param(ed_key(ED.public_key().public_bytes_raw()), "EdDSA", id="Ed25519"),
        pytest.param({n: v for n, v in create_curve_key("P-256").items() if n != "d"}, "ES256", id="EC"),
    ],
)
def test_public_keys_do_not_sign(refusal: Refusal, key: Jwk, algorithm: str) -> None:
    """A public JWK verifies, and has nothing to sign with."""
    error = refusal(partial(signer, key, algorithm))

    assert (type(error), str(error)) == (NotExportableError, NO_SECRET)


def test_another_backend_than_cryptography_is_refused(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    """python-jose can do its mathematics elsewhere, with other checks; then nothing is signed or verified."""
    monkeypatch.setattr("jose.jwk.ECKey", type("ECKey", (), {"__module__": "jose.backends.ecdsa_backend"}))
    key = oct_key(bytes(range(64)), kid="a", alg="HS256")

    for call in (partial(signer, key), partial(verifier, key)):
        error = refusal(call)
        assert (type(error), str(error)) == (
            PluginError,
            BACKEND,
        )


def test_what_python_jose_refuses_is_refused_in_our_words(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    """python-jose knows some texts as keys wherever they stand; its error does not escape."""
    error = refusal(partial(signer, oct_key(b"x" * 40 + b" ssh-rsa AAAA"), "HS256"))

    assert (type(error), str(error)) == (
        InvalidKeyError,
        "python-jose does not take this key for HS256; use another key",
    )


def test_types_without_a_public_half_have_no_object(refusal: Refusal) -> None:
    """An `oct` key is never turned into an object of another kind."""
    error = refusal(lambda: public_object(Key("oct", "", Secret(b"a"))))

    assert (type(error), str(error)) == (
        UnsupportedOperationError,
        "a key of type oct has no public half; use an asymmetric one",
    )


def test_a_public_half_that_is_no_rsa_key_is_refused(refusal: Refusal) -> None:
    """A key of another store or format may hold anything."""
    for public in (b"", b"junk", EC.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)):
        error = refusal(lambda public=public: public_object(Key("rsa", "", None, public)))  # type: ignore[misc]
        assert (type(error), str(error)) == (
            InvalidKeyError,
            "the public half of the RSA key is none; export it again from the program that made it",
        )


@pytest.mark.parametrize("name", ["HMACKey", "RSAKey", "ECKey", "AESKey"])
def test_another_backend_for_any_kind_of_key_is_refused(
    refusal: Refusal, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """One kind of key that python-jose does elsewhere is enough, to encrypt and to decrypt too."""
    aes: Any = {"key_algorithm": "dir", "content_algorithm": "A256GCM"}
    secret = oct_key(bytes(range(32)))
    encrypted = jwe_encrypt(b"{}", secret, **aes)
    monkeypatch.setattr(f"jose.jwk.{name}", type(name, (), {"__module__": "jose.backends.native"}))

    for call in (
        partial(signer, secret, "HS256"),
        partial(verifier, secret, algorithms=["HS256"]),
        partial(jwe_encrypt, b"{}", secret, **aes),
        partial(jwe_decrypt, encrypted, secret, **aes),
    ):
        error = refusal(call)
        assert (type(error), str(error)) == (PluginError, BACKEND)
