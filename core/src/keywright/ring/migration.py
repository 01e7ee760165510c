"""What the parts of a migration share: its two stores, and what it says and knows of a name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeVar

from keywright.errors import ConflictError, KeyExistsError, KeywrightError
from keywright.records import RecordInfo, Revision
from keywright.ring.base import RingBase
from keywright.ring.opened import OpenedStore
from keywright.ring.operation import describe

__all__ = ["Migration", "Moved", "Outcome", "Settled", "is_conflict", "number_of", "numbered", "refused"]

Outcome = Literal["copied", "updated", "identical", "conflict", "failed", "removed", "kept"]

_T = TypeVar("_T")


class Moved(NamedTuple):
    """What became of a version, or at the end of a whole name.

    Attributes:
        reference: `NAME@N`; of a whole name `NAME`.
        outcome: of a version `copied`, `updated` (the copy that was there), `identical` (nothing was to be done),
            `conflict` (the target has something else there), `failed`; of a name `removed` or `kept` in the source.
            In a dry run: what would become of it.
        error: why not.
        unsealed: its secret is sealed in the source, and lies in the target as it is, for that has no seal.
    """

    reference: str
    outcome: Outcome
    error: KeywrightError | None = None
    unsealed: bool = False


class Settled(NamedTuple):
    """What the revisions of a name's versions were when all was compared, as numbers, for there may be millions.

    Attributes:
        source, target: that number in each store; 0: not all was compared.
        versions: which versions there are.
    """

    source: int
    target: int
    versions: tuple[int, ...]


class Migration(NamedTuple):
    """From where to where, and whether for good."""

    ring: RingBase
    source: OpenedStore
    target: OpenedStore
    dry_run: bool

    def perform(
        self,
        operation: Literal["migrate", "remove"],
        opened: OpenedStore,
        info: RecordInfo,
        action: Callable[[], _T],
        *,
        bits: int | None = None,
    ) -> _T | None:
        """Ask the reviewers, act, and tell the observers. In a dry run the reviewers alone are asked.

        Returns what `action` does, None in a dry run.

        Raises:
            PolicyError: a reviewer objects. Beside it, whatever `action` raises.
        """
        ring = self.ring
        if self.dry_run:
            if ring.observers.listens:
                ring.observers.review(describe(operation, opened, info, ring.now(), bits, dry_run=True))
            return None
        return ring._perform(lambda: describe(operation, opened, info, ring.now(), bits), action)  # noqa: SLF001  (its own part)

    def in_target(self, name: str, versions: Sequence[int]) -> int:
        """The number of the revisions that these versions have in the target."""
        return numbered([info for info in self.target.store.versions(name) if info.version in versions])


def refused(reference: str, error: KeywrightError) -> Moved:
    """What is told of a version that was not copied."""
    return Moved(reference, "conflict" if is_conflict(error) else "failed", error)


def is_conflict(error: KeywrightError | None) -> bool:
    """Whether the target has something else there."""
    return isinstance(error, ConflictError | KeyExistsError)


def numbered(infos: Sequence[RecordInfo]) -> int:
    """The number of the revisions of all these versions."""
    return number_of([(info.version, info.revision) for info in infos])


def number_of(revisions: Sequence[tuple[int, Revision]]) -> int:
    """Versions and their revisions, as a number that is not 0."""
    return hash(tuple(revisions)) or 1
