"""The stores that are put to the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from kills.worker import Open

from keywright import Options
from keywright_file.backend import FileBackend
from keywright_sqlite.backend import SqliteBackend

__all__ = ["OPENERS"]


def _file(directory: Path) -> Open:
    options = Options({"path": str(directory / "keys"), "timeout": timedelta(minutes=1)})
    return lambda: FileBackend().open(options)


def _sqlite(directory: Path) -> Open:
    options = Options({"path": str(directory / "keys.db"), "timeout": timedelta(seconds=20)})
    return lambda: SqliteBackend().open(options)


OPENERS: Final[Mapping[str, Callable[[Path], Open]]] = {"file": _file, "sqlite": _sqlite}
"""By kind: from a directory to what opens the store in it, which is made by its first write."""
