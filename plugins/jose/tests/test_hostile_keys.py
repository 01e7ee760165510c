"""Hostile keys: each has one fault, or is a public key in the place of a secret, and is refused by name."""

from __future__ import annotations

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
from jose_support import (
    EC,
    ED,
    MIXED,
    MODULUS,
    NO_KID,
    ONE_KEY,
    ONE_KID,
    RSA,
    Jwk,
    ed_key,
    names,
    oct_key,
    public,
    refusal,
    refused,
    roca_modulus,
    rsa_key,
    text,
)
from support.errors import text_of

from keywright import Key, Secret
from keywright.errors import (
    ConfigError,
    FormatError,
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
from keywright_jose import (
    create_curve_key,
    create_secret_key,
    jwe_decrypt,
    jwe_encrypt,
    jws_decode,
    jws_encode,
    signer,
    verifier,
    verify,
)
from keywright_jose.keys import check_rsa, is_public_key, is_roca, public_object

SECRET = oct_key(bytes(range(64)))

Call = Callable[[], object]

TOO_SHORT = "{} needs a key of at least {} bits (RFC 7518 §3.2); use a longer key"
NO_SECRET = "this is a public key, and the secret half is needed; load the secret key for this"
NOT_A_KEY = "the key must be a JWK (a dict), or a signer or verifier of a ring; such as ring.signer(NAME)"
NOT_A_VERIFYING_KEY = "the key must be a JWK or JWK Set (a dict), or a verifier of a ring; such as ring.verifier(NAME)"
BACKEND = "python-jose does not work with the installed cryptography; reinstall python-jose[cryptography]"


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("secret", id="text"),
        pytest.param(b"s" * 64, id="bytes"),
        pytest.param(EC.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), id="PEM"),
        pytest.param(EC.public_key(), id="object of a library"),
        pytest.param(Key("oct", "", Secret(b"s" * 64)), id="Key"),
    ],
)
def test_what_is_no_key_is_refused(key: Any) -> None:
    """Texts and bytes are never taken for secrets, nor library objects for keys."""
    signing: list[Call] = [partial(signer, key, "HS256"), partial(jws_encode, {}, key, signature_algorithm="HS256")]
    verifying: list[Call] = [partial(verifier, key), partial(verify, "a.b.c", key), partial(jws_decode, "a.b.c", key)]

    for call in signing:
        assert refused(call) == (ConfigError, NOT_A_KEY)
    for call in verifying:
        assert refused(call) == (ConfigError, NOT_A_VERIFYING_KEY)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        pytest.param({}, MalformedKeyError, id="empty"),
        pytest.param({"kty": "OCT", "k": text(b"s" * 64)}, UnsupportedKeyError, id="kty OCT"),
        pytest.param({"kty": "oct", "k": text(b"s" * 64) + "=="}, MalformedKeyError, id="padding"),
        pytest.param(oct_key(b"s" * 64, alg="RS256"), MalformedKeyError, id="alg of another kty"),
        pytest.param(oct_key(b"s" * 64, a=float("nan")), MalformedKeyError, id="NaN"),
        pytest.param(oct_key(b"s" * 64, a=object()), MalformedKeyError, id="no JSON"),
        pytest.param({1: 2}, MalformedKeyError, id="names that are not text"),
    ],
)  # fmt: skip
def test_malformed_jwks_are_refused(key: Jwk, kind: type[KeywrightError]) -> None:
    """A dict is a JWK, and is read as strictly as one that comes from a file."""
    for call in (partial(signer, key, "HS256"), partial(verifier, key, algorithms=["HS256"])):
        assert type(refusal(call)) is kind


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_hmac_keys_have_the_length_of_the_hash(algorithm: str) -> None:
    size = int(algorithm[2:]) // 8
    short, long = oct_key(bytes(range(size - 1))), oct_key(bytes(range(size)))

    assert verify(signer(long, algorithm).sign(b""), long, algorithms=[algorithm]).payload == b""
    for call in (partial(signer, short, algorithm), partial(verifier, short, algorithms=[algorithm])):
        assert refused(call) == (InvalidKeyError, TOO_SHORT.format(algorithm, size * 8))


