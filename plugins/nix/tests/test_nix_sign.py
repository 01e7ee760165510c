"""Signing narinfos: what is done to each, in one process or several, and that a kill leaves the old or the new."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext, suppress
from functools import partial
from hashlib import sha512
from pathlib import Path

import nacl.signing
import pytest
from nacl.bindings import (
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
)

from keywright.errors import DurabilityUnknownError, FormatError, PolicyError, StoreUnavailableError
from keywright_nix.cache import Cache
from keywright_nix.job import Bound, Job
from keywright_nix.narinfo import NarInfo
from keywright_nix.outcome import Outcome
from keywright_nix.signing import sign_narinfo
from keywright_nix.work import sign_all

MakeCache = Callable[..., Path]


def bound(name: str, number: int = 1) -> Bound:
    """The key of the seed `number`, made by libsodium."""
    key = nacl.signing.SigningKey(number.to_bytes(32))
    return Bound(name, bytes(key.verify_key), lambda message: key.sign(message).signature)


def varying(name: str, number: int = 1) -> Bound:
    """The same key as it signs where random bits are added: every signature is another, and each holds."""
    key = nacl.signing.SigningKey(number.to_bytes(32))
    public = bytes(key.verify_key)
    scalar = clamped(sha512(number.to_bytes(32)).digest()[:32])

    def sign(message: bytes) -> bytes:
        nonce = crypto_core_ed25519_scalar_reduce(os.urandom(64))
        commitment = crypto_scalarmult_ed25519_base_noclamp(nonce)
        challenge = crypto_core_ed25519_scalar_reduce(sha512(commitment + public + message).digest())
        return commitment + crypto_core_ed25519_scalar_add(nonce, crypto_core_ed25519_scalar_mul(challenge, scalar))

    return Bound(name, public, sign, varies=True)


def clamped(half: bytes) -> bytes:
    """RFC 8032 §5.1.5: the lowest three bits and the highest are cleared, the second highest is set; reduced."""
    number = int.from_bytes(half, "little") & ((1 << 254) - 8) | (1 << 254)
    return crypto_core_ed25519_scalar_reduce(number.to_bytes(64, "little"))


def job(*keys: Bound, drop: tuple[str, ...] = (), vouching: Bound | None = None, dry_run: bool = False) -> Job:
    """A job with these keys."""
    return Job(
        tuple(partial(Bound._make, key) for key in keys),
        frozenset(drop),
        None if vouching is None else (vouching.name, vouching.public),
        dry_run,
    )


CA = b"CA: text:sha256:" + b"0" * 52 + b"\n"  # signatures go before it, so that a new file is written

A, B, M = bound("a-1", 1), bound("b-1", 2), bound("m-1", 3)
OTHER_A = bound("a-1", 9)


def sig(key: Bound, data: bytes) -> bytes:
    """The line that this key signs the narinfo with."""
    text = b64encode(key.sign(NarInfo.parse(data).fingerprint()))
    return b"Sig: " + key.name.encode() + b":" + text + b"\n"


def run(cache: Path, task: Job, jobs: int = 1) -> Counter[str]:
    """Sign a whole cache. Returns how many of which kind."""
    place = Cache(str(cache))
    with place.locked() as descriptor, closing(sign_all(place, descriptor, task, jobs=jobs)) as outcomes:
        return Counter(outcome.kind for _, outcome in outcomes)


def contents(cache: Path) -> dict[str, bytes]:
    """Every file in it."""
    return {path.name: path.read_bytes() for path in cache.iterdir() if path.is_file()}


@pytest.fixture
def file(make_cache: MakeCache) -> Path:
    """One narinfo without signatures."""
    return make_cache(1) / f"{0:032}.narinfo"


def signed(path: Path, task: Job) -> str:
    """Sign one file in one go. Returns what became of it."""
    return outcome_of(path, task).kind


def outcome_of(path: Path, task: Job) -> Outcome:
    """Sign one file in one go. Returns all of what became of it."""
    place = Cache(str(path.parent), [path.name])
    with place.locked() as descriptor, closing(sign_all(place, descriptor, task, jobs=1)) as outcomes:
        [(name, outcome)] = outcomes
    assert name == path.name
    return outcome


def test_signatures_are_added(file: Path) -> None:
    """Each key adds its line, sorted among those that are there, and the rest stays as it was."""
    bare = file.read_bytes()

    kinds = [signed(file, job(M)), signed(file, job(B, A))]

    assert kinds == ["changed", "changed"]
    assert file.read_bytes() == bare + sig(A, bare) + sig(B, bare) + sig(M, bare)


def test_a_second_run_changes_nothing(file: Path) -> None:
    """What is signed already is not touched."""
    signed(file, job(A, B))
    before = (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino)

    assert [signed(file, job(A, B)), signed(file, job(B)), signed(file, job(A))] == ["unchanged"] * 3

    assert (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino) == before


def test_signatures_are_dropped(file: Path) -> None:
    """Those under the given names are taken away, malformed ones too; names that only begin so stay."""
    bare = file.read_bytes()
    ours = sig(A, bare)
    others = b"Sig: a-11:x\nSig: a-2:y\n"
    file.write_bytes(bare + b"Sig: a-1:rubbish\n" + ours + others)

    assert [signed(file, job(drop=("a-1", "c-1"))), signed(file, job(drop=("a-1", "c-1")))] == ["changed", "unchanged"]

    assert file.read_bytes() == bare + others


def test_dropping_a_name_and_signing_under_it(file: Path) -> None:
    """Wrong signatures under our own name are replaced by ours; a second run finds nothing to do."""
    bare = file.read_bytes()
    file.write_bytes(bare + sig(OTHER_A, bare))

    kinds = [signed(file, job(A, drop=("a-1",))), signed(file, job(A, drop=("a-1",)))]

    assert kinds == ["changed", "unchanged"]
    assert file.read_bytes() == bare + sig(A, bare)


def test_another_signature_under_our_name(file: Path) -> None:
    """It may be another key's, so it stays, and is told."""
    bare = file.read_bytes()
    file.write_bytes(bare + sig(OTHER_A, bare))

    outcomes = [outcome_of(file, job(A, B)) for _ in range(2)]

    assert outcomes == [Outcome("changed", clashing=("a-1",)), Outcome("unchanged", clashing=("a-1",))]
    assert sorted(file.read_bytes().removeprefix(bare).splitlines(keepends=True)) == sorted(
        [sig(A, bare), sig(OTHER_A, bare), sig(B, bare)]
    )


