"""Reading a narinfo that is as Nix writes it. (Whatever is not takes the long way, `keywright_nix.strict`.)"""

from __future__ import annotations

import re
from typing import Final

from keywright_nix.strict import MAXIMUM_SIGNATURES, Parts, fingerprint_of

__all__ = ["read_usual"]

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
    values = signatures[len("Sig: ") : -1].split(b"\nSig: ") if signatures else []
    return data[:start], values, data[end:], fingerprint_of(path, directory, nar_hash, size, references)
