"""The contract of writable stores that keep their records in files of their own."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, Final

import pytest

from keywright import Record, RecordInfo, Revision, State, Store, WritableStore
from keywright.errors import (
    AccessDeniedError,
    ConflictError,
    CorruptedStoreError,
    DurabilityError,
    KeyExistsError,
    KeyNotFoundError,
    ReadOnlyStoreError,
    StoreError,
    UnsupportedOperationError,
)
from keywright.testing.processes import OTHER_USER, drop_privileges, is_root, run_alone
from keywright.testing.stores.contract import OpenWritableStore, create, listed, remove, unrevised
from keywright.testing.stores.place import (
    Damage,
    Furnished,
    Inspection,
    Kept,
    Place,
    Reference,
    Syncs,
    bits,
    foreign,
    lengths,
    noise,
)
from keywright.testing.stores.writable import WritableStoreContract, problems
from keywright.testing.strategies import flipped

LOOK_SECONDS = 30.0
"""How long reading may take where a file was replaced by a pipe, before it counts as hanging."""

Write = Callable[[WritableStore], object]

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_ASK: Final[tuple[Callable[[Store], object], ...]] = (
    lambda store: store.get("a", 1),
    lambda store: store.versions("a"),
    lambda store: list(store.names()),
)
_DENIED: Final = AccessDeniedError.__name__
_REFUSED: Final = {_DENIED, ReadOnlyStoreError.__name__}
_OLD: Final = noise("old", 64)
_NEW: Final = noise("new", 64)
_WRITTEN: Final = Record(RecordInfo(name="new/name", version=1), _NEW)
# By name; each is given the record as it was, or for the first one, as it is to be.
_WRITES: Final[dict[str, Callable[[WritableStore, Record], object]]] = {
    "first create": lambda store, new: store.create(new),
    "create": lambda store, old: store.create(Record(replace(old.info, version=2), _NEW)),
    "update metadata": lambda store, old: store.update_info(replace(old.info, reason="r"), old.info.revision),
    "replace payload": lambda store, old: store.replace_payload(
        old.info.name, old.info.version, _NEW, old.info.revision
    ),
    "destroy": lambda store, old: store.destroy(replace(old.info, state=State.DESTROYED), old.info.revision),
    "remove": lambda store, old: store.remove(old.info.name, [old.info.revision]),
}
_OF_METADATA: Final = ("update metadata", "destroy")
_OTHER_KINDS: Final[dict[str, Callable[[Path], object]]] = {
    "a directory": lambda path: path.mkdir(mode=0o700),
    "a file": lambda path: path.write_bytes(b"text\n"),
    "a named pipe": lambda path: os.mkfifo(path, 0o600),
    "a link to itself": lambda path: path.symlink_to(path.name),
}


def _exposed(place: Place) -> list[str]:
    return [f"{name} {stat.S_IMODE(s.st_mode):04o}" for name, s in place.entries().items() if s.st_mode & _OTHERS]


def _withdrawn(place: Place) -> list[str]:
    """What not even its owner can use."""
    return [
        f"{name} {stat.S_IMODE(status.st_mode):04o}"
        for name, status in place.entries().items()
        if ~status.st_mode & (stat.S_IRWXU if stat.S_ISDIR(status.st_mode) else stat.S_IRUSR | stat.S_IWUSR)
    ]


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _leave_modes_alone(*_arguments: object, **_options: object) -> None:
    """In the place of `os.chmod`: as if the process had ended just before."""


def _become_another_user(place: Path) -> None:
    drop_privileges()
    assert os.access(place.parent, os.X_OK), "put `place` into the fixture `directory`, which others can reach"


def _outcome(open_store: OpenWritableStore, action: Callable[[WritableStore], object]) -> str:
    """The class of the error that opening the store or the action raised; `done` if none."""
    try:
        with open_store() as store:
            action(store)
    except (StoreError, UnsupportedOperationError) as error:
        return type(error).__name__
    return "done"


def _broken(data: bytes, others: dict[str, bytes]) -> Iterable[tuple[str, bytes]]:
    yield "cut in half", data[: len(data) // 2]
    yield "emptied", b""
    yield "with one bit flipped", flipped(data, len(data) * 4)
    yield from ((f"replaced by {what}", other) for what, other in others.items())


class OnDiskStoreContract(WritableStoreContract):
    r"""The rules for a writable store that keeps its records in its own files, in addition to `WritableStoreContract`.

    Subclass it as `TestX`, declare what the store can do, and give it two fixtures and a method:

    * `capabilities`: as the store's backend declares them;
    * `place`: the path of the file or directory that the store keeps its records in. It lies in the fixture
      `directory`, which the contract provides, and does not exist yet; what the store keeps beside it has a longer
      name that begins with the same;
    * `open_store`: a function that opens the store at `place` again each time it is called;
    * `newer(place)`: makes a closed store look as a newer keywright would have written it;
    * `syncs_in_python = False` if a library calls fsync for you.

        class TestFile(OnDiskStoreContract):
            capabilities = FileBackend.capabilities

            @pytest.fixture
            def place(self, directory): return directory / "keys"

            @pytest.fixture
            def open_store(self, place):
                options = Options.of(FileBackend.settings, path=str(place))
                return lambda: FileBackend().open(options)

            def newer(self, place):
                (place / ".keywright" / "format").write_bytes(b"keywright file store 2\n")
    """

    proves: ClassVar[frozenset[str]] = frozenset({"persistent"})

    syncs_in_python: ClassVar[bool] = True
    """Whether the store itself calls `os.fsync`. False where a library does, such as SQLite, out of Python's sight."""

    @pytest.fixture
    def directory(self) -> Iterator[Path]:
        """An empty directory to put the place into. Unlike pytest's own, other users can reach it."""
        memory = "/dev/shm"  # noqa: S108 - thousands of writes, none of which has to survive
        with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as directory:
            os.chmod(directory, 0o755)  # noqa: S103 - others are to reach it, or what they may not do could not be seen
            yield Path(directory).resolve()

    @pytest.fixture
    def place(self) -> Path:
        """Override this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `place`")

    def newer(self, place: Path) -> None:
        """Override this: make a closed store look as a newer keywright would have written it."""
        raise NotImplementedError(f"{type(self).__name__} needs a method `newer`")

    def furnished(self, open_store: OpenWritableStore, place: Path) -> Furnished:
        """Make a store with a record of every kind that it can keep, and see which files came with which."""
        files = Place(place)
        create(open_store, RecordInfo(name="0", version=1), noise("zero", 64))
        remove(open_store, "0")
        time = datetime(2026, 11, 21, 20, 52, 13, 1, tzinfo=UTC)
        info = RecordInfo(name="a", version=1, key_type="oct", format="jwk", kid="k", public=b"\0p", created=time)
        samples = [
            (info, noise("one", 64)),
            (replace(info, version=2, labels={"user_id": "7"}), noise("two", 5_000)),
            (replace(info, name="b", kid="b"), noise("three", 64)),
            (replace(info, name="a/b"), None),
        ]
        if self.capabilities.metadata:
            samples.append((replace(info, name="c", state=State.DESTROYED, reason="lost"), None))
        records: dict[Reference, Record] = {}
        brought: dict[Reference, frozenset[str]] = {}
        for sample, payload in samples:
            before = set(files.files())
            stored = create(open_store, self.described(sample), payload)
            records[stored.name, stored.version] = Record(stored, payload)
            brought[stored.name, stored.version] = frozenset(set(files.files()) - before)
        return Furnished(files, records, brought, files.keep(), Inspection(open_store, place, records))

    def writes(self, old: Record) -> list[Write]:
        """One write of each kind that the store can do, to the only version of a name."""

        def bound(write: str) -> Write:
            return lambda store: _WRITES[write](store, _WRITTEN if write == "first create" else old)

        return [bound(write) for write in _WRITES if self.capabilities.metadata or write not in _OF_METADATA]

    # Who may read the files, and what stays behind

    def _look_after_each_step(
        self, open_store: OpenWritableStore, place: Path, look: Callable[[Place], list[str]]
    ) -> list[str]:
        """What `look` finds, from the opening of a new store to its closing."""
        files = Place(place)
        with open_store() as store:
            found = [*look(files), *(one for _ in self._steps(store) for one in look(files))]
        return [*found, *look(files)]

    def _steps(self, store: WritableStore) -> Iterator[None]:
        """All kinds of writes, one at a time."""
        stored = store.create(Record(RecordInfo(name="a", version=1), noise("one", 64)))
        yield
        stored = store.replace_payload("a", 1, noise("two", 5_000), stored.revision)
        yield
        if self.capabilities.metadata:
            stored = store.update_info(replace(stored, reason="r"), stored.revision)
            yield
            stored = store.destroy(replace(stored, state=State.DESTROYED), stored.revision)
            yield
        other = store.create(Record(RecordInfo(name="a/b", version=1), noise("three", 64)))
        yield
        store.remove("a/b", [other.revision])
        yield

    def test_disk_01_every_file_is_its_owners_alone(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-01: Under umask 000, no file or directory of the store is ever open to group or others.

        Why: The service manager may set any umask; a key file that others can read is a published key.

        Do: Create files with mode 0600 and directories with 0700 under any umask; also logs, journals and temporary
        files.
        """
        with _umask(0o000):
            assert self._look_after_each_step(open_store, place, _exposed) == []

    def test_disk_02_files_are_born_private(
        self, open_store: OpenWritableStore, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """DISK-02: DISK-01 does not depend on a later chmod: without it, everything is still private to its owner.

        Why: Between the creation of a file and its chmod, another user may open it and keep it open.

        Do: Set the mode when you create the file: `os.open(path, flags, 0o600)`, `os.mkdir(path, 0o700)`. A chmod
        afterwards only gives back what a umask took from the owner.
        """
        for function in ("chmod", "fchmod", "lchmod"):
            monkeypatch.setattr(os, function, _leave_modes_alone, raising=False)

        with _umask(0o000):
            assert self._look_after_each_step(open_store, place, _exposed) == []

    def test_disk_03_a_strict_umask_locks_nobody_out(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-03: Under umask 0777 the store works, and its owner may read and write all of it afterwards.

        Why: A store that cannot be opened again, made by a service with a strict umask, has lost its keys.

        Do: After making a file or directory, set its mode (`os.fchmod`, `os.chmod`), for the umask took bits away.
        """

        def work() -> list[str]:
            os.umask(0o777)
            return self._look_after_each_step(open_store, place, _withdrawn)

        assert run_alone(work) == []
        assert listed(open_store) == ["a"]

    def test_disk_04_what_came_and_went_leaves_no_file(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-04: A name that was created, changed, destroyed and removed leaves no file, in the place or elsewhere.

        Why: Leftover files contain old keys, and it is unclear whether they may be removed.

        Do: Remove temporary files also when a write is refused or fails. Keep everything in the place, or beside it
        under a name that begins with the place's.
        """
        files = Place(place)
        others = files.unrelated()
        create(open_store, RecordInfo(name="0", version=1), noise("zero", 64))
        before = [*files.entries()]

        with open_store() as store:
            for _ in self._steps(store):
                assert files.unrelated() == others
        remove(open_store, "a")

        assert [*files.entries()] == before
        assert files.unrelated() == others

    def test_disk_05_a_refused_write_changes_no_file(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-05: After refused writes, every file has its old content, and there is no new one.

        Why: The error says "nothing was written"; a partial record or a key left in a temporary file contradicts it.

        Do: Refuse before you write, or remove what you wrote before you raise.
        """
        made = self.furnished(open_store, place)
        old = made.records["a", 1].info

        with open_store() as store:
            for refused, write in (
                (KeyExistsError, lambda: store.create(Record(replace(old, kid="other"), noise("other", 64)))),
                (ConflictError, lambda: store.replace_payload("a", 1, noise("other", 64), Revision("stale"))),
                (
                    UnsupportedOperationError,
                    lambda: store.update_info(replace(old, state=State.DESTROYED), old.revision),
                ),
                (KeyNotFoundError, lambda: store.update_info(replace(old, version=9), old.revision)),
                (ConflictError, lambda: store.remove("a", [])),
                (KeyNotFoundError, lambda: store.remove("no-such/name", [])),
            ):
                with pytest.raises(refused):
                    write()

        before, after = (
            {name: kept.data for name, kept in made.kept.items() if kept.data is not None},
            made.place.files(),
        )
        assert after.keys() == before.keys()
        assert [name for name in before if after[name] != before[name]] == []

    def test_disk_06_a_secret_that_went_is_in_no_file(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-06: After a replacement, a destruction or a removal, no 8 bytes of the secret are in any file.

        Why: A destroyed key that is still in a journal, in a free page or in an unused file is not destroyed.

        Do: Remove the files themselves; in a database, overwrite (`secure_delete`) and clear the log before you return.
        """
        gone = {name: noise(name, length) for name, length in (("a", 64), ("b", 3_000), ("c", 48), ("d", 20_000))}
        with open_store() as store:
            for number in range(8):  # that pages fill, split and move
                store.create(Record(RecordInfo(name=f"0/{number}", version=1), noise(f"stays {number}", 500)))
            infos = {n: store.create(Record(RecordInfo(name=n, version=1), payload)) for n, payload in gone.items()}
            for number in range(8, 16):
                store.create(Record(RecordInfo(name=f"0/{number}", version=1), noise(f"stays {number}", 500)))

            store.replace_payload("a", 1, noise("new", 64), infos["a"].revision)
            for name in ("b", "c"):
                if self.capabilities.metadata:
                    tomb = replace(infos[name], state=State.DESTROYED)
                    store.destroy(tomb, infos[name].revision)
                else:
                    store.remove(name, [infos[name].revision])
            store.remove("d", [infos["d"].revision])

            assert Place(place).holding(gone) == []
        assert Place(place).holding(gone) == []

    # What the system, or the permissions, do not allow

    def _as_owner(self, place: Path, work: Callable[[], list[str]]) -> list[str]:
        """Do it as a user without privileges who owns the store: if this is root, as another one."""
        if is_root():
            Place(place).give(OTHER_USER)

        def unprivileged() -> list[str]:
            _become_another_user(place)
            return work()

        return run_alone(unprivileged)

    def test_disk_10_what_may_not_be_read_is_denied(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-10: A place that its user may not read raises AccessDeniedError for every question, never "no keys".

        Why: If a store looks empty, the next program creates the keys again, over those of its owner.

        Do: Distinguish "not permitted" (EACCES, EPERM) from "does not exist" (ENOENT) in every system call.
        """
        self.furnished(open_store, place)

        def work() -> list[str]:
            os.chmod(place, 0)
            return [_outcome(open_store, ask) for ask in _ASK]

        assert self._as_owner(place, work) == [_DENIED] * len(_ASK)

    def test_disk_11_one_file_that_may_not_be_read_hides_nothing(
        self, open_store: OpenWritableStore, place: Path
    ) -> None:
        """DISK-11: With any one file or directory unreadable, each record is whole or refused, and none is missing.

        Why: After another user restored a backup, single files have the wrong owner.

        Do: Do not treat a PermissionError as a missing file, and do not let it escape: raise AccessDeniedError.
        """
        made = self.furnished(open_store, place)

        def work() -> list[str]:
            for name, status in made.place.entries().items():
                os.chmod(made.place.at(name), 0)
                made.inspection.look(f"{name} has mode 0000")
                os.chmod(made.place.at(name), status.st_mode & 0o777)
            return []

        assert self._as_owner(place, work) == []

    def test_disk_12_what_may_only_be_read_takes_no_writes(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-12: A read-only place can be read; each write is refused, and leaves every byte unchanged.

        Why: Backups, images and remote machines are mounted read-only, in order to read keys there.

        Do: Open read-only what is only read. Raise ReadOnlyStoreError or AccessDeniedError for writes, before anything
        is created.
        """
        made = self.furnished(open_store, place)
        writes = self.writes(made.records["b", 1])
        made.place.protect(files=0o400, directories=0o500)
        before = made.place.files()

        def work() -> list[str]:
            refused = made.inspection.look("only readable")
            return [*map(str, refused), *(_outcome(open_store, write) for write in writes)]

        outcomes = self._as_owner(place, work)

        assert len(outcomes) == len(writes), "a record of a readable store could not be read"
        assert set(outcomes) <= _REFUSED
        assert made.place.files() == before

    def test_disk_13_a_store_of_another_user_is_denied(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-13: Another user's private store raises AccessDeniedError for every question and every write.

        Why: As DISK-10; and what cannot be read must not be written over.

        Do: As DISK-10. Do not fall back to another place, nor to a new store.
        """
        made = self.furnished(open_store, place)
        if not is_root():
            if os.environ.get("KEYWRIGHT_REQUIRE_PEERS"):
                pytest.fail("run as root: there is no other user to be here")
            pytest.skip("there is no other user: this is not root")

        def work() -> list[str]:
            _become_another_user(place)
            return [_outcome(open_store, action) for action in (*_ASK, *self.writes(made.records["b", 1]))]

        outcomes = run_alone(work)

        assert outcomes[: len(_ASK)] == [_DENIED] * len(_ASK)
        assert set(outcomes) <= _REFUSED

    def test_disk_14_a_store_that_others_can_change_is_denied(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-14: A place that everyone may write raises AccessDeniedError, and is not repaired silently.

        Why: Other users could have added keys there, and using them means signing with their keys.

        Do: Check owner and mode of what you open (`os.fstat`) before you trust its content, and say how to fix it.
        """
        made = self.furnished(open_store, place)
        made.place.protect(files=0o666, directories=0o777)

        outcomes = [_outcome(open_store, action) for action in (*_ASK, *self.writes(made.records["b", 1]))]

        assert outcomes == [_DENIED] * len(outcomes)
        assert {status.st_mode & 0o006 for status in made.place.entries().values()} == {0o006}

    # What is on the medium when a write returns

    def _state(self, open_store: OpenWritableStore) -> dict[Reference, Record]:
        """All records, without their revisions."""
        with open_store() as store:
            found = [store.get(name, info.version) for name in store.names() for info in store.versions(name)]
        return {(one.info.name, one.info.version): Record(unrevised(one.info), one.payload) for one in found}

    def _prepare(self, open_store: OpenWritableStore, place: Place, write: str) -> dict[str, Kept]:
        """A store that is ready for the write, as it lies on the disk."""
        if write in _OF_METADATA:
            self.needs("metadata")
        if write != "first create":
            create(open_store, RecordInfo(name="0", version=1), noise("zero", 64))
            create(open_store, _WRITTEN.info, _OLD)
        return place.keep()

    def _do(
        self, open_store: OpenWritableStore, place: Place, write: str, syncs: Syncs, failing: int | None = None
    ) -> tuple[StoreError | None, dict[str, Kept]]:
        """Do the write in a store opened for it; the sync of this number fails. The error, and the files then."""
        with open_store() as store:
            record = _WRITTEN if write == "first create" else store.get(_WRITTEN.info.name, 1)
            return syncs.watch(lambda: _WRITES[write](store, record), failing=failing), place.keep()

    @pytest.mark.parametrize("write", _WRITES)
    def test_disk_20_a_failed_sync_is_told(
        self, open_store: OpenWritableStore, place: Path, monkeypatch: pytest.MonkeyPatch, write: str
    ) -> None:
        """DISK-20: If one sync of a write fails, it raises, and leaves either the old state or the new one, unmixed.

        Why: After a failed sync the system may have dropped the data, and the next sync may still succeed: a key that
        was reported as stored is lost at the next power failure.

        Do: Raise DurabilityError (another StoreError only if nothing was written), remove what is not visible
        yet, and never call fsync again for the same file.
        """
        files, syncs = Place(place), Syncs(monkeypatch)
        kept = self._prepare(open_store, files, write)
        old = self._state(open_store)
        files.restore(kept)
        assert self._do(open_store, files, write, syncs)[0] is None
        new, count = self._state(open_store), len(syncs.synced)
        if not count:
            if self.syncs_in_python:
                pytest.fail(
                    "the write never called `os.fsync`; if a library syncs for you, say syncs_in_python = False"
                )
            pytest.skip("the store declares syncs_in_python=False: a library syncs where Python does not see it")

        for number in range(count):
            files.restore(kept)
            error, _ = self._do(open_store, files, write, syncs, failing=number)
            after = self._state(open_store)

            assert error is not None, f"sync {number + 1} of {count} failed, and the write says that all is well"
            assert syncs.synced[number] not in syncs.synced[number + 1 :], f"sync {number + 1} was tried again"
            assert after in ((old, new) if isinstance(error, DurabilityError) else (old,))
            held = [record.payload for record in after.values()]
            assert files.holding({name: one for name, one in (("old", _OLD), ("new", _NEW)) if one not in held}) == []

    @pytest.mark.parametrize("write", _WRITES)
    def test_disk_21_what_a_write_made_is_synced(
        self, open_store: OpenWritableStore, place: Path, monkeypatch: pytest.MonkeyPatch, write: str
    ) -> None:
        """DISK-21: Each file that a write created or changed, and its directory, is synced before the write returns.

        Why: Without a sync of its directory, a new file is lost at a power failure; without its own, it is empty.

        Do: Write beside, `os.fsync` the file, rename it, `os.fsync` the directory, and only then return.
        """
        if not self.syncs_in_python:
            pytest.skip("the store declares syncs_in_python=False: a library syncs where Python does not see it")
        files, syncs = Place(place), Syncs(monkeypatch)
        before = self._prepare(open_store, files, write)
        error, after = self._do(open_store, files, write, syncs)

        assert error is None
        assert _unsynced(before, after, files, syncs.synced) == []
        assert syncs.early == []

    # Damage is detected, and never read as another key or as "no keys"

    def test_disk_30_a_file_cut_short_is_noticed(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-30: With any file cut at any length, 0 included, each record is whole or refused; none is missing.

        Why: Full disks, interrupted copies and crashed file systems truncate files; if an emptied store reads as "no
        keys", new keys are created and the backup is not restored.

        Do: Store each part with its length or a checksum, and raise CorruptedStoreError if it does not match. An empty
        file is never a new store.
        """
        made = self.furnished(open_store, place)
        for damage in made.damages(lambda data: ((f"cut to {end} bytes", data[:end]) for end in lengths(len(data)))):
            made.inspection.look(damage.text)
        for name, _ in made.contents():
            made.place.overwrite(name, b"")
        made.inspection.look("every file emptied")

    def test_disk_31_a_flipped_bit_is_noticed(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-31: With any bit of any file flipped, each record is whole or refused, and none is missing.

        Why: A payload with a flipped bit is another key, or not a key; a date with a flipped bit ends a key early.

        Do: Keep a checksum of payload and of metadata (`keywright.encode_info` has one), and check it at each read.
        """
        made = self.furnished(open_store, place)

        def flips(data: bytes) -> Iterable[tuple[str, bytes]]:
            for bit in bits(data, made.records):
                yield f"with bit {bit % 8} of byte {bit // 8} flipped", flipped(data, bit)

        for damage in made.damages(flips):
            made.inspection.look(damage.text)

    def test_disk_32_a_foreign_file_is_noticed(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-32: With any file replaced by another program's, or with junk appended, each record is whole or refused.

        Why: A backup restored under the wrong name must not become a key.

        Do: Mark your files (a first line, an application id), and raise CorruptedStoreError if the mark is missing.
        """
        made = self.furnished(open_store, place)

        def others(data: bytes) -> Iterable[tuple[str, bytes]]:
            for what, other in (*foreign().items(), ("itself and more", data + b"junk"), ("it twice", data * 2)):
                yield f"replaced by {what}", other

        for damage in made.damages(others):
            made.inspection.look(damage.text)

    def test_disk_33_swapped_files_are_noticed(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-33: With files of two records swapped, some or all, each record is whole or refused.

        Why: A key under another name or version makes signatures with the wrong key.

        Do: Store the record's name in each file, or bind the files of a record by a checksum over name, version and
        payload.
        """
        made = self.furnished(open_store, place)
        contents = made.place.files()
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
                        made.place.overwrite(one, contents[two])
                        made.place.overwrite(two, contents[one])
                    made.inspection.look(f"swapped: {swapped}")
                    made.place.restore(made.kept)

    def test_disk_34_a_missing_file_is_noticed(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-34: With any file missing, each record is whole or refused; only what has no file left may be missing.

        Why: A version whose payload file is gone is damaged; read as "not there", its number would be used again.

        Do: Let each part of a record state that the others must exist. If all parts are missing, it cannot be detected.
        """
        made = self.furnished(open_store, place)
        for name, _ in made.contents():
            made.place.discard(name)
            left = set(made.place.files())
            gone = frozenset(key for key, files in made.files.items() if not (files or set(made.kept)) & left)
            made.inspection.look(f"{name} is missing", may_lack=gone)
            made.place.restore(made.kept)

    def test_disk_35_what_a_newer_keywright_wrote_is_refused(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-35: A store of a newer layout raises CorruptedStoreError for every read and write, and is not changed.

        Why: An older program that writes to a layout that it does not know damages it for the newer one.

        Do: Number the layout, check the number before anything else, and say in the message that the store is newer.
        """
        made = self.furnished(open_store, place)
        self.newer(place)
        before = made.place.files()

        for action in (*_ASK, *self.writes(made.records["b", 1])):
            with pytest.raises(CorruptedStoreError, match="newer") as caught, open_store() as store:
                action(store)
            made.inspection.check_message(caught.value, "a newer store")

        assert made.place.files() == before

    def test_disk_36_a_damaged_record_is_not_written_over(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-36: Writes to a damaged record are refused or, if they remove it, done; no other record changes.

        Why: Damage can still be repaired from a backup or by hand, unless the next write hides it.

        Do: Read and check what a write depends on, and pass on the CorruptedStoreError. Never create over existing
        data.
        """
        made = self.furnished(open_store, place)
        for damage in made.damages(lambda data: _broken(data, {"text": foreign()["text"]})):
            refused = made.inspection.look(damage.text)
            for key in sorted(refused):
                self._write_over(open_store, made, damage, key, refused)

    def _write_over(
        self,
        open_store: OpenWritableStore,
        made: Furnished,
        damage: Damage,
        key: Reference,
        refused: frozenset[Reference],
    ) -> None:
        """Try to write to a record that the store would not give, from the same damage each time."""
        old, others = made.records[key], {other: record for other, record in made.records.items() if other[0] != key[0]}
        expected = [made.records[other].info.revision for other in sorted(set(made.records) - set(others))]
        covering: list[Write] = [lambda store: store.create(Record(old.info, noise("over", 64)))]
        removing: list[Write] = [lambda store: store.remove(key[0], expected)]
        if self.capabilities.metadata:
            over = replace(old.info, reason="over")
            covering.append(lambda store: store.update_info(over, old.info.revision))
        if self.capabilities.metadata and old.info.state is not State.DESTROYED:
            tomb = replace(old.info, state=State.DESTROYED)
            removing.append(lambda store: store.destroy(tomb, old.info.revision))
        for write in covering:
            made.damage(damage)
            assert _outcome(open_store, write) != "done", f"{damage.text}: {key} was written over"
            assert made.inspection.look(damage.text) <= refused, f"{damage.text}: a refused write did more harm"
        for write in removing:
            made.damage(damage)
            removed = _outcome(open_store, write) == "done"
            inspection = made.inspection.among(others) if removed else made.inspection
            assert inspection.look(damage.text) <= refused, f"{damage.text}: other records were harmed"

    def test_disk_37_damage_is_examined_without_harm(self, open_store: OpenWritableStore, place: Path) -> None:
        """DISK-37: `check` of a damaged store yields problems or raises a StoreError, and writes nothing.

        Why: Users run `keywright doctor` when there is already a problem.

        Do: Catch what each check may raise and yield it, in one line with the place of the problem and no payload.
        """
        made = self.furnished(open_store, place)

        def check() -> list[str]:
            try:
                with open_store() as store:
                    return [f"{one.subject}: {one.message}; {one.hint}" for one in problems(store)]
            except StoreError as error:
                return [str(error)]

        for damage in made.damages(lambda data: _broken(data, foreign())):
            for problem in check():
                made.inspection.check_message(problem, damage.text)
            assert made.place.files()[damage.file] == damage.data, f"{damage.text}: `check` wrote"

        assert check() == []

    def test_disk_38_something_else_in_the_place_of_a_file_is_noticed(
        self, open_store: OpenWritableStore, place: Path
    ) -> None:
        """DISK-38: A directory, pipe or link in place of a file, or the reverse, is detected, and no call blocks.

        Why: A named pipe makes a reader wait forever; a link leads a writer to another user's file.

        Do: Open with O_NOFOLLOW and O_NONBLOCK, and check what was opened (`os.fstat`) before you read.
        """
        made = self.furnished(open_store, place)

        def work() -> None:
            for name, kept in made.kept.items():
                for what, put in _OTHER_KINDS.items():
                    if what != ("a directory" if kept.data is None else "a file"):
                        made.place.discard(name)
                        put(made.place.at(name))
                        made.inspection.look(f"{what} in the place of {name}")
                        made.place.restore(made.kept)

        run_alone(work, seconds=LOOK_SECONDS)


def _unsynced(
    before: dict[str, Kept], after: dict[str, Kept], place: Place, synced: list[tuple[int, int]]
) -> list[str]:
    """What differs and was not synced. The directory above, named `""`, counts as one of the place."""
    found = [
        name
        for name, (status, data) in after.items()
        if data and _differs(before.get(name), after[name]) and (status.st_dev, status.st_ino) not in synced
    ]
    above = os.stat(place.path.parent)
    directories = {"": above, **{name: kept.status for name, kept in after.items() if kept.data is None}}
    for name, status in directories.items():
        if _entries(name, before) != _entries(name, after) and (status.st_dev, status.st_ino) not in synced:
            found.append(name or "the directory above")
    return found


def _differs(before: Kept | None, after: Kept) -> bool:
    return before is None or before.status.st_ino != after.status.st_ino or before.data != after.data


def _entries(directory: str, kept: dict[str, Kept]) -> set[tuple[str, int]]:
    return {(name, one.status.st_ino) for name, one in kept.items() if os.path.dirname(name) == directory}
