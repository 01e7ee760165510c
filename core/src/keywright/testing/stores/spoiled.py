"""A closed store and the ways to spoil it, for the contract of stores kept in files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Final, NamedTuple

from keywright.records import Record
from keywright.testing.stores.placed import Inspection, Key
from keywright.testing.stores.places import Kept, Place

__all__ = ["Damage", "Furnished", "bits", "flipped", "foreign", "lengths"]

_SMALL: Final = 256  # bytes: files up to here are cut at every length
_SECTOR: Final = 512
_FLIPS: Final = 64  # bits of each file, besides those inside the payloads


@cache
def foreign() -> dict[str, bytes]:
    """Files of other programs, by what they are."""
    files = {
        "text": b"the quick brown fox\n" * 20,
        "an empty JSON object": b"{}\n",
        "a PNG header": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89",
        "NUL bytes": bytes(4_096),
    }
    with suppress(ImportError):  # Python may have been built without
        files["another SQLite database"] = _database()
    return files


def _database() -> bytes:
    import sqlite3

    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE other (text)")
    content = connection.serialize()
    connection.close()
    return content


class Furnished(NamedTuple):
    """A closed store, to be spoiled.

    Attributes:
        files: the files that came with each record; empty where records share their files.
        kept: how it lay on the disk.
    """

    place: Place
    records: dict[Key, Record]
    files: dict[Key, frozenset[str]]
    kept: dict[str, Kept]
    inspection: Inspection

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Each file that holds something."""
        yield from ((name, kept.data) for name, kept in self.kept.items() if kept.data)


class Damage(NamedTuple):
    """One file of a store with other content, and in words."""

    made: Furnished
    name: str
    data: bytes
    told: str

    def do(self) -> None:
        """Spoil the store, which may have been written to since."""
        self.made.place.restore(self.made.kept)
        self.made.place.overwrite(self.name, self.data)


def _spread(length: int, count: int) -> range:
    return range(0, length, max(1, length // count))


def lengths(length: int) -> list[int]:
    """Where a file is cut."""
    if length <= _SMALL:
        return list(range(length))
    sectors = {sector + off for sector in range(0, length + 1, _SECTOR) for off in (-1, 0, 1)}
    return sorted(at for at in {*sectors, *_spread(length, 24), length - 1} if 0 <= at < length)


def bits(data: bytes, records: dict[Key, Record]) -> list[int]:
    """Which bits of a file are flipped, by number."""
    found = set(_spread(len(data) * 8, _FLIPS)) | {bit * 9 % (len(data) * 8) for bit in _spread(len(data) * 8, _FLIPS)}
    for record in records.values():
        at = data.find(record.payload.reveal()) if record.payload else -1
        if at >= 0 and record.payload:
            found |= {at * 8 + bit for bit in _spread(len(record.payload) * 8, 24)}
    return sorted(found)


def flipped(data: bytes, bit: int) -> bytes:
    """`data` with one bit changed."""
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]
