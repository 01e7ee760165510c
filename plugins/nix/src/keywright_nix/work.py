"""Signing the narinfos of a cache, in this process or by several."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Generator, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from keywright.errors import KeywrightError, StoreUnavailableError
from keywright_nix.batch import Batch
from keywright_nix.signing import Job, Outcome, sign_narinfo

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from keywright_nix.cache import Cache

__all__ = ["sign_all"]

_Results = Generator[tuple[str, Outcome], None, None]
_CHUNK: Final = 64
_AHEAD: Final = 4  # chunks, so that a worker has something to do while we wait for the disk
_PATIENCE_SECONDS: Final = 10


def sign_all(cache: Cache, descriptor: int | None, job: Job, *, jobs: int) -> _Results:
    """Do the job on each narinfo, by `jobs` processes that inherit the keys. Gives file names and outcomes, unordered.

    `descriptor` is that of `Cache.locked`; None for a dry run. When the last outcome was given, all is on the medium.
    If it is not used up it must be closed, and then takes away what is half done.

    Raises:
        KeywrightError: a key signs no more; what is done is done.
        DurabilityUnknownError: the system does not confirm that what is done is on the medium.
        StoreUnavailableError: a worker was killed.
        AccessDeniedError, ConfigError: the directory cannot be read.
    """
    results = _here(cache, job) if jobs == 1 else _in_processes(cache, job, jobs)
    if descriptor is None:
        yield from results
        return
    try:
        yield from _batched(results, Batch(cache.directory, descriptor))
    except BaseException:
        results.close()
        cache.sweep()
        raise


def _batched(results: Iterator[tuple[str, Outcome]], batch: Batch) -> _Results:
    for name, outcome in results:
        if outcome.kind == "changed":
            batch.add(name, outcome)
        if outcome.replacement is None:
            yield name, outcome
        if batch.is_full:
            yield from batch.finish()
    yield from batch.finish()


def _here(cache: Cache, job: Job) -> _Results:
    for name in cache.names():
        yield name, sign_narinfo(f"{cache.directory}/{name}", job)


class _Worker(NamedTuple):
    process: BaseProcess
    pipe: Connection[list[str], list[Outcome] | Exception]
    sent: deque[list[str]]

    def feed(self, names: Iterator[str]) -> None:
        chunk = list(islice(names, _CHUNK))
        if chunk:
            self.pipe.send(chunk)
            self.sent.append(chunk)

    def take(self) -> Iterator[tuple[str, Outcome]]:
        answer = self.pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return zip(self.sent.popleft(), answer, strict=True)


def _in_processes(cache: Cache, job: Job, jobs: int) -> _Results:
    from multiprocessing.connection import wait

    names = cache.names()
    workers: list[_Worker] = []
    try:
        _start(workers, cache.directory, job, jobs)
        for _ in range(_AHEAD):
            for worker in workers:
                worker.feed(names)
        while busy := {worker.pipe: worker for worker in workers if worker.sent}:
            for pipe in wait(list(busy)):
                worker = busy[pipe]  # type: ignore[index]  # it is one of those that were given
                results = worker.take()
                worker.feed(names)
                yield from results
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise StoreUnavailableError("a worker process was killed; run the same command again to finish") from None
    finally:
        for worker in workers:
            worker.pipe.close()
        for worker in workers:
            worker.process.join(_PATIENCE_SECONDS)
            worker.process.kill()


def _start(workers: list[_Worker], directory: str, job: Job, jobs: int) -> None:
    from multiprocessing import get_context

    context = get_context("fork")  # a key is inherited; it is never pickled
    # Ctrl-C goes to all of us. The workers, who keep this mask, leave it to the parent.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        for _ in range(jobs):
            ours, theirs = context.Pipe()
            others = [worker.pipe for worker in workers]
            process = context.Process(target=_work, args=(theirs, [ours, *others], directory, job), daemon=True)
            process.start()
            theirs.close()
            workers.append(_Worker(process, ours, deque()))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(
    pipe: Connection[list[Outcome] | Exception, list[str]],
    inherited: list[Connection[list[str], list[Outcome] | Exception]],
    directory: str,
    job: Job,
) -> None:
    for other in inherited:
        other.close()  # or nobody would learn of the parent's end
    try:
        while True:
            chunk = pipe.recv()
            try:
                pipe.send([sign_narinfo(f"{directory}/{name}", job) for name in chunk])
            except KeywrightError as error:
                pipe.send(error)
            except Exception as error:  # noqa: BLE001  (a bug: the parent reports it, without what the message holds)
                pipe.send(RuntimeError(type(error).__name__))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
