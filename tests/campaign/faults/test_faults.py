"""System calls that fail, disks that are full, and power that is cut: a fixed sample of the campaign."""

from __future__ import annotations

import os

import pytest
from faults.campaign import cases, unknown_violations
from faults.matrix import no_room, one_fault_each, short_files
from faults.operations import BACKENDS, OPERATIONS, STARTS
from faults.pool import Pool, RefusedError
from faults.tracing import unsynced

pytestmark = pytest.mark.peer


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_is_lost(workers: Pool, backend: str, operation: str) -> None:
    """Whichever call fails, or is the last: the old state or the new, no stray secret, and a true answer."""
    asked = list(cases(workers, [backend], [operation], one_fault_each))

    verdicts = list(workers.verdicts(asked))

    assert [(str(case), found) for case, verdict in verdicts if (found := unknown_violations(case, verdict))] == []
    assert len(verdicts) > 15
    endings = {verdict.ending for _, verdict in verdicts}
    assert "killed" in endings
    assert endings - {"killed", "done"}


WRITES = [operation for operation in OPERATIONS if not operation.startswith("recover")]


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_short_writes(workers: Pool, backend: str, operation: str) -> None:
    """A write that stops anywhere, and fails from there on, leaves the old state or the new."""
    asked = list(cases(workers, [backend], [operation], short_files))

    verdicts = list(workers.verdicts(asked))

    assert [(str(case), found) for case, verdict in verdicts if (found := unknown_violations(case, verdict))] == []
    assert any(verdict.ending == "StoreUnavailableError" for _, verdict in verdicts)


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_full_disk(workers: Pool, backend: str, operation: str) -> None:
    """However little room there is, from none at all to enough, the store holds the old state or the new."""
    asked = list(cases(workers, [backend], [operation], no_room))

    try:
        verdicts = list(workers.verdicts(asked))
    except RefusedError as error:
        if "KEYWRIGHT_REQUIRE_PEERS" in os.environ:
            raise
        pytest.skip(f"mounting is not allowed here: {error}")

    assert [(str(case), found) for case, verdict in verdicts if (found := unknown_violations(case, verdict))] == []
    endings = {verdict.ending for _, verdict in verdicts}
    # DurabilityError: it is done, but there was no room to clear the log.
    assert endings - {"DurabilityError"} == {"done", "StoreUnavailableError"} or operation in STARTS
    assert "done" in endings


# What a crash may take: what is half made, a note of what is done, and SQLite's index of its log.
PASSING = {"/place/keys/.keywright/tmp", "/place/keys/.keywright", "/place/keys-shm"}


@pytest.mark.parametrize("operation", [operation for operation in OPERATIONS if not operation.startswith("recover")])
@pytest.mark.parametrize("backend", BACKENDS)
def test_everything_is_synced(workers: Pool, backend: str, operation: str) -> None:
    """A power cut after the answer takes nothing back."""
    calls = workers.calls(backend, operation)

    found = {path for path in unsynced(calls) if path not in PASSING}

    assert found == set()
