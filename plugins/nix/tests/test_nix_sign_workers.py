"""Signing a cache in several processes: as in one, also where a key, a process or the system fails."""

from __future__ import annotations

import os
import signal
import time
from contextlib import nullcontext, suppress

import pytest
from nix_signing import CA, A, MakeCache, contents, job, refusal, run, sig

from keywright.errors import PolicyError, StoreUnavailableError
from keywright_nix.cache import Cache
from keywright_nix.parallel import sign_all
from keywright_nix.rewrite import Outcome
from keywright_nix.signing import Bound, Job


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
    """The run stops with the key's error; what is done is done, and nothing half done is left."""
    cache = make_cache(300, tail=CA)
    left = iter([A] * 100)

    def current() -> Bound:
        try:
            return next(left)
        except StopIteration:
            raise PolicyError("a-1 is compromised") from None

    with pytest.raises(PolicyError, match=r"^a-1 is compromised$"):
        run(cache, Job((current,)), jobs)

    assert {name for name in os.listdir(cache) if name.startswith(".")} == set()
    assert run(cache, job(A)).total() == 300


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_was_done_before_a_key_stopped(make_cache: MakeCache, jobs: int) -> None:
    """The outcomes until then are given, so that they can be told."""
    cache = make_cache(300)
    calls = []

    def current() -> Bound:
        calls.append(1)
        if len(calls) > 50:
            raise PolicyError("a is compromised; rotate it")
        return A

    given: list[tuple[str, Outcome]] = []
    with Cache(str(cache)).locked() as descriptor:
        outcomes = sign_all(Cache(str(cache)), descriptor, Job((current,)), jobs=jobs)
        with pytest.raises(PolicyError):
            given.extend(outcomes)

    signed = {name for name, data in contents(cache).items() if b"\nSig: a-1:" in data}
    assert 50 <= len(given) <= 50 * jobs
    assert {name for name, _ in given} <= signed
    assert len(signed) == 50 * jobs


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bug_in_a_key(make_cache: MakeCache, jobs: int) -> None:
    """What is no error of keywright's is not swallowed, and no worker prints it; its place comes along, for --debug."""

    def current() -> Bound:
        raise ZeroDivisionError("secret")

    with pytest.raises((ZeroDivisionError, RuntimeError)) as caught:
        run(make_cache(3), Job((current,)), jobs)

    if jobs > 1:
        (note,) = caught.value.__notes__
        assert str(caught.value) == "ZeroDivisionError"
        assert "in current" in note
        assert note.endswith("ZeroDivisionError: secret\n")


def test_a_worker_that_is_killed(make_cache: MakeCache) -> None:
    """That a worker died is told, and the same command finishes."""
    cache = make_cache(300)
    parent = os.getpid()

    def current() -> Bound:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return A

    with refusal(StoreUnavailableError, "a worker process was killed; run the same command again to finish"):
        run(cache, Job((current,)), 2)

    assert run(cache, job(A)) == {"changed": 300}


def test_workers_that_cannot_be_started(make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system gives no more processes that is said, and nothing is signed."""
    cache = make_cache(3)
    before = contents(cache)

    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("os.fork", fork)

    with refusal(
        StoreUnavailableError,
        "4 worker processes cannot be started (Resource temporarily unavailable); run with fewer --jobs",
    ):
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
