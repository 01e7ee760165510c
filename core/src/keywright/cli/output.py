"""Writing a result to a file: owner-only from the first byte, never over something unasked."""

from __future__ import annotations

import errno
import os
import stat

from keywright.errors import (
    AccessDeniedError,
    ConfigError,
    DurabilityUnknownError,
    KeyExistsError,
    StoreUnavailableError,
)
from keywright.secret import Secret

__all__ = ["write_file"]

_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def write_file(path: str, data: bytes | Secret, *, force: bool, option: str = "-o") -> None:
    """Create `path` with `data`, mode 0600, synced, by way of a temporary file beside it.

    A symbolic link at `path` is never followed: it counts as something that is there. With `force` it is replaced.
    `option` is the one that `path` may come from, for messages: only without `-o` is a result printed.

    Raises:
        KeyExistsError: something is at `path` and `force` is False.
        ConfigError: `path` cannot be a file: it is empty, ends in a slash, is a directory or device, its directory
            does not exist, or no file system takes such a name.
        AccessDeniedError: the directory takes no new file from this user.
        StoreUnavailableError: writing failed (disk full, I/O error); nothing is left behind.
        DurabilityUnknownError: the file is in place, but a sync of its directory failed.
    """
    directory = os.path.dirname(path) or os.curdir
    _check_place(path, directory, force=force, option=option)
    # Not made of the file's own name, which may be as long as names can be.
    temporary = os.path.join(directory, f".keywright.{os.urandom(8).hex()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _not_created(path, error) from None
    try:
        try:
            _write_all(descriptor, memoryview(data.reveal() if isinstance(data, Secret) else data))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if force:
            os.replace(temporary, path)
        else:
            # A hard link refuses a name that appeared meanwhile; a rename would take its place in silence.
            os.link(temporary, path)
            os.unlink(temporary)
    except BaseException as error:
        _discard(temporary)
        if isinstance(error, FileExistsError):
            raise _taken(path, option) from None
        if isinstance(error, OSError):
            raise StoreUnavailableError(
                f"{path}: cannot be written ({error.strerror}); nothing was left there"
            ) from None
        raise
    _sync_directory(path, directory)


def _check_place(path: str, directory: str, *, force: bool, option: str) -> None:
    if not path:
        raise ConfigError("the output path is empty; name a file, or leave -o out to print the result")
    if not os.path.basename(path):
        raise ConfigError(f"{path}: names a directory; name a file in it")
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        if not os.path.isdir(directory):
            raise ConfigError(f"{path}: its directory does not exist; make it first") from None
        return
    except OSError as error:
        raise ConfigError(f"{path}: cannot be an output file ({error.strerror}); choose another path") from None
    except ValueError:
        raise ConfigError("the output path holds a character that no file name can; choose another path") from None
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        way_out = "choose another path, or leave -o out to print the result" if option == "-o" else _other_path(option)
        raise ConfigError(f"{path}: is no regular file; {way_out}")
    if not force:
        raise _taken(path, option)


def _taken(path: str, option: str) -> KeyExistsError:
    return KeyExistsError(f"{path}: exists already and is not overwritten; {_other_path(option)}, or say --force")


def _other_path(option: str) -> str:
    return "choose another path" if option == "-o" else f"choose another path with {option}"


def _not_created(path: str, error: OSError) -> AccessDeniedError | StoreUnavailableError:
    if error.errno in _REFUSED:
        return AccessDeniedError(f"{path}: cannot be created ({error.strerror}); choose another directory")
    return StoreUnavailableError(f"{path}: cannot be created ({error.strerror}); choose another directory")


def _write_all(descriptor: int, rest: memoryview) -> None:
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _discard(temporary: str) -> None:
    try:
        os.unlink(temporary)
    except OSError:
        return  # what went wrong before is what the user must hear


def _sync_directory(path: str, directory: str) -> None:
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DurabilityUnknownError(
            f"{path}: is written, but the system would not confirm that it is on the disk ({error.strerror}); "
            "check the disk"
        ) from None
