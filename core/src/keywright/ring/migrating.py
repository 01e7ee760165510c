"""The ring moves keys from one store to another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, Literal, NamedTuple, TypeVar

from keywright.errors import (
    ConfigError,
    ConflictError,
    KeyExistsError,
    KeyNotFoundError,
    KeywrightError,
    StoreUnavailableError,
)
from keywright.names import check_name
from keywright.record import RecordInfo, Revision, State
from keywright.ring.base import RingBase
from keywright.ring.copying import Plain, copy, differs_in_its_keeping, found_in, plain, replace_copy
from keywright.ring.opened import OpenedStore
from keywright.ring.operation import describe

__all__ = ["Migrating", "Moved", "Outcome"]

Outcome = Literal["copied", "updated", "identical", "conflict", "failed", "removed", "kept"]

_ROUNDS: Final = 20
_T = TypeVar("_T")


class Moved(NamedTuple):
    """What became of a version, or at the end of a whole name.

    Attributes:
        reference: `NAME@N`; of a whole name `NAME`.
        outcome: of a version `copied`, `updated` (the copy that was there), `identical` (nothing was to be done),
            `conflict` (the target has something else there), `failed`; of a name `removed` or `kept` in the source.
        error: why not.
    """

    reference: str
    outcome: Outcome
    error: KeywrightError | None = None


class Migrating(RingBase):
    """Copies what a store holds into another, and takes it away at the end where that is asked for."""

    def migrate(
        self,
        *names: str,
        from_: str,
        to: str,
        dry_run: bool = False,
        update: bool = False,
        delete_source: bool = False,
    ) -> Iterator[Moved]:
        """Copy all versions of these names, or of all names, from one configured store to another.

        States, times, labels and tombstones go along; a version is read back and compared before it counts. The newest
        goes first, so that the target never signs with an older one meanwhile; of a name that is in conflict nothing is
        copied, and nothing older than a version that failed. Interrupted anywhere, the same call
        finishes it. What changes in the source while it works is copied again until nothing changes any more.

        Args:
            from_, to: names of configured stores.
            dry_run: say what would be done, and write nothing.
            update: a copy in the target that is the same key, and differs only in labels, state and what follows from
                that, is brought up to date; else it is a conflict, for it may have been changed there. Where one of
                the two is destroyed, or that in the target compromised, and the other is not, it is a conflict always.
            delete_source: at the end, if nothing failed or was in conflict, remove each name from the source, unless
                it changed meanwhile.

        Raises:
            ConfigError: there is no such store, or the two are one.
            ReadOnlyStoreError: the target takes no writes, or the source, where it is to be deleted.
            KeyNotFoundError: the source has no such name.
            StoreError: the names cannot be listed.
        """
        source, target = self.open_store(from_), self.open_store(to)
        if source.is_same_place(target):
            raise ConfigError(f"stores {source.name!r} and {target.name!r} are one and the same; name two")
        _ = target.writable  # refused before anything is read
        if delete_source:
            _ = source.writable
        move = _Move(self, source, target, dry_run=dry_run, update=update)
        yield from move.all_of(names)
        if delete_source and not dry_run and move.is_clean:
            yield from move.remove_source()


class _Settled(NamedTuple):
    """What the revisions of a name's versions were when all was compared, as numbers, for there may be millions."""

    source: int
    target: int
    versions: tuple[int, ...]


_UNSETTLED: Final = _Settled(0, 0, ())


class _Step(NamedTuple):
    """What is to be done to a version; `error`: why nothing can be."""

    info: RecordInfo
    outcome: Outcome
    one: Plain | None
    there: Plain | None = None
    error: KeywrightError | None = None


