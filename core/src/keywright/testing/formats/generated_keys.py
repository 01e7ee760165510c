"""What the contract of key types is tried on: fresh keys, and the algorithms that each can be bound with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import pytest

from keywright.errors import InvalidKeyError
from keywright.keys import Key
from keywright.protocols import KeyType
from keywright.settings.model import Given, Options
from keywright.settings.values import check_options
from keywright.testing.rules import Contract

__all__ = ["GeneratedKeys"]


class GeneratedKeys(Contract):
    """Part of `KeyTypeContract`, which says what may be overridden."""

    option_sets: ClassVar[Sequence[Mapping[str, object]]] = ({},)
    samples: ClassVar[int] = 64
    synonyms: ClassVar[Sequence[frozenset[str]]] = (frozenset({"EdDSA", "Ed25519"}),)

    @pytest.fixture
    def key_type(self) -> KeyType:
        """To be overridden."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `key_type`")

    def options(self, key_type: KeyType, values: Mapping[str, object]) -> Options:
        """`values` checked as configuration checks them."""
        given_values = {name: Given(value, f"keys.{name}", "the test", "/") for name, value in values.items()}
        return check_options(given_values, key_type.settings, owner="the key type", path="keys", source="the test")

    def keys(self, key_type: KeyType) -> list[Key]:
        """A fresh key for each of `option_sets`."""
        return [key_type.generate(self.options(key_type, values)) for values in self.option_sets]

    def bindings(self, key_type: KeyType) -> Iterator[tuple[Key, str]]:
        """Fresh keys, each with every algorithm that it is strong enough for."""
        for key in self.keys(key_type):
            for algorithm in key_type.algorithms:
                try:
                    key_type.verifier(key, algorithm)
                except InvalidKeyError:
                    continue
                yield key, algorithm

    @pytest.fixture
    def bound(self, key_type: KeyType) -> list[tuple[Key, str]]:
        """`bindings` made once, for laws that try many messages."""
        return list(self.bindings(key_type))
