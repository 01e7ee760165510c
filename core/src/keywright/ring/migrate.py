"""Migration: the versions of one store are copied to another, compared, and removed from the source if asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeVar

from keywright.config.paths import dotted
from keywright.errors import (
    ConfigError,
    ConflictError,
    DamagedStoreError,
    KeyExistsError,
    KeyNotFoundError,
    KeywrightError,
    ReadOnlyStoreError,
    StoreUnavailableError,
    UnsupportedOperationError,
)
from keywright.names import check_name
from keywright.record import Record, RecordInfo, Revision, State
from keywright.ring.context import RingBase
from keywright.ring.operations import describe
from keywright.ring.stores import BACKEND as CHAIN
from keywright.ring.stores import OpenedStore
from keywright.settings import Given

if TYPE_CHECKING:
    from keywright.secret import Secret


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
            if ring.plugins.listens:
                ring.plugins.review(describe(operation, opened, info, ring.now(), bits, dry_run=True))
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


class Plain(NamedTuple):
    """A version as no store has it: without revision and seal.

    Attributes:
        info: its metadata, complete.
        payload: the format's own bytes; None as in `Record`.
        revision: the revision in the store that it was read from.
        bits: the size of the key as its type counts it; None of one of which nothing is left.
    """

    info: RecordInfo
    payload: Secret | None
    revision: Revision
    bits: int | None = None

    def same(self, other: Plain) -> bool:
        """Whether the two are one version, whatever stores they come from."""
        return self.info == other.info and self.payload == other.payload


def plain(opened: OpenedStore, info: RecordInfo) -> Plain:
    """Read a version, and check that it is what it says, as whoever uses it would.

    Raises:
        UnsupportedOperationError: its secret half never leaves the store.
        SealError, DamagedStoreError, FormatError, UnknownPluginError: as `OpenedStore.load`.
        KeyNotFoundError: it is gone meanwhile.
    """
    record = opened.store.get(info.name, info.version)
    key = opened.unpack(record)
    if opened.signing is not None and record.payload is None and record.info.state is not State.DESTROYED:
        raise UnsupportedOperationError(
            f"the secret half of {info.reference} never leaves store {opened.name!r}; rotate it into the other one"
        )
    complete = opened.described(record.info)
    # As the format writes it: a store without metadata may hold another spelling, which others would not take back.
    payload = None if key.secret is None else opened.encoded(key, complete)
    info = replace(complete, revision=Revision(""))
    return Plain(info, payload, record.info.revision, opened.bits(key))


def found_in(opened: OpenedStore, name: str, version: int) -> Plain | None:
    """The same version in a store, if it is there. Raises: as `plain`."""
    try:
        return plain(opened, RecordInfo(name=name, version=version))
    except KeyNotFoundError:
        return None


def check_held(one: Plain, target: OpenedStore) -> None:
    """Refuse what a store of this kind would not give back as it got it, before anything is written.

    Raises:
        UnsupportedOperationError: it keeps keys inside, and this is one that is not destroyed; or it keeps no
            metadata, and there are some.
    """
    reference, store = one.info.reference, target.name
    if target.capabilities.signing and one.info.state is not State.DESTROYED:
        raise UnsupportedOperationError(
            f"store {store!r} keeps its keys inside and gives none back, so a copy of {reference} could not be "
            "compared; make another key there with generate"
        )
    if not target.capabilities.metadata and (one.payload is None or one.info != _bare(one.info)):
        raise UnsupportedOperationError(
            f"store {store!r} keeps payloads alone, so the metadata of {reference} would be lost; name a store that "
            "keeps metadata"
        )


def record_for(one: Plain, target: OpenedStore) -> Record:
    """What `copy` writes there, sealed if the store has a seal. Raises: SealError, as `OpenedStore.record_of`."""
    return target.record_of(one.info, one.payload)


def copy(one: Plain, target: OpenedStore, record: Record) -> Revision:
    """Add a version, read it back and compare. `record` is that of `record_for`. Returns its revision there.

    Raises:
        KeyExistsError: it is there already.
        ConflictError: it changed there before it was read back.
        UnsupportedOperationError: the store cannot hold it.
        StoreError, SealError: the store or its seal refused or failed.
    """
    written = target.writable.create(record)
    return _compared(one, target, written.revision)


def replace_copy(one: Plain, target: OpenedStore, old: Plain) -> Revision:
    """Bring a copy up to date that differs in its keeping alone; read it back and compare.

    Raises: as `copy`, and ConflictError: it changed there meanwhile.
    """
    record = target.store.get(one.info.name, one.info.version)
    payload = None if one.info.state is State.DESTROYED else record.payload
    written = target.writable.update(Record(replace(one.info, revision=old.revision), payload), expected=old.revision)
    return _compared(one, target, written.revision)


def differs_in_its_keeping(one: Plain, other: Plain) -> bool:
    """Whether the two are one key, and differ only in what a keeper changes: labels, state, and times that follow."""
    kept = other.info
    moved = replace(
        one.info,
        labels=kept.labels,
        state=kept.state,
        state_since=kept.state_since,
        reason=kept.reason,
        activates=kept.activates,
    )
    ended = State.DESTROYED in (one.info.state, kept.state)
    return moved == kept and (one.payload == other.payload or ended)


def is_one_key(one: Plain, other: Plain) -> bool:
    """Whether the two are one key, whatever is written beside it."""
    first, second = one.info, other.info
    halves = (first.key_type, first.kid, first.public) == (second.key_type, second.kid, second.public)
    return halves and one.payload is not None and one.payload == other.payload


def _bare(info: RecordInfo) -> RecordInfo:
    """What is told of it by a store without metadata: what its payload says."""
    return RecordInfo(
        name=info.name,
        version=info.version,
        key_type=info.key_type,
        format=info.format,
        kid=info.kid,
        public=info.public,
        attributes=info.attributes,
    )


def _compared(one: Plain, target: OpenedStore, revision: Revision) -> Revision:
    back = plain(target, one.info)
    if not one.same(back):
        if back.revision != revision:
            raise ConflictError(f"{one.info.reference} changed in store {target.name!r} meanwhile; look at it again")
        raise DamagedStoreError(
            f"{one.info.reference} came back from store {target.name!r} as another than was written; it was not moved"
        )
    return revision


class Step(NamedTuple):
    """What is to be done to a version.

    Attributes:
        info: the version in the source.
        outcome: what will have become of it.
        one: the version as it was read.
        there: the revision of the copy in the target, if there is one.
        write: brings it there, reads it back and compares; returns its revision there. None: nothing is to be written.
        error: why nothing can be done.
        bars: for that reason nothing of the whole name is to be written.
    """

    info: RecordInfo
    outcome: Outcome
    one: Plain | None = None
    there: Revision | None = None
    write: Callable[[], Revision] | None = None
    error: KeywrightError | None = None
    bars: bool = False


def find_steps(migration: Migration, infos: Sequence[RecordInfo], *, again: bool, update: bool) -> list[Step]:
    """The steps for all versions of a name, the newest first. `again`: what is in the target is our own copy.

    Raises:
        StoreError: the target cannot be read.
    """
    there = migration.target.store.versions(infos[0].name) if infos else ()
    return [_step(migration, info, infos, there, again=again, update=update) for info in reversed(infos)]


def find_again(migration: Migration, info: RecordInfo, *, again: bool, update: bool) -> Step:
    """The step for a version that somebody else wrote there meanwhile: nothing is left to be done, or why not."""
    target = migration.target
    try:
        one, found = plain(migration.source, info), found_in(target, info.name, info.version)
        if found is not None and one.same(found):
            return Step(info, "identical", one, found.revision)
        is_ours = again or update
        if found is None or (is_ours and differs_in_its_keeping(one, found)):
            raise ConflictError(
                f"{info.reference} changed in store {target.name!r} while it was copied; run the same command again"
            )
        raise _conflict(migration, one, found)
    except KeywrightError as error:
        return Step(info, "conflict" if is_conflict(error) else "failed", error=error)


def _step(
    migration: Migration,
    info: RecordInfo,
    infos: Sequence[RecordInfo],
    there: Sequence[RecordInfo],
    *,
    again: bool,
    update: bool,
) -> Step:
    target = migration.target
    try:
        one = plain(migration.source, info)
    except KeywrightError as error:
        return Step(info, "failed", error=error)
    try:
        check_held(one, target)
        found = found_in(target, info.name, info.version)
        if found is None:
            _check_room(one, target, infos, there)
            return Step(info, "copied", one, write=partial(copy, one, target, record_for(one, target)))
        if one.same(found):
            return Step(info, "identical", one, found.revision)
        is_ours = again or (update and _is_no_end(one, found))
        if not (is_ours and differs_in_its_keeping(one, found)):
            raise _conflict(migration, one, found)
    except KeywrightError as error:
        return Step(info, "conflict" if is_conflict(error) else "failed", error=error, bars=True)
    return Step(info, "updated", one, found.revision, partial(replace_copy, one, target, found))


def _check_room(one: Plain, target: OpenedStore, infos: Sequence[RecordInfo], there: Sequence[RecordInfo]) -> None:
    """Refuse what would mix two keys of one name, or give two versions one kid."""
    versions = {info.version for info in infos}
    for other in there:
        if other.kid == one.info.kid:
            raise KeyExistsError(
                f"store {target.name!r} has the kid of {one.info.reference} already, on version {other.version}; "
                f"{_decide(one.info)}"
            )
        if other.version not in versions:
            raise KeyExistsError(
                f"store {target.name!r} has {other.reference}, which the source has not, and no "
                f"{one.info.reference}, so this is another key of that name; {_decide(one.info)}"
            )


def _conflict(migration: Migration, one: Plain, there: Plain) -> ConflictError:
    source, target = migration.source.name, migration.target.name
    subject = f"{one.info.reference} in store {target!r}"
    if differs_in_its_keeping(one, there) and not _is_no_end(one, there):
        behind = target if one.info.state is State.DESTROYED else source
        command = "compromise" if there.info.state is State.COMPROMISED and behind == source else "destroy"
        return ConflictError(
            f"{subject} is {there.info.state.value}, and in store {source!r} it is {one.info.state.value}, which no "
            f"migration settles; to have it so in both, run `keywright --store {behind} {command} "
            f"{one.info.reference}`, and then the same command with --update"
        )
    if differs_in_its_keeping(one, there):
        return ConflictError(f"{subject} has other labels or another state; say --update to let the source win")
    if is_one_key(one, there):
        return ConflictError(
            f"{subject} is the same key with another time of creation or end, as if imported twice; {_decide(one.info)}"
        )
    return ConflictError(f"{subject} is another key; {_decide(one.info)}")


def _decide(info: RecordInfo) -> str:
    return (
        f"leave both where they are, set {dotted('keys', info.name)}.store to the store whose key counts, and migrate "
        "the other names by naming them"
    )


def _is_no_end(one: Plain, there: Plain) -> bool:
    """Whether `update` may bring the state there: nothing is destroyed by it, nothing that is for good taken back."""
    states = (one.info.state, there.info.state)
    return states[0] is states[1] or (State.DESTROYED not in states and there.info.state is not State.COMPROMISED)


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


def remove_source(migration: Migration, settled: Iterable[tuple[str, Settled]]) -> Iterator[Moved]:
    """Remove each name from the source that is as it was compared, there and in the target; or say that it would be."""
    for name, compared in settled:
        try:
            if migration.dry_run:
                yield _rehearsed(migration, name, compared)
            else:
                yield _removed(migration, name, compared)
        except KeywrightError as error:
            # What another migration took away meanwhile is where it belongs.
            if not _is_moved(migration, name, compared):
                yield Moved(name, "kept", error)


def _rehearsed(migration: Migration, name: str, compared: Settled) -> Moved:
    infos = migration.source.store.versions(name)
    if numbered(infos) != compared.source:
        raise _changed(name)
    migration.perform("remove", migration.source, infos[-1], lambda: None)
    return Moved(name, "removed")


def _removed(migration: Migration, name: str, compared: Settled) -> Moved:
    source, target = migration.source, migration.target
    infos = source.store.versions(name)
    kept = [plain(source, info) for info in infos]
    if (numbered(infos), migration.in_target(name, compared.versions)) != (compared.source, compared.target):
        raise _changed(name)
    expected = [info.revision for info in infos]
    migration.perform("remove", source, infos[-1], lambda: source.writable.remove(name, expected=expected))
    if migration.in_target(name, compared.versions) != compared.target:
        # Somebody took it away there at the same moment, or the two stores are one under two names.
        for one in reversed(kept):
            with suppress(KeyExistsError):  # it is back already
                copy(one, source, record_for(one, source))
        raise ConflictError(f"{name} is no more in store {target.name!r}, so it was put back; look into both")
    return Moved(name, "removed")


def _is_moved(migration: Migration, name: str, compared: Settled) -> bool:
    try:
        gone = not migration.source.store.versions(name)
        return gone and migration.in_target(name, compared.versions) == compared.target
    except KeywrightError:
        return False


def _changed(name: str) -> ConflictError:
    return ConflictError(f"{name} changed after it was copied, so it stays; run the same command again")


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
        in_use: bool = False,
    ) -> Iterator[Moved]:
        """Copy all versions of these names, or of all names, from one configured store to another.

        States, times, labels and tombstones go along; a version is read back and compared before it counts. The newest
        goes first, so that the target never signs with an older one meanwhile; of a name that is in conflict, or that
        the target cannot hold, nothing is copied, and nothing older than a version that failed. Interrupted anywhere,
        the same call finishes it. What changes in the source while it works is copied again until nothing changes any
        more.

        Args:
            from_: the name of a configured store.
            to: the name of another.
            dry_run: say what would be done, and write nothing. Reviewers are asked, with `dry_run` set.
            update: a copy in the target that is the same key, and differs only in labels, state and what follows from
                that, is brought up to date; else it is a conflict, for it may have been changed there. Where one of
                the two is destroyed, or that in the target compromised, and the other is not, it is a conflict always.
            delete_source: at the end, if nothing failed or was in conflict, remove each name from the source, unless
                it changed meanwhile.
            in_use: remove it even though this ring looks for the name there, and would find it no more.

        Raises:
            ConfigError: there is no such store, or the two are one; or the source is to be deleted, and the target
                forgets all when the process ends, or the configuration points a name at the source (see `in_use`); or
                `in_use` was said without that.
            ReadOnlyStoreError: the target takes no writes, or the source, where it is to be deleted.
            KeyNotFoundError: the source has no such name.
            StoreError: the names cannot be listed.
            ConflictError: the source kept changing, so that not all of it could be copied.
        """
        if in_use and not delete_source:
            raise ConfigError("in_use is about removing from the source; say --delete-source, or leave out --in-use")
        source, target = self.open_store(from_), self.open_store(to)
        if source.is_same_place(target):
            raise ConfigError(f"stores {source.name!r} and {target.name!r} are one and the same; name two")
        _check_writable(source, target, delete_source=delete_source)
        if delete_source and source.capabilities.persistent and not target.capabilities.persistent:
            raise ConfigError(
                f"store {target.name!r} forgets all when the process ends, so what is removed from store "
                f"{source.name!r} would be lost; leave out --delete-source, or name another store with --to"
            )
        for name in names:
            _check_there(source, target, check_name(name))
        if delete_source and not in_use:
            self._check_unused(names, source, target)
        migration = Migration(self, source, target, dry_run)
        rounds = Rounds(migration, update=update)
        yield from rounds.all_of(names)
        if delete_source and rounds.is_clean:
            yield from remove_source(migration, rounds.settled())

    def _check_unused(self, names: Sequence[str], source: OpenedStore, target: OpenedStore) -> None:
        for name in names or source.store.names():
            setting = self._pointing(name, source.name, target.name)
            if setting is not None:
                raise setting.error(
                    f"points {name} at store {source.name!r}, where it is to be removed, and not at {target.name!r}; "
                    "change that first, or say --in-use"
                )

    def _pointing(self, name: str, source: str, target: str) -> Given | None:
        """The setting by which a name is looked for in the source and not in the target, if there is one."""
        table = self._table(None, name)
        if table.backend == CHAIN:
            stores = self._chain(table).stores
            if source in stores and target not in stores:
                return table.given["stores"]
            # It would still be found, and nothing could be done to it any more: a chain writes to one store.
            write_to = table.given.get("write_to")
            return write_to if write_to is not None and write_to.value == source else None
        if table.name != source:
            return None
        if self._store is not None:
            return Given(self._store, "store", "argument", "")
        # In `given` the settings that are in no table come first.
        default = (one for one in self.config.given if one.path.rpartition(".")[2] == "default_store")
        return self.config.key(name).given.get("store") or next(default)


def _check_writable(source: OpenedStore, target: OpenedStore, *, delete_source: bool) -> None:
    """Refuse what takes no writes, before anything is read."""
    if not target.capabilities.writable:
        raise ReadOnlyStoreError(
            f"store {target.name!r} is read-only, so nothing can be copied into it; name another one with --to"
        )
    if delete_source and not source.capabilities.writable:
        raise ReadOnlyStoreError(
            f"store {source.name!r} is read-only, so nothing can be removed from it; leave out --delete-source"
        )
    _ = target.store  # what cannot be opened is told first, too


def _check_there(source: OpenedStore, target: OpenedStore, name: str) -> None:
    if source.store.versions(name):
        return
    if target.store.versions(name):
        raise KeyNotFoundError(
            f"store {source.name!r} has no key {name}, and store {target.name!r} has it; leave it out, or exchange "
            "--from and --to if they are mixed up"
        )
    raise KeyNotFoundError(f"store {source.name!r} has no key {name}; leave it out")
