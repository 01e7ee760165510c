"""Signatures, compared with those of independent implementations."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from keywright import Key, KeyType
from keywright.errors import InvalidSignatureError

_NO_MATCH: Final = "the signature does not hold for this message and key; check that the three belong together"
_MESSAGE: Final = b"what is signed"
_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES: Final = [
    pytest.param("ec-p256", "ES256", ec.SECP256R1(), 32, id="ec-p256"),
    pytest.param("ec-p384", "ES384", ec.SECP384R1(), 48, id="ec-p384"),
    pytest.param("ec-p521", "ES512", ec.SECP521R1(), 66, id="ec-p521"),
]
_RSA = ["PS256", "PS384", "PS512", "RS256", "RS384", "RS512"]
_EVERY = [
    ("ed25519", "EdDSA"),
    ("ec-p256", "ES256"),
    ("ec-p384", "ES384"),
    ("ec-p521", "ES512"),
    *(("rsa", algorithm) for algorithm in _RSA),
    *(("oct", algorithm) for algorithm in ("HS256", "HS384", "HS512")),
]


def _secret(key: Key) -> bytes:
    assert key.secret is not None
    return key.secret.reveal()


def _rsa_padding(algorithm: str, salt_length: int | None = None) -> padding.AsymmetricPadding:
    if algorithm.startswith("RS"):
        return padding.PKCS1v15()
    digest = _HASHES[algorithm[2:]]
    return padding.PSS(padding.MGF1(digest), digest.digest_size if salt_length is None else salt_length)


def test_ed25519_agrees_with_openssl(types: Mapping[str, KeyType], keys: Mapping[str, Key]) -> None:
    """OpenSSL makes the same signature from the same seed, and each verifies the other's."""
    key, other = keys["ed25519"], Ed25519PrivateKey.from_private_bytes(_secret(keys["ed25519"]))

    signature = types["ed25519"].signer(key, "EdDSA")(_MESSAGE)

    assert other.public_key().public_bytes_raw() == key.public
    assert other.sign(_MESSAGE) == signature
    Ed25519PublicKey.from_public_bytes(key.public or b"").verify(signature, _MESSAGE)
    types["ed25519"].verifier(key, "EdDSA")(_MESSAGE, other.sign(_MESSAGE))


@pytest.mark.parametrize(("name", "algorithm", "curve", "size"), _CURVES)
def test_ecdsa_agrees_with_the_bare_library(
    types: Mapping[str, KeyType], keys: Mapping[str, Key], name: str, algorithm: str, curve: ec.EllipticCurve, size: int
) -> None:
    """Our r ‖ s is the library's DER signature in another spelling, in both directions."""
    method = ec.ECDSA(_HASHES[algorithm[2:]])
    private = ec.derive_private_key(int.from_bytes(_secret(keys[name]), "big"), curve)

    ours = types[name].signer(keys[name], algorithm)(_MESSAGE)
    r, s = decode_dss_signature(private.sign(_MESSAGE, method))

    assert len(ours) == 2 * size
    private.public_key().verify(
        encode_dss_signature(int.from_bytes(ours[:size], "big"), int.from_bytes(ours[size:], "big")), _MESSAGE, method
    )
    types[name].verifier(keys[name], algorithm)(_MESSAGE, r.to_bytes(size, "big") + s.to_bytes(size, "big"))


@pytest.mark.parametrize("algorithm", _RSA)
def test_rsa_agrees_with_the_bare_library(
    types: Mapping[str, KeyType], keys: Mapping[str, Key], algorithm: str
) -> None:
    """The library verifies our signatures, and we verify the library's."""
    digest, scheme = _HASHES[algorithm[2:]], _rsa_padding(algorithm)
    private = load_der_private_key(_secret(keys["rsa"]), None)
    public = load_der_public_key(keys["rsa"].public or b"")
    assert isinstance(private, rsa.RSAPrivateKey)
    assert isinstance(public, rsa.RSAPublicKey)

    ours = types["rsa"].signer(keys["rsa"], algorithm)(_MESSAGE)

    public.verify(ours, _MESSAGE, scheme, digest)
    types["rsa"].verifier(keys["rsa"], algorithm)(_MESSAGE, private.sign(_MESSAGE, scheme, digest))


