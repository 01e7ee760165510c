"""Configuration: layered, checked, and each value knows where it came from.

Layers, lowest first: the built-in defaults, the file, the chosen profile, `KEYWRIGHT__…` variables, `--option`. What is
checked here is the shape, the core's own settings and every reference; a plugin's settings are checked by the
plugin's declarations when a store or seal is opened. This module knows no plugin.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, cast

from keywright.config.find import Environment, find_config, read_config, user_directory, working_directory
from keywright.config.layers import (
    SECTIONS,
    Layer,
    Report,
    at_once,
    document_layer,
    dotted,
    environment_layer,
    listed,
    merged,
    option_layer,
    sound,
)
from keywright.config.model import KEY_SETTINGS, KeyConfig, PluginConfig, SealConfig, StoreConfig
from keywright.errors import ConfigError
from keywright.secret import shown_name
from keywright.settings.model import TABLE_TYPES, RawValue, Setting, is_indirection
from keywright.settings.values import parse_setting
from keywright.text import did_you_mean

_BUILT_IN: Final = "built-in defaults"
_INDIRECT_LATER: Final = frozenset(setting.name for setting in KEY_SETTINGS if setting.type not in TABLE_TYPES)


class Config(NamedTuple):
    """What is configured.

    Attributes:
        source: the file's path, or `built-in defaults`.
        base: the directory that relative paths in it start from.
        profile: the chosen profile, or None.
        plugins: the entry-point names that may be loaded, or None: all of them.
        default_store: the store that is meant where none is named; always one of `stores`.
        stores, seals, keys: the tables by name.
        plugin: the tables of settings that plugins declare, by the plugin's name.
        given: every value, as `values` yields them.
    """

    source: str
    base: str
    profile: str | None
    plugins: tuple[str, ...] | None
    default_store: str
    stores: Mapping[str, StoreConfig]
    seals: Mapping[str, SealConfig]
    keys: Mapping[str, KeyConfig]
    plugin: Mapping[str, PluginConfig]
    given: tuple[RawValue, ...]

    def store(self, name: str | None) -> StoreConfig:
        """The table of a store; None: of the default store.

        Raises:
            ConfigError: no such store is configured.
        """
        name = self.default_store if name is None else name
        if name not in self.stores:
            path, hint = dotted("stores", shown_name(name)), did_you_mean(name, self.stores)
            raise ConfigError(f"{self.source}: {path} is not configured{hint}", hint=listed(self.stores))
        return self.stores[name]

    def key(self, name: str) -> KeyConfig:
        """The table of a key, an empty one if it has none."""
        return self.keys.get(name) or KeyConfig(name, {}, dotted("keys", name), self.source)

    def values(self) -> Iterator[RawValue]:
        """Every value with its source, sorted by path. Values are as given: a reader of them redacts secrets."""
        return iter(sorted(self.given, key=lambda given: given.path))


def load_config(
    path: str | None = None,
    *,
    profile: str | None = None,
    options: Sequence[tuple[str, str]] = (),
    environ: Mapping[str, str] | None = None,
    cwd: str | None = None,
    report: Report = at_once,
) -> Config:
    """Find, read, layer and check the configuration.

    `path` is `--config` (see `find_config` for where else it looks), `profile` is `--profile` (else
    `$KEYWRIGHT_PROFILE`; empty counts as unset), `options` are pairs of dotted path and text. `environ` and `cwd`
    default to the process's own; an `{ env = … }` always reads the process's. `report` gets each problem that leaves
    the rest to be checked, in place of the first being raised; what is wrong is left out.

    A configuration without any store gets `stores.default`: SQLite in `keywright/keys.db` in `$XDG_DATA_HOME`
    (`~/.local/share`). Where there is one store and no `default_store`, it is that one.

    Raises:
        ConfigError: the file or anything in it is wrong, an unknown profile, a variable or option that reaches
            nothing, or there is neither a store nor a home directory.
    """
    environ = Environment(os.environ if environ is None else environ)
    cwd = working_directory() if cwd is None else cwd
    found = find_config(path, environ=environ, cwd=cwd)
    document = RawValue({}, "", _BUILT_IN, cwd) if found is None else read_config(found)
    if profile is None:
        profile = environ.get("KEYWRIGHT_PROFILE") or None
    layer = _with_a_store(document_layer(document, profile, report), environ)
    layer = merged(layer, environment_layer(environ, layer, cwd))
    layer = merged(layer, option_layer(options, layer, cwd))
    return _checked(layer, document, profile, report)


def config_from(
    document: Mapping[str, object],
    *,
    profile: str | None = None,
    options: Sequence[tuple[str, str]] = (),
    source: str = "given settings",
    base: str | None = None,
) -> Config:
    """Check settings that a program gives as a mapping. No file is read, and no `KEYWRIGHT…` variable.

    `base` is where relative paths start, the current directory by default; `source` is for messages.

    Raises:
        ConfigError: as `load_config`.
    """
    whole = RawValue(document, "", source, working_directory() if base is None else base)
    layer = _with_a_store(document_layer(whole, profile), Environment(os.environ))
    layer = merged(layer, option_layer(options, layer, whole.base))
    return _checked(layer, whole, profile)


def _with_a_store(layer: Layer, environ: Environment) -> Layer:
    if layer.tables["stores"] or layer.left_out:
        return layer
    directory = user_directory("XDG_DATA_HOME", os.path.join(".local", "share"), environ)
    if directory is None:
        raise ConfigError(f"{_BUILT_IN}: the home directory is not known", hint="set HOME, or configure a store")
    backend = RawValue("sqlite", "stores.default.backend", _BUILT_IN, directory)
    path = RawValue(os.path.join(directory, "keywright", "keys.db"), "stores.default.path", _BUILT_IN, directory)
    layer.tables["stores"] = {"default": {"backend": backend, "path": path}}
    return layer


def _checked(layer: Layer, document: RawValue, profile: str | None, report: Report = at_once) -> Config:
    tables = layer.tables
    source = document.source
    # A table that was left out because of another problem exists all the same.
    known = {
        section: {*tables[section], *(name for there, name in layer.left_out if there == section)}
        for section in ("stores", "seals")
    }
    seals = sound(tables["seals"], lambda name, given: _seal_table(name, given, source), report)
    stores = sound(tables["stores"], lambda name, given: _store_table(name, given, source, known["seals"]), report)
    keys = sound(tables["keys"], lambda name, given: _key_table(name, given, source, known["stores"]), report)
    default = layer.top.get("default_store") or _only_store(known["stores"], source)
    leaves = [given for section in SECTIONS for table in tables[section].values() for given in table.values()]
    return Config(
        source=source,
        base=document.base,
        profile=profile,
        plugins=_plugins(layer.top.get("plugins")),
        default_store=_reference(default, known["stores"], "a store"),
        stores=stores,
        seals=seals,
        keys=keys,
        plugin={
            name: PluginConfig(name, given, dotted("plugin", name), _source_of(given, source))
            for name, given in tables["plugin"].items()
        },
        given=(*{**layer.top, "default_store": default}.values(), *leaves),
    )


def _source_of(table: Mapping[str, RawValue], source: str) -> str:
    return next((given.source for given in table.values()), source)


def _seal_table(name: str, table: Mapping[str, RawValue], source: str) -> SealConfig:
    path = dotted("seals", name)
    seal, source = _kind(table, "seal", path, source, "a seal")
    return SealConfig(name, seal, {key: given for key, given in table.items() if key != "seal"}, path, source)


def _store_table(name: str, table: Mapping[str, RawValue], source: str, seals: Collection[str]) -> StoreConfig:
    path = dotted("stores", name)
    backend, source = _kind(table, "backend", path, source, "a store backend")
    seal = _reference(table["seal"], seals, "a seal") if "seal" in table else None
    given = {key: value for key, value in table.items() if key not in ("backend", "seal")}
    return StoreConfig(name, backend, seal, given, path, source)


def _kind(table: Mapping[str, RawValue], setting: str, path: str, source: str, what: str) -> tuple[str, str]:
    if setting not in table:
        near = next((f" (instead of {name!r}?)" for name in table if did_you_mean(name, (setting,))), "")
        raise ConfigError(
            f"{source}: {path}.{setting} is missing{near}: name {what}", hint="`keywright plugins` lists them"
        )
    return _text(table[setting]), table[setting].source


def _text(given: RawValue) -> str:
    return cast(str, parse_setting(Setting(given.path, "text"), given))


def _reference(given: RawValue, tables: Collection[str], what: str) -> str:
    name = RawValue(_text(given), given.path, given.source, given.base)
    return _found(name, tables, what)


def _found(name: RawValue, tables: Collection[str], what: str) -> str:
    if name.value not in tables:
        hint = did_you_mean(cast(str, name.value), sorted(tables))
        raise name.error(f"names {what} that is not configured{hint}", hint=listed(tables))
    return str(name.value)  # it is configured, so it may be shown even if it was fetched


def _only_store(stores: Collection[str], source: str) -> RawValue:
    if len(stores) > 1:
        raise ConfigError(
            f"{source}: default_store is not set, and there are several stores",
            hint=f"set it, as --store does not replace it; {listed(stores)}",
        )
    return RawValue(next(iter(stores)), "default_store", "the only store", "")


def _key_table(name: str, table: Mapping[str, RawValue], source: str, stores: Collection[str]) -> KeyConfig:
    """What `{ env = … }` and `{ file = … }` point to is left to the command that needs this key."""
    key = KeyConfig(name, table, dotted("keys", name), source)
    later = {name for name in key.given.keys() & _INDIRECT_LATER if is_indirection(key.given[name].value)}
    given = {name: value for name, value in key.given.items() if name not in later}
    KeyConfig(key.name, given, key.path, key.source).common()
    if "store" in given:
        _found(given["store"], stores, "a store")
    return key


def _plugins(given: RawValue | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    names = cast("tuple[str, ...]", parse_setting(Setting("plugins", "list"), given))
    if len(set(names)) != len(names):
        raise given.error("names a plugin twice", hint="list it once")
    return names
