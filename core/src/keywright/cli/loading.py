"""What is loaded before a command runs: the configuration, and the plugins that it allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from keywright.cli.arguments import asked, config_options
from keywright.errors import KeywrightError, PluginError
from keywright.registry import Registry

if TYPE_CHECKING:
    from keywright.cli.commands import Command
    from keywright.config import Config

__all__ = ["load"]


def load(given: Sequence[str], core: Command | None) -> tuple[Registry, Callable[[], Config]]:
    """The plugins, and a function that returns the configuration.

    `core` is the core's command that was asked for, None if it is a plugin's or none. A fault of the configuration
    is told at once where the command needs one, and else by that function: `--help` and the commands that need none
    go on with every plugin that is installed.

    Raises:
        ConfigError: the configuration is wrong.
        PluginError: it allows a plugin that is not installed.
    """
    if core is not None and core.uses == "nothing":
        return Registry(), lambda: _config(given)
    if core is not None and core.uses != "plugins" and not asked(given, "-h", "--help", "--version"):
        config = _config(given)
        return Registry.load(config.plugins), lambda: config
    allowed = _allowed(given)
    try:
        return Registry.load(allowed), lambda: _config(given)
    except PluginError as fault:
        from keywright.discovery import find_entry_points

        installed = {one.name for one in find_entry_points()}
        missing = fault

    def refuse() -> Config:
        raise missing

    return Registry.load([name for name in allowed or () if name in installed]), refuse


def _config(given: Sequence[str]) -> Config:
    from keywright.config import load_config

    path, profile, options = config_options(given)
    return load_config(path, profile=profile, options=options)


def _allowed(given: Sequence[str]) -> tuple[str, ...] | None:
    """The allow-list of a configuration that need not be there; None: there is none, or none that can be read."""
    from keywright.config.files import find_config, read_config

    path, profile, _ = config_options(given)
    try:
        found = find_config(path)
        if found is None:
            return None
        from keywright.config import load_config

        try:
            # Without `--option`: it cannot name plugins, and a plugin's command may have its own option of that name.
            return load_config(path, profile=profile).plugins
        except KeywrightError:
            # Whatever else is wrong with it, what it says of plugins holds.
            return _said_of_plugins(read_config(found).value)
    except KeywrightError:
        return None


def _said_of_plugins(document: object) -> tuple[str, ...] | None:
    listed = document.get("plugins") if isinstance(document, Mapping) else None
    return tuple(name for name in listed if isinstance(name, str)) if isinstance(listed, list) else None
