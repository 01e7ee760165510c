"""What is configured and can be looked at before it is needed: seals, and the places that settings point to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

from keywright.errors import ConfigError
from keywright.ring.store_seal import open_seal
from keywright.settings.values import parse_setting

if TYPE_CHECKING:
    from keywright.config.load import Config
    from keywright.config.model import PluginTable, SealTable
    from keywright.plugins.registry import Registry
    from keywright.protocols import ExaminedPlugin
    from keywright.settings.model import Given, Setting

__all__ = ["Configured", "configured"]


class Configured(NamedTuple):
    """A table of the configuration that can be looked at.

    Attributes:
        subject: `seal 'master'`, `store 'local'` or `plugin 'audit'`.
        examine: one sentence for each fault, as `ExaminedPlugin.examine`; may raise what the object's own code does.
    """

    subject: str
    examine: Callable[[], Iterator[str]]


def configured(
    config: Config, plugins: Registry, listeners: Mapping[str, object], only: str | None = None
) -> Iterator[Configured]:
    """The seals, the secrets of stores and the plugins of a ring; with `only`, of stores that one and its seal."""
    stores = config.stores.values() if only is None else (config.stores[only],)
    used = {store.seal for store in stores}
    for seal in config.seals.values():
        if only is None or seal.name in used:
            yield Configured(f"seal {seal.name!r}", partial(_examine_seal, seal, plugins))
    for store in stores:
        backend = plugins.store_backends.get(store.backend)
        settings = () if backend is None else backend.settings
        yield Configured(f"store {store.name!r}", partial(_exposed, settings, store.given))
    for name, table in config.plugin.items():
        settings = plugins.settings.get(name, ())
        yield Configured(f"plugin {name!r}", partial(_exposed, settings, table.given))
        yield Configured(f"plugin {name!r}", partial(_shared_places, config, plugins, table))
    for name, listener in listeners.items():
        if hasattr(listener, "examine"):
            yield Configured(f"plugin {name!r}", cast("ExaminedPlugin", listener).examine)


def _examine_seal(table: SealTable, plugins: Registry) -> Iterator[str]:
    """Raises: as `open_seal`."""
    seal = plugins.seals.get(table.seal)
    yield from _exposed(() if seal is None else seal.settings, table.given)
    open_seal(table, plugins)


def _shared_places(config: Config, plugins: Registry, table: PluginTable) -> Iterator[str]:
    """One sentence for each file that a plugin would write to and that is a store's, or lies in a store's directory."""
    for path, place in _places(plugins.settings.get(table.name, ()), table.given):
        for store in config.stores.values():
            backend = plugins.store_backends.get(store.backend)
            for _, other in _places(() if backend is None else backend.settings, store.given):
                if place == other or place.startswith(other + os.sep):
                    yield f"{path} is in the place of store {store.name!r}; set another path"


def _places(settings: Sequence[Setting], given: Mapping[str, Given]) -> Iterator[tuple[str, str]]:
    """The paths of settings that are given and lead somewhere: the setting's own, and the file's or directory's."""
    for setting in settings:
        if setting.type == "path" and setting.name in given:
            try:
                path = str(parse_setting(setting, given[setting.name]))
            except ConfigError:
                continue  # its owner tells of it
            yield given[setting.name].path, os.path.realpath(path)


def _exposed(settings: Sequence[Setting], given: Mapping[str, Given]) -> Iterator[str]:
    """One sentence for each file with a secret in it that others may read."""
    secrets = {setting.name for setting in settings if setting.type in ("secret", "secrets")}
    pointers = [given[name] for name in given if name in secrets]
    if pointers:
        from keywright.settings.pointers import exposed

        for pointer in pointers:
            yield from exposed(pointer)
