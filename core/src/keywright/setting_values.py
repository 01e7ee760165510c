"""Values of settings: text, TOML values and pointers to variables and files become what the declared type says.

While an error can still be raised, values stay inside `Given` or `Secret`, whose repr leaves them out: a secret that
stands in the wrong place is in no traceback, locals included.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from keywright.secret import Secret
from keywright.settings import Given, Setting

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["is_indirection", "parse_setting"]

_MAXIMUM_FILE_BYTES: Final = 65_536
_WRONG: Final = object()


def is_indirection(value: object) -> bool:
    """Whether a value reads as `{ env = … }` or `{ file = … }`."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in ("env", "file")


def parse_setting(setting: Setting, given: Given) -> object:
    """The value of one setting, of the Python type that `Setting.type` says.

    Raises:
        ConfigError: it breaks the setting's rule; the message has source, path and rule, never the value.
    """
    if setting.type != "table" and isinstance(given.value, Mapping):
        given = _follow(setting, given)
    elif setting.type == "secret":
        raise given.error(f"must be {setting.rule()}; a secret written out here would be seen by too many")
    parsed = given._replace(value=_PARSERS[setting.type](setting, given))
    if parsed.value is _WRONG or (setting.choices and parsed.value not in setting.choices):
        raise given.error(f"must be {setting.rule()}")
    return parsed.value


def _follow(setting: Setting, given: Given) -> Given:
    """Fetch the text that `{ env = … }` or `{ file = … }` points to."""
    target = given._replace(value=_target(given.value))
    if target.value is None:
        either = "" if setting.type == "secret" else ', or { env = "VARIABLE" }, or { file = "PATH" }'
        raise given.error(f"must be {setting.rule()}{either}")
    read = _from_environment if "env" in cast("Mapping[str, object]", given.value) else _from_file
    return given._replace(value=read(target), textual=True)


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
        with open(cast(str, place.value), "rb") as file:
            data = Secret(file.read(_MAXIMUM_FILE_BYTES + 1))
    except OSError as error:
        return f"which cannot be read ({error.strerror}); check the path"
    except ValueError:
        return "by a name that this system cannot have; correct it"
    return data if len(data) <= _MAXIMUM_FILE_BYTES else "which is over 64 KiB; point it to a file with the value alone"


def _spelt_file(target: Given, place: Given) -> str:
    # As with variables: only what cannot but be a path is repeated.
    return f"the file {place.value}" if "/" in str(target.value) and str(place.value).isprintable() else "a file"


def _text(_setting: Setting, given: Given) -> object:
    return given.value if isinstance(given.value, str) and "\0" not in given.value else _WRONG


def _integer(setting: Setting, given: Given) -> object:
    value = given.value
    if given.textual and isinstance(value, str) and re.fullmatch("-?[0-9]{1,18}", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return _WRONG
    too_low = setting.minimum is not None and value < setting.minimum
    too_high = setting.maximum is not None and value > setting.maximum
    return _WRONG if too_low or too_high or value % setting.multiple_of else value


def _boolean(_setting: Setting, given: Given) -> object:
    if given.textual:
        return {"true": True, "false": False}.get(cast(str, given.value), _WRONG)
    return given.value if isinstance(given.value, bool) else _WRONG


def _path(_setting: Setting, given: Given) -> object:
    if not isinstance(given.value, str) or "\0" in given.value:
        return _WRONG
    if not given.value:
        raise given.error("must be a path, as text, and not empty")
    if given.value.startswith("~") and os.path.expanduser(given.value) == given.value:
        raise given.error("starts with ~, and no such home directory is known; write the path in full")
    return os.path.normpath(os.path.join(given.base, os.path.expanduser(given.value)))


def _duration(_setting: Setting, given: Given) -> object:
    from keywright.durations import parse_duration

    if not isinstance(given.value, str):
        return _WRONG
    try:
        return parse_duration(given.value)
    except ValueError as error:
        rule = str(error)
    raise given.error(f"must be {rule}")


def _secret(_setting: Setting, given: Given) -> object:
    if not given.value:
        raise given.error("must not be empty")
    return Secret(cast(str, given.value).encode(errors="surrogateescape"))


def _list(_setting: Setting, given: Given) -> object:
    if given.textual and isinstance(given.value, str):
        return tuple(item.strip() for item in given.value.split(",") if item.strip())
    if not isinstance(given.value, list | tuple) or not all(isinstance(item, str) for item in given.value):
        return _WRONG
    return tuple(given.value)


def _table(_setting: Setting, given: Given) -> object:
    if not isinstance(given.value, Mapping):
        return _WRONG
    texts = all(isinstance(part, str) for item in given.value.items() for part in item)
    return dict(given.value) if texts else _WRONG


_PARSERS: Final[dict[str, Callable[[Setting, Given], object]]] = {
    "text": _text,
    "integer": _integer,
    "boolean": _boolean,
    "path": _path,
    "duration": _duration,
    "secret": _secret,
    "list": _list,
    "table": _table,
}
