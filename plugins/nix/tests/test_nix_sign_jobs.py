"""How many processes `keywright nix sign` works with when nobody says, and that as many do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from nix_signing import MakeCache, Run

import keywright
from keywright import KeyEvent, KeyRing, Registry, hookimpl
from keywright_nix.cache import Cache
from keywright_nix.parallel import jobs_for, processors


@pytest.mark.parametrize(
    ("count", "processors", "jobs"),
    [(0, 4, 1), (999, 4, 1), (1000, 4, 2), (1999, 4, 3), (2000, 4, 4), (2500, 4, 4), (2500, 1, 1), (1000, 1, 1)],
)
def test_processes_that_nobody_asked_for(
    make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch, count: int, processors: int, jobs: int
) -> None:
    """One for each 500 narinfos, as far as there are processors."""
    monkeypatch.setattr(Cache, "names", lambda _: iter(["x"] * count))

    assert jobs_for(Cache(str(make_cache(0))), processors) == jobs


@pytest.mark.parametrize(("ours", "most"), [(1, 1), (2, 2), (8, 8), (64, 8)])
def test_processors(monkeypatch: pytest.MonkeyPatch, ours: int, most: int) -> None:
    """Those that this process may use, and no more than eight."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(ours)), raising=False)
    assert processors() == most

    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: ours)
    assert processors() == most

    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert processors() == 1


@pytest.mark.parametrize(("arguments", "jobs"), [([], 2), (["--jobs", "1"], 1), (["--jobs", "3"], 3)])
def test_how_many_processes_sign(
    nix_command: Run,
    make_cache: MakeCache,
    key_file: str,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    jobs: int,
) -> None:
    """As many as asked for, else as many as the cache is worth."""
    monkeypatch.setattr("keywright_nix.parallel.processors", lambda: 4)
    started = []
    fork = os.fork

    def start() -> int:
        started.append(1)
        return fork()

    monkeypatch.setattr("os.fork", start)

    out = nix_command("sign", str(make_cache(1000)), "--key-file", key_file, *arguments)

    assert out == (0, b"signed 1000, already signed 0\n", b"")
    assert len(started) == (0 if jobs == 1 else jobs)


def test_one_process_where_a_store_lets_one_sign(
    nix_command: Run, make_cache: MakeCache, ring: KeyRing, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody need know: unasked, one process signs with such a key, and with others beside it."""
    monkeypatch.setattr("keywright_nix.parallel.processors", lambda: 4)
    monkeypatch.setattr("os.fork", lambda: pytest.fail("no process is started"))
    arguments = ["--key", "cache", "--key-file", key_file]

    out = nix_command("sign", str(make_cache(1000)), *arguments, config=ring.config)

    assert out == (0, b"signed 1000, already signed 0\n", b"")


class Listener:
    """A plugin that hears of every use of a key."""

    KEYWRIGHT_API = 1

    def __init__(self) -> None:
        self.heard: list[str] = []

    @hookimpl
    def keywright_observe(self, event: KeyEvent) -> None:
        """Note it."""
        self.heard.append(event.operation)


def test_one_process_where_somebody_listens(
    nix_command: Run, make_cache: MakeCache, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process binds the key; unasked, an audit log is not to hear of it more than once."""
    stores = {"s": {"backend": "file", "path": str(tmp_path / "keys")}}
    ring = keywright.open({"default_store": "s", "stores": stores}, registry=registry)
    ring.generate("cache", type="ed25519", format="nix")
    listener = Listener()
    registry.add(listener, "listener")
    monkeypatch.setattr("keywright_nix.parallel.processors", lambda: 2)
    monkeypatch.setattr("os.fork", lambda: pytest.fail("no process is started"))

    out = nix_command("sign", str(make_cache(1000)), "--key", "cache", config=ring.config)

    assert out == (0, b"signed 1000, already signed 0\n", b"")
    assert listener.heard.count("bind") == 1
