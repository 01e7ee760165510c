"""What a migration has to do to each version of a name, found out before anything of that name is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from keywright.config.layers import dotted
from keywright.errors import ConflictError, KeyExistsError, KeywrightError
from keywright.records import RecordInfo, Revision, State
from keywright.ring.copying import (
    Plain,
    check_held,
    copy,
    differs_in_its_keeping,
    found_in,
    is_one_key,
    plain,
    record_for,
    replace_copy,
)
from keywright.ring.migration import Migration, Outcome, is_conflict
from keywright.ring.opened import OpenedStore

__all__ = ["Step", "find_again", "find_steps"]


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
