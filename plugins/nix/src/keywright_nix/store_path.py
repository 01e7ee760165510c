"""Store paths and what describes them: hashes, sizes, content addresses and fingerprints, as Nix spells them."""

from __future__ import annotations

import re
from binascii import Error as Base64Error, a2b_base64, b2a_base64, unhexlify
from typing import Final

# 32 characters of Nix's base32, a hyphen, and a name of at most 211; since Nix 2.20 a name may start with a dot, but be
# neither "." nor ".." nor start with ".-" or "..-" (`src/libstore/path.cc`).
BASE_NAME: Final = re.compile(rb"[0-9a-df-np-sv-z]{32}-(?!\.{1,2}(?:-|\Z))[0-9a-zA-Z+\-._?=]{1,211}")
_DIRECTORY: Final = re.compile(rb"(?:/(?!\.{1,2}(?:/|\Z))[!-+\-.0-:<-~]+)+")

_ALPHABET: Final = b"0123456789abcdfghijklmnpqrsvwxyz"  # without e, o, t and u (`src/libutil/hash.cc`, base32Chars)
_DIGITS: Final = bytes.maketrans(_ALPHABET, b"0123456789ABCDEFGHIJKLMNOPQRSTUV")  # as `int(…, 32)` reads them
_BYTES: Final = {b"blake3": 32, b"md5": 16, b"sha1": 20, b"sha256": 32, b"sha512": 64}
# What Nix accepts for each method (`src/libstore/content-address.cc`); Git trees are hashed as Git does.
_METHODS: Final = {
    b"text:": (b"sha256",),
    b"fixed:": tuple(_BYTES),
    b"fixed:r:": tuple(_BYTES),
    b"fixed:git:": (b"sha1", b"sha256"),
}


def split_store_path(path: bytes) -> tuple[bytes, bytes]:
    """Directory and base name: `(b"/nix/store", b"HASH-NAME")`.

    Raises:
        ValueError: `path` is not a store path.
    """
    directory, _, name = path.rpartition(b"/")
    if not BASE_NAME.fullmatch(name) or not is_store_directory(directory):
        raise ValueError("not a store path")
    return directory, name


def is_store_directory(path: bytes) -> bool:
    """Whether a store can be there: a normalized absolute path, with no character that separates a fingerprint."""
    return _DIRECTORY.fullmatch(path) is not None


def encode_base32(data: bytes) -> bytes:
    """Nix's base32 of `data`, without padding: 52 characters for 32 bytes. The last byte's bits come first."""
    number = int.from_bytes(data, "little")
    length = (len(data) * 8 + 4) // 5
    return bytes(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(length)))


def decode_base32(text: bytes, length: int) -> bytes:
    """The `length` bytes that `encode_base32` spells as `text`.

    Raises:
        ValueError: `text` has another length or character, or sets bits that belong to no byte.
    """
    if len(text) != (length * 8 + 4) // 5 or text.translate(None, _ALPHABET):
        raise ValueError("not the base32 of Nix")
    number = int(text.translate(_DIGITS), 32)
    if number >> length * 8:
        raise ValueError("unused bits that are set")
    return number.to_bytes(length, "little")


def parse_sha256(text: bytes) -> bytes:
    """The 32 bytes of a SHA-256 in any spelling that `parse_hash` reads.

    Raises:
        ValueError: `text` is not such a hash, or is of another algorithm.
    """
    if not text.startswith((b"sha256:", b"sha256-")):
        raise ValueError("not a SHA-256")
    return parse_hash(text)


def parse_hash(text: bytes) -> bytes:
    """The bytes of a BLAKE3, MD5, SHA-1, SHA-256 or SHA-512 (`src/libutil/hash.cc`).

    The spellings are `sha256:` and base32 or hexadecimal, and `sha256-` and base64.

    Raises:
        ValueError: `text` is not such a hash.
    """
    end = text.find(b":")
    algorithm, rest = (text[:end], text[end + 1 :]) if end > 0 else text.partition(b"-")[::2]
    length = _BYTES.get(algorithm)
    if length is None:
        raise ValueError("not a hash algorithm of Nix")
    if end > 0 and len(rest) == 2 * length and rest == rest.lower():
        return unhexlify(rest)
    if end > 0:
        return decode_base32(rest, length)
    try:
        data = a2b_base64(rest)
    except Base64Error:
        raise ValueError("not base64") from None
    if len(data) != length or b2a_base64(data, newline=False) != rest:
        raise ValueError("not canonical base64")
    return data


def is_size(text: bytes, *, least: int) -> bool:
    """Whether this is a number of bytes in plain digits, from `least` and below 2^64."""
    return text.isdigit() and len(text) <= 20 and str(int(text)).encode() == text and least <= int(text) < 2**64


def is_content_address(text: bytes) -> bool:
    """Whether this is `text:sha256:HASH`, or `fixed:`, `fixed:r:` or `fixed:git:` and `ALGORITHM:HASH`.

    The hash is in base32, as Nix writes it, or hexadecimal.
    """
    for method, algorithms in _METHODS.items():
        hash_ = text.removeprefix(method)
        if text.startswith(method) and hash_.partition(b":")[0] in algorithms:
            try:
                parse_hash(hash_)
            except ValueError:
                return False
            return True
    return False


def is_path_fingerprint(text: bytes) -> bool:
    """Whether this is a store path's fingerprint just as Nix spells it (`ValidPathInfo::fingerprint`)."""
    try:
        version, path, nar_hash, size, joined = text.split(b";")
        directory, _ = split_store_path(path)
        decode_base32(nar_hash.removeprefix(b"sha256:"), 32)
        references = joined.split(b",") if joined else []
        in_store = all(split_store_path(reference)[0] == directory for reference in references)
    except ValueError:
        return False
    is_sorted = references == sorted(set(references))
    return in_store and is_sorted and version == b"1" and nar_hash.startswith(b"sha256:") and is_size(size, least=1)
