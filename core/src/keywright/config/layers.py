"""Layers of configuration: one document as settings with their sources, and merging one layer over another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from keywright.config.find import Environment
from keywright.config.model import KEY_SETTINGS
from keywright.errors import ConfigError, InvalidNameError
from keywright.keys import check_name
from keywright.secret import shown_name
from keywright.settings.model import TABLE_TYPES, Fetched, RawValue, is_indirection
from keywright.text import did_you_mean

SECTIONS: Final = {"stores": "backend", "seals": "seal", "keys": "type", "plugin": None}
"""The tables of named tables, and which setting of such a table says what it is a table of, if one does."""

TOP_SETTINGS: Final = ("default_store", "plugins")

_SETTING_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
_TABLE_NAME: Final = _SETTING_NAME | {"-"}
_KEPT: Final[dict[str, frozenset[str]]] = {
    "stores": frozenset({"seal"}),
    "seals": frozenset(),
    "keys": frozenset(setting.name for setting in KEY_SETTINGS),
    "plugin": frozenset(),
}
_KEY_TABLES: Final = frozenset(setting.name for setting in KEY_SETTINGS if setting.type in TABLE_TYPES)


class Layer:
    """Settings by place.

    Attributes:
        top: `default_store` and `plugins`.
        tables: section (`stores`), name (`local`), setting (`path`) → value.
        left_out: section and name of the tables that were reported and left out.
    """

    __slots__ = ("left_out", "tables", "top")

    def __init__(self) -> None:
        self.left_out: set[tuple[str, str]] = set()
        self.top: dict[str, RawValue] = {}
        self.tables: dict[str, dict[str, dict[str, RawValue]]] = {section: {} for section in SECTIONS}


def at_once(error: ConfigError) -> None:
    """Raise a problem where it is found; what is called in its place may collect all of them.

    Raises:
        ConfigError: always.
    """
    raise error


_Item = TypeVar("_Item")
_T = TypeVar("_T")
Report = Callable[[ConfigError], None]


def sound(items: Mapping[str, _Item], read: Callable[[str, _Item], _T], report: Report) -> dict[str, _T]:
    """What `read` returns for each item. One that it refuses is reported and left out."""
    found: dict[str, _T] = {}
    for name, given in items.items():
        try:
            found[name] = read(name, given)
        except ConfigError as error:
            report(error)
    return found


def document_layer(document: RawValue, profile: str | None, report: Report = at_once) -> Layer:
    """A whole document as one layer, with one of its profiles merged over it. Every profile's shape is checked.

    `report` gets each problem in place of the first being raised; what is wrong is left out.

    Raises:
        ConfigError: an unknown top-level name, another value where a table is required, a name that is not valid, or
            an unknown profile.
    """
    found = children(document, "must be a table")
    profiles = children(found.pop("profiles"), "must hold tables: [profiles.NAME]") if "profiles" in found else {}
    layers = sound(profiles, lambda name, given: _profile_layer(name, given, report), report)
    layer = _layer(found, report, "profiles")
    if profile is None:
        return layer
    if profile not in profiles:
        path, hint = dotted("profiles", shown_name(profile)), did_you_mean(profile, layers)
        raise ConfigError(f"{document.source}: {path} is not configured{hint}", hint=listed(profiles))
    return merged(layer, layers[profile]) if profile in layers else layer


def _profile_layer(name: str, given: RawValue, report: Report) -> Layer:
    _check_table_name(given, name, "profile")
    inside = children(given, f"must be a table: [{given.path}]")
    if "profiles" in inside:
        raise given.error("has a table `profiles`: profiles cannot be nested", hint="move it to the top level")
    source = f"{given.source} (profile {name})"
    return _layer({key: value._replace(path=dotted(key), source=source) for key, value in inside.items()}, report)


def _layer(found: Mapping[str, RawValue], report: Report, *more: str) -> Layer:
    layer = Layer()

    def read(name: str, given: RawValue) -> None:
        if name in SECTIONS:
            _read_section(layer, name, given, report)
        elif name in TOP_SETTINGS:
            layer.top[name] = given
        else:
            known = (*TOP_SETTINGS, *SECTIONS, *more)
            raise given.error(
                f"is not a known setting or table{did_you_mean(name, known)}", hint=f"available: {', '.join(known)}"
            )

    sound(found, read, report)
    return layer


def _read_section(layer: Layer, section: str, given: RawValue, report: Report) -> None:
    def read(name: str, table: RawValue) -> dict[str, RawValue]:
        if section == "keys":
            _check_key_name(table, name)
        else:
            _check_table_name(table, name, section.removesuffix("s"))
        return _table(section, table)

    tables = children(given, f"must hold tables: [{section}.NAME]")
    layer.tables[section] = sound(tables, read, report)
    layer.left_out |= {(section, name) for name in tables.keys() - layer.tables[section].keys()}


def _table(section: str, table: RawValue) -> dict[str, RawValue]:
    settings = children(table, f"must be a table: [{table.path}]")
    for name, given in settings.items():
        if section == "keys" and name not in _KEY_TABLES and _is_key_without_quotes(given):
            raise given.error(
                "is a table, where a value is expected", hint='quote a name that has dots: [keys."example.org"]'
            )
        if not is_setting_name(name):
            raise given.error("is not a setting name, which has only a-z, 0-9 and '_'")
    return settings


def _is_key_without_quotes(given: RawValue) -> bool:
    """Whether this comes from `[keys.example.org]`, which is the table `org` in the table `keys.example`."""
    if not isinstance(given.value, Mapping) or is_indirection(given.value):
        return False
    texts = all(isinstance(item, str) for item in given.value.values())
    return not texts or given.value.keys() <= _KEPT["keys"]


def is_setting_name(name: str) -> bool:
    """Whether a plugin could declare a setting of that name."""
    return bool(name) and _SETTING_NAME.issuperset(name)


def _check_table_name(given: RawValue, name: str, what: str) -> None:
    if not name or name[0] in "_-" or not _TABLE_NAME.issuperset(name):
        raise given.error(
            f"is not a valid {what} name: it may have a-z, 0-9, '_' and '-', and begins with a letter or digit"
        )


def _check_key_name(given: RawValue, name: str) -> None:
    try:
        check_name(name)
    except InvalidNameError as error:
        raise given.error(f"is not a valid key name: {error}", hint=error.hint) from None


def children(given: RawValue, rule: str) -> dict[str, RawValue]:
    """The entries of a table, by name.

    Raises:
        ConfigError: it is not a table (`rule` says what it must be), or a name in it is not text.
    """
    here = given._replace(path=given.path or "the whole")
    if not isinstance(given.value, Mapping):
        raise here.error(rule)
    if not all(isinstance(name, str) for name in given.value):
        raise here.error("must have text as names")
    prefix = f"{given.path}." if given.path else ""
    return {
        name: RawValue(value, prefix + dotted(name), given.source, given.base) for name, value in given.value.items()
    }


def merged(lower: Layer, upper: Layer) -> Layer:
    """`upper` over `lower`, setting by setting; tables among the settings (`variables`, `labels`) entry by entry.

    If `upper` changes the `backend` (`stores`), `seal` (`seals`) or `type` (`keys`) of a table, the settings in
    `lower` that belong to the old one are dropped: the `path` of an SQLite store means nothing to another backend. A
    store's `seal` and the core's own settings of a key stay. A list, and a table that reads as `{ env = … }` or
    `{ file = … }`, replaces the lower value completely.
    """
    layer = Layer()
    layer.top = {**lower.top, **upper.top}
    layer.left_out = lower.left_out | upper.left_out
    for section in SECTIONS:
        under, over = lower.tables[section], upper.tables[section]
        layer.tables[section] = {**under, **{name: _merged(section, under.get(name, {}), over[name]) for name in over}}
    return layer


def _merged(section: str, lower: dict[str, RawValue], upper: dict[str, RawValue]) -> dict[str, RawValue]:
    kind = SECTIONS[section]
    if kind is not None and kind in lower and kind in upper and not _is_same_text(lower[kind], upper[kind]):
        lower = {name: given for name, given in lower.items() if name in _KEPT[section]}
    table = dict(lower)
    for name, given in upper.items():
        certain = section == "keys" and name in _KEY_TABLES
        below = lower.get(name)
        table[name] = given if below is None else _merged_value(below, given, certain=certain)
    return table


def _is_same_text(lower: RawValue, upper: RawValue) -> bool:
    return isinstance(lower.value, str) and isinstance(upper.value, str) and lower.value == upper.value


def _merged_value(lower: RawValue, upper: RawValue, *, certain: bool) -> RawValue:
    if not (isinstance(lower.value, Mapping) and isinstance(upper.value, Mapping)):
        return upper
    if not certain and (is_indirection(lower.value) or is_indirection(upper.value)):
        return upper
    return upper._replace(value={**lower.value, **upper.value})


_BARE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_PART: Final = r"""[ \t]*(?:([A-Za-z0-9_-]+)|"([^"\\]*)"|'([^']*)')[ \t]*(\.|\Z)"""
_MOST_LISTED: Final = 12


