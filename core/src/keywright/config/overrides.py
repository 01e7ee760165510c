"""The layers that come as text: `KEYWRIGHT__…` variables and `--option`. Both reach configured tables only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from keywright.config.environment import Environment
from keywright.config.layers import SECTIONS, TOP_SETTINGS, Layer, is_setting_name
from keywright.config.paths import dotted, listed, split_path
from keywright.errors import ConfigError
from keywright.settings import Given
from keywright.spelling import did_you_mean

__all__ = ["environment_layer", "option_layer"]

_PREFIX: Final = "KEYWRIGHT__"
_AS_UNDERSCORE: Final = str.maketrans("-./", "___")


def environment_layer(environ: Environment, below: Layer, base: str) -> Layer:
    """`KEYWRIGHT__STORES__LOCAL__PATH` is `stores.local.path`; `-`, `.` and `/` of a name are written `_`.

    The case of a variable's name does not matter. A setting whose name has two underscores in a row cannot be
    reached so. Relative paths start from `base`.

    Raises:
        ConfigError: a variable with that prefix reaches no configured table or more than one, or two variables
            reach one setting.
    """
    variables = sorted(name for name in environ if name[: len(_PREFIX)].upper() == _PREFIX)
    layer = Layer()
    if not variables:
        return layer
    spellings = _spellings(below)
    for variable in variables:
        source = f"environment variable {_spelt(variable)}"
        place = _place_of(variable, source, spellings, below)
        _put(layer, place, Given(environ[variable], dotted(*place), source, base, textual=True))
    return layer


def _spelt(variable: str) -> str:
    plain = variable.isascii() and variable.replace("_", "").isalnum() and len(variable) <= 300
    return variable if plain else f"{_PREFIX}…"


def _spellings(below: Layer) -> dict[str, list[tuple[str, ...]]]:
    spellings: dict[str, list[tuple[str, ...]]] = {}
    for section, tables in below.tables.items():
        for name in tables:
            spelling = f"{section}__{name}".translate(_AS_UNDERSCORE).upper()
            spellings.setdefault(spelling, []).append((section, name))
    return spellings


def _place_of(
    variable: str, source: str, spellings: Mapping[str, list[tuple[str, ...]]], below: Layer
) -> tuple[str, ...]:
    rest = variable[len(_PREFIX) :]
    # Only ASCII: upper() would turn other letters into these.
    rest = rest.upper() if rest.isascii() else ""
    if rest.lower() in TOP_SETTINGS:
        return (rest.lower(),)
    table, _, setting = rest.rpartition("__")
    places = spellings.get(table, [])
    if not places:
        section, _, name = table.partition("__")
        known = [spelling.removeprefix(f"{section}__") for spelling in spellings if spelling.startswith(f"{section}__")]
        hint = did_you_mean(name, known)
        raise ConfigError(
            f"{source}: reaches no configured table{hint}; it is spelt {_PREFIX}STORES__NAME__SETTING (or SEALS, "
            f"KEYS){listed(_tables(below))}"
        )
    if len(places) > 1:
        both = " and ".join(dotted(*place) for place in sorted(places))
        raise ConfigError(f"{source}: could mean {both}; use --option, which tells them apart")
    if not is_setting_name(setting.lower()):
        raise ConfigError(f"{source}: names no setting of {dotted(*places[0])}; add __ and the setting's name")
    return (*places[0], setting.lower())


def option_layer(options: Sequence[tuple[str, str]], below: Layer, base: str) -> Layer:
    """`--option stores.local.path VALUE`: a dotted path as TOML writes it. Relative paths start from `base`.

    Raises:
        ConfigError: a path cannot be read, reaches no configured table, or is given twice.
    """
    layer = Layer()
    for path, value in options:
        place = split_path(path)
        if place is None:
            raise ConfigError(
                '--option: the setting is a dotted path, such as stores.local.path or keys."example.org".overlap'
            )
        _check_place(place, below)
        _put(layer, place, Given(value, dotted(*place), "--option", base, textual=True))
    return layer


def _check_place(place: tuple[str, ...], below: Layer) -> None:
    path = dotted(*place)
    if len(place) == 1 and place[0] in TOP_SETTINGS:
        return
    if len(place) != 3 or place[0] not in SECTIONS or not is_setting_name(place[2]):
        known = (*TOP_SETTINGS, *SECTIONS)
        hint = "" if place[0] in known else did_you_mean(place[0], known)
        raise ConfigError(
            f"--option: {path} is no setting{hint}; write default_store, plugins, or TABLE.NAME.SETTING, "
            "where TABLE is stores, seals or keys, and quote a NAME that has dots"
        )
    section, name, _ = place
    tables = below.tables[section]
    if name not in tables:
        table = dotted(section, name)
        raise ConfigError(f"--option: {table} is not configured{did_you_mean(name, tables)}{listed(tables)}")


def _tables(below: Layer) -> list[str]:
    return [dotted(section, name) for section, tables in below.tables.items() for name in tables]


def _put(layer: Layer, place: tuple[str, ...], given: Given) -> None:
    table = layer.top if len(place) == 1 else layer.tables[place[0]].setdefault(place[1], {})
    if place[-1] in table:
        raise given.error("is given twice; give it once")
    table[place[-1]] = given
