"""An outside check: keyring's own tests for its backends, over an adapter on each writable store."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import pytest

from keywright import Options, Record, RecordInfo, Secret, WritableStore
from keywright.stores.memory import MemoryBackend
from keywright_file import FileBackend
from keywright_sqlite import SqliteBackend

try:
    from keyring.backend import KeyringBackend
    from keyring.errors import PasswordDeleteError
    from keyring.testing.backend import BackendBasicTests
except ImportError:
    if os.environ.get("KEYWRIGHT_REQUIRE_PEERS"):
        raise
    pytest.skip("keyring is not installed", allow_module_level=True)

Open = Callable[[], AbstractContextManager[WritableStore]]
_LONGEST_SEGMENT = 99  # of the 200 bytes of a name, which has two and a slash


def segment(text: str) -> str:
    """Any text as a segment of a name; the letter before it keeps it from being empty or a device's name."""
    encoded = "x" + base64.b32hexencode(text.encode()).decode().lower().rstrip("=")
    if len(encoded) <= _LONGEST_SEGMENT:
        return encoded
    return "y" + hashlib.sha256(text.encode()).hexdigest()


class StoreKeyring(KeyringBackend):
    """A keyring in a store, which it opens again for each call. A password is the payload of a name's last version."""

    priority = 0.1  # only ever chosen by name

    def __init__(self, open_store: Open, *, rotates: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # (keyring annotates few of its own)
        self._open = open_store
        self._rotates = rotates  # a changed password is a new version, or a new payload

    def get_password(self, service: str, username: str) -> str | None:
        name = f"{segment(service)}/{segment(username)}"
        with self._open() as store:
            infos = store.versions(name)
            payload = store.get(name, infos[-1].version).payload if infos else None
        return None if payload is None else payload.reveal().decode()

    def set_password(self, service: str, username: str, password: str) -> None:
        name, payload = f"{segment(service)}/{segment(username)}", Secret(password.encode())
        with self._open() as store:
            infos = store.versions(name)
            if infos and not self._rotates:
                store.replace_payload(infos[-1].name, infos[-1].version, payload, infos[-1].revision)
            else:
                store.create(Record(RecordInfo(name=name, version=len(infos) + 1), payload))

    def delete_password(self, service: str, username: str) -> None:
        name = f"{segment(service)}/{segment(username)}"
        with self._open() as store:
            infos = store.versions(name)
            if not infos:
                raise PasswordDeleteError("no such password")
            store.remove(name, [info.revision for info in infos])


def memory(directory: Path) -> Open:
    backend = MemoryBackend()
    return lambda: backend.open(Options({"id": str(directory)}))


def file(directory: Path) -> Open:
    options = Options({"path": str(directory / "keys"), "timeout": timedelta(seconds=5)})
    return lambda: FileBackend().open(options)


def sqlite(directory: Path) -> Open:
    options = Options({"path": str(directory / "keys.db"), "timeout": timedelta(seconds=5)})
    return lambda: SqliteBackend().open(options)


class OverAStore(BackendBasicTests):
    """keyring's tests, unchanged: they ask for `init_keyring`, and call `cleanup` at the end."""

    opener: ClassVar[Callable[[Path], Open]]
    rotates: ClassVar[bool] = False

    def init_keyring(self) -> StoreKeyring:
        self.place = TemporaryDirectory()
        return StoreKeyring(type(self).opener(Path(self.place.name)), rotates=self.rotates)

    def cleanup(self) -> None:
        super().cleanup()  # type: ignore[no-untyped-call]  # (as above)
        self.place.cleanup()


class TestOverMemory(OverAStore):
    """In memory, a changed password a new payload."""

    opener = memory


class TestOverFile(OverAStore):
    """In files, a changed password a new payload."""

    opener = file


class TestOverSqlite(OverAStore):
    """In SQLite, a changed password a new payload."""

    opener = sqlite


class TestOverMemoryRotated(TestOverMemory):
    """In memory, a changed password a new version."""

    rotates = True


class TestOverFileRotated(TestOverFile):
    """In files, a changed password a new version."""

    rotates = True


class TestOverSqliteRotated(TestOverSqlite):
    """In SQLite, a changed password a new version."""

    rotates = True
