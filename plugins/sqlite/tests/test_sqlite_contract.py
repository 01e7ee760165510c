"""The SQLite store and its plugin keep the contracts of `keywright.testing`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from keywright import Options
from keywright.testing import OpenWritableStore, PluginContract, WritableStoreContract
from keywright_sqlite.backend import SqliteBackend


class TestSqliteStore(WritableStoreContract):
    """Stores in SQLite."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenWritableStore:
        """Opens the same database each time."""
        options = Options({"path": str(tmp_path / "keys.db"), "timeout": timedelta(seconds=5)})
        return lambda: SqliteBackend().open(options)


class TestSqlitePlugin(PluginContract):
    """The plugin module."""

    module = "keywright_sqlite"
