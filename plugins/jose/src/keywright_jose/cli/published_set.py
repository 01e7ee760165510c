"""The file of a published JWK Set: whether it may be replaced, and writing it so that it is always whole."""

from __future__ import annotations

import os
import stat
from typing import Final

from keywright import JsonProblem, Secret
from keywright.errors import AccessDeniedError, ConfigError, DurabilityError, KeyExistsError
from keywright.files import ErrorTable, Report, WriteErrors, write_file
from keywright_jose.jwk.members import load_members

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW_MODE: Final = 0o644
_MAXIMUM_BYTES: Final = 16_777_216
_UNWRITTEN: Final = Report("{subject}: cannot be written ({reason}) and is as it was", "choose another directory")
_WRITING: Final = ErrorTable(_UNWRITTEN, denied=_UNWRITTEN)
_UNCONFIRMED: Final = Report(
    "{subject}: written, but the system did not confirm that it is on the disk ({reason})",
    "check the disk",
    DurabilityError,
)
_ERRORS: Final = WriteErrors(write=_WRITING, finish=ErrorTable(_UNCONFIRMED))
_SECRET_MEMBERS: Final = frozenset({"k", "d", "p", "q", "dp", "dq", "qi", "oth"})  # RFC 7518 §6, RFC 8037 §2


def check_published(path: str) -> None:
    """Refuse a regular file that is neither empty nor a JWK Set of public keys. What is there else is not looked at.

    Raises:
        KeyExistsError: it is something else, such as a private key or a store.
        AccessDeniedError: it cannot be read, so what would be lost is unknown.
    """
    try:
        descriptor = os.open(path, _READ)
    except PermissionError:
        raise AccessDeniedError(
            f"{path}: cannot be read, so it is not replaced",
            hint="choose another path, or pass --force",
        ) from None
    except (OSError, ValueError):
        return  # nothing, or no file; `write_public` reports that
    try:
        held = _held(descriptor)
    finally:
        os.close(descriptor)
    if held is not None and not _is_public_set(held):
        raise KeyExistsError(
            f"{path}: exists already and is not a public JWK Set, so it is not replaced",
            hint="choose another path, or pass --force",
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
    members = load_members(held)
    keys = None if isinstance(members, JsonProblem) else members.reveal().get("keys")
    return isinstance(keys, list) and all(isinstance(key, dict) and not key.keys() & _SECRET_MEMBERS for key in keys)


def write_public(path: str, data: bytes) -> bool:
    """Make `path` a file of these bytes; False: it is one already, and was not touched.

    A new file has the mode 0644 under any umask; an old one's mode and owner stay. The new one is written and synced
    beside it, then takes its name.

    Raises:
        ConfigError: `path` cannot be a file: it is empty, ends in a slash, is a symbolic link, directory or device,
            its directory does not exist, or no file system takes such a name.
        AccessDeniedError: the directory takes no new file from this user, or does not let them look.
        StoreUnavailableError: writing failed (disk full, I/O error); the file is as it was.
        DurabilityError: the file is in place, but a sync of its directory failed.
    """
    old = _status(path)
    if old is not None and old.st_size == len(data) and _holds(path, data):
        return False
    mode = _NEW_MODE if old is None else stat.S_IMODE(old.st_mode) & 0o777
    write_file(path, data, replace=True, subject=path, errors=_ERRORS, mode=mode, owner=old)
    return True


def _status(path: str) -> os.stat_result | None:
    """What is there now; None: nothing."""
    if not path:
        raise ConfigError("the output path is empty", hint="name a file, or leave -o out to print the result")
    if not os.path.basename(path):
        raise ConfigError(f"{path}: names a directory", hint="name a file in it")
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        if not os.path.isdir(os.path.dirname(path) or os.curdir):
            raise ConfigError(f"{path}: its directory does not exist", hint="create it first") from None
        return None
    except PermissionError as error:
        raise _WRITING.error(error, path) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be an output file ({error.strerror})", hint="choose another path") from None
    except ValueError:
        raise ConfigError(
            "the output path has a character that no file name can have", hint="choose another path"
        ) from None
    if stat.S_ISLNK(status.st_mode):
        raise ConfigError(f"{path}: is a symbolic link, which is not followed", hint="name the file that it leads to")
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(
            f"{path}: is not a regular file", hint="choose another path, or leave -o out to print the result"
        )
    return status


def _holds(path: str, data: bytes) -> bool:
    try:
        with open(os.open(path, _READ), "rb") as file:
            return file.read(len(data) + 1) == data
    except OSError:
        return False  # it is written again, and fails then if it has to
