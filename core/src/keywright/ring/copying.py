"""Copying one version from a store to another: read whole, written, read back and compared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from keywright.errors import ConflictError, DamagedStoreError, KeyNotFoundError, UnsupportedOperationError
from keywright.records import Record, RecordInfo, Revision, State

if TYPE_CHECKING:
    from keywright.ring.opened import OpenedStore
    from keywright.secret import Secret

__all__ = [
    "Plain",
    "check_held",
    "copy",
    "differs_in_its_keeping",
    "found_in",
    "is_one_key",
    "plain",
    "record_for",
    "replace_copy",
]


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
