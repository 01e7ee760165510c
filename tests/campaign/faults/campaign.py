"""Every fault at every system call: `python -m faults.campaign [BACKEND…]` prints what came of them."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from faults.judge import KNOWN, Known, Verdict, known
from faults.matrix import Fault, every_fault, no_room, short_files
from faults.operations import BACKENDS, OPERATIONS
from faults.pool import Case, Pool
from faults.tracing import Call

Choose = Callable[[Sequence[Call]], Iterable[Fault]]
_COLUMNS = ("faults", "done", "refused", "unknown", "killed", "old", "new", "lost", "strays", "violations")


def cases(pool: Pool, backends: Iterable[str], operations: Iterable[str], choose: Choose) -> Iterator[Case]:
    """The cases of some operations, from the calls that they make when nothing fails."""
    named = list(operations)
    for backend in backends:
        for operation in named:
            for fault in choose(pool.calls(backend, operation)):
                yield Case(backend, operation, fault)


def main(backends: Sequence[str]) -> int:
    """Run the campaign. Returns 1 if anything was found, else 0."""
    start = time.monotonic()
    table: dict[tuple[str, str, str], Counter[str]] = {}
    met: Counter[str] = Counter()
    found = 0
    with Pool() as pool:
        asked = list(cases(pool, backends or BACKENDS, OPERATIONS, everything))
        for number, (case, verdict) in enumerate(pool.verdicts(asked), 1):
            row = table.setdefault((case.backend, case.operation, case.fault.kind), Counter())
            violations = unknown_violations(case, verdict)
            row.update(_counted(verdict, violations))
            found += len(violations)
            for violation in violations:
                print(f"! {case}\n  {verdict.ending} {verdict.message}\n  {violation}")
            met.update(entry.reason for entry in _entries(case, verdict) if entry is not None)
            if number % 500 == 0 or number == len(asked):
                print(f"{number} of {len(asked)} faults, {time.monotonic() - start:.0f} s", file=sys.stderr)
    _print(table)
    for entry in KNOWN:
        if entry.backend in (backends or BACKENDS):
            print(f"known, {met[entry.reason]} times in {entry.backend}: {entry.reason}")
    print(f"{len(asked)} faults in {time.monotonic() - start:.0f} s, {found} violations")
    return 1 if found else 0


def everything(calls: Sequence[Call]) -> Iterator[Fault]:
    """The full matrix."""
    yield from every_fault(calls)
    yield from short_files(calls)
    yield from no_room(calls)


def unknown_violations(case: Case, verdict: Verdict) -> list[str]:
    """What is wrong and not known (see `known`)."""
    entries = zip(verdict.violations, _entries(case, verdict), strict=True)
    violations = [violation for violation, entry in entries if entry is None]
    return violations + ["the fault never struck"] * verdict.missed


def _entries(case: Case, verdict: Verdict) -> list[Known | None]:
    return [known(case.backend, case.operation, str(case.fault), violation) for violation in verdict.violations]


def _counted(verdict: Verdict, violations: Sequence[str]) -> list[str]:
    endings = {"done": "done", "killed": "killed", "DurabilityError": "unknown"}
    strays = any("stray secret" in violation or "left over" in violation for violation in violations)
    ending = endings.get(verdict.ending, "refused")
    return ["faults", ending, verdict.state] + ["strays"] * strays + ["violations"] * bool(violations)


def _print(table: dict[tuple[str, str, str], Counter[str]]) -> None:
    rows = [(*key, *(str(counts[column]) for column in _COLUMNS)) for key, counts in table.items()]
    total = sum(table.values(), Counter[str]())
    rows.append(("all", "", "", *(str(total[column]) for column in _COLUMNS)))
    rows.insert(0, ("store", "operation", "fault", *_COLUMNS))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
