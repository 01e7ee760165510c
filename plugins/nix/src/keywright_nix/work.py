"""Signing the narinfos of a cache, in this process or by several."""

from __future__ import annotations

import os
from binascii import crc32
from collections.abc import Generator, Iterator
from itertools import islice
from typing import IO, TYPE_CHECKING, Final, NamedTuple, NoReturn

from keywright.errors import KeywrightError, StoreUnavailableError
from keywright_nix.batch import Batch
from keywright_nix.signing import Job, Outcome, sign_narinfo

if TYPE_CHECKING:
    from keywright_nix.cache import Cache

__all__ = ["jobs_for", "processors", "sign_all"]

_Results = Generator[tuple[str, Outcome], None, None]
_CHUNK: Final = 128
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
    results = _here(cache, job) if jobs == 1 else _in_processes(cache, job, jobs, insists=insists)
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


class _Worker(NamedTuple):
    process: int
    pipe: IO[bytes]

    def take(self) -> list[tuple[str, Outcome]]:
        """What it did since; nothing once it is done."""
        import pickle

        try:
            # Nobody but our worker has the other end.
            answer: list[tuple[str, Outcome]] | Exception = pickle.load(self.pipe)  # noqa: S301
        except (EOFError, pickle.UnpicklingError):
            raise StoreUnavailableError("a worker process was killed; run the same command again to finish") from None
        if isinstance(answer, Exception):
            raise answer
        return answer


def _in_processes(cache: Cache, job: Job, jobs: int, *, insists: bool) -> _Results:
    import pickle  # noqa: F401  (before the workers start, who inherit it)

    workers: list[_Worker] = []
    try:
        try:
            _start(workers, cache, job, jobs)
        except OSError as error:
            if insists:
                raise StoreUnavailableError(
                    f"{jobs} worker processes cannot be started ({error.strerror}); run with fewer --jobs"
                ) from None
            yield from _here(cache, job)
            return
        busy = list(workers)
        while busy:
            for worker in list(busy):  # who is ahead waits for us once its pipe is full
                results = worker.take()
                if not results:
                    busy.remove(worker)
                yield from results
    finally:
        for worker in workers:
            worker.pipe.close()
        for worker in workers:
            os.waitpid(worker.process, 0)


def _start(workers: list[_Worker], cache: Cache, job: Job, jobs: int) -> None:
    """Start them all; none does anything if one cannot be started.

    Raises:
        OSError: one cannot.
    """
    import signal

    # Ctrl-C goes to all of us, and so may SIGTERM. The workers, who keep this mask, leave them to the parent.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    wait, go = os.pipe()
    try:
        for share in range(jobs):
            ours, theirs = os.pipe()
            try:
                process = os.fork()  # a key is inherited; it is never pickled
            except OSError:
                os.close(ours)
                os.close(theirs)
                raise
            if process == 0:
                # Open at a sibling's, our end of a pipe would let a worker outlive us unknowing.
                for inherited in (go, ours, *(worker.pipe.fileno() for worker in workers)):
                    os.close(inherited)
                _work(wait, theirs, cache, job, share, jobs)
            os.close(theirs)
            workers.append(_Worker(process, os.fdopen(ours, "rb")))
        os.write(go, b"." * jobs)
    finally:
        os.close(wait)
        os.close(go)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(wait: int, pipe: int, cache: Cache, job: Job, share: int, jobs: int) -> NoReturn:
    """In a worker: do its share of the narinfos, which their names decide, and send what became of them."""
    try:
        if os.read(wait, 1):
            with open(pipe, "wb") as parent:
                names = (name for name in cache.names() if crc32(os.fsencode(name)) % jobs == share)
                _send_all(parent, names, cache.directory, job)
    finally:
        os._exit(0)  # nothing of the parent's is run here, nor flushed a second time


def _send_all(parent: IO[bytes], names: Iterator[str], directory: str, job: Job) -> None:
    """Send what becomes of the narinfos, a list for every 128; then an empty one, or what stopped it."""
    import pickle

    def send(what: list[tuple[str, Outcome]] | Exception) -> None:
        pickle.dump(what, parent)
        parent.flush()

    results: list[tuple[str, Outcome]] = []
    end: list[tuple[str, Outcome]] | Exception = []
    try:
        for name in names:
            results.append((name, sign_narinfo(f"{directory}/{name}", job)))
            if len(results) == _CHUNK:
                send(results)
                results = []
    except BrokenPipeError:
        raise
    except KeywrightError as error:
        end = error
    except Exception as error:  # noqa: BLE001  (a bug: the parent reports it, without what the message holds)
        end = RuntimeError(type(error).__name__)
    if results:
        send(results)
    send(end)
