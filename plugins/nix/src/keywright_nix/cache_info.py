"""`nix-cache-info`: what a binary cache says of itself, and so which store its paths are of."""

from __future__ import annotations

import os
import stat
from typing import Final

from keywright.errors import AccessDeniedError, FormatError, StoreUnavailableError
from keywright_nix.store_path import is_store_directory

__all__ = ["read_store_dir", "store_dir_of"]

_NAME: Final = "nix-cache-info"
_MAXIMUM_BYTES: Final = 65_536
_WHITESPACE: Final = b" \t\r\n"


def store_dir_of(cache_info: bytes, *, where: str = _NAME) -> bytes:
    """The `StoreDir` in the text of a `nix-cache-info`, such as `/nix/store`; empty if it says none.

    Where it says none, a client of any store takes the cache (`src/libstore/binary-cache-store.cc`, init). `where`
    names the file in messages.

    Raises:
        FormatError: it says two, or one that is no absolute path without an end in a slash.
    """
    lines = (line.partition(b":") for line in cache_info.split(b"\n"))
    found = {value.strip(_WHITESPACE) for name, colon, value in lines if colon and name == b"StoreDir"}
    if len(found) > 1:
        raise FormatError(f"{where}: has two StoreDir that differ, so that no client takes the cache; leave one")
    directory = found.pop() if found else None
    if directory is None:
        return b""
    if not is_store_directory(directory):
        raise FormatError(f"{where}: the StoreDir is no directory of a store; write one, such as /nix/store")
    return directory


def read_store_dir(directory: str) -> bytes:
    """What the `nix-cache-info` in the directory of a binary cache says, as `store_dir_of`; empty if there is none.

    Raises:
        FormatError: as `store_dir_of`, or it is no regular file, or has more than 64 KiB.
        AccessDeniedError, StoreUnavailableError: it cannot be read.
    """
    path = f"{directory}/{_NAME}"
    try:
        return store_dir_of(_read(path), where=path)
    except FileNotFoundError:
        return b""
    except PermissionError as error:
        raise AccessDeniedError(f"{path}: cannot be read ({error.strerror}); run as who may") from None
    except OSError as error:
        raise StoreUnavailableError(f"{path}: cannot be read ({error.strerror}); check the disk") from None


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FormatError(f"{path}: is no regular file; put what Nix made in its place")
        data = os.read(descriptor, _MAXIMUM_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > _MAXIMUM_BYTES:
        raise FormatError(f"{path}: has more than {_MAXIMUM_BYTES} bytes; put what Nix made in its place")
    return data
