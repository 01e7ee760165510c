"""migrate, reseal."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from typing import TYPE_CHECKING

from keywright.cli.exit_codes import exit_code
from keywright.errors import ConflictError, KeywrightError

if TYPE_CHECKING:
    from keywright.cli.context import Context
    from keywright.registry import Registry
    from keywright.ring.migrating import Moved

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


def run_migrate(arguments: Namespace, context: Context) -> int:
    """A line for each version that is not as it was, and a summary; JSON lines with `--json`."""
    run = _Run(context, dry_run=arguments.dry_run)
    with context.progress(None, "versions") as progress:
        try:
            for moved in context.ring.migrate(
                *arguments.names,
                from_=arguments.from_,
                to=arguments.to,
                dry_run=arguments.dry_run,
                update=arguments.update,
                delete_source=arguments.delete_source,
            ):
                progress.clear()
                run.note(moved)
                progress.advance()
        except ConflictError as error:
            progress.clear()
            run.fail(error)
    if arguments.delete_source and run.code and not run.has_removed:
        context.note("keywright: nothing was removed from the source, for not all of it is in the target")
    return run.report()


def configure_reseal(_parser: ArgumentParser, _plugins: Registry) -> None:
    """`reseal` has no arguments of its own: the store is `--store`, or the default."""


def run_reseal(_arguments: Namespace, context: Context) -> int:
    """Seal anew what is not sealed with the current master key; a summary on stdout."""
    counts: Counter[str] = Counter()
    code = 0
    with context.progress(None, "versions") as progress:
        for one in context.ring.reseal():
            counts["failed" if one.error is not None else "resealed" if one.is_changed else "current"] += 1
            if one.error is not None:
                progress.clear()
                subject = "" if one.reference in str(one.error) else f"{one.reference}: "
                context.say(f"keywright: {subject}{one.error}")
                code = code or exit_code(one.error)
            progress.advance()
    told = {kind: counts[kind] for kind in ("resealed", "current", "failed")}
    if context.json:
        context.print_json(told)
    else:
        context.print(", ".join(f"{kind} {count}" for kind, count in told.items() if count or kind != "failed"))
    return code


class _Run:
    """What was done so far."""

    def __init__(self, context: Context, *, dry_run: bool) -> None:
        self._context = context
        self._dry_run = dry_run
        self._counts: Counter[str] = Counter()
        self.code = 0

    def note(self, moved: Moved) -> None:
        """Tell what became of one."""
        self._counts[moved.outcome] += 1
        if moved.error is not None:
            self._told(moved.reference, moved.error)
        if self._context.json:
            document = {"reference": moved.reference, "outcome": moved.outcome, "dry_run": self._dry_run}
            message = {} if moved.error is None else {"message": str(moved.error)}
            self._context.print_json({**document, **message})
        elif moved.outcome != "identical" and moved.error is None:
            self._context.print(f"{moved.reference}: {self._word(moved.outcome)}")

    @property
    def has_removed(self) -> bool:
        """Whether anything was removed from the source."""
        return bool(self._counts["removed"])

    def fail(self, error: KeywrightError) -> None:
        """Tell why not all of it could be settled."""
        self._context.say(f"keywright: {error}")
        self.code = self.code or exit_code(error)

    def report(self) -> int:
        """Print the summary. Returns the exit code: a conflict before whatever else failed."""
        counts = {outcome: self._counts[outcome] for outcome in _OUTCOMES}
        if self._context.json:
            self._context.print_json({"dry_run": self._dry_run, **counts})
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
_WOULD = {"copied": "to copy", "updated": "to update"}
