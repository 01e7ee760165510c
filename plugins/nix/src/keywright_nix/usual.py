"""Reading a narinfo that is as Nix writes it, and the one line that a further signature makes of it.

Whatever is not usual takes the long way: `keywright_nix.strict` reads it, and `NarInfo` writes it.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Callable
from itertools import pairwise
from typing import Final

from keywright_nix.parts import MAXIMUM_SIGNATURES, Parts, fingerprint_of

__all__ = ["line_to_append", "read_usual"]

_NAME: Final = r"[0-9a-df-np-sv-z]{32}-(?!\.{1,2}[- \n])[0-9a-zA-Z+\-._?=]{1,211}"
_BASE32: Final = "[0-9a-df-np-sv-z]"
_SIZE: Final = "[1-9][0-9]{0,18}"
_USUAL: Final = re.compile(
    rf"StorePath: ((/nix/store|(?:/(?!\.{{1,2}}/)[!-+\-.0-:<-~]+)+)/{_NAME})\n"
    r"URL: [^\r\n]+\n"
    r"(?:Compression: [^\r\n]*\n)?"
    rf"(?:FileHash: sha256:[01]{_BASE32}{{51}}\n)?"
    rf"(?:FileSize: (?:0|{_SIZE})\n)?"
    rf"NarHash: (sha256:[01]{_BASE32}{{51}})\n"
    rf"NarSize: ({_SIZE})\n"
    rf"References: ((?:{_NAME}(?: {_NAME})*)?)\n"
    rf"(?:Deriver: (?:unknown-deriver|{_NAME})\n)?"
    r"(?:System: [^\r\n]*\n)?"
    rf"((?:Sig: [^\r\n]*\n){{0,{MAXIMUM_SIGNATURES}}})"
    rf"(?:CA: (?:text|fixed(?::r|:git)?):sha256:[01]{_BASE32}{{51}}\n)?".encode()
)


def read_usual(data: bytes) -> Parts | None:
    """The parts of a narinfo, as `keywright_nix.strict.read_lines` gives them; None of an unusual one."""
    found = _USUAL.fullmatch(data)
    if found is None:
        return None
    path, directory, nar_hash, size, references, signatures = found.groups()
    start, end = found.span(6)
    values = _values(signatures) if signatures else []
    return data[:start], values, data[end:], fingerprint_of(path, directory, nar_hash, size, references)


def line_to_append(data: bytes, name: str, sign: Callable[[bytes], bytes], store_dir: bytes) -> bytes | None:
    """The `Sig` line of one more key, `name`, where all that signing does to a narinfo is to put it at the very end.

    None otherwise: the narinfo is no usual one, is of another store than `store_dir` (empty: any), has a signature
    under that name, or its signatures are not sorted so that the new one is the last.
    """
    found = _USUAL.fullmatch(data)
    if found is None:
        return None
    path, directory, nar_hash, size, references, signatures = found.groups()
    if found.end(6) != len(data) or (store_dir and directory != store_dir):
        return None
    start = f"{name}:".encode(errors="surrogateescape")
    # In a sorted list whose last value sorts before `start`, none begins with it.
    if signatures and not _end_before(start, _values(signatures)):
        return None
    message = fingerprint_of(path, directory, nar_hash, size, references)
    return b"Sig: %b%b" % (start, b2a_base64(sign(message)))


def _values(signatures: bytes) -> list[bytes]:
    return signatures[len("Sig: ") : -1].split(b"\nSig: ")


def _end_before(start: bytes, values: list[bytes]) -> bool:
    return values[-1] < start and all(first < second for first, second in pairwise(values))
