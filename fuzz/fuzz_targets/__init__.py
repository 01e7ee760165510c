"""Fuzz targets by subject: the `TARGETS` of each module are checks that any bytes must pass."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from fuzz_targets.target import Target

_MODULES: Final = {
    "nix": ("nix", "narinfo"),
    "jose": ("jwk", "jwe", "jws"),
    "key_types": ("key_types",),
    "values": ("references", "values"),
    "configuration": ("config_file", "config_layers"),
    "stores": ("metadata", "file_store", "sqlite_store"),
    "seals": ("seals",),
    "command_line": ("command_line",),
}
NAMES: Final = tuple(name for names in _MODULES.values() for name in names)


def load(name: str) -> Target:
    """The target of that name; its module, and what it is about, are imported now."""
    module = next(module for module, names in _MODULES.items() if name in names)
    target: Target = import_module(f"fuzz_targets.{module}").TARGETS[name]
    return target