def test_public_keys_do_not_sign() -> None:
    assert refused(signer, rsa_key(MODULUS), "RS256") == (NotExportableError, NO_SECRET)


def test_what_python_jose_refuses_is_refused_in_our_words() -> None:
    """python-jose knows some texts as keys wherever they stand; its error does not escape."""
    assert refused(signer, oct_key(b"x" * 40 + b" ssh-rsa AAAA"), "HS256") == (
        InvalidKeyError,
        "python-jose does not accept this key for HS256; use a key of another type",
    )


def test_types_without_a_public_half_have_no_object() -> None:
    assert refused(public_object, Key("oct", "", Secret(b"a"))) == (
        UnsupportedOperationError,
        "a key of type oct has no public half; use an asymmetric key type",
    )


def test_a_public_half_that_is_no_rsa_key_is_refused() -> None:
    for other in (b"", b"junk", EC.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)):
        assert refused(public_object, Key("rsa", "", None, other)) == (
            InvalidKeyError,
            "the public half of the RSA key is not valid; export the key again from the program that made it",
        )


@pytest.mark.parametrize("name", ["HMACKey", "RSAKey", "ECKey", "AESKey"])
def test_another_backend_for_any_kind_of_key_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """One kind of key that python-jose does elsewhere is enough, to encrypt and to decrypt too."""
    secret = oct_key(bytes(range(32)))
    encrypted = jwe_encrypt(b"{}", secret, **names("dir"))
    monkeypatch.setattr(f"jose.jwk.{name}", type(name, (), {"__module__": "jose.backends.native"}))

    for call in (
        partial(signer, secret, "HS256"),
        partial(verifier, secret, algorithms=["HS256"]),
        partial(jwe_encrypt, b"{}", secret, **names("dir")),
        partial(jwe_decrypt, encrypted, secret, **names("dir")),
    ):
        assert refused(call) == (PluginError, BACKEND)


P = 2**255 - 19
OFF_CURVE = "the point of the key is not on its curve; get the key again from its publisher"
LOW_ORDER = "the Ed25519 key is a point of low order or not canonical, so anyone could sign; remove the key"
HALVES = "the halves of the key do not belong together; export the key again from the program that made it"
FEW_BITS = "the RSA key has fewer than 2048 bits (RFC 7518 §3.3); use a larger key"
EXPONENT = "the exponent of the RSA key must be odd, from 65537, and have at most 256 bits; create a new key"
EVEN = "the modulus of the RSA key is even; export the key again from the program that made it"
ROCA = (
    "the RSA key was generated by a faulty chip and can be factored (CVE-2017-15361); create a new key on "
    "other hardware"
)


def test_a_modulus_of_the_faulty_chips_is_known() -> None:
    """The form is told from its remainders, and hardly any other modulus has it (CVE-2017-15361)."""
    assert is_roca(roca_modulus(2048))
    assert is_roca(roca_modulus(4096))
    assert not is_roca(roca_modulus(2048) + 2)
    assert not is_roca(RSA.public_key().public_numbers().n)


@pytest.mark.parametrize(
    ("modulus", "exponent", "message"),
    [
        pytest.param(MODULUS >> 1 | 1, 65537, FEW_BITS, id="2047 bits"),
        pytest.param(MODULUS, 65535, EXPONENT, id="e=65535"),
        pytest.param(MODULUS, (1 << 256) + 1, EXPONENT, id="e of 257 bits"),
        pytest.param(MODULUS - 1, 65537, EVEN, id="even modulus"),
        pytest.param(roca_modulus(2048), 65537, ROCA, id="ROCA"),
    ],
)
def test_weak_rsa_keys_are_refused(modulus: int, exponent: int, message: str) -> None:
    key = rsa_key(modulus, exponent)

    assert refused(verifier, key, algorithms=["RS256", "PS256"]) == (InvalidKeyError, message)


def test_bounds_of_rsa_exponents() -> None:
    """An even one and 1 are refused here too, although no JWK can have them: the library refuses it before."""
    for exponent in (1, 65538):
        assert refused(check_rsa, MODULUS, exponent) == (InvalidKeyError, EXPONENT)
        assert refused(verifier, rsa_key(MODULUS, exponent), algorithms=["RS256"])[0] is MalformedKeyError
    check_rsa(MODULUS, (1 << 256) - 1)


