"""What came of a fault: the state of the store, what is wrong with it, and what is known of that."""

from __future__ import annotations

import json
import os
import re
from binascii import crc32
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, cast

from faults.operations import OPERATIONS, open_ring, open_store
from faults.tracing import Run, failed_syncs, is_rewritten, target
from support.errors import text_of
from support.problems import lines_of

from keywright import CheckedStore, Record, RecordInfo, Registry, Secret, WritableStore, encode_info
from keywright.cli.failures import BUG

_WINDOW = 8  # bytes: what counts as a trace of a secret


@dataclass(frozen=True)
class Kept:
    """A record as text: its metadata, encoded, and its payload."""

    info: str
    payload: str | None

    @property
    def secret(self) -> bytes:
        """What of the payload no one else may see."""
        if self.payload is None:
            return b""
        if self.payload.startswith("{"):
            return str(json.loads(self.payload)["k"]).encode()
        return self.payload.encode()


State = Mapping[tuple[str, int], Kept]


def observe(store: WritableStore) -> State:
    """All that a reader sees, by every way to see it."""
    state = {}
    for name in store.names():
        for info in store.versions(name):
            record = store.get(name, info.version)
            assert record.info == info, "get and versions disagree"
            payload = None if record.payload is None else record.payload.reveal().decode()
            state[name, info.version] = Kept(encode_info(info).decode(), payload)
    return state


def after(state: State, told: Iterable[bytes]) -> State:
    """The state that follows once the store has done all it was given (see `child.perform`)."""
    new = dict(state)
    for line in told:
        if not line.startswith(b"given "):
            continue
        given = json.loads(line.removeprefix(b"given "))
        if "remove" in given:
            new = {key: kept for key, kept in new.items() if key[0] != given["remove"]}
        else:
            key = given.pop("name"), given.pop("version")
            new[key] = replace(new.get(key, Kept("", None)), **given)
    return new


def secrets_found(directory: str, *, known: Iterable[State], allowed: State) -> list[str]:
    """Files that hold eight bytes of a secret which is known and not allowed. A secret lies nowhere but in files."""
    forbidden = _windows(kept.secret for state in known for kept in state.values())
    forbidden -= _windows(kept.secret for kept in allowed.values())
    found = []
    for path in _files(directory):
        with open(path, "rb") as file:
            if not forbidden.isdisjoint(_windows([file.read()])):
                found.append(os.path.relpath(path, directory))
    return found


def _windows(texts: Iterable[bytes]) -> set[bytes]:
    return {text[at : at + _WINDOW] for text in texts for at in range(len(text) - _WINDOW + 1)}


def _files(directory: str) -> Iterator[str]:
    for above, _, names in os.walk(directory):
        for name in names:
            yield os.path.join(above, name)


def strays(backend: str, path: str, state: State) -> list[str]:
    """Files at `path`, or beside it, that a closed store in this state does not need."""
    expected = {path}
    if backend == "file":
        expected = {os.path.join(path, ".keywright", name) for name in ("format", "lock")}
        for (name, version), kept in state.items():
            files = ["meta.json"]
            if kept.payload is not None:
                files += ["key", f"crc32-{crc32(kept.payload.encode()):08x}"]
            expected |= {os.path.join(path, name, f"@{version}", file) for file in files}
    place = os.path.dirname(path)
    return sorted(os.path.relpath(file, place) for file in _files(place) if file not in expected)


_UNDONE: Final = ("nothing was written", "nothing was removed", "was undone")
_DONE: Final = (
    "the change is made",
    "the change was made",
    " is destroyed, but",
    " is removed, but",
    " is updated, but",
)


@dataclass
class Verdict:
    """What came of a case.

    Attributes:
        state: `old`, `new` or `lost`: what a fresh open sees.
        ending: `done`, `killed`, or the error's class.
        message: the error's.
        violations: what is wrong.
        missed: the fault never struck.
    """

    state: str = "lost"
    ending: str = ""
    message: str = ""
    missed: bool = False
    violations: list[str] = field(default_factory=list)


def judge(backend: str, operation: str, kind: str, path: str, registry: Registry, old: State, run: Run) -> Verdict:
    """Look at the store at `path`, which held `old`, after a run of `operation` under a fault of that kind."""
    new = after(old, run.told)
    verdict = _verdict(run)
    place = os.path.dirname(path)
    complaints = verdict.violations
    if verdict.ending == "done" and not operation.startswith("recover"):
        complaints += [f"reported done, but {file} holds the old secret" for file in _found(place, old, new, new)]
    try:
        with open_ring(backend, path, registry) as ring:
            state = observe(open_store(ring))
    except Exception as error:
        complaints.append(f"the store does not open again: {type(error).__name__}: {text_of(error)}")
        return verdict
    # A call of the system that changes nothing visible leaves both the same.
    verdict.state = "old" if state == old else "new" if state == new else "lost"
    possible = {text for text, one in (("old", old), ("new", new)) if one == state}
    if not possible:
        complaints.append(f"neither the old state nor the new: {_difference(old, state)}")
        return verdict
    complaints += _report(verdict, run, possible, kind)
    complaints += [f"after the next open, {file} holds a stray secret" for file in _found(place, old, new, state)]
    complaints += [f"after the next open, {file} is left over" for file in strays(backend, path, state)]
    complaints += _aftermath(backend, operation, path, registry, repeat=state == old != new)
    return verdict


