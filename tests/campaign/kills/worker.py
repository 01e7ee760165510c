"""Processes that write to a store until they are killed, and say what they did."""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import mkdtemp
from typing import Final, NamedTuple, TypeVar

from kills.history import SHARED, Operation, Versions, after, choose, number_for, number_of, secret
from support.errors import text_of

from keywright import Options, Record, RecordInfo, Revision, Secret, State, WritableStore
from keywright.errors import ConflictError, KeyExistsError, KeyNotFoundError
from keywright_file import FileBackend
from keywright_sqlite import SqliteBackend

LONGEST_LIFE_SECONDS = 60  # were its parent to die
_T = TypeVar("_T")


def forked(work: Callable[[], int]) -> int:
    """The process id of a child whose exit code is what `work` returns; 99: it raised."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        signal.alarm(LONGEST_LIFE_SECONDS)
        code = work()
    finally:
        os._exit(code)


def killed_after(last: int | None, done: Iterable[_T]) -> Iterator[_T]:
    """What is `done`; this process kills itself when so many are; None: it does not."""
    for number, one in enumerate(done, start=1):
        if number == last:
            os.kill(os.getpid(), signal.SIGKILL)
        yield one


def ended(child: int, within: float | None) -> int | None:
    """The exit code of a child; None: it killed itself, or was killed, for it was not done `within` these seconds."""
    deadline = time.monotonic() + (LONGEST_LIFE_SECONDS if within is None else within)
    while time.monotonic() < deadline:
        process, status = os.waitpid(child, os.WNOHANG)
        if process:
            code = os.waitstatus_to_exitcode(status)
            return None if code == -signal.SIGKILL else code
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def stop(child: int) -> int:
    """Tell a child to stop; returns its exit code, which says how much it did."""
    os.kill(child, signal.SIGTERM)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def told_to_stop() -> list[int]:
    """A list that is empty until this process is told to stop."""
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    return told


Row = Callable[[Path, tuple[str, str], int, int], Sequence[int]]


def print_table(
    prog: str, description: str, default: int, head: str, pairs: Sequence[tuple[str, str]], row: Row
) -> None:
    """Run a campaign for each pair, without writers and with two, and print what came of it.

    `row` gets a directory, the pair, the kills and the number of writers, and returns the counts.
    """
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("kills", type=int, nargs="?", default=default)
    asked = parser.parse_args()
    directory = Path(mkdtemp(prefix="keywright-kills-"))
    print(f"| {head} | seconds |")
    print("|---|---" + "|--:" * (head.count("|")) + "|")
    for writers in (0, 2):
        for pair in pairs:
            start = time.monotonic()
            counts = row(directory / f"{'-'.join(pair)}-{writers}", pair, asked.kills // 8, writers)
            told = " | ".join(map(str, (*pair, writers, *counts)))
            print(f"| {told} | {time.monotonic() - start:.0f} |", flush=True)
    rmtree(directory)


Open = Callable[[], AbstractContextManager[WritableStore]]


class Report(NamedTuple):
    """What a worker said of one operation. Outcome None: nothing more, for it was killed."""

    operation: Operation
    outcome: str | None


class Life(NamedTuple):
    """A worker's place among the others."""

    number: int
    worker: int
    seed: int
    shared: bool


def start(open_store: Open, names: Mapping[str, Versions], life: Life) -> tuple[int, int]:
    """Fork a worker; returns its process id and the pipe that it reports on: one byte once it works."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        signal.alarm(LONGEST_LIFE_SECONDS)
        os.close(reading)
        os.write(writing, b"\n")
        _work(open_store, dict(names), life, writing)
    except BaseException as error:
        os.write(writing, f"failed {type(error).__name__}: {text_of(error)}".replace("\n", " ").encode() + b"\n")
    finally:
        os._exit(1)


def _work(open_store: Open, names: dict[str, Versions], life: Life, pipe: int) -> None:
    chance = Random(life.seed)
    with open_store() as store:
        step = 0
        while True:
            step += 1
            number = number_for(life.number, life.worker, step)
            operation = choose(chance, names, life.worker, number, shared=life.shared)
            if operation.name == SHARED:
                _write_shared(store, operation, pipe)
            else:
                versions = names.get(operation.name, {})
                os.write(pipe, _intent(operation))
                revision = _write(store, operation, versions)
                os.write(pipe, b"done %s\n" % revision.encode())
                names[operation.name] = after(operation, versions, revision)
            if step % 4 == 0:
                _look(store, chance)


def _intent(operation: Operation) -> bytes:
    return " ".join(("intent", *map(str, operation))).encode() + b"\n"


def _new(operation: Operation) -> Record:
    info = RecordInfo(name=operation.name, version=operation.version, key_type="oct", format="jwk", labels={"n": "0"})
    return Record(info, Secret(secret(operation.number)))


def _write(store: WritableStore, operation: Operation, versions: Versions) -> str:
    kind, name, version, number = operation
    if kind == "remove":
        store.remove(name, [Revision(versions[one].revision) for one in sorted(versions)])
        return "-"
    if kind == "create":
        return store.create(_new(operation)).revision
    if kind == "again":
        try:
            store.create(_new(operation))
        except KeyExistsError:
            return "-"
        raise AssertionError(f"{name}@{version} was created twice")
    expected = Revision(versions[version].revision)
    if kind == "replace":
        return store.replace_payload(name, version, Secret(secret(number)), expected).revision
    info = replace(store.get(name, version).info, labels={"n": str(number)})
    if kind == "label":
        return store.update_info(info, expected).revision
    return store.destroy(replace(info, state=State.DESTROYED), expected).revision


def _write_shared(store: WritableStore, operation: Operation, pipe: int) -> None:
    infos = store.versions(SHARED)
    if operation.kind == "rotate" or not infos:
        operation = operation._replace(kind="rotate", version=len(infos) + 1)
        info, expected = _new(operation).info, None
    else:
        count = int(infos[0].labels["n"]) + 1
        operation = operation._replace(version=1, number=count)
        info, expected = replace(infos[0], labels={"n": str(count)}), infos[0].revision
    os.write(pipe, _intent(operation))
    try:
        if expected is None:
            store.create(_new(operation))
        else:
            store.update_info(info, expected)
        os.write(pipe, b"done -\n")
    except (KeyExistsError, ConflictError):
        os.write(pipe, b"lost\n")


def _look(store: WritableStore, chance: Random) -> None:
    """Read what the others write: whatever comes and goes, it is whole."""
    names: Sequence[str] = list(store.names())
    if not names:
        return
    for info in store.versions(chance.choice(names))[-2:]:
        try:
            payload = store.get(info.name, info.version).payload
        except KeyNotFoundError:
            continue
        if payload is not None and number_of(payload.reveal()) is None:
            raise AssertionError(f"{info.reference} was read torn")


def _file(directory: Path) -> Open:
    options = Options({"path": str(directory / "keys"), "timeout": timedelta(minutes=1)})
    return lambda: FileBackend().open(options)


def _sqlite(directory: Path) -> Open:
    options = Options({"path": str(directory / "keys.db"), "timeout": timedelta(seconds=20)})
    return lambda: SqliteBackend().open(options)


OPENERS: Final[Mapping[str, Callable[[Path], Open]]] = {"file": _file, "sqlite": _sqlite}
"""By kind: from a directory to what opens the store in it, which is made by its first write."""
