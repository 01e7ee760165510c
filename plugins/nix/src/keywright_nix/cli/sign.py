"""`nix sign`: sign the narinfos of a binary cache, or fingerprints."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Final

from keywright import add_flag, add_list, add_value, failure_document
from keywright.errors import ConfigError, FormatError, MalformedKeyError
from keywright_nix.cache import find_caches, read_store_dir
from keywright_nix.cli.problems import Problems
from keywright_nix.parallel import TERMINATED, TerminatedError, jobs_for, processors, raising_on_sigterm, sign_all
from keywright_nix.signature import parse_public_key
from keywright_nix.signing import Bound, Job, lets_several_sign, signatures_of, signing_keys
from keywright_nix.store_path import is_path_fingerprint

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from keywright import Context
    from keywright_nix.cache import Cache

_MAXIMUM_JOBS: Final = 64
_MAXIMUM_LINE_BYTES: Final = 8 * 1024 * 1024


def configure_sign(parser: ArgumentParser) -> None:
    """Add the arguments of `nix sign`."""
    cache = (
        "a directory or file:// URL of a binary cache, or a file *.narinfo; or - alone: JSON lines on stdin, each an "
        "object with a fingerprint, which get signatures"
    )
    parser.add_argument("cache", nargs="+", metavar="CACHE", help=cache)
    add_list(parser, "--key", "KEY", "a key of the ring, NAME or NAME@N; repeatable")
    add_list(parser, "--key-file", "FILE", "a secret key file of Nix; repeatable")
    add_list(parser, "--drop", "KEYNAME", "remove the signatures under this key name; repeatable")
    vouching = "skip narinfos without a valid signature of this key, NAME:BASE64"
    add_value(parser, "--only-signed-by", "PUBLICKEY", vouching)
    add_flag(parser, "--dry-run", "print what would be done, and write nothing")
    parser.add_argument(
        "--jobs", type=int, metavar="NUMBER", help="processes that work at once (default: by size, a processor each)"
    )


def sign(arguments: Namespace, context: Context) -> int:
    """Sign, and print what was done: a line, or with `--json` a document.

    Raises:
        ConfigError: The arguments do not fit, or a directory is not a binary cache.
        MalformedKeyError: A public key or key file is malformed.
        KeywrightError: As `signing_keys` and `sign_all`.
    """
    if "-" in arguments.cache:
        _check_fingerprint_arguments(arguments)
        return sign_fingerprints(context, signing_keys(context, arguments.key, arguments.key_file, jobs=1))
    caches = find_caches(arguments.cache)
    run = _Run(context, _job(arguments, context), jobs=arguments.jobs, most=_most_jobs(arguments, context))
    try:
        with raising_on_sigterm():
            for cache in caches:
                run.sign(cache)
    except TerminatedError:
        run.note_stop()
        context.say("terminated")
        if context.json:
            error = {"type": TerminatedError.__name__, "message": "terminated", "hint": None, "exit_code": TERMINATED}
            context.print_json({"error": error})
        return TERMINATED
    except BaseException:
        run.note_stop()
        raise
    return run.report()


def _check_fingerprint_arguments(arguments: Namespace) -> None:
    if len(arguments.cache) > 1:
        raise ConfigError(
            "- (fingerprints on standard input) cannot be combined with caches", hint="leave the other caches out"
        )
    if arguments.drop or arguments.only_signed_by or arguments.dry_run or arguments.jobs is not None:
        raise ConfigError(
            "--drop, --only-signed-by, --dry-run and --jobs cannot be combined with -", hint="leave them out"
        )
    if "-" in arguments.key_file:
        raise ConfigError(
            "the key and the fingerprints cannot both be read from standard input", hint="pass the path of a key file"
        )
    if not (arguments.key or arguments.key_file):
        raise ConfigError("no key to sign with is given", hint="pass --key or --key-file")


def _most_jobs(arguments: Namespace, context: Context) -> int:
    """How many processes to use at most if `--jobs` is not given."""
    # Each process binds a key of the ring again; an observer, such as an audit log, would see each of them.
    alone = arguments.key and context.ring.observers.listens
    several = not alone and all(lets_several_sign(context, reference) for reference in arguments.key)
    return processors() if several else 1


def _job(arguments: Namespace, context: Context) -> Job:
    jobs = 1 if arguments.jobs is None else arguments.jobs
    if not 1 <= jobs <= _MAXIMUM_JOBS:
        raise ConfigError(f"--jobs must be a whole number from 1 to {_MAXIMUM_JOBS}")
    if not (arguments.key or arguments.key_file or arguments.drop):
        raise ConfigError("no key to sign with or to drop is given", hint="pass --key, --key-file or --drop")
    if any(not name or ":" in name for name in arguments.drop):
        raise ConfigError("--drop requires the name of a key, without the colon and what follows")
    vouching = None
    if arguments.only_signed_by is not None:
        try:
            vouching = parse_public_key(arguments.only_signed_by)
        except MalformedKeyError as error:
            raise error.prefixed("--only-signed-by: ") from None
    keys = signing_keys(context, arguments.key, arguments.key_file, jobs=jobs)
    return Job(keys, frozenset(arguments.drop), vouching, arguments.dry_run)


class _Run:
    """What was done so far."""

    def __init__(self, context: Context, job: Job, *, jobs: int | None, most: int) -> None:
        """`jobs` processes work; None: as many as a cache is worth, `most` at most."""
        self._context = context
        self._job = job
        self._jobs = jobs
        self._most = most
        self._problems = Problems(context)
        self._counts: Counter[str] = Counter()
        self._clashing: Counter[str] = Counter()

    def sign(self, cache: Cache) -> None:
        """Do the job on a cache."""
        with nullcontext() if self._job.dry_run else cache.locked() as descriptor:
            cache.check()
            job = self._job._replace(store_dir=read_store_dir(cache.directory))
            jobs = jobs_for(cache, self._most) if self._jobs is None else self._jobs
            with (
                self._context.progress(None, "narinfos") as progress,
                closing(sign_all(cache, descriptor, job, jobs=jobs, insists=self._jobs is not None)) as outcomes,
            ):
                progress.expect(cache.count)  # this reads every name once more, and is needed for the bar alone
                for _, outcome in outcomes:
                    self._counts[outcome.kind] += 1
                    if outcome.clashing:
                        self._clashing.update(outcome.clashing)
                    if outcome.error is not None:
                        progress.clear()
                        self._problems.add(outcome.error)
                    progress.advance()

    def note_stop(self) -> None:
        """Print what was done by now. It may be more: what a worker did since, and renames that were under way."""
        if self._counts:
            self._context.note(
                f"stopped early, with at least this done: {self._summary()}; run the same command again to finish"
            )

    def _summary(self) -> str:
        """One line: `signed 12, already signed 3, not vouched for 2, faults 1`."""
        if self._job.keys:
            changed, unchanged = "to sign" if self._job.dry_run else "signed", "already signed"
        else:
            changed, unchanged = "to change" if self._job.dry_run else "changed", "unchanged"
        counts = self._counts
        shown = [f"{changed} {counts['changed']}", f"{unchanged} {counts['unchanged']}"]
        rare = {"not vouched for": "not vouched for", "gone": "gone", "faulty": "faults"}
        return ", ".join(shown + [f"{word} {counts[kind]}" for kind, word in rare.items() if counts[kind]])

    def report(self) -> int:
        """Print the result. Returns the exit code."""
        for name, count in sorted(self._clashing.items()):
            self._context.warn(
                f"{count} narinfos have an invalid signature under {name}, which Nix refuses",
                hint=f"remove it with --drop {name}",
            )
        if self._context.json:
            kinds = ("changed", "unchanged", "not vouched for", "gone")
            document: dict[str, object] = {kind.replace(" ", "_"): self._counts[kind] for kind in kinds}
            document["faults"] = self._counts["faulty"]
            document |= {"clashing": dict(self._clashing), "dry_run": self._job.dry_run}
            if self._problems.first is not None:
                document |= failure_document(self._problems.first)
            self._context.print_json(document)
        else:
            self._context.print(self._summary())
        return self._problems.exit_code


# ---- `nix sign -`: fingerprints in JSON lines in, the same with signatures out, for paths that have no narinfo here


def sign_fingerprints(context: Context, keys: Sequence[Callable[[], Bound]]) -> int:
    """Answer each line of stdin as it comes. Returns the exit code.

    A line is an object with the member `fingerprint`, of a path or a realisation; nothing else is signed. It comes
    back with all its members, and with ours added to its `signatures`: text, or `{"keyName", "sig"}` if it has such.

    Raises:
        FormatError: A line is anything else; those before it are answered.
        ConfigError: Stdin is closed, or cannot be read.
        KeywrightError: A key does not sign any more.
    """
    from json import dumps

    count = 0
    for count, line in enumerate(_input_lines(), start=1):
        bound = [key() for key in keys]
        document, message, signatures = _read_fingerprint(line, f"standard input:{count}")
        for key in bound:
            signatures = _signed(key, message, signatures)
        document["signatures"] = signatures
        context.print(dumps(document))
    context.note(f"signed {count} fingerprints")
    return 0


def _input_lines() -> Iterator[bytes]:
    if sys.stdin is None:
        raise ConfigError("standard input is closed, so there is nothing to read", hint="pass JSON lines")
    try:
        while line := sys.stdin.buffer.readline(_MAXIMUM_LINE_BYTES + 1):
            yield line
    except OSError as error:
        raise ConfigError(f"standard input: cannot be read ({error.strerror})", hint="pass JSON lines") from None


def _read_fingerprint(line: bytes, where: str) -> tuple[dict[str, object], bytes, list[object]]:
    """The document of a line, its fingerprint and its signatures."""
    from keywright import JsonProblem, read_json_object

    if len(line) > _MAXIMUM_LINE_BYTES:
        raise FormatError(f"{where}: has more than {_MAXIMUM_LINE_BYTES} bytes", hint="give one object a line")
    document = read_json_object(line)
    fingerprint = None if isinstance(document, JsonProblem) else document.get("fingerprint")
    if isinstance(document, JsonProblem) or not isinstance(fingerprint, str):
        raise FormatError(
            f"{where}: is not a JSON object with a text as fingerprint, or has a duplicate member",
            hint='write {"fingerprint": TEXT} on each line',
        )
    message = fingerprint.encode()
    if not is_path_fingerprint(message) and not _is_realisation(message):
        raise FormatError(
            f"{where}: has a fingerprint that is not written as Nix writes those of paths and realisations",
            hint="pass the fingerprint as Nix signs it, such as 1;/nix/store/…",
        )
    signatures = document.get("signatures", [])
    if not isinstance(signatures, list) or {type(one) for one in signatures} not in (set(), {str}, {dict}):
        raise FormatError(
            f"{where}: has signatures that are not a list of strings or objects",
            hint="pass a list, or leave them out",
        )
    return document, message, signatures


def _is_realisation(message: bytes) -> bool:
    from keywright_nix.realisation import realisation_fingerprint

    try:
        return realisation_fingerprint(message) == message
    except FormatError:
        return False


def _signed(key: Bound, message: bytes, signatures: list[object]) -> list[object]:
    """The signatures, in their order, followed by the key's if none of them is valid."""
    texts = [f"{one.get('keyName')}:{one.get('sig')}" if isinstance(one, dict) else str(one) for one in signatures]
    present = {text for text in texts if text.startswith(f"{key.name}:")}
    ours, others = signatures_of(key, message, present)
    kept = [one for one, text in zip(signatures, texts, strict=True) if text not in present - ours - others]
    added = sorted(ours - present)
    if signatures and isinstance(signatures[0], dict):
        return kept + [{"keyName": key.name, "sig": text.partition(":")[2]} for text in added]
    return [*kept, *added]
