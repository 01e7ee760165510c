"""The key types and their plugin keep the contracts of `keywright.testing`, and what the plugin costs to load."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest
from support.errors import text_of

import keywright_keytypes
from keywright import Key, KeyType, Options
from keywright.errors import ConfigError
from keywright.testing import KeyTypeContract, PluginContract

TYPES = {key_type.name: key_type for key_type in keywright_keytypes.keywright_register_key_types()}


class OneOfOurs(KeyTypeContract):
    """A key type of this plugin, by name."""

    name = ""

    @pytest.fixture
    def key_type(self) -> KeyType:
        return TYPES[self.name]


class TestEd25519(OneOfOurs):
    name = "ed25519"


class TestX25519(OneOfOurs):
    name = "x25519"


class TestEcP256(OneOfOurs):
    name = "ec-p256"


class TestEcP384(OneOfOurs):
    name = "ec-p384"


class TestEcP521(OneOfOurs):
    name = "ec-p521"


class TestRsa(OneOfOurs):
    name = "rsa"
    option_sets = ({"bits": 2048},)
    samples = 16


class TestOct(OneOfOurs):
    name = "oct"
    option_sets = ({}, {"bits": 512}, {"bits": 128}, {"bits": 8192})


class TestKeytypesPlugin(PluginContract):
    module = "keywright_keytypes"


def test_the_plugin_registers_seven_types_and_each_is_held_to_the_contract() -> None:
    """In the order that people expect to read them."""
    assert list(TYPES) == ["ed25519", "x25519", "ec-p256", "ec-p384", "ec-p521", "rsa", "oct"]
    assert [kind.name for kind in OneOfOurs.__subclasses__()] == list(TYPES)
    assert keywright_keytypes.KEYWRIGHT_API == 1


def test_oct_keys_are_made_without_cryptography() -> None:
    code = (
        "import sys, keywright, keywright_keytypes as k\n"
        "t = {t.name: t for t in k.keywright_register_key_types()}['oct']\n"
        "t.validate(t.generate(keywright.Options({'bits': 256})))\n"
        "print(*(name for name in sys.modules if name.startswith('cryptography')))"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def test_each_type_names_its_algorithms_the_default_first() -> None:
    assert {name: key_type.algorithms for name, key_type in TYPES.items()} == {
        "ed25519": ("EdDSA", "Ed25519"),
        "x25519": (),
        "ec-p256": ("ES256",),
        "ec-p384": ("ES384",),
        "ec-p521": ("ES512",),
        "rsa": ("PS256", "PS384", "PS512", "RS256", "RS384", "RS512"),
        "oct": ("HS256", "HS384", "HS512"),
    }


@pytest.mark.parametrize(("name", "default", "least", "most"), [("rsa", 3072, 2048, 8192), ("oct", 256, 128, 8192)])
def test_sizes_are_a_setting(types: Mapping[str, KeyType], name: str, default: int, least: int, most: int) -> None:
    """rsa and oct have one setting, `bits`; options that were built by hand make no weak key either."""
    (setting,) = types[name].settings
    rule = f"a whole number that is a multiple of 8 from {least} to {most}"

    assert (setting.name, setting.type, setting.default, setting.rule()) == ("bits", "integer", default, rule)
    for bits in (least - 8, most + 8, least + 1):
        with pytest.raises(ConfigError) as caught:
            types[name].generate(Options({"bits": bits}))
        assert text_of(caught.value) == f"bits of a key of type {name} must be {rule}"


@pytest.mark.parametrize(
    ("name", "secret_bytes", "public_bytes", "bits"),
    [
        ("ed25519", 32, 32, 256),
        ("x25519", 32, 32, 256),
        ("ec-p256", 32, 65, 256),
        ("ec-p384", 48, 97, 384),
        ("ec-p521", 66, 133, 521),
        ("oct", 64, None, 512),
    ],
    ids=[name for name in TYPES if name != "rsa"],
)
def test_layout_and_size(
    types: Mapping[str, KeyType], keys: Mapping[str, Key], name: str, secret_bytes: int, public_bytes: int, bits: int
) -> None:
    key = keys[name]

    assert key.secret is not None
    assert len(key.secret) == secret_bytes
    assert (None if key.public is None else len(key.public)) == public_bytes
    assert types[name].bits(key) == bits
    assert name == "oct" or types[name].settings == ()
