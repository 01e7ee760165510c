"""Published test vectors."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Mapping

import pytest

from keywright import Key, KeyType, Secret

_ED25519 = [  # RFC 8032 §7.1: seed, public key, message, signature
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

_X25519 = [  # RFC 7748 §6.1: private key, public key
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
_ECDSA = [  # RFC 6979: x, Ux ‖ Uy, message, r ‖ s
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
def test_ed25519(types: Mapping[str, KeyType], seed: str, public: str, message: str, signature: str) -> None:
    """Public keys and signatures are those of RFC 8032 §7.1."""
    key = types["ed25519"].complete(Key("ed25519", secret=Secret(bytes.fromhex(seed))))

    made = types["ed25519"].signer(key, "EdDSA")(bytes.fromhex(message))

    assert key.public == bytes.fromhex(public)
    assert made == bytes.fromhex(signature)
    types["ed25519"].verifier(key.without_secret(), "EdDSA")(bytes.fromhex(message), made)


@pytest.mark.parametrize(("private", "public"), _X25519)
def test_x25519(types: Mapping[str, KeyType], private: str, public: str) -> None:
    """Public keys are those of RFC 7748 §6.1, and the secret half is kept as it came, unclamped."""
    key = types["x25519"].complete(Key("x25519", secret=Secret(bytes.fromhex(private))))

    assert key.public == bytes.fromhex(public)
    assert key.secret == Secret(bytes.fromhex(private))


@pytest.mark.parametrize(("name", "scalar", "public", "message", "signature"), _ECDSA)
def test_ecdsa(
    types: Mapping[str, KeyType], name: str, scalar: str, public: str, message: bytes, signature: str
) -> None:
    """Public keys are those of RFC 6979 §A.2, and its signatures verify."""
    key = types[name].complete(Key(name, secret=Secret(bytes.fromhex(scalar))))

    types[name].verifier(key, types[name].algorithms[0])(message, bytes.fromhex(signature))

    assert key.public == bytes.fromhex("04" + public)


def test_hmac(types: Mapping[str, KeyType]) -> None:
    """The tag is that of RFC 7515 §A.1."""
    octets = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow=="
    key = types["oct"].complete(Key("oct", secret=Secret(urlsafe_b64decode(octets))))
    signing_input = (
        b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
        b"LmNvbS9pc19yb290Ijp0cnVlfQ"
    )

    tag = types["oct"].signer(key, "HS256")(signing_input)

    assert tag == urlsafe_b64decode("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk=")
    types["oct"].verifier(key, "HS256")(signing_input, tag)
