"""The files of a store: read, damaged and restored; and what the store then returns."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from hashlib import shake_256
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from keywright import Record, Secret, Store
from keywright.errors import KeyNotFoundError, StoreError
from keywright.testing.leaks import assert_hidden
from keywright.testing.stores.contract import OpenWritableStore, unrevised
from keywright.testing.strategies import spread

Reference = tuple[str, int]
"""Name and version of a record."""

_WINDOW: Final = 8  # bytes
_SMALL: Final = 256  # bytes: files up to here are cut at every length
_SECTOR: Final = 512
_FLIPS: Final = 64  # bits of each file, besides those inside the payloads


def noise(text: str, length: int) -> Secret:
    """Bytes that look random, the same for the same text."""
    return Secret(shake_256(text.encode()).digest(length))


class Kept(NamedTuple):
    """An entry as it was.

    Attributes:
        status: what the system reports of it.
        data: the bytes of a file; None for a directory or anything else.
    """

    status: os.stat_result
    data: bytes | None


class Place:
    """Where a store keeps its records: `path`, what is in it, and what is beside it under a longer name.

    Entries are named by their path from the directory above, `keys.db-wal` or `keys/a/@1/key`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> dict[str, os.stat_result]:
        """Every file and directory, directories before what is in them."""
        found: dict[str, os.stat_result] = {}

        def add(name: str) -> None:
            found[name] = os.lstat(self.at(name))
            if stat.S_ISDIR(found[name].st_mode):
                for below in sorted(os.listdir(self.at(name))):
                    add(f"{name}/{below}")

        for name in sorted(os.listdir(self.path.parent)):
            if name.startswith(self.path.name):
                add(name)
        return found

    def unrelated(self) -> list[str]:
        """What is beside it and does not begin with its name."""
        return sorted(name for name in os.listdir(self.path.parent) if not name.startswith(self.path.name))

    def at(self, name: str) -> Path:
        """The path of an entry."""
        return self.path.parent / name

    def keep(self) -> dict[str, Kept]:
        """All of it."""
        return {
            name: Kept(status, self.at(name).read_bytes() if stat.S_ISREG(status.st_mode) else None)
            for name, status in self.entries().items()
        }

    def files(self) -> dict[str, bytes]:
        """What the files hold."""
        return {name: kept.data for name, kept in self.keep().items() if kept.data is not None}

    def holding(self, secrets: Mapping[str, Secret]) -> list[str]:
        """Which of the secrets show in which file, by 8 bytes in a row."""
        return [
            f"{name} in {file}"
            for name, secret in secrets.items()
            for windows in [{secret.reveal()[at : at + _WINDOW] for at in range(len(secret) - _WINDOW + 1)}]
            for file, data in self.files().items()
            if not windows.isdisjoint(data[at : at + _WINDOW] for at in range(len(data)))
        ]

    def overwrite(self, name: str, data: bytes) -> None:
        """Change what is in a file, as a failing disk does: the file, its mode and its times stay."""
        status = os.lstat(self.at(name))
        self.at(name).write_bytes(data)
        os.utime(self.at(name), ns=(status.st_atime_ns, status.st_mtime_ns))

    def restore(self, kept: dict[str, Kept]) -> None:
        """Put everything back as it was kept; what stayed as it was is not touched."""
        for name, status in reversed(self.entries().items()):
            if name not in kept or stat.S_IFMT(kept[name].status.st_mode) != stat.S_IFMT(status.st_mode):
                self.discard(name)
        now = self.keep()
        for name, (status, data) in kept.items():
            if data is None and name not in now:
                self.at(name).mkdir(mode=0o700)
            elif data is not None and (name not in now or data != now[name].data):
                self.at(name).write_bytes(data)
            if name not in now or now[name].status != status:
                os.chmod(self.at(name), stat.S_IMODE(status.st_mode))
                os.utime(self.at(name), ns=(status.st_atime_ns, status.st_mtime_ns))

    def discard(self, name: str) -> None:
        """Remove an entry, and what is in it."""
        if self.at(name).is_dir() and not self.at(name).is_symlink():
            shutil.rmtree(self.at(name))
        else:
            self.at(name).unlink(missing_ok=True)

    def protect(self, *, files: int, directories: int) -> None:
        """Give all files and all directories these permissions, inner ones first."""
        for name, status in reversed(self.entries().items()):
            os.chmod(self.at(name), directories if stat.S_ISDIR(status.st_mode) else files)

    def give(self, user: int) -> None:
        """Make a user the owner of it all, and of the directory above."""
        for path in (self.path.parent, *map(self.at, self.entries())):
            os.chown(path, user, user, follow_symlinks=False)


