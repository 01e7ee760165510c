"""The contract kit catches faulty stores of files: files that are cut, changed, swapped, lost or newer."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from toy_store import ToyStore, sound_of

from keywright.errors import DamagedStoreError, KeyNotFoundError
from keywright.records import Record, RecordInfo, decode_info
from keywright.secret import Secret

Breaks = Callable[..., bool]


class _CutIsNoPayload(ToyStore):
    def _load(self, data: bytes, name: str, version: int) -> Record:
        try:
            return super()._load(data, name, version)
        except DamagedStoreError:
            return Record(RecordInfo(name=name, version=version), None)


class _EmptyIsNotThere(ToyStore):
    def _files(self) -> list[str]:
        return [name for name in super()._files() if (self.path / name).stat().st_size]


class _DamagedIsNotListed(ToyStore):
    def versions(self, name: str) -> Sequence[RecordInfo]:
        found = []
        for version in sorted(self._all().get(name, [])):
            with suppress(DamagedStoreError):
                found.append(self.get(name, version).info)
        return tuple(found)


class _ANewMarkerForAnEmptyOne(ToyStore):
    def _check(self) -> None:
        if (self.path / "marker").exists() and not (self.path / "marker").stat().st_size:
            for name in self._files():
                (self.path / name).unlink()
        else:
            super()._check()


class _LetsJsonErrorsOut(ToyStore):
    def _load(self, data: bytes, name: str, version: int) -> Record:
        self._parse(data)
        return super()._load(data, name, version)


class _QuotesWhatItRead(ToyStore):
    def _load(self, data: bytes, name: str, version: int) -> Record:
        try:
            return super()._load(data, name, version)
        except DamagedStoreError:
            raise DamagedStoreError(f"{self.path}: this is no record: {data!r}") from None


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
        with suppress(DamagedStoreError):
            return super()._load(data, name, version)
        info, payload, revision, digest = self._parse(data)
        if digest != sha256(f"{info} {payload} {revision}".encode()).hexdigest():
            raise self._damaged()
        read = decode_info(base64.b64decode(info), where=str(self.path), revision=revision)
        payload = None if payload is None else Secret(base64.b64decode(payload))
        return Record(replace(read, name=name, version=version), payload)


class _NoMarkerIsNoStore(ToyStore):
    def _files(self) -> list[str]:
        return super()._files() if (self.path / "marker").exists() else []


class _ReadsWhatIsNewer(ToyStore):
    def _read(self, path: Path) -> bytes:
        return super()._read(path).replace(b"toy store 2", b"toy store 1")


class _CreatesOverDamage(ToyStore):
    def create(self, record: Record) -> RecordInfo:
        try:
            self.get(record.info.name, record.info.version)
        except DamagedStoreError:
            self._file(record.info.name, record.info.version).unlink()
        except KeyNotFoundError:
            pass
        return super().create(record)


class _ExaminesCarelessly(ToyStore):
    def examine(self) -> Iterator[str]:
        for path in self.path.glob("*@*"):
            json.loads(path.read_bytes())
        yield from ()


class _ExaminesAndRepairs(ToyStore):
    def examine(self) -> Iterator[str]:
        for path in self.path.glob("*@*"):
            if not path.read_bytes().startswith(b"["):
                path.write_bytes(b"[]")
        yield from ()


class _ExaminesAndQuotes(ToyStore):
    def examine(self) -> Iterator[str]:
        for path in self.path.glob("*@*"):
            if not path.read_bytes().endswith(b"]"):
                yield f"{path}: no record:\n{path.read_bytes()!r}"


_FAULTS: list[tuple[type[ToyStore], str]] = [
    (_CutIsNoPayload, "disk_30"),
    (_EmptyIsNotThere, "disk_30"),
    (_DamagedIsNotListed, "disk_30"),
    (_ANewMarkerForAnEmptyOne, "disk_30"),
    (_LetsJsonErrorsOut, "disk_30"),
    (_QuotesWhatItRead, "disk_30"),
    (_ChecksNoDigest, "disk_31"),
    (_CutIsNoPayload, "disk_32"),
    (_LetsJsonErrorsOut, "disk_32"),
    (_ChecksNoName, "disk_33"),
    (_NoMarkerIsNoStore, "disk_34"),
    (_ReadsWhatIsNewer, "disk_35"),
    (_CreatesOverDamage, "disk_36"),
    (_ExaminesCarelessly, "disk_37"),
    (_ExaminesAndRepairs, "disk_37"),
    (_ExaminesAndQuotes, "disk_37"),
]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("kind", "rule"), _FAULTS)
def test_a_faulty_store_of_files_is_caught(kind: type[ToyStore], rule: str, breaks_on_disk: Breaks) -> None:
    """Each planted fault fails the rule that forbids it, and the store without the fault passes."""
    assert breaks_on_disk(kind, rule)
    assert not breaks_on_disk(sound_of(kind), rule)
