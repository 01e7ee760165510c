"""The contract kit catches faulty stores: variants of the memory store, each with one fault."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import pytest
from hypothesis import Phase, settings

from keywright.errors import ConflictError, KeyExistsError, KeyNotFoundError, UnsupportedOperationError
from keywright.protocols import Capabilities, WritableStore
from keywright.records import Record, RecordInfo, Revision, State
from keywright.secret import Secret
from keywright.stores.memory import MemoryBackend, MemoryStore
from keywright.testing import (
    OnDiskStoreContract,
    SigningStoreContract,
    StoreContract,
    WritableStoreContract,
    interrupts,
)
from keywright.testing.rules import rules_of
from keywright.testing.stores import model, shared

Breaks = Callable[..., bool]

_CAN = MemoryBackend.capabilities
_HELD = ("a", "a/1", "a/b", "ab", "b")


class _NeverCommits(MemoryStore):
    """Nothing wrong inside: its opener makes a fresh one each time."""


class _Overwrites(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        self._records.get(record.info.name, {}).pop(record.info.version, None)
        return super().create(record)


class _RaisesItsOwn(MemoryStore):
    def get(self, name: str, version: int) -> Record:
        return Record(self._records[name][version].info, self._records[name][version].payload)


class _NamesNoName(MemoryStore):
    def get(self, name: str, version: int) -> Record:
        try:
            return super().get(name, version)
        except KeyNotFoundError:
            raise KeyNotFoundError("there is no such key; look for another") from None


class _FallsBackToTheNewest(MemoryStore):
    def get(self, name: str, version: int) -> Record:
        return super().get(name, min(version, max(self._records.get(name, {version: None}))))


class _AbsentIsAnError(MemoryStore):
    def versions(self, name: str) -> Sequence[RecordInfo]:
        return super().versions(name) or (self.get(name, 1).info,)


class _ListsOtherRevisions(MemoryStore):
    def versions(self, name: str) -> Sequence[RecordInfo]:
        return tuple(replace(info, revision=Revision("listed")) for info in super().versions(name))


class _ListsAsMade(MemoryStore):
    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        return iter([name for name in self._records if name.startswith(prefix) and name > after][:limit])


class _LimitIsOneMore(MemoryStore):
    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        return super().names(prefix, after=after, limit=None if limit is None else limit + 1)


class _ZeroIsNoLimit(MemoryStore):
    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        return super().names(prefix, after=after, limit=limit or None)


class _LimitsBeforeThePrefix(MemoryStore):
    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        return (name for name in super().names(after=after, limit=limit) if name.startswith(prefix))


class _TakesPrefixesBySegment(MemoryStore):
    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        found = [n for n in super().names(after=after) if not prefix or n == prefix or n.startswith(prefix + "/")]
        return iter(found[:limit])


class _IncludesAfter(MemoryStore):
    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        return iter([name for name in super().names(prefix) if name >= after][:limit])


class _AfterMustBeThere(MemoryStore):
    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        found = list(super().names(prefix))
        return iter(found[found.index(after) + 1 if after in found else 0 :][:limit])


class _PagesByPosition(MemoryStore):
    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        given = getattr(self, "_given", 0) if after else 0
        found = list(super().names(prefix))[given:][:limit]
        self._given = given + len(found)
        return iter(found)


class _SkipsWhatMovesUp(MemoryStore):
    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        return (name for name in self._names if name.startswith(prefix) and name > after)


class _ReadsThroughOneCursor(MemoryStore):
    def get(self, name: str, version: int) -> Record:
        self._asked = name
        time.sleep(0.000_1)
        return super().get(self._asked, version)


class _ShowsPayloads(MemoryStore):
    def __repr__(self) -> str:
        return repr([(r.info, r.payload and r.payload.reveal()) for v in self._records.values() for r in v.values()])


class _IgnoresRevisions(MemoryStore):
    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        return super().update(record, expected=self.get(record.info.name, record.info.version).info.revision)


class _RevisionsRecur(MemoryStore):
    def remove(self, name: str, *, expected: Sequence[Revision]) -> None:
        super().remove(name, expected=expected)
        self._writes = 0


class _KeepsForeignRevisions(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        stored = super().create(record)
        kept = replace(stored, revision=record.info.revision or stored.revision)
        self._records[kept.name][kept.version] = Record(kept, record.payload)
        return kept


class _SortsVersionsAsText(MemoryStore):
    def versions(self, name: str) -> Sequence[RecordInfo]:
        return sorted(super().versions(name), key=lambda info: str(info.version))


class _DropsLabels(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        return super().create(Record(replace(record.info, labels={}), record.payload))


class _MergesLabels(MemoryStore):
    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        labels = {**self.get(record.info.name, record.info.version).info.labels, **record.info.labels}
        return super().update(Record(replace(record.info, labels=labels), record.payload), expected=expected)


class _SharesLabelsIn(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        stored = super().create(record)
        self._records[stored.name][stored.version] = Record(replace(stored, labels=record.info.labels), record.payload)
        return stored


class _SharesLabelsOut(MemoryStore):
    def versions(self, name: str) -> Sequence[RecordInfo]:
        return tuple(record.info for record in self._records.get(name, {}).values())


class _LosesMicroseconds(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        created = record.info.created and record.info.created.replace(microsecond=0)
        return super().create(Record(replace(record.info, created=created), record.payload))


class _UpdateInserts(MemoryStore):
    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        if record.info.version not in self._records.get(record.info.name, {}):
            return self.create(record)
        return super().update(record, expected=expected)


class _ForgetsTombstones(MemoryStore):
    def versions(self, name: str) -> Sequence[RecordInfo]:
        return tuple(info for info in super().versions(name) if info.state != "destroyed")


class _ReusesNumbersOfTheDestroyed(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        old = self._records.get(record.info.name, {}).get(record.info.version)
        if old is not None and old.info.state is State.DESTROYED:
            del self._records[record.info.name][record.info.version]
        return super().create(record)


class _KeepsWhatIsDestroyed(MemoryStore):
    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        old = self.get(record.info.name, record.info.version)
        return super().update(Record(record.info, record.payload or old.payload), expected=expected)


class _RemovesWhatIsBelow(MemoryStore):
    def remove(self, name: str, *, expected: Sequence[Revision]) -> None:
        super().remove(name, expected=expected)
        for below in list(self.names(name + "/")):
            super().remove(below, expected=[info.revision for info in self.versions(below)])


class _RemovesWhateverIsThere(MemoryStore):
    def remove(self, name: str, *, expected: Sequence[Revision]) -> None:
        super().remove(name, expected=[info.revision for info in self.versions(name)])


class _RemovesNothingInSilence(MemoryStore):
    def remove(self, name: str, *, expected: Sequence[Revision]) -> None:
        if name in self._records or expected:
            super().remove(name, expected=expected)


class _NeverForgetsAName(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        used = self.__dict__.setdefault("_used", set())
        if record.info.reference in used:
            raise KeyExistsError(f"{record.info.reference}: was there once; take another")
        used.add(record.info.reference)
        return super().create(record)


class _CutsLongNames(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        return super().create(Record(replace(record.info, name=record.info.name[:199]), record.payload))


class _ChecksThenCreates(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        taken = any(info.version == record.info.version for info in self.versions(record.info.name))
        time.sleep(0.001)
        if taken:
            raise KeyExistsError(f"{record.info.reference}: is there already; take another")
        self._records.get(record.info.name, {}).pop(record.info.version, None)
        return super().create(record)


class _ChecksThenUpdates(MemoryStore):
    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        now = self.get(record.info.name, record.info.version).info.revision
        time.sleep(0.001)
        if now != expected:
            raise ConflictError(f"{record.info.reference}: changed; read it again")
        return super().update(record, expected=self.get(record.info.name, record.info.version).info.revision)


class _StripsPayloads(MemoryStore):
    def get(self, name: str, version: int) -> Record:
        record = super().get(name, version)
        return Record(record.info, record.payload and Secret(record.payload.reveal().rstrip(b"\n")))


class _CutsLongPayloads(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        return super().create(Record(record.info, record.payload and Secret(record.payload.reveal()[:65_535])))


class _TakesNoneForEmpty(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        return super().create(Record(record.info, record.payload or Secret(b"")))


class _KeepsRevisionOfNewPayload(MemoryStore):
    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        super().update(record, expected=expected)
        kept = replace(record.info, revision=expected)
        self._records[kept.name][kept.version] = Record(kept, record.payload)
        return kept


class _ReplacesPayloadsAnyway(MemoryStore):
    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        old = self.get(record.info.name, record.info.version)
        sealing = replace(record.info, revision=old.info.revision) == old.info
        return super().update(record, expected=old.info.revision if sealing else expected)


class _UpdatesBothAtOnce(MemoryStore):
    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        old = self.get(record.info.name, record.info.version)
        changed = super().update(Record(record.info, old.payload), expected=expected)
        return super().update(Record(changed, record.payload), expected=changed.revision)


class _ShowsPayloadsInLocals(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        payload = record.payload and record.payload.reveal()
        stored = super().create(record)
        return stored if payload else replace(stored)


class _QuotesPayloads(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        try:
            return super().create(record)
        except KeyExistsError as error:
            raise KeyExistsError(f"{error}: {record.payload and record.payload.reveal()!r}") from None


class _CriesWolf(MemoryStore):
    def examine(self) -> Iterator[str]:
        if not self._names:
            yield "the store is empty; put a key into it"


class _DropsMetadata(MemoryStore):
    """What keeps no metadata, and does not say so when it is given some."""

    def create(self, record: Record) -> RecordInfo:
        return super().create(Record(RecordInfo(name=record.info.name, version=record.info.version), record.payload))

    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        bare = RecordInfo(name=record.info.name, version=record.info.version, revision=expected)
        return super().update(Record(bare, record.payload), expected=expected)


class _RefusesMetadata(_DropsMetadata):
    """The sound one of this kind."""

    def create(self, record: Record) -> RecordInfo:
        _refuse_metadata(record.info)
        return super().create(record)

    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        _refuse_metadata(record.info)
        return super().update(record, expected=expected)


def _refuse_metadata(info: RecordInfo) -> None:
    if info != RecordInfo(name=info.name, version=info.version, revision=info.revision):
        raise UnsupportedOperationError(f"{info.reference}: this store keeps no metadata; use another")


class _GuessesTypes(_RefusesMetadata):
    def get(self, name: str, version: int) -> Record:
        record = super().get(name, version)
        return Record(replace(record.info, key_type="ed25519"), record.payload)


class _ListsLater(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        with self._lock:
            stored = super().create(record)
            self._names.remove(stored.name)
            time.sleep(0.0005)
            self._names.append(stored.name)
            return stored


class _LocksStepByStep(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        _PLAIN_LOCK.acquire()
        time.sleep(0.0005)
        stored = super().create(record)
        _PLAIN_LOCK.release()
        return stored


_PLAIN_LOCK = Lock()


class TestPlainStore(WritableStoreContract):
    """A sound store that keeps no metadata passes, with what it declines."""

    capabilities = _CAN._replace(metadata=False)

    @pytest.fixture
    def open_store(self) -> Callable[[], AbstractContextManager[WritableStore]]:
        """The same store each time."""
        store = _RefusesMetadata()
        return lambda: nullcontext(store)


class _Fault(NamedTuple):
    """A faulty store, and the rule that must catch it."""

    store: type[MemoryStore]
    rule: str
    example: Mapping[str, object] = {}
    capabilities: Capabilities = _CAN
    sound: type[MemoryStore] = MemoryStore


_INFO = RecordInfo(name="a", version=1, created=datetime(2026, 11, 21, 20, 52, 13, 1, tzinfo=UTC))
_PLAIN = _CAN._replace(metadata=False)
_FAULTS = [
    _Fault(_RaisesItsOwn, "store_01"),
    _Fault(_NamesNoName, "store_01"),
    _Fault(_FallsBackToTheNewest, "store_02"),
    _Fault(_AbsentIsAnError, "store_03"),
    _Fault(_StripsPayloads, "store_04", {"suffix": b"\n"}),
    _Fault(_ListsOtherRevisions, "store_05"),
    _Fault(_ListsAsMade, "store_06"),
    _Fault(_TakesPrefixesBySegment, "store_07"),
    _Fault(_IncludesAfter, "store_08"),
    _Fault(_AfterMustBeThere, "store_08"),
    _Fault(_LimitIsOneMore, "store_09"),
    _Fault(_ZeroIsNoLimit, "store_09"),
    _Fault(_LimitsBeforeThePrefix, "store_10"),
    _Fault(_IncludesAfter, "store_10"),
    _Fault(_ReadsThroughOneCursor, "store_11"),
    _Fault(_ShowsPayloads, "store_12"),
    _Fault(_GuessesTypes, "store_15", {}, _PLAIN, _RefusesMetadata),
    _Fault(_NeverCommits, "store_20"),
    _Fault(_Overwrites, "store_21"),
    _Fault(_CutsLongNames, "store_22", {"drawn": ["a" * 200]}),
    _Fault(_LosesMicroseconds, "store_23", {"info": _INFO}),
    _Fault(_DropsLabels, "store_23", {"info": replace(_INFO, labels={"user_id": "7"})}),
    _Fault(_SortsVersionsAsText, "store_24"),
    _Fault(_MergesLabels, "store_25"),
    _Fault(_IgnoresRevisions, "store_26"),
    _Fault(_RevisionsRecur, "store_27"),
    _Fault(_UpdateInserts, "store_28"),
    _Fault(_ForgetsTombstones, "store_29"),
    _Fault(_ReusesNumbersOfTheDestroyed, "store_29"),
    _Fault(_KeepsWhatIsDestroyed, "store_29"),
    _Fault(_RemovesWhatIsBelow, "store_30"),
    _Fault(_RemovesWhateverIsThere, "store_31"),
    _Fault(_RemovesNothingInSilence, "store_32"),
    _Fault(_NeverForgetsAName, "store_33"),
    _Fault(_ChecksThenCreates, "store_34"),
    _Fault(_ChecksThenUpdates, "store_35"),
    _Fault(_KeepsForeignRevisions, "store_36"),
    _Fault(_SharesLabelsIn, "store_37", {"given_labels": {"x": "1"}}),
    _Fault(_SharesLabelsOut, "store_37", {"given_labels": {"x": "1"}}),
    _Fault(_SkipsWhatMovesUp, "store_38"),
    _Fault(_CutsLongNames, "store_39"),
    _Fault(_PagesByPosition, "store_40"),
    _Fault(_DropsMetadata, "store_41", {}, _PLAIN, _RefusesMetadata),
    _Fault(_StripsPayloads, "store_50", {"data": b"line\n"}),
    _Fault(_CutsLongPayloads, "store_50", {"data": bytes(65_536)}),
    _Fault(_TakesNoneForEmpty, "store_51"),
    _Fault(_StripsPayloads, "store_52", {"record": Record(_INFO, Secret(b"\n"))}),
    _Fault(_KeepsRevisionOfNewPayload, "store_53"),
    _Fault(_UpdatesBothAtOnce, "store_54"),
    _Fault(_ShowsPayloadsInLocals, "store_55"),
    _Fault(_QuotesPayloads, "store_55"),
    _Fault(_NeverCommits, "store_56"),
    _Fault(_RevisionsRecur, "store_56"),
    _Fault(_MergesLabels, "store_56"),
    _Fault(_CriesWolf, "store_57"),
    _Fault(_ReplacesPayloadsAnyway, "store_58"),
    _Fault(_ChecksThenCreates, "store_66"),
    _Fault(_ChecksThenUpdates, "store_67"),
    _Fault(_ListsLater, "store_71"),
    _Fault(_LocksStepByStep, "store_71"),
]


@pytest.mark.parametrize("fault", _FAULTS, ids=lambda fault: f"{fault.rule}{fault.store.__name__}")
def test_a_faulty_store_is_caught(fault: _Fault, breaks: Breaks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each planted fault fails the rule that forbids it, and the store without the fault passes."""
    # The same histories each time: what is rare is found always or never.
    histories = settings(model.HISTORIES, max_examples=50, phases=[Phase.generate], database=None, derandomize=True)
    monkeypatch.setattr(model, "HISTORIES", histories)
    monkeypatch.setattr(interrupts, "LONGEST_SECONDS", 3.0)

    assert _caught(fault, fault.store, breaks)
    assert not _caught(fault, fault.sound, breaks)