def dotted(*parts: str) -> str:
    """`stores.local.path`, with quotes around a part that needs them in TOML: `keys."cache.example.org"`.

    A part with control characters, or longer than any name, becomes `<odd name>`; one that came from a pointer becomes
    `<what it points to>`.
    """
    return ".".join(map(_quoted, parts))


def _quoted(part: str) -> str:
    if isinstance(part, Fetched):
        return repr(part)
    if 0 < len(part) <= 64 and _BARE.issuperset(part):
        return part
    odd = len(part) > 200 or not part.isprintable() or '"' in part or "\\" in part
    return "<odd name>" if odd else f'"{part}"'


def split_path(text: str) -> tuple[str, ...] | None:
    """The parts of a TOML dotted key (TOML 1.0, "Keys"; no escapes in quoted parts); None if it is not valid."""
    parts: list[str] = []
    position = 0
    expression = re.compile(_PART, re.ASCII)  # here, because few commands use an option
    while match := expression.match(text, position):
        parts.append(next(part for part in match.group(1, 2, 3) if part is not None))
        if not match[4]:
            return tuple(parts)
        position = match.end()
    return None


def listed(names: Iterable[str]) -> str:
    """A hint that lists the names, sorted and cut after a dozen."""
    ordered = sorted(names)
    more = ", …" if len(ordered) > _MOST_LISTED else ""
    return f"available: {', '.join(ordered[:_MOST_LISTED])}{more}" if ordered else "none is configured: add its table"


