"""The parts into which a narinfo is read, in whichever way, and the fingerprint that they make."""

from __future__ import annotations

from typing import Final

__all__ = ["MAXIMUM_BYTES", "MAXIMUM_SIGNATURES", "Parts", "fingerprint_of", "split_references"]

MAXIMUM_BYTES: Final = 8 * 1024 * 1024
"""Of one narinfo."""

MAXIMUM_SIGNATURES: Final = 1000
"""In one narinfo. No cache has so many keys, and each costs whoever verifies it a tenth of a millisecond."""

Parts = tuple[bytes, list[bytes], bytes, bytes]
"""What stands before the place of the signatures, their values, what stands after it, and the fingerprint."""


def fingerprint_of(path: bytes, directory: bytes, nar_hash: bytes, size: bytes, references: bytes) -> bytes:
    """`1;PATH;sha256:BASE32;SIZE;REFERENCES`, the references full paths, sorted, each once, joined by commas."""
    start = directory + b"/"
    names = sorted(set(split_references(references)))
    return b"1;%b;%b;%b;%b%b" % (path, nar_hash, size, start if names else b"", (b"," + start).join(names))


def split_references(references: bytes) -> list[bytes]:
    """The base names in the value of `References`."""
    return references.split(b" ") if references else []
