"""The contract of stores of files passes a small sound one, and catches each planted fault by the rule beside it."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from planted import Fault, cases, fails, fault, without_fault

from keywright import (
    Capabilities,
    Problem,
    Record,
    RecordInfo,
    Revision,
    Secret,
    State,
    WritableStore,
    decode_info,
    encode_info,
)
from keywright.errors import (
    AccessDeniedError,
    ConflictError,
    CorruptedStoreError,
    DurabilityError,
    KeyExistsError,
    KeyNotFoundError,
    StoreUnavailableError,
    UnsupportedOperationError,
)
from keywright.testing import (
    OnDiskStoreContract,
    OpenWritableStore,
    RemoteStoreContract,
    processes,
)
from keywright.testing.stores import concurrency, on_disk

_T = TypeVar("_T")

_CAN = Capabilities(writable=True, metadata=True)
_MARKER = b"toy store 1\n"


class ToyStore:
    """One JSON file for each version, `NAME@N` with `+` for `/`; a marker; each write locks the directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, name: str, version: int) -> Record:
        with self._reported():
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

    def update_info(self, info: RecordInfo, expected: Revision) -> RecordInfo:
        def change() -> RecordInfo:
            old = self._expected(info.name, info.version, expected)
            self._refuse(Record(info, old.payload))
            return self._put(Record(info, old.payload))

        return self._changed(change)

    def replace_payload(self, name: str, version: int, payload: Secret, expected: Revision) -> RecordInfo:
        def change() -> RecordInfo:
            old = self._expected(name, version, expected)
            if old.payload is None:
                raise UnsupportedOperationError(f"{name}@{version}: has no payload; import it")
            return self._put(Record(old.info, payload))

        return self._changed(change)

    def destroy(self, info: RecordInfo, expected: Revision) -> RecordInfo:
        if info.state is not State.DESTROYED:
            raise UnsupportedOperationError(f"{info.reference}: is not to be destroyed; use update_info")

        def change() -> RecordInfo:
            self._expected(info.name, info.version, expected)
            return self._put(Record(info, None))

        return self._changed(change)

    def _expected(self, name: str, version: int, expected: Revision) -> Record:
        old = self.get(name, version)
        if old.info.revision != expected:
            raise ConflictError(f"{name}@{version}: changed; read it again")
        return old

    def remove(self, name: str, expected: Sequence[Revision]) -> None:
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
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except PermissionError:
            raise AccessDeniedError(f"{self.path}: this user may not; run as its owner") from None
        except OSError as error:
            raise CorruptedStoreError(f"{self.path}: {error.strerror}; restore it from a backup") from None

    def _changed(self, change: Callable[[], _T]) -> _T:
        def work() -> _T:
            if not (self.path / "marker").exists() and not self._all():
                self._write("marker", _MARKER)
            self._check()
            return change()

        with self._reported():
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
        """The marker, and that no one else can write."""
        try:
            self._trust(self.path)
        except FileNotFoundError:
            return  # there is no store yet
        try:
            marker = self._read(self.path / "marker")
        except FileNotFoundError:
            # The marker comes before the first record: if that came meanwhile, the marker is there now.
            if self._files() and not os.path.lexists(self.path / "marker"):
                raise CorruptedStoreError(f"{self.path}: the marker is missing; restore it from a backup") from None
            return
        if marker != _MARKER:
            newer = marker.startswith(b"toy store ") and marker[10:-1].isdigit()
            raise CorruptedStoreError(f"{self.path}: is {'of a newer keywright' if newer else 'no store'}; see `path`")

    def _trust(self, path: Path) -> None:
        if os.stat(path, follow_symlinks=False).st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise AccessDeniedError(f"{self.path}: others may change it; run chmod go-w")

    def _files(self) -> list[str]:
        return [name for name in os.listdir(self.path) if "@" in name and not name.endswith(".new")]

    def _all(self) -> Mapping[str, list[int]]:
        found: dict[str, list[int]] = {}
        with self._reported():
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
                raise CorruptedStoreError(
                    f"{self.path}: something else stands in the place of a file; move it out of the store"
                )
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

    def _damaged(self) -> CorruptedStoreError:
        return CorruptedStoreError(f"{self.path}: a record is damaged; restore it from a backup")

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
            raise DurabilityError(f"{self.path}: a write was not confirmed; check the disk") from None


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


