"""What the stores do, done by hand: the same synced files, a raw INSERT and SELECT; and another keyring."""

from __future__ import annotations

import os
import sqlite3
from base64 import b64encode
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

__all__ = ["INFO", "PAYLOAD", "Files", "PlaintextKeyring", "Rows"]

PAYLOAD = b"cache.example.org-1:" + b"A" * 88
INFO = b"x" * 400
"""As long as the metadata of such a key."""


class Files:
    """A directory of two synced files a key, made beside and renamed into place."""

    def __init__(self, root: Path) -> None:
        self._root = root
        (root / "tmp").mkdir(parents=True)

    def create(self, name: str) -> None:
        """Durable: both files, their directory, the name's directory and the root are synced."""
        made, placed = self._root / "tmp" / name, self._root / name
        made.mkdir()
        for file, data in (("key", PAYLOAD), ("meta.json", INFO)):
            descriptor = os.open(made / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(descriptor, data)
            os.fsync(descriptor)
            os.close(descriptor)
        _sync(made)
        placed.mkdir()
        os.rename(made, placed / "@1")
        _sync(placed)
        _sync(self._root)

    def get(self, name: str) -> None:
        """Read both files."""
        for file in ("key", "meta.json"):
            descriptor = os.open(self._root / name / "@1" / file, os.O_RDONLY)
            os.read(descriptor, 65536)
            os.close(descriptor)


class Rows:
    """A table with a row a key, as durable."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute(
            "CREATE TABLE record (name TEXT, version INTEGER, info BLOB, payload BLOB, PRIMARY KEY (name, version))"
        )

    def create(self, name: str) -> None:
        """One INSERT, committed."""
        self._connection.execute("INSERT INTO record VALUES (?, 1, ?, ?)", (name, INFO, PAYLOAD))

    def get(self, name: str) -> None:
        """One SELECT."""
        self._connection.execute("SELECT info, payload FROM record WHERE name = ? AND version = 1", (name,)).fetchone()


class _Keyring(Protocol):
    file_path: str

    def get_password(self, service: str, username: str) -> str | None: ...
    def set_password(self, service: str, username: str, password: str) -> None: ...


class PlaintextKeyring:
    """keyrings.alt's, holding `count` passwords `k0`, `k1`, … of one service."""

    def __init__(self, path: Path, count: int) -> None:
        value = b64encode(PAYLOAD).decode()
        path.write_text("[service]\n" + "".join(f"k{number} = {value}\n" for number in range(count)))
        self._keyring = cast("_Keyring", import_module("keyrings.alt.file").PlaintextKeyring())
        self._keyring.file_path = str(path)

    def get(self, name: str) -> None:
        """`get_password`; it must find what was put in."""
        if self._keyring.get_password("service", name) != PAYLOAD.decode():
            raise LookupError(f"PlaintextKeyring does not know {name}")

    def create(self, name: str) -> None:
        """`set_password`."""
        self._keyring.set_password("service", name, PAYLOAD.decode())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
