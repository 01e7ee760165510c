"""`.narinfo` files: what a binary cache says of a store path, and what its signatures cover.

Read more strictly than Nix does (`src/libstore/nar-info.cc`): whatever Nix would misread, read differently from another
reader, or sign without having understood, is refused with its line.
"""

from __future__ import annotations

from collections.abc import Iterable

from keywright.errors import FormatError
from keywright_nix.parts import MAXIMUM_BYTES
from keywright_nix.usual import read_usual

__all__ = ["NarInfo"]


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
        parts = read_usual(data)
        if parts is None:
            from keywright_nix.strict import read_lines

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
        from keywright_nix.hashes import parse_sha256

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
        from keywright_nix.signatures import holding, parse_public_key

        keys: dict[str, bytes] = {}
        for text in trusted:
            name, public = parse_public_key(text)
            keys.setdefault(name, public)  # of two keys of one name Nix takes the first
        return holding(self._fingerprint, self.signatures, keys)

    def _fields(self) -> dict[bytes, bytes]:
        lines = (self._before + self._after).splitlines()
        return dict(line.split(b": ", 1) for line in lines)

    def _value(self, name: bytes) -> bytes:
        return self._fields()[name]


def _text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")
