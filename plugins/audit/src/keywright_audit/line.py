"""One line of the log: JSON in ASCII, which ends in the hash of the line before and the hash of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, Literal, NamedTuple

__all__ = ["HEAD_BYTES", "LONGEST_BYTES", "Kind", "Line", "begins_a_log", "is_hash", "read_line", "write_line"]

Kind = Literal["intent", "outcome", "recovered"]
_HEAD: Final = b'{"kind":"'
HEAD_BYTES: Final = len(_HEAD)
"""How much of a file `begins_a_log` needs."""
LONGEST_BYTES: Final = 16 * 1024 * 1024
"""Longer than any line: a kid has at most 1 MiB, and a character of it at most 12 bytes in JSON."""

_HASH: Final = "[0-9a-f]{64}"
_LINE: Final = re.compile(
    rb'(?s)(\{"kind":"([a-z]+)",.*,"previous":(?:null|"(%b)")),"hash":"(%b)"\}' % ((_HASH.encode(),) * 2)
)
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Line(NamedTuple):
    """A line that is whole, whether or not it is as it was written.

    Attributes:
        kind: `intent`, `outcome` or `recovered`.
        previous: the hash of the line before, in lower-case hexadecimal; None: it is the first of its file.
        hash: its own, as it says.
        is_sound: whether that is the SHA-256 of all that stands before it in the line.
        text: all of it, without the line feed.
    """

    kind: str
    previous: str | None
    hash: str
    is_sound: bool
    text: bytes

    def members(self) -> Mapping[str, object] | None:
        """What the line says; None where that is no JSON object."""
        try:
            members = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        return members if isinstance(members, dict) else None


def write_line(kind: Kind, members: Mapping[str, object], previous: str | None) -> tuple[bytes, str]:
    """The line, with its line feed, and its hash."""
    body = _encode({"kind": kind, **members, "previous": previous})[:-1].encode()
    hash_ = sha256(body).hexdigest()
    return b'%b,"hash":"%b"}\n' % (body, hash_.encode()), hash_


def read_line(text: bytes) -> Line | None:
    """A line without its line feed; None if it is no whole one."""
    match = _LINE.fullmatch(text)
    if match is None:
        return None
    body, kind, previous, hash_ = match.groups()
    is_sound = sha256(body).hexdigest().encode() == hash_
    return Line(kind.decode(), None if previous is None else previous.decode(), hash_.decode(), is_sound, text)


def begins_a_log(data: bytes) -> bool:
    """Whether a file that starts with `data` may be a log, or what a crash left of one."""
    first, _, _ = data.partition(b"\n")
    return first.startswith(_HEAD) or (first != b"" and _HEAD.startswith(first))


def is_hash(text: str) -> bool:
    """Whether a text could be the hash of a line."""
    return re.fullmatch(_HASH, text) is not None
