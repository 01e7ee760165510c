"""Signing that is killed, at a call of the system or anywhere: a narinfo is old or new, and the next run finishes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from nix_signing import CA, A, MakeCache, contents, job, run, sig

from keywright.errors import StoreUnavailableError

SCRIPT = """
import os, sys
from keywright_nix.cache import Cache
from keywright_nix.signing import Bound, Job
from keywright_nix.parallel import sign_all
from nacl.signing import SigningKey
key = SigningKey((1).to_bytes(32))
bound = Bound("a-1", bytes(key.verify_key), lambda message: key.sign(message).signature)
cache = Cache(sys.argv[1])
with cache.locked() as descriptor:
    print("locked", flush=True)
    for name, outcome in sign_all(cache, descriptor, Job((lambda: bound,)), jobs=int(sys.argv[2])):
        pass
"""

APPENDING = ["openat", "flock", "write", "close", "syncfs"]
REPLACING = [*APPENDING, "fchown", "fchmod", "rename"]


def killed(cache: Path, call: str, which: int) -> bool:
    """Sign a cache and be killed as the system enters `call` for the n-th time on it. Returns whether that came."""
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(cache), *_watched(cache)]
    command += ["-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={which}"]
    done = subprocess.run([*command, sys.executable, "-c", SCRIPT, str(cache), "1"], capture_output=True, timeout=60)
    return done.returncode != 0


def _watched(cache: Path) -> Iterator[str]:
    for path in cache.glob("*.narinfo"):
        yield from ("-P", str(path), "-P", str(path.with_name(f".keywright-{path.name}.tmp")))


@pytest.mark.peer
@pytest.mark.parametrize(
    ("tail", "call"),
    [
        *(pytest.param(b"", call, id=f"append-{call}") for call in APPENDING),
        *(pytest.param(CA, call, id=f"new file-{call}") for call in REPLACING),
    ],
)
def test_a_kill_at_each_step(make_cache: MakeCache, call: str, tail: bytes, strace: None) -> None:
    """Killed at any system call, each narinfo is the old one or the new one, and the next run finishes and sweeps."""
    cache = make_cache(2, tail=tail)
    olds = contents(cache)
    news = {
        name: data.removesuffix(tail) + sig(A, data) + tail if name.endswith(".narinfo") else data
        for name, data in olds.items()
    }
    for which in (1, 2, 3):
        for name, data in olds.items():
            (cache / name).write_bytes(data)

        was_killed = killed(cache, call, which)

        after = {name: data for name, data in contents(cache).items() if not name.startswith(".")}
        assert after.keys() == olds.keys()
        assert all(data in (olds[name], news[name]) for name, data in after.items())
        run(cache, job(A))
        assert contents(cache) == news
        if not was_killed:
            assert which > 1, "the call was never made"
            break


@pytest.fixture(scope="session")
def strace() -> None:
    """Skips without strace."""
    import shutil

    if shutil.which("strace") is None:
        if os.environ.get("KEYWRIGHT_REQUIRE_PEERS"):
            pytest.fail("strace is not installed, and KEYWRIGHT_REQUIRE_PEERS is set")
        pytest.skip("strace is not installed")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupted_run_is_finished_by_the_next(make_cache: MakeCache, jobs: int, how: signal.Signals) -> None:
    """Wherever it was stopped, each narinfo is old or new, no worker stays, and the same job does the rest."""
    cache = make_cache(800, tail=CA)
    olds = contents(cache)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(cache), str(jobs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.02)
    (os.killpg if how == signal.SIGINT else os.kill)(process.pid, how)
    process.wait(30)
    process.stdout.close()

    after = {name: data for name, data in contents(cache).items() if name in olds}
    deadline = time.monotonic() + 10
    while True:
        try:
            kinds = run(cache, job(A))
            break
        except StoreUnavailableError:  # a worker finishes its piece
            assert time.monotonic() < deadline

    assert after.keys() == olds.keys()
    assert all(data == olds[name] or (b"Sig: a-1:" in data and data.endswith(CA)) for name, data in after.items())
    assert set(kinds) <= {"changed", "unchanged"}
    assert kinds.total() == 800
    assert not [name for name in os.listdir(cache) if name.startswith(".")]
