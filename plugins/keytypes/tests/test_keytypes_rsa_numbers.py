"""RSA keys whose numbers are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from keywright import Key, KeyType, Options, Secret
from keywright.errors import InvalidKeyError

_NO_PUBLIC_DER: Final = (
    "the public half of this rsa key is no SubjectPublicKeyInfo DER of a usable key (RFC 5280 §4.1); convert it with "
    "`openssl rsa -pubin -outform DER`"
)
_NO_SECRET_DER: Final = (
    "the secret half of this rsa key is no unencrypted PKCS#8 DER (RFC 5958); convert it with `openssl pkcs8 -topk8 "
    "-nocrypt -outform DER`"
)
_EXPONENT: Final = (
    "the exponent of an rsa key is an odd number from 65537 to 2^64 - 1, and this one is not; make a new one"
)
_EVEN: Final = "the modulus of an rsa key is odd, and this one is even; make a new one"
_PARTS: Final = "the parts of this rsa key do not belong together (RFC 8017 §3.2); import an undamaged key"

_ALGORITHM: Final = bytes.fromhex("300d06092a864886f70d0101010500")  # rsaEncryption with NULL, RFC 8017 §A.1


def _tlv(tag: int, content: bytes) -> bytes:
    """One DER element."""
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _integer(number: int) -> bytes:
    return _tlv(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _spki(n: int, e: int) -> bytes:
    return _tlv(0x30, _ALGORITHM + _tlv(3, b"\0" + _tlv(0x30, _integer(n) + _integer(e))))


def _pkcs8(parts: Mapping[str, int]) -> bytes:
    numbers = b"".join(_integer(parts[name]) for name in ("n", "e", "d", "p", "q", "dmp1", "dmq1", "iqmp"))
    return _tlv(0x30, _integer(0) + _ALGORITHM + _tlv(4, _tlv(0x30, _integer(0) + numbers)))


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


def test_exponent_is_65537(private: rsa.RSAPrivateKey) -> None:
    """Generated keys have the exponent that everybody takes."""
    assert private.public_key().public_numbers().e == 65537


@pytest.mark.parametrize("bits", [1024, 2047, 8193])
def test_public_sizes(types: Mapping[str, KeyType], bits: int) -> None:
    """A modulus has 2048 to 8192 bits, in keys that were made elsewhere too."""
    public = _spki(2 ** (bits - 1) + 1, 65537)

    assert _refusal(types, Key("rsa", public=public)) == (
        f"an rsa key has 2048 to 8192 bits (RFC 7518 §3.3), and this one has {bits}; make a new one"
    )


@pytest.mark.parametrize("bits", [2048, 2049, 8192])
def test_public_sizes_at_the_bounds(types: Mapping[str, KeyType], bits: int) -> None:
    """The bounds are allowed, and so is a size between that we would not generate."""
    key = Key("rsa", public=_spki(2 ** (bits - 1) + 1, 65537))

    assert types["rsa"].complete(key) == key
    assert types["rsa"].bits(key) == bits


def test_secret_sizes(types: Mapping[str, KeyType]) -> None:
    """A whole key of 1024 bits is refused for its size."""
    weak = rsa.generate_private_key(65537, 1024)

    assert _refusal(types, Key("rsa", secret=Secret(_pkcs8(_parts(weak))))) == (
        "an rsa key has 2048 to 8192 bits (RFC 7518 §3.3), and this one has 1024; make a new one"
    )


@pytest.mark.parametrize(
    ("e", "fine"),
    [
        pytest.param(1, False, id="1"),
        pytest.param(3, False, id="3"),
        pytest.param(65535, False, id="65535"),
        pytest.param(65537, True, id="65537"),
        pytest.param(65538, False, id="even"),
        pytest.param(2**64 - 1, True, id="2-64-less-1"),
        pytest.param(2**64 + 1, False, id="2-64-and-1"),
    ],
)
def test_exponents(types: Mapping[str, KeyType], e: int, fine: bool) -> None:
    """An exponent is odd, 65537 at least and 64 bits at most."""
    key = Key("rsa", public=_spki(2**2047 + 1, e))

    if fine:
        assert types["rsa"].complete(key) == key
    else:
        # Some exponents are refused by the library already, by some versions of it.
        assert _refusal(types, key) in ((_EXPONENT,) if e in (3, 65535, 2**64 + 1) else (_EXPONENT, _NO_PUBLIC_DER))


def test_even_modulus(types: Mapping[str, KeyType], private: rsa.RSAPrivateKey) -> None:
    """An even modulus is refused in either half."""
    parts = _parts(private)

    assert _refusal(types, Key("rsa", public=_spki(parts["n"] + 1, 65537))) == _EVEN
    assert _refusal(types, Key("rsa", secret=Secret(_pkcs8({**parts, "n": parts["n"] + 1})))) == _EVEN


@pytest.mark.parametrize("part", ["n", "d", "p", "q", "dmp1", "dmq1", "iqmp"])
@pytest.mark.parametrize("use", ["complete", "signer", "bits"])
def test_parts_belong_together(types: Mapping[str, KeyType], private: rsa.RSAPrivateKey, part: str, use: str) -> None:
    """A secret half in which any one number is off by two is refused wherever it is used."""
    parts = _parts(private)
    key = Key("rsa", secret=Secret(_pkcs8({**parts, part: parts[part] + 2})))

    with pytest.raises(InvalidKeyError) as caught:
        getattr(types["rsa"], use)(key, *(("PS256",) if use == "signer" else ()))

    assert str(caught.value) == _PARTS


def test_secret_exponents_are_below_the_modulus(types: Mapping[str, KeyType], private: rsa.RSAPrivateKey) -> None:
    """A secret exponent that is congruent to the right one, but not below the modulus, is refused."""
    parts = _parts(private)
    large = parts["d"] + 2 * (parts["p"] - 1) * (parts["q"] - 1)

    assert _refusal(types, Key("rsa", secret=Secret(_pkcs8({**parts, "d": large})))) == _PARTS


@pytest.mark.parametrize("part", ["p", "q"])
def test_factors_of_nothing(types: Mapping[str, KeyType], private: rsa.RSAPrivateKey, part: str) -> None:
    """A zero, one or two for a factor is refused, not divided by."""
    parts = _parts(private)

    for number in (0, 1, 2):
        assert _refusal(types, Key("rsa", secret=Secret(_pkcs8({**parts, part: number})))) == _PARTS


def test_factors_are_prime(types: Mapping[str, KeyType], private: rsa.RSAPrivateKey) -> None:
    """Numbers that agree with each other, on a factor that is a product itself, are refused by complete."""
    first, other = private.private_numbers(), rsa.generate_private_key(65537, 2048).private_numbers()
    p, q = first.p * other.p, first.q
    d = pow(65537, -1, (p - 1) * (q - 1))
    parts = {"n": p * q, "e": 65537, "d": d, "p": p, "q": q, "dmp1": d % (p - 1), "dmq1": d % (q - 1)}
    key = Key("rsa", secret=Secret(_pkcs8({**parts, "iqmp": pow(q, -1, p)})))

    assert _refusal(types, key) == _PARTS


def test_halves_of_two_keys(types: Mapping[str, KeyType], keys: Mapping[str, Key]) -> None:
    """The public half of another good key is refused."""
    other = types["rsa"].generate(Options({"bits": 2048}))

    assert _refusal(types, Key("rsa", secret=keys["rsa"].secret, public=other.public)) == (
        "the public half of this rsa key does not belong to its secret half; import a key whose halves match"
    )


def test_swapped_factors_are_a_key(types: Mapping[str, KeyType], private: rsa.RSAPrivateKey) -> None:
    """Which factor comes first is the maker's choice: other programs put the smaller one there."""
    parts = _parts(private)
    swapped = {**parts, "p": parts["q"], "q": parts["p"], "dmp1": parts["dmq1"], "dmq1": parts["dmp1"]}
    key = Key("rsa", secret=Secret(_pkcs8({**swapped, "iqmp": pow(parts["p"], -1, parts["q"])})))

    completed = types["rsa"].complete(key)

    assert completed.secret == key.secret
    assert completed.public == _spki(parts["n"], parts["e"])


def test_an_algorithm_that_nobody_knows(types: Mapping[str, KeyType], private: rsa.RSAPrivateKey) -> None:
    """A key said to be of an algorithm that the library does not know is refused like any other that is no RSA key."""
    parts = _parts(private)
    other = _ALGORITHM[:-3] + b"\x63" + _ALGORITHM[-2:]  # 1.2.840.113549.1.1.99 is nothing
    secret = _pkcs8(parts).replace(_ALGORITHM, other)
    public = _spki(parts["n"], parts["e"]).replace(_ALGORITHM, other)

    assert _refusal(types, Key("rsa", public=public)) == _NO_PUBLIC_DER
    assert _refusal(types, Key("rsa", secret=Secret(secret))) == _NO_SECRET_DER