class TestSignaturesThatDiffer:
    """Signatures of our own key that are not the ones that we would make."""

    def test_a_key_whose_signatures_vary(self, file: Path) -> None:
        """However often it is run, there is one signature, and the key is not asked for a second."""
        key = varying("a-1")
        calls = []

        def sign(message: bytes) -> bytes:
            calls.append(message)
            return key.sign(message)

        kinds = [signed(file, job(key._replace(sign=sign), B)) for _ in range(3)]

        assert kinds == ["changed", "unchanged", "unchanged"]
        info = NarInfo.parse(file.read_bytes())
        assert (len(calls), [text[:4] for text in info.signatures]) == (1, ["a-1:", "b-1:"])
        assert info.verify([f"a-1:{b64encode(A.public).decode()}"]) == {"a-1"}

    def test_one_that_another_program_made(self, file: Path) -> None:
        """What holds under our key counts as signed, however it came about."""
        bare = file.read_bytes()
        file.write_bytes(bare + sig(varying("a-1"), bare))

        assert outcome_of(file, job(A)) == Outcome("unchanged")

    @pytest.mark.parametrize("key", [A, varying("a-1")], ids=["in this process", "in a store"])
    def test_one_that_is_spelled_otherwise(self, file: Path, key: Bound) -> None:
        """A signature that Nix reads and would not write so is spelled anew, and nobody else's is touched."""
        bare = file.read_bytes()
        line = sig(A, bare)
        other = sig(B, bare).replace(b"=", b"")
        file.write_bytes(bare + line.replace(b"=", b"") + other)

        outcomes = [outcome_of(file, job(key)) for _ in range(2)]

        assert outcomes == [Outcome("changed"), Outcome("unchanged")]
        assert file.read_bytes() == bare + line + other

    def test_two_spellings_of_one(self, file: Path) -> None:
        """The one that Nix would write stays alone."""
        bare = file.read_bytes()
        line = sig(A, bare)
        file.write_bytes(bare + line + line.replace(b"=", b""))

        assert outcome_of(file, job(A)) == Outcome("changed")

        assert file.read_bytes() == bare + line

    @pytest.mark.parametrize("key", [A, varying("a-1")], ids=["in this process", "in a store"])
    @pytest.mark.parametrize(
        "line", [b"Sig: a-1:x\n", b"Sig: a-1:\n", b"Sig: a-1:\xff\n", b"Sig: a-1:" + b"A" * 88 + b"\n"]
    )
    def test_one_that_does_not_hold(self, file: Path, key: Bound, line: bytes) -> None:
        """It stays beside ours, and is told each time."""
        file.write_bytes(file.read_bytes() + line)

        outcomes = [outcome_of(file, job(key)) for _ in range(2)]

        assert outcomes == [Outcome("changed", clashing=("a-1",)), Outcome("unchanged", clashing=("a-1",))]
        assert file.read_bytes().count(b"\nSig: ") == 2
        assert line in file.read_bytes()


