"""A model of a writable store, and a hypothesis state machine that runs a store beside it."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from keywright.errors import (
    ConflictError,
    KeyExistsError,
    KeyNotFoundError,
    KeywrightError,
    UnsupportedOperationError,
)
from keywright.protocols import WritableStore
from keywright.records import Record, RecordInfo, Revision, State
from keywright.secret import Secret
from keywright.testing.stores.records import OpenWritableStore, clear, unrevised

__all__ = ["HISTORIES", "check_histories"]

HISTORIES = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
"""How many histories a store is led through, and how many steps each has at most."""

_NAMES = ("a", "a/b", "ab")
_OTHER = Revision("another")
_names = st.sampled_from(_NAMES)
_versions = st.integers(1, 3)
_labels = st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["", "1", "2"]), max_size=2)
_states = st.sampled_from([State.ENABLED, State.DISABLED, State.COMPROMISED])
_payloads = st.none() | st.sampled_from([Secret(b""), Secret(b"one"), Secret(b"two\n" * 2_000)])
_known_revisions = st.integers(0, 5)
_limits = st.integers(0, 3)
_which = st.integers(0, 9)


class _Model:
    """What the store should hold: records by name and version; and every revision that it ever gave."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, int], Record] = {}
        self.revisions: list[Revision] = []

    def versions(self, name: str) -> list[RecordInfo]:
        return [record.info for key, record in sorted(self.records.items(), key=lambda item: item[0]) if key[0] == name]

    def names(self) -> list[str]:
        return sorted({name for name, _ in self.records})

    def put(self, stored: RecordInfo, record: Record) -> None:
        assert unrevised(stored) == unrevised(record.info)
        assert stored.revision not in ("", *self.revisions)
        self.revisions.append(stored.revision)
        self.records[stored.name, stored.version] = Record(stored, record.payload)

    def update_error(self, record: Record, expected: Revision) -> type[KeywrightError] | None:
        old = self.records.get((record.info.name, record.info.version))
        if old is None:
            return KeyNotFoundError
        if old.info.revision != expected:
            return ConflictError
        destroys = record.info.state is State.DESTROYED and record.payload is None
        both = record.payload != old.payload and unrevised(record.info) != unrevised(old.info)
        return UnsupportedOperationError if both and not destroys else None


