"""Processes that may have little: few descriptors, little memory."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from hostile.surroundings import contents, in_child, record, told
from kills.worker import Open

from keywright import Record


def test_few_descriptors(opened: Open) -> None:
    """Each write is done, or refused by a typed error and leaves no trace, however few files may be open."""
    with opened() as store:
        info = store.create(record())
    outcomes = []
    for spare in range(12):
        outcomes.append(in_child(partial(with_descriptors, spare, partial(write, opened, f"n{spare}"))))
        with opened() as store:
            assert store.get("a", 1) == Record(info, record().payload)
            assert (f"n{spare}" in store.names()) == (outcomes[-1] == "done")

    assert outcomes[-1] == "done"
    assert outcomes[0] != "done"
    assert all(outcome == "done" or outcome.startswith("StoreUnavailableError: ") for outcome in outcomes), outcomes


def write(opened: Open, name: str) -> None:
    with opened() as store:
        store.create(record(name, payload=b"canary-two"))


def with_descriptors(spare: int, call: Callable[[], object]) -> str:
    """Call it in a process that may open so many files more."""
    used = max(int(name) for name in os.listdir("/dev/fd")) + 1
    for descriptor in range(used):
        with suppress(OSError):
            os.fstat(descriptor)
            continue
        os.open("/dev/null", os.O_RDONLY)  # no gap below
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + spare, hard))
    return told(call)


def test_little_memory(place: Path, opened: Open) -> None:
    """A key that does not fit into memory leaves the store as it was."""
    with opened() as store:
        info = store.create(record())

    def write() -> str:
        large = record("large", payload=b"canary-large" * 2_000_000)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (8 << 20), -1))
        try:
            with opened() as store:
                store.create(large)
        except MemoryError:
            return "MemoryError"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return "done"

    outcome = in_child(write)

    with opened() as store:
        assert store.get("a", 1) == Record(info, record().payload)
        assert ("large" in store.names()) == (outcome == "done")
        if outcome != "done":
            assert b"canary-large" not in contents(place)
