"""The Nix format and its plugin keep the contracts of `keywright.testing`."""

from __future__ import annotations

import pytest

from keywright import Format
from keywright.testing import FormatContract, PluginContract, Sample
from keywright_nix.key import NixFormat


class TestNixFormat(FormatContract):
    """Keys as Nix writes them.

    The samples are those of Nix's manual, `nix key convert-secret-to-public`, and the default of its setting
    `trusted-public-keys`.
    """

    samples = (
        Sample(
            b"cache.example.org-0:E7lAO+MsPwTFfPXsdPtW8GKui/5ho4KQHVcAGnX+Tti1V4dUxoVoqLyWJ4YESuZJwQ67GVIksDt47og+tPVUZw=="
        ),
        Sample(b"cache.example.org-0:tVeHVMaFaKi8lieGBErmScEOuxlSJLA7eO6IPrT1VGc="),
        Sample(b"cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY="),
    )

    @pytest.fixture
    def format(self) -> Format:
        """The format under test."""
        return NixFormat()


class TestNixPlugin(PluginContract):
    """The plugin module."""

    module = "keywright_nix.plugin"