@pytest.mark.parametrize(
    ("curve", "size", "algorithm"), [("P-256", 32, "ES256"), ("P-384", 48, "ES384"), ("P-521", 66, "ES512")]
)
def test_points_off_the_curve_are_refused(curve: Any, size: int, algorithm: str) -> None:
    key = dict(create_curve_key(curve))
    x, y = (urlsafe_b64decode(key[name] + "==") for name in ("x", "y"))
    flipped = text(y[:-1] + bytes([y[-1] ^ 1]))

    for changed in ({"y": flipped}, {"x": text(y), "y": text(x)}, {"x": text(bytes(size)), "y": text(bytes(size))},
                    {"x": text(b"\x01" + b"\xff" * (size - 1))}):  # fmt: skip
        for call in (
            partial(verifier, {**key, **changed}, algorithms=[algorithm]),
            partial(signer, {**key, **changed}, algorithm),
        ):
            assert refused(call) == (InvalidKeyError, OFF_CURVE)


# The y of the points of order 1, 2, 4 and 8, with either sign, and the same beyond the field prime (RFC 8032 §5.1.3).
ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
LOW = [y | sign << 255 for y in (0, 1, P - 1, ORDER_8, P - ORDER_8, P, P + 1, P + 3, 2**255 - 1) for sign in (0, 1)]


@pytest.mark.parametrize("point", LOW, ids=hex)
def test_ed25519_points_under_which_anybody_signs_are_refused(point: int) -> None:
    assert refused(verifier, ed_key(point.to_bytes(32, "little"))) == (InvalidKeyError, LOW_ORDER)


@pytest.mark.parametrize("y", [2, 7, 8])
def test_ed25519_points_off_the_curve_are_refused(y: int) -> None:
    assert refused(verifier, ed_key(y.to_bytes(32, "little"))) == (InvalidKeyError, OFF_CURVE)


@pytest.mark.parametrize(
    ("curve", "algorithm"), [("P-256", "ES256"), ("P-384", "ES384"), ("P-521", "ES512"), ("Ed25519", "EdDSA")]
)
def test_halves_of_two_keys_do_not_sign(curve: Any, algorithm: str) -> None:
    mixed = {**create_curve_key(curve), "d": create_curve_key(curve)["d"]}

    assert refused(signer, mixed, algorithm) == (InvalidKeyError, HALVES)


SIGNING = "HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519"
MAY_NOT = "the key does not allow {} (its key_ops); use a key that allows it"
OTHER_ALG = "the key is not for signatures (its alg); use a key that signs"
NO_SIGNATURES = "the key is not for signatures (its use); use a key that allows it"

USES = [
    pytest.param({"use": "other"}, NO_SIGNATURES, NO_SIGNATURES, id="use other"),
    pytest.param({"key_ops": []}, MAY_NOT.format("sign"), MAY_NOT.format("verify"), id="key_ops empty"),
    pytest.param({"key_ops": ["verify"]}, MAY_NOT.format("sign"), "", id="key_ops verify"),
    pytest.param({"key_ops": ["sign"]}, "", "", id="key_ops sign"),
    pytest.param({"use": "sig", "key_ops": ["sign", "verify"]}, "", "", id="both"),
    pytest.param({"alg": "HS384"}, "this key is restricted to HS384; leave out the algorithm, or bind another key",
                 ("a key of type oct verifies with none of the algorithms that are allowed; pass an algorithm "
                 "of this type"),
                 id="alg HS384"),
    pytest.param({"alg": "A256KW"}, OTHER_ALG, OTHER_ALG, id="alg A256KW"),
    pytest.param({"alg": "k\n\x1b[31m"}, OTHER_ALG, OTHER_ALG, id="alg mine"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "of_signer", "of_verifier"), USES)
