"""RSA keys: one DER encoding is accepted, and numbers that are those of a key."""

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
from hypothesis import given, settings, strategies as st
from support.errors import text_of

from keywright import Key, KeyType, Secret
from keywright.errors import InvalidKeyError

Types = Mapping[str, KeyType]
Keys = Mapping[str, Key]

_NO_SECRET_DER: Final = (
    "the secret half of this rsa key is not unencrypted PKCS#8 DER (RFC 5958); convert it with "
    "`openssl pkcs8 -topk8 -nocrypt -outform DER`"
)
_NOT_CANONICAL_SECRET: Final = (
    "the secret half of this rsa key is not canonical PKCS#8 DER of an rsaEncryption key (keys for RSASSA-PSS only are "
    "not supported); convert it with `openssl pkcs8 -topk8 -nocrypt -outform DER`"
)
_NO_PUBLIC_DER: Final = (
    "the public half of this rsa key is not a SubjectPublicKeyInfo DER of a usable key (RFC 5280 §4.1); convert it "
    "with `openssl rsa -pubin -outform DER`"
)
_NOT_CANONICAL_PUBLIC: Final = (
    "the public half of this rsa key is not canonical SubjectPublicKeyInfo DER of an rsaEncryption key (keys for "
    "RSASSA-PSS only are not supported); convert it with `openssl rsa -pubin -outform DER`"
)
_SIZE: Final = "an rsa key has 2048 to 8192 bits (RFC 7518 §3.3), and this one has {}; create a new key"
_EXPONENT: Final = "the exponent of this rsa key is not an odd number from 65537 to 2^64 - 1; create a new key"
_EVEN: Final = "the modulus of this rsa key is even; create a new key"
_PARTS: Final = "the parts of this rsa key do not belong together (RFC 8017 §3.2); import an undamaged key"
# RFC 8017 §A.1 and §A.2.3: object identifiers with their tag and length.
_RSA_ENCRYPTION: Final = bytes.fromhex("06092a864886f70d010101")
_RSASSA_PSS: Final = bytes.fromhex("06092a864886f70d01010a")
_UNKNOWN: Final = bytes.fromhex("06092a864886f70d010163")  # 1.2.840.113549.1.1.99 is not assigned
_NULL: Final = b"\x05\x00"


def _tlv(tag: int, content: bytes) -> bytes:
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


def _secret(parts: Mapping[str, int], **changed: int) -> Key:
    return Key("rsa", secret=Secret(_pkcs8({**parts, **changed})))


def _parts(private: rsa.RSAPrivateKey) -> dict[str, int]:
    numbers = private.private_numbers()
    own = {name: getattr(numbers, name) for name in ("d", "p", "q", "dmp1", "dmq1", "iqmp")}
    return {**own, "n": numbers.public_numbers.n, "e": numbers.public_numbers.e}