class _Histories(RuleBasedStateMachine):
    """The steps. A subclass says how the store is opened, and whether it keeps metadata."""

    open_store: OpenWritableStore
    metadata: bool

    def __init__(self) -> None:
        super().__init__()
        clear(self.open_store)
        self.model = _Model()
        self.opened: AbstractContextManager[WritableStore] = self.open_store()
        self.store = self.opened.__enter__()

    def teardown(self) -> None:
        try:
            self.reopen()
            self.holds_what_the_model_does()
        finally:
            self.opened.__exit__(None, None, None)

    @rule()
    def reopen(self) -> None:
        """Close the store, and open it as another process would."""
        self.opened.__exit__(None, None, None)
        self.opened = self.open_store()
        self.store = self.opened.__enter__()

    @rule(name=_names, version=_versions, labels=_labels, payload=_payloads)
    def create(self, name: str, version: int, labels: dict[str, str], payload: Secret | None) -> None:
        """Add a version, or be told that it is there."""
        record = Record(RecordInfo(name=name, version=version, labels=labels if self.metadata else {}), payload)
        if (name, version) in self.model.records:
            with pytest.raises(KeyExistsError):
                self.store.create(record)
        else:
            self.model.put(self.store.create(record), record)

    def _pick(self, which: int) -> Record:
        """A record that is there, or for 0 one that is not."""
        keys = sorted(self.model.records)
        if which and keys:
            return self.model.records[keys[which % len(keys)]]
        return Record(RecordInfo(name="absent", version=1), None)

    @precondition(lambda machine: machine.metadata)
    @rule(which=_which, labels=_labels, state=_states, stale=_known_revisions)
    def update_metadata(self, which: int, labels: dict[str, str], state: State, stale: int) -> None:
        """Change labels and state. Nothing leaves `destroyed`."""
        old = self._pick(which)
        state = State.DESTROYED if old.info.state is State.DESTROYED else state
        self._update(Record(replace(old.info, labels=labels, state=state), old.payload), old, stale)

    @rule(which=_which, payload=_payloads, stale=_known_revisions)
    def update_payload(self, which: int, payload: Secret | None, stale: int) -> None:
        """Change the payload alone."""
        old = self._pick(which)
        if old.info.state is not State.DESTROYED:
            self._update(Record(old.info, payload), old, stale)

    @precondition(lambda machine: machine.metadata)
    @rule(which=_which)
    def update_both(self, which: int) -> None:
        """What is refused: metadata and payload at once."""
        old = self._pick(which)
        if old.info.revision and old.info.state is not State.DESTROYED:
            self._update(Record(replace(old.info, reason="both"), Secret(b"another than all others")), old, 0)

    @precondition(lambda machine: machine.metadata)
    @rule(which=_which, labels=_labels, stale=_known_revisions)
    def destroy(self, which: int, labels: dict[str, str], stale: int) -> None:
        """Leave a tombstone."""
        old = self._pick(which)
        self._update(Record(replace(old.info, labels=labels, state=State.DESTROYED), None), old, stale)

    def _update(self, record: Record, old: Record, stale: int) -> None:
        # Mostly the right revision; else one of long ago, or none that ever was.
        former = [_OTHER, *self.model.revisions[:2]]
        expected = former[stale % len(former)] if stale > 3 else old.info.revision or _OTHER
        error = self.model.update_error(record, expected)
        if error is None:
            self.model.put(self.store.update(record, expected=expected), record)
        else:
            with pytest.raises(error):
                self.store.update(record, expected=expected)

    @rule(name=_names, how=st.sampled_from(["right", "right", "fewer", "reversed", "more"]))
    def remove(self, name: str, how: str) -> None:
        """Take a name away, from the state that it is in or from another."""
        held = [info.revision for info in self.model.versions(name)]
        expected = {"right": held, "fewer": held[:-1], "reversed": held[::-1], "more": [*held, _OTHER]}[how]
        if not held or expected != held:
            with pytest.raises(ConflictError if held else KeyNotFoundError):
                self.store.remove(name, expected=expected)
            return
        self.store.remove(name, expected=expected)
        for key in [key for key in self.model.records if key[0] == name]:
            del self.model.records[key]

    @rule(
        prefix=st.sampled_from(["", "a", "a/", "b"]), after=st.sampled_from(["", "a", "a/a"]), limit=st.integers(0, 3)
    )
    def list(self, prefix: str, after: str, limit: int) -> None:
        """A page of names."""
        wanted = [name for name in self.model.names() if name.startswith(prefix) and name > after]
        assert [*self.store.names(prefix, after=after, limit=limit)] == wanted[:limit]

    @invariant()
    def holds_what_the_model_does(self) -> None:
        """All names, versions and records."""
        assert [*self.store.names()] == self.model.names()
        for name in _NAMES:
            assert [*self.store.versions(name)] == self.model.versions(name)
            for version in (1, 2, 3):
                self._check_record(name, version)

    def _check_record(self, name: str, version: int) -> None:
        wanted = self.model.records.get((name, version))
        if wanted is not None:
            assert self.store.get(name, version) == wanted
            return
        with pytest.raises(KeyNotFoundError):
            self.store.get(name, version)


def check_histories(open_store: OpenWritableStore, *, metadata: bool) -> None:
    """Lead the store through histories of writes, good and refused, and compare it with the model after each step."""

    class Histories(_Histories):
        pass

    Histories.open_store = staticmethod(open_store)
    Histories.metadata = metadata
    run_state_machine_as_test(Histories, settings=HISTORIES)
