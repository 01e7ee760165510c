"""Values of settings: text and TOML values become what the declared type says.

While an error can still be raised, values stay inside `RawValue` or `Secret`, whose repr leaves them out: a secret that
stands in the wrong place is in no traceback, locals included.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

from keywright.errors import ConfigError
from keywright.secret import Secret
from keywright.settings.model import REQUIRED, TABLE_TYPES, Options, RawValue, Setting, is_indirection
from keywright.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable


_DEEPEST: Final = 8  # tables and lists in each other; nothing that a key carries comes near it
_WRONG: Final = object()
_RENAMED: Final = {"on_unreachable": "on_unavailable"}


def check_options(
    given: Mapping[str, RawValue],
    settings: Sequence[Setting],
    *,
    owner: str,
    path: str,
    source: str,
    beside: Sequence[str] = (),
) -> Options:
    """Check what was given against what is declared and fill in defaults.

    `owner` (`store backend 'sqlite'`), `path` (`stores.local`) and `source` (`keywright.toml`) are for messages, and so
    are the names of settings that stand `beside` these, and are checked elsewhere.

    Raises:
        ConfigError: an unknown setting, a missing required one, a value of the wrong type or out of bounds, or an
            `{ env = … }` or `{ file = … }` that cannot be read.
    """
    declared = {setting.name: setting for setting in settings}
    for name, value in given.items():
        if name not in declared:
            suggestion = did_you_mean(name, [other for other in (*declared, *beside) if other != name])
            if name in _RENAMED:
                raise value.error("was renamed in keywright 0.2", hint=f"use {_RENAMED[name]}")
            raise value.error(
                f"is not a setting of {owner}{suggestion}",
                hint=f"{owner} has: {', '.join(declared)}" if declared else None if suggestion else "remove it",
            )
    for name, setting in declared.items():
        if name not in given and setting.default is REQUIRED:
            raise ConfigError(f"{source}: {path}.{name} is missing", hint=f"{owner} needs it: {setting.rule()}")
    return Options(
        {
            name: parse_setting(setting, given[name]) if name in given else _default(setting)
            for name, setting in declared.items()
        }
    )


def _default(setting: Setting) -> object:
    return dict(setting.default) if isinstance(setting.default, dict) else setting.default


def parse_setting(setting: Setting, given: RawValue) -> object:
    """The value of one setting, of the Python type that `Setting.type` says.

    Raises:
        ConfigError: it breaks the setting's rule; the message has source, path and rule, never the value.
    """
    if setting.type not in TABLE_TYPES and isinstance(given.value, Mapping):
        from keywright.settings.pointers import follow

        given = follow(setting, given)
    elif setting.type == "secret":
        raise given.error(
            f"must be {setting.rule()}", hint="everyone who reads the configuration would see a secret written there"
        )
    parsed = given._replace(value=_PARSERS[setting.type](setting, given))
    if parsed.value is _WRONG or (setting.choices and parsed.value not in setting.choices):
        raise given.error(f"must be {setting.rule()}")
    return parsed.value


def _text(_setting: Setting, given: RawValue) -> object:
    return given.value if isinstance(given.value, str) and "\0" not in given.value else _WRONG


def _integer(setting: Setting, given: RawValue) -> object:
    value = given.value
    if given.textual and isinstance(value, str) and re.fullmatch("-?[0-9]{1,18}", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return _WRONG
    too_low = setting.minimum is not None and value < setting.minimum
    too_high = setting.maximum is not None and value > setting.maximum
    return _WRONG if too_low or too_high or value % setting.multiple_of else value


def _boolean(_setting: Setting, given: RawValue) -> object:
    if given.textual:
        return {"true": True, "false": False}.get(cast(str, given.value), _WRONG)
    return given.value if isinstance(given.value, bool) else _WRONG


def _path(_setting: Setting, given: RawValue) -> object:
    if not isinstance(given.value, str) or "\0" in given.value:
        return _WRONG
    if not given.value:
        raise given.error("must be a path (a string), and not empty")
    if given.value.startswith("~") and os.path.expanduser(given.value) == given.value:
        raise given.error("starts with ~, and no such home directory is known", hint="write the path in full")
    return os.path.normpath(os.path.join(given.base, os.path.expanduser(given.value)))


def _duration(_setting: Setting, given: RawValue) -> object:
    from keywright.text import parse_duration

    if not isinstance(given.value, str):
        return _WRONG
    try:
        return parse_duration(given.value)
    except ValueError as error:
        rule = str(error)
    raise given.error(f"must be {rule}")


def _secret(_setting: Setting, given: RawValue) -> object:
    if not given.value:
        raise given.error("must not be empty")
    return Secret(cast(str, given.value).encode(errors="surrogateescape"))


def _secrets(setting: Setting, given: RawValue) -> object:
    if not isinstance(given.value, list | tuple) or not all(map(is_indirection, given.value)):
        return _WRONG
    items = [
        given._replace(value=item, path=f"{given.path}, number {number},") for number, item in enumerate(given.value, 1)
    ]
    return tuple(parse_setting(Setting(setting.name, "secret"), item) for item in items)


def _list(_setting: Setting, given: RawValue) -> object:
    if given.textual and isinstance(given.value, str):
        kind = type(given.value)  # an item of what was fetched shows no more than the whole
        return tuple(kind(item.strip()) for item in given.value.split(",") if item.strip())
    if not isinstance(given.value, list | tuple) or not all(isinstance(item, str) for item in given.value):
        return _WRONG
    return tuple(given.value)


def _table(_setting: Setting, given: RawValue) -> object:
    if not isinstance(given.value, Mapping):
        return _WRONG
    texts = all(isinstance(part, str) for item in given.value.items() for part in item)
    return dict(given.value) if texts else _WRONG


def _values(_setting: Setting, given: RawValue) -> object:
    return _plain(given.value) if isinstance(given.value, Mapping) else _WRONG


def _plain(value: object, depth: int = 1) -> object:
    """A copy in dicts and lists, or `_WRONG` if there is anything in it that JSON and TOML do not share."""
    if isinstance(value, str | int):
        return value
    if depth > _DEEPEST:
        return _WRONG
    if isinstance(value, Mapping):
        copy = {name: _plain(item, depth + 1) for name, item in value.items()}
        return copy if _WRONG not in copy.values() and all(isinstance(name, str) for name in copy) else _WRONG
    if isinstance(value, list | tuple):
        items = [_plain(item, depth + 1) for item in value]
        return items if _WRONG not in items else _WRONG
    return _WRONG


def _tables(_setting: Setting, given: RawValue) -> object:
    if not isinstance(given.value, list | tuple) or not all(isinstance(item, Mapping) for item in given.value):
        return _WRONG
    tables = _plain(given.value)
    return tuple(tables) if isinstance(tables, list) else _WRONG


_PARSERS: Final[dict[str, Callable[[Setting, RawValue], object]]] = {
    "text": _text,
    "integer": _integer,
    "boolean": _boolean,
    "path": _path,
    "duration": _duration,
    "secret": _secret,
    "secrets": _secrets,
    "list": _list,
    "table": _table,
    "values": _values,
    "tables": _tables,
}