_PREFIX: Final = "KEYWRIGHT__"
_MISSPELT: Final = tuple(f"KEYWRIGHT_{section.upper()}__" for section in SECTIONS)
_AS_UNDERSCORE: Final = str.maketrans("-./", "___")


def environment_layer(environ: Environment, below: Layer, base: str) -> Layer:
    """`KEYWRIGHT__STORES__LOCAL__PATH` is `stores.local.path`; `-`, `.` and `/` of a name are written `_`.

    The case of a variable's name does not matter. A setting whose name has two underscores in a row cannot be
    reached so. Relative paths start from `base`.

    Raises:
        ConfigError: a variable with that prefix matches no configured table or more than one, two variables reach one
            setting, or one has a single underscore after `KEYWRIGHT`.
    """
    for variable in environ:
        if variable.upper().startswith(_MISSPELT):
            source = f"environment variable {_shown_variable(variable)}"
            raise ConfigError(f"{source}: has one underscore after KEYWRIGHT", hint=f"write two: {_PREFIX}…")
    variables = sorted(name for name in environ if name[: len(_PREFIX)].upper() == _PREFIX)
    layer = Layer()
    if not variables:
        return layer
    spellings = _spellings(below)
    for variable in variables:
        source = f"environment variable {_shown_variable(variable)}"
        place = _place_of(variable, source, spellings)
        _put(layer, place, RawValue(environ[variable], dotted(*place), source, base, textual=True))
    return layer


