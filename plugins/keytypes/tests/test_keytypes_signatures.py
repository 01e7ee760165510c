"""Signatures: published vectors, other implementations, and what is refused when binding or verifying.

That any signature verifies, and that a changed one does not, is in the contract (KEYTYPE-12 to 15, 18, 31 to 35).
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key
from support.errors import text_of

from keywright import Key, KeyType, Secret
from keywright.errors import InvalidKeyError, InvalidSignatureError, NotExportableError, UnsupportedOperationError

Types = Mapping[str, KeyType]
Keys = Mapping[str, Key]

_NO_MATCH: Final = (
    "the signature is not valid for this message and key; check that signature, message and key belong together"
)
_MESSAGE: Final = b"what is signed"
_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES: Final = {"ec-p256": ec.SECP256R1(), "ec-p384": ec.SECP384R1(), "ec-p521": ec.SECP521R1()}
_BYTES: Final = {"ec-p256": 32, "ec-p384": 48, "ec-p521": 66}
_RSA: Final = ["PS256", "PS384", "PS512", "RS256", "RS384", "RS512"]
_USES: Final = ("signer", "verifier")


def _secret(key: Key) -> bytes:
    assert key.secret is not None
    return key.secret.reveal()


def _numbers(signature: bytes) -> tuple[int, int]:
    half = len(signature) // 2
    return int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")


def _rsa_padding(algorithm: str, salt_length: int | None = None) -> padding.AsymmetricPadding:
    if algorithm.startswith("RS"):
        return padding.PKCS1v15()
    digest = _HASHES[algorithm[2:]]
    return padding.PSS(padding.MGF1(digest), digest.digest_size if salt_length is None else salt_length)


@pytest.fixture(scope="module")
def rsa_private(keys: Keys) -> rsa.RSAPrivateKey:
    private = load_der_private_key(_secret(keys["rsa"]), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    return private


def _assert_refused(verify: Callable[[bytes, bytes], object], message: bytes, signature: bytes, case: object) -> None:
    with pytest.raises(InvalidSignatureError) as caught:
        verify(message, signature)
    assert text_of(caught.value) == _NO_MATCH, case


_ED25519: Final = [  # RFC 8032 §7.1: seed, public key, message, signature
    pytest.param(
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe"
        "24655141438e7a100b",
        id="test-1",
    ),
    pytest.param(
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302a"
        "eeb00d291612bb0c00",
        id="test-2",
    ),
    pytest.param(
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed2"
        "8dc027beceea1ec40a",
        id="test-3",
    ),
    pytest.param(
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce8"
        "0e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac1"
        "7ad9bef1177331a704",
        id="test-sha-abc",
    ),
]

_X25519: Final = [  # RFC 7748 §6.1: private key, public key
    pytest.param(
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
        id="alice",
    ),
    pytest.param(
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
        id="bob",
    ),
]

_P256 = (
    "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
    (
        "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
    ),
)
_ECDSA: Final = [  # RFC 6979: x, Ux ‖ Uy, message, r ‖ s
    pytest.param(
        "ec-p256",
        *_P256,
        b"sample",
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        id="A.2.5-sample",
    ),
    pytest.param(
        "ec-p256",
        *_P256,
        b"test",
        "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
        "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
        id="A.2.5-test",
    ),
    pytest.param(
        "ec-p384",
        "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5",
        "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13"
        "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720",
        b"sample",
        "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46"
        "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8",
        id="A.2.6-sample",
    ),
    pytest.param(
        "ec-p521",
        "00fad06daa62ba3b25d2fb40133da757205de67f5bb0018fee8c86e1b68c7e75caa896eb32f1f47c70855836a6d16fcc1466f6d8fbec67"
        "db89ec0c08b0e996b83538",
        "01894550d0785932e00eaa23b694f213f8c3121f86dc97a04e5a7167db4e5bcd371123d46e45db6b5d5370a7f20fb633155d38ffa16d2b"
        "d761dcac474b9a2f5023a4"
        "00493101c962cd4d2fddf782285e64584139c2f91b47f87ff82354d6630f746a28a0db25741b5b34a828008b22acc23f924faafbd4d33f"
        "81ea66956dfeaa2bfdfcf5",
        b"sample",
        "00c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f174e25a1ee9017b5d450606add152b534931d7d4e8455c"
        "c91f9b15bf05ec36e377fa"
        "00617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308281b68af282623eaa63e5b5c0723d8b8c37ff0777b1a20f8ccb1dc"
        "cc43997f1ee0e44da4a67a",
        id="A.2.7-sample",
    ),
]


@pytest.mark.parametrize(("seed", "public", "message", "signature"), _ED25519)
def test_ed25519(types: Types, seed: str, public: str, message: str, signature: str) -> None:
    """Public keys and signatures are those of RFC 8032 §7.1."""
    key = types["ed25519"].validate(Key("ed25519", secret=Secret(bytes.fromhex(seed))))

    made = types["ed25519"].signer(key, "EdDSA")(bytes.fromhex(message))

    assert key.public == bytes.fromhex(public)
    assert made == bytes.fromhex(signature)
    types["ed25519"].verifier(key.without_secret(), "EdDSA")(bytes.fromhex(message), made)


@pytest.mark.parametrize(("private", "public"), _X25519)
def test_x25519(types: Types, private: str, public: str) -> None:
    """Public keys are those of RFC 7748 §6.1, and the secret half is kept as it came, unclamped."""
    key = types["x25519"].validate(Key("x25519", secret=Secret(bytes.fromhex(private))))

    assert key.public == bytes.fromhex(public)
    assert key.secret == Secret(bytes.fromhex(private))


@pytest.mark.parametrize(("name", "scalar", "public", "message", "signature"), _ECDSA)
def test_ecdsa(types: Types, name: str, scalar: str, public: str, message: bytes, signature: str) -> None:
    """Public keys are those of RFC 6979 §A.2, and its signatures verify."""
    key = types[name].validate(Key(name, secret=Secret(bytes.fromhex(scalar))))

    types[name].verifier(key, types[name].algorithms[0])(message, bytes.fromhex(signature))

    assert key.public == bytes.fromhex("04" + public)


def test_hmac(types: Types) -> None:
    """The tag is that of RFC 7515 §A.1."""
    octets = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow=="
    key = types["oct"].validate(Key("oct", secret=Secret(urlsafe_b64decode(octets))))
    signing_input = (
        b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
        b"LmNvbS9pc19yb290Ijp0cnVlfQ"
    )

    tag = types["oct"].signer(key, "HS256")(signing_input)

    assert tag == urlsafe_b64decode("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk=")
    types["oct"].verifier(key, "HS256")(signing_input, tag)
    _assert_refused(types["oct"].verifier(key, "HS256"), signing_input, bytes(32), "zeros")


def test_ed25519_agrees_with_openssl(types: Types, keys: Keys) -> None:
    """OpenSSL makes the same signature from the same seed, and each verifies the other's."""
    key, other = keys["ed25519"], Ed25519PrivateKey.from_private_bytes(_secret(keys["ed25519"]))

    signature = types["ed25519"].signer(key, "EdDSA")(_MESSAGE)

    assert other.sign(_MESSAGE) == signature
    Ed25519PublicKey.from_public_bytes(key.public or b"").verify(signature, _MESSAGE)
    types["ed25519"].verifier(key, "EdDSA")(_MESSAGE, other.sign(_MESSAGE))