class _Move:
    """One migration."""

    def __init__(
        self, ring: RingBase, source: OpenedStore, target: OpenedStore, *, dry_run: bool, update: bool
    ) -> None:
        self._ring = ring
        self._source = source
        self._target = target
        self._dry_run = dry_run
        self._update = update
        self._settled: dict[str, _Settled] = {}
        self.is_clean = True

    def all_of(self, names: Sequence[str]) -> Iterator[Moved]:
        """Copy until nothing has changed in the source since it was copied."""
        for name in names:
            if not self._source.store.versions(check_name(name)):
                raise KeyNotFoundError(f"store {self._source.name!r} has no key {name}; leave it out")
        for _ in range(1 if self._dry_run else _ROUNDS):
            changed = False
            for name in dict.fromkeys(names) if names else self._source.store.names():
                settled = self._settled.get(name)
                # Of what failed or is in conflict the first account is enough.
                if settled is None or settled.source not in (0, _numbered(self._source.store.versions(name))):
                    changed = True
                    # What stands in the target is our own copy, unless somebody changed it there.
                    again = settled is not None and settled.target == self._in_target(name, settled.versions)
                    yield from self._name(name, again=again)
            if not changed:
                return
        if not self._dry_run:
            self.is_clean = False
            raise ConflictError(
                f"store {self._source.name!r} kept changing while it was copied; run the same command again"
            )

    def remove_source(self) -> Iterator[Moved]:
        """Remove each name from the source that is as it was compared, there and in the target."""
        for name, settled in self._settled.items():
            if settled is _UNSETTLED:
                continue  # it was taken away meanwhile by somebody else
            try:
                yield self._removed(name, settled)
            except KeywrightError as error:
                yield Moved(name, "kept", error)

    def _removed(self, name: str, settled: _Settled) -> Moved:
        infos = self._source.store.versions(name)
        kept = [plain(self._source, info) for info in infos]
        if (_numbered(infos), self._in_target(name, settled.versions)) != (settled.source, settled.target):
            raise ConflictError(f"{name} changed after it was copied, so it stays; run the same command again")
        expected = [info.revision for info in infos]
        self._perform("remove", self._source, infos[-1], lambda: self._source.writable.remove(name, expected=expected))
        if self._in_target(name, settled.versions) != settled.target:
            # Somebody took it away there at the same moment, or the two stores are one under two names.
            for one in reversed(kept):
                copy(one, self._source)
            raise ConflictError(f"{name} is no more in store {self._target.name!r}, so it was put back; look into both")
        return Moved(name, "removed")

    def _name(self, name: str, *, again: bool) -> Iterator[Moved]:
        """Copy the versions of a name, the newest first; if one is in conflict, none of it."""
        self._settled[name] = _UNSETTLED
        try:
            infos = self._source.store.versions(name)
            steps = self._planned(infos, again=again)
        except KeywrightError as error:
            yield self._refused(name, error)
            return
        is_whole = bool(infos)
        stopped: KeywrightError | None = next((one.error for one in steps if _is_conflict(one.error)), None)
        revisions: dict[int, Revision] = {}
        for step in steps:
            moved = self._done(step, stopped, revisions)
            is_whole = is_whole and moved.error is None
            # An older version alone would sign in the target, where it is superseded in the source.
            stopped = stopped or moved.error
            # What was copied before, and is as it was, was told then.
            if not again or moved.outcome != "identical":
                yield moved
        if is_whole and not self._dry_run:
            compared = _number_of(sorted(revisions.items()))
            self._settled[name] = _Settled(_numbered(infos), compared, tuple(sorted(revisions)))

    def _planned(self, infos: Sequence[RecordInfo], *, again: bool) -> list[_Step]:
        there = self._target.store.versions(infos[0].name) if infos else ()
        return [self._step(info, infos, there, again=again) for info in reversed(infos)]

    def _step(
        self, info: RecordInfo, infos: Sequence[RecordInfo], there: Sequence[RecordInfo], *, again: bool
    ) -> _Step:
        """What is to be done to a version, or why nothing can be."""
        try:
            one = plain(self._source, info)
            found = found_in(self._target, info.name, info.version)
            if found is None:
                self._check_room(one, infos, there)
                return _Step(info, "copied", one)
            if one.same(found):
                return _Step(info, "identical", one, found)
            is_ours = again or (self._update and _is_no_end(one, found))
            if not (is_ours and differs_in_its_keeping(one, found)):
                raise self._conflict(one, found)
        except KeywrightError as error:
            return _Step(info, "conflict" if _is_conflict(error) else "failed", None, None, error)
        return _Step(info, "updated", one, found)

    def _done(self, step: _Step, stopped: KeywrightError | None, revisions: dict[int, Revision]) -> Moved:
        """Do it; `revisions` gets the version's in the target, as it was compared."""
        reference = step.info.reference
        if step.error is not None:
            return self._refused(reference, step.error)
        if step.there is not None:
            revisions[step.info.version] = step.there.revision
        if step.one is None or step.outcome == "identical":
            return Moved(reference, step.outcome)
        if stopped is not None:
            return self._refused(reference, _left_out(reference, stopped))
        try:
            revisions[step.info.version] = self._write(step.one, step.there)
        except KeywrightError as error:
            return self._refused(reference, error)
        return Moved(reference, step.outcome)

    def _write(self, one: Plain, there: Plain | None) -> Revision:
        if self._dry_run:
            return Revision("")
        action = partial(copy, one, self._target) if there is None else partial(replace_copy, one, self._target, there)
        return self._perform("migrate", self._target, one.info, action, bits=one.bits)

    def _refused(self, reference: str, error: KeywrightError) -> Moved:
        self.is_clean = False
        return Moved(reference, "conflict" if _is_conflict(error) else "failed", error)

    def _check_room(self, one: Plain, infos: Sequence[RecordInfo], there: Sequence[RecordInfo]) -> None:
        """Refuse what would mix two keys of one name, or give two versions one kid."""
        versions = {info.version for info in infos}
        for other in there:
            if other.kid == one.info.kid:
                raise KeyExistsError(
                    f"store {self._target.name!r} has the kid of {one.info.reference} already, on version "
                    f"{other.version}; nothing was written"
                )
            if other.version not in versions:
                raise KeyExistsError(
                    f"store {self._target.name!r} has {other.reference}, which the source has not, and no "
                    f"{one.info.reference}: this is another key of that name; rename or remove one"
                )

    def _conflict(self, one: Plain, there: Plain) -> ConflictError:
        subject = f"{one.info.reference} in store {self._target.name!r}"
        if differs_in_its_keeping(one, there) and not _is_no_end(one, there):
            return ConflictError(
                f"{subject} is {there.info.state.value}, and in store {self._source.name!r} it is "
                f"{one.info.state.value}, which no migration settles; bring the one to the state of the other by hand"
            )
        if differs_in_its_keeping(one, there):
            return ConflictError(f"{subject} has other labels or another state; say --update to let the source win")
        return ConflictError(f"{subject} is another key; decide which one counts, and rename or remove the other")

    def _perform(
        self,
        operation: Literal["migrate", "remove"],
        opened: OpenedStore,
        info: RecordInfo,
        action: Callable[[], _T],
        *,
        bits: int | None = None,
    ) -> _T:
        ring = self._ring
        return ring._perform(lambda: describe(operation, opened, info, ring.now(), bits), action)  # noqa: SLF001  (its own part)

    def _in_target(self, name: str, versions: Sequence[int]) -> int:
        return _numbered([info for info in self._target.store.versions(name) if info.version in versions])


def _is_no_end(one: Plain, there: Plain) -> bool:
    """Whether `update` may bring the state there: nothing is destroyed by it, nothing that is for good taken back."""
    states = (one.info.state, there.info.state)
    return states[0] is states[1] or (State.DESTROYED not in states and there.info.state is not State.COMPROMISED)


def _is_conflict(error: KeywrightError | None) -> bool:
    return isinstance(error, ConflictError | KeyExistsError)


def _left_out(reference: str, stopped: KeywrightError) -> KeywrightError:
    if _is_conflict(stopped):
        return ConflictError(f"{reference} is left out, for another version of the name is in conflict; settle that")
    return StoreUnavailableError(f"{reference} is left out, for a newer version could not be copied; mend that first")


def _numbered(infos: Sequence[RecordInfo]) -> int:
    return _number_of([(info.version, info.revision) for info in infos])


def _number_of(revisions: Sequence[tuple[int, Revision]]) -> int:
    """Versions and their revisions, as a number that is not 0."""
    return hash(tuple(revisions)) or 1
