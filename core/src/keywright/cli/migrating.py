"""migrate."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from typing import TYPE_CHECKING

from keywright.cli.exit_codes import INTERRUPTED, exit_code
from keywright.cli.names_done import GOES_ON, NamesDone
from keywright.cli.whole_steps import Whole, in_whole_steps
from keywright.errors import ConflictError, KeywrightError

if TYPE_CHECKING:
    from keywright.cli.context import Context
    from keywright.cli.progress import Progress
    from keywright.plugins.registry import Registry
    from keywright.ring.migrate import MigrationResult

_CONFLICT = 4


def configure_migrate(parser: ArgumentParser, _plugins: Registry) -> None:
    """Arguments of `migrate`."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="these alone; default: all that the source has")
    parser.add_argument("--from", dest="from_", metavar="STORE", required=True, help="the store to copy from")
    parser.add_argument("--to", metavar="STORE", required=True, help="the store to copy into")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and write nothing")
    parser.add_argument(
        "--update",
        action="store_true",
        help="let the source win where a copy differs in nothing but labels and state; default: a conflict",
    )
    parser.add_argument(
        "--delete-source",
        action="store_true",
        help="at the end, if all of it was copied and compared, remove it from the source",
    )
    parser.add_argument(
        "--in-use",
        action="store_true",
        help="with --delete-source: though the configuration looks for a name there, and would not find it any more",
    )


def run_migrate(arguments: Namespace, context: Context) -> int:
    """A line for each version that is not as it was, and a summary; JSON lines with `--json`."""
    with context.progress(None, "names") as progress:
        run = _Run(context, progress, dry_run=arguments.dry_run)
        try:
            with in_whole_steps() as step:
                _migrate(arguments, context, run, step)
        except KeyboardInterrupt:
            run.interrupt()
    if arguments.delete_source and run.code and not run.has_removed:
        _tell_of_nothing_removed(arguments, context, run)
    if run.unsealed:
        _tell_of_unsealed(arguments, context, run.unsealed)
    if run.is_empty and not run.code:
        _tell_of_nothing(arguments, context)
    return run.report()


def _migrate(arguments: Namespace, context: Context, run: _Run, step: Whole) -> None:
    _tell_of_forgetting(arguments, context)
    phases = 2 if arguments.delete_source else 1
    run.progress.expect(
        lambda: phases * (len(arguments.names) or sum(1 for _ in context.ring.names(store=arguments.from_)))
    )
    try:
        for moved in context.ring.migrate(
            *arguments.names,
            from_=arguments.from_,
            to=arguments.to,
            dry_run=arguments.dry_run,
            update=arguments.update,
            delete_source=arguments.delete_source,
            in_use=arguments.in_use,
        ):
            with step:
                run.note(moved)
    except ConflictError as error:
        run.fail(error)


def _tell_of_forgetting(arguments: Namespace, context: Context) -> None:
    """Before anything is copied, so that nobody waits for what does not stay."""
    if not arguments.delete_source and not context.ring.open_store(arguments.to).capabilities.persistent:
        context.warn(f"store {arguments.to!r} forgets all when the process ends, so nothing that is copied there stays")


def _tell_of_nothing_removed(arguments: Namespace, context: Context, run: _Run) -> None:
    would, is_ = ("would be", "would be") if arguments.dry_run else ("was", "is")
    way = "; name the names that are settled, and these are removed" if run.is_partly_settled else ""
    context.note(f"keywright: nothing {would} removed from the source, for not all of it {is_} in the target{way}")


def _tell_of_unsealed(arguments: Namespace, context: Context, count: int) -> None:
    would = "would lie" if arguments.dry_run else "lies" if count == 1 else "lie"
    what = f"1 secret {would} in it as it is" if count == 1 else f"{count} secrets {would} in it as they are"
    context.warn(f"store {arguments.to!r} has no seal: {what}")