def _caught(fault: _Fault, kind: type[MemoryStore], breaks: Breaks) -> bool:
    contract = type("Contract", (WritableStoreContract,), {"capabilities": fault.capabilities})()
    store = kind()
    suffix = fault.example.get("suffix", b"")
    assert isinstance(suffix, bytes)
    held = {name: Secret(sha256(name.encode()).digest() + suffix) for name in _HELD if _needs_records(fault)}
    for name in sorted(held, reverse=True):
        store.create(Record(RecordInfo(name=name, version=1), held[name]))
    return breaks(
        contract,
        fault.rule,
        open_store=lambda: nullcontext(kind() if kind is _NeverCommits else store),
        held=held,
        drawn_by_hand=bool(fault.example) and "suffix" not in fault.example and "data" not in fault.example,
        **fault.example,
    )


def _needs_records(fault: _Fault) -> bool:
    return fault.rule < "store_13" or fault.rule in ("store_15", "store_30", "store_38", "store_40")


_LIES: list[tuple[str, Capabilities, type[StoreContract]]] = [
    ("store_13", _CAN._replace(writable=False), StoreContract),
    ("store_14", _CAN._replace(signing=True), WritableStoreContract),
    ("store_14", _CAN._replace(writable=False), WritableStoreContract),
    ("store_14", _CAN, StoreContract),
    ("store_16", _CAN._replace(signing=True), WritableStoreContract),
    ("store_41", _CAN._replace(metadata=False), WritableStoreContract),
    ("store_60", _CAN._replace(shared=True), WritableStoreContract),
    ("store_61", _CAN._replace(shared=True), WritableStoreContract),
    ("store_62", _CAN._replace(shared=True), WritableStoreContract),
    ("store_64", _CAN._replace(shared=True), WritableStoreContract),
    ("store_65", _CAN._replace(shared=True), WritableStoreContract),
    ("store_69", _CAN._replace(persistent=True), WritableStoreContract),
]


