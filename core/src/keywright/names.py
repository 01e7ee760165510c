"""Names and references: checked once, at the door, so that no store thinks about `../`, case or Unicode."""

from __future__ import annotations

import re
from typing import NamedTuple

from keywright.errors import InvalidNameError

__all__ = ["MAXIMUM_NAME_BYTES", "Reference", "check_name", "parse_reference"]

MAXIMUM_NAME_BYTES = 200
# Sets, for a pattern would be compiled at every start.
_START = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_INSIDE = _START | frozenset("._-")
_PORTS = (f"{port}{number}" for port in ("com", "lpt") for number in range(10))
_WINDOWS_DEVICES = frozenset(("con", "prn", "aux", "nul", *_PORTS))
_VERSION = "[1-9][0-9]{0,8}"


class Reference(NamedTuple):
    """`NAME` (version None: whichever is the primary) or `NAME@N`."""

    name: str
    version: int | None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}@{self.version}"


def check_name(name: str) -> str:
    """Return `name` if it is one: segments of `a-z 0-9 . _ -`, joined by `/`, at most 200 bytes.

    Raises:
        InvalidNameError: a segment is empty, starts with another character than a letter or digit, holds a
            character outside the set, ends in a dot or is reserved by Windows; or the name is empty, too long, no
            text, or the reference of a version.
    """
    _check_text(name)
    if not name:
        raise InvalidNameError("a key name must not be empty; use something like cache.example.org or prod/jwt")
    if len(name) > MAXIMUM_NAME_BYTES:
        raise InvalidNameError(f"a key name has at most {MAXIMUM_NAME_BYTES} bytes; choose a shorter one")
    if "@" in name and re.fullmatch(f"[^@]+@{_VERSION}", name):
        raise InvalidNameError("a key name belongs here, and not one of its versions; leave out the @ and the number")
    for segment in name.split("/"):
        if segment[:1] not in _START or not _INSIDE.issuperset(segment):
            raise InvalidNameError(
                "a key name is made of segments of a-z, 0-9, '.', '_' and '-', joined by '/', each starting with a "
                "letter or digit; use something like cache.example.org or prod/jwt"
            )
        if segment.endswith("."):
            raise InvalidNameError("no segment of a key name ends in '.' (Windows drops it); leave the dot out")
        if segment.partition(".")[0] in _WINDOWS_DEVICES:
            raise InvalidNameError("a segment of this key name is a device name on Windows; choose another")
    return name


def parse_reference(text: str) -> Reference:
    """Read `NAME` or `NAME@N`.

    Raises:
        InvalidNameError: the name is none (see `check_name`), or N is not a whole number from 1 to 999999999
            without leading zeros.
    """
    _check_text(text)
    name, at, version = text.partition("@")
    if not at:
        return Reference(check_name(name), None)
    if not re.fullmatch(_VERSION, version):
        raise InvalidNameError("a version is a whole number from 1; write NAME@3, or NAME alone for the primary")
    return Reference(check_name(name), int(version))


def _check_text(given: object) -> None:
    if not isinstance(given, str):
        raise InvalidNameError("a key name is text; use something like cache.example.org or prod/jwt")
