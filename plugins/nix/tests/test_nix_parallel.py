"""Signing a whole cache in one process or several: faults, syncs that fail, how many processes, memory, and SIGTERM."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from nix_signing import CA, KEYWRIGHT, A, B, MakeCache, Run, contents, job, refusal, run, sig
from support.errors import text_of

import keywright
from keywright import KeyEvent, KeyRing, Registry, hookimpl
from keywright.errors import ConfigError, PolicyError, StoreUnavailableError
from keywright_nix.cache import Cache
from keywright_nix.parallel import TerminatedError, jobs_for, processors, raising_on_sigterm, sign_all
from keywright_nix.rewrite import Outcome
from keywright_nix.signing import Bound, Job, sign_narinfo


@pytest.mark.parametrize("tail", [b"", CA], ids=["append", "new file"])
def test_a_file_that_vanishes(make_cache: MakeCache, tail: bytes) -> None:
    """What goes away before it is read, or before it is written, is not a fault, and does not come back."""
    cache = make_cache(1, tail=tail)
    path = next(cache.glob("*.narinfo"))

    def vanish(message: bytes) -> bytes:
        path.unlink()
        return A.sign(message)

    assert run(cache, job(A._replace(sign=vanish))) == {"gone": 1}
    assert sign_narinfo(str(path), job(A)) == Outcome("gone")

    assert os.listdir(cache) == ["nix-cache-info"]


def test_the_next_key_signs_and_the_old_one_goes(make_cache: MakeCache) -> None:
    """Both in one pass, though the new line alone could be appended."""
    cache = make_cache(3)
    before = contents(cache)
    run(cache, job(A))

    kinds = run(cache, job(B, drop=("a-1",)))

    assert kinds == {"changed": 3}
    assert contents(cache) == {
        name: data + sig(B, data) if name.endswith(".narinfo") else data for name, data in before.items()
    }


def test_memory_stays_flat(make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    monkeypatch.setattr("keywright_nix.cache._SORTED", 100)

    peaks = []
    for count in (200, 2000):
        cache = make_cache(count, name=f"cache{count}")
        tracemalloc.start()
        run(cache, job(A))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] - peaks[0] < 100_000


@pytest.mark.parametrize("jobs", [1, 2, 5])
@pytest.mark.parametrize("tail", [b"", CA], ids=["append", "new file"])
def test_jobs(make_cache: MakeCache, jobs: int, tail: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many processes work, and batches it takes, each narinfo is signed once, and nothing is left beside."""
    monkeypatch.setattr("keywright_nix.rewrite._BATCH", 200)
    cache = make_cache(700, tail=tail)
    before = contents(cache)

    kinds = [run(cache, job(A), jobs), run(cache, job(A), jobs)]

    assert kinds == [{"changed": 700}, {"unchanged": 700}]
    assert contents(cache) == {
        name: data.removesuffix(tail) + sig(A, data) + tail if name.endswith(".narinfo") else data
        for name, data in before.items()
    }


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_key_that_signs_no_more(make_cache: MakeCache, jobs: int) -> None:
    """The run stops with the key's error; the outcomes until then are given, and nothing half done is left."""
    for tail in (b"", CA):
        cache = make_cache(300, tail=tail, name=f"cache{len(tail)}")
        left = iter([A] * 50)

        def current(left: Iterator[Bound] = left) -> Bound:
            for key in left:
                return key
            raise PolicyError("a-1 is compromised")

        given: list[tuple[str, Outcome]] = []
        with Cache(str(cache)).locked() as descriptor:
            outcomes = sign_all(Cache(str(cache)), descriptor, Job((current,)), jobs=jobs)
            with refusal(PolicyError, "a-1 is compromised"):
                given.extend(outcomes)

        signed = {name for name, data in contents(cache).items() if b"\nSig: a-1:" in data}
        assert {name for name, _ in given} <= signed
        if not tail:  # appended to, and so done at once
            assert 50 <= len(given) <= 50 * jobs
            assert len(signed) == 50 * jobs
        assert [name for name in os.listdir(cache) if name.startswith(".")] == []
        assert run(cache, job(A)).total() == 300


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bug_in_a_key(make_cache: MakeCache, jobs: int) -> None:
    """What is not an error of keywright's is not swallowed, and no worker prints it; its place comes along, for "
    "--debug."""

    def current() -> Bound:
        raise ZeroDivisionError("secret")

    with pytest.raises((ZeroDivisionError, RuntimeError)) as caught:
        run(make_cache(3), Job((current,)), jobs)

    if jobs > 1:
        (note,) = caught.value.__notes__
        assert text_of(caught.value) == "ZeroDivisionError"
        assert "in current" in note
        assert note.endswith("ZeroDivisionError: secret\n")