def test_a_key_is_used_for_what_it_says_alone(more: Jwk, of_signer: str, of_verifier: str) -> None:
    """`use`, `key_ops` and `alg` bind (RFC 7517 §4.2 to §4.4)."""
    key = {**SECRET, **more}

    for call, message in (
        (partial(signer, key, "HS256"), of_signer),
        (partial(verifier, key, algorithms=["HS256"]), of_verifier),
    ):
        if message:
            error = refusal(call)
            assert isinstance(error, PolicyError | UnsupportedOperationError)
            assert text_of(error) == message
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
def test_an_algorithm_of_another_kind_is_refused(key: Jwk, algorithm: str, message: str) -> None:
    kind = message.split()[0]

    assert refused(signer, key, algorithm) == (UnsupportedOperationError, f"a key of type {message}")
    assert refused(verifier, key, algorithms=[algorithm]) == (
        UnsupportedOperationError,
        f"a key of type {kind} verifies with none of the algorithms that are allowed; pass an algorithm of this type",
    )


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "", "hs256", "HS2", "HS256,none", "A256KW", b"HS256", 7, ["HS256"]]
)
def test_what_is_no_algorithm_is_refused(algorithm: Any) -> None:
    allowed = (UnsupportedOperationError, f"each of algorithms is not a signature algorithm; use one of {SIGNING}")

    assert refused(signer, SECRET, algorithm) == (
        UnsupportedOperationError,
        f"the algorithm of a token is not a signature algorithm; use one of {SIGNING}",
    )
    assert refused(verifier, SECRET, algorithms=[algorithm]) == allowed
    assert refused(jws_decode, "a.b.c", SECRET, signature_algorithm=algorithm) == allowed


@pytest.mark.parametrize(
    "algorithms", ["HS256", b"HS256", "", [], (), {}, 7, iter(["HS256"])], ids=lambda one: type(one).__name__
)
def test_what_is_no_list_of_algorithms_is_refused(algorithms: Any) -> None:
    """A text would be matched letter by letter, and an empty list allow nothing or everything."""
    assert refused(verifier, SECRET, algorithms=algorithms) == (
        ConfigError,
        'algorithms must be a list of names, and not empty; such as ["ES256"]',
    )


def test_a_key_without_alg_needs_an_algorithm() -> None:
    """Nothing is guessed: neither the header nor the type of the key chooses."""
    assert refused(signer, SECRET) == (
        ConfigError,
        "the key has no alg, and no algorithm was given; pass one, such as HS256 or ES256 (--algorithm)",
    )
    for keys in (SECRET, {"keys": [SECRET]}):
        assert refused(verify, "a.b.c", keys) == (
            ConfigError,
            'the key has no alg, and no algorithm is allowed; pass algorithms=["ES256"], or --algorithm ES256',
        )


A = oct_key(bytes(range(64)), kid="a", alg="HS256")
B = oct_key(bytes(range(1, 65)), kid="b", alg="HS256")
CURVE = {**public(create_curve_key("P-256")), "kid": "c", "alg": "ES256"}
NO_ARRAY = "the member keys of a JWK Set must be an array of JWKs (RFC 7517 §5.1); get the set again from its issuer"
NO_KEY = "this JWK Set has no key that verifies with these algorithms; get the issuer's own set"


@pytest.mark.parametrize(
    ("keys", "kind", "message"),
    [
        pytest.param([A, A], InvalidKeyError, ONE_KID, id="one key twice"),
        pytest.param(
            [A, {**B, "kid": "a", "use": "enc", "alg": "A256KW"}], InvalidKeyError, ONE_KID, id="one kid, two uses"
        ),
        pytest.param([A, {n: v for n, v in B.items() if n != "kid"}], InvalidKeyError, NO_KID, id="one without kid"),
        pytest.param(
            [CURVE, {**A, "use": "enc", "alg": "dir"}], InvalidKeyError, MIXED, id="mixed, not for signatures"
        ),
        pytest.param([], InvalidKeyError, NO_KEY, id="empty"),
        pytest.param([{**CURVE, "use": "enc", "alg": "ECDH-ES"}], InvalidKeyError, NO_KEY, id="none for signatures"),
        pytest.param([{"kty": "new", "kid": "a"}], InvalidKeyError, NO_KEY, id="none that is known"),
        pytest.param({"a": A}, MalformedKeyError, NO_ARRAY, id="object"),
        pytest.param([A, None], MalformedKeyError, NO_ARRAY, id="null inside"),
        pytest.param([{"keys": [A]}], MalformedKeyError, ONE_KEY, id="set inside"),
    ],
)
def test_ambiguous_and_mixed_sets_are_refused(keys: Any, kind: type[KeywrightError], message: str) -> None:
    assert refused(verifier, {"keys": keys}) == (kind, message)


