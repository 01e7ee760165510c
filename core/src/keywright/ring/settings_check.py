"""What is configured and can be looked at before it is needed: seals, and the places that settings point to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

from keywright.ring.store_seal import open_seal

if TYPE_CHECKING:
    from keywright.config import Config, SealTable
    from keywright.protocols import ExaminedPlugin
    from keywright.registry import Registry
    from keywright.settings import Given, Setting

__all__ = ["Configured", "configured"]


class Configured(NamedTuple):
    """A table of the configuration that can be looked at.

    Attributes:
        subject: `seal 'master'`, `store 'local'` or `plugin 'audit'`.
        examine: one sentence for each fault, as `ExaminedPlugin.examine`; may raise what the object's own code does.
    """

    subject: str
    examine: Callable[[], Iterator[str]]


def configured(config: Config, plugins: Registry, only: str | None = None) -> Iterator[Configured]:
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
    for name, listener in plugins.listeners.items():
        if hasattr(listener, "examine"):
            yield Configured(f"plugin {name!r}", cast("ExaminedPlugin", listener).examine)


def _examine_seal(table: SealTable, plugins: Registry) -> Iterator[str]:
    """Raises: as `open_seal`."""
    seal = plugins.seals.get(table.seal)
    yield from _exposed(() if seal is None else seal.settings, table.given)
    open_seal(table, plugins)


def _exposed(settings: Sequence[Setting], given: Mapping[str, Given]) -> Iterator[str]:
    """One sentence for each file with a secret in it that others may read."""
    secrets = {setting.name for setting in settings if setting.type in ("secret", "secrets")}
    pointers = [given[name] for name in given if name in secrets]
    if pointers:
        from keywright.setting_pointers import exposed

        for pointer in pointers:
            yield from exposed(pointer)
