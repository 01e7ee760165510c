"""Pointers: `{ env = "VARIABLE" }` and `{ file = "PATH" }`, and the values that they refer to.

While an error can still be raised, what was read stays inside `RawValue` or `Secret`, whose repr omits it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from typing import Final, cast

from keywright.secret import Secret
from keywright.settings.model import Fetched, RawValue, Setting, is_indirection

_HIDDEN: Final = "<secret>"
_MAXIMUM_FILE_BYTES: Final = 65_536
_READABLE_BY_OTHERS: Final = stat.S_IRGRP | stat.S_IROTH


def follow(setting: Setting, given: RawValue) -> RawValue:
    """The text that `{ env = … }` or `{ file = … }` points to, in place of the pointer.

    Raises:
        ConfigError: it is not a pointer, or what it points to cannot be read.
    """
    target = given._replace(value=_target(given.value))
    if target.value is None:
        either = "" if setting.type == "secret" else ', or { env = "VARIABLE" }, or { file = "PATH" }'
        raise given.error(f"must be {setting.rule()}{either}")
    read = _from_environment if "env" in cast("Mapping[str, object]", given.value) else _from_file
    return given._replace(value=Fetched(read(target)), textual=True)


def exposed(given: RawValue) -> Iterator[tuple[str, str]]:
    """A message and a hint for each file that a pointer, or a list of them, refers to and other users may read.

    Container secrets are excepted: they belong to root and are readable by everyone in the container. They are links,
    or on a read-only file system; a plain file that root could chmod is not a container secret.
    """
    pointers = given.value if isinstance(given.value, list | tuple) else (given.value,)
    for pointer in [given._replace(value=value) for value in pointers]:
        path = _exposed_path(pointer)
        if path is not None:
            yield (
                f"{given.path} points to {path}, which other users may read",
                "run `chmod go-r` on it, and replace the secret if others may have read it",
            )


def shown(pointer: RawValue) -> Mapping[str, str]:
    """A pointer as it may be printed: with its target only if that cannot be a secret written there by mistake."""
    (kind,) = cast("Mapping[str, str]", pointer.value)
    target = pointer._replace(value=_target(pointer.value))
    if target.value is None:
        return {kind: _HIDDEN}
    is_shown = _is_variable(target) if kind == "env" else _is_path(target, _place(target))
    return {kind: cast(str, target.value) if is_shown else _HIDDEN}


def _exposed_path(given: RawValue) -> str | None:
    target = given._replace(value=_target(given.value))
    if target.value is None or "file" not in cast("Mapping[str, object]", given.value):
        return None
    place = _place(target)
    try:
        found, is_link = os.stat(cast(str, place.value)), os.path.islink(cast(str, place.value))
    except (OSError, ValueError):
        return None  # following the pointer raises the error
    if os.name != "posix" or not found.st_mode & _READABLE_BY_OTHERS:
        return None
    of_container = found.st_uid == 0 and (os.geteuid() != 0 or is_link or not found.st_mode & stat.S_IWUSR)
    return None if of_container else _spelt_file(target, place)


def _target(value: object) -> str | None:
    target = next(iter(cast("Mapping[str, object]", value).values())) if is_indirection(value) else None
    return target if isinstance(target, str) and target and "\0" not in target else None


def _from_environment(target: RawValue) -> str:
    value = target._replace(value=_variable(cast(str, target.value)))
    if isinstance(value.value, str):
        return value.value
    spelt = f" {target.value}" if _is_variable(target) else ""
    raise target.error(
        f"points to the environment variable{spelt}, which is not set", hint="set it, or change the setting"
    )


def _is_variable(target: RawValue) -> bool:
    """Whether it can be shown. A secret that was written in place of its variable's name must not be logged."""
    return re.fullmatch("[A-Z_][A-Z0-9_]{0,99}", str(target.value)) is not None


def _is_path(target: RawValue, place: RawValue) -> bool:
    """As with variables: only what is certainly a path is shown."""
    from keywright.secret import looks_like_a_secret

    spelt = str(target.value)
    if not spelt.isprintable():
        return False
    return os.path.lexists(str(place.value)) or ("/" in spelt and not looks_like_a_secret(spelt))


def _variable(name: str) -> str | None:
    try:
        return os.environ.get(name)
    except UnicodeError:
        return None


def _from_file(target: RawValue) -> str:
    place = _place(target)
    read = _read(place)
    if isinstance(read, Secret):
        return read.reveal().removesuffix(b"\n").decode(errors="surrogateescape")
    raise target.error(f"points to {_spelt_file(target, place)}, {read[0]}", hint=read[1])


def _place(target: RawValue) -> RawValue:
    return target._replace(value=os.path.join(target.base, os.path.expanduser(cast(str, target.value))))


def _read(place: RawValue) -> Secret | tuple[str, str]:
    """The content of the file, or the problem with it and what to do."""
    try:
        # Not blocking, or a FIFO would stop the program until another process writes into it.
        descriptor = os.open(cast(str, place.value), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        return _unreadable(error)
    except ValueError:
        return "by a name that this system cannot have", "correct it"
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return "which is not a regular file", "point it to one"
        with open(descriptor, "rb", closefd=False) as file:
            data = Secret(file.read(_MAXIMUM_FILE_BYTES + 1))
    except OSError as error:
        return _unreadable(error)
    finally:
        os.close(descriptor)
    if len(data) > _MAXIMUM_FILE_BYTES:
        return "which is over 64 KiB", "point it to a file with the value alone"
    if data.reveal().startswith(b"\xef\xbb\xbf"):
        return "which begins with a byte order mark", "save it as UTF-8 without one"
    return data


def _unreadable(error: OSError) -> tuple[str, str]:
    return f"which cannot be read ({error.strerror})", "check the path"


def _spelt_file(target: RawValue, place: RawValue) -> str:
    if "/" in str(target.value):
        if _is_path(target, place):
            return f"the file {place.value}"
        return "a file whose name looks like a key" if str(target.value).isprintable() else "a file"
    return f"a file in {target.base}" if target.base and target.base.isprintable() else "a file"
