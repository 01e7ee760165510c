"""Plugins with settings of their own: `[plugin.NAME]`, checked, and what listens to a ring for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from keywright.errors import ConfigError, PluginError
from keywright.settings.model import Setting, check_options
from keywright.text import did_you_mean

if TYPE_CHECKING:
    import pluggy

    from keywright.config.load import Config
    from keywright.plugins.registry import Registry


class Known(NamedTuple):
    """What a plugin's settings can name: a rule for a key type that is misspelt would bind no key.

    Attributes:
        key_types, formats: the names of those that are installed, sorted.
        sizable_key_types: those of the key types that have a setting `bits`; of the others, every key has one size.
    """

    key_types: tuple[str, ...]
    formats: tuple[str, ...]
    sizable_key_types: frozenset[str] = frozenset()


def settings_of(plugin: object) -> Sequence[Setting]:
    """What a plugin lets people set in its `[plugin.NAME]` table."""
    return cast("Sequence[Setting]", getattr(plugin, "SETTINGS", ()))


def _known(registry: Registry) -> Known:
    sizable = (name for name, one in registry.key_types.items() if any(that.name == "bits" for that in one.settings))
    return Known(tuple(registry.key_types), tuple(registry.formats), frozenset(sizable))


def configured_plugins(manager: pluggy.PluginManager, config: Config, registry: Registry) -> Mapping[str, object]:
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
            failed = "".join(f". {failure}" for failure in registry.failures)
            there_are = ", ".join(sorted(implementations)) or "none"
            raise ConfigError(
                f"{table.source}: {table.path} is of no plugin that has settings{did_you_mean(name, implementations)}; "
                f"there are: {there_are}{failed}"
            )
    listeners: dict[str, object] = {}
    known = _known(registry)
    for name, table in config.plugin.items():
        implementation = implementations[name]
        path, source = table.path, config.source
        options = check_options(
            table.given, settings_of(implementation.plugin), owner=f"plugin {name!r}", path=path, source=source
        )
        given = {"options": options, "known": known}
        try:
            listener = implementation.function(*(given[name] for name in implementation.argnames))
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
