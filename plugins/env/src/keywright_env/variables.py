"""One environment variable, and the file that its `_FILE` points to."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Final, Literal

from keywright import Secret
from keywright.errors import (
    AccessDeniedError,
    ConfigError,
    DamagedStoreError,
    KeywrightError,
    StoreUnavailableError,
    UnsupportedOperationError,
)

__all__ = ["FILE", "faults", "is_set", "kind", "read"]

FILE: Final = "_FILE"
MAXIMUM_BYTES: Final = 1_048_576

Kind = Literal["value", "file"]


def is_set(variable: str) -> bool:
    """Whether the variable or its `_FILE` is set, to whatever."""
    return variable in os.environ or variable + FILE in os.environ


def kind(variable: str) -> Kind | None:
    """Where the key is: in the variable, in a file, or nowhere.

    Raises:
        ConfigError: both are set.
    """
    value, file = variable in os.environ, variable + FILE in os.environ
    if value and file:
        raise ConfigError(
            f"the environment variables {variable} and {variable}{FILE} are both set, and only one can be meant; "
            "unset the other"
        )
    return "value" if value else "file" if file else None


def read(variable: str, found: Kind) -> Secret:
    """The bytes exactly as they are there.

    Raises:
        DamagedStoreError, StoreUnavailableError, AccessDeniedError: as `EnvStore.get`.
    """
    if found == "file":
        return _read_file(variable + FILE)
    payload = Secret(os.fsencode(os.environ.get(variable, "")))
    if not payload:
        raise DamagedStoreError(f"the environment variable {variable} is set but empty; set it to the key, or unset it")
    return payload


def faults(variable: str) -> Iterator[str]:
    """One sentence for each fault of a variable, set or not, and of the file that its `_FILE` points to."""
    try:
        found = kind(variable)
        if found is not None:
            read(variable, found)
        if found == "file":
            yield from _exposed(variable + FILE)
    except KeywrightError as error:
        yield str(error)


def _exposed(variable: str) -> Iterator[str]:
    descriptor = _open_file(variable)
    try:
        found = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    # Container secrets are root's and readable by all: whoever can read them there is inside the container already.
    if found.st_uid != 0 and found.st_mode & (stat.S_IRGRP | stat.S_IROTH):
        yield (
            f"{variable} points to a file that other users may read; run `chmod go-r` on it, and replace the key if "
            "others may have read it"
        )


def _read_file(variable: str) -> Secret:
    """No message repeats the variable's value: who mixed the two up has the key itself there."""
    descriptor = _open_file(variable)
    try:
        _check_file(variable, os.fstat(descriptor))
        with open(descriptor, "rb", closefd=False) as file:
            payload = Secret(file.read(MAXIMUM_BYTES + 1))
    except OSError as error:
        raise StoreUnavailableError(
            f"{variable} points to a file that cannot be read: {error.strerror}; correct the path, or check the disk"
        ) from None
    finally:
        os.close(descriptor)
    if not payload:
        raise DamagedStoreError(f"{variable} points to an empty file; write the key into it, or unset the variable")
    if len(payload) > MAXIMUM_BYTES:
        raise DamagedStoreError(f"{variable} points to a file of over 1 MiB, which no key has; point it to the key's")
    return payload


def _check_file(variable: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise AccessDeniedError(f"{variable} points to what is no regular file; point it to the key's file")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise AccessDeniedError(
            f"{variable} points to a file that other users may write; run `chmod go-w` on it, and see that the key in "
            "it is still yours"
        )


def _open_file(variable: str) -> int:
    if not hasattr(os, "O_NONBLOCK"):
        raise UnsupportedOperationError(
            f"{variable}: this system cannot tell who may write a file; put the key into the variable itself"
        )
    if not os.environ.get(variable):
        raise DamagedStoreError(f"the environment variable {variable} is set but empty; set it to a path, or unset it")
    try:
        # O_NONBLOCK: a named pipe would otherwise keep this process waiting for a writer.
        return os.open(os.environ.get(variable, ""), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except PermissionError:
        reason = None
    except OSError as error:
        reason = error.strerror
    # Not in the handlers: the system's error knows the variable's value, and would stay as the context of ours.
    if reason is None:
        raise AccessDeniedError(
            f"{variable} points to a file that this user may not read; make it readable for this user alone"
        )
    raise StoreUnavailableError(f"{variable} points to a file that cannot be opened: {reason}; correct the path")