class Inspection:
    """Checks that a store that may be damaged reports nothing wrong.

    Attributes:
        records: what was stored, by name and version.
    """

    def __init__(
        self,
        open_store: OpenWritableStore,
        place: Path,
        records: Mapping[Reference, Record],
        *,
        of_many: bool = False,
        checked: set[str] | None = None,
    ) -> None:
        self.records = records
        self._open_store = open_store
        self._place = place
        self._of_many = of_many
        self._checked = set[str]() if checked is None else checked  # messages

    def among(self, records: Mapping[Reference, Record]) -> Inspection:
        """The same for some of the records; other names are passed over."""
        return Inspection(self._open_store, self._place, records, of_many=True, checked=self._checked)

    def look(self, damage: str, *, may_lack: frozenset[Reference] = frozenset()) -> frozenset[Reference]:
        """Read everything. The records that the store would not give.

        The test fails if it gives anything else than what was stored, raises "not found" for what is not in `may_lack`,
        or raises an error that is not a StoreError.
        """
        refused: set[Reference] = set()
        try:
            with self._open_store() as store:
                for key in self.records:
                    if not self._gives(store, key, damage, key in may_lack):
                        refused.add(key)
                for name in {name for name, _ in self.records}:
                    self._check_versions(store, name, damage, may_lack)
                self._check_names(store, damage, may_lack)
        except StoreError as error:
            self._check_listing(error, damage)
            refused.update(self.records)
        return frozenset(refused)

    def _gives(self, store: Store, key: Reference, damage: str, may_lack: bool) -> bool:
        try:
            found = store.get(*key)
        except KeyNotFoundError:
            assert may_lack, f"{damage}: {key} is said not to be there"
            return False
        except StoreError as error:
            self.check_message(error, damage)
            return False
        wanted = self.records[key]
        assert unrevised(found.info) == unrevised(wanted.info), f"{damage}: other metadata of {key}"
        assert found.payload == wanted.payload, f"{damage}: another payload of {key}"
        return True

    def _check_versions(self, store: Store, name: str, damage: str, may_lack: frozenset[Reference]) -> None:
        try:
            found = [unrevised(info) for info in store.versions(name)]
        except StoreError as error:
            self._check_listing(error, damage)
            return
        wanted = [unrevised(record.info) for key, record in sorted(self.records.items()) if key[0] == name]
        lacking = [info for info in wanted if info not in found]
        assert [info for info in wanted if info in found] == found, f"{damage}: other versions of {name}"
        assert {(info.name, info.version) for info in lacking} <= may_lack, f"{damage}: `versions` hides {lacking}"

    def _check_names(self, store: Store, damage: str, may_lack: frozenset[Reference]) -> None:
        try:
            found = list(store.names())
        except StoreError as error:
            self._check_listing(error, damage)
            return
        wanted = sorted({name for name, _ in self.records})
        if self._of_many:
            found = [name for name in found if name in wanted]
        needed = {name for name, version in self.records if (name, version) not in may_lack}
        assert [name for name in wanted if name in found] == found, f"{damage}: other names"
        assert needed <= set(found), f"{damage}: `names` hides {needed - set(found)}"

    def _check_listing(self, error: StoreError, damage: str) -> None:
        assert not isinstance(error, KeyNotFoundError), f"{damage}: a listing raised KeyNotFoundError"
        self.check_message(error, damage)

    def check_message(self, error: StoreError | str, damage: str) -> None:
        """Assert that it is one line that says where, and shows no payload."""
        message = str(error)
        if message in self._checked:
            return
        self._checked.add(message)
        assert len(message.splitlines()) == 1, f"{damage}: a message of several lines"
        assert self._place.name in message, f"{damage}: a message that does not say which store: {message}"
        for record in self.records.values():
            if record.payload:
                assert_hidden(record.payload, message)


class Damage(NamedTuple):
    """One file of a store with other content, and in words."""

    file: str
    data: bytes
    text: str


