"""Laws that hold for every key and every message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.bindings import crypto_core_ed25519_add
from nacl.exceptions import RuntimeError as SodiumRefusalError

from keywright import Key, KeyType, Options, Secret
from keywright.errors import InvalidKeyError, InvalidSignatureError

_ORDERS: Final = {  # SEC 2 §2.4.2, §2.5.1, §2.6.1
    "ec-p256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ec-p384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "ec-p521": 2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
}
_NAMES: Final = ["ed25519", "x25519", "ec-p256", "ec-p384", "ec-p521", "rsa", "oct"]
_EVERY: Final = [
    ("ed25519", "EdDSA"),
    ("ec-p256", "ES256"),
    ("ec-p384", "ES384"),
    ("ec-p521", "ES512"),
    *(("rsa", algorithm) for algorithm in ("PS256", "PS384", "PS512", "RS256", "RS384", "RS512")),
    *(("oct", algorithm) for algorithm in ("HS256", "HS384", "HS512")),
]
_FEW: Final = settings(max_examples=15, deadline=None)
_MORE: Final = settings(max_examples=60, deadline=None)
_SEEDS: Final = st.binary(min_size=32, max_size=32)


def _flipped(data: bytes, bit: int) -> bytes:
    """`data` with one bit changed; `bit` counts from its start and wraps around."""
    byte, place = divmod(bit % (8 * len(data)), 8)
    return data[:byte] + bytes([data[byte] ^ (1 << place)]) + data[byte + 1 :]


@pytest.mark.parametrize(("name", "algorithm"), _EVERY)
@_FEW
@given(message=st.binary(max_size=300))
def test_what_is_signed_verifies(
    types: Mapping[str, KeyType], keys: Mapping[str, Key], name: str, algorithm: str, message: bytes
) -> None:
    """A signature holds for its message."""
    signature = types[name].signer(keys[name], algorithm)(message)

    types[name].verifier(keys[name], algorithm)(message, signature)


@pytest.mark.parametrize(("name", "algorithm"), _EVERY)
@_FEW
@given(message=st.binary(min_size=1, max_size=100), bit=st.integers(0, 10_000))
def test_a_flipped_bit_is_refused(
    types: Mapping[str, KeyType], keys: Mapping[str, Key], name: str, algorithm: str, message: bytes, bit: int
) -> None:
    """One bit changed in the message or in the signature, and it does not hold."""
    signature = types[name].signer(keys[name], algorithm)(message)
    verify = types[name].verifier(keys[name], algorithm)

    for changed in ((_flipped(message, bit), signature), (message, _flipped(signature, bit))):
        with pytest.raises(InvalidSignatureError):
            verify(*changed)


@pytest.mark.parametrize(("name", "algorithm"), _EVERY)
@_FEW
@given(signature=st.binary(max_size=300), message=st.binary(max_size=50))
def test_made_up_signatures_are_refused(
    types: Mapping[str, KeyType],
    keys: Mapping[str, Key],
    name: str,
    algorithm: str,
    signature: bytes,
    message: bytes,
) -> None:
    """Any bytes for a signature give a typed refusal and nothing else."""
    with pytest.raises(InvalidSignatureError):
        types[name].verifier(keys[name], algorithm)(message, signature)


@pytest.mark.parametrize("name", _NAMES)
def test_generated_keys_are_complete(types: Mapping[str, KeyType], name: str) -> None:
    """Completing a generated key changes nothing, its public half alone is a key, and derives again from the secret."""
    key = types[name].generate(Options({"bits": 2048}))

    assert types[name].complete(key) == key
    assert types[name].complete(Key(name, secret=key.secret)) == key
    if key.public is not None:
        assert types[name].complete(key.without_secret()) == key.without_secret()


@pytest.mark.parametrize("name", _NAMES)
def test_completing_is_idempotent(types: Mapping[str, KeyType], keys: Mapping[str, Key], name: str) -> None:
    """A completed key is complete."""
    once = types[name].complete(Key(name, "kid", keys[name].secret))

    assert types[name].complete(once) == once


@_MORE
@given(seed=_SEEDS)
def test_every_seed_is_an_ed25519_key(types: Mapping[str, KeyType], seed: bytes) -> None:
    """Any 32 bytes are a seed, with OpenSSL's public half, which is a key by itself."""
    key = types["ed25519"].complete(Key("ed25519", secret=Secret(seed)))

    assert key.public == Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert types["ed25519"].complete(key.without_secret()) == key.without_secret()


