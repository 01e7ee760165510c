"""What is wrong with how an operation under a fault ended: nothing, or sentences."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from faults.operations import OPERATIONS, open_ring, open_store
from faults.state import State, after, observe, secrets_found, strays
from faults.syncs import failed_syncs, is_rewritten, target
from faults.tracing import Run

from keywright import Record, RecordInfo, Registry, Secret
from keywright.cli.failures import BUG

__all__ = ["Verdict", "judge"]

_UNDONE: Final = ("nothing was written", "nothing was removed", "given up")
_DONE: Final = ("the change is made", " is destroyed, but", " is removed, but", " is updated, but")


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
        complaints.append(f"the store does not open again: {type(error).__name__}: {error}")
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
    if verdict.ending not in ("done", "killed", "hung", "DurabilityUnknownError") and "old" not in possible:
        yield f"{verdict.ending}, but the change is made"
    if any(text in message for text in _UNDONE) and "old" not in possible:
        yield f"the message says nothing was written, but the change is made: {message}"
    if any(text in message for text in _DONE) and "new" not in possible:
        yield f"the message says the change is made, but it is not: {message}"
    for failed, later in failed_syncs(run.calls):
        rewritten = is_rewritten(target(failed), later)
        if rewritten is False:
            yield f"a failed sync was tried again: {failed.text}"
        # Whoever only reads promised nothing, and what fails once the store was closed takes nothing back.
        told = verdict.ending == "DurabilityUnknownError" or (kind == "dead" and verdict.ending != "done")
        if failed.phase == "write" and not rewritten and not told and verdict.ending != "killed":
            yield f"a sync failed, and it ended as {verdict.ending}: {message}"


def _aftermath(backend: str, operation: str, path: str, registry: Registry, *, repeat: bool) -> Iterator[str]:
    """Whether the store is sound and takes writes."""
    try:
        with open_ring(backend, path, registry) as ring:
            store = open_store(ring)
            examine = getattr(store, "examine")  # noqa: B009  (not part of the protocol of every store)
            yield from (f"examine: {sentence}" for sentence in examine())
            if repeat:
                OPERATIONS[operation](ring)
            store.create(Record(RecordInfo(name="later", version=1), Secret(b"later")))
            if store.get("later", 1).payload != Secret(b"later"):
                yield "what is written afterwards does not come back"
    except Exception as error:
        yield f"a write afterwards fails: {type(error).__name__}: {error}"
