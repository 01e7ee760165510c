"""migrate, reseal: long commands that go through all versions, and go on where they stopped."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from keywright.cli.context import print_either, say_failure
from keywright.cli.failures import CONFLICT, INTERRUPTED
from keywright.cli.io import Progress, Step, in_whole_steps
from keywright.cli.parser import add_flag
from keywright.errors import ConflictError, KeywrightError

if TYPE_CHECKING:
    from keywright.cli.context import Context
    from keywright.ring.migrate import MigrationResult

_OUTCOMES = ("copied", "updated", "identical", "conflict", "failed", "removed", "kept")
_WOULD = {"copied": "to copy", "updated": "to update", "removed": "to remove", "kept": "to keep"}


def configure_migrate(parser: ArgumentParser, _plugins: object) -> None:
    """Arguments of `migrate`."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="these alone; default: all that the source has")
    parser.add_argument("--from", dest="from_", metavar="STORE", required=True, help="the store to copy from")
    parser.add_argument("--to", metavar="STORE", required=True, help="the store to copy into")
    add_flag(parser, "--dry-run", "say what would be done, and write nothing")
    update = "let the source win where a copy differs in nothing but labels and state; default: a conflict"
    add_flag(parser, "--update", update)
    delete = "at the end, if all of it was copied and compared, remove it from the source"
    add_flag(parser, "--delete-source", delete)
    in_use = "with --delete-source: though the configuration looks for a name there, and would not find it any more"
    add_flag(parser, "--in-use", in_use)


def run_migrate(arguments: Namespace, context: Context) -> int:
    """A line for each version that is not as it was, and a summary; JSON lines with `--json`."""
    with context.progress(None, "names") as progress:
        migration = _Migration(arguments, context, progress)
        with migration.tally.steps() as step:
            migration.run(step)
    return migration.report()


class _Migration:
    """What was moved so far."""

    def __init__(self, arguments: Namespace, context: Context, progress: Progress) -> None:
        self.tally = _Tally(context, progress)
        self._arguments = arguments
        self._context = context
        self._progress = progress
        self._unsealed: set[str] = set()

    def run(self, step: Step) -> None:
        """Move all of it; each version is counted and printed in a `step`."""
        arguments, ring = self._arguments, self._context.ring
        if not arguments.delete_source and not ring.open_store(arguments.to).capabilities.persistent:
            # Before anything is copied, so that time is not lost on what does not stay.
            target = f"store {arguments.to!r}"
            self._context.warn(f"{target} forgets all when the process ends, so nothing that is copied there stays")
        phases = 2 if arguments.delete_source else 1
        self._progress.expect(
            lambda: phases * (len(arguments.names) or sum(1 for _ in ring.names(store=arguments.from_)))
        )
        try:
            for moved in ring.migrate(
                *arguments.names,
                from_=arguments.from_,
                to=arguments.to,
                dry_run=arguments.dry_run,
                update=arguments.update,
                delete_source=arguments.delete_source,
                in_use=arguments.in_use,
            ):
                with step:
                    self._print(moved)
        except ConflictError as error:
            self.tally.fail(error)  # not all of it could be settled

    def report(self) -> int:
        """Print notes and the summary. Returns the exit code: a conflict before whatever else failed."""
        arguments, context, tally = self._arguments, self._context, self.tally
        if arguments.delete_source and tally.code and not tally.counts["removed"]:
            self._note_nothing_removed()
        if self._unsealed:
            self._warn_of_unsealed(len(self._unsealed))
        if not tally.counts and not tally.code:
            self._note_nothing_found()
        counts = {outcome: tally.counts[outcome] for outcome in _OUTCOMES}
        shown = (
            f"{self._word(one)} {count}" for one, count in counts.items() if count or one in ("copied", "identical")
        )
        about = {"dry_run": arguments.dry_run, "unsealed": len(self._unsealed)}
        print_either(context, {**about, **counts, **tally.interrupted}, ", ".join(shown))
        return tally.code

    def _print(self, moved: MigrationResult) -> None:
        """Count one version, and print what became of it."""
        self.tally.counts[moved.outcome] += 1
        if moved.unsealed:
            self._unsealed.add(moved.reference)
        elif moved.error is None:
            self._unsealed.discard(moved.reference)  # destroyed meanwhile
        if moved.outcome != "identical":
            self._progress.clear()
        if moved.error is not None and self.tally.fail(moved.error, moved.reference) == CONFLICT:
            self.tally.code = CONFLICT
        if self._context.json:
            document = {"reference": moved.reference, "outcome": moved.outcome, "dry_run": self._arguments.dry_run}
            message = {} if moved.error is None else {"message": str(moved.error)}
            self._context.print_json({**document, **message})
        elif moved.outcome != "identical" and moved.error is None:
            self._context.print(f"{moved.reference}: {self._word(moved.outcome)}")
        self.tally.advance(moved.reference)

    def _word(self, outcome: str) -> str:
        return _WOULD.get(outcome, outcome) if self._arguments.dry_run else outcome

    def _note_nothing_removed(self) -> None:
        counts = self.tally.counts
        settled = counts["copied"] or counts["updated"] or counts["identical"]
        # Some of it is in the target, and some cannot be; what was interrupted just goes on.
        is_partly_settled = settled and (counts["conflict"] or counts["failed"]) and not self.tally.is_interrupted
        would, is_ = ("would be", "would be") if self._arguments.dry_run else ("was", "is")
        way = "; name the names that are settled, and these are removed" if is_partly_settled else ""
        self._context.note(
            f"keywright: nothing {would} removed from the source, for not all of it {is_} in the target{way}"
        )

    def _warn_of_unsealed(self, count: int) -> None:
        would = "would lie" if self._arguments.dry_run else "lies" if count == 1 else "lie"
        what = f"1 secret {would} in it as it is" if count == 1 else f"{count} secrets {would} in it as they are"
        self._context.warn(f"store {self._arguments.to!r} has no seal: {what}")

    def _note_nothing_found(self) -> None:
        """The two stores may have been mixed up."""
        from_, to = self._arguments.from_, self._arguments.to
        try:
            is_full = next(self._context.ring.names(store=to), None) is not None
        except KeywrightError:
            is_full = False  # nothing was to be done there, so it is no error now
        hint = f"; did you mean --from {to} --to {from_}?" if is_full else ""
        self._context.note(f"keywright: store {from_!r} lists no keys{hint}")


