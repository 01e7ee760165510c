"""Public keys and certificates in the place of a secret, in whatever spelling: no tag is made or holds with one."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from functools import partial

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jose_support import EC, ED, MODULUS, RSA, oct_key, refused, rsa_key, text

from keywright import Secret
from keywright.errors import InvalidKeyError, InvalidSignatureError
from keywright_jose import create_curve_key, signer, verifier, verify
from keywright_jose.keys import is_public_key

LOOKALIKE = (
    "the octets of this oct key are a public key or certificate, which anybody may know; verify with that key under an "
    "algorithm of its own kind"
)


def certificate() -> bytes:
    """A certificate in DER, self-signed."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(EC.public_key())
    times = builder.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2030, 1, 1, tzinfo=UTC))
    return times.serial_number(5).sign(EC, SHA256()).public_bytes(Encoding.DER)


def spki(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, form: Encoding) -> bytes:
    """SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(form, PublicFormat.SubjectPublicKeyInfo)


OPENSSH = [key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) for key in (RSA, EC, ED)]
NIX = b"cache.example.org-1:" + b64encode(ED.public_key().public_bytes_raw())
CERTIFICATE = certificate()
NEGATIVE_SERIAL = CERTIFICATE.replace(b"\x02\x01\x05", b"\x02\x01\x85", 1)
VERSION_8 = CERTIFICATE.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1)
PUBLIC_JWK = json.dumps(create_curve_key("P-256")).encode()

LOOKALIKES = [
    pytest.param(spki(RSA, Encoding.PEM), id="PEM RSA"),
    pytest.param(spki(EC, Encoding.PEM), id="PEM EC"),
    pytest.param(spki(ED, Encoding.PEM), id="PEM Ed25519"),
    pytest.param(spki(EC, Encoding.PEM).replace(b"\n", b"\r\n"), id="PEM with CRLF"),
    pytest.param(b"\n \xef\xbb\xbf" + spki(EC, Encoding.PEM), id="PEM after spaces"),
    pytest.param(b"Subject: a\nIssuer: b\n" + spki(EC, Encoding.PEM), id="PEM after words"),
    pytest.param(b"x" * 2000 + spki(EC, Encoding.PEM), id="PEM after 2000 bytes"),
    pytest.param(RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1), id="PEM PKCS#1"),
    pytest.param(b"-----BEGIN CERTIFICATE-----\n" + b64encode(CERTIFICATE), id="PEM certificate"),
    pytest.param(EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), id="PEM private"),
    pytest.param(b"---- BEGIN SSH2 PUBLIC KEY ----\nComment: a\n" + b64encode(bytes(51)), id="SSH2"),
    pytest.param(spki(RSA, Encoding.DER), id="DER RSA"),
    pytest.param(RSA.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1), id="DER PKCS#1"),
    pytest.param(spki(EC, Encoding.DER), id="DER EC"),
    pytest.param(spki(ED, Encoding.DER), id="DER Ed25519"),
    pytest.param(
        dsa.generate_private_key(1024).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        id="DER DSA",
    ),
    pytest.param(CERTIFICATE, id="DER certificate"),
    pytest.param(NEGATIVE_SERIAL, id="certificate with a negative serial number"),
    pytest.param(VERSION_8, id="certificate of version 8"),
    pytest.param(b64encode(spki(RSA, Encoding.DER)), id="base64 RSA"),
    pytest.param(b64encode(spki(EC, Encoding.DER)), id="base64 EC"),
    pytest.param(b64encode(spki(ED, Encoding.DER)), id="base64 Ed25519"),
    pytest.param(urlsafe_b64encode(spki(RSA, Encoding.DER)).rstrip(b"="), id="base64url"),
    pytest.param(b64encode(spki(EC, Encoding.DER)) + b"\n", id="base64 with a line feed"),
    pytest.param(b"\n".join(spki(RSA, Encoding.PEM).splitlines()[1:-1]), id="PEM without its armor"),
    pytest.param(b64encode(CERTIFICATE), id="base64 certificate"),
    pytest.param(b64encode(spki(EC, Encoding.PEM)), id="base64 of PEM"),
    pytest.param(b64encode(PUBLIC_JWK), id="base64 of a JWK"),
    *(pytest.param(line, id=f"OpenSSH {line.split()[0].decode()}") for line in OPENSSH),
    pytest.param(b"sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t a", id="OpenSSH security key"),
    pytest.param(OPENSSH[0].split()[1], id="base64 of OpenSSH"),
    pytest.param(urlsafe_b64decode(OPENSSH[0].split()[1] + b"=="), id="OpenSSH blob"),
    pytest.param(NIX, id="Nix"),
    pytest.param(NIX.rstrip(b"=") + b"\n", id="Nix without padding"),
    pytest.param(b"a:" + b64encode(bytes(range(64))), id="Nix secret"),
    pytest.param(PUBLIC_JWK, id="JWK"),
    pytest.param(b" \n" + PUBLIC_JWK, id="JWK after spaces"),
    pytest.param(b'{"keys":[%s]}' % PUBLIC_JWK, id="JWK Set"),
]


@pytest.mark.parametrize("octets", LOOKALIKES)
def test_public_keys_are_no_hmac_secrets(octets: bytes) -> None:
    """What everybody may know as a public key is no secret, in whatever spelling (algorithm confusion)."""
    key = oct_key(octets)

    for call in (
        partial(signer, key, "HS256"),
        partial(verifier, key, algorithms=["HS256"]),
        partial(verifier, {"keys": [key]}, algorithms=["HS256"]),
    ):
        assert refused(call) == (InvalidKeyError, LOOKALIKE)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(bytes(range(64)), id="bytes"),
        pytest.param(b"0" * 64, id="starts as DER does"),
        pytest.param(b64encode(bytes(range(64))), id="base64 of something"),
        pytest.param(b"correct horse battery staple: and then some more words", id="words with a colon"),
        pytest.param(b'{"no":"key", "but":"a JSON object of enough bytes"}', id="JSON"),
        pytest.param(b"\x00\x00\x00\x07ssh" + bytes(64), id="nearly OpenSSH"),
    ],
)
def test_other_octets_are_hmac_secrets(octets: bytes) -> None:
    """What only begins like a public key is taken."""
    assert not is_public_key(Secret(octets))
    assert verify(signer(oct_key(octets), "HS256").sign(b""), oct_key(octets), algorithms=["HS256"]).payload == b""


@pytest.mark.parametrize("algorithms", [["RS256", "HS256"], ["HS256", "HS384", "HS512", "PS256"]], ids=" ".join)
@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(spki(RSA, Encoding.PEM), id="PEM"),
        pytest.param(spki(RSA, Encoding.DER), id="DER"),
        pytest.param(b64encode(spki(RSA, Encoding.DER)), id="base64"),
        pytest.param(OPENSSH[0], id="OpenSSH"),
        pytest.param(json.dumps(rsa_key(MODULUS)).encode(), id="JWK"),
        pytest.param(MODULUS.to_bytes(256), id="modulus"),
    ],
)
def test_a_public_key_verifies_no_hmac(secret: bytes, algorithms: list[str]) -> None:
    """Algorithm confusion: the tag holds under what everybody knows, and the key makes no tags, whatever is allowed."""
    message = "eyJhbGciOiJIUzI1NiJ9.e30"
    forged = f"{message}.{text(hmac.digest(secret, message.encode(), 'sha256'))}"

    assert refused(verify, forged, rsa_key(MODULUS), algorithms=algorithms) == (
        InvalidSignatureError,
        "the token was signed with an algorithm that its key is not for; refuse it",
    )


@pytest.mark.parametrize(
    "public",
    [
        pytest.param(json.dumps(create_curve_key("P-256")).encode(), id="JWK"),
        pytest.param(b"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAI" + b"A" * 40, id="OpenSSH"),
    ],
)
@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\r\n \t", b"\xef\xbb\xbf\n"])
def test_a_public_key_after_a_byte_order_mark_or_spaces_is_one(public: bytes, before: bytes) -> None:
    """How an editor saved it makes no secret of it."""
    assert is_public_key(Secret(before + public))