@pytest.mark.parametrize("name", _CURVES)
def test_ecdsa_agrees_with_the_bare_library(types: Types, keys: Keys, name: str) -> None:
    """Our r ‖ s is the library's DER signature in another encoding, in both directions."""
    size, algorithm = _BYTES[name], types[name].algorithms[0]
    method = ec.ECDSA(_HASHES[algorithm[2:]])
    private = ec.derive_private_key(int.from_bytes(_secret(keys[name]), "big"), _CURVES[name])

    ours = types[name].signer(keys[name], algorithm)(_MESSAGE)
    r, s = decode_dss_signature(private.sign(_MESSAGE, method))

    assert len(ours) == 2 * size
    private.public_key().verify(encode_dss_signature(*_numbers(ours)), _MESSAGE, method)
    types[name].verifier(keys[name], algorithm)(_MESSAGE, r.to_bytes(size, "big") + s.to_bytes(size, "big"))


@pytest.mark.parametrize("algorithm", _RSA)
def test_rsa_agrees_with_the_bare_library(
    types: Types, keys: Keys, rsa_private: rsa.RSAPrivateKey, algorithm: str
) -> None:
    digest, scheme = _HASHES[algorithm[2:]], _rsa_padding(algorithm)
    public = load_der_public_key(keys["rsa"].public or b"")
    assert isinstance(public, rsa.RSAPublicKey)

    ours = types["rsa"].signer(keys["rsa"], algorithm)(_MESSAGE)

    public.verify(ours, _MESSAGE, scheme, digest)
    types["rsa"].verifier(keys["rsa"], algorithm)(_MESSAGE, rsa_private.sign(_MESSAGE, scheme, digest))


