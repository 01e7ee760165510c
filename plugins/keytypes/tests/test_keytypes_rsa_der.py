"""RSA keys in DER: one spelling is taken, the others are refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from keywright import Key, KeyType, Secret
from keywright.errors import InvalidKeyError

_NO_SECRET_DER: Final = (
    "the secret half of this rsa key is no unencrypted PKCS#8 DER (RFC 5958); convert it with "
    "`openssl pkcs8 -topk8 -nocrypt -outform DER`"
)
_NOT_CANONICAL_SECRET: Final = (
    "the secret half of this rsa key is not canonical PKCS#8 DER of an rsaEncryption key (one for RSASSA-PSS alone is "
    "not taken); convert it with `openssl pkcs8 -topk8 -nocrypt -outform DER`"
)
_NO_PUBLIC_DER: Final = (
    "the public half of this rsa key is no SubjectPublicKeyInfo DER of a usable key (RFC 5280 §4.1); convert it with "
    "`openssl rsa -pubin -outform DER`"
)
_NOT_CANONICAL_PUBLIC: Final = (
    "the public half of this rsa key is not canonical SubjectPublicKeyInfo DER of an rsaEncryption key (one for "
    "RSASSA-PSS alone is not taken); convert it with `openssl rsa -pubin -outform DER`"
)
# RFC 8017 §A.1 and §A.2.3: object identifiers with their tag and length.
_RSA_ENCRYPTION: Final = bytes.fromhex("06092a864886f70d010101")
_RSASSA_PSS: Final = bytes.fromhex("06092a864886f70d01010a")
_NULL: Final = b"\x05\x00"


def _tlv(tag: int, content: bytes) -> bytes:
    """One DER element."""
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _integer(number: int) -> bytes:
    return _tlv(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _spki(n: int, e: int, algorithm: bytes = _RSA_ENCRYPTION + _NULL) -> bytes:
    return _tlv(0x30, _tlv(0x30, algorithm) + _tlv(3, b"\0" + _tlv(0x30, _integer(n) + _integer(e))))


def _pkcs8(parts: Mapping[str, int], algorithm: bytes = _RSA_ENCRYPTION + _NULL, attributes: bytes = b"") -> bytes:
    numbers = b"".join(_integer(parts[name]) for name in ("n", "e", "d", "p", "q", "dmp1", "dmq1", "iqmp"))
    return _tlv(0x30, _integer(0) + _tlv(0x30, algorithm) + _tlv(4, _tlv(0x30, _integer(0) + numbers)) + attributes)


def _parts(private: rsa.RSAPrivateKey) -> dict[str, int]:
    numbers = private.private_numbers()
    own = {name: getattr(numbers, name) for name in ("d", "p", "q", "dmp1", "dmq1", "iqmp")}
    return {**own, "n": numbers.public_numbers.n, "e": numbers.public_numbers.e}


@pytest.fixture(scope="module")
def private(keys: Mapping[str, Key]) -> rsa.RSAPrivateKey:
    """The key of `keys["rsa"]` as the bare library has it."""
    assert keys["rsa"].secret is not None
    loaded = load_der_private_key(keys["rsa"].secret.reveal(), None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    return loaded


def _refusal(types: Mapping[str, KeyType], key: Key) -> str:
    with pytest.raises(InvalidKeyError) as caught:
        types["rsa"].complete(key)
    return str(caught.value)


def test_our_encoder_is_the_canonical_one(keys: Mapping[str, Key], private: rsa.RSAPrivateKey) -> None:
    """Keys come out as the plainest DER, byte for byte; the cases below differ from it in one thing each."""
    parts = _parts(private)

    assert keys["rsa"].secret == Secret(_pkcs8(parts))
    assert keys["rsa"].public == _spki(parts["n"], parts["e"])


@pytest.mark.parametrize(
    ("case", "message"),
    [
        pytest.param("empty", _NO_SECRET_DER, id="empty"),
        pytest.param("junk", _NO_SECRET_DER, id="junk"),
        pytest.param("cut", _NO_SECRET_DER, id="cut"),
        pytest.param("encrypted", _NO_SECRET_DER, id="encrypted"),
        pytest.param("PEM", _NO_SECRET_DER, id="PEM"),
        pytest.param("public key", _NO_SECRET_DER, id="public-key"),
        pytest.param("PKCS#1", _NOT_CANONICAL_SECRET, id="PKCS1"),
        pytest.param("RSASSA-PSS", _NOT_CANONICAL_SECRET, id="RSASSA-PSS"),
        pytest.param("no parameters", _NOT_CANONICAL_SECRET, id="no-parameters"),
        pytest.param("attributes", _NOT_CANONICAL_SECRET, id="attributes"),
    ],
)
def test_secret_spellings(types: Mapping[str, KeyType], private: rsa.RSAPrivateKey, case: str, message: str) -> None:
    """Any other spelling of the same secret key is refused."""
    good, parts = _pkcs8(_parts(private)), _parts(private)
    spelling = {
        "empty": b"",
        "junk": b"\x30\x03junk",
        "cut": good[:-1],
        "encrypted": private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
        "PEM": private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "public key": _spki(parts["n"], parts["e"]),
        "PKCS#1": private.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        "RSASSA-PSS": _pkcs8(parts, _RSASSA_PSS),
        "no parameters": _pkcs8(parts, _RSA_ENCRYPTION),
        "attributes": _pkcs8(parts, attributes=_tlv(0xA0, b"")),
    }[case]

    assert _refusal(types, Key("rsa", secret=Secret(spelling))) == message


@pytest.mark.parametrize("case", ["byte after", "version 2"])
def test_secret_oddities(types: Mapping[str, KeyType], private: rsa.RSAPrivateKey, case: str) -> None:
    """What some versions of the library read over is refused with all of them."""
    good = _pkcs8(_parts(private))
    # The version stands in front of the modulus, which is the second number of the inner sequence.
    inner = good.index(_integer(0) + _integer(private.public_key().public_numbers().n))
    odd = {"byte after": good + b"\0", "version 2": good[: inner + 2] + b"\2" + good[inner + 3 :]}[case]

    assert _refusal(types, Key("rsa", secret=Secret(odd))) in (_NO_SECRET_DER, _NOT_CANONICAL_SECRET)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        pytest.param("empty", _NO_PUBLIC_DER, id="empty"),
        pytest.param("junk", _NO_PUBLIC_DER, id="junk"),
        pytest.param("cut", _NO_PUBLIC_DER, id="cut"),
        pytest.param("byte after", _NO_PUBLIC_DER, id="byte-after"),
        pytest.param("secret key", _NO_PUBLIC_DER, id="secret-key"),
        pytest.param("PKCS#1", _NOT_CANONICAL_PUBLIC, id="PKCS1"),
        pytest.param("RSASSA-PSS", _NOT_CANONICAL_PUBLIC, id="RSASSA-PSS"),
        pytest.param("no parameters", _NOT_CANONICAL_PUBLIC, id="no-parameters"),
    ],
)
def test_public_spellings(types: Mapping[str, KeyType], private: rsa.RSAPrivateKey, case: str, message: str) -> None:
    """Any other spelling of the same public key is refused."""
    parts = _parts(private)
    good = _spki(parts["n"], parts["e"])
    spelling = {
        "empty": b"",
        "junk": b"\x30\x03junk",
        "cut": good[:-1],
        "byte after": good + b"\0",
        "secret key": _pkcs8(parts),
        "PKCS#1": private.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1),
        "RSASSA-PSS": _spki(parts["n"], parts["e"], _RSASSA_PSS),
        "no parameters": _spki(parts["n"], parts["e"], _RSA_ENCRYPTION),
    }[case]

    assert _refusal(types, Key("rsa", public=spelling)) == message


def test_other_kinds_of_keys(types: Mapping[str, KeyType]) -> None:
    """A key of another kind in good DER is named as what it is."""
    other = ec.generate_private_key(ec.SECP256R1())
    secret = Secret(other.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    public = other.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    assert _refusal(types, Key("rsa", secret=secret)) == (
        "the secret half of this rsa key is a key of another kind; import it under its own type"
    )
    assert _refusal(types, Key("rsa", public=public)) == (
        "the public half of this rsa key is a key of another kind; import it under its own type"
    )


def test_more_than_8_kib(types: Mapping[str, KeyType]) -> None:
    """What is too long for any key is not even parsed."""
    message = "the {} half of this rsa key is over 8 KiB of DER, and 8192 bits take less; import the key alone"

    assert _refusal(types, Key("rsa", secret=Secret(bytes(8193)))) == message.format("secret")
    assert _refusal(types, Key("rsa", public=bytes(8193))) == message.format("public")
    assert _refusal(types, Key("rsa", secret=Secret(bytes(8192)))) == _NO_SECRET_DER
    assert _refusal(types, Key("rsa", public=bytes(8192))) == _NO_PUBLIC_DER
