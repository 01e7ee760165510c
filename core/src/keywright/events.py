"""The arguments of the review and observe hooks. They never contain a secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Literal, NamedTuple

__all__ = ["KeyEvent", "Operation", "ReviewRequest"]

Operation = Literal[
    "generate",
    "import",
    "rotate",
    "label",
    "disable",
    "enable",
    "compromise",
    "destroy",
    "export",
    "bind",
    "migrate",
    "rewrap",
    "remove",
]
"""`export` is the export of a secret half, and the load of a key that has one; `bind` is resolving a signer (single
signatures are not events); `migrate` copies a version from another store to this one; `remove` removes a whole name
whose versions were migrated; `rewrap` seals a payload with another master key."""


class ReviewRequest(NamedTuple):
    """An operation that is about to happen, for plugins that may object.

    Attributes:
        operation: the operation.
        who: the user's login name.
        name, version, kid: the version concerned; for operations that create a version, the new one.
        store: the configured store's name.
        key_type, format: as in `RecordInfo`.
        bits: the size of the key in bits as its type counts it; None if unknown.
        sealed: whether the store has a seal.
        created: when the version was created, in UTC; None if it does not exist yet, or if unknown.
        expires: when the version expires, in UTC; None: never.
        labels: the labels after the operation.
        time: the current time, in UTC.
        dry_run: whether this only asks what would happen. Objections are reported; nothing is done, and no event
            follows.
    """

    operation: Operation
    who: str
    name: str
    version: int
    kid: str
    store: str
    key_type: str
    format: str | None
    bits: int | None
    sealed: bool
    time: datetime
    labels: Mapping[str, str] = MappingProxyType({})
    created: datetime | None = None
    expires: datetime | None = None
    dry_run: bool = False


class KeyEvent(NamedTuple):
    """An operation that succeeded or failed.

    Attributes:
        outcome: `done`, or the name of the error's class, such as `KeyExistsError`.
        others: as in `ReviewRequest`.
    """

    operation: Operation
    who: str
    name: str
    version: int
    kid: str
    store: str
    outcome: str
    time: datetime
