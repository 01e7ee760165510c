"""Reading a narinfo line by line, more strictly than Nix does: whatever is wrong is told with its line."""

from __future__ import annotations

from typing import Final

from keywright.errors import FormatError
from keywright_nix.content_address import is_content_address
from keywright_nix.hashes import encode_base32, parse_hash, parse_sha256
from keywright_nix.parts import MAXIMUM_SIGNATURES, Parts, fingerprint_of, split_references
from keywright_nix.store_path import BASE_NAME, split_store_path

__all__ = ["read_lines"]

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
