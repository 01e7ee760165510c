"""Plugins with settings of their own: `[plugin.NAME]`, checked, and what listens to a ring for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from keywright.errors import ConfigError, PluginError
from keywright.settings import Setting, check_options, did_you_mean

if TYPE_CHECKING:
    import pluggy

    from keywright.config import Config
    from keywright.registry import Failure

__all__ = ["configured_plugins", "settings_of"]


def settings_of(plugin: object) -> Sequence[Setting]:
    """What a plugin lets people set in its `[plugin.NAME]` table."""
    return cast("Sequence[Setting]", getattr(plugin, "SETTINGS", ()))


def configured_plugins(
    manager: pluggy.PluginManager, config: Config, failures: Sequence[Failure]
) -> Mapping[str, object]:
    """What each plugin that is configured returned for a ring, by the plugin's name.

    Raises:
        ConfigError, PluginError: as `Registry.for_ring`.
    """
    if not config.plugin:
        return {}
    implementations = {one.plugin_name: one for one in manager.hook.keywright_configure.get_hookimpls()}
    for name, table in config.plugin.items():
        if name not in implementations:
            # A policy that was asked for and is not there must not be passed over in silence.
            failed = "".join(f". {failure}" for failure in failures)
            known = ", ".join(sorted(implementations)) or "none"
            raise ConfigError(
                f"{table.source}: {table.path} is of no plugin that has settings{did_you_mean(name, implementations)}; "
                f"there are: {known}{failed}"
            )
    listeners: dict[str, object] = {}
    for name, table in config.plugin.items():
        implementation = implementations[name]
        path, source = table.path, config.source
        options = check_options(
            table.given, settings_of(implementation.plugin), owner=f"plugin {name!r}", path=path, source=source
        )
        try:
            listener = implementation.function(options)
        except ConfigError as error:
            raise ConfigError(f"{source}: {path}: {error}") from None
        except Exception as error:  # noqa: BLE001  (its words could quote what it was given)
            failure = type(error).__name__
        else:
            if listener is not None:
                listeners[name] = listener
            continue
        raise PluginError(f"plugin {name!r} failed in keywright_configure with {failure}; report it to its author")
    return listeners