def _shown_variable(variable: str) -> str:
    plain = variable.isascii() and variable.replace("_", "").isalnum() and len(variable) <= 300
    return variable if plain else f"{_PREFIX}…"


def _spellings(below: Layer) -> dict[str, list[tuple[str, ...]]]:
    spellings: dict[str, list[tuple[str, ...]]] = {}
    for section, tables in below.tables.items():
        for name in tables:
            spelling = f"{section}__{name}".translate(_AS_UNDERSCORE).upper()
            spellings.setdefault(spelling, []).append((section, name))
    return spellings


def _place_of(variable: str, source: str, spellings: Mapping[str, list[tuple[str, ...]]]) -> tuple[str, ...]:
    rest = variable[len(_PREFIX) :]
    # Only ASCII: upper() would turn other letters into these.
    rest = rest.upper() if rest.isascii() else ""
    if rest.lower() in TOP_SETTINGS:
        return (rest.lower(),)
    table, _, setting = rest.rpartition("__")
    places = spellings.get(table) or spellings.get(rest, [])
    if not places:
        section, _, name = table.partition("__")
        known = [spelling.removeprefix(f"{section}__") for spelling in spellings if spelling.startswith(f"{section}__")]
        tables = [dotted(*place) for found in spellings.values() for place in found]
        raise ConfigError(
            f"{source}: matches no configured table{did_you_mean(name, known)}",
            hint=f"use {_PREFIX}STORES__NAME__SETTING (or SEALS, KEYS), or {_PREFIX}DEFAULT_STORE; {listed(tables)}",
        )
    if len(places) > 1:
        both = " and ".join(dotted(*place) for place in sorted(places))
        raise ConfigError(f"{source}: could mean {both}", hint="use --option, which is not ambiguous")
    if table not in spellings or not is_setting_name(setting.lower()):
        raise ConfigError(f"{source}: names no setting of {dotted(*places[0])}", hint="add __ and the setting's name")
    return (*places[0], setting.lower())


def option_layer(options: Sequence[tuple[str, str]], below: Layer, base: str) -> Layer:
    """`--option stores.local.path VALUE`: a dotted path as TOML writes it. Relative paths start from `base`.

    Raises:
        ConfigError: a path cannot be read, matches no configured table, or is given twice.
    """
    layer = Layer()
    for path, value in options:
        place = split_path(path)
        if place is None:
            raise ConfigError(
                '--option: the setting is a dotted path, such as stores.local.path or keys."example.org".overlap'
            )
        _check_place(place, below)
        _put(layer, place, RawValue(value, dotted(*place), "--option", base, textual=True))
    return layer


def _check_place(place: tuple[str, ...], below: Layer) -> None:
    path = dotted(*place)
    if len(place) == 1 and place[0] in TOP_SETTINGS:
        return
    if len(place) != 3 or place[0] not in SECTIONS or not is_setting_name(place[2]):
        known = (*TOP_SETTINGS, *SECTIONS)
        hint = "" if place[0] in known else did_you_mean(place[0], known)
        raise ConfigError(
            f"--option: {path} is not a setting{hint}",
            hint=(
                "write default_store, plugins, or TABLE.NAME.SETTING, where TABLE is stores, seals or keys, and "
                "quote a NAME that has dots"
            ),
        )
    section, name, _ = place
    tables = below.tables[section]
    if name not in tables:
        table = dotted(section, name)
        raise ConfigError(f"--option: {table} is not configured{did_you_mean(name, tables)}", hint=listed(tables))


def _put(layer: Layer, place: tuple[str, ...], given: RawValue) -> None:
    table = layer.top if len(place) == 1 else layer.tables[place[0]].setdefault(place[1], {})
    if place[-1] in table:
        raise given.error("is given twice", hint="pass it once")
    table[place[-1]] = given