# Mutants of more than an expression


class _CutIsNoPayload(ToyStore):
    def _load(self, data: bytes, name: str, version: int) -> Record:
        try:
            return super()._load(data, name, version)
        except CorruptedStoreError:
            return Record(RecordInfo(name=name, version=version), None)


class _DamagedIsNotListed(ToyStore):
    def versions(self, name: str) -> Sequence[RecordInfo]:
        found = []
        for version in sorted(self._all().get(name, [])):
            with suppress(CorruptedStoreError):
                found.append(self.get(name, version).info)
        return tuple(found)


class _ANewMarkerForAnEmptyOne(ToyStore):
    def _check(self) -> None:
        if (self.path / "marker").exists() and not (self.path / "marker").stat().st_size:
            for name in self._files():
                (self.path / name).unlink()
        else:
            super()._check()


class _QuotesWhatItRead(ToyStore):
    def _load(self, data: bytes, name: str, version: int) -> Record:
        try:
            return super()._load(data, name, version)
        except CorruptedStoreError:
            raise CorruptedStoreError(f"{self.path}: this is not a record: {data!r}") from None


class _ChecksNoDigest(ToyStore):
    def _load(self, data: bytes, name: str, version: int) -> Record:
        try:
            info, payload, revision, _ = self._parse(data)
            digest = sha256(f"{info} {payload} {revision}".encode()).hexdigest()
        except (ValueError, TypeError):
            raise self._damaged() from None
        return super()._load(json.dumps([info, payload, revision, digest]).encode(), name, version)


class _ChecksNoName(ToyStore):
    def _load(self, data: bytes, name: str, version: int) -> Record:
        with suppress(CorruptedStoreError):
            return super()._load(data, name, version)
        info, payload, revision, digest = self._parse(data)
        if digest != sha256(f"{info} {payload} {revision}".encode()).hexdigest():
            raise self._damaged()
        read = decode_info(base64.b64decode(info), where=str(self.path), revision=revision)
        payload = None if payload is None else Secret(base64.b64decode(payload))
        return Record(replace(read, name=name, version=version), payload)


class _CreatesOverDamage(ToyStore):
    def create(self, record: Record) -> RecordInfo:
        try:
            self.get(record.info.name, record.info.version)
        except CorruptedStoreError:
            self._file(record.info.name, record.info.version).unlink()
        except KeyNotFoundError:
            pass
        return super().create(record)


class _ChecksCarelessly(ToyStore):
    def check(self) -> Iterator[Problem]:
        for path in self.path.glob("*@*"):
            json.loads(path.read_bytes())
        yield from ()


class _ChecksAndRepairs(ToyStore):
    def check(self) -> Iterator[Problem]:
        for path in self.path.glob("*@*"):
            if not path.read_bytes().startswith(b"["):
                path.write_bytes(b"[]")
        yield from ()


class _ChecksAndQuotes(ToyStore):
    def check(self) -> Iterator[Problem]:
        for path in self.path.glob("*@*"):
            if not path.read_bytes().endswith(b"]"):
                yield Problem(str(path), f"no record:\n{path.read_bytes()!r}", "restore it")


class _UnreadableIsEmpty(ToyStore):
    def _all(self) -> Mapping[str, list[int]]:
        try:
            return super()._all()
        except AccessDeniedError:
            return {}


class _UnreadableIsNotFound(ToyStore):
    def get(self, name: str, version: int) -> Record:
        try:
            return super().get(name, version)
        except AccessDeniedError:
            raise KeyNotFoundError(f"{name}@{version}: is not in {self.path}; look for another") from None


class _LetsOSErrorsOut(ToyStore):
    @contextmanager
    def _reported(self) -> Iterator[None]:
        yield


class _MakesItselfWritable(ToyStore):
    def _changed(self, change: Callable[[], _T]) -> _T:
        for path in (self.path, *self.path.glob("*")):
            if path.exists():
                path.chmod(path.stat().st_mode | 0o600)
        return super()._changed(change)


class _RepairsInSilence(ToyStore):
    def _trust(self, path: Path) -> None:
        if path.is_dir():
            path.chmod(0o700)
        elif path.exists():
            path.chmod(0o600)


