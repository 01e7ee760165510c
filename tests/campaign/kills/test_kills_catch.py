"""The loop finds what it is there to find."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from kills.rounds import Place, run
from kills.stores import OPENERS
from kills.worker import Open

from keywright import Record, RecordInfo, Revision, WritableStore
from keywright.errors import KeyNotFoundError


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

    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        return self.store.update(record, expected=expected)

    def remove(self, name: str, *, expected: Sequence[Revision]) -> None:
        self.store.remove(name, expected=expected)

    def examine(self) -> Iterator[str]:
        return iter(())


class Late(Through):
    """Says that a name is removed, and removes it with the next write."""

    late: Callable[[], None] | None = None

    def create(self, record: Record) -> RecordInfo:
        self._catch_up()
        return super().create(record)

    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        self._catch_up()
        return super().update(record, expected=expected)

    def remove(self, name: str, *, expected: Sequence[Revision]) -> None:
        self._catch_up()
        self.late = lambda: self.store.remove(name, expected=expected)

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

    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        if record.payload is not None or record.info.version != 1:
            return super().update(record, expected=expected)
        try:
            if len(self.store.versions(record.info.name)) == 1:
                self.store.remove(record.info.name, expected=[expected])
                os.sched_yield()
                return self.store.create(record)
        except KeyNotFoundError:
            pass
        return super().update(record, expected=expected)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        pytest.param(Late, "though their end was reported|holds {.*}, not {}", id="reports too early"),
        pytest.param(Stray, "are nobody's, and in a file|a secret is in another file than its own", id="leaves a copy"),
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
