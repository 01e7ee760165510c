"""Settings as they may be printed: secrets, and what may be one, are left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from keywright.config.model import KEY_SETTINGS
from keywright.settings.model import is_indirection
from keywright.settings.pointers import shown

if TYPE_CHECKING:
    from keywright.config.load import Config
    from keywright.plugins.registry import Registry
    from keywright.protocols import Seal, StoreBackend
    from keywright.settings.model import Given, Setting, SettingType

__all__ = ["shown_value"]

_REDACTED: Final = "<secret>"


def shown_value(given: Given, config: Config, plugins: Registry) -> object:
    """The value, unless its plugin declares it secret, or nobody can tell: then only where it comes from."""
    kind = _type_of(given.path, config, plugins)
    pointers: list[object] = given.value if isinstance(given.value, list) else [given.value]
    is_list = pointers is given.value
    if kind in ("table", "values") or (kind == "tables" and is_list):
        return given.value  # what reads as a pointer there is a table that has such a name in it
    if pointers and all(map(is_indirection, pointers)):
        told = [shown(given._replace(value=pointer)) for pointer in pointers]
        return told if is_list else told[0]
    return _REDACTED if kind in ("secret", "secrets") else given.value


def _type_of(path: str, config: Config, plugins: Registry) -> SettingType:
    """The type of the setting at `path`, as its owner declares it; what nobody declares may be a secret."""
    name = path.rpartition(".")[2]
    for store in config.stores.values():
        if path.startswith(f"{store.path}."):
            return "text" if name in ("backend", "seal") else _declared(name, plugins.store_backends.get(store.backend))
    for seal in config.seals.values():
        if path.startswith(f"{seal.path}."):
            return "text" if name == "seal" else _declared(name, plugins.seals.get(seal.seal))
    for plugin, table in config.plugin.items():
        if path.startswith(f"{table.path}."):
            return _among(plugins.settings.get(plugin, ()), name, "secret")
    return _among(KEY_SETTINGS, name, "text")


def _declared(name: str, plugin: StoreBackend | Seal | None) -> SettingType:
    return _among(() if plugin is None else plugin.settings, name, "secret")


def _among(settings: Sequence[Setting], name: str, otherwise: SettingType) -> SettingType:
    return next((setting.type for setting in settings if setting.name == name), otherwise)
