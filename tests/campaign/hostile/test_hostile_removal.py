"""A store that is deleted, or replaced by another, while somebody has it open."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile.surroundings import record, told
from kills.stores import OPENERS
from kills.worker import Open

from keywright import WritableStore
from keywright.errors import DamagedStoreError


def clear(place: Path) -> None:
    for path in place.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


USES = [
    pytest.param(lambda store: store.get("a", 1), id="get"),
    pytest.param(lambda store: store.versions("a"), id="versions"),
    pytest.param(lambda store: list(store.names()), id="names"),
    pytest.param(lambda store: store.create(record("b")), id="create"),
    pytest.param(lambda store: store.update(record(x="y"), expected=store.revision), id="update"),
    pytest.param(lambda store: store.remove("a", expected=[store.revision]), id="remove"),
]


class Held:
    """A store with the revision of its one record beside it."""

    def __init__(self, store: WritableStore) -> None:
        self.revision = store.create(record()).revision
        for name in ("get", "versions", "names", "create", "update", "remove"):
            setattr(self, name, getattr(store, name))


@pytest.mark.parametrize("use", USES)
def test_a_store_deleted_while_it_is_open(
    place: Path, store_path: Path, opened: Open, use: Callable[[Held], object]
) -> None:
    """Keys that were there are not taken for none, and no new store is made in silence."""
    with opened() as store:
        held = Held(store)
        clear(place)

        with pytest.raises(DamagedStoreError) as gone:
            use(held)

    assert str(gone.value).startswith(f"{store_path} is gone since it was opened; restore it from a backup, or open")
    assert list(place.iterdir()) == []


def test_a_deleted_store_opened_anew(place: Path, opened: Open) -> None:
    """Whoever opens it after that finds no store, and makes one by writing."""
    with opened() as store:
        store.create(record())
    clear(place)

    with opened() as store:
        assert list(store.names()) == []
        store.create(record("b"))

    with opened() as store:
        assert list(store.names()) == ["b"]


def test_a_store_replaced_by_another(kind: str, place: Path, tmp_path: Path, opened: Open) -> None:
    """An open store whose place another one took gives that one's keys or an error, and never mixes the two."""
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    with OPENERS[kind](other)() as store:
        store.create(record(payload=b"canary-other"))

    with opened() as store:
        held = Held(store)
        clear(place)
        for path in other.iterdir():
            path.rename(place / path.name)
        outcomes = [
            told(lambda: store.update(record(payload=b"mixed"), expected=held.revision)),
            told(lambda: store.remove("a", expected=[held.revision])),
        ]
        try:
            read = store.get("a", 1).payload
        except DamagedStoreError:
            read = None

    assert all(outcome.startswith(("ConflictError: ", "DamagedStoreError: ")) for outcome in outcomes), outcomes
    assert read in (None, record(payload=b"canary-other").payload)
    with opened() as store:
        assert store.get("a", 1).payload == record(payload=b"canary-other").payload
