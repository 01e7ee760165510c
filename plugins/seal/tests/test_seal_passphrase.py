"""The seal `passphrase`: published vectors, what it accepts and refuses, and what it does where OpenSSL is old."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from support.errors import text_of

from keywright import Options, Secret
from keywright.errors import ConfigError, SealError
from keywright.testing import assert_hidden, everything_in
from keywright.testing.leaks import refusal
from keywright_seal.envelope import OpenedEnvelopeSeal, parse_envelope
from keywright_seal.kdf import ARGON2ID, SCRYPT, Derivation, derive_root_key, has_argon2id
from keywright_seal.seals import PassphraseSeal

Opener = Callable[..., OpenedEnvelopeSeal]
PAYLOAD = Secret(b"a canary that must not sing")
HAS_ARGON2ID = has_argon2id()
ARGON2_MODULE = "cryptography.hazmat.primitives.kdf.argon2"


@pytest.fixture(params=["old cryptography", "old OpenSSL"])
def lose_argon2id(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes Argon2id missing, in either of the ways in which it can be."""

    def unsupported(**_: object) -> NoReturn:
        raise UnsupportedAlgorithm("not in this OpenSSL")

    def lose() -> None:
        if request.param == "old cryptography":
            monkeypatch.setitem(sys.modules, ARGON2_MODULE, None)
        else:
            pytest.importorskip(ARGON2_MODULE)
            monkeypatch.setattr(f"{ARGON2_MODULE}.Argon2id", unsupported)

    return lose


def derivation_of(sealed: Secret) -> Derivation:
    envelope = parse_envelope(sealed)
    assert envelope is not None
    return envelope.derivation


def options_of(given: bytes, previous: bytes | None) -> Options:
    old = () if previous is None else (Secret(b"older horse"), Secret(previous))
    return Options(
        {"passphrase": Secret(given), "previous": old, "kdf": "argon2id", "memory": 19, "time": 2, "lanes": 1}
    )


def test_the_defaults_are_those_that_the_guide_names() -> None:
    defaults = {one.name: one.default for one in PassphraseSeal.settings[1:]}

    assert defaults == {"previous": (), "kdf": None, "memory": 64, "time": 3, "lanes": 4}


ARGON2ID_TAGS = {  # phc-winner-argon2, src/test.c, "Argon2id v=19": (memory in MiB, passes, lanes), password, salt
    ((64, 2, 1), b"password", b"somesalt"): "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7",
    ((256, 2, 1), b"password", b"somesalt"): "78fe1ec91fb3aa5657d72e710854e4c3d9b9198c742f9616c2f085bed95b2e8c",
    ((64, 1, 1), b"password", b"somesalt"): "f6a5adc1ba723dddef9b5ac1d464e180fcd9dffc9d1cbf76cca2fed795d9ca98",
    ((64, 4, 1), b"password", b"somesalt"): "9025d48e68ef7395cca9079da4c4ec3affb3c8911fe4f86d1a2520856f63172c",
    ((64, 2, 1), b"differentpassword", b"somesalt"): "0b84d652cf6b0c4beaef0dfe278ba6a80df6696281d7e0d2891b817d8c458fde",
    ((64, 2, 1), b"password", b"diffsalt"): "bdf32b05ccc42eb15d58fd19b1f856b113da1e9a5874fdcc544308565aa8141c",
}
SCRYPT_KEYS = {  # RFC 7914 §12, the first 32 of 64 bytes: (binary logarithm of N, r, p), password, salt
    ((10, 8, 16), b"password", b"NaCl"): "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162",
    (
        (14, 8, 1),
        b"pleaseletmein",
        b"SodiumChloride",
    ): "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2",
}


@pytest.mark.usefixtures("argon2id")
def test_argon2id_is_that_of_its_designers() -> None:
    """Memory is counted in MiB, then passes, then lanes; the root key is the tag."""
    for (costs, password, salt), tag in ARGON2ID_TAGS.items():
        key = derive_root_key(Secret(password), Derivation(ARGON2ID, costs, salt))
        assert key == Secret(bytes.fromhex(tag)), costs


