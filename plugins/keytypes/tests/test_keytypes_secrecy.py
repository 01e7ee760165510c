"""No secret shows in an error, in what led to it, or in the locals of a frame that it passed through."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from keywright import Key, KeyType, Secret
from keywright.testing import assert_hidden, everything_in

Types = Mapping[str, KeyType]
Keys = Mapping[str, Key]

_CANARY = bytes(range(0x41, 0x41 + 32))


def _shown(call: Callable[[], object]) -> str:
    """All that the error of a call takes along. Tests hold secrets as `Secret` only, so that their frames show none."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # other tests check which error it is
        call()
    return everything_in(caught.value)


def _secret(key: Key) -> Secret:
    assert key.secret is not None
    return key.secret


def _rsa_secrets(good: bytes) -> dict[str, Secret]:
    private = load_der_private_key(good, None)
    assert isinstance(private, rsa.RSAPrivateKey)
    weak = rsa.generate_private_key(65537, 1024)
    secrets = {
        "cut": good[:-1],
        "not canonical": private.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        "encrypted": private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
        "damaged": good[:700] + bytes([good[700] ^ 1]) + good[701:],
        "weak": weak.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        "long": good * 10,
    }
    return {case: Secret(secret) for case, secret in secrets.items()}


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        pytest.param("ed25519", Secret(_CANARY + b"x"), id="ed25519-length"),
        pytest.param("x25519", Secret(_CANARY + b"x"), id="x25519-length"),
        pytest.param("ec-p256", Secret(_CANARY + b"x"), id="ec-p256-length"),
        pytest.param("ec-p256", Secret(b"\xff" * 7 + _CANARY[:25]), id="ec-p256-range"),
        pytest.param("ec-p384", Secret(b"\xff" * 25 + _CANARY[:23]), id="ec-p384-range"),
        pytest.param("ec-p521", Secret(b"\xff" * 34 + _CANARY), id="ec-p521-range"),
        pytest.param("oct", Secret(_CANARY * 33), id="oct-length"),
    ],
)
@pytest.mark.parametrize("use", ["validate", "signer", "verifier"])
def test_invalid_secret_halves_are_not_shown(types: Types, name: str, secret: Secret, use: str) -> None:
    arguments = () if use == "validate" else types[name].algorithms[:1] or ("EdDSA",)
    key = Key(name, secret=secret)

    assert_hidden(secret, _shown(lambda: getattr(types[name], use)(key, *arguments)))


def test_short_hmac_keys_are_not_shown(types: Types) -> None:
    secret = Secret(_CANARY[:31])
    key = Key("oct", secret=secret)

    for algorithm in types["oct"].algorithms:
        assert_hidden(secret, _shown(functools.partial(types["oct"].signer, key, algorithm)))


@pytest.mark.parametrize("case", ["cut", "not canonical", "encrypted", "damaged", "weak", "long"])
@pytest.mark.parametrize("use", ["validate", "signer", "bits"])
def test_invalid_rsa_secrets_are_not_shown(types: Types, keys: Keys, case: str, use: str) -> None:
    key = Key("rsa", secret=_rsa_secrets(_secret(keys["rsa"]).reveal())[case])

    shown = _shown(lambda: getattr(types["rsa"], use)(key, *(("PS256",) if use == "signer" else ())))

    for secret in (_secret(key), _secret(keys["rsa"])):
        assert_hidden(secret, shown, public=keys["rsa"].public or b"")


@pytest.mark.parametrize(("name", "algorithm"), [("ed25519", "EdDSA"), ("ec-p256", "ES256"), ("rsa", "PS256")])
def test_failing_calls_show_no_secret(types: Types, keys: Keys, name: str, algorithm: str) -> None:
    sign, verify = types[name].signer(keys[name], algorithm), types[name].verifier(keys[name], algorithm)
    mistake: object = "text"

    for call in (lambda: sign(mistake), lambda: verify(b"message", bytes(64))):  # type: ignore[arg-type]  # meant
        assert_hidden(_secret(keys[name]), _shown(call), public=keys[name].public or b"")


def test_the_right_tag_is_not_shown(types: Types) -> None:
    """The refusal of a wrong tag shows neither the key nor the right tag, which would be a signature for anybody."""
    key = Key("oct", secret=Secret(_CANARY))
    right = Secret(types["oct"].signer(key, "HS256")(b"forged"))

    shown = _shown(lambda: types["oct"].verifier(key, "HS256")(b"forged", bytes(32)))

    assert_hidden(right, shown)
    assert_hidden(_secret(key), shown)


def test_ed25519_is_hidden_from_the_frames_of_the_library(types: Types, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory runs out, or a user presses Ctrl-C, while a frame of the library's holds the seed as an argument."""
    key = types["ed25519"].validate(Key("ed25519", secret=Secret(_CANARY)))
    held = []

    def fail(*arguments: bytes) -> bytes:
        held.append(f"{arguments[-1]!r} {arguments[-1]}")  # type: ignore[str-bytes-safe]  # as a log would show it
        raise MemoryError

    monkeypatch.setattr("nacl.bindings.crypto_sign", fail)
    sign = types["ed25519"].signer(key, "EdDSA")
    shown = [_shown(lambda: sign(b""))]
    monkeypatch.setattr("nacl._sodium.lib", SimpleNamespace(crypto_sign_seed_keypair=fail))
    shown.append(_shown(lambda: types["ed25519"].signer(key, "EdDSA")))

    assert held == ["<hidden> <hidden>"] * 2
    assert_hidden(Secret(_CANARY), "\n".join(shown))
