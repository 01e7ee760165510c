"""One fault and one death at every system call that changes a store."""

from __future__ import annotations

import pytest
from faults.campaign import cases, unknown_violations
from faults.matrix import one_fault_each
from faults.operations import BACKENDS, OPERATIONS
from faults.pool import Pool

pytestmark = pytest.mark.peer


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_is_lost(workers: Pool, backend: str, operation: str) -> None:
    """Whichever call fails, or is the last: the old state or the new, no stray secret, and a true answer."""
    asked = list(cases(workers, [backend], [operation], one_fault_each))

    verdicts = list(workers.verdicts(asked))

    assert [(str(case), found) for case, verdict in verdicts if (found := unknown_violations(case, verdict))] == []
    assert len(verdicts) > 30
    endings = {verdict.ending for _, verdict in verdicts}
    assert "killed" in endings
    assert endings - {"killed", "done"}