class Furnished(NamedTuple):
    """A closed store, to be damaged.

    Attributes:
        files: the files that came with each record; empty where records share their files.
        kept: how it lay on the disk.
    """

    place: Place
    records: dict[Reference, Record]
    files: dict[Reference, frozenset[str]]
    kept: dict[str, Kept]
    inspection: Inspection

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Each file that holds something."""
        yield from ((name, kept.data) for name, kept in self.kept.items() if kept.data)

    def damages(self, ways: Callable[[bytes], Iterable[tuple[str, bytes]]]) -> Iterator[Damage]:
        """Damage one file after the other in every way, and restore the store after each."""
        for name, data in self.contents():
            for what, other in ways(data):
                damage = Damage(name, other, f"{name} {what}")
                self.damage(damage)
                yield damage
                self.place.restore(self.kept)

    def damage(self, damage: Damage) -> None:
        """Damage the store, which may have been written to since."""
        self.place.restore(self.kept)
        self.place.overwrite(damage.file, damage.data)


@cache
def foreign() -> dict[str, bytes]:
    """Files of other programs, by what they are."""
    files = {
        "text": b"the quick brown fox\n" * 20,
        "an empty JSON object": b"{}\n",
        "a PNG header": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89",
        "NUL bytes": bytes(4_096),
    }
    with suppress(ImportError):  # Python may have been built without
        import sqlite3

        connection = sqlite3.connect(":memory:")
        connection.execute("CREATE TABLE other (text)")
        files["another SQLite database"] = connection.serialize()
        connection.close()
    return files


def lengths(length: int) -> list[int]:
    """Where a file is cut."""
    if length <= _SMALL:
        return list(range(length))
    sectors = {sector + off for sector in range(0, length + 1, _SECTOR) for off in (-1, 0, 1)}
    return sorted(at for at in {*sectors, *spread(length, 24), length - 1} if 0 <= at < length)


def bits(data: bytes, records: dict[Reference, Record]) -> list[int]:
    """Which bits of a file are flipped, by number."""
    found = set(spread(len(data) * 8, _FLIPS)) | {bit * 9 % (len(data) * 8) for bit in spread(len(data) * 8, _FLIPS)}
    for record in records.values():
        at = data.find(record.payload.reveal()) if record.payload else -1
        if at >= 0 and record.payload:
            found |= {at * 8 + bit for bit in spread(len(record.payload) * 8, 24)}
    return sorted(found)


class Syncs:
    """Watches `os.fsync`, and lets one call of it fail.

    Attributes:
        synced: device and inode of each file or directory that was to be synced, in order.
        early: what was moved to its name before its content was synced.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: list[tuple[int, int]] = []
        self.early: list[str] = []
        self._watching = False
        self._failing: int | None = None
        for name in ("fsync", "fdatasync"):
            if hasattr(os, name):
                monkeypatch.setattr(os, name, self._watch(getattr(os, name)))
        for name in ("rename", "replace", "link"):
            monkeypatch.setattr(os, name, self._look(getattr(os, name)))
        if sys.platform == "darwin":
            self._without_full_sync(monkeypatch)

    def watch(self, action: Callable[[], object], *, failing: int | None = None) -> StoreError | None:
        """Do it; the sync of this number, from 0, fails. The StoreError that came of it."""
        self.synced, self.early, self._failing, self._watching = [], [], failing, True
        try:
            action()
        except StoreError as error:
            return error
        finally:
            self._watching = False
        return None

    def _watch(self, sync: Callable[[Any], None]) -> Callable[[Any], None]:
        def watched(file: Any) -> None:
            if self._watching:
                status = os.fstat(file if isinstance(file, int) else file.fileno())
                self.synced.append((status.st_dev, status.st_ino))
                if len(self.synced) - 1 == self._failing:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
            sync(file)

        return watched

    def _look(self, move: Callable[..., None]) -> Callable[..., None]:
        def watched(source: Any, target: Any, **options: Any) -> None:
            if self._watching:
                status = os.stat(source, dir_fd=options.get("src_dir_fd"), follow_symlinks=False)
                known = (status.st_dev, status.st_ino) in self.synced
                if stat.S_ISREG(status.st_mode) and status.st_size and not known:
                    self.early.append(os.fsdecode(target))
            move(source, target, **options)

        return watched

    def _without_full_sync(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As on a file system that does not know the stronger call of macOS: `os.fsync` is left."""
        import fcntl

        control, full = fcntl.fcntl, getattr(fcntl, "F_FULLFSYNC", None)

        def watched(file: Any, command: int, argument: Any = 0) -> Any:
            if self._watching and command == full:
                raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
            return control(file, command, argument)

        monkeypatch.setattr(fcntl, "fcntl", watched)