class _Mode0644(ToyStore):
    def _write_new(self, new: Path, data: bytes) -> None:
        super()._write_new(new, data)
        os.chmod(new, 0o644)


class _ChmodsAfterwards(ToyStore):
    def _write_new(self, new: Path, data: bytes) -> None:
        new.write_bytes(data)
        os.chmod(new, 0o600)
        self._sync_directory(new)


class _LeavesModesToTheUmask(ToyStore):
    def _write_new(self, new: Path, data: bytes) -> None:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            self._sync(descriptor)


class _LeavesTemporaryFiles(ToyStore):
    def _write(self, name: str, data: bytes) -> None:
        new = self.path / f".{name}.{os.urandom(4).hex()}"
        self._write_new(new, data)
        os.link(new, self.path / f"{name}.moved")
        os.rename(self.path / f"{name}.moved", self.path / name)
        self._sync_directory(self.path)


class _WritesBeforeItRefuses(ToyStore):
    def create(self, record: Record) -> RecordInfo:
        new = self.path / f".{record.info.version}{os.urandom(4).hex()}"
        self._changed(lambda: self._write_new(new, b"secret"))
        return super().create(record)


class _KeepsOldPayloads(StoresInTheClear):
    def _write(self, name: str, data: bytes) -> None:
        if (self.path / name).exists():
            os.link(self.path / name, self.path / f".{name}{os.urandom(4).hex()}")
        super()._write(name, data)


class _TakesNoLock(ToyStore):
    def _locked(self, work: Callable[[], _T]) -> _T:
        return work()

    def _write_new(self, new: Path, data: bytes) -> None:
        time.sleep(0.001)
        super()._write_new(new, data)


class _LocksInTheProcessAlone(_TakesNoLock):
    _lock = threading.RLock()

    def _locked(self, work: Callable[[], _T]) -> _T:
        with self._lock:
            return work()


class _LocksOneDescriptor(_TakesNoLock):
    """`flock` belongs to the open file, which a child shares with its parent."""

    _descriptor: int | None = None

    def _locked(self, work: Callable[[], _T]) -> _T:
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            return work()
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)


class _WaitsForAThreadThatIsNotThere(ToyStore):
    _lock = threading.RLock()

    def _locked(self, work: Callable[[], _T]) -> _T:
        def wait() -> _T:
            time.sleep(0.001)
            return work()

        with self._lock:
            return super()._locked(wait)


