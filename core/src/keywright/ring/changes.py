"""Changes to stored versions: labels, states, and sealing them again with the current master key (`rewrap`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from keywright import lifecycle
from keywright.errors import ConflictError, KeyNotFoundError, KeywrightError
from keywright.keys import Reference, parse_reference
from keywright.records import RecordInfo, State
from keywright.ring.arguments import check_labels, check_reason, check_reason_fits

if TYPE_CHECKING:
    from keywright.events import Operation, ReviewRequest
    from keywright.protocols import WritableStore
    from keywright.ring.context import RingContext
    from keywright.ring.stores import OpenStore

_RETRIES: Final = 20
_PERMANENT: Final = ("compromise", "destroy")


class RewrapResult(NamedTuple):
    """The result for a version.

    Attributes:
        reference: `NAME@N`; `NAME` if the versions of the name cannot be listed.
        is_changed: it was sealed again; otherwise it had the current master key already, or has no payload.
        error: why it could not be sealed again.
    """

    reference: str
    is_changed: bool
    error: KeywrightError | None = None


def label(context: RingContext, reference: str, labels: Mapping[str, str | None], *, store: str | None) -> RecordInfo:
    """`KeyRing.label`."""

    def relabelled(info: RecordInfo) -> RecordInfo:
        merged = {**info.labels, **labels}
        return info.replace(labels=check_labels({name: text for name, text in merged.items() if text is not None}))

    return _change(context, "label", reference, store, relabelled)


def change_state(
    context: RingContext, operation: Operation, reference: str, state: State, reason: str, store: str | None
) -> RecordInfo:
    """Bring a version into a state. Raises: as `KeyRing.destroy`."""
    check_reason(reason)

    def changed(info: RecordInfo) -> RecordInfo:
        after = lifecycle.change_state(info, state, context.clock(), reason)
        if after is not info:
            check_reason_fits(after.reference, reason, after.reason)
        return after

    return _change(context, operation, reference, store, changed)


def _change(
    context: RingContext,
    operation: Operation,
    reference: str,
    store: str | None,
    change: Callable[[RecordInfo], RecordInfo],
) -> RecordInfo:
    """Read, change and write back one version, again if another process wrote it meanwhile.

    Each attempt is reviewed and observed by itself: what was reviewed before another process wrote is not what is
    written then.
    """
    resolve = context.stores.resolve
    opened, info = resolve(parse_reference(reference), store, or_single=True, only_single=operation in _PERMANENT)
    for _ in range(_RETRIES):
        try:
            return _attempt(context, operation, opened, info, change)
        except ConflictError:
            _, info = resolve(Reference(info.name, info.version), opened.name)
    raise _kept_changing(info)


def _attempt(
    context: RingContext,
    operation: Operation,
    opened: OpenStore,
    info: RecordInfo,
    change: Callable[[RecordInfo], RecordInfo],
) -> RecordInfo:
    """Change a version that is as `info` says. Raises: ConflictError, if it is not any more."""
    writable = opened.writable
    reviewed: list[ReviewRequest] = []

    def request() -> ReviewRequest:
        try:
            after = change(info)
        except KeywrightError:
            after = info  # `write` will refuse it; the attempt is reviewed and observed nevertheless
        reviewed.append(context.operations.describe(operation, opened, after))
        return reviewed[-1]

    def write() -> RecordInfo:
        before = _read(writable, info, operation)
        after = change(before)
        if after == before:
            return before
        if reviewed and reviewed[-1].labels != after.labels:
            raise _kept_changing(info)  # another process wrote labels meanwhile, which no reviewer has seen
        is_destruction = after.state is State.DESTROYED and before.state is not State.DESTROYED
        return (writable.destroy if is_destruction else writable.update_info)(after, before.revision)

    return context.operations.run(request, write)


def _read(store: WritableStore, info: RecordInfo, operation: Operation) -> RecordInfo:
    """The metadata; for `destroy` the payload is not read: a version whose key is damaged can be destroyed too."""
    if operation == "destroy":
        for found in store.versions(info.name):
            if found.version == info.version:
                return found
    return store.get(info.name, info.version).info


def _kept_changing(info: RecordInfo) -> ConflictError:
    return ConflictError(f"{info.reference} kept changing while it was to be changed", hint="run the command again")


def rewrap(context: RingContext, store: str | None) -> Iterator[RewrapResult]:
    """`KeyRing.rewrap`."""
    opened = context.stores.get(store)
    writable = opened.writable
    opened.seal.renewable()
    for name in opened.names():
        try:
            infos = writable.versions(name)
        except KeywrightError as error:
            yield RewrapResult(name, is_changed=False, error=error)
            continue
        for info in infos:
            try:
                yield RewrapResult(info.reference, is_changed=_rewrap_version(context, opened, info))
            except KeywrightError as error:
                yield RewrapResult(info.reference, is_changed=False, error=error)


def _rewrap_version(context: RingContext, opened: OpenStore, info: RecordInfo) -> bool:
    for _ in range(_RETRIES):
        try:
            record = opened.writable.get(info.name, info.version)
        except KeyNotFoundError:
            return False  # removed since it was listed
        payload = None if record.payload is None else opened.seal.renewed(record.payload, record.info)
        if payload is None:
            return False
        try:
            context.operations.run(
                partial(context.operations.describe, "rewrap", opened, record.info),
                partial(opened.writable.replace_payload, info.name, info.version, payload, record.info.revision),
            )
        except ConflictError:
            continue
        return True
    raise ConflictError(f"{info.reference} kept changing while it was being rewrapped", hint="run the command again")
