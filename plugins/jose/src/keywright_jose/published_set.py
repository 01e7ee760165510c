"""Whether a file is a JWK Set that was published: what it holds can be had again, and nothing else may be replaced."""

from __future__ import annotations

import os
import stat
from typing import Final

from keywright import Secret
from keywright.errors import AccessDeniedError, FormatError, KeyExistsError
from keywright_jose.key_file import read_keys

__all__ = ["check_published"]

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MAXIMUM_BYTES: Final = 16_777_216
_SECRET_MEMBERS: Final = frozenset({"k", "d", "p", "q", "dp", "dq", "qi", "oth"})  # RFC 7518 §6, RFC 8037 §2


def check_published(path: str) -> None:
    """Refuse a regular file that is neither empty nor a JWK Set of public keys. What is there else is not looked at.

    Raises:
        KeyExistsError: it is something else, such as a private key or a store.
        AccessDeniedError: it cannot be read, so nobody knows what would be lost.
    """
    try:
        descriptor = os.open(path, _READ)
    except PermissionError:
        raise AccessDeniedError(
            f"{path}: cannot be read, so what would be replaced is not known; choose another path, or say --force"
        ) from None
    except (OSError, ValueError):
        return  # nothing, or no file; that is told when it is written
    try:
        held = _held(descriptor)
    finally:
        os.close(descriptor)
    if held is not None and not _is_public_set(held):
        raise KeyExistsError(
            f"{path}: exists already and is no public JWK Set, so it is not replaced; choose another path, or say "
            "--force"
        )


def _held(descriptor: int) -> Secret | None:
    """What is in a regular file; None: nothing."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return None
    with open(descriptor, "rb", closefd=False) as file:
        data = Secret(file.read(_MAXIMUM_BYTES + 1))
    return data if len(data) else None


def _is_public_set(held: Secret) -> bool:
    if len(held) > _MAXIMUM_BYTES:
        return False
    try:
        members = read_keys(held).reveal()
    except FormatError:
        return False
    keys = members.get("keys")
    return isinstance(keys, list) and all(isinstance(key, dict) and not key.keys() & _SECRET_MEMBERS for key in keys)