class _ClosesLocksAlone(ToyStore):
    """A child that is forked meanwhile holds the lock too, and does not release it."""

    def _locked(self, work: Callable[[], _T]) -> _T:
        descriptor = os.open(self.path, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        time.sleep(0.001)
        done = work()
        os.close(descriptor)
        return done


class _WritesInPlace(ToyStore):
    def _write(self, name: str, data: bytes) -> None:
        descriptor = os.open(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for at in range(0, len(data), 512):
            time.sleep(0.000_5)
            os.write(descriptor, data[at : at + 512])
        self._sync(descriptor)
        os.close(descriptor)
        self._sync_directory(self.path)


class _CommitsWhenClosed(ToyStore):
    """Its opener writes what was put when the store is closed."""

    def _write(self, name: str, data: bytes) -> None:
        self.__dict__.setdefault("waiting", {})[name] = data

    def _check(self) -> None:
        pass

    def _locked(self, work: Callable[[], _T]) -> _T:
        return work()

    def close(self) -> None:
        for name, data in self.__dict__.pop("waiting", {}).items():
            super()._write(name, data)


class _LocksAsItEnters(ToyStore):
    """The file is closed, and so unlocked, once the interrupt's traceback is forgotten: too late."""

    def _locked(self, work: Callable[[], _T]) -> _T:
        with _Entered(self.path / "marker"):
            return work()


class _Entered:
    def __init__(self, path: Path) -> None:
        self._file = FileIO(path)

    def __enter__(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        time.sleep(0.0005)

    def __exit__(self, *_: object) -> None:
        self._file.close()


class _SwallowsSyncErrors(ToyStore):
    def _sync(self, descriptor: int) -> None:
        with suppress(OSError):
            os.fsync(descriptor)


class _TriesSyncAgain(ToyStore):
    def _sync(self, descriptor: int) -> None:
        for _ in range(3):
            with suppress(OSError):
                os.fsync(descriptor)
                return
        super()._sync(descriptor)


class _SaysNothingWasWritten(ToyStore):
    def _sync_directory(self, path: Path) -> None:
        try:
            super()._sync_directory(path)
        except DurabilityError:
            raise StoreUnavailableError(f"{self.path}: the disk fails; nothing was written") from None


class _SyncsAfterTheRename(ToyStore):
    def _write(self, name: str, data: bytes) -> None:
        new = self.path / f"{name}.{os.getpid()}.new"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, data)
        os.rename(new, self.path / name)
        os.fsync(descriptor)
        os.close(descriptor)
        self._sync_directory(self.path)


class _LeavesWhatItGaveUp(StoresInTheClear):
    def _write(self, name: str, data: bytes) -> None:
        new = self.path / f".{name}.{os.urandom(4).hex()}"
        self._write_new(new, data)
        os.rename(new, self.path / name)
        self._sync_directory(self.path)


_toy = partial(fault, ToyStore)
_FAULTS = [
    _toy("STORE-59: keeps tombstones full", _refuse=lambda self, sound, record: None),
    # Threads, processes, forks, interrupts
    Fault("STORE-60 STORE-66 STORE-67", _TakesNoLock),
    Fault("STORE-60 STORE-61 STORE-62", _LocksInTheProcessAlone),
    Fault("STORE-63", _WritesInPlace),
    Fault("STORE-64", _LocksOneDescriptor),
    Fault("STORE-65", _WaitsForAThreadThatIsNotThere),
    Fault("STORE-65", _ClosesLocksAlone),
    Fault("STORE-69", _CommitsWhenClosed),
    Fault("STORE-71", _LocksAsItEnters),
    # Who may read the files, and what stays behind
    Fault("DISK-01", _Mode0644),
    _toy(
        "DISK-01: trusts the umask",
        _write_new=lambda self, sound, new, data: (new.write_bytes(data), self._sync_directory(new)),
    ),
    _toy("DISK-01: directory for all", _make_directory=lambda self, sound: self.path.mkdir(exist_ok=True)),
    Fault("DISK-02", _ChmodsAfterwards),
    Fault("DISK-03", _LeavesModesToTheUmask),
    Fault("DISK-04", _LeavesTemporaryFiles),
    _toy(
        "DISK-04: writes elsewhere",
        _write_new=lambda self, sound, new, data: ((self.path.parent / "last").write_bytes(data), sound(new, data)),
    ),
    Fault("DISK-05", _WritesBeforeItRefuses),
    Fault("DISK-06", _KeepsOldPayloads),
    # What is not allowed
    Fault("DISK-10 DISK-13", _UnreadableIsEmpty),
    Fault("DISK-10 DISK-11", _UnreadableIsNotFound),
    Fault("DISK-11 DISK-12 DISK-38", _LetsOSErrorsOut),
    Fault("DISK-12", _MakesItselfWritable),
    _toy("DISK-14: trusts everybody", _trust=lambda self, sound, path: os.stat(path, follow_symlinks=False)),
    Fault("DISK-14", _RepairsInSilence),
    # What is on the medium
    Fault("DISK-20", _SwallowsSyncErrors),
    Fault("DISK-20", _TriesSyncAgain),
    Fault("DISK-20", _SaysNothingWasWritten),
    Fault("DISK-20", _LeavesWhatItGaveUp),
    _toy("DISK-20 DISK-21: never syncs", _sync=lambda self, sound, descriptor: None),
    _toy("DISK-21: never syncs directories", _sync_directory=lambda self, sound, path: None),
    Fault("DISK-21", _SyncsAfterTheRename),
    # Damage
    Fault("DISK-30 DISK-32", _CutIsNoPayload),
    _toy(
        "DISK-30: empty is not there",
        _files=lambda self, sound: [name for name in sound() if (self.path / name).stat().st_size],
    ),
    Fault("DISK-30", _DamagedIsNotListed),
    Fault("DISK-30", _ANewMarkerForAnEmptyOne),
    _toy(
        "DISK-30 DISK-32: lets JSON errors out",
        _load=lambda self, sound, data, *key: (self._parse(data), sound(data, *key))[1],
    ),
    Fault("DISK-30", _QuotesWhatItRead),
    Fault("DISK-31", _ChecksNoDigest),
    Fault("DISK-33", _ChecksNoName),
    _toy(
        "DISK-34: no marker is not a store",
        _files=lambda self, sound: sound() if (self.path / "marker").exists() else [],
    ),
    _toy(
        "DISK-35: reads what is newer",
        _read=lambda self, sound, path: sound(path).replace(b"toy store 2", b"toy store 1"),
    ),
    Fault("DISK-36", _CreatesOverDamage),
    Fault("DISK-37", _ChecksCarelessly),
    Fault("DISK-37", _ChecksAndRepairs),
    Fault("DISK-37", _ChecksAndQuotes),
    _toy("DISK-38: waits at pipes", _read=lambda self, sound, path: path.read_bytes()),
]


class _Contract(OnDiskStoreContract):
    capabilities = _CAN

    def newer(self, place: Path) -> None:
        """The store becomes one of the next layout."""
        (place / "marker").write_bytes(b"toy store 2\n")


class TestToyStore(_Contract):
    """The sound one passes."""

    @pytest.fixture
    def place(self, directory: Path) -> Path:
        """The directory of the store."""
        return directory / "toy"

    @pytest.fixture
    def open_store(self, place: Path) -> OpenWritableStore:
        """The same directory each time."""
        return lambda: nullcontext(ToyStore(place))


class TestToyStoreOfManyMachines(RemoteStoreContract):
    """The sound one passes as a remote store too: its directory may be one of the network."""

    capabilities = _CAN

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenWritableStore:
        """The same directory each time."""
        return lambda: nullcontext(ToyStore(tmp_path / "toy"))


@contextmanager
def _fixtures(kind: type[ToyStore]) -> Iterator[dict[str, object]]:
    """A place as that of the contract, and the functions that open a store there."""
    memory = "/dev/shm"
    with (
        TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as directory,
        pytest.MonkeyPatch.context() as monkeypatch,
    ):
        os.chmod(directory, 0o755)
        place = Path(directory).resolve() / "toy"

        @contextmanager
        def opened() -> Iterator[WritableStore]:
            store = kind(place)
            yield store
            store.close()

        yield {"open_store": opened, "place": place, "monkeypatch": monkeypatch}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs in a store is given up after seconds: planted faults make it hang."""
    monkeypatch.setattr(concurrency, "FORK_SECONDS", 3.0)
    monkeypatch.setattr(processes, "LONGEST_SECONDS", 5.0)
    monkeypatch.setattr(on_disk, "LOOK_SECONDS", 5.0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("planted", "rule"), cases(_FAULTS))
def test_a_faulty_store_of_files_is_caught(planted: Fault, rule: str) -> None:
    """Each planted fault fails the rule that forbids it, and the store without the fault passes."""
    if rule == "DISK-13" and os.geteuid():
        pytest.skip("there is no other user: this is not root")
    sound = StoresInTheClear if issubclass(planted.mutant, StoresInTheClear) else ToyStore

    assert fails(_Contract, rule, partial(_fixtures, planted.mutant))
    assert not fails(_Contract, rule, partial(_fixtures, sound))


@pytest.mark.parametrize(
    ("rule", "claim"),
    [
        ("STORE-14", _CAN._replace(persistent=False)),
        ("STORE-68", _CAN._replace(shared=False)),
        ("STORE-70", _CAN._replace(shared=False, persistent=False)),
    ],
    ids=["ends with its process", "not shared", "neither"],
)
def test_a_claim_that_is_not_true_is_caught(rule: str, claim: Capabilities) -> None:
    """A store that declares less than it does fails the rule of that capability."""
    assert fails(type("Contract", (_Contract,), {"capabilities": claim}), rule, partial(_fixtures, ToyStore))


def test_every_rule_has_a_planted_fault() -> None:
    """Each rule of its own is one that a fault breaks."""
    own = [rule for rule in without_fault(OnDiskStoreContract, _FAULTS) if rule.startswith("DISK")]

    assert own == []