def test_scrypt_is_that_of_rfc_7914() -> None:
    """The costs are the binary logarithm of N, then r, then p."""
    for (costs, password, salt), expected in SCRYPT_KEYS.items():
        key = derive_root_key(Secret(password), Derivation(SCRYPT, costs, salt))
        assert key == Secret(bytes.fromhex(expected)), costs


@pytest.mark.usefixtures("argon2id")
def test_lanes_and_passes_are_not_exchanged() -> None:
    """RFC 9106 §5.3: 32 KiB, 3 passes, 4 lanes; what we call with as many is what the library calls so."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    same: dict[str, Any] = {"salt": b"\x02" * 16, "length": 32, "iterations": 3, "lanes": 4}
    published = Argon2id(**same, memory_cost=32, ad=b"\x04" * 12, secret=b"\x03" * 8)
    theirs = Argon2id(**same, memory_cost=19 * 1024)

    ours = derive_root_key(Secret(b"\x01" * 32), Derivation(ARGON2ID, (19, 3, 4), b"\x02" * 16))

    assert published.derive(b"\x01" * 32).hex() == "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
    assert ours == Secret(theirs.derive(b"\x01" * 32))


def test_kind_and_costs_stand_in_the_payload(passphrase: Opener) -> None:
    """What is set is used, is written down, and opens under other settings."""
    sealed = passphrase(memory=20, time=3, lanes=2).seal(PAYLOAD, b"a")

    assert derivation_of(sealed)[:2] == (ARGON2ID, (20, 3, 2))
    assert passphrase().unseal(sealed, b"a") == PAYLOAD
    assert passphrase(kdf="scrypt").unseal(sealed, b"a") == PAYLOAD


def test_scrypt_can_be_set(passphrase: Opener) -> None:
    """With `kdf = "scrypt"`, payloads are sealed by scrypt with N = 2¹⁷, r = 8 and p = 1, and open everywhere."""
    sealed = passphrase(kdf="scrypt").seal(PAYLOAD, b"a")

    assert derivation_of(sealed)[:2] == (SCRYPT, (17, 8, 1))
    assert passphrase().unseal(sealed, b"a") == PAYLOAD
    assert derivation_of(passphrase(kdf=None).seal(PAYLOAD, b"a")).kind == (ARGON2ID if HAS_ARGON2ID else SCRYPT)


def test_without_argon2id(passphrase: Opener, lose_argon2id: Callable[[], None]) -> None:
    """Where Argon2id is missing, scrypt takes its place unless kdf is set, and a payload that needs it says so."""
    by_argon2id = passphrase().seal(PAYLOAD, b"a") if HAS_ARGON2ID else None
    lose_argon2id()
    opened = passphrase(kdf=None)

    sealed = opened.seal(PAYLOAD, b"a")

    assert derivation_of(sealed).kind == SCRYPT
    assert opened.unseal(sealed, b"a") == PAYLOAD
    with pytest.raises(SealError) as caught:
        PassphraseSeal().open(options_of(b"correct horse", None))
    assert text_of(caught.value) == (
        "seal 'passphrase': kdf is argon2id, which is not available on this machine; install cryptography 44 or "
        "later with OpenSSL "
        "3.2 or later, or set it to scrypt"
    )
    if by_argon2id is not None:
        with pytest.raises(SealError) as caught:
            opened.unseal(by_argon2id, b"a")
        opened.adopt(by_argon2id)
        assert text_of(caught.value) == (
            "seal 'passphrase' needs Argon2id, which is not available on this machine; "
            "install cryptography 44 or later with OpenSSL 3.2 or later"
        )
        assert derivation_of(opened.seal(PAYLOAD, b"a")).kind == SCRYPT


@pytest.mark.usefixtures("argon2id")
def test_too_little_memory_says_so() -> None:
    passphrase = Secret(b"c0rrect h0rse b4ttery")
    derivation = Derivation(ARGON2ID, (2**21, 2, 1), bytes(16))

    with pytest.raises(SealError) as caught:
        derive_root_key(passphrase, derivation)

    assert text_of(caught.value) == (
        "seal 'passphrase' does not have enough memory for Argon2id; free memory, or lower its setting "
        "memory for new payloads"
    )
    assert_hidden(passphrase, everything_in(caught.value))


TOO_SHORT = "seal 'passphrase': {} has fewer than 8 characters, so it can be guessed; use a longer one"
BROKEN = "seal 'passphrase': {} has a line break (LF or CR) in it; write it on one line"
REFUSED = [
    pytest.param(b"", None, TOO_SHORT.format("passphrase"), id="empty"),
    pytest.param(b"seven77", None, TOO_SHORT.format("passphrase"), id="seven characters"),
    pytest.param("äöüßéèê".encode(), None, TOO_SHORT.format("passphrase"), id="seven characters of two bytes"),
    pytest.param(b"correct\nhorse", None, BROKEN.format("passphrase"), id="two lines"),
    pytest.param(b"correct horse\r", None, BROKEN.format("passphrase"), id="a line end of Windows"),
    pytest.param(b"correct horse", b"", TOO_SHORT.format("a passphrase in previous"), id="an empty one in previous"),
    pytest.param(b"correct horse", b"7 bytes", TOO_SHORT.format("a passphrase in previous"), id="short, in previous"),
    pytest.param(
        b"correct horse", b"old horse\nolder horse", BROKEN.format("a passphrase in previous"), id="lines, in previous"
    ),
    pytest.param(b"correct horse", b"old horse\r", BROKEN.format("a passphrase in previous"), id="CR in previous"),
]


@pytest.mark.parametrize(("given", "previous", "message"), REFUSED)
def test_an_invalid_passphrase_is_refused_and_not_shown(given: bytes, previous: bytes | None, message: str) -> None:
    error = refusal(SealError, PassphraseSeal().open, options_of(given, previous))

    assert text_of(error) == message
    assert_hidden(Secret(given if previous is None else previous), everything_in(error))


@pytest.mark.usefixtures("argon2id")
@pytest.mark.parametrize("given", [b"8 bytes.", "äöüßéèêë".encode(), b"\xff" * 8, b" " * 8 + b"\0"])
def test_any_other_text_is_a_passphrase(given: bytes) -> None:
    """Eight characters of any kind do, also bytes that are not UTF-8; nothing is stripped of them."""
    sealed = PassphraseSeal().open(options_of(given, None)).seal(PAYLOAD, b"a")

    assert PassphraseSeal().open(options_of(given, None)).unseal(sealed, b"a") == PAYLOAD
    with pytest.raises(SealError):
        PassphraseSeal().open(options_of(given + b" ", None)).unseal(sealed, b"a")


def test_previous_ones_are_few(passphrase: Opener) -> None:
    """More than eight previous passphrases would each have to be stretched for every record that none of them opens."""
    passphrase(previous=["old horse"] * 8)

    with pytest.raises(ConfigError) as caught:
        passphrase(previous=["old horse"] * 9)

    assert text_of(caught.value) == (
        "previous has more than 8 passphrases; run `keywright rewrap`, and remove those that are no longer used"
    )


def test_scrypt_is_called_by_its_name_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    class Greedy:
        def __init__(self, **_: object) -> None:
            pass

        def derive(self, _: bytes) -> NoReturn:
            raise MemoryError

    monkeypatch.setattr("cryptography.hazmat.primitives.kdf.scrypt.Scrypt", Greedy)

    with pytest.raises(SealError) as caught:
        derive_root_key(Secret(b"correct horse"), Derivation(SCRYPT, (17, 8, 1), bytes(16)))

    assert text_of(caught.value) == (
        "seal 'passphrase' does not have enough memory for scrypt; free memory, or lower its setting memory for "
        "new payloads"
    )


def test_refusals_name_the_setting_and_show_no_passphrase(passphrase: Opener) -> None:
    sealed = passphrase().seal(PAYLOAD, b"a")
    other = passphrase("c4n4ry battery staple")

    with pytest.raises(SealError) as unsealing:
        other.unseal(sealed, b"a")
    other.adopt(sealed)
    with pytest.raises(SealError) as sealing:
        other.seal(PAYLOAD, b"a")

    assert "set passphrase to the one in use, add the old one to previous" in text_of(unsealing.value)
    assert "set passphrase to the one in use, or add it to previous" in text_of(sealing.value)
    assert_hidden(Secret(b"c4n4ry battery staple"), everything_in(unsealing.value) + repr(other))
