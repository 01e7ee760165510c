"""The contract kit catches faulty stores: variants of the signing store, each with one fault."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import pytest

from keywright.errors import InvalidSignatureError, UnsupportedOperationError
from keywright.keys import Key
from keywright.protocols import SigningStore
from keywright.records import Record, RecordInfo, Revision, State
from keywright.secret import Secret
from keywright.settings.model import Options
from keywright.stores.memory import MemoryStore
from keywright.testing import MemorySigningBackend, SigningStoreContract
from keywright.testing.stores.memory_signing import MemorySigningStore

Breaks = Callable[..., bool]


class Oracle:
    """A key type as a signing store needs one; it checks signatures by remembering every secret half."""

    name = "oracle"
    settings = ()
    algorithms = ("MAC", "MAC-2")

    def __init__(self) -> None:
        self._secrets: dict[bytes, Secret] = {}

    def generate(self, options: Options) -> Key:
        return self.complete(Key(self.name, secret=Secret(os.urandom(32))))

    def complete(self, key: Key) -> Key:
        if key.secret is None:
            return key
        public = hashlib.sha256(key.secret.reveal()).digest()
        self._secrets[public] = key.secret
        return replace(key, public=public)

    def bits(self, key: Key) -> int:
        return 256

    def signer(self, key: Key, algorithm: str) -> Callable[[bytes], bytes]:
        secret = key.secret
        if algorithm not in self.algorithms or secret is None:
            raise UnsupportedOperationError("an oracle key signs with MAC and MAC-2 alone; use one of them")
        return lambda message: hmac.digest(secret.reveal(), algorithm.encode() + message, "sha256")

    def verifier(self, key: Key, algorithm: str) -> Callable[[bytes, bytes], None]:
        sign = self.signer(replace(key, secret=self._secrets[key.public or b""]), algorithm)

        def verify(message: bytes, signature: bytes) -> None:
            if sign(message) != signature:
                raise InvalidSignatureError("the signature does not hold")

        return verify


class _GivesTheKeyOut(MemorySigningStore):
    def get(self, name: str, version: int) -> Record:
        record = super().get(name, version)
        key = self._keys.get((name, version))
        return Record(record.info, None if key is None else key.secret)


class _SignsTheHash(MemorySigningStore):
    def signer(self, name: str, version: int, algorithm: str) -> Callable[[bytes], bytes]:
        sign = super().signer(name, version, algorithm)
        return lambda message: sign(hashlib.sha256(message).digest())


class _SignsWithTheNewest(MemorySigningStore):
    def signer(self, name: str, version: int, algorithm: str) -> Callable[[bytes], bytes]:
        super().signer(name, version, algorithm)
        return super().signer(name, min(number for held, number in self._keys if held == name), algorithm)


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


class _TakesAnyAlgorithm(MemorySigningStore):
    def signer(self, name: str, version: int, algorithm: str) -> Callable[[bytes], bytes]:
        return super().signer(name, version, algorithm if algorithm in Oracle.algorithms else Oracle.algorithms[0])


class _SignsAfterDestruction(MemorySigningStore):
    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        return MemoryStore.update(self, record, expected=expected)


class _DropsThePublicHalf(MemorySigningStore):
    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        destroyed = record.info.state is State.DESTROYED
        info = replace(record.info, public=None) if destroyed else record.info
        return super().update(Record(info, record.payload), expected=expected)


class _LeavesKeysBehind(MemorySigningStore):
    def remove(self, name: str, *, expected: Sequence[Revision]) -> None:
        MemoryStore.remove(self, name, expected=expected)


class _LosesKeysOnUpdate(MemorySigningStore):
    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        stored = super().update(record, expected=expected)
        self._keys.pop((stored.name, stored.version), None)
        return stored


class _TakesPayloadsInUpdates(MemorySigningStore):
    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        return MemoryStore.update(self, record, expected=expected)


class _IgnoresPayloadsInUpdates(MemorySigningStore):
    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        return super().update(Record(record.info, None), expected=expected)


class _IsNoSigningStore(MemorySigningStore):
    def create(self, record: Record) -> RecordInfo:
        return MemoryStore.create(self, record)


class _PutsTheKeyFirst(MemorySigningStore):
    def generate(self, info: RecordInfo, options: Options, kid: Callable[[bytes], str]) -> RecordInfo:
        key = self._key_types[info.key_type].generate(options)
        time.sleep(0.001)
        self._keys[info.name, info.version] = key
        time.sleep(0.001)
        return MemoryStore.create(self, Record(replace(info, public=key.public, kid=kid(key.public or b"")), None))


_FAULTS: list[tuple[type[MemorySigningStore], str]] = [
    (_GivesTheKeyOut, "signing_01"),
    (_SignsTheHash, "signing_02"),
    (_SignsWithTheNewest, "signing_03"),
    (_OverwritesTheKey, "signing_04"),
    (_MakesAnotherType, "signing_05"),
    (_KeepsWhatWasRefused, "signing_06"),
    (_AbsentIsUnsupported, "signing_07"),
    (_TakesAnyAlgorithm, "signing_08"),
    (_SignsAfterDestruction, "signing_09"),
    (_DropsThePublicHalf, "signing_09"),
    (_LeavesKeysBehind, "signing_10"),
    (_LosesKeysOnUpdate, "signing_11"),
    (_UndoesOnlyWhatItKnows, "signing_12"),
    (_TakesPayloadsInUpdates, "signing_13"),
    (_IgnoresPayloadsInUpdates, "signing_13"),
    (_IsNoSigningStore, "signing_14"),
    (_PutsTheKeyFirst, "signing_15"),
]


@pytest.mark.parametrize(("kind", "rule"), _FAULTS)
def test_a_faulty_signing_store_is_caught(kind: type[MemorySigningStore], rule: str, breaks: Breaks) -> None:
    """Each planted fault fails the rule that forbids it, and the store without the fault passes."""
    assert _caught(kind, rule, breaks)
    assert not _caught(MemorySigningStore, rule, breaks)


def _caught(kind: type[MemorySigningStore], rule: str, breaks: Breaks) -> bool:
    contract = type("Contract", (SigningStoreContract,), {"capabilities": MemorySigningBackend.capabilities})()
    oracle = Oracle()
    store = kind({oracle.name: oracle})

    def open_store() -> AbstractContextManager[SigningStore]:
        return nullcontext(store)

    return breaks(contract, rule, open_store=open_store, key_type=oracle, algorithm="no-such-algorithm")