@pytest.mark.parametrize(("rule", "capabilities", "base"), _LIES)
def test_a_claim_that_is_not_true_is_caught(
    rule: str, capabilities: Capabilities, base: type[StoreContract], breaks: Breaks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sound memory store that is declared to be what it is not fails the rule of that capability."""
    monkeypatch.setattr(shared, "FORK_SECONDS", 1.0)
    contract, store = type("Contract", (base,), {"capabilities": capabilities})(), MemoryStore()

    assert breaks(contract, rule, open_store=lambda: nullcontext(store), held={})


def test_a_contract_without_capabilities_is_caught(breaks: Breaks) -> None:
    """Who does not say what the store can do is told."""
    assert breaks(WritableStoreContract(), "store_14")
    assert not breaks(type("Contract", (WritableStoreContract,), {"capabilities": _CAN})(), "store_14")


def test_every_rule_has_a_planted_fault() -> None:
    """Each rule for stores is one that a fault in these files breaks."""
    planted = "".join(path.read_text() for path in Path(__file__).parent.glob("test_kit_store_faults*.py"))
    rules = {rule.id for contract in (OnDiskStoreContract, SigningStoreContract) for rule in rules_of(contract)}

    assert [rule for rule in sorted(rules) if f'"{rule.lower().replace("-", "_")}"' not in planted] == []
