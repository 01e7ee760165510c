"""A model of a writable store, and random histories to compare a store with it."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import strategies as st

from keywright.errors import (
    ConflictError,
    KeyExistsError,
    KeyNotFoundError,
    KeywrightError,
    UnsupportedOperationError,
)
from keywright.protocols import WritableStore
from keywright.record import Record, RecordInfo, Revision, State
from keywright.secret import Secret
from keywright.testing.record_stores import OpenWritableStore

__all__ = ["check_against_model"]

_NAMES = ("a", "a/b", "ab")
_REASONS = st.sampled_from(["", "one", "two"])
_STATES = st.sampled_from([State.ENABLED, State.DISABLED, State.COMPROMISED])
_PAYLOADS = st.sampled_from([Secret(b""), Secret(b"one"), Secret(b"two")])


class _Model:
    """What the store should hold: revision and record by name and version."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, int], Record] = {}
        self.revisions: set[Revision] = set()

    def versions(self, name: str) -> list[RecordInfo]:
        return [record.info for key, record in sorted(self.records.items(), key=lambda item: item[0]) if key[0] == name]

    def put(self, stored: RecordInfo, record: Record) -> None:
        assert replace(stored, revision=Revision("")) == replace(record.info, revision=Revision(""))
        assert stored.revision not in self.revisions
        self.revisions.add(stored.revision)
        self.records[stored.name, stored.version] = Record(stored, record.payload)

    def create_error(self, record: Record) -> type[KeywrightError] | None:
        return KeyExistsError if (record.info.name, record.info.version) in self.records else None

    def update_error(self, record: Record, expected: Revision) -> type[KeywrightError] | None:
        old = self.records.get((record.info.name, record.info.version))
        if old is None:
            return KeyNotFoundError
        if old.info.revision != expected:
            return ConflictError
        destroys = record.info.state is State.DESTROYED and record.payload is None
        both = record.payload != old.payload and replace(record.info, revision=expected) != old.info
        return UnsupportedOperationError if both and not destroys else None

    def remove_error(self, name: str, expected: list[Revision]) -> type[KeywrightError] | None:
        infos = self.versions(name)
        if not infos:
            return KeyNotFoundError
        return None if [info.revision for info in infos] == expected else ConflictError


def check_against_model(open_store: OpenWritableStore, data: st.DataObject) -> None:
    """Draw up to twelve writes, and compare after each. The store must be empty at first."""
    model = _Model()
    steps: dict[str, Callable[[WritableStore, _Model, st.DataObject], None]] = {
        "create": _create,
        "update": _update,
        "remove": _remove,
    }
    for step in data.draw(st.lists(st.sampled_from(["create", "create", "update", "update", "remove"]), max_size=12)):
        with open_store() as store:
            steps[step](store, model, data)
        with open_store() as store:
            assert list(store.names()) == sorted({name for name, _ in model.records})
            for name in _NAMES:
                assert list(store.versions(name)) == model.versions(name)
            for (name, version), record in model.records.items():
                assert store.get(name, version) == record


def _create(store: WritableStore, model: _Model, data: st.DataObject) -> None:
    info = RecordInfo(
        name=data.draw(st.sampled_from(_NAMES)), version=data.draw(st.integers(1, 3)), reason=data.draw(_REASONS)
    )
    record = Record(info, data.draw(_PAYLOADS))
    error = model.create_error(record)
    if error is None:
        model.put(store.create(record), record)
    else:
        with pytest.raises(error):
            store.create(record)


def _update(store: WritableStore, model: _Model, data: st.DataObject) -> None:
    name, version = data.draw(st.sampled_from(_NAMES)), data.draw(st.integers(1, 3))
    old = model.records.get((name, version), Record(RecordInfo(name=name, version=version), Secret(b"")))
    record = _changed(old, data)
    both = record.payload != old.payload and record.info != old.info
    stale = [] if both else sorted(model.revisions)  # which of two faults is named first is the store's own affair
    expected = data.draw(st.sampled_from([old.info.revision, *stale]))
    error = model.update_error(record, expected)
    if error is None:
        model.put(store.update(record, expected=expected), record)
    else:
        with pytest.raises(error):
            store.update(record, expected=expected)


def _changed(old: Record, data: st.DataObject) -> Record:
    """A record that differs from `old`, as keepers change them: nothing leaves `destroyed`, nothing is emptied."""
    destroyed = old.info.state is State.DESTROYED
    kind = data.draw(st.sampled_from(["metadata", "destroy", "both"] + ["payload"] * (not destroyed)))
    reason = data.draw(_REASONS.filter(lambda drawn: drawn != old.info.reason))
    payload = data.draw(_PAYLOADS.filter(lambda drawn: drawn != old.payload))
    if kind == "metadata":
        state = old.info.state if destroyed else data.draw(_STATES)
        return Record(replace(old.info, reason=reason, state=state), old.payload)
    if kind == "destroy":
        return Record(replace(old.info, reason=reason, state=State.DESTROYED), None)
    if kind == "both":
        return Record(replace(old.info, reason=reason), payload)
    return Record(old.info, payload)


def _remove(store: WritableStore, model: _Model, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(_NAMES))
    held = [info.revision for info in model.versions(name)]
    expected = data.draw(st.sampled_from([held, held, held[:-1], held[::-1], [*held, Revision("another")]]))
    error = model.remove_error(name, expected)
    if error is None:
        store.remove(name, expected=expected)
        for key in [key for key in model.records if key[0] == name]:
            del model.records[key]
    else:
        with pytest.raises(error):
            store.remove(name, expected=expected)