def _verdict(run: Run) -> Verdict:
    if run.status < 0:
        return Verdict(ending="hung" if b"hung" in run.told else "killed")
    ended: dict[str, str] = next((json.loads(line[6:]) for line in run.told if line.startswith(b"ended ")), {})
    return Verdict(ending=ended.get("error", "done"), message=ended.get("message", ""))


def _found(place: str, old: State, new: State, allowed: State) -> list[str]:
    return secrets_found(place, known=(old, new), allowed=allowed)


def _difference(old: State, state: State) -> str:
    """Which versions differ from the old state; no payload is quoted."""
    keys = sorted(key for key in old.keys() | state.keys() if old.get(key) != state.get(key))
    return ", ".join(f"{name}@{version}" for name, version in keys)


def _report(verdict: Verdict, run: Run, possible: set[str], kind: str) -> Iterator[str]:
    """Whether exit code and message say what happened."""
    message = verdict.message
    if verdict.ending == "hung":
        yield "the operation hung"
    if run.status == BUG or (run.status not in (0, -9) and not message):
        yield f"ended with exit code {run.status}: {message or 'without a word'}"
    if (run.status == 0 or b"done" in run.told) and "new" not in possible:
        yield "reported done, but it is not"
    if verdict.ending not in ("done", "killed", "hung", "DurabilityError") and "old" not in possible:
        yield f"{verdict.ending}, but the change is made"
    if any(text in message for text in _UNDONE) and "old" not in possible:
        yield f"the message says nothing was written, but the change is made: {message}"
    if any(text in message for text in _DONE) and "new" not in possible:
        yield f"the message says the change is made, but it is not: {message}"
    for failed, later in failed_syncs(run.calls):
        rewritten = is_rewritten(target(failed), later)
        if rewritten is False:
            yield f"a failed sync was tried again: {failed.text}"
        # A process that only reads promised nothing, and what fails once the store was closed takes nothing back.
        told = verdict.ending == "DurabilityError" or (kind == "dead" and verdict.ending != "done")
        if failed.phase == "write" and not rewritten and not told and verdict.ending != "killed":
            yield f"a sync failed, and it ended as {verdict.ending}: {message}"


def _aftermath(backend: str, operation: str, path: str, registry: Registry, *, repeat: bool) -> Iterator[str]:
    """Whether the store is sound and takes writes."""
    try:
        with open_ring(backend, path, registry) as ring:
            store = open_store(ring)
            yield from (f"check: {line}" for line in lines_of(cast(CheckedStore, store).check()))
            if repeat:
                OPERATIONS[operation](ring)
            store.create(Record(RecordInfo(name="later", version=1), Secret(b"later")))
            if store.get("later", 1).payload != Secret(b"later"):
                yield "what is written afterwards does not come back"
    except Exception as error:
        yield f"a write afterwards fails: {type(error).__name__}: {text_of(error)}"


@dataclass(frozen=True)
class Known:
    """A violation: patterns of the store, the operation, the fault and the sentence."""

    backend: str
    operation: str
    fault: str
    sentence: str
    reason: str


KNOWN: Final = (
    Known(
        "sqlite",
        ".*",
        r"\w+ at fdatasync\(\d+</place>\)",
        "a sync failed, and it ended as done|a failed sync was tried again",
        "SQLite itself passes over a failed sync of the directory that its new log stands in, and syncs it again later",
    ),
    Known(
        "sqlite",
        "first",
        "SIGKILL at|dead at",
        r"\.keywright-\w+\.new is left over",
        "an empty database that was to become the store; it holds no secret, may be a live process's, doctor names it",
    ),
    Known(
        "sqlite",
        ".*",
        r"\w+ at (fdatasync\(\d+</place/keys-wal>\)|pwrite64\(\d+</place/keys-shm>)",
        "a failed sync was tried again",
        "SQLite syncs the log of a process that was killed again when it closes",
    ),
)


def known(backend: str, operation: str, fault: str, sentence: str) -> Known | None:
    """The entry that a violation is known by."""
    for entry in KNOWN:
        if (
            entry.backend == backend
            and re.fullmatch(entry.operation, operation)
            and re.match(entry.fault, fault)
            and re.search(entry.sentence, sentence)
        ):
            return entry
    return None
