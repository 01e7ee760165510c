"""The file store and its plugin keep the contracts of `keywright.testing`."""

from __future__ import annotations

from pathlib import Path

import pytest

from keywright import Options
from keywright.testing import OnDiskStoreContract, OpenWritableStore, PluginContract
from keywright_file import TIMEOUT, FileBackend


class TestFileStore(OnDiskStoreContract):
    """Stores of files."""

    capabilities = FileBackend.capabilities

    @pytest.fixture
    def place(self, directory: Path) -> Path:
        """The directory of the store."""
        return directory / "keys"

    @pytest.fixture
    def open_store(self, place: Path) -> OpenWritableStore:
        """Opens the same directory each time."""
        return lambda: FileBackend().open(Options({"path": str(place), "timeout": TIMEOUT}))

    def newer(self, place: Path) -> None:
        """With the marker of the layout after this one."""
        (place / ".keywright" / "format").write_bytes(b"keywright file store 9\n")


class TestFilePlugin(PluginContract):
    """The plugin module."""

    module = "keywright_file"
