"""Signing a whole cache: dry runs, faults, files that vanish, syncs that fail, and how much memory it takes."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from nix_signing import CA, A, B, MakeCache, contents, job, refusal, run, sig

from keywright.errors import DurabilityUnknownError, FormatError
from keywright_nix.cache import Cache
from keywright_nix.parallel import sign_all
from keywright_nix.rewrite import Outcome
from keywright_nix.signing import sign_narinfo


def test_a_dry_run_touches_nothing(make_cache: MakeCache) -> None:
    """It tells what would be done, opens nothing for writing and sweeps nothing."""
    cache = make_cache(2)
    (cache / ".keywright-x.narinfo").touch()
    before = contents(cache)

    outcomes = list(sign_all(Cache(str(cache)), None, job(A, dry_run=True), jobs=1))

    assert [outcome for _, outcome in outcomes] == [Outcome("changed")] * 2
    assert contents(cache) == before


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


def test_a_sync_that_fails(make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not confirm the writing, no new file takes an old one's place, and it is said."""
    cache = make_cache(3, tail=CA)
    before = contents(cache)

    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("keywright_nix.rewrite._sync_file_system", fail)

    with refusal(
        DurabilityUnknownError,
        f"{cache}: the system does not confirm that the last signatures are on the medium (Input/output error); look "
        "to the disk, then run the same command again",
    ):
        run(cache, job(A))

    assert contents(cache) == before


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