class TestAnotherStore:
    """`StoreDir` of the cache's nix-cache-info."""

    @pytest.mark.parametrize("store", [b"", b"/nix/store"], ids=["not said", "the same"])
    def test_a_path_of_the_store(self, file: Path, store: bytes) -> None:
        """It is signed."""
        assert signed(file, job(A)._replace(store_dir=store)) == "changed"

    @pytest.mark.parametrize("directory", [b"/nix", b"/nix/store/sub", b"/nix/stor", b"/gnu/store", b"/nix/storee"])
    def test_a_path_of_another(self, file: Path, directory: bytes) -> None:
        """It is a fault, and left as it is."""
        before = file.read_bytes().replace(b": /nix/store/", b": " + directory + b"/")
        file.write_bytes(before)

        outcome = outcome_of(file, job(A)._replace(store_dir=b"/nix/store"))

        assert (outcome.kind, type(outcome.error)) == ("faulty", FormatError)
        assert str(outcome.error) == (
            f"{file}: StorePath is of another store than nix-cache-info says; take it out of this cache"
        )
        assert file.read_bytes() == before


class TestVouching:
    """`--only-signed-by`."""

    def test_what_the_old_key_signed_is_signed(self, file: Path) -> None:
        """A path with a valid signature of the old key gets the new one's, and loses the old if that is dropped."""
        bare = file.read_bytes()
        file.write_bytes(bare + b"Sig: a-1:rubbish\n" + sig(A, bare))

        assert signed(file, job(B, drop=("a-1",), vouching=A)) == "changed"

        assert file.read_bytes() == bare + sig(B, bare)

    @pytest.mark.parametrize("by", [None, OTHER_A, bound("a-2", 1), B], ids=["none", "forged", "renamed", "another"])
    def test_what_it_did_not_sign_is_left_alone(self, file: Path, by: Bound | None) -> None:
        """Without a valid signature under that very name nothing is added and nothing dropped."""
        bare = file.read_bytes()
        before = bare + (sig(by, bare) if by else b"")
        file.write_bytes(before)

        assert signed(file, job(M, drop=("b-1",), vouching=A)) == "not vouched for"

        assert file.read_bytes() == before

    def test_a_signature_of_another_path(self, make_cache: MakeCache) -> None:
        """A signature that was copied from another path vouches for nothing."""
        first, second = sorted(make_cache(2).glob("*.narinfo"))
        copied = second.read_bytes() + sig(A, first.read_bytes())
        second.write_bytes(copied)

        assert signed(second, job(B, vouching=A)) == "not vouched for"

        assert second.read_bytes() == copied

    def test_a_second_run(self, file: Path) -> None:
        """What was signed when the old key still vouched for it counts as signed already."""
        file.write_bytes(file.read_bytes() + sig(A, file.read_bytes()))
        task = job(B, drop=("a-1",), vouching=A)

        assert [signed(file, task), signed(file, task)] == ["changed", "unchanged"]