def run_reseal(_arguments: Namespace, context: Context) -> int:
    """Seal again what is not sealed with the current master key; a summary on stdout."""
    with context.progress(None, "names") as progress:
        tally = _Tally(context, progress)
        with tally.steps() as step:
            ring = context.ring
            progress.expect(lambda: sum(1 for _ in ring.names()))
            for one in ring.reseal():
                with step:
                    if one.error is not None:
                        tally.counts["failed"] += 1
                        tally.fail(one.error, one.reference)
                    else:
                        tally.counts["resealed" if one.is_changed else "current"] += 1
                    tally.advance(one.reference)
    counts = {outcome: tally.counts[outcome] for outcome in ("resealed", "current", "failed")}
    shown = (f"{one} {count}" for one, count in counts.items() if count or one != "failed")
    print_either(context, {**counts, **tally.interrupted}, ", ".join(shown))
    return tally.code


class _Tally:
    """What a command did so far that goes through all versions of all names."""

    def __init__(self, context: Context, progress: Progress) -> None:
        self.counts: Counter[str] = Counter()
        self.code = 0
        self.is_interrupted = False
        self._context = context
        self._progress = progress
        self._last = ("", "")

    @contextmanager
    def steps(self) -> Iterator[Step]:
        """Let Ctrl-C, which ends the block, come between two steps only."""
        try:
            with in_whole_steps() as step:
                yield step
        except KeyboardInterrupt:
            self._progress.clear()
            self._context.say("keywright: interrupted; the same command goes on where it stopped")
            self.is_interrupted, self.code = True, INTERRUPTED

    @property
    def interrupted(self) -> dict[str, bool]:
        """A member for the summary if Ctrl-C ended it."""
        return {"interrupted": True} if self.is_interrupted else {}

    def fail(self, error: KeywrightError, subject: str = "") -> int:
        """Print an error. Returns its exit code, which becomes the command's if it is the first."""
        self._progress.clear()
        code = say_failure(self._context, subject, error)
        self.code = self.code or code
        return code

    def advance(self, reference: str) -> None:
        """Count for the bar: versions of one name that follow each other are one, and a name at the end another."""
        name, at, _ = reference.partition("@")
        self._progress.advance(int((name, at) != self._last))
        self._last = (name, at)
