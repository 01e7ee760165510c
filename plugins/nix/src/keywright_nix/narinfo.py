"""`.narinfo` files: what a binary cache says about a store path, and what its signatures cover.

Parsing is stricter than in Nix (`src/libstore/nar-info.cc`): what Nix would misread, read differently from another
reader, or sign without having understood it, is refused with its line. `read_fast_path` reads with one regular
expression what Nix itself writes; `read_lines` reads everything else line by line and reports problems.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from typing import Final

from keywright.errors import FormatError
from keywright_nix.store_path import (
    BASE_NAME,
    encode_base32,
    is_content_address,
    is_size,
    parse_hash,
    parse_sha256,
    split_store_path,
)

MAXIMUM_BYTES: Final = 8 * 1024 * 1024
"""Of one narinfo."""

MAXIMUM_SIGNATURES: Final = 1000
"""In one narinfo. No cache has so many keys, and each costs a reader who verifies it a tenth of a millisecond."""

Parts = tuple[bytes, list[bytes], bytes, bytes]
"""What is before the place of the signatures, their values, what is after it, and the fingerprint."""


class NarInfo:
    """One narinfo, immutable. Lines, their order and unknown fields stay as they were read."""

    __slots__ = ("_after", "_before", "_fingerprint", "_signatures", "_text")

    def __init__(self, text: bytes, before: bytes, signatures: list[bytes], after: bytes, fingerprint: bytes) -> None:
        """Use `parse`. `before` and `after` are what is around the place of the signatures."""
        self._text = text
        self._before = before
        self._signatures = signatures
        self._after = after
        self._fingerprint = fingerprint

    @classmethod
    def parse(cls, text: bytes | str, *, where: str = "narinfo") -> NarInfo:
        """Read a narinfo. `where` names it in messages: a path.

        Raises:
            FormatError: The text has more than 8 MiB, its last line does not end, a line has a carriage return, is
                empty or not `Name: value`, a field is missing, empty or repeated, a hash, size or content address is
                malformed (a NarSize of 0 too), a path or reference is not a store path, or there are more than 1,000
                signatures. The message has `where` and the line.
        """
        data = text.encode(errors="surrogateescape") if isinstance(text, str) else text
        if len(data) > MAXIMUM_BYTES:
            raise FormatError(f"{where}: has more than {MAXIMUM_BYTES} bytes", hint="this is not a narinfo")
        return cls(data, *(read_fast_path(data) or read_lines(data, where)))

    def __repr__(self) -> str:
        return f"<narinfo of {self.store_path}>"

    @property
    def store_path(self) -> str:
        """`/nix/store/HASH-NAME`."""
        return _text(self._value(b"StorePath"))

    @property
    def nar_hash(self) -> bytes:
        """The SHA-256 of the archive, 32 bytes."""
        return parse_sha256(self._value(b"NarHash"))

    @property
    def nar_size(self) -> int:
        """The size of the archive in bytes."""
        return int(self._value(b"NarSize"))

    @property
    def references(self) -> tuple[str, ...]:
        """Base names, as in the file."""
        return tuple(_text(self._value(b"References")).split())

    @property
    def signatures(self) -> tuple[str, ...]:
        """The values of the `Sig` lines, as in the file."""
        return tuple([_text(value) for value in self._signatures])

    def field(self, name: str) -> str | None:
        """The value of a field that is not repeated, such as `URL`; None if it is missing."""
        value = self._fields().get(name.encode())
        return None if value is None else _text(value)

    def fingerprint(self) -> bytes:
        """What a signature covers (`src/libstore/path-info.cc`, ValidPathInfo::fingerprint).

        `1;PATH;sha256:BASE32;SIZE;REFERENCES`, the references full paths, sorted, each once, joined by commas.
        """
        return self._fingerprint

    def with_signatures(self, signatures: Iterable[str]) -> NarInfo:
        """The same narinfo with only these signatures, each once, sorted as text (as Nix through 2.33 does).

        They are placed where the first one was, else before `CA`, else at the end, where Nix writes them.
        """
        values = sorted({text.encode(errors="surrogateescape") for text in signatures})
        text = b"".join([self._before, *[b"Sig: %b\n" % value for value in values], self._after])
        return NarInfo(text, self._before, values, self._after, self._fingerprint)

    def render(self) -> bytes:
        """The bytes of the file: the parsed ones, if nothing was changed."""
        return self._text

    def verify(self, trusted: Iterable[str]) -> set[str]:
        """The names of the keys in `trusted` (public keys, `NAME:BASE64`) that have a valid signature.

        Raises:
            MalformedKeyError: One of `trusted` is not a public key.
        """
        from keywright_nix.signature import is_valid, parse_public_key

        keys: dict[str, bytes] = {}
        for text in trusted:
            name, public = parse_public_key(text)
            keys.setdefault(name, public)  # of two keys of one name Nix takes the first
        found: set[str] = set()
        for text in self.signatures:
            name = text.partition(":")[0]
            if name in keys and name not in found and is_valid(keys[name], self._fingerprint, text):
                found.add(name)
        return found

    def _fields(self) -> dict[bytes, bytes]:
        return dict(line.split(b": ", 1) for line in (self._before + self._after).splitlines())

    def _value(self, name: bytes) -> bytes:
        return self._fields()[name]


def _text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")


def fingerprint_of(path: bytes, directory: bytes, nar_hash: bytes, size: bytes, references: bytes) -> bytes:
    """`1;PATH;sha256:BASE32;SIZE;REFERENCES`, the references full paths, sorted, each once, joined by commas."""
    start = directory + b"/"
    names = sorted(set(_split_references(references)))
    return b"1;%b;%b;%b;%b%b" % (path, nar_hash, size, start if names else b"", (b"," + start).join(names))


def parse_of_store(data: bytes, path: str, store_dir: bytes) -> NarInfo:
    """The narinfo in the file `path` of a cache for the store in `store_dir`, such as `/nix/store`; empty: any.

    Raises:
        FormatError: As `NarInfo.parse`, or its store path is of another store.
    """
    info = NarInfo.parse(data, where=path)
    # `1;/nix/store/HASH-NAME;…`
    if store_dir and info.fingerprint().split(b";")[1].rpartition(b"/")[0] != store_dir:
        raise FormatError(
            f"{path}: StorePath is in another store than nix-cache-info names",
            hint="remove the narinfo from this cache",
        )
    return info


def _split_references(references: bytes) -> list[bytes]:
    return references.split(b" ") if references else []


# ---- the fast path: a narinfo as Nix writes it

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
    """The parts of a narinfo, equal to those of `read_lines`; None if it is not written as Nix writes it."""
    found = _FAST_PATH.fullmatch(data)
    if found is None:
        return None
    path, directory, nar_hash, size, references, signatures = found.groups()
    start, end = found.span(6)
    values = _signature_values(signatures) if signatures else []
    return data[:start], values, data[end:], fingerprint_of(path, directory, nar_hash, size, references)


def line_to_append(data: bytes, name: str, sign: Callable[[bytes], bytes], store_dir: bytes) -> bytes | None:
    """The `Sig` line of one more key, `name`, if signing means only to append that line to the file.

    None otherwise: the narinfo is not written as Nix writes it, is of another store than `store_dir` (empty: any), has
    a signature under that name, or its signatures are not sorted so that the new one is the last.
    """
    found = _FAST_PATH.fullmatch(data)
    if found is None:
        return None
    path, directory, nar_hash, size, references, signatures = found.groups()
    if found.end(6) != len(data) or (store_dir and directory != store_dir):
        return None
    start = f"{name}:".encode(errors="surrogateescape")
    if signatures:
        values = _signature_values(signatures)
        # In a sorted list whose last value sorts before `start`, no value begins with it.
        if values[-1] >= start or any(first >= second for first, second in pairwise(values)):
            return None
    message = fingerprint_of(path, directory, nar_hash, size, references)
    return b"Sig: %b%b" % (start, b2a_base64(sign(message)))


def _signature_values(signatures: bytes) -> list[bytes]:
    return signatures[len("Sig: ") : -1].split(b"\nSig: ")


# ---- the line parser: any narinfo, and what is wrong with it


def read_lines(data: bytes, where: str) -> Parts:
    """The parts of any narinfo.

    Raises:
        FormatError: As `NarInfo.parse`, except for the size.
    """
    if not data.endswith(b"\n"):
        raise FormatError(f"{where}: the narinfo is incomplete: its last line does not end", hint="fetch it again")
    if b"\r" in data:
        raise _problem(
            where, data[: data.index(b"\r")].count(b"\n"), "has a carriage return", hint="convert its line ends to LF"
        )
    lines = data[:-1].split(b"\n")
    fields = _fields(lines, where)
    for name, is_sound, rule in _CHECKS:
        if name in fields and not is_sound(fields[name]):
            at = next(at for at, line in enumerate(lines) if line.startswith(name + b": "))
            raise _problem(where, at, f"{name.decode()} {rule}", hint="fetch the narinfo again")
    path = fields[b"StorePath"]
    nar_hash = b"sha256:" + encode_base32(parse_sha256(fields[b"NarHash"]))
    directory = path.rpartition(b"/")[0]
    return *_around_signatures(lines), fingerprint_of(
        path, directory, nar_hash, fields[b"NarSize"], fields[b"References"]
    )


def _parses(parse: Callable[[bytes], object], value: bytes) -> bool:
    try:
        parse(value)
    except ValueError:
        return False
    return True


def _is_base_name(value: bytes) -> bool:
    return BASE_NAME.fullmatch(value) is not None


_REQUIRED: Final = (b"StorePath", b"URL", b"NarHash", b"NarSize", b"References")
_ONCE: Final = frozenset((*_REQUIRED, b"Compression", b"FileHash", b"FileSize", b"Deriver", b"System", b"CA"))
_NO_SIZE: Final = "is not a size in bytes: plain digits, below 2 to the 64th, and no 0"
_CHECKS: Final[tuple[tuple[bytes, Callable[[bytes], bool], str], ...]] = (
    (b"StorePath", partial(_parses, split_store_path), "is not a store path"),
    (b"URL", bool, "is empty"),
    (b"NarHash", partial(_parses, parse_sha256), "is not a SHA-256 in base32, hexadecimal or SRI"),
    (b"FileHash", partial(_parses, parse_hash), "is not a hash in base32, hexadecimal or SRI"),
    (b"NarSize", partial(is_size, least=1), _NO_SIZE),
    (b"FileSize", partial(is_size, least=0), _NO_SIZE),
    (
        b"References",
        lambda value: all(map(_is_base_name, _split_references(value))),
        "has a reference that is not a store path's name",
    ),
    (b"Deriver", lambda value: value == b"unknown-deriver" or _is_base_name(value), "is not a store path's name"),
    (b"CA", is_content_address, "is not a content address of Nix's"),
)


def _fields(lines: list[bytes], where: str) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    signatures = 0
    for at, line in enumerate(lines):
        name, separator, value = line.partition(b": ")
        if not separator or not name or b" " in name or b":" in name:  # Nix ends a name at its first colon
            rule = "is empty" if not line else "is not a field; a field is a name, a colon, a space and a value"
            raise _problem(where, at, rule, hint="fetch the narinfo again")
        if name in fields and name in _ONCE:
            raise _problem(where, at, f"has the field {name.decode()} twice", hint="remove the wrong one")
        signatures += name == b"Sig"
        if signatures > MAXIMUM_SIGNATURES:
            rule = f"is a signature after {MAXIMUM_SIGNATURES} others, more than a narinfo may have"
            raise _problem(where, at, rule, hint="fetch the narinfo again")
        fields[name] = value
    for name in _REQUIRED:
        if name not in fields:
            raise FormatError(f"{where}: the field {name.decode()} is missing", hint="fetch the narinfo again")
    return fields


def _around_signatures(lines: list[bytes]) -> tuple[bytes, list[bytes], bytes]:
    others = [line + b"\n" for line in lines if not line.startswith(b"Sig: ")]
    values = [line.removeprefix(b"Sig: ") for line in lines if line.startswith(b"Sig: ")]
    begin = b"Sig: " if values else b"CA: "
    place = next((at for at, line in enumerate(lines) if line.startswith(begin)), len(others))
    return b"".join(others[:place]), values, b"".join(others[place:])


def _problem(where: str, at: int, what: str, *, hint: str) -> FormatError:
    return FormatError(f"{where}:{at + 1}: {what}", hint=hint)
