"""Content addresses, the `CA` of a narinfo: how the path was made, and the hash of what it was made from."""

from __future__ import annotations

from typing import Final

from keywright_nix.hashes import parse_hash

__all__ = ["is_content_address"]

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
