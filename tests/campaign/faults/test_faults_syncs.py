"""Whatever an operation changes is synced before the operation says that it is done."""

from __future__ import annotations

import pytest
from faults.operations import BACKENDS, OPERATIONS
from faults.pool import Pool
from faults.syncs import unsynced

pytestmark = pytest.mark.peer


# What a crash may take: what is half made, a note of what is done, and SQLite's index of its log.
PASSING = {"/place/keys/.keywright/tmp", "/place/keys/.keywright", "/place/keys-shm"}


@pytest.mark.parametrize("operation", [operation for operation in OPERATIONS if not operation.startswith("recover")])
@pytest.mark.parametrize("backend", BACKENDS)
def test_everything_is_synced(workers: Pool, backend: str, operation: str) -> None:
    """A power cut after the answer takes nothing back."""
    calls = workers.calls(backend, operation)

    found = {path for path in unsynced(calls) if path not in PASSING}

    assert found == set()
