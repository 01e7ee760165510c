"""`.narinfo` files: what a binary cache says of a store path, and what its signatures cover.

Read more strictly than Nix does (`src/libstore/nar-info.cc`): whatever Nix would misread, read differently from another
reader, or sign without having understood, is refused with its line.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from keywright.errors import FormatError
from keywright_nix.hashes import encode_base32, parse_hash, parse_sha256
from keywright_nix.store_path import BASE_NAME, split_store_path

__all__ = ["MAXIMUM_BYTES", "NarInfo"]

MAXIMUM_BYTES: Final = 8 * 1024 * 1024
_REQUIRED: Final = (b"StorePath", b"URL", b"NarHash", b"NarSize", b"References")
_ONCE: Final = frozenset((*_REQUIRED, b"Compression", b"FileHash", b"FileSize", b"Deriver", b"System", b"CA"))
_SIGNATURE: Final = b"Sig: "
_SIZES: Final = (b"NarSize", b"FileSize")


class NarInfo:
    """One narinfo, immutable. Lines, their order and unknown fields stay as they were read."""

    __slots__ = ("_directory", "_fields", "_fingerprint", "_lines")

    def __init__(self, lines: list[bytes], fields: dict[bytes, bytes], directory: bytes, fingerprint: bytes) -> None:
        """For `parse` alone."""
        self._lines = lines
        self._fields = fields
        self._directory = directory
        self._fingerprint = fingerprint

    @classmethod
    def parse(cls, text: bytes | str, *, where: str = "narinfo") -> NarInfo:
        """Read a narinfo. `where` names it in messages: a path.

        Raises:
            FormatError: it has more than 8 MiB, its last line does not end, a line has a carriage return, is empty
                or no `Name: value`, a field is missing or there twice, a hash or size is malformed (a NarSize of 0
                too), or a path or reference is no store path. The message has `where` and the line.
        """
        data = text.encode(errors="surrogateescape") if isinstance(text, str) else text
        if len(data) > MAXIMUM_BYTES:
            raise FormatError(f"{where}: has more than {MAXIMUM_BYTES} bytes; this is no narinfo")
        if not data.endswith(b"\n"):
            raise FormatError(f"{where}: the last line does not end, so the narinfo was cut short; fetch it again")
        if b"\r" in data:
            raise _fault(where, data[: data.index(b"\r")].count(b"\n"), "has a carriage return; write plain line feeds")
        lines = data[:-1].split(b"\n")
        fields = _fields(lines, where)
        directory = _check(lines, fields, where)
        return cls(lines, fields, directory, _fingerprint_of(fields, directory))

    def __repr__(self) -> str:
        return f"<narinfo of {self.store_path}>"

    @property
    def store_path(self) -> str:
        """`/nix/store/HASH-NAME`."""
        return self._fields[b"StorePath"].decode(errors="surrogateescape")

    @property
    def nar_hash(self) -> bytes:
        """The SHA-256 of the archive, 32 bytes."""
        return parse_sha256(self._fields[b"NarHash"])

    @property
    def nar_size(self) -> int:
        """The size of the archive in bytes."""
        return int(self._fields[b"NarSize"])

    @property
    def references(self) -> tuple[str, ...]:
        """Base names, as they stand in the file."""
        return tuple(name.decode() for name in _split(self._fields[b"References"]))

    @property
    def signatures(self) -> tuple[str, ...]:
        """The values of the `Sig` lines, as they stand in the file."""
        return tuple(line[5:].decode(errors="surrogateescape") for line in self._lines if line.startswith(_SIGNATURE))

    def field(self, name: str) -> str | None:
        """The value of a field of which there is one, such as `URL`; None if it is not there."""
        value = self._fields.get(name.encode())
        return None if value is None else value.decode(errors="surrogateescape")

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
        others = [line for line in self._lines if not line.startswith(_SIGNATURE)]
        first = next((at for at, line in enumerate(self._lines) if line.startswith(_SIGNATURE)), None)
        if first is None:
            first = next((at for at, line in enumerate(others) if line.startswith(b"CA: ")), len(others))
        others[first:first] = [_SIGNATURE + value for value in values]
        return NarInfo(others, self._fields, self._directory, self._fingerprint)

    def render(self) -> bytes:
        """The file's bytes; those that were parsed, if nothing was changed."""
        return b"\n".join(self._lines) + b"\n"

    def verify(self, trusted: Iterable[str]) -> set[str]:
        """The names of the keys in `trusted` (public keys, `NAME:BASE64`) of which a signature holds.

        Raises:
            MalformedKeyError: one of `trusted` is no public key.
        """
        from keywright_nix.signatures import holding, parse_public_key

        keys: dict[str, bytes] = {}
        for text in trusted:
            name, public = parse_public_key(text)
            keys.setdefault(name, public)  # of two keys of one name Nix takes the first
        return holding(self._fingerprint, self.signatures, keys)


def _fields(lines: list[bytes], where: str) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    for at, line in enumerate(lines):
        name, separator, value = line.partition(b": ")
        if not separator or not name or b" " in name:
            rule = "is empty" if not line else "is no field; a field is a name, a colon, a space and a value"
            raise _fault(where, at, f"{rule}; correct it or fetch the narinfo again")
        if name in fields and name in _ONCE:
            raise _fault(where, at, f"has the field {name.decode()} a second time; leave the right one")
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
    for reference in _split(fields[b"References"]):
        if not BASE_NAME.fullmatch(reference):
            raise _fault_in(lines, where, b"References", "has a reference that is no store path's name")
    deriver = fields.get(b"Deriver", b"unknown-deriver")
    if deriver != b"unknown-deriver" and not BASE_NAME.fullmatch(deriver):
        raise _fault_in(lines, where, b"Deriver", "is no store path's name")
    return directory


def _is_size(value: bytes, *, least: bool) -> bool:
    return value.isdigit() and len(value) <= 20 and str(int(value)).encode() == value and least <= int(value) < 2**64


def _split(references: bytes) -> list[bytes]:
    return references.split(b" ") if references else []


def _fingerprint_of(fields: dict[bytes, bytes], directory: bytes) -> bytes:
    nar_hash = fields[b"NarHash"]
    if len(nar_hash) != len("sha256:") + 52:
        nar_hash = b"sha256:" + encode_base32(parse_sha256(nar_hash))
    references = [directory + b"/" + name for name in sorted(set(_split(fields[b"References"])))]
    return b";".join((b"1", fields[b"StorePath"], nar_hash, fields[b"NarSize"], b",".join(references)))


def _fault(where: str, at: int, what: str) -> FormatError:
    return FormatError(f"{where}:{at + 1}: {what}")


def _fault_in(lines: list[bytes], where: str, field: bytes, what: str) -> FormatError:
    at = next(at for at, line in enumerate(lines) if line.startswith(field + b": "))
    return _fault(where, at, f"{field.decode()} {what}; correct it or fetch the narinfo again")
