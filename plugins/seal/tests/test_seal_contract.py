"""The seals and their plugin keep the contracts of `keywright.testing`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keywright.testing import OpenSeal, PluginContract, SealContract
from keywright_seal.envelope import OpenedEnvelopeSeal

Opener = Callable[..., OpenedEnvelopeSeal]


class TestPassphraseSeal(SealContract):
    @pytest.fixture
    def open_seal(self, passphrase: Opener) -> OpenSeal:
        return lambda: passphrase("correct horse")

    @pytest.fixture
    def open_other_seal(self, passphrase: Opener) -> OpenSeal:
        return lambda: passphrase("correct horsf")


class TestMasterKeySeal(SealContract):
    @pytest.fixture
    def open_seal(self, master_key: Opener) -> OpenSeal:
        return lambda: master_key("a0" * 32)

    @pytest.fixture
    def open_other_seal(self, master_key: Opener) -> OpenSeal:
        """With another, in which one bit differs."""
        return lambda: master_key("a0" * 31 + "a1")


class TestRotatedMasterKeySeal(SealContract):
    """The seal `master-key` with previous keys, which are not a fallback for what they did not seal."""

    @pytest.fixture
    def open_seal(self, master_key: Opener) -> OpenSeal:
        return lambda: master_key("a0" * 32, previous=("b1" * 32, "b2" * 32))

    @pytest.fixture
    def open_other_seal(self, master_key: Opener) -> OpenSeal:
        return lambda: master_key("c0" * 32, previous=("c1" * 32,))


class TestSealPlugin(PluginContract):
    module = "keywright_seal"
