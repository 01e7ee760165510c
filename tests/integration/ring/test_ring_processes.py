"""The ring across threads that close it and processes that fork while another thread is at work."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import pytest
from support.rings import Rings, Table

import keywright
from keywright import Options, Registry
from keywright.errors import KeywrightError, StoreUnavailableError
from keywright.files import ProcessLock

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")


def in_child(work: Callable[[], object]) -> bool:
    """Whether `work` ends without an error in a forked child, within five seconds."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(5)  # the child waits for ever for a lock that no one will give back
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


class Gate:
    """Holds the first thread of its own process until it is opened; other processes and later threads pass."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._closed = Lock()
        self.reached, self.released = Event(), Event()

    def pass_through(self) -> None:
        if os.getpid() == self._process and self._closed.acquire(blocking=False):
            self.reached.set()
            assert self.released.wait(30)


@contextmanager
def held(gate: Gate, work: Callable[[], object]) -> Iterator[None]:
    """While another thread is inside `work`, at the gate."""
    thread = Thread(target=work)
    thread.start()
    assert gate.reached.wait(30)
    try:
        yield
    finally:
        gate.released.set()
        thread.join()


@FORKS
@pytest.mark.parametrize("slow_part", ["store", "seal"])
def test_a_fork_while_a_store_or_seal_opens(
    ring: Rings, registry: Registry, canary_seal: Table, monkeypatch: pytest.MonkeyPatch, slow_part: str
) -> None:
    """A child that was forked while another thread opened it opens it itself, and does not wait."""
    gate = Gate()
    kind = type(registry.store_backend("memory") if slow_part == "store" else registry.seal("memory"))
    open_it = kind.open

    def slow(self: Any, options: Options) -> Any:
        gate.pass_through()
        return open_it(self, options)

    monkeypatch.setattr(kind, "open", slow)
    opened = ring(stores={"main": {"backend": "memory", "seal": "master"}}, seals={"master": canary_seal})

    with held(gate, lambda: opened.generate("a")):
        assert in_child(lambda: opened.generate("b"))

    assert [*opened.names()] == ["a"]


@FORKS
def test_a_fork_while_a_signer_looks_again(ring: Rings, wait: Callable[..., None], shared: Table) -> None:
    """A child that was forked while another thread looked a signer's key up looks it up itself, and does not wait."""
    opened = ring(stores={"main": shared})
    opened.generate("a")
    signer = opened.signer("a")
    gate = Gate()
    versions = opened.open_store().versions

    def slow(name: str) -> object:
        gate.pass_through()
        return versions(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opened.open_store(), "versions", slow)
        wait(seconds=60)
        with held(gate, lambda: signer.sign(b"data")):
            assert in_child(lambda: signer.sign(b"data"))


@FORKS
def test_a_lock_belongs_to_a_process() -> None:
    """In one process there is one lock, in a child another, which is free."""
    lock = ProcessLock()
    gate = Gate()

    def hold() -> None:
        with lock.mine():
            gate.pass_through()

    def take() -> None:
        with lock.mine():
            assert lock.mine() is lock.mine()

    with held(gate, hold):
        assert in_child(take)
        assert not lock.mine().acquire(blocking=False)
    take()


def test_those_who_come_at_once_get_one_lock() -> None:
    """Threads of one process that ask for the first time at once get the same lock."""
    for _ in range(200):
        lock = ProcessLock()
        with ThreadPoolExecutor(4) as pool:
            assert len({*pool.map(lambda _, lock=lock: id(lock.mine()), range(4))}) == 1


@pytest.mark.parametrize("backend", ["memory", "file", "sqlite"])
def test_a_ring_is_closed_while_others_use_it(tmp_path: Path, backend: str) -> None:
    """Anyone who is at work in another thread goes on, or hears that the store was closed; nothing else comes of it."""
    table = {"backend": backend, "id": str(tmp_path)} if backend == "memory" else {
        "backend": backend, "path": str(tmp_path / "keys")
    }  # fmt: skip
    done = Event()
    unexpected: list[BaseException] = []
    signed = [0]

    with keywright.open({"stores": {"main": table}}) as ring:
        ring.generate("a")
        signer = ring.signer("a")

        def work() -> None:
            while not done.is_set():
                try:
                    signer.sign(b"data")
                    ring.sign("a", b"data")
                    list(ring.list())
                    signed[0] += 1
                except StoreUnavailableError:
                    continue
                except BaseException as error:
                    unexpected.append(error)
                    raise

        with ThreadPoolExecutor(4) as pool:
            for _ in range(4):
                pool.submit(work)
            for _ in range(100):
                ring.close()
                done.wait(0.002)
            done.set()

        assert unexpected == []
        assert signed[0] > 0
        assert ring.verify("a", b"data", signer.sign(b"data")).version == 1


def test_two_who_close_at_once(ring: Rings) -> None:
    """Closing twice at once closes each store, and is not an error; what is opened again is one store for all."""
    opened = ring(stores={name: {"backend": "memory"} for name in "abcdefgh"}, default_store="a")

    def close(_: int) -> None:
        for name in "abcdefgh":
            list(opened.names(store=name))
        opened.close()

    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(close, range(100))] == [None] * 100
        again = [*pool.map(lambda _: opened.open_store(), range(8))]
    assert all(store is again[0] for store in again)
    with pytest.raises(KeywrightError):
        opened.show("a")