def test_a_dry_run_touches_nothing(make_cache: MakeCache) -> None:
    """It tells what would be done, opens nothing for writing and sweeps nothing."""
    cache = make_cache(2)
    (cache / ".keywright-x.narinfo").touch()
    before = contents(cache)

    outcomes = list(sign_all(Cache(str(cache)), None, job(A, dry_run=True), jobs=1))

    assert [outcome for _, outcome in outcomes] == [Outcome("changed")] * 2
    assert contents(cache) == before


def test_zeros_after_a_loss_of_power_are_mended(file: Path) -> None:
    """Where ext4 wrote a longer file without its bytes, the next run writes the whole narinfo."""
    bare = file.read_bytes()
    file.write_bytes(bare + bytes(len(sig(A, bare))))

    assert [signed(file, job(A)), signed(file, job(A))] == ["changed", "unchanged"]

    assert file.read_bytes() == bare + sig(A, bare)


def test_faults_are_outcomes(make_cache: MakeCache) -> None:
    """A malformed file is told with path and line, and the rest is signed."""
    cache = make_cache(3)
    bad = cache / f"{1:032}.narinfo"
    bad.write_bytes(b"StorePath\n")

    outcomes = dict(sign_all(Cache(str(cache)), None, job(A, dry_run=True), jobs=1))

    assert Counter(outcome.kind for outcome in outcomes.values()) == {"changed": 2, "faulty": 1}
    fault = outcomes[bad.name].error
    assert isinstance(fault, FormatError)
    assert str(fault) == (
        f"{bad}:1: is no field; a field is a name, a colon, a space and a value; correct it or fetch the narinfo again"
    )


def test_a_file_that_vanishes(make_cache: MakeCache) -> None:
    """What goes away between being listed and being read is no fault."""
    cache = make_cache(1)

    assert sign_narinfo(str(cache / "gone.narinfo"), job(A)) == Outcome("gone")


@pytest.mark.parametrize("tail", [b"", CA], ids=["append", "new file"])
def test_a_file_that_vanishes_while_it_is_signed(make_cache: MakeCache, tail: bytes) -> None:
    """What goes away between being read and being written is no fault, and does not come back."""
    cache = make_cache(1, tail=tail)
    path = next(cache.glob("*.narinfo"))

    def vanish(message: bytes) -> bytes:
        path.unlink()
        return A.sign(message)

    assert run(cache, job(A._replace(sign=vanish))) == {"gone": 1}

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


@pytest.mark.parametrize("jobs", [1, 2, 5])
@pytest.mark.parametrize("tail", [b"", CA], ids=["append", "new file"])
def test_jobs(make_cache: MakeCache, jobs: int, tail: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many processes work, and batches it takes, each narinfo is signed once, and nothing is left beside."""
    monkeypatch.setattr("keywright_nix.batch._SIZE", 200)
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

    with pytest.raises(StoreUnavailableError) as caught:
        run(cache, Job((current,)), 2)

    assert str(caught.value) == "a worker process was killed; run the same command again to finish"
    assert run(cache, job(A)) == {"changed": 300}


def test_workers_that_cannot_be_started(make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system gives no more processes that is said, and nothing is signed."""
    cache = make_cache(3)
    before = contents(cache)

    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("os.fork", fork)

    with pytest.raises(StoreUnavailableError) as caught:
        run(cache, job(A), 4)

    assert str(caught.value) == (
        "4 worker processes cannot be started (Resource temporarily unavailable); run with fewer --jobs"
    )
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


def test_a_sync_that_fails(make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not confirm the writing, no new file takes an old one's place, and it is said."""
    cache = make_cache(3, tail=CA)
    before = contents(cache)

    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("keywright_nix.batch._sync_file_system", fail)

    with pytest.raises(DurabilityUnknownError) as caught:
        run(cache, job(A))

    assert str(caught.value) == (
        f"{cache}: the system does not confirm that the last signatures are on the medium (Input/output error); look "
        "to the disk, then run the same command again"
    )
    assert contents(cache) == before


SCRIPT = """
import os, sys
from keywright_nix.cache import Cache
from keywright_nix.job import Bound, Job
from keywright_nix.work import sign_all
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


def test_memory_stays_flat(make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times the narinfos take no more memory than a few kilobytes, once there are more than are sorted at once."""
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
