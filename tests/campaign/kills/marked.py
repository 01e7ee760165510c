"""Secrets that say which they are, so that they are found wherever they lie, whole, cut or twice."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

__all__ = ["contents", "marks", "number_of", "secret"]

_MARK = re.compile(rb"kw-secret:([0-9]{10});")
_LENGTHS = (1, 2, 7, 40, 300, 1500)  # marks of 21 bytes: within a page of a database, and over several


def secret(number: int) -> bytes:
    """The bytes of secret `number`: its mark again and again; how often follows from the number."""
    return b"kw-secret:%010d;" % number * _LENGTHS[number % len(_LENGTHS)]


def number_of(data: bytes) -> int | None:
    """Which secret this is; None: none, or a torn one."""
    match = _MARK.match(data)
    if match is None:
        return None
    number = int(match[1])
    return number if data == secret(number) else None


def marks(data: bytes) -> set[int]:
    """The secrets of which `data` holds at least a part."""
    return {int(digits) for digits in _MARK.findall(data)}


def contents(place: str) -> Iterator[tuple[str, bytes]]:
    """Every file below a directory: its path there, and all its bytes."""
    for directory, _, files in os.walk(place):
        for file in files:
            path = os.path.join(directory, file)
            with open(path, "rb") as opened:
                yield os.path.relpath(path, place), opened.read()
