"""Migration: the versions of a store are copied to another, compared, and removed from the source if asked for.

Names are copied in rounds until the source no longer changes. Of each name every version is planned first: it is
`identical` in the target, is to be `copied` or `updated` there, or is in `conflict` or has `failed` with an error. A
conflict, or a version that the target cannot store, bars the whole name. The steps are then done from the newest
version to the oldest; the first that fails stops the older ones. If every version of every name was compared in the
target, and the source is to be emptied, each name is at last `removed` from it, or `kept` if it changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeVar

from keywright.config.layers import dotted
from keywright.errors import (
    ConfigError,
    ConflictError,
    CorruptedStoreError,
    KeyExistsError,
    KeyNotFoundError,
    KeywrightError,
    ReadOnlyStoreError,
    StoreUnavailableError,
    UnsupportedOperationError,
)
from keywright.keys import check_name
from keywright.records import Record, RecordInfo, Revision, State
from keywright.ring.stores import CHAIN
from keywright.settings.model import RawValue

if TYPE_CHECKING:
    from keywright.ring.context import RingContext
    from keywright.ring.stores import OpenStore
    from keywright.secret import Secret

Outcome = Literal["copied", "updated", "identical", "conflict", "failed", "removed", "kept"]

_T = TypeVar("_T")
_ROUNDS: Final = 20


class MigrationResult(NamedTuple):
    """The result for a version, or at the end for a whole name.

    Attributes:
        reference: `NAME@N`; of a whole name `NAME`.
        outcome: of a version `copied`, `updated` (the copy that existed), `identical` (nothing was to be done),
            `conflict` (the target has another version there), `failed`; of a name `removed` from or `kept` in the
            source. In a dry run: the outcome that it would have.
        error: why it was not copied or removed.
        unsealed: its secret is sealed in the source, and is stored as it is in the target, which has no seal.
    """

    reference: str
    outcome: Outcome
    error: KeywrightError | None = None
    unsealed: bool = False


def migrate(
    context: RingContext,
    names: Sequence[str],
    *,
    from_: str,
    to: str,
    dry_run: bool,
    update: bool,
    delete_source: bool,
    allow_referenced: bool,
) -> Iterator[MigrationResult]:
    """`KeyRing.migrate`."""
    if allow_referenced and not delete_source:
        raise ConfigError(
            "allow_referenced is about removing from the source",
            hint="pass --delete-source, or leave out --allow-referenced",
        )
    source, target = context.stores.get(from_), context.stores.get(to)
    if source.is_same_place(target):
        raise ConfigError(
            f"stores {source.name!r} and {target.name!r} have the same location",
            hint="pass different stores with --from and --to",
        )
    # Before anything is read.
    if not target.capabilities.writable:
        raise ReadOnlyStoreError(
            f"store {target.name!r} is read-only, so nothing can be copied into it", hint="name another one with --to"
        )
    if delete_source and not source.capabilities.writable:
        raise ReadOnlyStoreError(
            f"store {source.name!r} is read-only, so nothing can be removed from it", hint="leave out --delete-source"
        )
    _ = target.store  # a store that cannot be opened is reported first, too
    if delete_source and source.capabilities.persistent and not target.capabilities.persistent:
        raise ConfigError(
            f"store {target.name!r} is in memory only, so keys removed from store {source.name!r} would be lost",
            hint="leave out --delete-source, or name another store with --to",
        )
    for name in names:
        _check_exists(source, target, check_name(name))
    if delete_source and not allow_referenced:
        for name in names or source.names():
            _check_unused(context, name, source.name, target.name)
    migrator = Migrator(context, source, target, dry_run=dry_run, update=update)
    yield from migrator.copy_all(names)
    if delete_source and migrator.is_clean:
        yield from migrator.remove_all()


def _check_exists(source: OpenStore, target: OpenStore, name: str) -> None:
    if source.store.versions(name):
        return
    if target.store.versions(name):
        raise KeyNotFoundError(
            f"store {source.name!r} has no key {name}, and store {target.name!r} has it",
            hint="leave it out, or exchange --from and --to if they are mixed up",
        )
    raise KeyNotFoundError(f"store {source.name!r} has no key {name}", hint="leave it out")


def _check_unused(context: RingContext, name: str, source: str, target: str) -> None:
    """Refuse to remove a name that the ring looks for in the source, and would not find in the target."""
    setting = _setting_of_source(context, name, source, target)
    if setting is not None:
        raise setting.error(
            f"points {name} at store {source!r}, where it is to be removed, and not at {target!r}",
            hint=f"set it to {target!r} first, or pass --allow-referenced",
        )


def _setting_of_source(context: RingContext, name: str, source: str, target: str) -> RawValue | None:
    """The setting by which a name is looked for in the source and not in the target, if there is one."""
    table = context.stores.table(None, name)
    if table.backend == CHAIN:
        stores = context.stores.chain(table).stores
        if source in stores and target not in stores:
            return table.given["stores"]
        # It would still be found, and could not be changed any more: a chain writes to one store.
        write_to = table.given.get("write_to")
        return write_to if write_to is not None and write_to.value == source else None
    if table.name != source:
        return None
    if context.stores.default is not None:
        return RawValue(context.stores.default, "store", "argument", "")
    # The first one that is found is in no table: `given` starts with those.
    default = (one for one in context.config.given if one.path.rpartition(".")[2] == "default_store")
    return context.config.key(name).given.get("store") or next(default)


class NameState(Enum):
    """What a migration knows of a name."""

    NEW = "it was not looked at yet"
    LEFT = "a version failed or is in conflict, which was reported, or the name is gone: nothing more is done to it"
    COPIED = "each of its versions is in the target, as the source had it"


class Progress(NamedTuple):
    """The progress of one name. Of revisions only hashes are kept, for there may be millions of names.

    Attributes:
        state: how far it came; the others are of a name that is `COPIED`.
        versions: the numbers of its versions.
        source, target: the revisions of these versions in each store, when all of them were compared, hashed.
    """

    state: NameState
    versions: tuple[int, ...] = ()
    source: int = 0
    target: int = 0


_NEW: Final = Progress(NameState.NEW)


def _hash_infos(infos: Iterable[RecordInfo]) -> int:
    return hash(tuple((info.version, info.revision) for info in infos))


class Step(NamedTuple):
    """What is to be done to a version, or was.

    Attributes:
        info: the version in the source.
        outcome: the result, once the step is done.
        revision: the revision of the copy in the target, if there is one.
        write: copies the version, reads it back and compares; returns its revision there, and None in a dry run. None:
            nothing is to be written.
        is_unsealed: as `MigrationResult.unsealed`.
        error: why nothing can be done.
        bars: for that reason nothing of the whole name is to be written.
    """

    info: RecordInfo
    outcome: Outcome
    revision: Revision | None = None
    write: Callable[[], Revision | None] | None = None
    is_unsealed: bool = False
    error: KeywrightError | None = None
    bars: bool = False

    def failed(self, error: KeywrightError, *, bars: bool = False) -> Step:
        """The step, if this prevents it."""
        return Step(self.info, _outcome_of(error), error=error, bars=bars)


class Migrator:
    """Copies names until nothing changes in the source, then removes them there. In a dry run it only reports.

    Attributes:
        is_clean: nothing failed or was in conflict so far.
    """

    def __init__(
        self, context: RingContext, source: OpenStore, target: OpenStore, *, dry_run: bool, update: bool
    ) -> None:
        """As for `KeyRing.migrate`."""
        self._operations = context.operations
        self._source = source
        self._target = target
        self._dry_run = dry_run
        self._update = update
        self._progress: dict[str, Progress] = {}
        self.is_clean = True

    def copy_all(self, names: Sequence[str]) -> Iterator[MigrationResult]:
        """Copy these names, or all of them, the newest version first.

        Raises:
            ConflictError: the source kept changing.
            StoreError: the names cannot be listed.
        """
        for _ in range(1 if self._dry_run else _ROUNDS):
            has_changed = False
            for name in dict.fromkeys(names) if names else self._source.names():
                before = self._progress.get(name, _NEW)
                if before.state is NameState.NEW or self._has_changed(name, before):
                    has_changed = True
                    yield from self._copy_name(name, before)
            if not has_changed:
                return
        if not self._dry_run:
            self.is_clean = False
            raise ConflictError(
                f"store {self._source.name!r} kept changing while it was copied", hint="run the same command again"
            )

    def remove_all(self) -> Iterator[MigrationResult]:
        """Remove each name from the source that has not changed since it was compared, there and in the target."""
        for name, compared in self._progress.items():
            if compared.state is not NameState.COPIED:
                continue  # another process removed it from the source meanwhile
            try:
                self._remove_name(name, compared)
            except KeywrightError as error:
                # Another migration may have removed it meanwhile, which is not an error.
                if not self._is_moved(name, compared):
                    yield MigrationResult(name, "kept", error)
            else:
                yield MigrationResult(name, "removed")

    def _run(
        self,
        operation: Literal["migrate", "remove"],
        opened: OpenStore,
        info: RecordInfo,
        action: Callable[[], _T],
        *,
        bits: int | None = None,
    ) -> _T | None:
        """Run an operation; in a dry run only the reviewers are asked, and None is returned."""
        request = partial(self._operations.describe, operation, opened, info, bits=bits, dry_run=self._dry_run)
        if self._dry_run:
            self._operations.rehearse(request)
            return None
        return self._operations.run(request, action)

    def _has_changed(self, name: str, before: Progress) -> bool:
        return before.state is NameState.COPIED and before.source != _hash_infos(self._source.store.versions(name))

    def _is_unchanged_in_target(self, name: str, before: Progress) -> bool:
        """Whether the versions that were copied are in the target as they were compared."""
        infos = self._target.store.versions(name)
        return before.target == _hash_infos(info for info in infos if info.version in before.versions)

    # Copying

    def _copy_name(self, name: str, before: Progress) -> Iterator[MigrationResult]:
        """Copy the versions of a name, the newest first; if the target cannot take one of them, none."""
        # What is in the target is our own copy, unless it was changed there.
        is_ours = before.state is NameState.COPIED and self._is_unchanged_in_target(name, before)
        self._progress[name] = Progress(NameState.LEFT)
        try:
            infos = self._source.store.versions(name)
            there = self._target.store.versions(name) if infos else ()
            steps = [self._plan(info, infos, there, is_ours=is_ours) for info in reversed(infos)]
            # Another migration may have removed it meanwhile.
            is_gone = any(isinstance(step.error, KeyNotFoundError) for step in steps)
            if not infos or (is_gone and not self._source.store.versions(name)):
                return
        except KeywrightError as error:
            self.is_clean = False
            yield MigrationResult(name, _outcome_of(error), error)
            return
        stopped = next((step.error for step in steps if step.bars), None)
        is_barred = stopped is not None
        revisions: dict[int, Revision | None] = {}
        for planned in steps:
            step = planned
            if planned.write is not None:
                if stopped is None:
                    step = self._write(planned, planned.write, is_ours=is_ours)
                else:
                    step = self._left_out(planned, stopped, is_barred=is_barred)
            # An older version alone would sign in the target, where it is superseded in the source.
            stopped = stopped or step.error
            revisions[step.info.version] = step.revision
            # What was copied before, and has not changed, was reported then.
            if not is_ours or step.outcome != "identical":
                yield MigrationResult(step.info.reference, step.outcome, step.error, step.is_unsealed)
        if stopped is not None:
            self.is_clean = False
            return
        copies = sorted(revisions.items())
        self._progress[name] = Progress(
            NameState.COPIED, tuple(sorted(revisions)), _hash_infos(infos), hash(tuple(copies))
        )

    def _plan(
        self, info: RecordInfo, infos: Sequence[RecordInfo], in_target: Sequence[RecordInfo], *, is_ours: bool
    ) -> Step:
        """The step for a version of `infos`; `in_target` is what the target has of the name."""
        target, step = self._target, Step(info, "identical")
        try:
            version = _read(self._source, info)
        except KeywrightError as error:
            return step.failed(error)
        is_unsealed = version.payload is not None and self._source.seal.name is not None and target.seal.name is None
        copy: PlainVersion | None = None
        try:
            _check_supported(version, target)
            with suppress(KeyNotFoundError):
                copy = _read(target, RecordInfo(name=info.name, version=info.version))
            if copy is None:
                _check_room(version, target, infos, in_target)
                write = partial(_add, version, target, target.codec.seal(version.info, version.payload))
            elif version.equals(copy):
                return step._replace(revision=copy.revision, is_unsealed=is_unsealed)
            elif version.differs_in_state(copy) and (is_ours or (self._update and version.may_replace(copy))):
                write = partial(_replace, version, target, copy)
            else:
                raise self._conflict(version, copy)
        except KeywrightError as error:
            return step.failed(error, bars=True)
        reviewed = partial(self._run, "migrate", target, version.info, write, bits=version.bits)
        return Step(info, "copied" if copy is None else "updated", write=reviewed, is_unsealed=is_unsealed)

    def _write(self, step: Step, write: Callable[[], Revision | None], *, is_ours: bool) -> Step:
        """Do a step that writes. Returns it as it was done, or with what prevented it."""
        try:
            return step._replace(revision=write() or Revision(""))
        except (ConflictError, KeyExistsError):
            # Another migration may have copied the same version: then it is identical now.
            again = self._plan(step.info, (), (), is_ours=is_ours)
            if again.write is None:
                return again
            return step.failed(
                ConflictError(
                    f"{step.info.reference} changed in store {self._target.name!r} while it was copied",
                    hint="run the same command again",
                )
            )
        except KeywrightError as error:
            return step.failed(error)

    def _left_out(self, step: Step, stopped: KeywrightError, *, is_barred: bool) -> Step:
        """The step of a version that is not written, because of another one of its name."""
        what = f"{step.info.reference} was not copied, because"
        hint = "resolve that conflict, then run the command again"
        if _outcome_of(stopped) == "conflict":
            return step.failed(ConflictError(f"{what} another version of the name is in conflict", hint=hint))
        if is_barred:
            message = f"{what} store {self._target.name!r} cannot keep another version of the name"
            return step.failed(type(stopped)(message, hint=hint))
        message = f"{what} a newer version could not be copied"
        return step.failed(StoreUnavailableError(message, hint="fix the error of that version first"))

    def _conflict(self, version: PlainVersion, copy: PlainVersion) -> ConflictError:
        source, target, info = self._source.name, self._target.name, version.info
        subject = f"{info.reference} in store {target!r}"
        if not version.differs_in_state(copy):
            what = "the same key with other dates, as if imported twice" if version.is_same_key(copy) else "another key"
            return ConflictError(f"{subject} is {what}", hint=_decide(info))
        if version.may_replace(copy):
            return ConflictError(
                f"{subject} has other labels or another state", hint="pass --update to overwrite it from the source"
            )
        behind = target if info.state is State.DESTROYED else source
        command = "compromise" if copy.info.state is State.COMPROMISED and behind == source else "destroy"
        return ConflictError(
            f"{subject} is {copy.info.state.value}, and in store {source!r} it is {info.state.value}, which no "
            f"migration resolves",
            hint=f"run `keywright --store {behind} {command} {info.reference}`, then this command with --update",
        )

    # Removing

    def _remove_name(self, name: str, compared: Progress) -> None:
        """Remove a name from the source, or rehearse that. Raises: ConflictError, if it is not as it was compared."""
        source, target = self._source, self._target
        infos = source.store.versions(name)
        kept = [] if self._dry_run else [_read(source, info) for info in infos]
        is_changed = _hash_infos(infos) != compared.source
        if is_changed or not (self._dry_run or self._is_unchanged_in_target(name, compared)):
            raise ConflictError(
                f"{name} changed after it was copied, so it was not removed", hint="run the same command again"
            )
        expected = [info.revision for info in infos]
        self._run("remove", source, infos[-1], lambda: source.writable.remove(name, expected))
        if self._dry_run or self._is_unchanged_in_target(name, compared):
            return
        # It was removed there at the same moment, or the two stores are one under two names.
        for version in reversed(kept):
            with suppress(KeyExistsError):  # it exists again already
                _add(version, source, source.codec.seal(version.info, version.payload))
        raise ConflictError(
            f"store {target.name!r} lost {name} meanwhile, so it was restored in the source", hint="compare both stores"
        )

    def _is_moved(self, name: str, compared: Progress) -> bool:
        try:
            return not self._source.store.versions(name) and self._is_unchanged_in_target(name, compared)
        except KeywrightError:
            return False


def _outcome_of(error: KeywrightError) -> Outcome:
    """`conflict` if the target has another version there."""
    return "conflict" if isinstance(error, ConflictError | KeyExistsError) else "failed"


def _decide(info: RecordInfo) -> str:
    return (
        f"leave both where they are, set {dotted('keys', info.name)}.store to the store whose key counts, and migrate "
        "the other names by naming them"
    )


class PlainVersion(NamedTuple):
    """A version as it is independent of its store: without revision and seal.

    Attributes:
        info: its metadata, complete.
        payload: the format's own bytes; None as in `Record`.
        revision: the revision in the store that it was read from.
        bits: the size of the key as its type counts it; None if both halves are gone.
    """

    info: RecordInfo
    payload: Secret | None
    revision: Revision
    bits: int | None = None

    def equals(self, other: PlainVersion) -> bool:
        """Whether the two are one version, in any stores."""
        return self.info == other.info and self.payload == other.payload

    def differs_in_state(self, other: PlainVersion) -> bool:
        """Whether the two are one key, and differ only in labels, state, and times that follow from it."""
        changed = other.info
        moved = self.info.replace(
            labels=changed.labels,
            state=changed.state,
            state_since=changed.state_since,
            reason=changed.reason,
            activates=changed.activates,
        )
        is_destroyed = State.DESTROYED in (self.info.state, changed.state)
        return moved == changed and (self.payload == other.payload or is_destroyed)

    def may_replace(self, there: PlainVersion) -> bool:
        """Whether an update may write the state there: nothing is destroyed, and nothing permanent is taken back."""
        states = (self.info.state, there.info.state)
        return states[0] is states[1] or (State.DESTROYED not in states and there.info.state is not State.COMPROMISED)

    def is_same_key(self, other: PlainVersion) -> bool:
        """Whether the two are one key, with any other metadata."""
        first, second = self.info, other.info
        is_same = (first.key_type, first.kid, first.public) == (second.key_type, second.kid, second.public)
        return is_same and self.payload is not None and self.payload == other.payload


def _read(opened: OpenStore, info: RecordInfo) -> PlainVersion:
    """Read a version, and check that it is what its metadata says, as its users would.

    Raises:
        UnsupportedOperationError: its secret half never leaves the store.
        SealError, CorruptedStoreError, FormatError, UnknownPluginError: as `OpenStore.load`.
        KeyNotFoundError: it was removed meanwhile.
    """
    record = opened.store.get(info.name, info.version)
    key = opened.codec.unpack(record)
    if opened.signing is not None and record.payload is None and record.info.state is not State.DESTROYED:
        raise UnsupportedOperationError(
            f"the secret half of {info.reference} never leaves store {opened.name!r}",
            hint=f"keep it there, or create a new key with `keywright --store NAME generate {info.name}`",
        )
    complete = opened.described(record.info)
    # As the format writes it: a store without metadata may have another spelling, which others would not take back.
    payload = opened.codec.encode(key, complete)
    return PlainVersion(complete.replace(revision=Revision("")), payload, record.info.revision, opened.codec.bits(key))


def _check_supported(one: PlainVersion, target: OpenStore) -> None:
    """Refuse what a store of this kind would not return as it was written, before anything is written.

    Raises:
        UnsupportedOperationError: its keys never leave it, and this one is not destroyed; or it has no metadata, and
            this version has some.
    """
    reference, store = one.info.reference, target.name
    if target.capabilities.keys_stay_inside and one.info.state is not State.DESTROYED:
        raise UnsupportedOperationError(
            f"store {store!r} does not export keys, so a copy of {reference} could not be compared",
            hint="create another key there, with generate",
        )
    if target.capabilities.metadata:
        return
    in_payload = RecordInfo(
        name=one.info.name,
        version=one.info.version,
        key_type=one.info.key_type,
        format=one.info.format,
        kid=one.info.kid,
        public=one.info.public,
        attributes=one.info.attributes,
    )
    if one.payload is None or one.info != in_payload:
        raise UnsupportedOperationError(
            f"store {store!r} keeps no metadata, so that of {reference} would be lost",
            hint="name a store that keeps metadata",
        )


def _check_room(one: PlainVersion, target: OpenStore, infos: Sequence[RecordInfo], there: Sequence[RecordInfo]) -> None:
    """Refuse what would mix two keys of one name, or give two versions one kid."""
    versions = {info.version for info in infos}
    for other in there:
        if other.kid == one.info.kid:
            raise KeyExistsError(
                f"store {target.name!r} has the kid of {one.info.reference} already, on version {other.version}",
                hint=_decide(one.info),
            )
        if other.version not in versions:
            raise KeyExistsError(
                f"store {target.name!r} has {other.reference}, which the source does not have, and no "
                f"{one.info.reference}, so it is another key of that name",
                hint=_decide(one.info),
            )


def _add(one: PlainVersion, target: OpenStore, record: Record) -> Revision:
    """Add a version, read it back and compare. Returns its revision there.

    Raises:
        KeyExistsError: it exists already.
        ConflictError: it changed there before it was read back.
        UnsupportedOperationError: the store cannot store it.
        StoreError, SealError: the store or its seal refused or failed.
    """
    return _compared(one, target, target.writable.create(record).revision)


def _replace(one: PlainVersion, target: OpenStore, old: PlainVersion) -> Revision:
    """Update a copy that differs in its state and labels alone; read it back and compare.

    Raises: as `_add`, and ConflictError: it changed there meanwhile.
    """
    write = target.writable.destroy if one.info.state is State.DESTROYED else target.writable.update_info
    written = write(one.info, old.revision)
    return _compared(one, target, written.revision)


def _compared(one: PlainVersion, target: OpenStore, revision: Revision) -> Revision:
    back = _read(target, one.info)
    if not one.equals(back):
        if back.revision != revision:
            raise ConflictError(
                f"{one.info.reference} changed in store {target.name!r} meanwhile", hint="run the same command again"
            )
        raise CorruptedStoreError(
            f"{one.info.reference} was not read back from store {target.name!r} as it was written",
            hint="run `keywright doctor`, then the same command again",
        )
    return revision
