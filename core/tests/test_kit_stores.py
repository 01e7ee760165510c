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
from planted import Fault, cases, fails, fault, without_fault
from toy_signer import ToySigner

from keywright import Capabilities, Options, Record, RecordInfo, Revision, Secret, State, WritableStore
from keywright.errors import (
    ConflictError,
    KeyExistsError,
    KeyNotFoundError,
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

    def create(self, record: Record) -> RecordInfo:
        self.refuse(record.info)
        return super().create(Record(RecordInfo(name=record.info.name, version=record.info.version), record.payload))

    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        self.refuse(record.info)
        bare = RecordInfo(name=record.info.name, version=record.info.version, revision=expected)
        return super().update(Record(bare, record.payload), expected=expected)

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
    def remove(self, name: str, *, expected: Sequence[Revision]) -> None:
        super().remove(name, expected=expected)
        self._writes = 0


class _KeepsForeignRevisions(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        stored = super().create(record)
        kept = replace(stored, revision=record.info.revision or stored.revision)
        self._records[kept.name][kept.version] = Record(kept, record.payload)
        return kept


class _SharesLabelsIn(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        stored = super().create(record)
        self._records[stored.name][stored.version] = Record(replace(stored, labels=record.info.labels), record.payload)
        return stored


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


class _NeverForgetsAName(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        used = self.__dict__.setdefault("_used", set())
        if record.info.reference in used:
            raise KeyExistsError(f"{record.info.reference}: was there once; take another")
        used.add(record.info.reference)
        return super().create(record)


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


def _names(listed: Callable[..., Any]) -> Any:
    """`names` that takes prefix, `after` and `limit` in its own way."""
    return lambda self, _sound, prefix="", *, after="", limit=None: iter(listed(self, prefix, after, limit))


def _sound_names(store: MemoryStore, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[str]:
    return MemoryStore.names(store, prefix, after=after, limit=limit)


def _creating(change: Callable[[Record], Record]) -> Any:
    """`create` of a record that was changed first."""
    return lambda self, sound, record: sound(change(record))


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
        create=lambda self, sound, record: (
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
        update=lambda self, sound, record, *, expected: sound(
            Record(
                replace(
                    record.info,
                    labels={**self.get(record.info.name, record.info.version).info.labels, **record.info.labels},
                ),
                record.payload,
            ),
            expected=expected,
        ),
    ),
    _store(
        "STORE-26: ignores revisions",
        update=lambda self, sound, record, *, expected: sound(
            record, expected=self.get(record.info.name, record.info.version).info.revision
        ),
    ),
    Fault("STORE-27 STORE-56", _RevisionsRecur),
    _store(
        "STORE-28: update inserts",
        update=lambda self, sound, record, *, expected: (
            sound(record, expected=expected)
            if record.info.version in self._records.get(record.info.name, {})
            else self.create(record)
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
        remove=lambda self, sound, name, *, expected: sound(
            name, expected=[info.revision for info in self.versions(name)]
        ),
    ),
    _store(
        "STORE-32: removes nothing in silence",
        remove=lambda self, sound, name, *, expected: (
            sound(name, expected=expected) if name in self._records or expected else None
        ),
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
    Fault("STORE-54", _UpdatesBothAtOnce),
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
            held = _held(store) if rule < "STORE-13" or rule in ("STORE-15", "STORE-30", "STORE-38", "STORE-40") else {}

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
    ("STORE-14", WritableStoreContract, _CAN._replace(signing=True)),
    ("STORE-14", WritableStoreContract, _CAN._replace(writable=False)),
    ("STORE-14", StoreContract, _CAN),
    ("STORE-14", RemoteStoreContract, _CAN),
    ("STORE-14", RemoteStoreContract, _CAN._replace(shared=True)),
    ("STORE-16", WritableStoreContract, _CAN._replace(signing=True)),
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
        return self.update(Record(replace(stored, kid=kid(stored.public or b"")), None), expected=stored.revision)


class _UndoesOnlyWhatItKnows(_KeepsWhatWasRefused):
    def generate(self, info: RecordInfo, options: Options, kid: Callable[[bytes], str]) -> RecordInfo:
        try:
            return super().generate(info, options, kid)
        except Exception:
            stored = self.get(info.name, info.version).info
            self.remove(info.name, expected=[stored.revision])
            raise


class _AbsentIsUnsupported(MemorySigningStore):
    def signer(self, name: str, version: int, algorithm: str) -> Callable[[bytes], bytes]:
        if (name, version) not in self._keys:
            raise UnsupportedOperationError("there is no such key here; use another")
        return super().signer(name, version, algorithm)


class _DropsThePublicHalf(MemorySigningStore):
    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        destroyed = record.info.state is State.DESTROYED
        info = replace(record.info, public=None) if destroyed else record.info
        return super().update(Record(info, record.payload), expected=expected)


class _LosesKeysOnUpdate(MemorySigningStore):
    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        stored = super().update(record, expected=expected)
        self._keys.pop((stored.name, stored.version), None)
        return stored


class _PutsTheKeyFirst(MemorySigningStore):
    def generate(self, info: RecordInfo, options: Options, kid: Callable[[bytes], str]) -> RecordInfo:
        key = self._key_types[info.key_type].generate(options)
        time.sleep(0.001)
        self._keys[info.name, info.version] = key
        time.sleep(0.001)
        return MemoryStore.create(self, Record(replace(info, public=key.public, kid=kid(key.public or b"")), None))


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
    _signing("SIGNING-09 SIGNING-13: updates the record alone", update=MemoryStore.update),
    Fault("SIGNING-09", _DropsThePublicHalf),
    _signing("SIGNING-10: leaves keys behind", remove=MemoryStore.remove),
    Fault("SIGNING-11", _LosesKeysOnUpdate),
    Fault("SIGNING-12", _UndoesOnlyWhatItKnows),
    _signing(
        "SIGNING-13: ignores payloads in updates",
        update=lambda self, sound, record, *, expected: sound(Record(record.info, None), expected=expected),
    ),
    _signing("SIGNING-14: takes payloads and gives them", create=MemoryStore.create),
    Fault("SIGNING-15", _PutsTheKeyFirst),
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


def test_every_rule_has_a_planted_fault() -> None:
    """Each rule is one that a fault or an untrue claim breaks; these four break in stores of files."""
    left = set(without_fault(SigningStoreContract, [*_FAULTS, *_SIGNING_FAULTS])) - {rule for rule, _, _ in _LIES}

    assert left == {"STORE-59", "STORE-63", "STORE-68", "STORE-70"}
