"""A small sound store of files, each step of it a method, so that a variant can do one of them wrong."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from keywright.errors import (
    AccessDeniedError,
    ConflictError,
    DamagedStoreError,
    DurabilityUnknownError,
    KeyExistsError,
    KeyNotFoundError,
    UnsupportedOperationError,
)
from keywright.protocols import Capabilities
from keywright.records import Record, RecordInfo, Revision, State, decode_info, encode_info
from keywright.secret import Secret

_T = TypeVar("_T")

CAN = Capabilities(writable=True, metadata=True)
_MARKER = b"toy store 1\n"
_DENIED = (PermissionError,)


class ToyStore:
    """One JSON file for each version, `NAME@N` with `+` for `/`; a marker; each write locks the directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, name: str, version: int) -> Record:
        with self._told():
            self._check()
            try:
                return self._load(self._read(self._file(name, version)), name, version)
            except FileNotFoundError:
                raise KeyNotFoundError(f"{name}@{version}: is not in {self.path}; look for another") from None

    def versions(self, name: str) -> Sequence[RecordInfo]:
        found = []
        for version in sorted(self._all().get(name, [])):
            with suppress(KeyNotFoundError):  # removed since it was listed
                found.append(self.get(name, version).info)
        return tuple(found)

    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        return iter([name for name in sorted(self._all()) if name.startswith(prefix) and name > after][:limit])

    def create(self, record: Record) -> RecordInfo:
        info = record.info
        self._refuse(record)

        def add() -> RecordInfo:
            if self._file(info.name, info.version).exists():
                raise KeyExistsError(f"{info.reference}: is in {self.path} already; take another version")
            return self._put(record)

        return self._changed(add)

    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        info = record.info
        self._refuse(record)

        def change() -> RecordInfo:
            old = self.get(info.name, info.version)
            if old.info.revision != expected:
                raise ConflictError(f"{info.reference}: changed; read it again")
            destroys = info.state is State.DESTROYED and record.payload is None
            if record.payload != old.payload and encode_info(info) != encode_info(old.info) and not destroys:
                raise UnsupportedOperationError(f"{info.reference}: update metadata or payload; make two updates")
            return self._put(record)

        return self._changed(change)

    def remove(self, name: str, *, expected: Sequence[Revision]) -> None:
        def take_away() -> None:
            infos = self.versions(name)
            if not infos:
                raise KeyNotFoundError(f"{name}: is not in {self.path}; look for another")
            if [info.revision for info in infos] != list(expected):
                raise ConflictError(f"{name}: changed; read it again")
            for info in reversed(infos):
                self._file(name, info.version).unlink()
            self._sync_directory(self.path)

        self._changed(take_away)

    def close(self) -> None:
        """Nothing is left to do: each change was made when it was asked for."""

    # Each of the following is one thing that may be done wrong.

    def _refuse(self, record: Record) -> None:
        if record.info.state is State.DESTROYED and record.payload is not None:
            raise UnsupportedOperationError(f"{record.info.reference}: what is destroyed has no payload; leave it out")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except _DENIED:
            raise AccessDeniedError(f"{self.path}: this user may not; run as its owner") from None
        except OSError as error:
            raise DamagedStoreError(f"{self.path}: {error.strerror}; restore it from a backup") from None

    def _changed(self, change: Callable[[], _T]) -> _T:
        def work() -> _T:
            if not (self.path / "marker").exists() and not self._all():
                self._write("marker", _MARKER)
            self._check()
            return change()

        with self._told():
            if not self.path.exists():
                self._make_directory()
                self._sync_directory(self.path.parent)
            return self._locked(work)

    def _locked(self, work: Callable[[], _T]) -> _T:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            return work()
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a child that another thread forked holds the descriptor too
            os.close(descriptor)

    def _make_directory(self) -> None:
        with suppress(FileExistsError):
            os.mkdir(self.path, 0o700)
            os.chmod(self.path, 0o700)

    def _check(self) -> None:
        """The marker, and that nobody else can write."""
        try:
            self._trust(self.path)
        except FileNotFoundError:
            return  # there is no store yet
        try:
            marker = self._read(self.path / "marker")
        except FileNotFoundError:
            # The marker comes before the first record: if that came meanwhile, the marker is there now.
            if self._files() and not os.path.lexists(self.path / "marker"):
                raise DamagedStoreError(f"{self.path}: the marker is missing; restore it from a backup") from None
            return
        if marker != _MARKER:
            newer = marker.startswith(b"toy store ") and marker[10:-1].isdigit()
            raise DamagedStoreError(f"{self.path}: is {'of a newer keywright' if newer else 'no store'}; see `path`")

    def _trust(self, path: Path) -> None:
        if os.stat(path, follow_symlinks=False).st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise AccessDeniedError(f"{self.path}: others may change it; run chmod go-w")

    def _files(self) -> list[str]:
        return [name for name in os.listdir(self.path) if "@" in name and not name.endswith(".new")]

    def _all(self) -> Mapping[str, list[int]]:
        found: dict[str, list[int]] = {}
        with self._told():
            self._check()
            try:
                files = self._files()
            except FileNotFoundError:
                return {}
        for file in files:
            name, version = file.replace("+", "/").split("@")
            found.setdefault(name, []).append(int(version))
        return found

    def _file(self, name: str, version: int) -> Path:
        return self.path / f"{name.replace('/', '+')}@{version}"

    def _read(self, path: Path) -> bytes:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise DamagedStoreError(f"{self.path}: something else stands in the place of a file; move it away")
            self._trust(path)
            return file.read()

    def _dump(self, record: Record, revision: str) -> bytes:
        payload = None if record.payload is None else base64.b64encode(record.payload.reveal()).decode()
        info = base64.b64encode(encode_info(record.info)).decode()
        digest = sha256(f"{info} {payload} {revision}".encode()).hexdigest()
        return json.dumps([info, payload, revision, digest]).encode()

    def _load(self, data: bytes, name: str, version: int) -> Record:
        try:
            info, payload, revision, digest = self._parse(data)
            read = decode_info(base64.b64decode(info), where=str(self.path), revision=revision)
        except (ValueError, TypeError, RecursionError):
            raise self._damaged() from None
        if digest != sha256(f"{info} {payload} {revision}".encode()).hexdigest():
            raise self._damaged()
        if (read.name, read.version) != (name, version):
            raise self._damaged()
        return Record(read, None if payload is None else Secret(base64.b64decode(payload)))

    def _parse(self, data: bytes) -> Any:
        return json.loads(data)

    def _damaged(self) -> DamagedStoreError:
        return DamagedStoreError(f"{self.path}: a record is damaged; restore it from a backup")

    def _put(self, record: Record) -> RecordInfo:
        revision = os.urandom(16).hex()
        name = self._file(record.info.name, record.info.version).name
        self._write(name, self._dump(record, revision))
        return replace(record.info, revision=Revision(revision))

    def _write(self, name: str, data: bytes) -> None:
        """Beside, synced, and then into its place."""
        new = self.path / f"{name}.{os.getpid()}.{threading.get_ident()}.new"
        try:
            self._write_new(new, data)
            os.rename(new, self.path / name)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(new)
            raise
        self._sync_directory(self.path)

    def _write_new(self, new: Path, data: bytes) -> None:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(data)
            file.flush()
            self._sync(descriptor)

    def _sync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            self._sync(descriptor)
        finally:
            os.close(descriptor)

    def _sync(self, descriptor: int) -> None:
        try:
            os.fsync(descriptor)
        except OSError:
            raise DurabilityUnknownError(f"{self.path}: a write was not confirmed; check the disk") from None


class StoresInTheClear(ToyStore):
    """Sound, and its files hold the payload as it is, so that a search finds what stays behind."""

    def _dump(self, record: Record, revision: str) -> bytes:
        payload = b"" if record.payload is None else record.payload.reveal()
        return super()._dump(record, revision) + b"\n" + payload

    def _parse(self, data: bytes) -> Any:
        head, _, payload = data.partition(b"\n")
        members = json.loads(head)
        if (members[1] is None and payload) or (members[1] and base64.b64decode(members[1]) != payload):
            raise ValueError("another payload")
        return members


def sound_of(kind: type[ToyStore]) -> type[ToyStore]:
    """The sound store that the fault was planted in."""
    return StoresInTheClear if issubclass(kind, StoresInTheClear) else ToyStore


def make_newer(_contract: object, place: Path) -> None:
    """The store becomes one of the next layout."""
    (place / "marker").write_bytes(b"toy store 2\n")
