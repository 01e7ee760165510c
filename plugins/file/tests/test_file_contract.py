"""The file store and its plugin keep the contracts of `keywright.testing`."""

from __future__ import annotations

from pathlib import Path

import pytest

from keywright import Options
from keywright.testing import OpenWritableStore, PluginContract, WritableStoreContract
from keywright_file.backend import FileBackend


class TestFileStore(WritableStoreContract):
    """Stores of files."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenWritableStore:
        """Opens the same directory each time."""
        return lambda: FileBackend().open(Options({"path": str(tmp_path / "keys")}))


class TestFilePlugin(PluginContract):
    """The plugin module."""

    module = "keywright_file"
