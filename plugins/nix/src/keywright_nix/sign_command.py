"""`nix sign`: sign the narinfos of a binary cache, or fingerprints."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Final

from keywright.errors import ConfigError, MalformedKeyError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from keywright import Context
    from keywright_nix.cache import Cache
    from keywright_nix.faults import Faults
    from keywright_nix.job import Job
    from keywright_nix.outcome import Outcome

__all__ = ["configure_sign", "sign"]

_MAXIMUM_JOBS: Final = 64


def configure_sign(parser: ArgumentParser) -> None:
    """Add the arguments of `nix sign`."""
    parser.add_argument(
        "cache",
        nargs="+",
        metavar="CACHE",
        help="a directory or file:// URL of a binary cache, or a file *.narinfo; or - alone: JSON lines on stdin, "
        "each an object with a fingerprint, which get signatures",
    )
    parser.add_argument(
        "--key", action="append", default=[], metavar="REF", help="a key of the ring, NAME or NAME@N; repeatable"
    )
    parser.add_argument(
        "--key-file", action="append", default=[], metavar="FILE", help="a secret key file of Nix's; repeatable"
    )
    parser.add_argument(
        "--drop",
        action="append",
        default=[],
        metavar="KEYNAME",
        help="take away the signatures made under this key name; repeatable",
    )
    parser.add_argument(
        "--only-signed-by",
        metavar="PUBLICKEY",
        help="leave alone what carries no valid signature of this key, NAME:BASE64",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and touch nothing")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="processes that work at once (default: by size, a processor each)"
    )


def sign(arguments: Namespace, context: Context) -> int:
    """Sign, and print what was done: a line, or with `--json` a document.

    Raises:
        ConfigError: the arguments do not fit, or a place is no binary cache.
        MalformedKeyError: a public key or key file is malformed.
        KeywrightError: as `keywright_nix.signing_keys.signing_keys` and `keywright_nix.work.sign_all`.
    """
    if "-" in arguments.cache:
        from keywright_nix.fingerprints import sign_fingerprints
        from keywright_nix.signing_keys import signing_keys

        _check_fingerprint_arguments(arguments)
        return sign_fingerprints(context, signing_keys(context, arguments.key, arguments.key_file, jobs=1))
    from keywright_nix.cache import find_caches
    from keywright_nix.termination import TERMINATED, TerminatedError, raising_on_sigterm

    caches = find_caches(arguments.cache)
    run = _Run(context, _job(arguments, context), jobs=arguments.jobs, most=_most_jobs(arguments, context))
    try:
        with raising_on_sigterm():
            for cache in caches:
                run.sign(cache)
    except TerminatedError:
        run.tell_stop()
        context.say("keywright: terminated")
        if context.json:
            error = {"type": TerminatedError.__name__, "message": "terminated", "exit": TERMINATED}
            context.print_json({"error": error})
        return TERMINATED
    except BaseException:
        run.tell_stop()
        raise
    return run.report()


def _check_fingerprint_arguments(arguments: Namespace) -> None:
    if len(arguments.cache) > 1:
        raise ConfigError("- stands for fingerprints on standard input; leave the other caches out")
    if arguments.drop or arguments.only_signed_by or arguments.dry_run or arguments.jobs is not None:
        raise ConfigError("--drop, --only-signed-by, --dry-run and --jobs are for narinfos; leave them out with -")
    if "-" in arguments.key_file:
        raise ConfigError("standard input cannot hold both the key and the fingerprints; name a key file")
    if not (arguments.key or arguments.key_file):
        raise ConfigError("there is no key to sign with; name one with --key or --key-file")


def _most_jobs(arguments: Namespace, context: Context) -> int:
    """How many processes may work if nobody says how many."""
    from keywright_nix.signing_keys import lets_several_sign
    from keywright_nix.work import processors

    # Each process binds a key of the ring anew; what listens, such as an audit log, would hear of each.
    alone = arguments.key and context.ring.observers.listens
    several = not alone and all(lets_several_sign(context, reference) for reference in arguments.key)
    return processors() if several else 1


def _job(arguments: Namespace, context: Context) -> Job:
    from keywright_nix.job import Job
    from keywright_nix.signing_keys import signing_keys

    jobs = 1 if arguments.jobs is None else arguments.jobs
    if not 1 <= jobs <= _MAXIMUM_JOBS:
        raise ConfigError(f"--jobs takes a number from 1 to {_MAXIMUM_JOBS}")
    if not (arguments.key or arguments.key_file or arguments.drop):
        raise ConfigError("there is nothing to do; name a key with --key or --key-file, or one to --drop")
    if any(not name or ":" in name for name in arguments.drop):
        raise ConfigError("--drop takes the name of a key, what stands before the colon")
    vouching = None
    if arguments.only_signed_by is not None:
        from keywright_nix.signatures import parse_public_key

        try:
            vouching = parse_public_key(arguments.only_signed_by)
        except MalformedKeyError as error:
            raise MalformedKeyError(f"--only-signed-by: {error}") from None
    keys = signing_keys(context, arguments.key, arguments.key_file, jobs=jobs)
    return Job(keys, frozenset(arguments.drop), vouching, arguments.dry_run)


class _Run:
    """What was done so far."""

    def __init__(self, context: Context, job: Job, *, jobs: int | None, most: int) -> None:
        """`jobs` processes work; None: as many as a cache is worth, `most` at most."""
        from keywright_nix.faults import Faults

        self._context = context
        self._job = job
        self._jobs = jobs
        self._most = most
        self.faults: Faults = Faults(context)
        self.counts: Counter[str] = Counter()
        self.clashing: Counter[str] = Counter()

    def sign(self, cache: Cache) -> None:
        """Do the job on a cache."""
        from keywright_nix.cache_info import read_store_dir
        from keywright_nix.work import jobs_for, sign_all

        with nullcontext() if self._job.dry_run else cache.locked() as descriptor:
            cache.check()
            job = self._job._replace(store_dir=read_store_dir(cache.directory))
            jobs = jobs_for(cache, self._most) if self._jobs is None else self._jobs
            # To count is to look at every name once more, for the bar alone.
            total = cache.count() if _is_watched(self._context) else None
            with (
                self._context.progress(total, "narinfos") as progress,
                closing(sign_all(cache, descriptor, job, jobs=jobs, insists=self._jobs is not None)) as outcomes,
            ):
                for _, outcome in outcomes:
                    if outcome.error is not None:
                        progress.clear()
                    self._note(outcome)
                    progress.advance()

    def _note(self, outcome: Outcome) -> None:
        self.counts[outcome.kind] += 1
        if outcome.clashing:
            self.clashing.update(outcome.clashing)
        if outcome.error is not None:
            self.faults.add(outcome.error)

    def tell_stop(self) -> None:
        """Note what was done by now. (It may be more: what a worker did since, and renames that were under way.)"""
        if self.counts:
            self._context.note(
                f"keywright: stopped early, with at least this done: {self.summary()}; run the same command again to "
                "finish"
            )

    def summary(self) -> str:
        """One line: `signed 12, already signed 3, not vouched for 2, faults 1`."""
        signs = bool(self._job.keys)
        words = {
            "changed": "to sign" if signs and self._job.dry_run else "signed" if signs else "changed",
            "unchanged": "already signed" if signs else "unchanged",
            "not vouched for": "not vouched for",
            "gone": "gone",
            "faulty": "faults",
        }
        if self._job.dry_run and not signs:
            words["changed"] = "to change"
        always = ("changed", "unchanged")
        return ", ".join(
            f"{word} {self.counts[kind]}" for kind, word in words.items() if kind in always or self.counts[kind]
        )

    def report(self) -> int:
        """Print the result. Returns the exit code."""
        for name, count in sorted(self.clashing.items()):
            self._context.warn(
                f"{count} narinfos have a signature under {name} that does not hold, and Nix fails on such; "
                f"--drop {name} takes it away"
            )
        if self._context.json:
            document: dict[str, object] = {
                "changed": self.counts["changed"],
                "unchanged": self.counts["unchanged"],
                "not_vouched_for": self.counts["not vouched for"],
                "gone": self.counts["gone"],
                "faults": self.counts["faulty"],
                "clashing": dict(self.clashing),
                "dry_run": self._job.dry_run,
            }
            if self.faults.first is not None:
                document["error"] = self.faults.document(self.faults.first)
            self._context.print_json(document)
        else:
            self._context.print(self.summary())
        return self.faults.exit_code


def _is_watched(context: Context) -> bool:
    """Whether `Context.progress` draws."""
    return sys.stderr is not None and sys.stderr.isatty() and not (context.quiet or context.json)
