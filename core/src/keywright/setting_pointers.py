"""Pointers: `{ env = "VARIABLE" }` and `{ file = "PATH" }`, and what they lead to.

While an error can still be raised, what was read stays inside `Given` or `Secret`, whose repr leaves it out.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from typing import Final, cast

from keywright.secret import Secret
from keywright.setting_values import Fetched, is_indirection
from keywright.settings import Given, Setting

__all__ = ["follow"]

_MAXIMUM_FILE_BYTES: Final = 65_536


def follow(setting: Setting, given: Given) -> Given:
    """The text that `{ env = … }` or `{ file = … }` points to, in the place of the pointer.

    Raises:
        ConfigError: it is no pointer, or what it points to cannot be read.
    """
    target = given._replace(value=_target(given.value))
    if target.value is None:
        either = "" if setting.type == "secret" else ', or { env = "VARIABLE" }, or { file = "PATH" }'
        raise given.error(f"must be {setting.rule()}{either}")
    read = _from_environment if "env" in cast("Mapping[str, object]", given.value) else _from_file
    return given._replace(value=Fetched(read(target)), textual=True)


def _target(value: object) -> str | None:
    target = next(iter(cast("Mapping[str, object]", value).values())) if is_indirection(value) else None
    return target if isinstance(target, str) and target and "\0" not in target else None


def _from_environment(target: Given) -> str:
    value = target._replace(value=_variable(cast(str, target.value)))
    if isinstance(value.value, str):
        return value.value
    # Whoever wrote the secret itself where its variable belongs must not find it in a log.
    spelt = f" {target.value}" if re.fullmatch("[A-Z_][A-Z0-9_]{0,99}", str(target.value)) else ""
    raise target.error(f"points to the environment variable{spelt}, which is not set; set it")


def _variable(name: str) -> str | None:
    try:
        return os.environ.get(name)
    except UnicodeError:
        return None


def _from_file(target: Given) -> str:
    place = target._replace(value=os.path.join(target.base, os.path.expanduser(cast(str, target.value))))
    read = _read(place)
    if isinstance(read, Secret):
        return read.reveal().removesuffix(b"\n").decode(errors="surrogateescape")
    raise target.error(f"points to {_spelt_file(target, place)}, {read}")


def _read(place: Given) -> Secret | str:
    """What the file holds, or what is wrong with it."""
    try:
        # Not blocking, or a FIFO would stop the program until somebody writes into it.
        descriptor = os.open(cast(str, place.value), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        return _unreadable(error)
    except ValueError:
        return "by a name that this system cannot have; correct it"
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return "which is no regular file; point it to one"
        with open(descriptor, "rb", closefd=False) as file:
            data = Secret(file.read(_MAXIMUM_FILE_BYTES + 1))
    except OSError as error:
        return _unreadable(error)
    finally:
        os.close(descriptor)
    return data if len(data) <= _MAXIMUM_FILE_BYTES else "which is over 64 KiB; point it to a file with the value alone"


def _unreadable(error: OSError) -> str:
    return f"which cannot be read ({error.strerror}); check the path"


def _spelt_file(target: Given, place: Given) -> str:
    # As with variables: only what cannot but be a path is repeated.
    return f"the file {place.value}" if "/" in str(target.value) and str(place.value).isprintable() else "a file"