@pytest.mark.parametrize("digits", ["256", "384", "512"])
def test_hmac_agrees_with_the_standard_library(
    types: Mapping[str, KeyType], keys: Mapping[str, Key], digits: str
) -> None:
    """The tag is what `hmac` of the standard library makes."""
    tag = types["oct"].signer(keys["oct"], f"HS{digits}")(_MESSAGE)

    assert tag == hmac.new(_secret(keys["oct"]), _MESSAGE, getattr(hashlib, f"sha{digits}")).digest()


@pytest.mark.parametrize(("name", "algorithm"), _EVERY)
def test_bound_once_used_often(
    types: Mapping[str, KeyType], keys: Mapping[str, Key], name: str, algorithm: str
) -> None:
    """One binding signs and checks many messages, and one message's signature is not another's."""
    sign, verify = types[name].signer(keys[name], algorithm), types[name].verifier(keys[name], algorithm)
    messages = [b"", b"a", bytes(10_000)]
    signatures = [sign(message) for message in messages]

    for message, signature in zip(messages, signatures, strict=True):
        verify(message, signature)
        for other in messages:
            if other != message:
                with pytest.raises(InvalidSignatureError) as caught:
                    verify(other, signature)
                assert str(caught.value) == _NO_MATCH


@pytest.mark.parametrize(("name", "algorithm"), [pair for pair in _EVERY if pair[0] != "oct"])
def test_the_public_half_is_enough_to_verify(
    types: Mapping[str, KeyType], keys: Mapping[str, Key], name: str, algorithm: str
) -> None:
    """A verifier is bound to the public half, or derives it from the secret one."""
    signature = types[name].signer(keys[name], algorithm)(_MESSAGE)

    types[name].verifier(keys[name].without_secret(), algorithm)(_MESSAGE, signature)
    types[name].verifier(Key(name, secret=keys[name].secret), algorithm)(_MESSAGE, signature)


@pytest.mark.parametrize("taken", [0, 1, 63, 65, 200])
def test_an_ed25519_signature_has_64_bytes(types: Mapping[str, KeyType], keys: Mapping[str, Key], taken: int) -> None:
    """What is missing in the signature is not taken from the message, nor does the message begin in the signature."""
    both = types["ed25519"].signer(keys["ed25519"], "EdDSA")(_MESSAGE * 20) + _MESSAGE * 20
    verify = types["ed25519"].verifier(keys["ed25519"], "EdDSA")

    with pytest.raises(InvalidSignatureError) as caught:
        verify(both[taken:], both[:taken])

    assert str(caught.value) == _NO_MATCH


@pytest.mark.parametrize("like_bytes", [bytearray, memoryview])
def test_ed25519_takes_what_is_like_bytes(
    types: Mapping[str, KeyType], keys: Mapping[str, Key], like_bytes: Callable[[bytes], bytes]
) -> None:
    """A bytearray is signed and verified as its bytes are."""
    key_type, key = types["ed25519"], keys["ed25519"]

    signature = key_type.signer(key, "EdDSA")(like_bytes(_MESSAGE))

    assert signature == key_type.signer(key, "EdDSA")(_MESSAGE)
    key_type.verifier(key, "EdDSA")(like_bytes(_MESSAGE), like_bytes(signature))


@pytest.mark.parametrize("message", ["text", [1, 2], 7])
def test_ed25519_signs_nothing_but_bytes(
    types: Mapping[str, KeyType],
    keys: Mapping[str, Key],
    message: Any,
) -> None:
    """The library beneath would sign a list of numbers."""
    with pytest.raises(TypeError):
        types["ed25519"].signer(keys["ed25519"], "EdDSA")(message)
