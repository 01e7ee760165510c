"""The seal `passphrase`: what it takes, what it refuses, and what it does where OpenSSL is old."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from keywright import Options, Seal, Secret
from keywright.errors import ConfigError, SealError
from keywright.testing import assert_hidden, everything_in
from keywright_seal.envelope import OpenedEnvelopeSeal, parse_envelope
from keywright_seal.kdf import ARGON2ID, SCRYPT, Derivation, derive_root_key
from keywright_seal.passphrase import PassphraseSeal

Opener = Callable[..., OpenedEnvelopeSeal]
PAYLOAD = Secret(b"a canary that must not sing")
ARGON2_MODULE = "cryptography.hazmat.primitives.kdf.argon2"
LACKING = (
    "seal 'passphrase' needs Argon2id, which this machine lacks; "
    "install cryptography 44 or later with OpenSSL 3.2 or later"
)


@pytest.fixture(params=["an old cryptography", "an old OpenSSL"])
def without_argon2id(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id is missing, in either of the ways in which it can be."""

    def unsupported(**_: object) -> NoReturn:
        raise UnsupportedAlgorithm("not in this OpenSSL")

    if request.param == "an old cryptography":
        monkeypatch.setitem(sys.modules, ARGON2_MODULE, None)
    else:
        pytest.importorskip(ARGON2_MODULE)
        monkeypatch.setattr(f"{ARGON2_MODULE}.Argon2id", unsupported)


def derivation_of(sealed: Secret) -> Derivation:
    """What a sealed payload says of its derivation."""
    envelope = parse_envelope(sealed)
    assert envelope is not None
    return envelope.derivation


def test_it_is_a_seal() -> None:
    """Its settings have the defaults that the guide names."""
    seal = PassphraseSeal()

    assert isinstance(seal, Seal)
    assert {one.name: one.default for one in seal.settings[1:]} == {
        "previous": (), "kdf": None, "memory": 64, "time": 3, "lanes": 4
    }  # fmt: skip


def test_kind_and_costs_stand_in_the_payload(passphrase: Opener) -> None:
    """What is set is used, is written down, and opens under other settings."""
    sealed = passphrase(memory=20, time=3, lanes=2).seal(PAYLOAD, b"a")

    assert derivation_of(sealed)[:2] == (ARGON2ID, (20, 3, 2))
    assert passphrase().unseal(sealed, b"a") == PAYLOAD
    assert passphrase(kdf="scrypt").unseal(sealed, b"a") == PAYLOAD


@pytest.mark.usefixtures("argon2id")
def test_argon2id_is_used_unless_something_is_set(passphrase: Opener) -> None:
    """Without a setting, Argon2id is taken where there is one."""
    assert derivation_of(passphrase(kdf=None).seal(PAYLOAD, b"a")).kind == ARGON2ID


def test_scrypt_can_be_set(passphrase: Opener) -> None:
    """With `kdf = "scrypt"`, payloads are sealed by scrypt with N = 2¹⁷, r = 8 and p = 1, and open everywhere."""
    sealed = passphrase(kdf="scrypt").seal(PAYLOAD, b"a")

    assert derivation_of(sealed)[:2] == (SCRYPT, (17, 8, 1))
    assert passphrase().unseal(sealed, b"a") == PAYLOAD


@pytest.mark.usefixtures("without_argon2id")
def test_without_argon2id_scrypt_is_used(passphrase: Opener) -> None:
    """Where Argon2id is missing and nothing is set, scrypt takes its place."""
    opened = passphrase(kdf=None)

    sealed = opened.seal(PAYLOAD, b"a")

    assert derivation_of(sealed).kind == SCRYPT
    assert opened.unseal(sealed, b"a") == PAYLOAD


@pytest.mark.usefixtures("without_argon2id")
def test_argon2id_is_not_replaced_where_it_is_set(passphrase: Opener) -> None:
    """An explicit choice is refused where it cannot be kept."""
    with pytest.raises(SealError) as caught:
        passphrase(kdf="argon2id")

    assert str(caught.value) == (
        "seal 'passphrase': kdf is argon2id, which this machine lacks; install cryptography 44 or later with OpenSSL "
        "3.2 or later, or set it to scrypt"
    )


