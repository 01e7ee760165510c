"""The key types as the hook returns them, and one fresh key of each."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from keywright import Key, KeyType, Options
from keywright_keytypes import keywright_register_key_types

_OPTIONS = {"rsa": {"bits": 2048}, "oct": {"bits": 512}}


@pytest.fixture(scope="session")
def types() -> Mapping[str, KeyType]:
    return {key_type.name: key_type for key_type in keywright_register_key_types()}


@pytest.fixture(scope="session")
def keys(types: Mapping[str, KeyType]) -> Mapping[str, Key]:
    return {name: key_type.generate(Options(_OPTIONS.get(name, {}))) for name, key_type in types.items()}
