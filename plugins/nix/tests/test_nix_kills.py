"""Signing that is killed, or meets faults at any system call: nothing is lost."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from nix_signing import CA, KEYWRIGHT, A, MakeCache, contents, job, run, signed_narinfo

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


# What a run changes things by: three narinfos are appended to, and three written beside and renamed, after one sync.
WRITING = [*(f"write:when={number}" for number in range(1, 7)), "syncfs:when=1"]
RENAMING = [f"rename:when={number}" for number in range(1, 4)]
OWNING = [f"{call}:when={number}" for call in ("fchown", "fchmod") for number in range(1, 4)]
# Calls that change nothing, the first of each kind and some in the middle.
READING = ["flock:when=1", *(f"{call}:when={number}" for call in ("openat", "close") for number in (1, 2, 3, 7))]


class Place(NamedTuple):
    """A cache, all of whose files are watched.

    Attributes:
        directory: with six narinfos: three that are appended to, and three that are replaced.
        key: the file with the key that signs them.
        olds, news: what each is before and after.
    """

    directory: Path
    key: str
    olds: dict[str, bytes]
    news: dict[str, bytes]

    def reset(self) -> None:
        for name in os.listdir(self.directory):
            if name != "nix-cache-info":
                (self.directory / name).unlink()
        for name, data in self.olds.items():
            (self.directory / name).write_bytes(data)

    def narinfos(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.directory.glob("*.narinfo") if path.name[0] != "."}

    def left(self) -> list[str]:
        return [name for name in os.listdir(self.directory) if name.startswith(".")]

    @property
    def command(self) -> list[str]:
        return [KEYWRIGHT, "nix", "sign", str(self.directory), "--key-file", self.key]

    def sign(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command, capture_output=True, text=True, timeout=60)

    def traced(self, output: str, *options: str, jobs: int = 1) -> subprocess.CompletedProcess[str]:
        """With strace, which looks at what concerns the directory and the files in it alone."""
        watched = [self.directory, *(self.directory / name for name in self.olds)]
        watched += [self.directory / f".keywright-{name}.tmp" for name in self.olds]
        paths = [word for path in watched for word in ("-P", str(path))]
        command = ["strace", "-f", "-qq", "-o", output, *paths, *options, *self.command, "--jobs", str(jobs)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def place(key_file: str, make_cache: MakeCache, strace: None) -> Place:
    """Six narinfos, three of which end with a content address."""
    directory = make_cache(6)
    for number in range(3):
        path = directory / f"{number:032}.narinfo"
        path.write_bytes(path.read_bytes() + CA)
    olds = {path.name: path.read_bytes() for path in directory.glob("*.narinfo")}
    return Place(directory, key_file, olds, {name: signed_narinfo(data) for name, data in olds.items()})


def check(place: Place, rules: Sequence[str], codes: set[int], *, jobs: int = 1) -> None:
    """Let faults strike a run. Whatever they were, nothing is lost, it was told, and the same command finishes."""
    place.reset()

    run = place.traced("/dev/null", *rules, jobs=jobs)

    told = f"{rules}: {run.returncode} {run.stdout}{run.stderr}"
    now = place.narinfos()
    assert run.returncode in codes, told
    assert now.keys() == place.olds.keys(), told
    assert all(data in (place.olds[name], place.news[name]) for name, data in now.items()), told
    done = sum(now[name] == place.news[name] for name in now)
    if run.returncode >= 0:
        assert "internal error" not in run.stderr, told
        assert run.stderr.startswith(("error: ", "stopped early", "terminated")), told
        if run.stdout:
            assert run.stdout.startswith(f"signed {done}, "), told
    again = place.sign()
    assert (again.returncode, again.stderr) == (0, ""), told
    assert again.stdout == f"signed {6 - done}, already signed {done}\n", told
    assert (place.narinfos(), place.left()) == (place.news, []), told


def injected(call: str, fault: str) -> list[str]:
    name, _, when = call.partition(":")
    return ["-e", f"trace={name}", "-e", f"inject={name}:{fault}:{when}"]


@pytest.mark.peer
def test_the_calls_that_are_made(place: Place, tmp_path: Path) -> None:
    """The faults below strike at every call that changes anything."""
    log = tmp_path / "log"
    kinds = "write,pwrite64,writev,rename,renameat,renameat2,link,syncfs,sync,fsync,fdatasync,fchown,fchmod,ftruncate"

    assert place.traced(str(log), "-e", f"trace={kinds},truncate,unlink,unlinkat,mkdir,utimensat").returncode == 0

    made: list[str] = re.findall(r"(?m)^\d+ +(\w+)\(", log.read_text())
    numbered = [f"{name}:when={made[: at + 1].count(name)}" for at, name in enumerate(made)]
    assert sorted(numbered) == sorted([*WRITING, *RENAMING, *OWNING])


@pytest.mark.peer
@pytest.mark.parametrize(
    ("fault", "calls", "code"),
    [
        pytest.param("error=EIO", [*WRITING, *RENAMING, *OWNING], 6, id="EIO"),
        pytest.param("error=ENOSPC", [*WRITING, *RENAMING], 6, id="ENOSPC"),
        pytest.param("signal=SIGKILL", [*READING, *WRITING, *RENAMING, *OWNING], -9, id="SIGKILL"),
        pytest.param("signal=SIGTERM", [*WRITING, *RENAMING], 143, id="SIGTERM"),
    ],
)
def test_a_fault_at_each_call(place: Place, fault: str, calls: Sequence[str], code: int) -> None:
    """An error, a kill and a request to stop at each call that changes anything; a kill at others too."""
    for call in calls:
        check(place, injected(call, fault), {code})


@pytest.mark.peer
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("call", ["write:when=1+", "rename:when=1+", "syncfs:when=1+", "openat:when=4+"])
def test_a_disk_that_fails_permanently(place: Place, call: str, jobs: int) -> None:
    check(place, injected(call, "error=EIO"), {6}, jobs=jobs)


@pytest.mark.peer
@pytest.mark.parametrize(
    "second",
    ["unlink:error=EIO:when=1+", "unlink:signal=SIGKILL:when=1", "unlink:signal=SIGTERM:when=1"],
)
def test_a_fault_while_a_fault_is_cleared_up(place: Place, second: str) -> None:
    """What is half done may stay then, and the next run takes it away."""
    rules = ["-e", f"trace=write,{second.partition(':')[0]}", "-e", "inject=write:error=ENOSPC:when=1+"]

    check(place, [*rules, "-e", f"inject={second}"], {6, -9, 143})


@pytest.mark.peer
def test_a_file_that_vanishes(place: Place) -> None:
    """A narinfo that goes away between being listed and being read is told and is not a fault."""
    place.reset()
    name = f"{5:032}.narinfo"
    rules = ["-P", str(place.directory / name), "-e", "trace=openat", "-e", "inject=openat:error=ENOENT"]

    run = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", *rules, *place.command], capture_output=True, text=True, timeout=60
    )

    assert (run.returncode, run.stdout, run.stderr) == (0, "signed 5, already signed 0, gone 1\n", "")
    assert place.narinfos() == {**place.news, name: place.olds[name]}
