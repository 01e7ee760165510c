"""Settings: declared once by a plugin; parsing, errors, `--help`, reference page and JSON Schema come from that."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeVar, cast, final

from keywright.errors import ConfigError
from keywright.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["REQUIRED", "Given", "Options", "Setting", "SettingType", "check_options", "did_you_mean"]

SettingType = Literal["text", "integer", "boolean", "path", "duration", "secret", "list", "table"]
_T = TypeVar("_T")

_MAXIMUM_FILE_BYTES: Final = 65_536


@final
class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()
"""The default of a setting that has none."""


@dataclass(frozen=True, slots=True)
class Setting:
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


@dataclass(frozen=True, slots=True)
class Given:
    """One value as somebody gave it.

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
    values: dict[str, object] = {}
    for name, setting in declared.items():
        if name in given:
            values[name] = parse_setting(setting, given[name])
        elif isinstance(setting.default, _Required):
            raise ConfigError(f"{source}: {path}.{name} is missing: {owner} needs it, {setting.rule()}")
        else:
            values[name] = setting.default
    return Options(values)


def parse_setting(setting: Setting, given: Given) -> object:
    """The value of one setting, of the Python type that `Setting.type` says.

    Raises:
        ConfigError: it breaks the setting's rule; the message has source, path and rule, never the value.
    """
    if setting.type != "table" and isinstance(given.value, Mapping):
        given = _follow(setting, given)
    elif setting.type == "secret":
        raise given.error(f"must be {setting.rule()}; a secret written out here would be seen by too many")
    value = _PARSERS[setting.type](setting, given)
    if setting.choices and value not in setting.choices:
        raise given.error(f"must be {setting.rule()}")
    return value


def _follow(setting: Setting, given: Given) -> Given:
    """Fetch the text that `{ env = … }` or `{ file = … }` points to."""
    value = cast("Mapping[str, object]", given.value)
    (kind, target), *more = [*value.items()] or [("", None)]
    if more or kind not in ("env", "file") or not isinstance(target, str) or not target or "\0" in target:
        raise given.error(f'must be {setting.rule()}, or {{ env = "VARIABLE" }}, or {{ file = "PATH" }}')
    text = _from_environment(given, target) if kind == "env" else _from_file(given, target)
    return Given(text, given.path, given.source, given.base, textual=True)


def _from_environment(given: Given, variable: str) -> str:
    text = os.environ.get(variable)
    if text is None:
        raise given.error(f"points to the environment variable {variable}, which is not set; set it")
    return text


def _from_file(given: Given, name: str) -> str:
    path = os.path.join(given.base, os.path.expanduser(name))
    try:
        with open(path, "rb") as file:
            data = file.read(_MAXIMUM_FILE_BYTES + 1)
        if len(data) > _MAXIMUM_FILE_BYTES:
            raise given.error(
                f"points to the file {path}, which is over 64 KiB; point it to a file with the value alone"
            )
        return data.removesuffix(b"\n").decode(errors="surrogateescape")
    except OSError as error:
        raise given.error(f"points to the file {path}, which cannot be read: {error.strerror}") from None


def _text(setting: Setting, given: Given) -> str:
    if not isinstance(given.value, str) or "\0" in given.value:
        raise given.error(f"must be {setting.rule()}")
    return given.value


def _integer(setting: Setting, given: Given) -> int:
    value = given.value
    if (
        given.textual
        and isinstance(value, str)
        and value.isascii()
        and value.removeprefix("-").isdigit()
        and len(value) < 20
    ):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise given.error(f"must be {setting.rule()}")
    too_low = setting.minimum is not None and value < setting.minimum
    too_high = setting.maximum is not None and value > setting.maximum
    if too_low or too_high or value % setting.multiple_of:
        raise given.error(f"must be {setting.rule()}")
    return value


def _boolean(setting: Setting, given: Given) -> bool:
    value = (
        {"true": True, "false": False}.get(given.value)
        if given.textual and isinstance(given.value, str)
        else given.value
    )
    if not isinstance(value, bool):
        raise given.error(f"must be {setting.rule()}")
    return value


def _path(setting: Setting, given: Given) -> str:
    text = _text(setting, given)
    if not text:
        raise given.error(f"must be {setting.rule()}, and not empty")
    return os.path.normpath(os.path.join(given.base, os.path.expanduser(text)))


def _duration(setting: Setting, given: Given) -> timedelta:
    from keywright.durations import parse_duration

    try:
        return parse_duration(_text(setting, given))
    except ValueError as error:
        raise given.error(f"must be {error}") from None


def _secret(setting: Setting, given: Given) -> Secret:
    if not isinstance(given.value, str) or not given.value:
        raise given.error("must not be empty")
    return Secret(given.value.encode(errors="surrogateescape"))


def _list(setting: Setting, given: Given) -> tuple[str, ...]:
    value = given.value
    if given.textual and isinstance(value, str):
        value = [item.strip() for item in value.split(",") if item.strip()]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise given.error(f"must be {setting.rule()}")
    return tuple(value)


def _table(setting: Setting, given: Given) -> dict[str, str]:
    value = given.value
    if not isinstance(value, Mapping) or not all(isinstance(item, str) for item in value.values()):
        raise given.error(f"must be {setting.rule()}")
    return dict(value)


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
    """`; did you mean 'x'?` for the nearest known word, or `""`."""
    from difflib import get_close_matches

    matches = get_close_matches(word, list(known), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""