def test_a_worker_that_is_killed(make_cache: MakeCache) -> None:
    cache = make_cache(300)
    parent = os.getpid()

    def current() -> Bound:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return A

    with refusal(
        StoreUnavailableError,
        "a worker process was killed; run the same command again; if memory is short, with fewer --jobs",
    ):
        run(cache, Job((current,)), 2)

    assert run(cache, job(A)) == {"changed": 300}


def test_workers_that_cannot_be_started(make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = make_cache(3)
    before = contents(cache)
    message = "4 worker processes cannot be started (Resource temporarily unavailable); run with fewer --jobs"

    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("os.fork", fork)

    with refusal(StoreUnavailableError, message):
        run(cache, job(A), 4)

    assert contents(cache) == before


@pytest.mark.parametrize("insists", [True, False])
def test_the_second_worker_cannot_be_started(
    make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch, insists: bool
) -> None:
    """The first has done nothing by then: who insists hears of it, and otherwise one process does all."""
    cache = make_cache(300)
    before = contents(cache)
    descriptors = sorted(os.listdir("/proc/self/fd"))
    started: list[int] = []
    fork = os.fork

    def scarce() -> int:
        if started:
            time.sleep(0.2)
            raise BlockingIOError(11, "Resource temporarily unavailable")
        started.append(fork())
        return started[0]

    monkeypatch.setattr("os.fork", scarce)
    place = Cache(str(cache))

    with place.locked() as descriptor, suppress(StoreUnavailableError) if insists else nullcontext():
        outcomes = list(sign_all(place, descriptor, job(A), jobs=2, insists=insists))

    if insists:
        assert contents(cache) == before
    else:
        assert [outcome.kind for _, outcome in outcomes] == ["changed"] * 300
    with pytest.raises(ChildProcessError):
        os.waitpid(started[0], 0)
    assert sorted(os.listdir("/proc/self/fd")) == descriptors


def test_one_process_for_each_500_narinfos(make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(str(make_cache(0)))
    for count, most, jobs in (
        *((0, 4, 1), (999, 4, 1), (1000, 4, 2), (1999, 4, 3), (2000, 4, 4), (2500, 4, 4)),
        *((2500, 1, 1), (1000, 1, 1)),
    ):
        monkeypatch.setattr(Cache, "names", lambda _, count=count: iter(["x"] * count))

        assert jobs_for(cache, most) == jobs, count


def test_as_many_processors_as_this_process_may_use_up_to_eight(monkeypatch: pytest.MonkeyPatch) -> None:
    for ours, most in ((1, 1), (2, 2), (8, 8), (64, 8)):
        with monkeypatch.context() as patch:
            patch.setattr("os.sched_getaffinity", lambda _, ours=ours: set(range(ours)), raising=False)
            assert processors() == most

            patch.delattr("os.sched_getaffinity")
            patch.setattr("os.cpu_count", lambda ours=ours: ours)
            assert processors() == most

            patch.setattr("os.cpu_count", lambda: None)
            assert processors() == 1


def test_as_many_processes_as_asked_for_or_as_the_cache_is_worth(
    nix_command: Run, make_cache: MakeCache, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keywright_nix.cli.sign.processors", lambda: 4)
    started = []
    fork = os.fork

    def start() -> int:
        started.append(1)
        return fork()

    monkeypatch.setattr("os.fork", start)
    for arguments, processes in (([], 2), (["--jobs", "1"], 0), (["--jobs", "3"], 3)):
        started.clear()

        out = nix_command("sign", str(make_cache(1000, name=f"cache{processes}")), "--key-file", key_file, *arguments)

        assert out == (0, b"signed 1000, already signed 0\n", b"")
        assert len(started) == processes


def test_one_process_where_a_store_lets_one_sign(
    nix_command: Run, make_cache: MakeCache, ring: KeyRing, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keywright_nix.cli.sign.processors", lambda: 4)
    monkeypatch.setattr("os.fork", lambda: pytest.fail("no process is started"))
    arguments = ["--key", "cache", "--key-file", key_file]

    out = nix_command("sign", str(make_cache(1000)), *arguments, config=ring.config)

    assert out == (0, b"signed 1000, already signed 0\n", b"")


class Observer:
    KEYWRIGHT_API = 1

    def __init__(self) -> None:
        self.seen: list[str] = []

    @hookimpl
    def keywright_observe(self, event: KeyEvent) -> None:
        self.seen.append(event.operation)


def test_one_process_if_a_plugin_observes(
    nix_command: Run, make_cache: MakeCache, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process binds the key; without --jobs, an audit log sees it only once."""
    stores = {"s": {"backend": "file", "path": str(tmp_path / "keys")}}
    ring = keywright.open({"default_store": "s", "stores": stores}, registry=registry)
    ring.generate("cache", type="ed25519", format="nix")
    observer = Observer()
    registry.add(observer, "observer")
    monkeypatch.setattr("keywright_nix.cli.sign.processors", lambda: 2)
    monkeypatch.setattr("os.fork", lambda: pytest.fail("no process is started"))

    out = nix_command("sign", str(make_cache(1000)), "--key", "cache", config=ring.config)

    assert out == (0, b"signed 1000, already signed 0\n", b"")
    assert observer.seen.count("bind") == 1


# SIGTERM, the signal that a service manager ends a process by.


def started(cache: Path, command: list[str]) -> subprocess.Popen[bytes]:
    """A run that has done some narinfos and not all."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    # Not the first ones: what is in place may not have been counted yet. And few, to look again before the run ends.
    while not any(b"Sig: a-1:" in (cache / f"{number:032}.narinfo").read_bytes() for number in range(100, 3000, 50)):
        assert process.poll() is None
    return process


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "JSON"])
def test_a_run_that_is_terminated(make_cache: MakeCache, key_file: str, jobs: int, as_json: bool) -> None:
    """It takes away what is half done, says what is done, and the same command does the rest."""
    cache = make_cache(3000, tail=CA)
    command = [KEYWRIGHT, "nix", "sign", str(cache), "--key-file", key_file, "--jobs", str(jobs)]
    process = started(cache, [*command, *(["--json"] if as_json else [])])

    os.killpg(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=30)

    assert process.returncode == 143
    note, end = err.decode().splitlines()
    done = re.fullmatch(
        r"stopped early, with at least this done: signed (\d+), already signed 0; run the same command again to finish",
        note,
    )
    assert end == "terminated"
    error = {"type": "TerminatedError", "message": "terminated", "hint": None, "exit_code": 143}
    assert out == (json.dumps({"error": error}, sort_keys=True).encode() + b"\n" if as_json else b"")
    assert not [name for name in os.listdir(cache) if name.startswith(".")]
    signed = sum(b"Sig: a-1:" in path.read_bytes() for path in cache.glob("*.narinfo"))
    assert done is not None
    assert 0 < int(done[1]) <= signed < 3000
    again = subprocess.run(command, capture_output=True, timeout=60)
    assert again.stdout.decode() == f"signed {3000 - signed}, already signed {signed}\n"


def test_a_worker_leaves_it_to_its_parent(make_cache: MakeCache, key_file: str) -> None:
    """A signal that reaches the workers alone ends nothing."""
    cache = make_cache(3000, tail=CA)
    process = started(cache, [KEYWRIGHT, "nix", "sign", str(cache), "--key-file", key_file, "--jobs", "2"])
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()

    for worker in workers:
        os.kill(int(worker), signal.SIGTERM)
    out, err = process.communicate(timeout=60)

    assert len(workers) == 2
    assert (process.returncode, out, err) == (0, b"signed 3000, already signed 0\n", b"")


def test_afterwards_it_does_what_it_did_before(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """A program that runs the command in its own process has its signals back, whatever came of it."""
    with pytest.raises(ConfigError):
        nix_command("sign", f"{make_cache(1)}/missing", "--key-file", key_file)

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("own", [signal.SIG_IGN, lambda *_: None], ids=["ignored", "its own"])
def test_a_signal_that_is_ignored_or_handled_stays_so(own: Any) -> None:
    before = signal.signal(signal.SIGTERM, own)
    try:
        with raising_on_sigterm():
            os.kill(os.getpid(), signal.SIGTERM)
            assert signal.getsignal(signal.SIGTERM) is own
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_second_signal_does_not_interrupt_the_cleanup() -> None:
    cleaned = False

    def terminate_twice() -> None:
        nonlocal cleaned
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            cleaned = True

    with pytest.raises(TerminatedError), raising_on_sigterm():
        terminate_twice()

    assert cleaned


def test_it_works_in_a_thread(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    outs: list[tuple[int, bytes, bytes]] = []
    cache = str(make_cache(1))

    thread = Thread(target=lambda: outs.append(nix_command("sign", cache, "--key-file", key_file)))
    thread.start()
    thread.join()

    assert outs == [(0, b"signed 1, already signed 0\n", b"")]
