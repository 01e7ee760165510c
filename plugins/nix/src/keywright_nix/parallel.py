"""Signing the narinfos of a cache, in this process or in several, and ending cleanly on SIGTERM."""

from __future__ import annotations

import marshal
import os
from binascii import crc32
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, TypeAlias

from keywright.errors import KeywrightError, StoreUnavailableError
from keywright_nix.rewrite import Batch, Identity, Outcome, Replacement
from keywright_nix.signing import Job, sign_narinfo

if TYPE_CHECKING:
    from keywright_nix.cache import Cache

_Results = Generator[tuple[str, Outcome], None, None]
_MAXIMUM_DEFAULT: Final = 8
_WORTH_A_PROCESS: Final = 500  # narinfos; to start one takes as long as to sign some dozens


def processors() -> int:
    """How many processes to use by default at most: the processors available to this one, up to 8."""
    ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(ours, _MAXIMUM_DEFAULT)


def jobs_for(cache: Cache, most: int) -> int:
    """How many processes a cache is worth, from 1 to `most`.

    Raises:
        AccessDeniedError, ConfigError: The directory cannot be read.
    """
    narinfos = sum(1 for _ in islice(cache.names(), most * _WORTH_A_PROCESS)) if most > 1 else 0
    return max(1, narinfos // _WORTH_A_PROCESS)


def sign_all(cache: Cache, descriptor: int | None, job: Job, *, jobs: int, insists: bool = True) -> _Results:
    """Do the job on each narinfo, in `jobs` processes that inherit the keys. Gives file names and outcomes, unordered.

    Without `insists`, this process alone does the work if the system gives no others. `descriptor` is that of
    `Cache.locked`; None for a dry run. When the last outcome was given, all is on the medium. A caller that stops
    earlier must close the generator, which then removes unfinished rewrites.

    Raises:
        KeywrightError: A key does not sign any more; what is done is done.
        DurabilityError: The system does not confirm that what is done is on the medium.
        StoreUnavailableError: A worker was killed, or cannot be started; in the latter case nothing was done.
        AccessDeniedError, ConfigError: The directory cannot be read.
    """
    results = _sign_here(cache, job) if jobs == 1 else _sign_by_workers(cache, job, jobs, insists=insists)
    if descriptor is None:
        yield from results
        return
    batch = Batch(cache.directory, descriptor)
    try:
        for name, outcome in results:
            if outcome.kind == "changed":
                batch.add(name, outcome)
            if outcome.replacement is None:
                yield name, outcome
            if batch.is_full:
                yield from batch.advance()
        yield from batch.finish()
    except BaseException:
        results.close()
        batch.close()
        cache.sweep()
        raise


def _sign_here(cache: Cache, job: Job) -> _Results:
    for name in cache.names():
        yield name, sign_narinfo(f"{cache.directory}/{name}", job)


def _sign_by_workers(cache: Cache, job: Job, jobs: int, *, insists: bool) -> _Results:
    try:
        workers = _start(cache, job, jobs)
    except OSError as error:
        if insists:
            raise StoreUnavailableError(
                f"{jobs} worker processes cannot be started ({error.strerror})", hint="run with fewer --jobs"
            ) from None
        yield from _sign_here(cache, job)
        return
    try:
        busy = list(workers)
        while busy:
            for worker in list(busy):  # one that is ahead waits for us once its pipe is full
                results = worker.take()
                if not results:
                    busy.remove(worker)
                yield from results
    finally:
        _end(workers)


# ---- workers


class _Worker(NamedTuple):
    process: int
    pipe: IO[bytes]

    def take(self) -> list[tuple[str, Outcome]]:
        """The next outcomes; nothing once it is done.

        Raises:
            StoreUnavailableError: It was killed.
            KeywrightError: What stopped it.
        """
        try:
            answer: list[tuple[str, _Packed]] | bytes = marshal.load(self.pipe)  # noqa: S302  (our worker wrote it)
        except (EOFError, ValueError, TypeError):
            raise StoreUnavailableError(
                "a worker process was killed", hint="run the same command again; if memory is short, with fewer --jobs"
            ) from None
        if isinstance(answer, bytes):
            raise _unpickled(answer)
        return [(name, _unpacked(outcome)) for name, outcome in answer]


def _start(cache: Cache, job: Job, jobs: int) -> Sequence[_Worker]:
    """Start all workers, or none if one cannot be started.

    Raises:
        OSError: One cannot.
    """
    import signal

    workers: list[_Worker] = []
    # Ctrl-C goes to the whole process group, and so may SIGTERM. Workers keep this mask and leave both to the parent.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    wait, go = os.pipe()
    try:
        for share in range(jobs):
            workers.append(_start_one(cache, job, share, jobs, (wait, go), workers))
        os.write(go, b"." * jobs)
    except OSError:
        os.close(go)  # those that wait for a byte see that none comes
        _end(workers)
        raise
    else:
        os.close(go)
        return workers
    finally:
        os.close(wait)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_one(
    cache: Cache, job: Job, share: int, jobs: int, gate: tuple[int, int], siblings: Sequence[_Worker]
) -> _Worker:
    ours, theirs = os.pipe()
    try:
        process = os.fork()  # a key is inherited; it is never pickled
    except OSError:
        os.close(ours)
        os.close(theirs)
        raise
    if process == 0:
        wait, go = gate
        # If a sibling kept our end of a pipe open, a worker would not see that the parent is gone.
        for inherited in (go, ours, *(worker.pipe.fileno() for worker in siblings)):
            os.close(inherited)
        _work(wait, theirs, cache, job, share, jobs)
    os.close(theirs)
    return _Worker(process, os.fdopen(ours, "rb"))


def _end(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.pipe.close()
    for worker in workers:
        os.waitpid(worker.process, 0)


def _work(wait: int, pipe: int, cache: Cache, job: Job, share: int, jobs: int) -> NoReturn:
    """In a worker: sign its share of the narinfos, which is decided by their names, and send the outcomes."""
    try:
        if os.read(wait, 1):
            with open(pipe, "wb") as parent:
                names = (name for name in cache.names() if crc32(os.fsencode(name)) % jobs == share)
                _send_all(parent, names, cache.directory, job)
    finally:
        os._exit(0)  # no handler of the parent runs here, and nothing is flushed a second time


# Only errors are pickled, because to import pickle takes as long as to sign some dozen narinfos.

_CHUNK: Final = 128
_Packed: TypeAlias = tuple[str, bytes | None, tuple[str, ...], tuple[str, str, Identity] | None]


def _send_all(parent: IO[bytes], names: Iterator[str], directory: str, job: Job) -> None:
    """Send the outcomes, a list for every 128 narinfos; then an empty list, or what stopped the worker."""

    def send(what: list[tuple[str, _Packed]] | bytes) -> None:
        marshal.dump(what, parent)
        parent.flush()

    results: list[tuple[str, _Packed]] = []
    stopped: Exception | None = None
    try:
        for name in names:
            results.append((name, _packed(sign_narinfo(f"{directory}/{name}", job))))
            if len(results) == _CHUNK:
                send(results)
                results = []
    except BrokenPipeError:
        raise
    except KeywrightError as error:
        stopped = error
    except Exception as error:  # noqa: BLE001  (a bug of any kind: the parent reports it)
        import traceback

        stopped = RuntimeError(type(error).__name__)
        stopped.add_note("".join(traceback.format_exception(error)))
    if results:
        send(results)
    send([] if stopped is None else _pickled(stopped))


def _packed(outcome: Outcome) -> _Packed:
    """An outcome in types that marshal writes."""
    kind, error, clashing, replacement = outcome
    return kind, None if error is None else _pickled(error), clashing, replacement and (*replacement,)


def _unpacked(packed: _Packed) -> Outcome:
    kind, error, clashing, replacement = packed
    problem = None if error is None else _unpickled(error)
    return Outcome(kind, problem, clashing, replacement and Replacement(*replacement))


def _pickled(what: object) -> bytes:
    import pickle

    return pickle.dumps(what)


def _unpickled(pickled: bytes) -> Any:
    import pickle

    return pickle.loads(pickled)  # noqa: S301  (our worker made it)


# ---- SIGTERM as Ctrl-C: an exception, so that unfinished rewrites are removed before the process ends

TERMINATED: Final = 143
"""The exit code: 128 and the number of the signal."""


class TerminatedError(BaseException):
    """SIGTERM came. Not an `Exception`, so that no handler continues after it."""


@contextmanager
def raising_on_sigterm() -> Iterator[None]:
    """Raise TerminatedError here when SIGTERM comes, once. Has no effect if the program handles that signal itself.

    Raises:
        TerminatedError: SIGTERM came.
    """
    import signal

    def stop(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would interrupt the cleanup
        raise TerminatedError

    is_ours = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    try:
        if is_ours:
            signal.signal(signal.SIGTERM, stop)
    except ValueError:  # only the main thread receives signals
        is_ours = False
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
