"""The contracts of stores in memory and of signing stores catch each planted fault by the rule beside it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from threading import Lock
from typing import Any

import pytest
from hypothesis import Phase, settings
from lossy_store import LossyNetwork, LossyStore
from planted import Fault, cases, fails, fault, without_fault
from toy_signer import ToySigner

from keywright import (
    Capabilities,
    CreateResult,
    Guard,
    Options,
    Problem,
    Record,
    RecordInfo,
    Revision,
    Secret,
    State,
    WritableStore,
)
from keywright.errors import (
    AccessDeniedError,
    ConflictError,
    KeyExistsError,
    KeyNotFoundError,
    StoreUnavailableError,
    UnsupportedOperationError,
)
from keywright.stores.memory import MemoryBackend, MemoryStore
from keywright.testing import (
    MemorySigningBackend,
    RemoteStoreContract,
    SigningStoreContract,
    StoreContract,
    WritableStoreContract,
    processes,
)
from keywright.testing.rules import rules_of
from keywright.testing.stores import concurrency, model
from keywright.testing.stores.memory import MemorySigningStore

_CAN = MemoryBackend.capabilities
_PLAIN = _CAN._replace(metadata=False)
_PLAIN_LOCK = Lock()
_INFO = RecordInfo(name="a", version=1, created=datetime(2026, 11, 21, 20, 52, 13, 1, tzinfo=UTC))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same histories each time, so that what is rare is found always or never; what hangs is soon given up."""
    histories = settings(model.HISTORIES, max_examples=50, phases=[Phase.generate], database=None, derandomize=True)
    monkeypatch.setattr(model, "HISTORIES", histories)
    monkeypatch.setattr(processes, "LONGEST_SECONDS", 3.0)
    monkeypatch.setattr(concurrency, "FORK_SECONDS", 1.0)


