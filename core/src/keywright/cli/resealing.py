"""reseal."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from typing import TYPE_CHECKING

from keywright.cli.exit_codes import INTERRUPTED, exit_code
from keywright.cli.names_done import GOES_ON, NamesDone
from keywright.cli.whole_steps import Whole, in_whole_steps

if TYPE_CHECKING:
    from keywright.cli.context import Context
    from keywright.cli.progress import Progress
    from keywright.plugins.registry import Registry
    from keywright.ring.rewrap import RewrapResult


def configure_reseal(_parser: ArgumentParser, _plugins: Registry) -> None:
    """`reseal` has no arguments of its own: the store is `--store`, or the default."""


def run_reseal(_arguments: Namespace, context: Context) -> int:
    """Seal anew what is not sealed with the current master key; a summary on stdout."""
    with context.progress(None, "names") as progress:
        run = _Reseal(context, progress)
        try:
            with in_whole_steps() as step:
                run.all(step)
        except KeyboardInterrupt:
            progress.clear()
            context.say(GOES_ON)
            run.is_interrupted, run.code = True, INTERRUPTED
    return run.report()


class _Reseal:
    """What was sealed anew so far."""

    def __init__(self, context: Context, progress: Progress) -> None:
        self._context = context
        self._names = NamesDone(progress)
        self._progress = progress
        self._counts: Counter[str] = Counter()
        self.is_interrupted = False
        self.code = 0

    def all(self, step: Whole) -> None:
        """Seal all of it anew; each is counted and told in a `step`."""
        ring = self._context.ring
        self._progress.expect(lambda: sum(1 for _ in ring.names()))
        for one in ring.reseal():
            with step:
                self._note(one)

    def report(self) -> int:
        """Print the summary. Returns the exit code."""
        told = {kind: self._counts[kind] for kind in ("resealed", "current", "failed")}
        if self._context.json:
            self._context.print_json(told | ({"interrupted": True} if self.is_interrupted else {}))
        else:
            shown = (f"{kind} {count}" for kind, count in told.items() if count or kind != "failed")
            self._context.print(", ".join(shown))
        return self.code

    def _note(self, one: RewrapResult) -> None:
        self._counts["failed" if one.error is not None else "resealed" if one.is_changed else "current"] += 1
        if one.error is not None:
            self._progress.clear()
            subject = "" if one.reference in str(one.error) else f"{one.reference}: "
            self._context.say(f"keywright: {subject}{one.error}")
            self.code = self.code or exit_code(one.error)
        self._names.note(one.reference)
