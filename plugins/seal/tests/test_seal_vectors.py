"""Published vectors: the parameters mean what the standards mean by them."""

from __future__ import annotations

import pytest

from keywright import Secret
from keywright_seal.kdf import ARGON2ID, SCRYPT, Derivation, derive_root_key

# phc-winner-argon2, src/test.c, "Argon2id v=19": (memory in MiB, passes, lanes), password, salt, tag.
ARGON2ID_TAGS = [
    pytest.param(
        (64, 2, 1),
        b"password",
        b"somesalt",
        "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7",
        id="64 MiB",
    ),
    pytest.param(
        (256, 2, 1),
        b"password",
        b"somesalt",
        "78fe1ec91fb3aa5657d72e710854e4c3d9b9198c742f9616c2f085bed95b2e8c",
        id="256 MiB",
    ),
    pytest.param(
        (64, 1, 1),
        b"password",
        b"somesalt",
        "f6a5adc1ba723dddef9b5ac1d464e180fcd9dffc9d1cbf76cca2fed795d9ca98",
        id="one pass",
    ),
    pytest.param(
        (64, 4, 1),
        b"password",
        b"somesalt",
        "9025d48e68ef7395cca9079da4c4ec3affb3c8911fe4f86d1a2520856f63172c",
        id="four passes",
    ),
    pytest.param(
        (64, 2, 1),
        b"differentpassword",
        b"somesalt",
        "0b84d652cf6b0c4beaef0dfe278ba6a80df6696281d7e0d2891b817d8c458fde",
        id="another password",
    ),
    pytest.param(
        (64, 2, 1),
        b"password",
        b"diffsalt",
        "bdf32b05ccc42eb15d58fd19b1f856b113da1e9a5874fdcc544308565aa8141c",
        id="another salt",
    ),
]


@pytest.mark.usefixtures("argon2id")
@pytest.mark.parametrize(("costs", "password", "salt", "tag"), ARGON2ID_TAGS)
def test_argon2id_is_that_of_its_designers(costs: tuple[int, int, int], password: bytes, salt: bytes, tag: str) -> None:
    """Memory is counted in MiB, then passes, then lanes; the root key is the tag."""
    assert derive_root_key(Secret(password), Derivation(ARGON2ID, costs, salt)) == Secret(bytes.fromhex(tag))


@pytest.mark.usefixtures("argon2id")
def test_the_library_counts_as_rfc_9106_does() -> None:
    """RFC 9106 §5.3: 32 KiB, 3 passes, 4 lanes; lanes and passes are not mistaken for each other."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    function = Argon2id(
        salt=b"\x02" * 16, length=32, iterations=3, lanes=4, memory_cost=32, ad=b"\x04" * 12, secret=b"\x03" * 8
    )

    tag = function.derive(b"\x01" * 32)

    assert tag.hex() == "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"


@pytest.mark.usefixtures("argon2id")
def test_lanes_and_passes_are_not_exchanged() -> None:
    """What we call with 3 passes and 4 lanes is what the library calls with as many."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    function = Argon2id(salt=b"\x02" * 16, length=32, iterations=3, lanes=4, memory_cost=19 * 1024)

    ours = derive_root_key(Secret(b"\x01" * 32), Derivation(ARGON2ID, (19, 3, 4), b"\x02" * 16))

    assert ours == Secret(function.derive(b"\x01" * 32))


# RFC 7914 §12, the first 32 of 64 bytes: (binary logarithm of N, r, p), password, salt, derived key.
SCRYPT_KEYS = [
    pytest.param(
        (10, 8, 16),
        b"password",
        b"NaCl",
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162",
        id="N=1024",
    ),
    pytest.param(
        (14, 8, 1),
        b"pleaseletmein",
        b"SodiumChloride",
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2",
        id="N=16384",
    ),
]


@pytest.mark.parametrize(("costs", "password", "salt", "key"), SCRYPT_KEYS)
def test_scrypt_is_that_of_rfc_7914(costs: tuple[int, int, int], password: bytes, salt: bytes, key: str) -> None:
    """The costs are the binary logarithm of N, then r, then p."""
    assert derive_root_key(Secret(password), Derivation(SCRYPT, costs, salt)) == Secret(bytes.fromhex(key))
