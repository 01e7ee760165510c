"""Store paths, and the hashes and content addresses that describe them."""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64, unhexlify
from typing import Final

_ALPHABET = b"0123456789abcdfghijklmnpqrsvwxyz"  # without e, o, t and u (`src/libutil/hash.cc`, base32Chars)
_DIGITS = bytes.maketrans(_ALPHABET, b"0123456789ABCDEFGHIJKLMNOPQRSTUV")  # as `int(…, 32)` reads them
_BYTES = {b"blake3": 32, b"md5": 16, b"sha1": 20, b"sha256": 32, b"sha512": 64}


def encode_base32(data: bytes) -> bytes:
    """Nix's base32 of `data`, without padding: 52 characters for 32 bytes. The last byte's bits come first."""
    number = int.from_bytes(data, "little")
    length = (len(data) * 8 + 4) // 5
    return bytes(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(length)))


def decode_base32(text: bytes, length: int) -> bytes:
    """The `length` bytes that `encode_base32` spells as `text`.

    Raises:
        ValueError: it is no such text: another length or character, or bits that belong to no byte.
    """
    if len(text) != (length * 8 + 4) // 5 or text.translate(None, _ALPHABET):
        raise ValueError("no base32 of Nix's")
    number = int(text.translate(_DIGITS), 32)
    if number >> length * 8:
        raise ValueError("bits that belong to no byte")
    return number.to_bytes(length, "little")


def parse_sha256(text: bytes) -> bytes:
    """The 32 bytes of a SHA-256 in any of the three spellings.

    Raises:
        ValueError: it is none, or of another algorithm.
    """
    if not text.startswith((b"sha256:", b"sha256-")):
        raise ValueError("no SHA-256")
    return parse_hash(text)


def parse_hash(text: bytes) -> bytes:
    """The bytes of a BLAKE3, MD5, SHA-1, SHA-256 or SHA-512 in any of the three spellings.

    Raises:
        ValueError: it is none.
    """
    end = text.find(b":")
    algorithm, rest = (text[:end], text[end + 1 :]) if end > 0 else text.partition(b"-")[::2]
    length = _BYTES.get(algorithm)
    if length is None:
        raise ValueError("no hash algorithm of Nix's")
    if end > 0 and len(rest) == 2 * length and rest == rest.lower():
        return unhexlify(rest)
    if end > 0:
        return decode_base32(rest, length)
    return _decode_base64(rest, length)


def _decode_base64(text: bytes, length: int) -> bytes:
    try:
        data = a2b_base64(text)
    except Base64Error:
        raise ValueError("no base64") from None
    if len(data) != length or b2a_base64(data, newline=False) != text:
        raise ValueError("no canonical base64")
    return data


_ANY: Final = (b"blake3", b"md5", b"sha1", b"sha256", b"sha512")
# What Nix takes of each method (`src/libstore/content-address.cc`); what it makes of Git's trees it hashes as Git does.
_METHODS: Final = {
    b"text:": (b"sha256",),
    b"fixed:": _ANY,
    b"fixed:r:": _ANY,
    b"fixed:git:": (b"sha1", b"sha256"),
}


def is_content_address(text: bytes) -> bool:
    """Whether this is `text:sha256:HASH`, or `fixed:`, `fixed:r:` or `fixed:git:` and `ALGORITHM:HASH`.

    The hash is in base32, as Nix writes it, or hexadecimal.
    """
    return any(
        text.startswith(method) and _is_hash(text.removeprefix(method), algorithms)
        for method, algorithms in _METHODS.items()
    )


def _is_hash(text: bytes, algorithms: tuple[bytes, ...]) -> bool:
    if text.partition(b":")[0] not in algorithms:
        return False
    try:
        parse_hash(text)
    except ValueError:
        return False
    return True


# 32 characters of Nix's base32, a hyphen, and a name of at most 211; since Nix 2.20 a name may start with a dot, but be
# neither "." nor ".." nor start with ".-" or "..-".
BASE_NAME = re.compile(rb"[0-9a-df-np-sv-z]{32}-(?!\.{1,2}(?:-|\Z))[0-9a-zA-Z+\-._?=]{1,211}")
_DIRECTORY = re.compile(rb"(?:/(?!\.{1,2}(?:/|\Z))[!-+\-.0-:<-~]+)+")


def split_store_path(path: bytes) -> tuple[bytes, bytes]:
    """Directory and base name: `(b"/nix/store", b"HASH-NAME")`.

    Raises:
        ValueError: it is no store path.
    """
    directory, _, name = path.rpartition(b"/")
    if not BASE_NAME.fullmatch(name) or not is_store_directory(directory):
        raise ValueError("no store path")
    return directory, name


def is_store_directory(path: bytes) -> bool:
    """Whether a store may lie there: an absolute path, spelled plainly, that parts a fingerprint nowhere."""
    return _DIRECTORY.fullmatch(path) is not None