@pytest.mark.parametrize("digits", ["256", "384", "512"])
def test_hmac_agrees_with_the_standard_library(types: Types, keys: Keys, digits: str) -> None:
    tag = types["oct"].signer(keys["oct"], f"HS{digits}")(_MESSAGE)

    assert tag == hmac.new(_secret(keys["oct"]), _MESSAGE, getattr(hashlib, f"sha{digits}")).digest()


@pytest.mark.parametrize("name", ["ed25519", *_CURVES, "rsa"])
def test_either_half_is_enough_to_verify(types: Types, keys: Keys, name: str) -> None:
    algorithm = types[name].algorithms[0]
    signature = types[name].signer(keys[name], algorithm)(_MESSAGE)

    types[name].verifier(keys[name].without_secret(), algorithm)(_MESSAGE, signature)
    types[name].verifier(Key(name, secret=keys[name].secret), algorithm)(_MESSAGE, signature)


@pytest.mark.parametrize("like_bytes", [bytearray, memoryview])
def test_ed25519_takes_what_is_like_bytes(types: Types, keys: Keys, like_bytes: Callable[[bytes], bytes]) -> None:
    key_type, key = types["ed25519"], keys["ed25519"]

    signature = key_type.signer(key, "EdDSA")(like_bytes(_MESSAGE))

    assert signature == key_type.signer(key, "EdDSA")(_MESSAGE)
    key_type.verifier(key, "EdDSA")(like_bytes(_MESSAGE), like_bytes(signature))


@pytest.mark.parametrize("message", ["text", [1, 2], 7], ids=["text", "list", "number"])
def test_ed25519_signs_nothing_but_bytes(types: Types, keys: Keys, message: Any) -> None:
    """The library would sign a list of numbers."""
    with pytest.raises(TypeError):
        types["ed25519"].signer(keys["ed25519"], "EdDSA")(message)


@pytest.mark.parametrize("name", _CURVES)
def test_ecdsa_signatures_have_one_length(types: Types, keys: Keys, name: str) -> None:
    """An ECDSA signature of another length, DER above all, is refused by the length that it should have."""
    algorithm = types[name].algorithms[0]
    good = types[name].signer(keys[name], algorithm)(_MESSAGE)

    for bad in (b"", good[:-1], good + b"\0", b"\0" + good, encode_dss_signature(*_numbers(good))):
        with pytest.raises(InvalidSignatureError) as caught:
            types[name].verifier(keys[name], algorithm)(_MESSAGE, bad)
        assert text_of(caught.value) == (
            f"not an {algorithm} signature, which is r ‖ s, {2 * _BYTES[name]} bytes (RFC 7518 §3.4); if it is in "
            f"DER, convert it"
        )


def test_ecdsa_numbers_have_a_range(types: Types, keys: Keys) -> None:
    """r and s from 1 to n - 1 only: r + n is the same number to a verifier that reduces, and must not be valid."""
    n = 2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7  # SEC 2 §2.6.1
    verify = types["ec-p521"].verifier(keys["ec-p521"], "ES512")
    r, s = _numbers(types["ec-p521"].signer(keys["ec-p521"], "ES512")(_MESSAGE))

    for bad in ((0, s), (r, 0), (n, s), (r, n), (r + n, s), (r, s + n), (2**528 - 1, 2**528 - 1)):
        _assert_refused(verify, _MESSAGE, b"".join(number.to_bytes(66, "big") for number in bad), bad)


def test_ecdsa_keeps_leading_zeros(types: Types, keys: Keys) -> None:
    sign = types["ec-p256"].signer(keys["ec-p256"], "ES256")

    signature = next(made for made in (sign(_MESSAGE) for _ in range(100_000)) if made[0] == 0)

    assert len(signature) == 64
    types["ec-p256"].verifier(keys["ec-p256"], "ES256")(_MESSAGE, signature)


def test_rsa_signatures_keep_leading_zeros(types: Types, keys: Keys) -> None:
    """A PSS signature without its leading zero is refused (RFC 8017 §8.1.2 step 1), with it it is valid."""
    sign, verify = types["rsa"].signer(keys["rsa"], "PS256"), types["rsa"].verifier(keys["rsa"], "PS256")
    signature = next(made for made in (sign(_MESSAGE) for _ in range(20_000)) if made[0] == 0)

    verify(_MESSAGE, signature)
    _assert_refused(verify, _MESSAGE, signature[1:], "without its zero")