@settings(max_examples=200, deadline=None)
@given(public=_SEEDS)
def test_ed25519_points_are_libsodiums(types: Mapping[str, KeyType], public: bytes) -> None:
    """Among random bytes, those are taken for a point that libsodium decodes."""
    try:
        crypto_core_ed25519_add(public, public)
        decodes = True
    except SodiumRefusalError:
        decodes = False

    try:
        types["ed25519"].complete(Key("ed25519", public=public))
        taken = True
    except InvalidKeyError as error:
        # The kit of examples likes zeros and ones, which decode and are of low order.
        taken = "low order" in str(error)

    assert taken == decodes or int.from_bytes(public, "little") & (2**255 - 1) >= 2**255 - 19


@_MORE
@given(scalar=_SEEDS)
def test_every_scalar_is_an_x25519_key(types: Mapping[str, KeyType], scalar: bytes) -> None:
    """Any 32 bytes are a secret half, and the derived public half is a key by itself."""
    key = types["x25519"].complete(Key("x25519", secret=Secret(scalar)))

    assert key.secret == Secret(scalar)
    assert types["x25519"].complete(key.without_secret()) == key.without_secret()


@pytest.mark.parametrize("name", list(_ORDERS))
@_FEW
@given(data=st.data())
def test_every_scalar_in_range_is_an_ec_key(types: Mapping[str, KeyType], name: str, data: st.DataObject) -> None:
    """Any scalar from 1 to n - 1 has a point, which is a key by itself."""
    size = (_ORDERS[name].bit_length() + 7) // 8
    scalar = data.draw(st.integers(1, _ORDERS[name] - 1))

    key = types[name].complete(Key(name, secret=Secret(scalar.to_bytes(size, "big"))))

    assert types[name].complete(key.without_secret()) == key.without_secret()
    assert types[name].complete(key) == key


@_MORE
@given(octets=st.binary(min_size=1, max_size=1024))
def test_octets_are_oct_keys(types: Mapping[str, KeyType], octets: bytes) -> None:
    """1 to 1024 bytes are an oct key as they are."""
    key = Key("oct", secret=Secret(octets))

    assert types["oct"].complete(key) == key
    assert types["oct"].bits(key) == 8 * len(octets)


@pytest.mark.parametrize("name", _NAMES)
@_MORE
@given(secret=st.none() | st.binary(max_size=140), public=st.none() | st.binary(max_size=140))
def test_any_bytes_give_a_key_or_a_refusal(
    types: Mapping[str, KeyType], name: str, secret: bytes | None, public: bytes | None
) -> None:
    """Whatever the halves are, complete returns a key or raises InvalidKeyError."""
    key = Key(name, secret=None if secret is None else Secret(secret), public=public)

    try:
        completed = types[name].complete(key)
    except InvalidKeyError:
        return

    assert completed.secret == key.secret
    assert public in (None, completed.public)


@_MORE
@given(half=st.sampled_from(["secret", "public"]), bit=st.integers(0, 100_000))
def test_damaged_rsa_keys_are_refused(
    types: Mapping[str, KeyType], keys: Mapping[str, Key], half: str, bit: int
) -> None:
    """One bit changed in either half of a whole rsa key, and it is refused."""
    good = keys["rsa"]
    assert good.secret is not None
    assert good.public is not None
    if half == "secret":
        bad = Key("rsa", secret=Secret(_flipped(good.secret.reveal(), bit)), public=good.public)
    else:
        bad = Key("rsa", secret=good.secret, public=_flipped(good.public, bit))

    with pytest.raises(InvalidKeyError):
        types["rsa"].complete(bad)
