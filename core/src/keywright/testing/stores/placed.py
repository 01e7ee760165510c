"""The contract of stores kept in files: what its parts have in common."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import shake_256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import pytest

from keywright.errors import KeyNotFoundError, StoreError
from keywright.protocols import Store
from keywright.records import Record, RecordInfo, State
from keywright.secret import Secret
from keywright.testing.leaks import assert_hidden
from keywright.testing.stores.places import Place
from keywright.testing.stores.records import OpenWritableStore, unrevised
from keywright.testing.stores.writable import WritableStoreContract

__all__ = ["Inspection", "Key", "PlacedStoreContract", "found_in", "noise"]

Key = tuple[str, int]

_WINDOW = 8  # bytes


def noise(text: str, length: int) -> Secret:
    """Bytes that look random, the same for the same text."""
    return Secret(shake_256(text.encode()).digest(length))


def found_in(place: Place, secrets: Mapping[str, Secret]) -> list[str]:
    """Which of the secrets show in which file, by 8 bytes in a row."""
    return [
        f"{name} in {file}"
        for name, secret in secrets.items()
        for windows in [{secret.reveal()[at : at + _WINDOW] for at in range(len(secret) - _WINDOW + 1)}]
        for file, data in place.files().items()
        if not windows.isdisjoint(data[at : at + _WINDOW] for at in range(len(data)))
    ]


class Inspection:
    """Looks whether a store that may be damaged says anything wrong.

    Attributes:
        records: what was stored, by name and version.
    """

    def __init__(self, open_store: OpenWritableStore, place: Path, records: Mapping[Key, Record]) -> None:
        self.records = records
        self._open_store = open_store
        self._place = place
        self._told: set[str] = set()
        self._passes_over_others = False

    def among(self, records: Mapping[Key, Record]) -> Inspection:
        """The same for some of the records; what else is there is passed over."""
        inspection = Inspection(self._open_store, self._place, records)
        inspection._told = self._told
        inspection._passes_over_others = True
        return inspection

    def look(self, damage: str, *, may_lack: frozenset[Key] = frozenset()) -> frozenset[Key]:
        """Read everything. The records that the store would not give.

        The test fails if it gives anything else than what was stored, says "not found" of what is not in `may_lack`,
        or raises what is no StoreError.
        """
        refused: set[Key] = set()
        try:
            with self._open_store() as store:
                for key in self.records:
                    if not self._gives(store, key, damage, key in may_lack):
                        refused.add(key)
                self._check_versions(store, damage, may_lack)
                self._check_names(store, damage, may_lack)
        except KeyNotFoundError:
            pytest.fail(f"{damage}: a listing raised KeyNotFoundError")
        except StoreError as error:
            self.check_message(error, damage)
            refused.update(self.records)
        return frozenset(refused)

    def _gives(self, store: Store, key: Key, damage: str, may_lack: bool) -> bool:
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

    def _check_versions(self, store: Store, damage: str, may_lack: frozenset[Key]) -> None:
        for name in {name for name, _ in self.records}:
            try:
                found = [unrevised(info) for info in store.versions(name)]
            except StoreError as error:
                self._check_listing(error, damage)
                continue
            wanted = [unrevised(record.info) for key, record in sorted(self.records.items()) if key[0] == name]
            lacking = [info for info in wanted if info not in found]
            assert [info for info in wanted if info in found] == found, f"{damage}: other versions of {name}"
            assert {(info.name, info.version) for info in lacking} <= may_lack, f"{damage}: `versions` hides {lacking}"

    def _check_names(self, store: Store, damage: str, may_lack: frozenset[Key]) -> None:
        try:
            found = list(store.names())
        except StoreError as error:
            self._check_listing(error, damage)
            return
        wanted = sorted({name for name, _ in self.records})
        if self._passes_over_others:
            found = [name for name in found if name in wanted]
        needed = {name for name, version in self.records if (name, version) not in may_lack}
        assert [name for name in wanted if name in found] == found, f"{damage}: other names"
        assert needed <= set(found), f"{damage}: `names` hides {needed - set(found)}"

    def _check_listing(self, error: StoreError, damage: str) -> None:
        assert not isinstance(error, KeyNotFoundError), f"{damage}: a listing raised KeyNotFoundError"
        self.check_message(error, damage)

    def check_message(self, error: StoreError | str, damage: str) -> None:
        """One line that says where, and shows no payload."""
        message = str(error)
        if message in self._told:
            return
        self._told.add(message)
        assert len(message.splitlines()) == 1, f"{damage}: a message of several lines"
        assert self._place.name in message, f"{damage}: a message that does not say which store: {message}"
        for record in self.records.values():
            if record.payload:
                assert_hidden(record.payload, message)


class PlacedStoreContract(WritableStoreContract):
    """Part of `OnDiskStoreContract`."""

    proves: ClassVar[frozenset[str]] = frozenset({"persistent"})

    @pytest.fixture
    def directory(self) -> Iterator[Path]:
        """An empty directory to put the place into. Unlike pytest's own, other users can reach it."""
        memory = "/dev/shm"  # noqa: S108 - thousands of writes, none of which has to survive
        with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as directory:
            os.chmod(directory, 0o755)  # noqa: S103 - others are to reach it, or what they may not do could not be seen
            yield Path(directory).resolve()

    @pytest.fixture
    def place(self) -> Path:
        """To be overridden."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `place`")

    def samples(self) -> list[Record]:
        """Records of every kind that the store can keep."""
        time = datetime(2026, 11, 21, 20, 52, 13, 1, tzinfo=UTC)
        info = RecordInfo(name="a", version=1, key_type="oct", format="jwk", kid="k", public=b"\0p", created=time)
        records = [
            Record(info, noise("one", 64)),
            Record(replace(info, version=2, labels={"user_id": "7"}), noise("two", 5_000)),
            Record(replace(info, name="b", kid="b"), noise("three", 64)),
            Record(replace(info, name="a/b"), None),
        ]
        if self.capabilities.metadata:
            records.append(Record(replace(info, name="c", state=State.DESTROYED, reason="lost"), None))
        return [Record(self.described(record.info), record.payload) for record in records]

    def furnish(self, open_store: OpenWritableStore) -> dict[Key, Record]:
        """Store the samples, each in a store opened for that alone."""
        return {
            (record.info.name, record.info.version): Record(
                self.create(open_store, record.info, record.payload), record.payload
            )
            for record in self.samples()
        }

    def remove(self, open_store: OpenWritableStore, name: str) -> None:
        """Remove a name in a store opened for that alone."""
        with open_store() as store:
            store.remove(name, expected=[info.revision for info in store.versions(name)])