@pytest.fixture(scope="module")
def private(keys: Keys) -> rsa.RSAPrivateKey:
    assert keys["rsa"].secret is not None
    loaded = load_der_private_key(keys["rsa"].secret.reveal(), None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    return loaded


@pytest.fixture(scope="module")
def parts(private: rsa.RSAPrivateKey) -> Mapping[str, int]:
    return _parts(private)


def _refusal(types: Types, key: Key) -> str:
    with pytest.raises(InvalidKeyError) as caught:
        types["rsa"].validate(key)
    return text_of(caught.value)


def test_our_encoder_is_the_canonical_one(keys: Keys, parts: Mapping[str, int]) -> None:
    """Keys come out as the plainest DER, byte for byte, with the usual exponent; the cases below change one thing."""
    assert keys["rsa"].secret == Secret(_pkcs8(parts))
    assert keys["rsa"].public == _spki(parts["n"], 65537)


def test_other_encodings_of_a_secret_half_are_refused(
    types: Types, private: rsa.RSAPrivateKey, parts: Mapping[str, int]
) -> None:
    good = _pkcs8(parts)
    not_der = {
        "empty": b"",
        "junk": b"\x30\x03junk",
        "cut": good[:-1],
        "encrypted": private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
        "PEM": private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "public key": _spki(parts["n"], parts["e"]),
        "unknown algorithm": _pkcs8(parts, _UNKNOWN + _NULL),
    }
    not_canonical = {
        "PKCS#1": private.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        "RSASSA-PSS": _pkcs8(parts, _RSASSA_PSS),
        "no parameters": _pkcs8(parts, _RSA_ENCRYPTION),
        "attributes": _pkcs8(parts, attributes=_tlv(0xA0, b"")),
    }

    for cases, message in ((not_der, _NO_SECRET_DER), (not_canonical, _NOT_CANONICAL_SECRET)):
        for case, encoding in cases.items():
            assert _refusal(types, Key("rsa", secret=Secret(encoding))) == message, case


@pytest.mark.parametrize("case", ["byte after", "version 2"])
def test_secret_oddities(types: Types, parts: Mapping[str, int], case: str) -> None:
    """What some versions of the library accept is refused with all of them."""
    good = _pkcs8(parts)
    # The version stands in front of the modulus, which is the second number of the inner sequence.
    inner = good.index(_integer(0) + _integer(parts["n"]))
    odd = {"byte after": good + b"\0", "version 2": good[: inner + 2] + b"\2" + good[inner + 3 :]}[case]

    assert _refusal(types, Key("rsa", secret=Secret(odd))) in (_NO_SECRET_DER, _NOT_CANONICAL_SECRET)


def test_other_encodings_of_a_public_half_are_refused(
    types: Types, private: rsa.RSAPrivateKey, parts: Mapping[str, int]
) -> None:
    n, e = parts["n"], parts["e"]
    not_der = {
        "empty": b"",
        "junk": b"\x30\x03junk",
        "cut": _spki(n, e)[:-1],
        "byte after": _spki(n, e) + b"\0",
        "secret key": _pkcs8(parts),
        "unknown algorithm": _spki(n, e, _UNKNOWN + _NULL),
    }
    not_canonical = {
        "PKCS#1": private.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1),
        "RSASSA-PSS": _spki(n, e, _RSASSA_PSS),
        "no parameters": _spki(n, e, _RSA_ENCRYPTION),
    }

    for cases, message in ((not_der, _NO_PUBLIC_DER), (not_canonical, _NOT_CANONICAL_PUBLIC)):
        for case, encoding in cases.items():
            assert _refusal(types, Key("rsa", public=encoding)) == message, case