def test_what_this_machine_cannot_derive_says_so(passphrase: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload of another machine that had Argon2id is refused by the reason, not as if it were damaged."""
    sealed = passphrase().seal(PAYLOAD, b"a")
    monkeypatch.setitem(sys.modules, ARGON2_MODULE, None)
    opened = passphrase(kdf=None)

    with pytest.raises(SealError) as caught:
        opened.unseal(sealed, b"a")
    opened.adopt(sealed)

    assert str(caught.value) == LACKING
    assert derivation_of(opened.seal(PAYLOAD, b"a")).kind == SCRYPT


@pytest.mark.usefixtures("argon2id")
def test_too_little_memory_says_so() -> None:
    """Where the memory is not to be had, the error says that, and shows no passphrase."""
    passphrase = Secret(b"c0rrect h0rse b4ttery")
    derivation = Derivation(ARGON2ID, (2**21, 2, 1), bytes(16))

    with pytest.raises(SealError) as caught:
        derive_root_key(passphrase, derivation)

    assert str(caught.value) == "seal 'passphrase' needs more memory for Argon2id than there is; free some"
    assert_hidden(passphrase, everything_in(caught.value))


TOO_SHORT = "seal 'passphrase': {} has fewer than 8 characters, so it could be guessed; take a longer one"
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


def options_of(given: bytes, previous: bytes | None) -> Options:
    """The settings of a seal."""
    old = () if previous is None else (Secret(b"older horse"), Secret(previous))
    return Options(
        {"passphrase": Secret(given), "previous": old, "kdf": "argon2id", "memory": 19, "time": 2, "lanes": 1}
    )


@pytest.mark.parametrize(("given", "previous", "message"), REFUSED)
def test_what_is_no_passphrase_is_refused(given: bytes, previous: bytes | None, message: str) -> None:
    """Short passphrases and such that are not one line are refused when the seal is opened."""
    options = options_of(given, previous)

    with pytest.raises(SealError) as caught:
        PassphraseSeal().open(options)

    assert str(caught.value) == message


@pytest.mark.usefixtures("argon2id")
@pytest.mark.parametrize("given", [b"8 bytes.", "äöüßéèêë".encode(), b"\xff" * 8, b" " * 8 + b"\0"])
def test_any_other_text_is_a_passphrase(given: bytes) -> None:
    """Eight characters of any kind do, also bytes that are no UTF-8; nothing is stripped of them."""
    sealed = PassphraseSeal().open(options_of(given, None)).seal(PAYLOAD, b"a")

    assert PassphraseSeal().open(options_of(given, None)).unseal(sealed, b"a") == PAYLOAD
    with pytest.raises(SealError):
        PassphraseSeal().open(options_of(given + b" ", None)).unseal(sealed, b"a")


def test_previous_ones_are_few(passphrase: Opener) -> None:
    """More than eight previous passphrases would each have to be stretched for every record that none of them opens."""
    passphrase(previous=["old horse"] * 8)

    with pytest.raises(ConfigError) as caught:
        passphrase(previous=["old horse"] * 9)

    assert str(caught.value) == (
        "previous holds more than 8 passphrases; run `keywright reseal`, and remove those that "
        "nothing is sealed with any more"
    )


@pytest.mark.parametrize(("given", "previous"), [(b"c4n4ry\nbattery staple", None), (b"correct horse", b"c4n4ry!")])
def test_refusals_do_not_show_the_passphrase(given: bytes, previous: bytes | None) -> None:
    """Neither message nor tracebacks with locals, nor the opened seal's repr, show a passphrase."""
    options = options_of(given, previous)
    hidden = Secret(previous or given)
    del given, previous

    with pytest.raises(SealError) as caught:
        PassphraseSeal().open(options)

    error = caught.value
    error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # without this test's own frame
    assert_hidden(hidden, everything_in(error))


def test_the_wrong_passphrase_shows_none(passphrase: Opener) -> None:
    """What a wrong passphrase does not open is refused without showing it."""
    wrong = passphrase("c4n4ry battery staple")
    sealed = passphrase().seal(PAYLOAD, b"a")

    with pytest.raises(SealError) as caught:
        wrong.unseal(sealed, b"a")

    assert_hidden(Secret(b"c4n4ry battery staple"), everything_in(caught.value) + repr(wrong))


@pytest.mark.usefixtures("argon2id")
def test_what_an_old_openssl_cannot_derive_says_so_too(passphrase: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a missing module alone: a cryptography that is new enough over an OpenSSL that is not."""
    sealed = passphrase().seal(PAYLOAD, b"a")

    def unsupported(**_: object) -> NoReturn:
        raise UnsupportedAlgorithm("not in this OpenSSL")

    monkeypatch.setattr(f"{ARGON2_MODULE}.Argon2id", unsupported)

    with pytest.raises(SealError) as caught:
        passphrase(kdf=None).unseal(sealed, b"a")

    assert str(caught.value) == LACKING


def test_scrypt_is_called_by_its_name_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the function that needs the memory."""

    class Greedy:
        def __init__(self, **_: object) -> None:
            """Takes whatever it is given."""

        def derive(self, _: bytes) -> NoReturn:
            raise MemoryError

    monkeypatch.setattr("cryptography.hazmat.primitives.kdf.scrypt.Scrypt", Greedy)

    with pytest.raises(SealError) as caught:
        derive_root_key(Secret(b"correct horse"), Derivation(SCRYPT, (17, 8, 1), bytes(16)))

    assert str(caught.value) == "seal 'passphrase' needs more memory for scrypt than there is; free some"


def test_what_it_does_not_open_is_told_with_its_own_setting(passphrase: Opener) -> None:
    """Whoever reads the refusal, or that of sealing beside it, knows which setting to look at."""
    sealed = passphrase().seal(PAYLOAD, b"a")
    other = passphrase("another one")

    with pytest.raises(SealError) as unsealing:
        other.unseal(sealed, b"a")
    other.adopt(sealed)
    with pytest.raises(SealError) as sealing:
        other.seal(PAYLOAD, b"a")

    assert "set passphrase or previous to what sealed it" in str(unsealing.value)
    assert "correct passphrase or previous" in str(sealing.value)
