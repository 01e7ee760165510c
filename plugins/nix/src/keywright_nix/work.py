"""Signing the narinfos of a cache, in this process or by several."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from keywright.errors import StoreUnavailableError
from keywright_nix.batch import Batch
from keywright_nix.job import Job
from keywright_nix.outcome import Outcome
from keywright_nix.signing import sign_narinfo

if TYPE_CHECKING:
    from keywright_nix.cache import Cache

__all__ = ["jobs_for", "processors", "sign_all"]

_Results = Generator[tuple[str, Outcome], None, None]
_MOST_UNASKED: Final = 8
_WORTH_A_PROCESS: Final = 500  # narinfos; to start one takes as long as to sign some dozens


def processors() -> int:
    """How many processes may work at once here without being asked to: the processors that are ours, 8 at most."""
    ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(ours, _MOST_UNASKED)


def jobs_for(cache: Cache, most: int) -> int:
    """How many processes a cache is worth, from 1 to `most`.

    Raises:
        AccessDeniedError, ConfigError: the directory cannot be read.
    """
    narinfos = sum(1 for _ in islice(cache.names(), most * _WORTH_A_PROCESS)) if most > 1 else 0
    return max(1, narinfos // _WORTH_A_PROCESS)


def sign_all(cache: Cache, descriptor: int | None, job: Job, *, jobs: int, insists: bool = True) -> _Results:
    """Do the job on each narinfo, by `jobs` processes that inherit the keys. Gives file names and outcomes, unordered.

    Who does not insist on so many is content with this one, where the system gives no others.

    `descriptor` is that of `Cache.locked`; None for a dry run. When the last outcome was given, all is on the medium.
    If it is not used up it must be closed, and then takes away what is half done.

    Raises:
        KeywrightError: a key signs no more; what is done is done.
        DurabilityUnknownError: the system does not confirm that what is done is on the medium.
        StoreUnavailableError: a worker was killed, or cannot be started; then nothing was done.
        AccessDeniedError, ConfigError: the directory cannot be read.
    """
    results = _here(cache, job) if jobs == 1 else _by_workers(cache, job, jobs, insists=insists)
    if descriptor is None:
        yield from results
        return
    batch = Batch(cache.directory, descriptor)
    try:
        yield from _batched(results, batch)
    except BaseException:
        results.close()
        batch.close()
        cache.sweep()
        raise


def _batched(results: Iterator[tuple[str, Outcome]], batch: Batch) -> _Results:
    for name, outcome in results:
        if outcome.kind == "changed":
            batch.add(name, outcome)
        if outcome.replacement is None:
            yield name, outcome
        if batch.is_full:
            yield from batch.advance()
    yield from batch.finish()


def _here(cache: Cache, job: Job) -> _Results:
    for name in cache.names():
        yield name, sign_narinfo(f"{cache.directory}/{name}", job)


def _by_workers(cache: Cache, job: Job, jobs: int, *, insists: bool) -> _Results:
    from keywright_nix.workers import results_of, start

    try:
        workers = start(cache, job, jobs)
    except OSError as error:
        if insists:
            raise StoreUnavailableError(
                f"{jobs} worker processes cannot be started ({error.strerror}); run with fewer --jobs"
            ) from None
        yield from _here(cache, job)
        return
    yield from results_of(workers)
