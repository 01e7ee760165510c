"""The parts into which a narinfo is read, in whichever way, and the fingerprint that they make."""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Final

from keywright.errors import FormatError
from keywright_nix.store_path import (
    BASE_NAME,
    encode_base32,
    is_content_address,
    parse_hash,
    parse_sha256,
    split_store_path,
)

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


_NAME: Final = r"[0-9a-df-np-sv-z]{32}-(?!\.{1,2}[- \n])[0-9a-zA-Z+\-._?=]{1,211}"
_BASE32: Final = "[0-9a-df-np-sv-z]"
_SIZE: Final = "[1-9][0-9]{0,18}"
_FAST_PATH: Final = re.compile(
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


def read_fast_path(data: bytes) -> Parts | None:
    """The parts of a narinfo, as `keywright_nix.narinfo.read_lines` gives them; None of an unusual one."""
    found = _FAST_PATH.fullmatch(data)
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
    found = _FAST_PATH.fullmatch(data)
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


_REQUIRED: Final = (b"StorePath", b"URL", b"NarHash", b"NarSize", b"References")
_ONCE: Final = frozenset((*_REQUIRED, b"Compression", b"FileHash", b"FileSize", b"Deriver", b"System", b"CA"))
_SIGNATURE: Final = b"Sig: "
_SIZES: Final = (b"NarSize", b"FileSize")


def read_lines(data: bytes, where: str) -> Parts:
    """The parts of any narinfo.

    Raises:
        FormatError: as `NarInfo.parse`, but for the size.
    """
    if not data.endswith(b"\n"):
        raise FormatError(f"{where}: the last line does not end, so the narinfo was cut short; fetch it again")
    if b"\r" in data:
        raise _fault(where, data[: data.index(b"\r")].count(b"\n"), "has a carriage return; write plain line feeds")
    lines = data[:-1].split(b"\n")
    fields = _fields(lines, where)
    directory = _check(lines, fields, where)
    nar_hash = b"sha256:" + encode_base32(parse_sha256(fields[b"NarHash"]))
    fingerprint = fingerprint_of(fields[b"StorePath"], directory, nar_hash, fields[b"NarSize"], fields[b"References"])
    return (*_around_signatures(lines), fingerprint)


def _around_signatures(lines: list[bytes]) -> tuple[bytes, list[bytes], bytes]:
    others = [line + b"\n" for line in lines if not line.startswith(_SIGNATURE)]
    values = [line.removeprefix(_SIGNATURE) for line in lines if line.startswith(_SIGNATURE)]
    begin = _SIGNATURE if values else b"CA: "
    place = next((at for at, line in enumerate(lines) if line.startswith(begin)), len(others))
    return b"".join(others[:place]), values, b"".join(others[place:])


def _fields(lines: list[bytes], where: str) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    signatures = 0
    for at, line in enumerate(lines):
        name, separator, value = line.partition(b": ")
        if not separator or not name or b" " in name or b":" in name:  # Nix ends a name at its first colon
            rule = "is empty" if not line else "is no field; a field is a name, a colon, a space and a value"
            raise _fault(where, at, f"{rule}; correct it or fetch the narinfo again")
        if name in fields and name in _ONCE:
            raise _fault(where, at, f"has the field {name.decode()} a second time; leave the right one")
        signatures += name == b"Sig"
        if signatures > MAXIMUM_SIGNATURES:
            rule = f"is a signature after {MAXIMUM_SIGNATURES} others, more than a narinfo may have"
            raise _fault(where, at, f"{rule}; fetch the narinfo again")
        fields[name] = value
    for name in _REQUIRED:
        if name not in fields:
            raise FormatError(f"{where}: the field {name.decode()} is missing; fetch the narinfo again")
    return fields


def _check(lines: list[bytes], fields: dict[bytes, bytes], where: str) -> bytes:
    """The store's directory, once every value that Nix reads was checked."""
    try:
        directory, _ = split_store_path(fields[b"StorePath"])
    except ValueError:
        raise _fault_in(lines, where, b"StorePath", "is no store path") from None
    if not fields[b"URL"]:
        raise _fault_in(lines, where, b"URL", "is empty")
    for name in (b"NarHash", b"FileHash"):
        try:
            if name in fields:
                (parse_sha256 if name == b"NarHash" else parse_hash)(fields[name])
        except ValueError:
            kind = "SHA-256" if name == b"NarHash" else "hash"
            raise _fault_in(lines, where, name, f"is no {kind} in base32, hexadecimal or SRI") from None
    for name in _SIZES:
        if name in fields and not _is_size(fields[name], least=name == b"NarSize"):
            raise _fault_in(lines, where, name, "is no size in bytes: plain digits, below 2 to the 64th, and no 0")
    for reference in split_references(fields[b"References"]):
        if not BASE_NAME.fullmatch(reference):
            raise _fault_in(lines, where, b"References", "has a reference that is no store path's name")
    deriver = fields.get(b"Deriver", b"unknown-deriver")
    if deriver != b"unknown-deriver" and not BASE_NAME.fullmatch(deriver):
        raise _fault_in(lines, where, b"Deriver", "is no store path's name")
    if b"CA" in fields and not is_content_address(fields[b"CA"]):
        raise _fault_in(lines, where, b"CA", "is no content address of Nix's")
    return directory


def _is_size(value: bytes, *, least: bool) -> bool:
    return value.isdigit() and len(value) <= 20 and str(int(value)).encode() == value and least <= int(value) < 2**64


def _fault(where: str, at: int, what: str) -> FormatError:
    return FormatError(f"{where}:{at + 1}: {what}")


def _fault_in(lines: list[bytes], where: str, field: bytes, what: str) -> FormatError:
    at = next(at for at, line in enumerate(lines) if line.startswith(field + b": "))
    return _fault(where, at, f"{field.decode()} {what}; correct it or fetch the narinfo again")


class NarInfo:
    """One narinfo, immutable. Lines, their order and unknown fields stay as they were read."""

    __slots__ = ("_after", "_before", "_fingerprint", "_signatures", "_text")

    def __init__(self, text: bytes, before: bytes, signatures: list[bytes], after: bytes, fingerprint: bytes) -> None:
        """For `parse` alone. `before` and `after` are what stands around the place of the signatures."""
        self._text = text
        self._before = before
        self._signatures = signatures
        self._after = after
        self._fingerprint = fingerprint

    @classmethod
    def parse(cls, text: bytes | str, *, where: str = "narinfo") -> NarInfo:
        """Read a narinfo. `where` names it in messages: a path.

        Raises:
            FormatError: it has more than 8 MiB, its last line does not end, a line has a carriage return, is empty
                or no `Name: value`, a field is missing, empty or there twice, a hash, size or content address is
                malformed (a NarSize of 0 too), a path or reference is no store path, or there are more than 1,000
                signatures. The message has `where` and the line.
        """
        data = text.encode(errors="surrogateescape") if isinstance(text, str) else text
        if len(data) > MAXIMUM_BYTES:
            raise FormatError(f"{where}: has more than {MAXIMUM_BYTES} bytes; this is no narinfo")
        parts = read_fast_path(data)
        if parts is None:
            parts = read_lines(data, where)
        return cls(data, *parts)

    def __repr__(self) -> str:
        return f"<narinfo of {self.store_path}>"

    @property
    def store_path(self) -> str:
        """`/nix/store/HASH-NAME`."""
        return _text(self._value(b"StorePath"))

    @property
    def nar_hash(self) -> bytes:
        """The SHA-256 of the archive, 32 bytes."""
        from keywright_nix.store_path import parse_sha256

        return parse_sha256(self._value(b"NarHash"))

    @property
    def nar_size(self) -> int:
        """The size of the archive in bytes."""
        return int(self._value(b"NarSize"))

    @property
    def references(self) -> tuple[str, ...]:
        """Base names, as they stand in the file."""
        return tuple(_text(self._value(b"References")).split())

    @property
    def signatures(self) -> tuple[str, ...]:
        """The values of the `Sig` lines, as they stand in the file."""
        return tuple([_text(value) for value in self._signatures])

    def field(self, name: str) -> str | None:
        """The value of a field of which there is one, such as `URL`; None if it is not there."""
        value = self._fields().get(name.encode())
        return None if value is None else _text(value)

    def fingerprint(self) -> bytes:
        """What a signature covers (`src/libstore/path-info.cc`, ValidPathInfo::fingerprint).

        `1;PATH;sha256:BASE32;SIZE;REFERENCES`, the references full paths, sorted, each once, joined by commas.
        """
        return self._fingerprint

    def with_signatures(self, signatures: Iterable[str]) -> NarInfo:
        """The same narinfo with these signatures alone, each once, sorted as texts (as Nix to 2.33 does).

        They stand where the first stood, else before `CA`, else at the end: there Nix writes them.
        """
        values = sorted({text.encode(errors="surrogateescape") for text in signatures})
        text = b"".join([self._before, *[b"Sig: %b\n" % value for value in values], self._after])
        return NarInfo(text, self._before, values, self._after, self._fingerprint)

    def render(self) -> bytes:
        """The file's bytes; those that were parsed, if nothing was changed."""
        return self._text

    def verify(self, trusted: Iterable[str]) -> set[str]:
        """The names of the keys in `trusted` (public keys, `NAME:BASE64`) of which a signature holds.

        Raises:
            MalformedKeyError: one of `trusted` is no public key.
        """
        from keywright_nix.signature import parse_public_key, valid_names

        keys: dict[str, bytes] = {}
        for text in trusted:
            name, public = parse_public_key(text)
            keys.setdefault(name, public)  # of two keys of one name Nix takes the first
        return valid_names(self._fingerprint, self.signatures, keys)

    def _fields(self) -> dict[bytes, bytes]:
        lines = (self._before + self._after).splitlines()
        return dict(line.split(b": ", 1) for line in lines)

    def _value(self, name: bytes) -> bytes:
        return self._fields()[name]


def _text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")
