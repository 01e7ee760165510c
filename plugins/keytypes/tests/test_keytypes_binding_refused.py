"""Keys that cannot be bound for signing or verifying."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from keywright import Key, KeyType, Secret
from keywright.errors import InvalidKeyError, NotExportableError, UnsupportedOperationError

_ALL = ["ed25519", "x25519", "ec-p256", "ec-p384", "ec-p521", "rsa", "oct"]


@pytest.mark.parametrize(
    ("name", "use"),
    [
        *((name, use) for name in _ALL for use in ("complete", "bits")),
        *((name, use) for name in _ALL for use in ("signer", "verifier") if name != "x25519"),
    ],
)
def test_other_types_are_refused(types: Mapping[str, KeyType], keys: Mapping[str, Key], name: str, use: str) -> None:
    """A key of another type is refused, even where its bytes would do: x25519 bytes must not sign as ed25519."""
    stranger = keys["x25519" if name == "ed25519" else "ed25519"]
    algorithm = types[name].algorithms[:1]

    with pytest.raises(InvalidKeyError) as caught:
        getattr(types[name], use)(stranger, *(algorithm if use in ("signer", "verifier") else ()))

    assert str(caught.value) == f"this key is not of type {name}; hand it to the key type that it names"


@pytest.mark.parametrize("use", ["signer", "verifier"])
@pytest.mark.parametrize(
    ("name", "algorithm", "can"),
    [
        pytest.param("ed25519", "ES256", "EdDSA or Ed25519", id="ed25519"),
        pytest.param("ec-p256", "ES384", "ES256", id="ec-p256"),
        pytest.param("ec-p384", "ES256", "ES384", id="ec-p384"),
        pytest.param("ec-p521", "ES521", "ES512", id="ec-p521"),
        pytest.param("rsa", "HS256", "PS256 or PS384 or PS512 or RS256 or RS384 or RS512", id="rsa"),
        pytest.param("oct", "none", "HS256 or HS384 or HS512", id="oct"),
        pytest.param("oct", "hs256", "HS256 or HS384 or HS512", id="oct-case"),
    ],
)
def test_other_algorithms_are_refused(
    types: Mapping[str, KeyType], keys: Mapping[str, Key], use: str, name: str, algorithm: str, can: str
) -> None:
    """An algorithm that the type does not have is refused by the list of those that it has."""
    with pytest.raises(UnsupportedOperationError) as caught:
        getattr(types[name], use)(keys[name], algorithm)

    assert str(caught.value) == f"a key of type {name} does not sign with that algorithm; use {can}"


@pytest.mark.parametrize("use", ["signer", "verifier"])
def test_x25519_does_not_sign(types: Mapping[str, KeyType], keys: Mapping[str, Key], use: str) -> None:
    """x25519 says that it cannot sign, and what can."""
    with pytest.raises(UnsupportedOperationError) as caught:
        getattr(types["x25519"], use)(keys["x25519"], "EdDSA")

    assert str(caught.value) == (
        "a key of type x25519 agrees on secrets and cannot sign or verify; use ed25519 for signatures"
    )


@pytest.mark.parametrize("name", ["ed25519", "ec-p256", "ec-p384", "ec-p521", "rsa", "oct"])
def test_signing_needs_the_secret_half(types: Mapping[str, KeyType], keys: Mapping[str, Key], name: str) -> None:
    """A public key does not sign."""
    with pytest.raises(NotExportableError) as caught:
        types[name].signer(keys[name].without_secret(), types[name].algorithms[0])

    assert str(caught.value) == f"this {name} key has no secret half; load the secret key for this"


def test_checking_a_tag_needs_the_secret_half(types: Mapping[str, KeyType]) -> None:
    """An oct key without its octets does not verify either."""
    with pytest.raises(NotExportableError) as caught:
        types["oct"].verifier(Key("oct"), "HS256")

    assert str(caught.value) == "this oct key has no secret half; load the secret key for this"


@pytest.mark.parametrize("use", ["signer", "verifier"])
@pytest.mark.parametrize(
    ("algorithm", "least"),
    [
        pytest.param("HS256", 32, id="HS256"),
        pytest.param("HS384", 48, id="HS384"),
        pytest.param("HS512", 64, id="HS512"),
    ],
)
def test_hmac_keys_are_as_long_as_the_hash(types: Mapping[str, KeyType], use: str, algorithm: str, least: int) -> None:
    """RFC 7518 §3.2: an HMAC key shorter than the hash is refused, one as long is taken."""
    bind = getattr(types["oct"], use)
    bind(Key("oct", secret=Secret(bytes(least))), algorithm)

    with pytest.raises(InvalidKeyError) as caught:
        bind(Key("oct", secret=Secret(bytes(least - 1))), algorithm)

    assert str(caught.value) == (
        f"{algorithm} needs a key of at least {8 * least} bits (RFC 7518 §3.2), and this one has {8 * least - 8}; "
        "make a longer one"
    )
