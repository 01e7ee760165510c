"""Layers of configuration: one document as settings that know where they came from, and one layer over another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keywright.config.paths import dotted, listed
from keywright.config.tables import KEY_SETTINGS
from keywright.errors import ConfigError, InvalidNameError
from keywright.misplaced import shown_name
from keywright.names import check_name
from keywright.setting_values import TABLE_TYPES, is_indirection
from keywright.settings import Given
from keywright.spelling import did_you_mean

__all__ = ["SECTIONS", "TOP_SETTINGS", "Layer", "document_layer", "is_setting_name", "merged"]

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
    """

    __slots__ = ("tables", "top")

    def __init__(self) -> None:
        self.top: dict[str, Given] = {}
        self.tables: dict[str, dict[str, dict[str, Given]]] = {section: {} for section in SECTIONS}


def document_layer(document: Given, profile: str | None) -> Layer:
    """A whole document as one layer, with one of its profiles merged over it. Every profile's shape is checked.

    Raises:
        ConfigError: an unknown top-level name, something else where a table belongs, a name that is none, or no
            such profile.
    """
    found = children(document, "must be a table")
    profiles = children(found.pop("profiles"), "must hold tables: [profiles.NAME]") if "profiles" in found else {}
    layers = {name: _profile_layer(name, given) for name, given in profiles.items()}
    layer = _layer(found, "profiles")
    if profile is None:
        return layer
    if profile not in layers:
        path, hint = dotted("profiles", shown_name(profile)), did_you_mean(profile, layers)
        raise ConfigError(f"{document.source}: {path} is not configured{hint}{listed(profiles)}")
    return merged(layer, layers[profile])


def _profile_layer(name: str, given: Given) -> Layer:
    _check_table_name(given, name, "profile")
    inside = children(given, f"must be a table: [{given.path}]")
    if "profiles" in inside:
        raise given.error("holds a table `profiles`: profiles do not nest; put it beside the others")
    source = f"{given.source} (profile {name})"
    return _layer({key: value._replace(path=dotted(key), source=source) for key, value in inside.items()})


def _layer(found: Mapping[str, Given], *more: str) -> Layer:
    layer = Layer()
    for name, given in found.items():
        if name in SECTIONS:
            layer.tables[name] = _section(name, given)
        elif name in TOP_SETTINGS:
            layer.top[name] = given
        else:
            known = (*TOP_SETTINGS, *SECTIONS, *more)
            raise given.error(f"is no setting or table here{did_you_mean(name, known)}; there are: {', '.join(known)}")
    return layer


def _section(section: str, given: Given) -> dict[str, dict[str, Given]]:
    tables: dict[str, dict[str, Given]] = {}
    for name, table in children(given, f"must hold tables: [{section}.NAME]").items():
        if section == "keys":
            _check_key_name(table, name)
        else:
            _check_table_name(table, name, section.removesuffix("s"))
        tables[name] = _table(section, table)
    return tables


def _table(section: str, table: Given) -> dict[str, Given]:
    settings = children(table, f"must be a table: [{table.path}]")
    for name, given in settings.items():
        if section == "keys" and name not in _KEY_TABLES and _is_key_without_quotes(given):
            raise given.error('is a table where a setting belongs; quote a name that has dots: [keys."example.org"]')
        if not is_setting_name(name):
            raise given.error("is no setting: their names are made of a-z, 0-9 and '_'")
    return settings


def _is_key_without_quotes(given: Given) -> bool:
    """Whether this came of `[keys.example.org]`, which is the table `org` in the table `keys.example`."""
    if not isinstance(given.value, Mapping) or is_indirection(given.value):
        return False
    texts = all(isinstance(item, str) for item in given.value.values())
    return not texts or given.value.keys() <= _KEPT["keys"]


def is_setting_name(name: str) -> bool:
    """Whether a plugin could declare a setting of that name."""
    return bool(name) and _SETTING_NAME.issuperset(name)


def _check_table_name(given: Given, name: str, what: str) -> None:
    if not name or name[0] in "_-" or not _TABLE_NAME.issuperset(name):
        raise given.error(f"is no {what} name: they are made of a-z, 0-9, '_' and '-', a letter or digit first")


def _check_key_name(given: Given, name: str) -> None:
    try:
        check_name(name)
    except InvalidNameError as error:
        raise given.error(f"is no key name: {error}") from None


def children(given: Given, rule: str) -> dict[str, Given]:
    """What a table holds, by name.

    Raises:
        ConfigError: it is no table (`rule` says what it must be), or a name in it is no text.
    """
    here = given._replace(path=given.path or "the whole")
    if not isinstance(given.value, Mapping):
        raise here.error(rule)
    if not all(isinstance(name, str) for name in given.value):
        raise here.error("must have texts for names")
    prefix = f"{given.path}." if given.path else ""
    return {name: Given(value, prefix + dotted(name), given.source, given.base) for name, value in given.value.items()}


def merged(lower: Layer, upper: Layer) -> Layer:
    """`upper` over `lower`, setting by setting; tables among the settings (`variables`, `labels`) entry by entry.

    A table whose `backend` (`stores`), `seal` (`seals`) or `type` (`keys`) changes on the way up loses the settings
    that stand below and that belonged to what it was: the `path` of an SQLite store says nothing to another
    backend. A store's `seal` and the core's own settings of a key stay. A list, and a table that reads as
    `{ env = … }` or `{ file = … }`, replaces what is below it whole.
    """
    layer = Layer()
    layer.top = {**lower.top, **upper.top}
    for section in SECTIONS:
        under, over = lower.tables[section], upper.tables[section]
        layer.tables[section] = {**under, **{name: _merged(section, under.get(name, {}), over[name]) for name in over}}
    return layer


def _merged(section: str, lower: dict[str, Given], upper: dict[str, Given]) -> dict[str, Given]:
    kind = SECTIONS[section]
    if kind is not None and kind in lower and kind in upper and not _is_same_text(lower[kind], upper[kind]):
        lower = {name: given for name, given in lower.items() if name in _KEPT[section]}
    table = dict(lower)
    for name, given in upper.items():
        certain = section == "keys" and name in _KEY_TABLES
        below = lower.get(name)
        table[name] = given if below is None else _merged_value(below, given, certain=certain)
    return table


def _is_same_text(lower: Given, upper: Given) -> bool:
    return isinstance(lower.value, str) and isinstance(upper.value, str) and lower.value == upper.value


def _merged_value(lower: Given, upper: Given, *, certain: bool) -> Given:
    if not (isinstance(lower.value, Mapping) and isinstance(upper.value, Mapping)):
        return upper
    if not certain and (is_indirection(lower.value) or is_indirection(upper.value)):
        return upper
    return upper._replace(value={**lower.value, **upper.value})
