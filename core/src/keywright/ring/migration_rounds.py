"""The rounds of a migration: all of it is copied, until nothing has changed in the source since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from keywright.errors import ConflictError, KeyExistsError, KeyNotFoundError, KeywrightError, StoreUnavailableError
from keywright.records import RecordInfo, Revision
from keywright.ring.migration import Migration, Moved, Settled, is_conflict, number_of, numbered, refused
from keywright.ring.migration_steps import Step, find_again, find_steps

__all__ = ["Rounds"]

_ROUNDS: Final = 20
_UNSETTLED: Final = Settled(0, 0, ())


class Rounds:
    """Copies; a dry run says what it would copy.

    Attributes:
        is_clean: nothing failed or was in conflict so far.
    """

    def __init__(self, migration: Migration, *, update: bool) -> None:
        self._migration = migration
        self._source = migration.source
        self._target = migration.target
        self._update = update
        self._settled: dict[str, Settled] = {}
        self.is_clean = True

    def settled(self) -> Iterator[tuple[str, Settled]]:
        """What each name was when it was compared; those that are gone from the source meanwhile are left out."""
        return ((name, settled) for name, settled in self._settled.items() if settled is not _UNSETTLED)

    def all_of(self, names: Sequence[str]) -> Iterator[Moved]:
        """Copy these names, or all of them, the newest version first.

        Raises:
            ConflictError: the source kept changing.
            StoreError: the names cannot be listed.
        """
        for _ in range(1 if self._migration.dry_run else _ROUNDS):
            changed = False
            for name in dict.fromkeys(names) if names else self._source.store.names():
                settled = self._settled.get(name)
                # Of what failed or is in conflict the first account is enough.
                if settled is None or settled.source not in (0, numbered(self._source.store.versions(name))):
                    changed = True
                    # What stands in the target is our own copy, unless somebody changed it there.
                    again = settled is not None and settled.target == self._migration.in_target(name, settled.versions)
                    yield from self._name(name, again=again)
            if not changed:
                return
        if not self._migration.dry_run:
            self.is_clean = False
            raise ConflictError(
                f"store {self._source.name!r} kept changing while it was copied; run the same command again"
            )

    def _name(self, name: str, *, again: bool) -> Iterator[Moved]:
        """Copy the versions of a name; if one has no place in the target, none of it."""
        self._settled[name] = _UNSETTLED
        try:
            infos = self._source.store.versions(name)
            steps = find_steps(self._migration, infos, again=again, update=self._update)
            # Another migration may have taken it away meanwhile.
            is_gone = any(isinstance(step.error, KeyNotFoundError) for step in steps)
            if is_gone and not self._source.store.versions(name):
                return
        except KeywrightError as error:
            yield self._told(refused(name, error))
            return
        is_whole = bool(infos)
        stopped = next((step.error for step in steps if step.bars), None)
        is_barred = stopped is not None
        revisions: dict[int, Revision] = {}
        for step in steps:
            left_out = None if stopped is None else self._left_out(step.info, stopped, is_barred=is_barred)
            moved = self._told(self._marked(step, self._done(step, left_out, revisions, again=again)))
            is_whole = is_whole and moved.error is None
            # An older version alone would sign in the target, where it is superseded in the source.
            stopped = stopped or moved.error
            # What was copied before, and is as it was, was told then.
            if not again or moved.outcome != "identical":
                yield moved
        if is_whole:
            compared = number_of(sorted(revisions.items()))
            self._settled[name] = Settled(numbered(infos), compared, tuple(sorted(revisions)))

    def _done(
        self, step: Step, left_out: KeywrightError | None, revisions: dict[int, Revision], *, again: bool
    ) -> Moved:
        """Do it; `revisions` gets the version's in the target, as it was compared."""
        reference = step.info.reference
        if step.error is not None:
            return refused(reference, step.error)
        if step.there is not None:
            revisions[step.info.version] = step.there
        if step.one is None or step.write is None:
            return Moved(reference, step.outcome)
        if left_out is not None:
            return refused(reference, left_out)
        try:
            written = self._migration.perform("migrate", self._target, step.one.info, step.write, bits=step.one.bits)
        except (ConflictError, KeyExistsError):
            # Another migration may have brought the very same there.
            step = find_again(self._migration, step.info, again=again, update=self._update)
            return self._done(step, None, revisions, again=again)
        except KeywrightError as error:
            return refused(reference, error)
        revisions[step.info.version] = written or Revision("")
        return Moved(reference, step.outcome)

    def _marked(self, step: Step, moved: Moved) -> Moved:
        one = step.one
        lies_there = one is not None and one.payload is not None and moved.error is None
        if lies_there and self._source.seal_name is not None and self._target.seal_name is None:
            return moved._replace(unsealed=True)
        return moved

    def _left_out(self, info: RecordInfo, stopped: KeywrightError, *, is_barred: bool) -> KeywrightError:
        reference = info.reference
        if is_conflict(stopped):
            return ConflictError(
                f"{reference} is left out, for another version of the name is in conflict; settle that"
            )
        if is_barred:
            return type(stopped)(
                f"{reference} is left out, for store {self._target.name!r} is no place for another version of the "
                "name; settle that"
            )
        return StoreUnavailableError(
            f"{reference} is left out, for a newer version could not be copied; mend that first"
        )

    def _told(self, moved: Moved) -> Moved:
        self.is_clean = self.is_clean and moved.error is None
        return moved
