"""Settings: declared once by a plugin; parsing, errors, `--help`, reference page and JSON Schema come from that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final, Literal, NamedTuple, cast, final

from keywright.errors import ConfigError
from keywright.secret import Secret

SettingType = Literal[
    "text", "integer", "boolean", "path", "duration", "secret", "secrets", "list", "table", "values", "tables"
]


@final
class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()
"""The default of a setting that has none."""


TABLE_TYPES: Final = ("table", "values", "secrets")
"""The types of which no value is a pointer: it would be a table of its own, or it is a list of pointers."""


# Named tuples, for a dataclass costs half a millisecond of every start.
class Setting(NamedTuple):
    """One setting that a plugin declares.

    Attributes:
        name: `a-z`, digits and `_`.
        type: of its values: `text` → str, `integer` → int, `boolean` → bool, `path` → absolute str, `duration` →
            timedelta, `secret` → Secret, `secrets` → tuple of Secret, `list` → tuple of str, `table` → dict of str
            to str, `values` → dict of str to what JSON and TOML share (str, int, bool, lists and dicts of them),
            `tables` → tuple of such dicts.
        default: used when no value is given; `REQUIRED` if one must be given.
        help: one sentence for users, with the unit.
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
    "path": "a path (a string)",
    "duration": "a whole number and a unit (s, m, h, d, w or y), such as 90d",
    "secret": 'given as { env = "VARIABLE" } or { file = "PATH" }',
    "secrets": 'a list of { env = "VARIABLE" } and { file = "PATH" }, one for each secret',
    "list": "a list of strings",
    "table": "a table of strings",
    "values": "a table of strings, whole numbers, true or false, and lists and tables of them",
    "tables": "a list of tables",
}


class RawValue(NamedTuple):
    """One value as it was given. Its `repr` omits the value: a secret may have been written there by mistake.

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

    def error(self, rule: str, *, hint: str | None = None) -> ConfigError:
        """`SOURCE: PATH RULE`; without a source, such as an argument, `PATH RULE`."""
        return ConfigError(f"{self.source}: {self.path} {rule}".removeprefix(": "), hint=hint)


@final
class Fetched(str):
    """Text that was read through a pointer. Its `repr` omits it, because messages quote unknown names by `repr`.

    If a pointer names the wrong file, that file's content must not appear in an error.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "<what it points to>"


def is_indirection(value: object) -> bool:
    """Whether a value reads as `{ env = … }` or `{ file = … }`."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in ("env", "file")


@final
class Options(Mapping[str, object]):
    """Checked settings. Read them by the method for their type; `options["name"]` returns them untyped.

    Every method raises `KeyError` for an undeclared name: a bug of the plugin, not an error of its user.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object] = {}) -> None:
        self._values = dict(values)

    @classmethod
    def of(cls, settings: Sequence[Setting], **values: object) -> Options:
        """Options with these values, and the defaults of the other settings: for tests, and programs without a file.

        Nothing is parsed or checked: a duration is a `timedelta`, a secret a `Secret`.

        Raises:
            TypeError: a value is of no setting, or one that is required is missing.
        """
        known = {setting.name: setting.default for setting in settings}
        wrong = [
            *(values.keys() - known.keys()),
            *(name for name, value in (known | values).items() if value is REQUIRED),
        ]
        if wrong:
            raise TypeError(f"not a setting, or required: {', '.join(sorted(wrong))}")
        return cls(known | values)

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

    def optional_duration(self, name: str) -> timedelta | None:
        """The value of a `duration` setting, or None."""
        return cast("timedelta | None", self._values[name])

    def secret(self, name: str) -> Secret:
        """The value of a `secret` setting."""
        return cast(Secret, self._values[name])

    def secrets(self, name: str) -> tuple[Secret, ...]:
        """The value of a `secrets` setting."""
        return cast("tuple[Secret, ...]", self._values[name])

    def texts(self, name: str) -> tuple[str, ...]:
        """The value of a `list` setting."""
        return cast("tuple[str, ...]", self._values[name])

    def table(self, name: str) -> Mapping[str, str]:
        """The value of a `table` setting."""
        return cast("Mapping[str, str]", self._values[name])

    def mapping(self, name: str) -> Mapping[str, object]:
        """The value of a `values` setting."""
        return cast("Mapping[str, object]", self._values[name])
