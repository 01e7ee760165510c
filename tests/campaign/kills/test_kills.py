"""Processes killed at any moment lose nothing that they reported, and leave nothing torn or stray."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from kills import migrations, rewraps
from kills.rounds import Place, run
from kills.worker import OPENERS, Open

from keywright import Problem, Record, RecordInfo, Revision, Secret, WritableStore


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory where the system has such a place: what a kill leaves does not depend on the medium."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory(dir=place) as directory:
        yield Path(directory)


@pytest.mark.parametrize("kind", sorted(OPENERS))
def test_one_process_killed(kind: str, tmp_path: Path) -> None:
    """After kill -9 all that was reported done is there exactly, what was under way is done or not, and no more."""
    figures = run(Place(kind, OPENERS[kind], tmp_path), kills=40, workers=1, seed=1)

    assert figures.kills == 40
    assert figures.inside > 13
    assert figures.took_effect > 0


@pytest.mark.parametrize("kind", sorted(OPENERS))
def test_processes_killed_beside_each_other(kind: str, memory: Path) -> None:
    """The same with four at work, each on names of its own and all on one, of whom some outlive the others."""
    figures = run(Place(kind, OPENERS[kind], memory), kills=40, workers=4, seed=2)

    assert figures.kills == 40
    assert figures.inside > 8
    assert figures.done > 40


class Through:
    """A store that passes everything on."""

    def __init__(self, store: WritableStore, directory: Path) -> None:
        self.store = store
        self.directory = directory

    def get(self, name: str, version: int) -> Record:
        return self.store.get(name, version)

    def versions(self, name: str) -> Sequence[RecordInfo]:
        return self.store.versions(name)

    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        return self.store.names(prefix, after=after, limit=limit)

    def create(self, record: Record) -> RecordInfo:
        return self.store.create(record)

    def update_info(self, info: RecordInfo, expected: Revision) -> RecordInfo:
        return self.store.update_info(info, expected)

    def replace_payload(self, name: str, version: int, payload: Secret, expected: Revision) -> RecordInfo:
        return self.store.replace_payload(name, version, payload, expected)

    def destroy(self, info: RecordInfo, expected: Revision) -> RecordInfo:
        return self.store.destroy(info, expected)

    def remove(self, name: str, expected: Sequence[Revision]) -> None:
        self.store.remove(name, expected)

    def check(self) -> Iterator[Problem]:
        return iter(())


class Late(Through):
    """Says that a name is removed, and removes it with the next write."""

    late: Callable[[], None] | None = None

    def create(self, record: Record) -> RecordInfo:
        self._catch_up()
        return super().create(record)

    def update_info(self, info: RecordInfo, expected: Revision) -> RecordInfo:
        self._catch_up()
        return super().update_info(info, expected)

    def replace_payload(self, name: str, version: int, payload: Secret, expected: Revision) -> RecordInfo:
        self._catch_up()
        return super().replace_payload(name, version, payload, expected)

    def destroy(self, info: RecordInfo, expected: Revision) -> RecordInfo:
        self._catch_up()
        return super().destroy(info, expected)

    def remove(self, name: str, expected: Sequence[Revision]) -> None:
        self._catch_up()
        self.late = lambda: self.store.remove(name, expected)

    def _catch_up(self) -> None:
        late, self.late = self.late, None
        if late:
            late()


class Stray(Through):
    """Has a copy of a new secret in a file beside the store while it writes."""

    def create(self, record: Record) -> RecordInfo:
        assert record.payload is not None
        copy = self.directory / "copy"
        copy.write_bytes(record.payload.reveal())
        info = super().create(record)
        copy.unlink()
        return info


class Stepwise(Through):
    """Destroys by a removal of the name and a new beginning."""

    def destroy(self, info: RecordInfo, expected: Revision) -> RecordInfo:
        if len(self.store.versions(info.name)) != 1:
            return super().destroy(info, expected)
        self.store.remove(info.name, [expected])
        os.sched_yield()
        return self.store.create(Record(info, None))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        pytest.param(Late, "though their end was reported|holds {.*}, not {}", id="reports too early"),
        pytest.param(Stray, "are no one's, and in a file|a secret is in another file than its own", id="leaves a copy"),
        pytest.param(Stepwise, "holds {}, not", id="two steps"),
    ],
)
def test_a_broken_store_is_found(broken: type[Through], message: str, tmp_path: Path) -> None:
    """A store that is wrong for a moment is caught by a kill in that moment."""

    def opener(directory: Path) -> Open:
        open_file = OPENERS["file"](directory)

        @contextmanager
        def open_broken() -> Iterator[WritableStore]:
            with open_file() as store:
                yield broken(store, directory)

        return open_broken

    with pytest.raises(AssertionError, match=message):
        run(Place("file", opener, tmp_path), kills=1000, workers=1, seed=4)


@pytest.mark.parametrize("pair", migrations.PAIRS[:2])
@pytest.mark.parametrize("writers", [0, 2])
def test_a_migration_that_is_killed_is_finished_by_the_next(
    tmp_path: Path, pair: tuple[str, str], writers: int
) -> None:
    """At each kill every version is whole in one store at least; at the end the target is what the source was."""
    figures = migrations.run(tmp_path, pair, kills=24, seed=3, writers=writers)

    assert figures.kills >= 24
    assert figures.inside > 5
    assert bool(figures.writes) == bool(writers)


@pytest.mark.parametrize("pair", rewraps.PAIRS, ids="-".join)
@pytest.mark.parametrize("writers", [0, 2])
def test_a_change_that_is_killed_is_finished_by_the_next(tmp_path: Path, pair: rewraps.Pair, writers: int) -> None:
    """With `previous`, every record opens meanwhile and after each kill; at the end all open without it."""
    figures = rewraps.run(tmp_path, pair, kills=6, seed=3, writers=writers)

    assert figures.kills >= 6
    assert figures.changes > 0
    assert figures.inside > 0
    assert figures.looks > 0
    assert bool(figures.writes) == bool(writers)
