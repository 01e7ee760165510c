"""What the plugin registers, and what it costs to ask."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest

import keywright_keytypes
from keywright import Key, KeyType, Options, Secret
from keywright.errors import ConfigError


def _modules_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    )


def test_hook_returns_the_seven_key_types() -> None:
    """The hook returns objects that keep the contract, in the order that people expect to read them."""
    registered = keywright_keytypes.keywright_register_key_types()

    assert all(isinstance(key_type, KeyType) for key_type in registered)
    assert [key_type.name for key_type in registered] == [
        "ed25519", "x25519", "ec-p256", "ec-p384", "ec-p521", "rsa", "oct",
    ]  # fmt: skip
    assert keywright_keytypes.KEYWRIGHT_API == 1


def test_import_is_light() -> None:
    """Importing the plugin imports nothing that keywright has not imported."""
    extra = _modules_after("import keywright_keytypes") - _modules_after("from keywright import Key, hookimpl, errors")

    assert not {name for name in extra if not name.startswith("keywright")}


def test_oct_keys_are_made_without_cryptography() -> None:
    """Registering the types and generating an oct key does not import cryptography."""
    modules = _modules_after(
        "import keywright, keywright_keytypes as k\n"
        "t = {t.name: t for t in k.keywright_register_key_types()}['oct']\n"
        "t.complete(t.generate(keywright.Options({'bits': 256})))"
    )

    assert not {name for name in modules if name.startswith("cryptography")}


@pytest.mark.parametrize(
    ("name", "algorithms"),
    [
        pytest.param("ed25519", ("EdDSA", "Ed25519"), id="ed25519"),
        pytest.param("x25519", (), id="x25519"),
        pytest.param("ec-p256", ("ES256",), id="ec-p256"),
        pytest.param("ec-p384", ("ES384",), id="ec-p384"),
        pytest.param("ec-p521", ("ES512",), id="ec-p521"),
        pytest.param("rsa", ("PS256", "PS384", "PS512", "RS256", "RS384", "RS512"), id="rsa"),
        pytest.param("oct", ("HS256", "HS384", "HS512"), id="oct"),
    ],
)
def test_algorithms(types: Mapping[str, KeyType], name: str, algorithms: tuple[str, ...]) -> None:
    """Each type names its JWA algorithms, the default first."""
    assert types[name].algorithms == algorithms


@pytest.mark.parametrize(
    ("name", "default", "rule"),
    [
        pytest.param("rsa", 3072, "a whole number that is a multiple of 8 from 2048 to 8192", id="rsa"),
        pytest.param("oct", 256, "a whole number that is a multiple of 8 from 128 to 8192", id="oct"),
    ],
)
def test_sizes_are_a_setting(types: Mapping[str, KeyType], name: str, default: int, rule: str) -> None:
    """rsa and oct have one setting, `bits`, with a default and bounds."""
    (setting,) = types[name].settings

    assert (setting.name, setting.type, setting.default, setting.rule()) == ("bits", "integer", default, rule)


@pytest.mark.parametrize("name", ["ed25519", "x25519", "ec-p256", "ec-p384", "ec-p521"])
def test_curves_have_no_setting(types: Mapping[str, KeyType], name: str) -> None:
    """A curve leaves nothing to set."""
    assert types[name].settings == ()


@pytest.mark.parametrize(
    ("name", "bits", "rule"),
    [
        pytest.param("rsa", 2040, "a multiple of 8 from 2048 to 8192", id="rsa-too-small"),
        pytest.param("rsa", 8200, "a multiple of 8 from 2048 to 8192", id="rsa-too-large"),
        pytest.param("rsa", 2049, "a multiple of 8 from 2048 to 8192", id="rsa-odd"),
        pytest.param("oct", 120, "a multiple of 8 from 128 to 8192", id="oct-too-small"),
        pytest.param("oct", 8200, "a multiple of 8 from 128 to 8192", id="oct-too-large"),
        pytest.param("oct", 129, "a multiple of 8 from 128 to 8192", id="oct-odd"),
    ],
)
def test_generate_checks_the_size(types: Mapping[str, KeyType], name: str, bits: int, rule: str) -> None:
    """Options that were built by hand, past the check of settings, make no weak key either."""
    with pytest.raises(ConfigError) as caught:
        types[name].generate(Options({"bits": bits}))

    assert str(caught.value) == f"bits of a key of type {name} must be a whole number that is {rule}"


@pytest.mark.parametrize(
    ("name", "secret_bytes", "public_bytes", "bits"),
    [
        pytest.param("ed25519", 32, 32, 256, id="ed25519"),
        pytest.param("x25519", 32, 32, 256, id="x25519"),
        pytest.param("ec-p256", 32, 65, 256, id="ec-p256"),
        pytest.param("ec-p384", 48, 97, 384, id="ec-p384"),
        pytest.param("ec-p521", 66, 133, 521, id="ec-p521"),
        pytest.param("oct", 64, None, 512, id="oct"),
    ],
)
def test_layout_and_size(
    types: Mapping[str, KeyType],
    keys: Mapping[str, Key],
    name: str,
    secret_bytes: int,
    public_bytes: int | None,
    bits: int,
) -> None:
    """A fresh key has halves of fixed lengths, no kid and no attributes, and its type tells its size."""
    key = keys[name]

    assert key.secret is not None
    assert len(key.secret) == secret_bytes
    assert (None if key.public is None else len(key.public)) == public_bytes
    assert (key.type, key.kid, len(key.attributes)) == (name, "", 0)
    assert types[name].bits(key) == bits


@pytest.mark.parametrize("bits", [2048, 2056])
def test_rsa_size_is_that_of_the_modulus(types: Mapping[str, KeyType], bits: int) -> None:
    """The size of an rsa key is read from either half."""
    key = types["rsa"].generate(Options({"bits": bits}))

    assert types["rsa"].bits(key) == bits
    assert types["rsa"].bits(key.without_secret()) == bits
    assert types["rsa"].bits(Key("rsa", secret=key.secret)) == bits


@pytest.mark.parametrize("bits", [128, 8192])
def test_oct_bounds_are_allowed(types: Mapping[str, KeyType], bits: int) -> None:
    """Both bounds of `bits` can be generated."""
    assert types["oct"].bits(types["oct"].generate(Options({"bits": bits}))) == bits


@pytest.mark.parametrize("name", ["ed25519", "x25519", "ec-p256", "ec-p384", "ec-p521", "rsa", "oct"])
def test_generated_keys_differ(types: Mapping[str, KeyType], keys: Mapping[str, Key], name: str) -> None:
    """No two generated keys are the same."""
    another = types[name].generate(Options({"bits": 2048}))

    assert another.secret is not None
    assert another.secret != keys[name].secret


def test_completing_keeps_kid_and_attributes(types: Mapping[str, KeyType], keys: Mapping[str, Key]) -> None:
    """A derived public half changes nothing else of the key."""
    source = keys["ed25519"]
    attributes = type(source.attributes)({"use": "sig", "x-note": ["a"]})

    completed = types["ed25519"].complete(Key("ed25519", "kid-1", source.secret, None, attributes))

    assert completed == Key("ed25519", "kid-1", source.secret, source.public, attributes)


def test_oct_keys_down_to_one_byte_are_complete(types: Mapping[str, KeyType]) -> None:
    """A short oct key is still a key: what it is good for is decided where it is used."""
    key = Key("oct", secret=Secret(b"x"))

    assert types["oct"].complete(key) == key
    assert types["oct"].bits(key) == 8
