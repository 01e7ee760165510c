"""What the review and observe hooks are given. Never a secret."""

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
    "reseal",
    "remove",
]
"""`export` is the export of a secret half, and the load of a key that has one; `bind` is resolving a signer (single
signatures are no events); `migrate` puts a version of another store in this one; `remove` takes a whole name away whose
versions were migrated; `reseal` seals a payload with another master key."""


class ReviewRequest(NamedTuple):
    """Something that is about to happen, for plugins that may object.

    Attributes:
        operation: what.
        who: the user's login name.
        name, version, kid: which version. The version is the one about to be made where one is made.
        store: the configured store's name.
        key_type, format: as in `RecordInfo`.
        bits: the size of the key in bits as its type counts it; None where it is not known.
        sealed: whether the store seals what it is given.
        created: when the version was made, in UTC; None where it is about to be, or where nobody knows.
        expires: when it ends, in UTC; None: never.
        labels: as they will be.
        time: when, in UTC.
        dry_run: somebody asks what would happen. Whoever objects says so; nothing follows, and nobody observes it.
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
    """Something that happened, or failed to.

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
