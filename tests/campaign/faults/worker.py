"""A worker: performs operations in children whose system calls fail, and judges what came of them."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from functools import partial
from typing import Any

from faults import tracing
from faults.judge import State, Verdict, judge, observe
from faults.matrix import Fault
from faults.operations import BACKENDS, OPERATIONS, STARTS, open_ring, open_store, stock
from faults.tracing import Call, Run
from support.errors import text_of

from keywright import Record, RecordInfo, Registry, Secret, WritableStore, encode_info
from keywright.cli.failures import BUG, exit_code
from keywright.errors import KeywrightError

Tell = Callable[[bytes], None]


def perform(operation: str, backend: str, path: str, registry: Registry, store: type[WritableStore], tell: Tell) -> int:
    """Do it, tell what the store (an instance of `store`) was given and how it ended, and return the exit code."""
    _watch(store, tell)
    code = 0
    ending = {}
    try:
        with open_ring(backend, path, registry) as ring:
            open_store(ring)
            OPERATIONS[operation](ring)
            tell(b"done")
    except KeywrightError as error:
        code = exit_code(error)
        ending = {"error": type(error).__name__, "message": text_of(error)}
    except BaseException as error:
        code = BUG
        ending = {"error": type(error).__name__, "message": traceback.format_exc()}
    tell(b"ended " + json.dumps(ending).encode())
    return code


def _watch(store: type[WritableStore], tell: Tell) -> None:
    """Tell what a store is given before it gets it, so that a random key is known even if its process is killed."""
    for method in ("create", "update_info", "replace_payload", "destroy", "remove"):
        setattr(store, method, _watched(getattr(store, method), tell))


def _watched(method: Callable[..., Any], tell: Tell) -> Callable[..., Any]:
    def call(store: WritableStore, given: Record | RecordInfo | str, *more: object, **options: object) -> object:
        fact: dict[str, object]
        if isinstance(given, Record):
            payload = None if given.payload is None else given.payload.reveal().decode()
            fact = {"name": given.info.name, "version": given.info.version, "payload": payload}
            fact["info"] = encode_info(given.info).decode()
        elif isinstance(given, RecordInfo):
            fact = {"name": given.name, "version": given.version, "info": encode_info(given).decode()}
            if method.__name__ == "destroy":
                fact["payload"] = None
        elif method.__name__ == "replace_payload":
            version, secret = more[:2]
            assert isinstance(secret, Secret)
            fact = {"name": given, "version": version, "payload": secret.reveal().decode()}
        else:
            fact = {"remove": given}
        tell(b"given " + json.dumps(fact).encode())
        return method(store, given, *more, **options)

    return call


_PAGE = 4096


class MountRefusedError(Exception):
    """The system does not let us mount."""


@contextmanager
def small(directory: str) -> Iterator[None]:
    """Mount a tmpfs of 512 KiB at `directory`.

    Raises:
        MountRefusedError: that is not allowed here.
    """
    os.makedirs(directory, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "none", directory]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise MountRefusedError(done.stderr.strip())
    try:
        yield
    finally:
        subprocess.run(["umount", directory], check=True)


@contextmanager
def fill(directory: str, fault: Fault) -> Iterator[None]:
    """Leave `fault.limit` pages, or inodes, free meanwhile."""
    status = os.statvfs(directory)
    if fault.kind == "inodes":
        options = f"remount,nr_inodes={status.f_files - status.f_ffree + fault.limit}"
        subprocess.run(["mount", "-o", options, directory], check=True)
        yield
        subprocess.run(["mount", "-o", f"remount,nr_inodes={status.f_files}", directory], check=True)
        return
    filler = os.path.join(directory, "filler")
    with open(filler, "wb") as file:
        file.write(bytes((status.f_bfree - fault.limit) * _PAGE))
    yield
    os.unlink(filler)


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
        place = small(self.place) if fault.kind in ("room", "inodes") else nullcontext()
        with place, self._started(backend, operation) as old:
            filler = fill(self.place, fault) if fault.kind in ("room", "inodes") else nullcontext()
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
        except (tracing.TracingRefusedError, MountRefusedError) as error:
            answer = {"refused": text_of(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1])
