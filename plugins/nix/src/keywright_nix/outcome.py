"""What became of a narinfo; and writing it, which decides."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from keywright.errors import KeywrightError
from keywright_nix.rewrite import Replacement, rewrite

if TYPE_CHECKING:
    from keywright_nix.job import Job

__all__ = ["CHANGED", "GONE", "NOT_VOUCHED", "UNCHANGED", "Outcome", "written"]


class Outcome(NamedTuple):
    """What became of one narinfo.

    Attributes:
        kind: `changed`, `unchanged`, `not vouched for`, `gone` or `faulty`.
        error: what is wrong with a faulty one.
        clashing: names of ours under which it has a signature that does not hold.
        replacement: what is yet to take a changed one's place.
    """

    kind: str
    error: KeywrightError | None = None
    clashing: tuple[str, ...] = ()
    replacement: Replacement | None = None


# One of each, for all but a few are one of these.
CHANGED, UNCHANGED, NOT_VOUCHED, GONE = map(Outcome, ("changed", "unchanged", "not vouched for", "gone"))


def written(
    path: str, old: bytes, new: bytes, status: os.stat_result, job: Job, clashing: tuple[str, ...] = ()
) -> Outcome:
    """Write a narinfo anew, if it is not what it was and the job is no dry run: what became of it."""
    if new == old:
        return Outcome("unchanged", clashing=clashing) if clashing else UNCHANGED
    try:
        replacement = None if job.dry_run else rewrite(path, old, new, status)
    except FileNotFoundError:
        return GONE
    except KeywrightError as error:
        return Outcome("faulty", error)
    return Outcome("changed", clashing=clashing, replacement=replacement) if clashing or replacement else CHANGED
