"""Records: one version of one name, as a store keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from keywright.key import Attributes
from keywright.secret import Secret

__all__ = ["Record", "RecordInfo", "Revision", "State"]

Revision = NewType("Revision", str)
"""Opaque text that a store gives each state of a record. Compared for equality only."""


class State(StrEnum):
    """What its keeper decided about a version."""

    ENABLED = "enabled"
    DISABLED = "disabled"  # neither signs nor verifies; may be enabled again
    COMPROMISED = "compromised"  # neither signs nor verifies, for good
    DESTROYED = "destroyed"  # the payload is gone; this tombstone stays


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordInfo:
    """What is known of one version without opening its payload.

    Attributes:
        name: the name, already checked.
        version: 1, 2, …; never used again, not even after `destroy`.
        key_type: the key type's name; `""` where the store cannot know (environment variables).
        format: the format of the payload; None where the store cannot know.
        kid: the id that the outside world knows; `""` where the store cannot know.
        public: the public half, as `Key.public`; None for `oct` and where the store cannot know.
        attributes: those attributes of the key that its format would publish, so that a JWKS needs no payload.
        state: see `State`.
        state_since: when it came into that state, in UTC; for a version that left `enabled` before its
            activation, when it did that.
        reason: why it came into that state, in its keeper's words.
        created: when it was made, in UTC; None where the store cannot know.
        activates: when it starts to sign, in UTC; None: at once, whatever a clock says.
        expires: when it ends, in UTC; None: never.
        overlap: how long the versions before it still verify once it is active; None: without end.
        labels: what its keeper wrote on it.
        revision: the store's; `""` before the record was stored.
    """

    name: str
    version: int
    key_type: str = ""
    format: str | None = None
    kid: str = ""
    public: bytes | None = None
    attributes: Attributes = field(default_factory=Attributes)
    state: State = State.ENABLED
    state_since: datetime | None = None
    reason: str = ""
    created: datetime | None = None
    activates: datetime | None = None
    expires: datetime | None = None
    overlap: timedelta | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    revision: Revision = Revision("")

    @property
    def reference(self) -> str:
        """`NAME@N`."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class Record:
    """Metadata and payload.

    `payload` is what the format encoded, sealed if the store has a seal; None: destroyed, public-only, or held
    inside a signing store.
    """

    info: RecordInfo
    payload: Secret | None
