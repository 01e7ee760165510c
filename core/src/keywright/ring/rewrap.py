"""Sealing what a store has again, with the current master key."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from keywright.errors import ConflictError, KeyNotFoundError, KeywrightError
from keywright.records import RecordInfo

if TYPE_CHECKING:
    from keywright.ring.context import RingContext
    from keywright.ring.stores import OpenStore

_RETRIES: Final = 20


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