@pytest.mark.parametrize("algorithm", ["PS256", "PS384", "PS512"])
def test_pss_salts_are_as_long_as_the_hash(
    types: Types, keys: Keys, rsa_private: rsa.RSAPrivateKey, algorithm: str
) -> None:
    """RFC 7518 §3.5: a signature with a salt of another length, or none, is not valid."""
    digest = _HASHES[algorithm[2:]]

    for length in (0, digest.digest_size - 1, digest.digest_size + 1):
        signature = rsa_private.sign(_MESSAGE, _rsa_padding(algorithm, length), digest)
        _assert_refused(types["rsa"].verifier(keys["rsa"], algorithm), _MESSAGE, signature, length)


@pytest.mark.parametrize("taken", [0, 1, 63, 65, 200])
def test_an_ed25519_signature_has_64_bytes(types: Types, keys: Keys, taken: int) -> None:
    """What is missing in the signature is not taken from the message, nor does the message begin in the signature."""
    both = types["ed25519"].signer(keys["ed25519"], "EdDSA")(_MESSAGE * 20) + _MESSAGE * 20

    _assert_refused(types["ed25519"].verifier(keys["ed25519"], "EdDSA"), both[taken:], both[:taken], taken)


@pytest.mark.parametrize("name", ["ed25519", "x25519", *_CURVES, "rsa", "oct"])
def test_other_types_are_refused(types: Types, keys: Keys, name: str) -> None:
    """A key of another type is refused, even where its bytes would do: x25519 bytes must not sign as ed25519."""
    other = keys["x25519" if name == "ed25519" else "ed25519"]

    for use in ("validate", "bits", *(_USES if name != "x25519" else ())):
        with pytest.raises(InvalidKeyError) as caught:
            getattr(types[name], use)(other, *(types[name].algorithms[:1] if use in _USES else ()))
        assert text_of(caught.value) == f"this key is not of type {name}; use the key type that it names", use


@pytest.mark.parametrize(
    ("name", "algorithm", "can"),
    [
        ("ed25519", "ES256", "EdDSA or Ed25519"),
        ("ec-p256", "ES384", "ES256"),
        ("ec-p384", "ES256", "ES384"),
        ("ec-p521", "ES521", "ES512"),
        ("rsa", "HS256", "PS256 or PS384 or PS512 or RS256 or RS384 or RS512"),
        ("oct", "none", "HS256 or HS384 or HS512"),
        ("oct", "hs256", "HS256 or HS384 or HS512"),
    ],
)
def test_other_algorithms_are_refused(types: Types, keys: Keys, name: str, algorithm: str, can: str) -> None:
    """An algorithm that the type does not have is refused by the list of those that it has; x25519 has none."""
    for use in _USES:
        with pytest.raises(UnsupportedOperationError) as caught:
            getattr(types[name], use)(keys[name], algorithm)
        assert text_of(caught.value) == f"a key of type {name} does not sign with that algorithm; use {can}"
        with pytest.raises(UnsupportedOperationError) as caught:
            getattr(types["x25519"], use)(keys["x25519"], algorithm)
        assert text_of(caught.value) == (
            "a key of type x25519 agrees on secrets and cannot sign or verify; use ed25519 for signatures"
        )


@pytest.mark.parametrize(
    ("name", "use"), [*((name, "signer") for name in ("ed25519", *_CURVES, "rsa", "oct")), ("oct", "verifier")]
)
def test_a_missing_secret_half_is_refused(types: Types, keys: Keys, name: str, use: str) -> None:
    """A public key does not sign, and an oct key without its octets does not verify either."""
    with pytest.raises(NotExportableError) as caught:
        getattr(types[name], use)(keys[name].without_secret(), types[name].algorithms[0])

    assert text_of(caught.value) == f"this {name} key has no secret half; load the secret key for this"


@pytest.mark.parametrize("use", _USES)
@pytest.mark.parametrize(("algorithm", "least"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_hmac_keys_are_as_long_as_the_hash(types: Types, use: str, algorithm: str, least: int) -> None:
    """RFC 7518 §3.2: an HMAC key shorter than the hash is refused, one as long is accepted."""
    bind = getattr(types["oct"], use)
    bind(Key("oct", secret=Secret(bytes(least))), algorithm)

    with pytest.raises(InvalidKeyError) as caught:
        bind(Key("oct", secret=Secret(bytes(least - 1))), algorithm)

    assert text_of(caught.value) == (
        f"{algorithm} needs a key of at least {8 * least} bits (RFC 7518 §3.2), and this one has {8 * least - 8}; use "
        "a longer key"
    )
