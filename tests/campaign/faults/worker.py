"""A process that runs cases, one JSON document a line: `python -m faults.worker DIRECTORY`."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from functools import partial

from faults import space, tracing
from faults.child import perform
from faults.judge import Verdict, judge
from faults.matrix import Fault
from faults.operations import BACKENDS, OPERATIONS, STARTS, open_ring, open_store, stock
from faults.state import State, observe
from faults.tracing import Call, Run

from keywright import Registry, WritableStore

__all__ = ["Worker"]

# Where the process is killed whose leftovers are to be recovered: the last of its calls with these words.
_KILLED_AT = {
    ("file", "create"): ("rename", '"@1"'),
    ("file", "destroy"): ("unlink", '"key"'),
    ("file", "replace"): ("rename", '"key"'),
    ("file", "remove"): ("unlink", '"key"'),
    ("sqlite", "create"): ("fdatasync", "keys-wal>"),
    ("sqlite", "destroy"): ("pwrite64", "keys>"),
    ("sqlite", "replace"): ("pwrite64", "keys>"),
    ("sqlite", "remove"): ("pwrite64", "keys>"),
}


class Worker:
    """Makes the stores, lets faults strike, and judges."""

    def __init__(self, directory: str) -> None:
        """`directory` is its own."""
        self.directory = directory
        self.place = os.path.join(directory, "case")
        self.path = os.path.join(self.place, "place", "keys")
        self.registry = Registry.load()
        self.stores: dict[str, type[WritableStore]] = {}
        self.states: dict[str, State] = {}
        for backend in BACKENDS:
            self._load_everything(backend)

    def _load_everything(self, backend: str) -> None:
        """Whatever is imported on first use is imported now, and no case does it."""
        for operation, work in OPERATIONS.items():
            os.makedirs(self.place)
            with open_ring(backend, self.path, self.registry) as ring:
                self.stores[backend] = type(open_store(ring))
                if STARTS.get(operation) != "":
                    stock(ring)
                work(ring)
                observe(open_store(ring))
            shutil.rmtree(self.place)

    def calls(self, backend: str, operation: str) -> list[Call]:
        """The system calls of an operation that concern the store and do not fail."""
        with self._started(backend, operation):
            return self._run(backend, operation, Fault("none")).calls

    def case(self, backend: str, operation: str, fault: Fault) -> Verdict:
        """Let a fault strike an operation."""
        place = space.small(self.place) if fault.kind in ("room", "inodes") else nullcontext()
        with place, self._started(backend, operation) as old:
            filler = space.fill(self.place, fault) if fault.kind in ("room", "inodes") else nullcontext()
            with filler:
                run = self._run(backend, operation, fault)
            verdict = judge(backend, operation, fault.kind, self.path, self.registry, old, run)
        verdict.missed = fault.call is not None and not any(_struck(fault.call, call, run) for call in run.calls)
        return verdict

    def _run(self, backend: str, operation: str, fault: Fault) -> Run:
        work = partial(perform, operation, backend, self.path, self.registry, self.stores[backend])
        largest_file = fault.limit if fault.kind == "short" else None
        trace = os.path.join(self.directory, "trace")
        return tracing.run(work, self.place, trace, inject=fault.rules, largest_file=largest_file)

    @contextmanager
    def _started(self, backend: str, operation: str) -> Iterator[State]:
        """The store before an operation, in its place; it is gone afterwards."""
        source, state = self._start(backend, STARTS.get(operation))
        shutil.copytree(source, self.place, dirs_exist_ok=True)
        try:
            yield state
        finally:
            for entry in os.scandir(self.place):
                shutil.rmtree(entry.path)

    def _start(self, backend: str, killed: str | None) -> tuple[str, State]:
        """A directory to copy from, and the state of the store in it.

        One worker makes it for all: the same secrets, so that all of them do the same in the same order.
        """
        name = f"{backend} {'stocked' if killed is None else killed}"
        directory = os.path.join(os.path.dirname(self.directory), name)
        if name not in self.states:
            if killed:
                self._start(backend, None)
            with open(os.path.join(os.path.dirname(self.directory), "lock"), "wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not os.path.exists(directory):
                    self._make_start(backend, killed, directory)
            self.states[name] = self._state(backend, directory)
        return directory, self.states[name]

    def _make_start(self, backend: str, killed: str | None, directory: str) -> None:
        if killed is None:
            with open_ring(backend, os.path.join(directory, "place", "keys"), self.registry) as ring:
                stock(ring)
        elif killed:
            at, what = _KILLED_AT[backend, killed]
            calls = self.calls(backend, killed)
            last = [call for call in calls if call.name.startswith(at) and what in call.text][-1]
            with self._started(backend, killed):
                self._run(backend, killed, Fault("SIGKILL", last))
                shutil.copytree(self.place, directory)
        else:
            os.makedirs(directory)

    def _state(self, backend: str, directory: str) -> State:
        """What a reader finds there; read from a copy, for to open it would clean it up."""
        copy = os.path.join(self.directory, "copy")
        shutil.copytree(directory, copy)
        try:
            with open_ring(backend, os.path.join(copy, "place", "keys"), self.registry) as ring:
                return observe(open_store(ring))
        finally:
            shutil.rmtree(copy)


def _struck(aimed: Call, call: Call, run: Run) -> bool:
    """Whether the fault struck this call, and it is the one that was aimed at."""
    struck = "(INJECTED)" in call.text or (run.status == -signal.SIGKILL and call is run.calls[-1])
    return struck and (call.name, call.nth, call.phase) == (aimed.name, aimed.nth, aimed.phase)


def _main(directory: str) -> None:
    worker = Worker(directory)
    for line in sys.stdin:
        asked = json.loads(line)
        where = asked["backend"], asked["operation"]
        answer: object
        try:
            if asked["fault"] is None:
                answer = [asdict(call) for call in worker.calls(*where)]
            else:
                call = asked["fault"].pop("call")
                fault = Fault(call=None if call is None else Call(**call), **asked["fault"])
                answer = asdict(worker.case(*where, fault))
        except (tracing.TracingRefusedError, space.MountRefusedError) as error:
            answer = {"refused": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1])
