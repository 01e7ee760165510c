"""migrate, rewrap: commands that go through all versions, and continue where they were stopped."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from keywright.cli.context import print_either, say_failure
from keywright.cli.failures import CONFLICT, INTERRUPTED
from keywright.cli.io import Step, in_whole_steps
from keywright.cli.parser import add_flag
from keywright.errors import ConflictError, KeywrightError

if TYPE_CHECKING:
    from keywright.cli.context import Context
    from keywright.ring.migrate import MigrationResult

_OUTCOMES = ("copied", "updated", "identical", "conflict", "failed", "removed", "kept")
_WOULD = {"copied": "to copy", "updated": "to update", "removed": "to remove", "kept": "to keep"}


def configure_migrate(parser: ArgumentParser, _plugins: object) -> None:
    """Arguments of `migrate`."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these; default: all in the source")
    parser.add_argument("--from", dest="from_", metavar="STORE", required=True, help="the store to copy from")
    parser.add_argument("--to", metavar="STORE", required=True, help="the store to copy into")
    add_flag(parser, "--dry-run", "print what would be done, and write nothing")
    update = "overwrite a copy that differs only in labels and state; default: a conflict"
    add_flag(parser, "--update", update)
    delete = "remove the keys from the source after all were copied and compared"
    add_flag(parser, "--delete-source", delete)
    in_use = "with --delete-source: also remove names that the configuration looks for there"
    add_flag(parser, "--allow-referenced", in_use)


def run_migrate(arguments: Namespace, context: Context) -> int:
    """Print a line for each version that changed or failed, and a summary; or JSON lines."""
    migration = _Migration(arguments, context)
    with migration.tally.steps() as step:
        migration.run(step)
    return migration.report()


class _Migration:
    """A run of `migrate`: what was copied so far, and how it is printed."""

    def __init__(self, arguments: Namespace, context: Context) -> None:
        self.tally = _Tally(context)
        self._arguments = arguments
        self._context = context
        self._unsealed: set[str] = set()

    def run(self, step: Step) -> None:
        """Migrate all versions; each is counted and printed in a `step`."""
        arguments, ring = self._arguments, self._context.ring
        if not arguments.delete_source and not ring.capabilities(arguments.to).persistent:
            # Before anything is copied, so that no time is lost on copies that do not last.
            self._context.warn(f'store "{arguments.to}" is in memory only; copied keys are lost when the command ends')
        phases = 2 if arguments.delete_source else 1
        self.tally.progress.expect(
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
                allow_referenced=arguments.allow_referenced,
            ):
                with step:
                    self._print(moved)
        except ConflictError as error:
            self.tally.fail(error)  # some versions could not be settled

    def report(self) -> int:
        """Print notes and the summary. Returns the exit code: a conflict comes before other errors."""
        arguments, tally = self._arguments, self.tally
        if arguments.delete_source and tally.code and not tally.counts["removed"]:
            self._note_nothing_removed()
        if self._unsealed:
            self._warn_of_unsealed(len(self._unsealed))
        if not tally.counts and not tally.code:
            self._note_nothing_found()
        about = {"dry_run": arguments.dry_run, "unsealed": len(self._unsealed)}
        words = {outcome: self._word(outcome) for outcome in _OUTCOMES}
        return tally.report(about, words, always=("copied", "identical"))

    def _print(self, moved: MigrationResult) -> None:
        """Count one version, and print its outcome."""
        self.tally.counts[moved.outcome] += 1
        if moved.unsealed:
            self._unsealed.add(moved.reference)
        elif moved.error is None:
            self._unsealed.discard(moved.reference)  # destroyed meanwhile
        if moved.outcome != "identical":
            self.tally.progress.clear()
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
        # Some versions are in the target, and some cannot be; an interrupted migration is just repeated.
        is_partly_settled = settled and (counts["conflict"] or counts["failed"]) and not self.tally.is_interrupted
        would, are = ("would be", "would be") if self._arguments.dry_run else ("was", "were")
        hint = "pass the NAMEs that were copied to remove only those" if is_partly_settled else None
        self._context.warn(f"nothing {would} removed from the source: some keys {are} not copied", hint=hint)

    def _warn_of_unsealed(self, count: int) -> None:
        to, are = self._arguments.to, "would be" if self._arguments.dry_run else "is" if count == 1 else "are"
        what = f"{count} secret{'s' if count != 1 else ''} {are} stored unencrypted"
        self._context.warn(f'store "{to}" has no seal: {what}', hint="pass a store with a seal as --to to encrypt them")

    def _note_nothing_found(self) -> None:
        """Note that the source is empty, and whether the two stores were mixed up."""
        from_, to = self._arguments.from_, self._arguments.to
        try:
            is_full = next(self._context.ring.names(store=to), None) is not None
        except KeywrightError:
            is_full = False  # the command did not need it, so this is not an error
        hint = f"; did you mean --from {to} --to {from_}?" if is_full else ""
        self._context.note(f'Store "{from_}" lists no keys{hint}')


def run_rewrap(_arguments: Namespace, context: Context) -> int:
    """Seal again what is not sealed with the current master key; a summary on stdout."""
    tally = _Tally(context)
    with tally.steps() as step:
        ring = context.ring
        tally.progress.expect(lambda: sum(1 for _ in ring.names()))
        for one in ring.rewrap():
            with step:
                if one.error is not None:
                    tally.counts["failed"] += 1
                    tally.fail(one.error, one.reference)
                else:
                    tally.counts["rewrapped" if one.is_changed else "current"] += 1
                tally.advance(one.reference)
    words = {outcome: outcome for outcome in ("rewrapped", "current", "failed")}
    return tally.report({}, words, always=("rewrapped", "current"))


class _Tally:
    """What a command that goes through all versions of all names has done so far.

    Attributes:
        counts: versions by outcome.
        code: the exit code so far.
        is_interrupted: whether Ctrl-C ended it.
        progress: the bar, which counts names.
    """

    def __init__(self, context: Context) -> None:
        self.counts: Counter[str] = Counter()
        self.code = 0
        self.is_interrupted = False
        self.progress = context.progress(None, "names")
        self._context = context
        self._last = ("", "")

    @contextmanager
    def steps(self) -> Iterator[Step]:
        """Let Ctrl-C, which ends the block, come between two steps only."""
        try:
            with self.progress, in_whole_steps() as step:
                yield step
        except KeyboardInterrupt:
            self._context.say("interrupted; run the same command again to continue")
            self.is_interrupted, self.code = True, INTERRUPTED

    def fail(self, error: KeywrightError, subject: str = "") -> int:
        """Print an error. Returns its exit code, which becomes the command's if it is the first."""
        self.progress.clear()
        code = say_failure(self._context, subject, error)
        self.code = self.code or code
        return code

    def advance(self, reference: str) -> None:
        """Count for the bar: versions of one name that follow each other are one, and a name at the end another."""
        name, at, _ = reference.partition("@")
        self.progress.advance(int((name, at) != self._last))
        self._last = (name, at)

    def report(self, about: Mapping[str, object], words: Mapping[str, str], *, always: Sequence[str]) -> int:
        """Print the counts of the outcomes in `words`, as text 0 only for those in `always`. Returns the exit code."""
        counts = {outcome: self.counts[outcome] for outcome in words}
        shown = (f"{words[one]} {count}" for one, count in counts.items() if count or one in always)
        interrupted = {"interrupted": True} if self.is_interrupted else {}
        print_either(self._context, {**about, **counts, **interrupted}, ", ".join(shown))
        return self.code
