"""A model of a writable store, and a hypothesis state machine that runs a store beside it."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from keywright import Record, RecordInfo, Revision, Secret, State, WritableStore
from keywright.errors import (
    ConflictError,
    KeyExistsError,
    KeyNotFoundError,
    KeywrightError,
    UnsupportedOperationError,
)
from keywright.testing.stores.contract import OTHER_REVISION, OpenWritableStore, clear, unrevised

HISTORIES = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
"""How many histories a store is led through, and how many steps each has at most.

A history that fails is not shrunk, which took a minute: it is one of 25 steps at most.
"""

_NAMES = ("a", "a/b", "ab")
_names = st.sampled_from(_NAMES)
_labels = st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["", "1", "2"]), max_size=2)
_states = st.sampled_from([State.ENABLED, State.DISABLED, State.COMPROMISED])
_payloads = st.none() | st.sampled_from([Secret(b""), Secret(b"one"), Secret(b"two\n" * 2_000)])
_known_revisions = st.integers(0, 5)
_which = st.integers(0, 9)


class _Histories(RuleBasedStateMachine):
    """The steps, and what the store should hold. A subclass says how it is opened, and whether it keeps metadata."""

    open_store: OpenWritableStore
    metadata: bool

    def __init__(self) -> None:
        super().__init__()
        clear(self.open_store)
        self.records: dict[tuple[str, int], Record] = {}
        self.revisions: list[Revision] = []  # every one that the store ever gave
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

    @rule(name=_names, version=st.integers(1, 3), labels=_labels, payload=_payloads)
    def create(self, name: str, version: int, labels: dict[str, str], payload: Secret | None) -> None:
        """Add a version, or be refused because it exists."""
        record = Record(RecordInfo(name=name, version=version, labels=labels if self.metadata else {}), payload)
        refusal = KeyExistsError if (name, version) in self.records else None
        self._put(record, refusal, lambda: self.store.create(record))

    def _put(self, record: Record, error: type[KeywrightError] | None, write: Callable[[], RecordInfo]) -> None:
        """Write, and note what was written; if an error is expected, be refused."""
        if error is not None:
            with pytest.raises(error):
                write()
            return
        stored = write()
        assert unrevised(stored) == unrevised(record.info)
        assert stored.revision not in ("", *self.revisions)
        self.revisions.append(stored.revision)
        self.records[stored.name, stored.version] = Record(stored, record.payload)

    def _pick(self, which: int) -> Record:
        """A record that exists, or for 0 one that does not."""
        keys = sorted(self.records)
        if which and keys:
            return self.records[keys[which % len(keys)]]
        return Record(RecordInfo(name="absent", version=1), None)

    @precondition(lambda machine: machine.metadata)
    @rule(which=_which, labels=_labels, state=_states, stale=_known_revisions)
    def update_info(self, which: int, labels: dict[str, str], state: State, stale: int) -> None:
        """Change labels and state. Nothing leaves `destroyed`."""
        old = self._pick(which)
        state = State.DESTROYED if old.info.state is State.DESTROYED else state
        new = Record(replace(old.info, labels=labels, state=state), old.payload)
        self._change(new, old, stale, lambda expected: self.store.update_info(new.info, expected))

    @rule(which=_which, payload=_payloads, stale=_known_revisions)
    def replace_payload(self, which: int, payload: Secret | None, stale: int) -> None:
        """Change the payload alone; be refused for a record without one."""
        old, payload = self._pick(which), payload or Secret(b"")
        name, version = old.info.name, old.info.version
        refusal = UnsupportedOperationError if old.payload is None else None
        self._change(
            Record(old.info, payload),
            old,
            stale,
            lambda expected: self.store.replace_payload(name, version, payload, expected),
            refusal=refusal,
        )

    @precondition(lambda machine: machine.metadata)
    @rule(which=_which, labels=_labels, stale=_known_revisions)
    def destroy(self, which: int, labels: dict[str, str], stale: int) -> None:
        """Leave a tombstone."""
        old = self._pick(which)
        new = Record(replace(old.info, labels=labels, state=State.DESTROYED), None)
        self._change(new, old, stale, lambda expected: self.store.destroy(new.info, expected))

    def _change(
        self,
        new: Record,
        old: Record,
        stale: int,
        write: Callable[[Revision], RecordInfo],
        *,
        refusal: type[KeywrightError] | None = None,
    ) -> None:
        # Mostly the right revision; else one of long ago, or none that ever was.
        former = [OTHER_REVISION, *self.revisions[:2]]
        expected = former[stale % len(former)] if stale > 3 else old.info.revision or OTHER_REVISION
        if not old.info.revision:
            refusal = KeyNotFoundError
        elif old.info.revision != expected:
            refusal = ConflictError
        self._put(new, refusal, lambda: write(expected))

    @rule(name=_names, how=st.sampled_from(["right", "right", "fewer", "reversed", "more"]))
    def remove(self, name: str, how: str) -> None:
        """Take a name away, from the state that it is in or from another."""
        held = [info.revision for info in self._versions(name)]
        expected = {"right": held, "fewer": held[:-1], "reversed": held[::-1], "more": [*held, OTHER_REVISION]}[how]
        if not held or expected != held:
            with pytest.raises(ConflictError if held else KeyNotFoundError):
                self.store.remove(name, expected)
            return
        self.store.remove(name, expected)
        self.records = {key: record for key, record in self.records.items() if key[0] != name}

    @rule(
        prefix=st.sampled_from(["", "a", "a/", "b"]), after=st.sampled_from(["", "a", "a/a"]), limit=st.integers(0, 3)
    )
    def list(self, prefix: str, after: str, limit: int) -> None:
        """A page of names."""
        wanted = sorted({name for name, _ in self.records if name.startswith(prefix) and name > after})
        assert [*self.store.names(prefix, after=after, limit=limit)] == wanted[:limit]

    def _versions(self, name: str) -> Sequence[RecordInfo]:
        return [self.records[key].info for key in sorted(self.records) if key[0] == name]

    @invariant()
    def holds_what_the_model_does(self) -> None:
        """All names, versions and records."""
        assert [*self.store.names()] == sorted({name for name, _ in self.records})
        for name in _NAMES:
            assert [*self.store.versions(name)] == self._versions(name)
            for version in (1, 2, 3):
                assert self._get(name, version) == self.records.get((name, version))

    def _get(self, name: str, version: int) -> Record | None:
        try:
            return self.store.get(name, version)
        except KeyNotFoundError:
            return None


def check_histories(open_store: OpenWritableStore, *, metadata: bool) -> None:
    """Lead the store through histories of writes, good and refused, and compare it with the model after each step."""

    class Histories(_Histories):
        pass

    Histories.open_store = staticmethod(open_store)
    Histories.metadata = metadata
    run_state_machine_as_test(Histories, settings=HISTORIES)