class _Refusing(MemoryStore):
    """A sound store that keeps no metadata."""

    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        self.refuse(record.info)
        bare = RecordInfo(name=record.info.name, version=record.info.version)
        return super().create(Record(bare, record.payload), guard=guard)

    def update_info(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        self.refuse(info)
        return super().update_info(RecordInfo(name=info.name, version=info.version), expected, guard=guard)

    def refuse(self, info: RecordInfo) -> None:
        """Raise if there is any."""
        if info != RecordInfo(name=info.name, version=info.version, revision=info.revision):
            raise UnsupportedOperationError(f"{info.reference}: this store keeps no metadata; use another")


class TestPlainStore(WritableStoreContract):
    """A sound store that keeps no metadata passes, with what it declines."""

    capabilities = _PLAIN

    @pytest.fixture
    def open_store(self) -> Callable[[], AbstractContextManager[WritableStore]]:
        """The same store each time."""
        store = _Refusing()
        return lambda: nullcontext(store)


# Mutants of more than an expression


class _NeverCommits(MemoryStore):
    """Nothing wrong inside: its opener makes a fresh one each time."""


class _NamesNoName(MemoryStore):
    def get(self, name: str, version: int) -> Record:
        try:
            return super().get(name, version)
        except KeyNotFoundError:
            raise KeyNotFoundError("there is no such key; look for another") from None


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


class _ReadsThroughOneCursor(MemoryStore):
    def get(self, name: str, version: int) -> Record:
        self._asked = name
        time.sleep(0.000_1)
        return super().get(self._asked, version)


class _RevisionsRecur(MemoryStore):
    def remove(self, name: str, expected: Sequence[Revision]) -> None:
        super().remove(name, expected)
        self._writes = 0


class _KeepsForeignRevisions(MemoryStore):
    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        stored = super().create(record, guard=guard)
        kept = replace(stored, revision=record.info.revision or stored.revision)
        self._records[kept.name][kept.version] = Record(kept, record.payload)
        return kept


class _SharesLabelsIn(MemoryStore):
    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        stored = super().create(record, guard=guard)
        self._records[stored.name][stored.version] = Record(replace(stored, labels=record.info.labels), record.payload)
        return stored


class _ReusesNumbersOfTheDestroyed(MemoryStore):
    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        old = self._records.get(record.info.name, {}).get(record.info.version)
        if old is not None and old.info.state is State.DESTROYED:
            del self._records[record.info.name][record.info.version]
        return super().create(record, guard=guard)


class _KeepsWhatIsDestroyed(MemoryStore):
    def destroy(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        payload = self.get(info.name, info.version).payload
        stored = super().destroy(info, expected, guard=guard)
        self._records[info.name][info.version] = Record(stored, payload)
        return stored


class _RemovesWhatIsBelow(MemoryStore):
    def remove(self, name: str, expected: Sequence[Revision]) -> None:
        super().remove(name, expected)
        for below in list(self.names(name + "/")):
            super().remove(below, [info.revision for info in self.versions(below)])


class _NeverForgetsAName(MemoryStore):
    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        used = self.__dict__.setdefault("_used", set())
        if record.info.reference in used:
            raise KeyExistsError(f"{record.info.reference}: was there once; take another")
        used.add(record.info.reference)
        return super().create(record, guard=guard)


class _ChecksThenCreates(MemoryStore):
    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        taken = any(info.version == record.info.version for info in self.versions(record.info.name))
        time.sleep(0.001)
        if taken:
            raise KeyExistsError(f"{record.info.reference}: is there already; take another")
        self._records.get(record.info.name, {}).pop(record.info.version, None)
        return super().create(record, guard=guard)


class _ChecksThenUpdates(MemoryStore):
    def update_info(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        now = self.get(info.name, info.version).info.revision
        time.sleep(0.001)
        if now != expected:
            raise ConflictError(f"{info.reference}: changed; read it again")
        return super().update_info(info, self.get(info.name, info.version).info.revision, guard=guard)


class _StripsPayloads(MemoryStore):
    def get(self, name: str, version: int) -> Record:
        record = super().get(name, version)
        return Record(record.info, record.payload and Secret(record.payload.reveal().rstrip(b"\n")))


class _KeepsRevisionOfNewPayload(MemoryStore):
    def replace_payload(
        self, name: str, version: int, payload: Secret, expected: Revision, *, guard: Guard | None = None
    ) -> RecordInfo:
        stored = super().replace_payload(name, version, payload, expected, guard=guard)
        kept = replace(stored, revision=expected)
        self._records[name][version] = Record(kept, payload)
        return kept


class _ReplacesPayloadsAnyway(MemoryStore):
    def replace_payload(
        self, name: str, version: int, payload: Secret, expected: Revision, *, guard: Guard | None = None
    ) -> RecordInfo:
        now = self.get(name, version).info.revision
        return super().replace_payload(name, version, payload, now, guard=guard)


class _GivesAPayloadToWhatHasNone(MemoryStore):
    def replace_payload(
        self, name: str, version: int, payload: Secret, expected: Revision, *, guard: Guard | None = None
    ) -> RecordInfo:
        old = self.get(name, version)
        if old.payload is None and old.info.revision == expected:
            return self._put(Record(old.info, payload))
        return super().replace_payload(name, version, payload, expected, guard=guard)


class _DestroysInAnyState(MemoryStore):
    def destroy(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        return super().destroy(replace(info, state=State.DESTROYED), expected, guard=guard)


class _ForgetsTheGuard(MemoryStore):
    def destroy(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        return super().destroy(info, expected)


class _BatchForgetsTheGuard(MemoryStore):
    def create_many(self, records: Sequence[Record], *, guard: Guard | None = None) -> Sequence[CreateResult]:
        del guard
        return super().create_many(records)


class _NeedsNoGuardRecord(MemoryStore):
    def _check_guard(self, guard: Guard | None) -> None:
        if guard is not None and guard.version in self._records.get(guard.name, {}):
            super()._check_guard(guard)


class _RefusesEveryGuard(MemoryStore):
    def _check_guard(self, guard: Guard | None) -> None:
        if guard is not None:
            raise ConflictError(f"{guard.name}: changed; read it again")


class _ChecksTheGuardFirst(MemoryStore):
    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        self._check_guard(guard)
        time.sleep(0.000_5)
        return super().create(record)


class _MixesUpResults(MemoryStore):
    def create_many(self, records: Sequence[Record], *, guard: Guard | None = None) -> Sequence[CreateResult]:
        return sorted(super().create_many(records, guard=guard), key=lambda result: result.outcome)


class _StopsAtWhatExists(MemoryStore):
    def create_many(self, records: Sequence[Record], *, guard: Guard | None = None) -> Sequence[CreateResult]:
        results: list[CreateResult] = []
        for record in records:
            if results and results[-1].outcome == "exists":
                results.append(CreateResult("failed", error=results[-1].error))
            else:
                results += super().create_many([record], guard=guard)
        return results


class _ShowsPayloadsInLocals(MemoryStore):
    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        payload = record.payload and record.payload.reveal()
        stored = super().create(record, guard=guard)
        return stored if payload else replace(stored)


class _QuotesPayloads(MemoryStore):
    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        try:
            return super().create(record, guard=guard)
        except KeyExistsError as error:
            raise KeyExistsError(f"{error}: {record.payload and record.payload.reveal()!r}") from None


class _CriesWolf(MemoryStore):
    def check(self) -> Iterator[Problem]:
        if not self._names:
            yield Problem("store", "is empty", "put a key into it")


class _ListsLater(MemoryStore):
    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        with self._lock:
            stored = super().create(record, guard=guard)
            self._names.remove(stored.name)
            time.sleep(0.0005)
            self._names.append(stored.name)
            return stored


class _LocksStepByStep(MemoryStore):
    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        _PLAIN_LOCK.acquire()
        time.sleep(0.0005)
        stored = super().create(record, guard=guard)
        _PLAIN_LOCK.release()
        return stored


def _names(listed: Callable[..., Any]) -> Any:
    """`names` that takes prefix, `after` and `limit` in its own way."""
    return lambda self, _sound, prefix="", *, after="", limit=None: iter(listed(self, prefix, after, limit))


def _sound_names(store: MemoryStore, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[str]:
    return MemoryStore.names(store, prefix, after=after, limit=limit)


def _creating(change: Callable[[Record], Record]) -> Any:
    """`create` of a record that was changed first."""
    return lambda self, sound, record, guard=None: sound(change(record), guard=guard)


_store = partial(fault, MemoryStore)
_plain = partial(fault, _Refusing)
_FAULTS = [
    _store(
        "STORE-01: raises its own errors", get=lambda self, sound, name, version: replace(self._records[name][version])
    ),
    Fault("STORE-01", _NamesNoName),
    _store(
        "STORE-02: falls back to the newest",
        get=lambda self, sound, name, version: sound(name, min(version, max(self._records.get(name, {version: None})))),
    ),
    _store("STORE-03: absent is an error", versions=lambda self, sound, name: sound(name) or (self.get(name, 1).info,)),
    _store(
        "STORE-05: lists other revisions",
        versions=lambda self, sound, name: [replace(info, revision=Revision("listed")) for info in sound(name)],
    ),
    _store(
        "STORE-06: lists as made",
        names=_names(
            lambda self, prefix, after, limit: [
                name for name in self._records if name.startswith(prefix) and name > after
            ][:limit]
        ),
    ),
    _store(
        "STORE-07: takes prefixes by segment",
        names=_names(
            lambda self, prefix, after, limit: [
                name for name in _sound_names(self, after=after) if not prefix or f"{name}/".startswith(f"{prefix}/")
            ][:limit]
        ),
    ),
    _store(
        "STORE-08 STORE-10: includes after",
        names=_names(
            lambda self, prefix, after, limit: [name for name in _sound_names(self, prefix) if name >= after][:limit]
        ),
    ),
    Fault("STORE-08", _AfterMustBeThere),
    _store(
        "STORE-09: limit is one more",
        names=_names(
            lambda self, prefix, after, limit: _sound_names(self, prefix, after, None if limit is None else limit + 1)
        ),
    ),
    _store(
        "STORE-09: zero is no limit",
        names=_names(lambda self, prefix, after, limit: _sound_names(self, prefix, after, limit or None)),
    ),
    _store(
        "STORE-10: limits before the prefix",
        names=_names(
            lambda self, prefix, after, limit: (
                name for name in _sound_names(self, "", after, limit) if name.startswith(prefix)
            )
        ),
    ),
    Fault("STORE-11", _ReadsThroughOneCursor),
    _store(
        "STORE-12: shows payloads",
        __repr__=lambda self, sound: repr(
            [one.payload and one.payload.reveal() for held in self._records.values() for one in held.values()]
        ),
    ),
    _plain(
        "STORE-15: guesses types",
        get=lambda self, sound, name, version: Record(
            replace((found := sound(name, version)).info, key_type="ed25519"), found.payload
        ),
    ),
    Fault("STORE-20 STORE-56", _NeverCommits),
    _store(
        "STORE-21: overwrites",
        create=lambda self, sound, record, guard=None: (
            self._records.get(record.info.name, {}).pop(record.info.version, None),
            sound(record),
        )[1],
    ),
    _store(
        "STORE-22 STORE-39: cuts long names",
        {"drawn": ["a" * 200]},
        create=_creating(lambda record: Record(replace(record.info, name=record.info.name[:199]), record.payload)),
    ),
    _store(
        "STORE-23: loses microseconds",
        {"info": _INFO},
        create=_creating(
            lambda record: Record(
                replace(record.info, created=record.info.created and record.info.created.replace(microsecond=0)),
                record.payload,
            )
        ),
    ),
    _store(
        "STORE-23: drops labels",
        {"info": replace(_INFO, labels={"user_id": "7"})},
        create=_creating(lambda record: Record(replace(record.info, labels={}), record.payload)),
    ),
    _store(
        "STORE-24: sorts versions as text",
        versions=lambda self, sound, name: sorted(sound(name), key=lambda info: str(info.version)),
    ),
    _store(
        "STORE-25 STORE-56: merges labels",
        update_info=lambda self, sound, info, expected, guard=None: sound(
            replace(info, labels={**self.get(info.name, info.version).info.labels, **info.labels}), expected
        ),
    ),
    _store(
        "STORE-26: ignores revisions",
        update_info=lambda self, sound, info, expected, guard=None: sound(
            info, self.get(info.name, info.version).info.revision
        ),
    ),
    Fault("STORE-27 STORE-56", _RevisionsRecur),
    _store(
        "STORE-28: update inserts",
        update_info=lambda self, sound, info, expected, guard=None: (
            sound(info, expected)
            if info.version in self._records.get(info.name, {})
            else self.create(Record(info, None))
        ),
    ),
    _store(
        "STORE-29: forgets tombstones",
        versions=lambda self, sound, name: [info for info in sound(name) if info.state is not State.DESTROYED],
    ),
    Fault("STORE-29", _ReusesNumbersOfTheDestroyed),
    Fault("STORE-29", _KeepsWhatIsDestroyed),
    Fault("STORE-30", _RemovesWhatIsBelow),
    _store(
        "STORE-31: removes in any state",
        remove=lambda self, sound, name, expected: sound(name, [info.revision for info in self.versions(name)]),
    ),
    _store(
        "STORE-32: removes nothing in silence",
        remove=lambda self, sound, name, expected: sound(name, expected) if name in self._records or expected else None,
    ),
    Fault("STORE-33", _NeverForgetsAName),
    Fault("STORE-34 STORE-66", _ChecksThenCreates),
    Fault("STORE-35 STORE-67", _ChecksThenUpdates),
    Fault("STORE-36", _KeepsForeignRevisions),
    Fault("STORE-37", _SharesLabelsIn, {"given_labels": {"x": "1"}}),
    _store(
        "STORE-37: shares labels out",
        {"given_labels": {"x": "1"}},
        versions=lambda self, sound, name: tuple(record.info for record in self._records.get(name, {}).values()),
    ),
    _store(
        "STORE-38: skips what moves up",
        names=_names(
            lambda self, prefix, after, limit: (
                name for name in self._names if name.startswith(prefix) and name > after
            )
        ),
    ),
    Fault("STORE-40", _PagesByPosition),
    _plain("STORE-41: drops metadata", refuse=lambda self, sound, info: None),
    Fault("STORE-04 STORE-50", _StripsPayloads),
    Fault("STORE-52", _StripsPayloads, {"record": Record(_INFO, Secret(b"\n"))}),
    _store(
        "STORE-50: cuts long payloads",
        create=_creating(
            lambda record: Record(record.info, record.payload and Secret(record.payload.reveal()[:65_535]))
        ),
    ),
    _store(
        "STORE-51: takes none for empty",
        create=_creating(lambda record: Record(record.info, record.payload or Secret(b""))),
    ),
    Fault("STORE-53", _KeepsRevisionOfNewPayload),
    Fault("STORE-54", _GivesAPayloadToWhatHasNone),
    Fault("STORE-54", _DestroysInAnyState),
    _store(
        "STORE-42: takes reserved names for its own files",
        names=_names(
            lambda self, prefix, after, limit: [
                name for name in _sound_names(self, prefix, after) if not name.startswith("keywright.")
            ][:limit]
        ),
    ),
    Fault("STORE-80", _RefusesEveryGuard),
    Fault("STORE-81", _ForgetsTheGuard),
    Fault("STORE-81", _BatchForgetsTheGuard),
    Fault("STORE-81", _NeedsNoGuardRecord),
    Fault("STORE-82", _ChecksTheGuardFirst),
    _store("STORE-83: scans all names", scan=lambda self, sound, prefix="": sound()),
    _store(
        "STORE-83: scans the newest", scan=lambda self, sound, prefix="": (one[-1:] for one in [*sound(prefix), ()])
    ),
    Fault("STORE-85", _MixesUpResults),
    Fault("STORE-85", _StopsAtWhatExists),
    Fault("STORE-55", _ShowsPayloadsInLocals),
    Fault("STORE-55", _QuotesPayloads),
    Fault("STORE-57", _CriesWolf),
    Fault("STORE-58", _ReplacesPayloadsAnyway),
    Fault("STORE-71", _ListsLater),
    Fault("STORE-71", _LocksStepByStep),
]


@pytest.mark.parametrize(("planted", "rule"), cases(_FAULTS))
def test_a_faulty_store_is_caught(planted: Fault, rule: str) -> None:
    """Each planted fault fails the rule that forbids it, and the store without the fault passes."""
    sound: type[MemoryStore] = _Refusing if issubclass(planted.mutant, _Refusing) else MemoryStore
    capabilities = _PLAIN if sound is _Refusing else _CAN
    contract = type("Contract", (WritableStoreContract,), {"capabilities": capabilities})

    def broken(kind: type[MemoryStore]) -> bool:
        def fixtures() -> AbstractContextManager[dict[str, object]]:
            store = kind()
            held = (
                _held(store)
                if rule < "STORE-13" or rule in ("STORE-15", "STORE-30", "STORE-38", "STORE-40", "STORE-83")
                else {}
            )

            def open_store() -> AbstractContextManager[MemoryStore]:
                return nullcontext(kind() if kind is _NeverCommits else store)

            return nullcontext({"open_store": open_store, "held": held, **planted.example})

        return fails(contract, rule, fixtures)

    assert broken(planted.mutant)
    assert not broken(sound)


def _held(store: MemoryStore) -> dict[str, Secret]:
    """What it then holds, in no order and with payloads that end in a line feed."""
    held = {name: Secret(sha256(name.encode()).digest() + b"\n") for name in ("b", "ab", "a/b", "a/1", "a")}
    for name, payload in held.items():
        store.create(Record(RecordInfo(name=name, version=1), payload))
    return held


_LIES: list[tuple[str, type[StoreContract], Capabilities]] = [
    ("STORE-13", StoreContract, _CAN._replace(writable=False)),
    ("STORE-14", WritableStoreContract, _CAN._replace(keys_stay_inside=True)),
    ("STORE-14", WritableStoreContract, _CAN._replace(writable=False)),
    ("STORE-14", StoreContract, _CAN),
    ("STORE-14", RemoteStoreContract, _CAN),
    ("STORE-14", RemoteStoreContract, _CAN._replace(shared=True)),
    ("STORE-16", WritableStoreContract, _CAN._replace(keys_stay_inside=True)),
    ("STORE-41", WritableStoreContract, _PLAIN),
    *((rule, RemoteStoreContract, _CAN._replace(shared=True, persistent=True)) for rule in ("STORE-60", "STORE-69")),
    *((f"STORE-{number}", WritableStoreContract, _CAN._replace(shared=True)) for number in (60, 61, 62, 64, 65)),
    ("STORE-69", WritableStoreContract, _CAN._replace(persistent=True)),
]


@pytest.mark.parametrize(
    ("rule", "base", "claim"),
    [pytest.param(*lie, id=f"{lie[0]} {lie[1].__name__} {number}") for number, lie in enumerate(_LIES)],
)
def test_a_claim_that_is_not_true_is_caught(rule: str, base: type[StoreContract], claim: Capabilities) -> None:
    """A sound memory store that is declared to be what it is not fails the rule of that capability."""
    contract, store = type("Contract", (base,), {"capabilities": claim}), MemoryStore()

    assert fails(contract, rule, lambda: nullcontext({"open_store": lambda: nullcontext(store), "held": {}}))


def test_a_contract_without_capabilities_is_caught() -> None:
    """A test class that does not declare what the store can do fails."""
    sound = type("Contract", (WritableStoreContract,), {"capabilities": _CAN})

    assert fails(WritableStoreContract, "STORE-14", lambda: nullcontext({}))
    assert not fails(sound, "STORE-14", lambda: nullcontext({}))


# Signing stores


class _OverwritesTheKey(MemorySigningStore):
    def generate(self, info: RecordInfo, options: Options, kid: Callable[[bytes], str]) -> RecordInfo:
        key = self._key_types[info.key_type].generate(options)
        if (info.name, info.version) in self._keys:
            self._keys[info.name, info.version] = key
        return super().generate(info, options, kid)


class _MakesAnotherType(MemorySigningStore):
    def generate(self, info: RecordInfo, options: Options, kid: Callable[[bytes], str]) -> RecordInfo:
        known = info.key_type if info.key_type in self._key_types else next(iter(self._key_types))
        return super().generate(replace(info, key_type=known), options, kid)


class _KeepsWhatWasRefused(MemorySigningStore):
    def generate(self, info: RecordInfo, options: Options, kid: Callable[[bytes], str]) -> RecordInfo:
        stored = super().generate(info, options, lambda _public: "none yet")
        return self.update_info(replace(stored, kid=kid(stored.public or b"")), stored.revision)


class _UndoesOnlyWhatItKnows(_KeepsWhatWasRefused):
    def generate(self, info: RecordInfo, options: Options, kid: Callable[[bytes], str]) -> RecordInfo:
        try:
            return super().generate(info, options, kid)
        except Exception:
            stored = self.get(info.name, info.version).info
            self.remove(info.name, [stored.revision])
            raise


class _AbsentIsUnsupported(MemorySigningStore):
    def signer(self, name: str, version: int, algorithm: str) -> Callable[[bytes], bytes]:
        if (name, version) not in self._keys:
            raise UnsupportedOperationError("there is no such key here; use another")
        return super().signer(name, version, algorithm)


class _DropsThePublicHalf(MemorySigningStore):
    def destroy(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        return super().destroy(replace(info, public=None), expected, guard=guard)


class _LosesKeysOnUpdate(MemorySigningStore):
    def update_info(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        stored = super().update_info(info, expected, guard=guard)
        self._keys.pop((stored.name, stored.version), None)
        return stored


class _PutsTheKeyFirst(MemorySigningStore):
    def generate(self, info: RecordInfo, options: Options, kid: Callable[[bytes], str]) -> RecordInfo:
        key = self._key_types[info.key_type].generate(options)
        time.sleep(0.001)
        self._keys[info.name, info.version] = key
        time.sleep(0.001)
        return MemoryStore.create(self, Record(replace(info, public=key.public, kid=kid(key.public or b"")), None))


class _BackwardsSigner:
    def __init__(self, sign: Callable[[bytes], bytes]) -> None:
        self.sign = sign

    def __call__(self, message: bytes) -> bytes:
        return self.sign(message)

    def sign_many(self, messages: Sequence[bytes]) -> Sequence[bytes]:
        return [self.sign(message) for message in reversed(messages)]


_signing = partial(fault, MemorySigningStore)
_SIGNING_FAULTS = [
    _signing(
        "SIGNING-01: gives the key out",
        get=lambda self, sound, name, version: Record(sound(name, version).info, self._keys[name, version].secret),
    ),
    _signing(
        "SIGNING-02: signs the hash",
        signer=lambda self, sound, *key: lambda message: sound(*key)(hashlib.sha256(message).digest()),
    ),
    _signing(
        "SIGNING-03: signs with the oldest",
        signer=lambda self, sound, name, _, algorithm: sound(
            name, min(number for held, number in self._keys if held == name), algorithm
        ),
    ),
    Fault("SIGNING-04", _OverwritesTheKey),
    Fault("SIGNING-05", _MakesAnotherType),
    Fault("SIGNING-06", _KeepsWhatWasRefused),
    Fault("SIGNING-07", _AbsentIsUnsupported),
    _signing(
        "SIGNING-08: takes any algorithm",
        signer=lambda self, sound, name, version, algorithm: sound(
            name, version, algorithm if algorithm in ToySigner.algorithms else ToySigner.algorithms[0]
        ),
    ),
    _signing("SIGNING-09: destroys the record alone", destroy=MemoryStore.destroy),
    Fault("SIGNING-09", _DropsThePublicHalf),
    _signing("SIGNING-10: leaves keys behind", remove=MemoryStore.remove),
    Fault("SIGNING-11", _LosesKeysOnUpdate),
    Fault("SIGNING-12", _UndoesOnlyWhatItKnows),
    _signing(
        "SIGNING-13: ignores new payloads",
        replace_payload=lambda self, _sound, name, version, _payload, expected, guard=None: self.update_info(
            self.get(name, version).info, expected
        ),
    ),
    _signing("SIGNING-14: takes payloads and gives them", create=MemoryStore.create),
    Fault("SIGNING-15", _PutsTheKeyFirst),
    _signing("SIGNING-16: signs many in another order", signer=lambda self, sound, *key: _BackwardsSigner(sound(*key))),
]


@pytest.mark.parametrize(("planted", "rule"), cases(_SIGNING_FAULTS))
def test_a_faulty_signing_store_is_caught(planted: Fault, rule: str) -> None:
    """Each planted fault fails the rule that forbids it, and the store without the fault passes."""
    contract = type("Contract", (SigningStoreContract,), {"capabilities": MemorySigningBackend.capabilities})

    def broken(kind: type[MemorySigningStore]) -> bool:
        def fixtures() -> AbstractContextManager[dict[str, object]]:
            store = kind({ToySigner.name: ToySigner()})
            return nullcontext({"open_store": lambda: nullcontext(store), "key_type": ToySigner()})

        return fails(contract, rule, fixtures)

    assert broken(planted.mutant)
    assert not broken(MemorySigningStore)


# Remote stores


class _ReportsWhatWasNotSent(LossyStore):
    def send(self, name: str, *given: Any, **named: Any) -> Any:
        try:
            return super().send(name, *given, **named)
        except StoreUnavailableError:
            return None


class _SendsAgain(LossyStore):
    def send(self, name: str, *given: Any, **named: Any) -> Any:
        try:
            return super().send(name, *given, **named)
        except StoreUnavailableError:
            return super().send(name, *given, **named)


class _NeverConnectsAgain(LossyStore):
    has_failed = False

    def send(self, name: str, *given: Any, **named: Any) -> Any:
        if self.has_failed:
            raise StoreUnavailableError("there is no connection", hint="open another store")
        try:
            return super().send(name, *given, **named)
        except StoreUnavailableError:
            self.has_failed = True
            raise


class _KeepsTheDead(LossyStore):
    def send(self, name: str, *given: Any, **named: Any) -> Any:
        if name == "destroy":
            return given[0]
        return super().send(name, *given, **named)


def _raising(rules: str, name: str, error: Callable[..., Exception], of: type[Exception]) -> Fault:
    """A client that raises another error than it should; the arguments of the call are given to `error`."""

    def send(self: LossyStore, method: str, *given: Any, **named: Any) -> Any:
        try:
            return LossyStore.send(self, method, *given, **named)
        except of:
            raise error(*given) from None

    return Fault(rules, type(name, (LossyStore,), {"send": send}))


_REMOTE_FAULTS = [
    Fault("STORE-90", _ReportsWhatWasNotSent),
    Fault("STORE-91", _SendsAgain),
    Fault("STORE-92", _NeverConnectsAgain),
    _raising("STORE-92 STORE-93", "unreachable is absent", lambda *_: KeyNotFoundError("none"), StoreUnavailableError),
    _raising("STORE-90 STORE-91 STORE-94", "raw errors", lambda *_: ConnectionError("none"), StoreUnavailableError),
    _raising(
        "STORE-90 STORE-91",
        "shows the record",
        lambda *given: StoreUnavailableError(
            f"{[getattr(one, 'payload', one) for one in given]}: "
            f"{[one.payload.reveal() for one in given if isinstance(one, Record) and one.payload]}"
        ),
        StoreUnavailableError,
    ),
    Fault("STORE-94", type("waits too long", (LossyStore,), {"wait": lambda _: time.sleep(0.3)})),
    _raising("STORE-95", "denied is unavailable", lambda *_: StoreUnavailableError("none"), AccessDeniedError),
    _raising("STORE-95", "denied is conflict", lambda *_: ConflictError("none"), AccessDeniedError),
    Fault("STORE-96", _KeepsTheDead),
]


@pytest.mark.parametrize(("planted", "rule"), cases(_REMOTE_FAULTS))
def test_a_faulty_remote_store_is_caught(planted: Fault, rule: str) -> None:
    """Each planted fault fails the rule that forbids it, and the client without the fault passes."""
    contract = type("Contract", (RemoteStoreContract,), {"capabilities": _CAN, "patience": 0.2})

    def broken(kind: type[LossyStore]) -> bool:
        def fixtures() -> AbstractContextManager[dict[str, object]]:
            network = LossyNetwork(kind)
            return nullcontext({"open_store": network.open_store, "network": network, "dump": network.dump})

        return fails(contract, rule, fixtures)

    assert broken(planted.mutant)
    assert not broken(LossyStore)


def test_every_rule_of_remote_stores_has_a_planted_fault() -> None:
    """Of those that other stores do not have."""
    of_all = {rule.id for rule in rules_of(WritableStoreContract)}

    assert set(without_fault(RemoteStoreContract, _REMOTE_FAULTS)) <= of_all


def test_every_rule_has_a_planted_fault() -> None:
    """Each rule is one that a fault or an untrue claim breaks; these break in stores of files."""
    left = set(without_fault(SigningStoreContract, [*_FAULTS, *_SIGNING_FAULTS])) - {rule for rule, _, _ in _LIES}

    assert left == {"STORE-59", "STORE-63", "STORE-68", "STORE-70", "STORE-72", "STORE-86"}
