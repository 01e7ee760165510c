"""Fuzz targets: each module here holds one `TARGET`, a check that any bytes must pass."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from fuzz_targets.target import Target

__all__ = ["NAMES", "load"]

NAMES: Final = (
    "nix",
    "narinfo",
    "jwk",
    "jwe",
    "jws",
    "key_types",
    "references",
    "metadata",
    "values",
    "config_file",
    "config_layers",
    "file_store",
    "sqlite_store",
    "seals",
    "command_line",
)


def load(name: str) -> Target:
    """The target of that name; its module, and what it is about, are imported now."""
    target: Target = import_module(f"fuzz_targets.{name}").TARGET
    return target
