"""The JSON Schema of the configuration file, made of what the plugins declare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from keywright.config.model import KEY_SETTINGS
from keywright.settings.model import REQUIRED, TABLE_TYPES, Setting
from keywright.text import format_duration

__all__ = ["config_schema"]

_Schema = dict[str, Any]  # Any: JSON Schema nests without end

_TABLE_NAME: Final = "^[a-z0-9][a-z0-9_-]*$"
_SEGMENT: Final = "[a-z0-9]([a-z0-9._-]*[a-z0-9_-])?"
_KEY_NAME: Final = f"^{_SEGMENT}(/{_SEGMENT})*$"
_KID: Final = r"^([^{}]|\{name\}|\{version\})+$"
_NOT_EMPTY: Final[_Schema] = {"type": "string", "minLength": 1}
_INDIRECTION: Final[_Schema] = {
    "type": "object",
    "properties": {"env": _NOT_EMPTY, "file": _NOT_EMPTY},
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
_INDIRECT: Final[_Schema] = {"$ref": "#/$defs/indirection"}
_PLAIN: Final[_Schema] = {"$ref": "#/$defs/plain"}
_PLAIN_VALUE: Final[_Schema] = {
    "anyOf": [
        {"type": ["string", "integer", "boolean"]},
        {"type": "array", "items": _PLAIN},
        {"type": "object", "additionalProperties": _PLAIN},
    ]
}
_TYPES: Final[dict[str, _Schema]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "path": _NOT_EMPTY,
    "duration": {"type": "string", "pattern": "^[0-9]{1,10}[smhdwy]$"},
    "list": {"type": "array", "items": {"type": "string"}},
    "secrets": {"type": "array", "items": _INDIRECT},
    "table": {"type": "object", "additionalProperties": {"type": "string"}},
    "values": {"type": "object", "additionalProperties": _PLAIN},
    "tables": {"type": "array", "items": {"type": "object", "additionalProperties": _PLAIN}},
}
_SEAL: Final = Setting("seal", "text", None, "the [seals.NAME] table that encrypts what this store is given")


def config_schema(
    store_backends: Mapping[str, Sequence[Setting]],
    seals: Mapping[str, Sequence[Setting]],
    key_types: Mapping[str, Sequence[Setting]],
    plugins: Mapping[str, Sequence[Setting]],
) -> dict[str, Any]:
    """A JSON Schema (2020-12) of `keywright.toml`: name of each plugin's object → its settings.

    It says what can be said of one value or table by itself. References between tables, device names in key names and
    the longest duration stay with the reader of the file.
    """

    def document(*, whole: bool) -> _Schema:
        """The properties of the whole file, or of a profile, which may leave out what stands below it."""
        return {
            "default_store": _value(
                Setting("default_store", "text", help="the store that is meant where none is named")
            ),
            "plugins": {
                "anyOf": [{**_TYPES["list"], "uniqueItems": True}, _INDIRECT],
                "description": "the only plugins that may be loaded",
            },
            "stores": _tables(_TABLE_NAME, _table("backend", store_backends, (_SEAL,), whole=whole)),
            "seals": _tables(_TABLE_NAME, _table("seal", seals, (), whole=whole)),
            "keys": _tables(_KEY_NAME, _table("type", key_types, KEY_SETTINGS, whole=False), longest=200),
            "plugin": _closed(
                {name: _closed({one.name: _value(one) for one in plugins[name]}) for name in sorted(plugins)}
            ),
        }

    profiles = {"profiles": _tables(_TABLE_NAME, {"$ref": "#/$defs/profile"})}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "keywright.toml",
        **_closed(document(whole=True) | profiles),
        "$defs": {"indirection": _INDIRECTION, "plain": _PLAIN_VALUE, "profile": _closed(document(whole=False))},
    }


def _closed(properties: _Schema) -> _Schema:
    """A table with these entries and no others."""
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _tables(pattern: str, table: _Schema, longest: int | None = None) -> _Schema:
    names: _Schema = {"pattern": pattern} if longest is None else {"pattern": pattern, "maxLength": longest}
    return {"type": "object", "propertyNames": names, "additionalProperties": table}


def _table(kind: str, plugins: Mapping[str, Sequence[Setting]], common: Sequence[Setting], *, whole: bool) -> _Schema:
    """A table whose setting `kind` names the plugin's object that the other settings belong to."""
    everything = {kind} | {setting.name for settings in (common, *plugins.values()) for setting in settings}
    schema: _Schema = {
        "type": "object",
        "properties": {
            **{setting.name: _value(setting) for setting in common},
            kind: {"anyOf": [{"enum": sorted(plugins)}, _INDIRECT]},
        },
        "propertyNames": {"enum": sorted(everything)},
        "allOf": [_if_kind(kind, name, settings, common, whole=whole) for name, settings in sorted(plugins.items())],
    }
    if not schema["allOf"]:
        del schema["allOf"]  # the specification wants it not empty
    return {**schema, "required": [kind]} if whole else schema


def _if_kind(kind: str, name: str, settings: Sequence[Setting], common: Sequence[Setting], *, whole: bool) -> _Schema:
    allowed = {kind, *(setting.name for setting in (*common, *settings))}
    then: _Schema = {
        "properties": {setting.name: _value(setting) for setting in settings},
        "propertyNames": {"enum": sorted(allowed)},
    }
    if whole:
        then["required"] = [setting.name for setting in settings if setting.default is REQUIRED]
    return {"if": {"properties": {kind: {"const": name}}, "required": [kind]}, "then": then}


def _value(setting: Setting) -> _Schema:
    about: _Schema = {"description": setting.help} if setting.help else {}
    about |= _default(setting.default)
    if setting.type == "secret":
        return {**_INDIRECT, **about}
    direct = _direct(setting)
    return {**(direct if setting.type in TABLE_TYPES else {"anyOf": [direct, _INDIRECT]}), **about}


def _direct(setting: Setting) -> _Schema:
    if setting.choices:
        return {"enum": list(setting.choices)}
    schema = dict(_TYPES[setting.type])
    if setting.type == "integer":
        bounds = {"minimum": setting.minimum, "maximum": setting.maximum}
        schema |= {name: bound for name, bound in bounds.items() if bound is not None}
        schema |= {"multipleOf": setting.multiple_of} if setting.multiple_of != 1 else {}
    if setting in KEY_SETTINGS and setting.name == "kid":
        schema["pattern"] = _KID
    return schema


def _default(value: object) -> _Schema:
    if isinstance(value, timedelta):
        return {"default": format_duration(value)}
    if isinstance(value, tuple):
        return {"default": list(value)}
    if isinstance(value, str | int | dict):
        return {"default": value}
    return {}