def test_other_kinds_of_keys_are_named_as_what_they_are(types: Types) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    secret = Secret(other.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    public = other.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    for half, key in (("secret", Key("rsa", secret=secret)), ("public", Key("rsa", public=public))):
        assert _refusal(types, key) == (
            f"the {half} half of this rsa key is a key of another kind; import it under its own type"
        )


def test_more_than_8_kib_are_not_parsed(types: Types) -> None:
    message = "the {} half of this rsa key has over 8 KiB of DER, more than 8192 bits need; import the key alone"

    assert _refusal(types, Key("rsa", secret=Secret(bytes(8193)))) == message.format("secret")
    assert _refusal(types, Key("rsa", public=bytes(8193))) == message.format("public")
    assert _refusal(types, Key("rsa", secret=Secret(bytes(8192)))) == _NO_SECRET_DER
    assert _refusal(types, Key("rsa", public=bytes(8192))) == _NO_PUBLIC_DER


def test_sizes(types: Types) -> None:
    """A modulus has 2048 to 8192 bits, in keys that were made elsewhere too; the bounds are allowed."""
    weak = _parts(rsa.generate_private_key(65537, 1024))

    for bits in (1024, 2047, 8193):
        assert _refusal(types, Key("rsa", public=_spki(2 ** (bits - 1) + 1, 65537))) == _SIZE.format(bits)
    assert _refusal(types, _secret(weak)) == _SIZE.format(1024)
    for bits in (2048, 2049, 8192):
        key = Key("rsa", public=_spki(2 ** (bits - 1) + 1, 65537))
        assert types["rsa"].validate(key) == key
        assert types["rsa"].bits(key) == bits


@pytest.mark.parametrize("e", [1, 3, 65535, 65538, 2**64 + 1])
def test_exponents_are_odd_and_have_17_to_64_bits(types: Types, e: int) -> None:
    # Some exponents are refused by the library already, by some versions of it.
    messages = (_EXPONENT,) if e in (3, 65535, 2**64 + 1) else (_EXPONENT, _NO_PUBLIC_DER)

    assert _refusal(types, Key("rsa", public=_spki(2**2047 + 1, e))) in messages
    for bound in (65537, 2**64 - 1):
        key = Key("rsa", public=_spki(2**2047 + 1, bound))
        assert types["rsa"].validate(key) == key


def test_the_size_is_read_from_either_half(types: Types, keys: Keys) -> None:
    secret = Key("rsa", secret=keys["rsa"].secret)

    assert types["rsa"].bits(secret) == types["rsa"].bits(keys["rsa"].without_secret()) == 2048


def test_an_even_modulus_is_refused(types: Types, parts: Mapping[str, int]) -> None:
    assert _refusal(types, Key("rsa", public=_spki(parts["n"] + 1, 65537))) == _EVEN
    assert _refusal(types, _secret(parts, n=parts["n"] + 1)) == _EVEN


@pytest.mark.parametrize("part", ["n", "d", "p", "q", "dmp1", "dmq1", "iqmp"])
def test_parts_belong_together(types: Types, parts: Mapping[str, int], part: str) -> None:
    key = _secret(parts, **{part: parts[part] + 2})

    for use, arguments in (("validate", ()), ("signer", ("PS256",)), ("bits", ())):
        with pytest.raises(InvalidKeyError) as caught:
            getattr(types["rsa"], use)(key, *arguments)
        assert text_of(caught.value) == _PARTS, use


def test_secret_exponents_are_below_the_modulus(types: Types, parts: Mapping[str, int]) -> None:
    large = parts["d"] + 2 * (parts["p"] - 1) * (parts["q"] - 1)

    assert _refusal(types, _secret(parts, d=large)) == _PARTS


@pytest.mark.parametrize("part", ["p", "q"])
def test_factors_of_nothing_are_refused(types: Types, parts: Mapping[str, int], part: str) -> None:
    for number in (0, 1, 2):
        assert _refusal(types, _secret(parts, **{part: number})) == _PARTS


def test_factors_are_prime(types: Types, parts: Mapping[str, int]) -> None:
    """Numbers that agree with each other, on a factor that is a product itself, are refused by `validate`."""
    other = rsa.generate_private_key(65537, 2048).private_numbers()
    p, q = parts["p"] * other.p, parts["q"]
    d = pow(65537, -1, (p - 1) * (q - 1))
    agreeing = {"n": p * q, "e": 65537, "d": d, "p": p, "q": q, "dmp1": d % (p - 1), "dmq1": d % (q - 1)}

    assert _refusal(types, _secret(agreeing, iqmp=pow(q, -1, p))) == _PARTS


def test_swapped_factors_are_a_key(types: Types, parts: Mapping[str, int]) -> None:
    """Which factor comes first is the maker's choice: other programs put the smaller one there."""
    swapped = {**parts, "p": parts["q"], "q": parts["p"], "dmp1": parts["dmq1"], "dmq1": parts["dmp1"]}
    key = _secret(swapped, iqmp=pow(parts["p"], -1, parts["q"]))

    completed = types["rsa"].validate(key)

    assert completed.secret == key.secret
    assert completed.public == _spki(parts["n"], parts["e"])


@settings(max_examples=60, deadline=None)
@given(half=st.sampled_from(["secret", "public"]), bit=st.integers(0, 100_000))
def test_damaged_keys_are_refused(types: Types, keys: Keys, half: str, bit: int) -> None:
    good = keys["rsa"]
    data = bytearray(good.secret.reveal() if half == "secret" and good.secret else good.public or b"")
    byte, place = divmod(bit % (8 * len(data)), 8)
    data[byte] ^= 1 << place
    secret, public = (Secret(bytes(data)), good.public) if half == "secret" else (good.secret, bytes(data))

    with pytest.raises(InvalidKeyError):
        types["rsa"].validate(Key("rsa", secret=secret, public=public))
