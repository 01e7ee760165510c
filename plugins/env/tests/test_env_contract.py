"""The environment store and its plugin keep the contracts of `keywright.testing`."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from keywright import Options, Secret
from keywright.testing import OpenStore, PluginContract, StoreContract
from keywright_env import EnvBackend

HELD = {"cache": Secret(b"k3y-0f-th3-c4ch3"), "cache/inner": Secret(b"k3y-1ns1d3-1t"), "other": Secret(b"4n0th3r-0n3")}
VARIABLES = {"cache": "KW_TEST_CACHE", "cache/inner": "KW_TEST_INNER", "other": "KW_TEST_OTHER"}


class TestEnvStore(StoreContract):
    """Stores of environment variables."""

    capabilities = EnvBackend.capabilities

    @pytest.fixture
    def held(self) -> Mapping[str, Secret | None]:
        """What the variables hold."""
        return HELD

    @pytest.fixture
    def open_store(self, monkeypatch: pytest.MonkeyPatch) -> OpenStore:
        """Sets the variables, and opens the store over them."""
        for name, payload in HELD.items():
            monkeypatch.setenv(VARIABLES[name], payload.reveal().decode())
        return lambda: EnvBackend().open(Options({"variables": VARIABLES}))


class TestEnvPlugin(PluginContract):
    """The plugin module."""

    module = "keywright_env"
