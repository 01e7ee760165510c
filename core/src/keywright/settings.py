"""Settings: declared once by a plugin; parsing, errors, `--help`, reference page and JSON Schema come from that."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, cast, final

from keywright.errors import ConfigError
from keywright.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "REQUIRED",
    "Given",
    "Options",
    "Setting",
    "SettingType",
    "check_options",
    "did_you_mean",
    "is_indirection",
    "parse_setting",
]

SettingType = Literal["text", "integer", "boolean", "path", "duration", "secret", "list", "table"]

_MAXIMUM_FILE_BYTES: Final = 65_536
_LONGEST_WORD: Final = 100
_WRONG: Final = object()


@final
class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()
"""The default of a setting that has none."""


# Named tuples, for a dataclass costs half a millisecond of every start.
class Setting(NamedTuple):
    """One thing that a plugin lets people set.

    Attributes:
        name: `a-z`, digits and `_`.
        type: what it becomes: `text` → str, `integer` → int, `boolean` → bool, `path` → absolute str, `duration` →
            timedelta, `secret` → Secret, `list` → tuple of str, `table` → dict of str to str.
        default: used when nobody gave one; `REQUIRED` if somebody must.
        help: one sentence for people, with the unit.
        minimum, maximum: bounds of an `integer`, both allowed.
        multiple_of: an `integer` must be a multiple of it.
        choices: the only texts allowed; empty: any.
    """

    name: str
    type: SettingType
    default: object = REQUIRED
    help: str = ""
    minimum: int | None = None
    maximum: int | None = None
    multiple_of: int = 1
    choices: tuple[str, ...] = ()

    def rule(self) -> str:
        """What a value must be, as the end of a sentence: `must be …`."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.type == "integer":
            steps = f" that is a multiple of {self.multiple_of}" if self.multiple_of != 1 else ""
            lowest = "" if self.minimum is None else f" from {self.minimum}"
            highest = "" if self.maximum is None else f" to {self.maximum}"
            return f"a whole number{steps}{lowest}{highest}"
        return _RULES[self.type]


_RULES: Final[dict[str, str]] = {
    "text": "text",
    "boolean": "true or false",
    "path": "a path, as text",
    "duration": "a whole number and a unit: s, m, h, d or w, such as 90d",
    "secret": 'given as { env = "VARIABLE" } or { file = "PATH" }',
    "list": "a list of texts",
    "table": "a table of texts",
}


class Given(NamedTuple):
    """One value as somebody gave it. Its `repr` leaves the value out: a secret may have been written there by mistake.

    Attributes:
        value: a TOML value, or text where `textual`.
        path: the setting's dotted path, `stores.local.path`.
        source: the file, variable or option it came from, for messages.
        base: the directory that relative paths start from.
        textual: it came as text (a variable, an option), to be read as the setting's type says.
    """

    value: object
    path: str
    source: str
    base: str
    textual: bool = False

    def __repr__(self) -> str:
        return f"<given {self.path} by {self.source}>"

    def error(self, rule: str) -> ConfigError:
        """`SOURCE: PATH RULE`."""
        return ConfigError(f"{self.source}: {self.path} {rule}")


@final
class Options(Mapping[str, object]):
    """Checked settings. Read them by the method that says their type; `options["name"]` gives them untyped.

    Every method raises `KeyError` for an undeclared name: a fault of the plugin's, not of its user.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object] = {}) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> object:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<options {', '.join(self._values) or 'none'}>"

    def text(self, name: str) -> str:
        """The value of a `text` or `path` setting that has a value."""
        return cast(str, self._values[name])

    def optional_text(self, name: str) -> str | None:
        """The value of a `text` or `path` setting, or None."""
        return cast("str | None", self._values[name])

    def integer(self, name: str) -> int:
        """The value of an `integer` setting."""
        return cast(int, self._values[name])

    def boolean(self, name: str) -> bool:
        """The value of a `boolean` setting."""
        return cast(bool, self._values[name])

    def duration(self, name: str) -> timedelta:
        """The value of a `duration` setting."""
        return cast(timedelta, self._values[name])

    def secret(self, name: str) -> Secret:
        """The value of a `secret` setting."""
        return cast(Secret, self._values[name])

    def texts(self, name: str) -> tuple[str, ...]:
        """The value of a `list` setting."""
        return cast("tuple[str, ...]", self._values[name])

    def table(self, name: str) -> Mapping[str, str]:
        """The value of a `table` setting."""
        return cast("Mapping[str, str]", self._values[name])


def check_options(
    given: Mapping[str, Given], settings: Sequence[Setting], *, owner: str, path: str, source: str
) -> Options:
    """Check what was given against what is declared and fill in defaults.

    `owner` (`store backend 'sqlite'`), `path` (`stores.local`) and `source` (`keywright.toml`) are for messages.

    Raises:
        ConfigError: an unknown setting, a missing required one, a value of the wrong type or out of bounds, or an
            `{ env = … }` or `{ file = … }` that cannot be read.
    """
    declared = {setting.name: setting for setting in settings}
    for name, value in given.items():
        if name not in declared:
            allowed = ", ".join(declared) or "none"
            raise value.error(f"is no setting of {owner}{did_you_mean(name, declared)}; it has: {allowed}")
    for name, setting in declared.items():
        if name not in given and isinstance(setting.default, _Required):
            raise ConfigError(f"{source}: {path}.{name} is missing: {owner} needs it, {setting.rule()}")
    return Options(
        {
            name: parse_setting(setting, given[name]) if name in given else _default(setting)
            for name, setting in declared.items()
        }
    )


def _default(setting: Setting) -> object:
    return dict(setting.default) if isinstance(setting.default, dict) else setting.default


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
    # Values stay inside Given, whose repr leaves them out, while anything can still be raised.
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


def did_you_mean(word: str, known: Mapping[str, object] | Sequence[str]) -> str:
    """` (did you mean 'x'?)` for the nearest known word, or `""`."""
    if len(word) > _LONGEST_WORD:
        return ""
    from difflib import get_close_matches

    matches = get_close_matches(word, list(known), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""
