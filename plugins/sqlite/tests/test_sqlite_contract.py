"""The SQLite store and its plugin keep the contracts of `keywright.testing`."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from keywright import Options
from keywright.testing import OnDiskStoreContract, OpenWritableStore, PluginContract
from keywright_sqlite import SqliteBackend


class TestSqliteStore(OnDiskStoreContract):
    """Stores in SQLite."""

    capabilities = SqliteBackend.capabilities

    syncs_in_python = False

    @pytest.fixture
    def place(self, directory: Path) -> Path:
        """The database."""
        return directory / "keys.db"

    @pytest.fixture
    def open_store(self, place: Path) -> OpenWritableStore:
        """Opens the same database each time."""
        options = Options({"path": str(place), "timeout": timedelta(seconds=5)})
        return lambda: SqliteBackend().open(options)

    def newer(self, place: Path) -> None:
        """With the number of a layout that does not exist yet."""
        connection = sqlite3.connect(place)
        connection.execute("PRAGMA user_version = 99")
        connection.close()


class TestSqlitePlugin(PluginContract):
    """The plugin module."""

    module = "keywright_sqlite"
