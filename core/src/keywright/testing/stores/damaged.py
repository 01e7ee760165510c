"""The contract of stores kept in files: damage is found, and never taken for another key or for none."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Final

import pytest

from keywright.errors import DamagedStoreError, StoreError, UnsupportedOperationError
from keywright.protocols import WritableStore
from keywright.records import Record, RecordInfo, State
from keywright.testing.stores.placed import Inspection, Key, PlacedStoreContract, noise
from keywright.testing.stores.places import Kept, Place
from keywright.testing.stores.processes import run_alone
from keywright.testing.stores.records import OpenWritableStore
from keywright.testing.stores.spoiled import Damage, Furnished, bits, flipped, foreign, lengths
from keywright.testing.stores.writable import findings

__all__ = ["LOOK_SECONDS", "DamagedStoreContract"]

LOOK_SECONDS = 30.0
"""How long reading may take where a file was replaced by a pipe, before it counts as hanging."""


class DamagedStoreContract(PlacedStoreContract):
    """Part of `OnDiskStoreContract`."""

    def newer(self, place: Path) -> None:
        """To be overridden: make a closed store look as a newer keywright would have written it."""
        raise NotImplementedError(f"{type(self).__name__} needs a method `newer`")

    def furnished(self, open_store: OpenWritableStore, place: Path) -> Furnished:
        """Make a store with some records, and see which files came with which."""
        files = Place(place)
        self.create(open_store, RecordInfo(name="0", version=1), noise("zero", 64))
        self.remove(open_store, "0")
        records: dict[Key, Record] = {}
        brought: dict[Key, frozenset[str]] = {}
        for record in self.samples():
            before = set(files.files())
            stored = self.create(open_store, record.info, record.payload)
            key = (stored.name, stored.version)
            records[key] = Record(stored, record.payload)
            brought[key] = frozenset(set(files.files()) - before)
        return Furnished(files, records, brought, files.keep(), Inspection(open_store, place, records))

    def test_disk_30_a_file_cut_short_is_noticed(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-30: With any file cut at any length, 0 included, each record is whole or refused; none is missing.

        Why: Full disks, interrupted copies and crashed file systems cut files; an emptied store that reads as "no
        keys" is filled anew, and the backup is not looked for.

        Do: Store each part with its length or a checksum, and refuse what does not fit as DamagedStoreError. An empty
        file is never a new store.
        """
        made = self.furnished(open_store, place)
        for name, data in made.contents():
            for length in lengths(len(data)):
                made.place.overwrite(name, data[:length])
                made.inspection.look(f"{name} cut from {len(data)} to {length} bytes")
                made.place.restore(made.kept)
        for name, _ in made.contents():
            made.place.overwrite(name, b"")
        made.inspection.look("every file emptied")

    def test_disk_31_a_flipped_bit_is_noticed(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-31: With any bit of any file flipped, each record is whole or refused, and none is missing.

        Why: A payload with one other bit is another key, or none; a date with one other bit ends a key early.

        Do: Keep a checksum of payload and of metadata (`keywright.encode_info` has one), and check it at each read.
        """
        made = self.furnished(open_store, place)
        for name, data in made.contents():
            for bit in bits(data, made.records):
                made.place.overwrite(name, flipped(data, bit))
                made.inspection.look(f"{name} with bit {bit % 8} of byte {bit // 8} flipped")
                made.place.restore(made.kept)

    def test_disk_32_a_foreign_file_is_noticed(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-32: With any file replaced by another program's, or grown by junk, each record is whole or refused.

        Why: A backup put back under the wrong name must not become a key.

        Do: Mark your files (a first line, an application id), and refuse what lacks the mark as DamagedStoreError.
        """
        made = self.furnished(open_store, place)
        for name, data in made.contents():
            for what, other in (*foreign().items(), ("itself and more", data + b"junk"), ("it twice", data * 2)):
                made.place.overwrite(name, other)
                made.inspection.look(f"{name} replaced by {what}")
                made.place.restore(made.kept)

    def test_disk_33_swapped_files_are_noticed(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-33: With files of two records swapped, some or all, each record is whole or refused.

        Why: A key under another name or version signs for somebody else.

        Do: Say in each file whose it is, or bind the files of a record together by a checksum over name, version and
        payload.
        """
        made = self.furnished(open_store, place)
        pairs = [
            list(zip(sorted(made.files[one]), sorted(made.files[two]), strict=False))
            for one, two in combinations(made.records, 2)
        ]
        if not any(pairs):
            pytest.skip("the store keeps no record in a file of its own")
        for pair in pairs:
            for count in range(1, len(pair) + 1):
                for swapped in combinations(pair, count):
                    for one, two in swapped:
                        made.place.overwrite(one, _data(made.kept[two]))
                        made.place.overwrite(two, _data(made.kept[one]))
                    made.inspection.look(f"swapped: {swapped}")
                    made.place.restore(made.kept)

    def test_disk_34_a_missing_file_is_noticed(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-34: With any file missing, each record is whole or refused; only what has no file left may be missing.

        Why: A version whose payload file is gone is damaged; read as "not there", its number would be used again.

        Do: Let each part of a record say that the others must be there. What is gone without a trace, nobody can tell.
        """
        made = self.furnished(open_store, place)
        for name, _ in made.contents():
            made.place.discard(name)
            left = set(made.place.files())
            gone = frozenset(key for key, files in made.files.items() if not (files or set(made.kept)) & left)
            made.inspection.look(f"{name} is missing", may_lack=gone)
            made.place.restore(made.kept)

    def test_disk_35_what_a_newer_keywright_wrote_is_refused(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-35: A store of a newer layout raises DamagedStoreError for every read and write, and stays as it is.

        Why: An older program that writes into what it does not understand damages it for the newer one.

        Do: Number the layout, check the number before anything else, and say in the message that the store is newer.
        """
        made = self.furnished(open_store, place)
        self.newer(place)
        before = made.place.files()

        for action in (
            lambda store: store.get("a", 1),
            lambda store: store.versions("a"),
            lambda store: list(store.names()),
            lambda store: store.create(Record(RecordInfo(name="n", version=1), noise("new", 64))),
            lambda store: store.update(made.records["a", 1], expected=made.records["a", 1].info.revision),
            lambda store: store.remove("b", expected=[made.records["b", 1].info.revision]),
        ):
            with pytest.raises(DamagedStoreError, match="newer") as caught, open_store() as store:
                action(store)
            made.inspection.check_message(caught.value, "a newer store")

        assert made.place.files() == before

    def test_disk_36_a_damaged_record_is_not_written_over(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-36: Writes to a damaged record are refused or, if they take it away, done; no other record changes.

        Why: What is damaged can still be saved from a backup or by hand, unless the next write covers it up.

        Do: Read and check what a write builds on, and pass on the DamagedStoreError. Never create over what is there.
        """
        made = self.furnished(open_store, place)
        for name, data in made.contents():
            for what, damaged in (
                ("cut in half", data[: len(data) // 2]),
                ("emptied", b""),
                ("foreign", foreign()["text"]),
                ("with one bit flipped", flipped(data, len(data) * 4)),
            ):
                damage = Damage(made, name, damaged, f"{name} {what}")
                damage.do()
                refused = made.inspection.look(damage.told)
                for key in sorted(refused):
                    self._write_over(open_store, damage, key, refused)
                made.place.restore(made.kept)

    def _write_over(self, open_store: OpenWritableStore, damage: Damage, key: Key, refused: frozenset[Key]) -> None:
        """Try to write to a record that the store would not give, from the same damage each time."""
        made = damage.made
        old = made.records[key]
        own = frozenset(other for other in made.records if other[0] == key[0])
        expected = [made.records[other].info.revision for other in sorted(own)]
        covering: list[Callable[[WritableStore], object]] = [
            lambda store: store.create(Record(old.info, noise("over", 64))),
        ]
        removing: list[Callable[[WritableStore], object]] = [lambda store: store.remove(key[0], expected=expected)]
        if self.capabilities.metadata:
            covering.append(
                lambda store: store.update(
                    Record(replace(old.info, reason="over"), old.payload), expected=old.info.revision
                )
            )
        if self.capabilities.metadata and old.info.state is not State.DESTROYED:
            tomb = replace(old.info, state=State.DESTROYED)
            removing.append(lambda store: store.update(Record(tomb, None), expected=old.info.revision))
        for write in covering:
            damage.do()
            assert _raises(open_store, write), f"{damage.told}: {key} was written over"
            assert made.inspection.look(damage.told) <= refused, f"{damage.told}: a refused write did more harm"
        others = {other: record for other, record in made.records.items() if other not in own}
        for write in removing:
            damage.do()
            inspection = made.inspection if _raises(open_store, write) else made.inspection.among(others)
            assert inspection.look(damage.told) <= refused, f"{damage.told}: other records were harmed"

    def test_disk_37_damage_is_examined_without_harm(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-37: `examine` of a damaged store tells faults in sentences or raises a StoreError, and writes nothing.

        Why: People run `keywright doctor` when something is wrong already.

        Do: Catch what each look may raise and tell it as a finding, in one line that says where and shows no payload.
        """
        made = self.furnished(open_store, place)
        for name, data in made.contents():
            for what, damaged in (
                ("cut in half", data[: len(data) // 2]),
                ("emptied", b""),
                *foreign().items(),
                ("with one bit flipped", flipped(data, len(data) * 4)),
            ):
                made.place.overwrite(name, damaged)
                told = _examined(open_store)
                for sentence in told:
                    made.inspection.check_message(sentence, f"{name} {what}")
                assert made.place.files()[name] == damaged, f"{name} {what}: `examine` wrote"
                made.place.restore(made.kept)

        with open_store() as store:
            assert findings(store) == []

    def test_disk_38_something_else_in_the_place_of_a_file_is_noticed(
        self, open_store: OpenWritableStore, place: Path
    ) -> None:
        """DISK-38: A directory, pipe or link in the place of a file, or the reverse, is noticed, and nobody waits.

        Why: A named pipe makes a careless reader wait for ever; a link leads a writer to another user's file.

        Do: Open with O_NOFOLLOW and O_NONBLOCK, and look at what was opened (`os.fstat`) before you read.
        """
        made = self.furnished(open_store, place)

        def work() -> None:
            for name, kept in made.kept.items():
                for what, put in _OTHER_KINDS.items():
                    if what == ("a directory" if kept.data is None else "a file"):
                        continue
                    made.place.discard(name)
                    put(made.place.at(name))
                    made.inspection.look(f"{what} in the place of {name}")
                    made.place.restore(made.kept)

        run_alone(work, seconds=LOOK_SECONDS)


_OTHER_KINDS: Final[dict[str, Callable[[Path], object]]] = {
    "a directory": lambda path: path.mkdir(mode=0o700),
    "a file": lambda path: path.write_bytes(b"text\n"),
    "a named pipe": lambda path: os.mkfifo(path, 0o600),
    "a link to itself": lambda path: path.symlink_to(path.name),
}


def _data(kept: Kept) -> bytes:
    return kept.data or b""


def _raises(open_store: OpenWritableStore, write: Callable[[WritableStore], object]) -> bool:
    try:
        with open_store() as store:
            write(store)
    except (StoreError, UnsupportedOperationError):
        return True
    return False


def _examined(open_store: OpenWritableStore) -> list[str]:
    try:
        with open_store() as store:
            return findings(store)
    except StoreError as error:
        return [str(error)]
