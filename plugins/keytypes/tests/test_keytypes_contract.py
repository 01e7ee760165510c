"""The key types and their plugin keep the contracts of `keywright.testing`."""

from __future__ import annotations

import pytest

import keywright_keytypes
from keywright import KeyType
from keywright.testing import KeyTypeContract, PluginContract

TYPES = {key_type.name: key_type for key_type in keywright_keytypes.keywright_register_key_types()}


class OneOfOurs(KeyTypeContract):
    """A key type of this plugin, by name."""

    name = ""

    @pytest.fixture
    def key_type(self) -> KeyType:
        """The key type under test."""
        return TYPES[self.name]


class TestEd25519(OneOfOurs):
    """RFC 8032."""

    name = "ed25519"


class TestX25519(OneOfOurs):
    """RFC 7748."""

    name = "x25519"


class TestEcP256(OneOfOurs):
    """RFC 7518 §6.2, P-256."""

    name = "ec-p256"


class TestEcP384(OneOfOurs):
    """RFC 7518 §6.2, P-384."""

    name = "ec-p384"


class TestEcP521(OneOfOurs):
    """RFC 7518 §6.2, P-521."""

    name = "ec-p521"


class TestRsa(OneOfOurs):
    """RFC 7518 §6.3."""

    name = "rsa"
    option_sets = ({"bits": 2048},)
    samples = 16


class TestOct(OneOfOurs):
    """RFC 7518 §6.4."""

    name = "oct"
    option_sets = ({}, {"bits": 512}, {"bits": 128})


class TestKeytypesPlugin(PluginContract):
    """The plugin module."""

    module = "keywright_keytypes"


def test_every_type_is_held_to_the_contract() -> None:
    """No type of the plugin is forgotten above."""
    assert {kind.name for kind in OneOfOurs.__subclasses__()} == set(TYPES)