def test_a_set_picks_by_kid_alone() -> None:
    """The key that a token names is the only one that is tried, and a token that names none is refused."""
    token = signer(B, headers={"kid": "b"}).sign({})
    mislabelled = signer({n: v for n, v in B.items() if n != "kid"}, headers={"kid": "a"}).sign({})

    assert verify(token, {"keys": [A, B]}).kid == "b"
    assert refused(verify, token, {"keys": [A]}) == (
        InvalidSignatureError,
        "none of the keys has the kid of the token; pass the key with that kid, or reject the token",
    )
    assert refused(verify, signer(B).sign({}), {"keys": [A, B]}) == (
        InvalidSignatureError,
        "the token has no kid, and the set has several keys; pass the one key, or ask the issuer to set kid",
    )
    assert refused(verify, mislabelled, {"keys": [A, B]})[0] is InvalidSignatureError


def test_what_a_set_holds_for_others_is_passed_over() -> None:
    """Keys of unknown types, for encryption, and of a type that only agrees may stand beside (RFC 7517 §5)."""
    key = dict(create_curve_key("P-256"))
    others = [{"kty": "new", "kid": "x"}, {"kty": "OKP", "crv": "Ed448", "x": text(bytes(57)), "kid": "y"},
              {**CURVE, "kid": "z", "alg": "ECDH-ES", "use": "enc"},
              {**public(create_curve_key("X25519")), "kid": "w"}]  # fmt: skip
    token = signer(key, "ES256", headers={"kid": "c"}).sign({})

    assert verify(token, {"keys": [*others, {**public(key), "kid": "c"}]}, algorithms=["ES256"]).kid == "c"


def test_a_set_does_not_sign() -> None:
    assert refused(signer, {"keys": [A]}) == (MalformedKeyError, ONE_KEY)


def test_a_key_with_a_member_keys_is_one_key() -> None:
    """What has a `kty` is a JWK: no key inside a member of it verifies."""
    outer, inner = oct_key(bytes(range(32))), oct_key(bytes(range(32, 64)))

    both = {**outer, "keys": [{**inner, "kid": "a"}]}

    assert verify(signer(outer, "HS256").sign({}), both, algorithms=["HS256"]).payload == b"{}"
    assert refused(verify, signer(inner, "HS256").sign({}), both, algorithms=["HS256"])[0] is InvalidSignatureError


def test_a_set_has_so_many_keys_and_no_more() -> None:
    key = public(create_curve_key("P-256"))
    unknown = [{"kty": "none-of-ours", "kid": str(number)} for number in range(1000)]

    verifier({"keys": [*unknown[1:], {**key, "kid": "k"}]}, algorithms=["ES256"])
    assert refused(verifier, {"keys": [*unknown, {**key, "kid": "k"}]}, algorithms=["ES256"]) == (
        MalformedKeyError,
        "the JWK Set has more than 1000 keys; pass only the keys that you need",
    )


def test_a_member_is_no_longer_than_that_of_any_key() -> None:
    assert refused(signer, {"kty": "oct", "k": "A" * 65_540}, "HS256") == (
        MalformedKeyError,
        "the JWK member k is longer than that of any key; export the key again from the program that made it",
    )


def test_claims_that_fill_no_token_are_refused() -> None:
    tokens = signer(create_secret_key(256), "HS256")
    for payload in (bytes(64 << 20), {"a": "a" * (1 << 20)}, bytes(195_568)):
        assert refused(tokens.sign, payload) == (
            FormatError,
            "the token would have more than 262144 bytes; shorten its content",
        )

    assert len(tokens.sign(bytes(195_540))) < 262_144


LOOKALIKE = (
    "the secret of this oct key is a public key or certificate; verify with that key under an algorithm of its own kind"
)


def certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(EC.public_key())
    times = builder.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2030, 1, 1, tzinfo=UTC))
    return times.serial_number(5).sign(EC, SHA256()).public_bytes(Encoding.DER)


def spki(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, form: Encoding) -> bytes:
    return key.public_key().public_bytes(form, PublicFormat.SubjectPublicKeyInfo)


OPENSSH = [key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) for key in (RSA, EC, ED)]
NIX = b"cache.example.org-1:" + b64encode(ED.public_key().public_bytes_raw())
CERTIFICATE = certificate()
NEGATIVE_SERIAL = CERTIFICATE.replace(b"\x02\x01\x05", b"\x02\x01\x85", 1)
VERSION_8 = CERTIFICATE.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1)
PUBLIC_JWK = json.dumps(create_curve_key("P-256")).encode()

LOOKALIKES = [
    pytest.param(spki(EC, Encoding.PEM), id="PEM EC"),
    pytest.param(spki(EC, Encoding.PEM).replace(b"\n", b"\r\n"), id="PEM with CRLF"),
    pytest.param(b"\n \xef\xbb\xbf" + spki(EC, Encoding.PEM), id="PEM after spaces"),
    pytest.param(b"Subject: a\nIssuer: b\n" + spki(EC, Encoding.PEM), id="PEM after words"),
    pytest.param(b"x" * 2000 + spki(EC, Encoding.PEM), id="PEM after 2000 bytes"),
    pytest.param(b"-----BEGIN CERTIFICATE-----\n" + b64encode(CERTIFICATE), id="PEM certificate"),
    pytest.param(EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), id="PEM private"),
    pytest.param(b"---- BEGIN SSH2 PUBLIC KEY ----\nComment: a\n" + b64encode(bytes(51)), id="SSH2"),
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
    pytest.param(b64encode(spki(ED, Encoding.DER)), id="base64 Ed25519"),
    pytest.param(urlsafe_b64encode(spki(RSA, Encoding.DER)).rstrip(b"="), id="base64url"),
    pytest.param(b64encode(spki(EC, Encoding.DER)) + b"\n", id="base64 with a line feed"),
    pytest.param(b"\n".join(spki(RSA, Encoding.PEM).splitlines()[1:-1]), id="PEM without its armor"),
    pytest.param(b64encode(spki(EC, Encoding.PEM)), id="base64 of PEM"),
    pytest.param(b64encode(PUBLIC_JWK), id="base64 of a JWK"),
    *(pytest.param(line, id=f"OpenSSH {line.split()[0].decode()}") for line in OPENSSH),
    pytest.param(b"sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t a", id="OpenSSH security key"),
    pytest.param(OPENSSH[0].split()[1], id="base64 of OpenSSH"),
    pytest.param(urlsafe_b64decode(OPENSSH[0].split()[1] + b"=="), id="OpenSSH blob"),
    pytest.param(NIX.rstrip(b"=") + b"\n", id="Nix without padding"),
    pytest.param(b"a:" + b64encode(bytes(range(64))), id="Nix secret"),
    pytest.param(b" \n" + PUBLIC_JWK, id="JWK after spaces"),
    pytest.param(b'{"keys":[%s]}' % PUBLIC_JWK, id="JWK Set"),
    *(
        pytest.param(before + public, id=f"{kind} after {what}")
        for kind, public in (
            ("JWK", PUBLIC_JWK),
            ("OpenSSH ECDSA", b"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNo" + b"A" * 68),
        )
        for what, before in (("BOM", b"\xef\xbb\xbf"), ("CRLF", b"\r\n \t"), ("BOM and LF", b"\xef\xbb\xbf\n"))
    ),
]


@pytest.mark.parametrize("octets", LOOKALIKES)
def test_public_keys_are_no_hmac_secrets(octets: bytes) -> None:
    """What everybody may know as a public key is not a secret, in whatever spelling (algorithm confusion)."""
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
    assert not is_public_key(Secret(octets))
    assert verify(signer(oct_key(octets), "HS256").sign(b""), oct_key(octets), algorithms=["HS256"]).payload == b""
