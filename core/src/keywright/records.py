"""Records, one version of one name as a store keeps it, and the canonical JSON of their metadata."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import crc32
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, NewType

from keywright.errors import CorruptedStoreError, InvalidNameError
from keywright.keys import NO_ATTRIBUTES, Attributes, check_name
from keywright.secret import Secret
from keywright.values import Value

if TYPE_CHECKING:
    from json import JSONDecoder, JSONEncoder

Revision = NewType("Revision", str)
"""Opaque text that a store gives each state of a record. Compared for equality only."""


class State(StrEnum):
    """The state of a version, as set by the operator."""

    ENABLED = "enabled"
    DISABLED = "disabled"  # neither signs nor verifies; may be enabled again
    COMPROMISED = "compromised"  # neither signs nor verifies, permanently
    DESTROYED = "destroyed"  # the payload is gone; the record stays as a tombstone


class RecordInfo(Value):
    """The metadata of one version, known without opening its payload.

    Attributes:
        name: the key name, already checked.
        version: 1, 2, …; never used again, not even after `destroy`.
        key_type: the key type's name; `""` if the store cannot know it (environment variables).
        format: the format of the payload; None if the store cannot know it.
        kid: the id that other systems know; `""` if the store cannot know it.
        public: the public half, as `Key.public`; None for `oct` and if the store cannot know it.
        attributes: the attributes of the key that its format would publish, so that a JWKS needs no payload.
        state: see `State`.
        state_since: when it changed to that state, in UTC; for a version that left `enabled` before its
            activation, when it left.
        reason: why it changed to that state, as given by the operator.
        created: when it was created, in UTC; None if the store cannot know it.
        activates: when it starts to sign, in UTC; None: at once, on every clock.
        expires: when it expires, in UTC; None: never.
        overlap: how long the versions before it still verify once it is active; None: without end.
        labels: text attached by the operator, by name.
        revision: given by the store; `""` before the record is stored.
    """

    name: str
    version: int
    key_type: str
    format: str | None
    kid: str
    public: bytes | None
    attributes: Attributes
    state: State
    state_since: datetime | None
    reason: str
    created: datetime | None
    activates: datetime | None
    expires: datetime | None
    overlap: timedelta | None
    labels: Mapping[str, str]
    revision: Revision

    __slots__ = (
        *("name", "version", "key_type", "format", "kid", "public", "attributes", "state", "state_since", "reason"),
        *("created", "activates", "expires", "overlap", "labels", "revision"),
    )

    def __init__(
        self,
        *,
        name: str,
        version: int,
        key_type: str = "",
        format: str | None = None,
        kid: str = "",
        public: bytes | None = None,
        attributes: Attributes = NO_ATTRIBUTES,
        state: State = State.ENABLED,
        state_since: datetime | None = None,
        reason: str = "",
        created: datetime | None = None,
        activates: datetime | None = None,
        expires: datetime | None = None,
        overlap: timedelta | None = None,
        labels: Mapping[str, str] | None = None,
        revision: Revision = Revision(""),
    ) -> None:
        labels = {} if labels is None else labels
        self._set(
            *(name, version, key_type, format, kid, public, attributes, state, state_since, reason),
            *(created, activates, expires, overlap, labels, revision),
        )

    @property
    def reference(self) -> str:
        """`NAME@N`."""
        return f"{self.name}@{self.version}"


class Record(Value):
    """Metadata and payload.

    `payload` is the encoding by the format, sealed if the store has a seal; None: destroyed, public-only, or kept
    inside a signing store.
    """

    info: RecordInfo
    payload: Secret | None

    __slots__ = ("info", "payload")

    def __init__(self, info: RecordInfo, payload: Secret | None) -> None:
        self._set(info, payload)


METADATA_VERSION = 1
_STATES = {state.value: state for state in State}
_TYPES = dict.fromkeys(("name", "key_type", "kid", "state", "reason"), str) | {
    "version": int,
    "labels": dict,
    "attributes": dict,
}
_MEMBERS = {*RecordInfo.__slots__} - {"revision"} | {"metadata_version", "crc32"}
_HEAD = len(b'{"crc32":"01234567",')
_MICROSECOND = timedelta(microseconds=1)
_RFC_3339 = r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"


def format_time(time: datetime) -> str:
    """`2026-11-21T20:52:13.000001Z` (RFC 3339, UTC; the fraction is left out when it is zero)."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time (§5.6, with an upper-case `T` and `Z`), down to microseconds.

    Raises:
        ValueError: it is not a valid time, has no zone, or is outside the years 1 to 9999 in UTC.
    """
    # fromisoformat alone would also take week dates, any separator and times without a zone.
    if not re.fullmatch(_RFC_3339, text):
        raise ValueError("a date, a time and a zone, such as 2026-11-21T20:52:13Z")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("a date and time that exist") from None


def encode_info(info: RecordInfo) -> bytes:
    """`info` without its revision as one line of JSON in ASCII, members sorted, ending in a newline.

    The member `crc32` is the first: the CRC-32 (IEEE 802.3, as in zip) of all that follows it, in hexadecimal. It
    detects damage that would otherwise read as another value; it does not protect against a user who can write the
    file.

    Raises:
        TypeError: `decode_info` would not return an equal value: a label that is not text, a time without a zone, an
            attribute that JSON does not have. The message names the fields.
    """
    try:
        data = _encode(info)
        if _is_ordinary(info):
            return data
        again = decode_info(data, where="the metadata", revision=info.revision)
    except (
        CorruptedStoreError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        RecursionError,
        InvalidNameError,
    ):
        again = None
    if again is None or again != info:
        raise TypeError(f"the metadata has values that cannot be stored as they are: {_unstorable(info, again)}")
    return data


def _is_ordinary(info: RecordInfo) -> bool:
    """Whether `decode_info` is certain to return an equal value. For nearly all infos, reading back is saved.

    Raises:
        InvalidNameError: it has no valid name.
    """
    check_name(info.name, reserved=True)
    labels, attributes = info.labels, info.attributes
    texts = (info.key_type, info.kid, info.reason, info.format or "", *labels, *labels.values(), *attributes)
    times = (info.state_since, info.created, info.activates, info.expires)
    return (
        all(type(text) is str for text in (*texts, *attributes.values()))
        and all(time is None or (type(time) is datetime and time.tzinfo is UTC) for time in times)
        and (type(info.version), type(info.state), type(labels)) == (int, State, dict)
        and info.version >= 1
        and (info.public is None or type(info.public) is bytes)
    )


def _unstorable(info: RecordInfo, again: RecordInfo | None) -> str:
    """The fields that are not read back as they are, each tried alone where not even all together can be written."""
    fine = RecordInfo(name="fine", version=1)
    names = []
    for name in RecordInfo.__slots__:
        value = getattr(info, name)
        try:
            alone = again or decode_info(_encode(fine.replace(**{name: value})), where="", revision=info.revision)
            if getattr(alone, name) == value:
                continue
        except (CorruptedStoreError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
            pass
        names.append(name)
    return ", ".join(names)


def _encode(info: RecordInfo) -> bytes:
    members = {
        "metadata_version": METADATA_VERSION,
        "name": info.name,
        "version": info.version,
        "key_type": info.key_type,
        "format": info.format,
        "kid": info.kid,
        "public": None if info.public is None else b64encode(info.public).decode(),
        "attributes": info.attributes.plain(),
        "state": info.state.value,
        "state_since": _time_text(info.state_since),
        "reason": info.reason,
        "created": _time_text(info.created),
        "activates": _time_text(info.activates),
        "expires": _time_text(info.expires),
        "overlap": None if info.overlap is None else info.overlap // _MICROSECOND,
        "labels": dict(info.labels),
    }
    rest = _encoder().encode(members)[1:].encode() + b"\n"
    return _head(rest) + rest


def decode_info(data: bytes, *, where: str, revision: str = "") -> RecordInfo:
    """Read what `encode_info` wrote.

    `where` names the place for the message (a file, a row); `revision` becomes the record's.

    Raises:
        CorruptedStoreError: the bytes are not what `encode_info` writes, or were written by a newer keywright.
    """
    if data[:_HEAD] != _head(data[_HEAD:]):
        raise _damaged(where)
    try:
        members = _decoder().decode(data.decode())
        written_by = members.get("metadata_version")
    except (ValueError, RecursionError):
        raise _damaged(where) from None
    if isinstance(written_by, int) and written_by > METADATA_VERSION:
        raise CorruptedStoreError(f"{where}: the metadata was written by a newer keywright", hint="upgrade keywright")
    try:
        if members.keys() != _MEMBERS or type(written_by) is not int or written_by != METADATA_VERSION:
            raise ValueError("members")
        info = _info_of(members, revision)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, InvalidNameError):
        raise _damaged(where) from None
    return info


@cache
def _encoder() -> JSONEncoder:
    from json import JSONEncoder  # only when needed: importing a plugin stays fast

    return JSONEncoder(sort_keys=True, separators=(",", ":"))


@cache
def _decoder() -> JSONDecoder:
    from json import JSONDecoder

    return JSONDecoder()


def _head(rest: bytes) -> bytes:
    return b'{"crc32":"%08x",' % crc32(rest)


def _info_of(members: dict[str, Any], revision: str) -> RecordInfo:
    for name, kind in _TYPES.items():
        if type(members[name]) is not kind:
            raise TypeError(name)
    if members["version"] < 1:
        raise ValueError("version")
    format_, public, overlap = members["format"], members["public"], members["overlap"]
    labels, attributes = members["labels"], members["attributes"]
    if not all(type(text) is str for text in (*labels.values(), "" if format_ is None else format_)):
        raise TypeError("texts")
    return RecordInfo(
        name=check_name(members["name"], reserved=True),
        version=members["version"],
        key_type=members["key_type"],
        format=format_,
        kid=members["kid"],
        public=None if public is None else b64decode(public, validate=True),
        attributes=Attributes(attributes) if attributes else NO_ATTRIBUTES,
        state=_STATES[members["state"]],
        state_since=_time_of(members["state_since"]),
        reason=members["reason"],
        created=_time_of(members["created"]),
        activates=_time_of(members["activates"]),
        expires=_time_of(members["expires"]),
        overlap=None if overlap is None else timedelta(microseconds=_whole(overlap)),
        labels=labels,
        revision=Revision(revision),
    )


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError("overlap")
    return value


def _time_text(time: datetime | None) -> str | None:
    return None if time is None else format_time(time)


def _time_of(value: object) -> datetime | None:
    if value is None:
        return None
    if type(value) is not str:
        raise TypeError("time")
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise ValueError("no zone")
    return time.astimezone(UTC)


def _damaged(where: str) -> CorruptedStoreError:
    return CorruptedStoreError(f"{where}: the metadata is damaged", hint="restore it from a backup")