def _tell_of_nothing(arguments: Namespace, context: Context) -> None:
    """The two stores may have been mixed up."""
    try:
        is_full = next(context.ring.names(store=arguments.to), None) is not None
    except KeywrightError:
        is_full = False  # nothing was to be done there, so it is no error now
    hint = f"; did you mean --from {arguments.to} --to {arguments.from_}?" if is_full else ""
    context.note(f"keywright: store {arguments.from_!r} lists no keys{hint}")


class _Run:
    """What was moved so far."""

    def __init__(self, context: Context, progress: Progress, *, dry_run: bool) -> None:
        self._context = context
        self._names = NamesDone(progress)
        self._dry_run = dry_run
        self._counts: Counter[str] = Counter()
        self._is_interrupted = False
        self._unsealed: set[str] = set()
        self.progress = progress
        self.code = 0

    def note(self, moved: MigrationResult) -> None:
        """Tell what became of one."""
        self._counts[moved.outcome] += 1
        if moved.unsealed:
            self._unsealed.add(moved.reference)
        elif moved.error is None:
            self._unsealed.discard(moved.reference)  # destroyed meanwhile
        if moved.outcome != "identical":
            self.progress.clear()
        if moved.error is not None:
            self._told(moved.reference, moved.error)
        if self._context.json:
            document = {"reference": moved.reference, "outcome": moved.outcome, "dry_run": self._dry_run}
            message = {} if moved.error is None else {"message": str(moved.error)}
            self._context.print_json({**document, **message})
        elif moved.outcome != "identical" and moved.error is None:
            self._context.print(f"{moved.reference}: {self._word(moved.outcome)}")
        self._names.note(moved.reference)

    @property
    def has_removed(self) -> bool:
        """Whether anything was removed from the source."""
        return bool(self._counts["removed"])

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to move."""
        return not self._counts

    @property
    def is_partly_settled(self) -> bool:
        """Whether some of it is in the target, and some has no place there; one that was stopped just goes on."""
        refused = self._counts["conflict"] or self._counts["failed"]
        settled = self._counts["copied"] or self._counts["updated"] or self._counts["identical"]
        return bool(refused and settled) and not self._is_interrupted

    @property
    def unsealed(self) -> int:
        """How many secrets lie in the target as they are, and are sealed in the source."""
        return len(self._unsealed)

    def fail(self, error: KeywrightError) -> None:
        """Tell why not all of it could be settled."""
        self.progress.clear()
        self._context.say(f"keywright: {error}")
        self.code = self.code or exit_code(error)

    def interrupt(self) -> None:
        """Tell that somebody stopped it."""
        self.progress.clear()
        self._context.say(GOES_ON)
        self._is_interrupted, self.code = True, INTERRUPTED

    def report(self) -> int:
        """Print the summary. Returns the exit code: a conflict before whatever else failed."""
        counts = {outcome: self._counts[outcome] for outcome in _OUTCOMES}
        if self._context.json:
            stopped = {"interrupted": True} if self._is_interrupted else {}
            self._context.print_json({"dry_run": self._dry_run, **counts, "unsealed": self.unsealed, **stopped})
        else:
            always = ("copied", "identical")
            shown = (f"{self._word(one)} {count}" for one, count in counts.items() if count or one in always)
            self._context.print(", ".join(shown))
        return self.code

    def _told(self, reference: str, error: KeywrightError) -> None:
        subject = "" if reference in str(error) else f"{reference}: "
        self._context.say(f"keywright: {subject}{error}")
        code = exit_code(error)
        self.code = _CONFLICT if _CONFLICT in (code, self.code) else self.code or code

    def _word(self, outcome: str) -> str:
        return _WOULD.get(outcome, outcome) if self._dry_run else outcome


_OUTCOMES = ("copied", "updated", "identical", "conflict", "failed", "removed", "kept")
_WOULD = {"copied": "to copy", "updated": "to update", "removed": "to remove", "kept": "to keep"}
