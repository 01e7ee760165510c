"""Hostile keys: each has one fault, and is refused by name, whether it signs or verifies."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from keywright import Key, Secret
from keywright.errors import (
    ConfigError,
    InvalidKeyError,
    InvalidSignatureError,
    KeywrightError,
    MalformedKeyError,
    NotExportableError,
    PluginError,
    PolicyError,
    UnsupportedKeyError,
    UnsupportedOperationError,
)
from keywright_jose import create_curve_key, create_rsa_key, jws_decode, jws_encode, signer, verifier, verify
from keywright_jose.key_objects import public_object
from keywright_jose.lookalikes import is_public_key
from keywright_jose.rsa_modulus import check_rsa, is_roca

Refusal = Callable[[Callable[[], object]], KeywrightError]
Jwk = dict[str, Any]
Call = Callable[[], object]

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
P = 2**255 - 19

SIGNING = (
    "HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519; choose one of "
    "them"
)
TOO_SHORT = "{} needs a key of at least {} bits (RFC 7518 §3.2); make a longer one"
LOOKALIKE = (
    "the octets of this oct key are a public key or certificate, which anybody may know; verify with that key under an "
    "algorithm of its own kind"
)
OFF_CURVE = "the point of the key is not on its curve; get the key again from whoever published it"
LOW_ORDER = "the point of the Ed25519 key is of low order or not canonical, so that anybody could sign; remove the key"
HALVES = "the halves of the key do not belong together; export it again from the program that made it"
NO_SECRET = "this is a public key, and the secret half is needed; load the secret key for this"
NOT_A_KEY = "a key is a JWK (a dict), or a signer or verifier of a ring; pass one of these"
NOT_A_VERIFYING_KEY = "a key that verifies is a JWK or JWK Set (a dict), or a ring's verifier; pass one of these"
ONE_KEY = "this is a JWK Set (RFC 7517 §5), and one key is needed here; pass one of its keys"
NO_SIGNATURES = "this key is not for signatures by its own use; use another key"
FEW_BITS = "an RSA key has at least 2048 bits (RFC 7518 §3.3); make a larger one"
EXPONENT = "the exponent of an RSA key is odd, 65537 at least, and has at most 256 bits; make a new key"
EVEN = "the modulus of an RSA key is odd; export the key again from the program that made it"
BACKEND = (
    "python-jose does not work with cryptography here, so its checks are not known; install python-jose[cryptography] "
    "anew"
)
ROCA = "this RSA key was made by a faulty chip and can be factored (CVE-2017-15361); make a new one elsewhere"


def text(octets: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(octets).decode().rstrip("=")


def oct_key(octets: bytes, **more: object) -> Jwk:
    """An `oct` JWK."""
    return {"kty": "oct", "k": text(octets), **more}


def number(value: int) -> str:
    """Base64urlUInt (RFC 7518 §2)."""
    return text(value.to_bytes((value.bit_length() + 7) // 8))


def rsa_key(modulus: int, exponent: int = 65537, **more: object) -> Jwk:
    """A public RSA JWK."""
    return {"kty": "RSA", "n": number(modulus), "e": number(exponent), **more}


def ed_key(point: bytes) -> Jwk:
    """A public Ed25519 JWK."""
    return {"kty": "OKP", "crv": "Ed25519", "x": text(point), "alg": "EdDSA"}


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
def test_public_keys_are_no_hmac_secrets(refusal: Refusal, octets: bytes) -> None:
    """What everybody may know as a public key is no secret, in whatever spelling (algorithm confusion)."""
    key = oct_key(octets)

    for call in (
        partial(signer, key, "HS256"),
        partial(verifier, key, algorithms=["HS256"]),
        partial(verifier, {"keys": [key]}, algorithms=["HS256"]),
    ):
        error = refusal(call)
        assert (type(error), str(error)) == (InvalidKeyError, LOOKALIKE)


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


def roca_modulus(bits: int) -> int:
    """A modulus as the faulty library made them: k·M + (65537^a mod M) (Nemec et al. 2017, §2)."""
    product = 1
    for prime in (number for number in range(2, 168) if all(number % divisor for divisor in range(2, number))):
        product *= prime
    multiple = (1 << (bits - 1)) // product + 1
    while True:
        modulus = multiple * product + pow(65537, 0xC0FFEE, product)
        if modulus.bit_length() == bits and modulus % 2:
            return modulus
        multiple += 1


def test_a_modulus_of_the_faulty_chips_is_known() -> None:
    """The form is told from its remainders, and hardly any other modulus has it (CVE-2017-15361)."""
    assert is_roca(roca_modulus(2048))
    assert is_roca(roca_modulus(4096))
    assert not is_roca(roca_modulus(2048) + 2)
    assert not is_roca(RSA.public_key().public_numbers().n)


MODULUS = RSA.public_key().public_numbers().n


@pytest.mark.parametrize(
    ("modulus", "exponent", "message"),
    [
        pytest.param(MODULUS >> 1024 | 1, 65537, FEW_BITS, id="1024 bits"),
        pytest.param(MODULUS >> 1 | 1, 65537, FEW_BITS, id="2047 bits"),
        pytest.param(MODULUS, 3, EXPONENT, id="e=3"),
        pytest.param(MODULUS, 17, EXPONENT, id="e=17"),
        pytest.param(MODULUS, 65535, EXPONENT, id="e=65535"),
        pytest.param(MODULUS, (1 << 256) + 1, EXPONENT, id="e of 257 bits"),
        pytest.param(MODULUS - 1, 65537, EVEN, id="even modulus"),
        pytest.param(roca_modulus(2048), 65537, ROCA, id="ROCA"),
    ],
)
def test_weak_rsa_keys_are_refused(refusal: Refusal, modulus: int, exponent: int, message: str) -> None:
    """Fewer than 2048 bits, small and huge exponents, and moduli that can be factored."""
    key = rsa_key(modulus, exponent)

    error = refusal(partial(verifier, key, algorithms=["RS256", "PS256"]))

    assert (type(error), str(error)) == (InvalidKeyError, message)


@pytest.mark.parametrize(
    ("modulus", "exponent", "message"),
    [
        pytest.param(MODULUS, 65538, EXPONENT, id="even exponent"),
        pytest.param(MODULUS, 1, EXPONENT, id="e=1"),
    ],
)
def test_impossible_rsa_keys_are_refused(refusal: Refusal, modulus: int, exponent: int, message: str) -> None:
    """What no JWK can bring in, for the library refuses it before, is refused here too."""
    error = refusal(partial(check_rsa, modulus, exponent))

    assert (type(error), str(error)) == (InvalidKeyError, message)
    assert isinstance(refusal(partial(verifier, rsa_key(modulus, exponent), algorithms=["RS256"])), MalformedKeyError)


def test_large_exponents_are_taken() -> None:
    """An exponent of 256 bits is within the rule (FIPS 186-5 §A.1.1)."""
    check_rsa(MODULUS, (1 << 256) - 1)


@pytest.mark.parametrize(
    ("curve", "size", "algorithm"), [("P-256", 32, "ES256"), ("P-384", 48, "ES384"), ("P-521", 66, "ES512")]
)
def test_points_off_the_curve_are_refused(refusal: Refusal, curve: Any, size: int, algorithm: str) -> None:
    """Coordinates of no point, beyond the field, and the origin."""
    key = dict(create_curve_key(curve))
    x, y = (urlsafe_b64decode(key[name] + "==") for name in ("x", "y"))
    flipped = text(y[:-1] + bytes([y[-1] ^ 1]))

    for changed in ({"y": flipped}, {"x": text(y), "y": text(x)}, {"x": text(bytes(size)), "y": text(bytes(size))},
                    {"x": text(b"\x01" + b"\xff" * (size - 1))}):  # fmt: skip
        for call in (
            partial(verifier, {**key, **changed}, algorithms=[algorithm]),
            partial(signer, {**key, **changed}, algorithm),
        ):
            error = refusal(call)
            assert (type(error), str(error)) == (InvalidKeyError, OFF_CURVE)


# The y of the points of order 1, 2, 4 and 8, with either sign, and the same beyond the field prime (RFC 8032 §5.1.3).
ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
LOW = [y | sign << 255 for y in (0, 1, P - 1, ORDER_8, P - ORDER_8, P, P + 1, P + 3, 2**255 - 1) for sign in (0, 1)]


@pytest.mark.parametrize("point", LOW, ids=hex)
def test_ed25519_points_under_which_anybody_signs_are_refused(refusal: Refusal, point: int) -> None:
    """Points of low order, and second spellings of points."""
    error = refusal(partial(verifier, ed_key(point.to_bytes(32, "little"))))

    assert (type(error), str(error)) == (InvalidKeyError, LOW_ORDER)


@pytest.mark.parametrize("y", [2, 7, 8])
def test_ed25519_points_off_the_curve_are_refused(refusal: Refusal, y: int) -> None:
    """No x belongs to these."""
    error = refusal(partial(verifier, ed_key(y.to_bytes(32, "little"))))

    assert (type(error), str(error)) == (InvalidKeyError, OFF_CURVE)


@pytest.mark.parametrize(
    ("curve", "algorithm"), [("P-256", "ES256"), ("P-384", "ES384"), ("P-521", "ES512"), ("Ed25519", "EdDSA")]
)
def test_halves_of_two_keys_do_not_sign(refusal: Refusal, curve: Any, algorithm: str) -> None:
    """The secret of one key beside the public half of another is refused before anything is signed."""
    mixed = {**create_curve_key(curve), "d": create_curve_key(curve)["d"]}

    error = refusal(partial(signer, mixed, algorithm))

    assert (type(error), str(error)) == (InvalidKeyError, HALVES)


@pytest.mark.parametrize("scalar", [0, 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551])
def test_scalars_out_of_range_do_not_sign(refusal: Refusal, scalar: int) -> None:
    """Zero and the order of the curve are no secrets (SEC 1 §3.2.1)."""
    key = {**create_curve_key("P-256"), "d": text(scalar.to_bytes(32))}

    error = refusal(partial(signer, key, "ES256"))

    assert (type(error), str(error)) == (InvalidKeyError, HALVES)


def test_halves_of_two_rsa_keys_do_not_sign(refusal: Refusal) -> None:
    """Numbers of two keys are no key, and a `d` of another is none either."""
    one, other = create_rsa_key(2048), create_rsa_key(2048)

    of_two = refusal(partial(signer, {**one, "n": other["n"]}, "RS256"))
    other_d = refusal(partial(signer, {**one, "d": other["d"]}, "RS256"))

    assert type(of_two) is MalformedKeyError
    assert (type(other_d), str(other_d)) == (InvalidKeyError, HALVES)


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


A = oct_key(bytes(range(64)), kid="a", alg="HS256")
B = oct_key(bytes(range(1, 65)), kid="b", alg="HS256")
CURVE = {**{n: v for n, v in create_curve_key("P-256").items() if n != "d"}, "kid": "c", "alg": "ES256"}
MIXED = "the JWK Set mixes symmetric keys with public ones, and a secret that is published is none; take it out"
NO_KID = "a key of the JWK Set has no kid, so no token can name it; have the set published anew"
ONE_KID = "two keys of the JWK Set have one kid; have the set published anew"
NO_ARRAY = "the member keys of a JWK Set is an array of JWKs (RFC 7517 §5.1); get the set again from its issuer"
NO_KEY = "this JWK Set has no key that verifies with these algorithms; get the issuer's own set"


@pytest.mark.parametrize(
    ("keys", "kind", "message"),
    [
        pytest.param([A, {**B, "kid": "a"}], InvalidKeyError, ONE_KID, id="one kid twice"),
        pytest.param([A, A], InvalidKeyError, ONE_KID, id="one key twice"),
        pytest.param(
            [A, {**B, "kid": "a", "use": "enc", "alg": "A256KW"}], InvalidKeyError, ONE_KID, id="one kid, two uses"
        ),
        pytest.param([A, {n: v for n, v in B.items() if n != "kid"}], InvalidKeyError, NO_KID, id="one without kid"),
        pytest.param([A, CURVE], InvalidKeyError, MIXED, id="mixed"),
        pytest.param(
            [CURVE, {**A, "use": "enc", "alg": "dir"}], InvalidKeyError, MIXED, id="mixed, not for signatures"
        ),
        pytest.param([], InvalidKeyError, NO_KEY, id="empty"),
        pytest.param([{**CURVE, "use": "enc", "alg": "ECDH-ES"}], InvalidKeyError, NO_KEY, id="none for signatures"),
        pytest.param([{"kty": "new", "kid": "a"}], InvalidKeyError, NO_KEY, id="none that is known"),
        pytest.param(None, MalformedKeyError, NO_ARRAY, id="null"),
        pytest.param({"a": A}, MalformedKeyError, NO_ARRAY, id="object"),
        pytest.param("keys", MalformedKeyError, NO_ARRAY, id="text"),
        pytest.param([A, None], MalformedKeyError, NO_ARRAY, id="null inside"),
        pytest.param([[A]], MalformedKeyError, NO_ARRAY, id="array inside"),
        pytest.param([{"keys": [A]}], MalformedKeyError, ONE_KEY, id="set inside"),
    ],
)
def test_ambiguous_and_mixed_sets_are_refused(
    refusal: Refusal, keys: Any, kind: type[KeywrightError], message: str
) -> None:
    """A set has one key for each kid, and no secrets beside public keys."""
    error = refusal(partial(verifier, {"keys": keys}))

    assert (type(error), str(error)) == (kind, message)


def test_a_set_picks_by_kid_alone(refusal: Refusal) -> None:
    """The key that a token names is the only one that is tried, and a token that names none is refused."""
    token = signer(B, headers={"kid": "b"}).sign({})

    assert verify(token, {"keys": [A, B]}).kid == "b"
    others = refusal(partial(verify, token, {"keys": [A]}))
    unnamed = refusal(partial(verify, signer(B).sign({}), {"keys": [A, B]}))
    wrong = refusal(partial(verify, signer({n: v for n, v in B.items() if n != "kid"}, headers={"kid": "a"}).sign({}),
                            {"keys": [A, B]}))  # fmt: skip
    assert (type(others), str(others)) == (
        InvalidSignatureError,
        "the token was signed with a key that is not among these (kid); refuse it",
    )
    assert (type(unnamed), str(unnamed)) == (
        InvalidSignatureError,
        "the token does not say which key of the set signed it (kid); have it issued with one",
    )
    assert type(wrong) is InvalidSignatureError


def test_what_a_set_holds_for_others_is_passed_over() -> None:
    """Keys of unknown types, and for encryption, may stand beside (RFC 7517 §5)."""
    key = dict(create_curve_key("P-256"))
    own = {**{n: v for n, v in key.items() if n != "d"}, "kid": "c"}
    others = [{"kty": "new", "kid": "x"}, {"kty": "OKP", "crv": "Ed448", "x": text(bytes(57)), "kid": "y"},
              {**CURVE, "kid": "z", "alg": "ECDH-ES", "use": "enc"}]  # fmt: skip
    token = signer(key, "ES256", headers={"kid": "c"}).sign({})

    assert verify(token, {"keys": [*others, own]}, algorithms=["ES256"]).kid == "c"


def test_a_set_does_not_sign(refusal: Refusal) -> None:
    """One key signs."""
    error = refusal(partial(signer, {"keys": [A]}))

    assert (type(error), str(error)) == (MalformedKeyError, ONE_KEY)


def test_another_backend_than_cryptography_is_refused(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    """python-jose can do its mathematics elsewhere, with other checks; then nothing is signed or verified."""
    monkeypatch.setattr("jose.jwk.ECKey", type("ECKey", (), {"__module__": "jose.backends.ecdsa_backend"}))

    for call in (partial(signer, A), partial(verifier, A)):
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
def test_a_public_key_verifies_no_hmac(refusal: Refusal, secret: bytes, algorithms: list[str]) -> None:
    """Algorithm confusion: the tag holds under what everybody knows, and the key makes no tags, whatever is allowed."""
    message = "eyJhbGciOiJIUzI1NiJ9.e30"
    forged = f"{message}.{text(hmac.digest(secret, message.encode(), 'sha256'))}"

    error = refusal(partial(verify, forged, rsa_key(MODULUS), algorithms=algorithms))

    assert (type(error), str(error)) == (
        InvalidSignatureError,
        "the token was signed with an algorithm that its key is not for; refuse it",
    )
