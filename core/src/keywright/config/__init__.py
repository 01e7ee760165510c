"""Configuration: found, read, layered and checked; each value knows where it came from.

Each name is loaded when it is first asked for: a command that needs no configuration only looks for its file.
"""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from keywright.config.finding import find_config
    from keywright.config.loading import Config, config_from, load_config
    from keywright.config.schema import config_schema
    from keywright.config.tables import KEY_SETTINGS, KeyTable, SealTable, StoreTable

__all__ = [
    "KEY_SETTINGS",
    "Config",
    "KeyTable",
    "SealTable",
    "StoreTable",
    "config_from",
    "config_schema",
    "find_config",
    "load_config",
]

_WHERE = {
    "Config": "loading",
    "KEY_SETTINGS": "tables",
    "KeyTable": "tables",
    "SealTable": "tables",
    "StoreTable": "tables",
    "config_from": "loading",
    "config_schema": "schema",
    "find_config": "finding",
    "load_config": "loading",
}


if not TYPE_CHECKING:  # or a type checker would take every misspelt name for an object

    def __getattr__(name: str) -> object:
        module = _WHERE.get(name)
        if module is None:
            raise AttributeError(f"module 'keywright.config' has no attribute {name!r}")
        from importlib import import_module

        value: object = getattr(import_module(f"keywright.config.{module}"), name)
        globals()[name] = value
        return value
