"""What a command runs with: the configuration, and the plugins that it allows. Each is loaded when first asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from keywright.cli.arguments import asked, config_options
from keywright.errors import KeywrightError, PluginError

if TYPE_CHECKING:
    from keywright.config.load import Config
    from keywright.plugins.commands import Command
    from keywright.plugins.registry import Registry

__all__ = ["Loading"]


class Loading:
    """The plugins and the configuration of one command line."""

    def __init__(self, given: Sequence[str], core: Command | None) -> None:
        """`core` is the core's command that was asked for, None if it is a plugin's or none."""
        self._given = given
        self._core = core
        self._missing: PluginError | None = None

    @cached_property
    def plugins(self) -> Registry:
        """The plugins.

        A fault of the configuration is told here where the command is the core's and needs one, and else by `config`:
        `--help` and the commands that need none go on with every plugin that is installed.

        Raises:
            ConfigError: the configuration is wrong.
            PluginError: it allows a plugin that is not installed.
        """
        from keywright.plugins.registry import Registry

        if self._core is not None and self._core.uses == "nothing":
            return Registry()
        if self._is_strict:
            return Registry.load(self.config.plugins)
        try:
            return Registry.load(self.allowed)
        except PluginError as fault:
            from keywright.plugins.discovery import find_entry_points

            self._missing = fault
            installed = {one.name for one in find_entry_points()}
            return Registry.load([name for name in self.allowed or () if name in installed])

    @property
    def _is_strict(self) -> bool:
        """Whether nothing goes on with a configuration that is wrong."""
        core = self._core
        uses_it = core is not None and core.uses in ("config", "ring")
        return uses_it and not asked(self._given, "-h", "--help", "--version")

    @cached_property
    def config(self) -> Config:
        """The configuration.

        Raises:
            ConfigError: it is wrong.
            PluginError: it allows a plugin that is not installed.
        """
        if not self._is_strict:
            _ = self.plugins  # they tell whether one is missing
        if self._missing is not None:
            raise self._missing
        from keywright.config.load import load_config

        path, profile, options = config_options(self._given)
        return load_config(path, profile=profile, options=options)

    @cached_property
    def allowed(self) -> tuple[str, ...] | None:
        """The allow-list of a configuration that need not be there; None: there is none, or none that can be read."""
        from keywright.config.find import find_config

        path, profile, _ = config_options(self._given)
        try:
            found = find_config(path)
            if found is None:
                return None
            from keywright.config.find import read_config
            from keywright.config.load import load_config

            try:
                # Without `--option`: it cannot name plugins, and a plugin's command may have its own option of that
                # name.
                return load_config(path, profile=profile).plugins
            except KeywrightError:
                # Whatever else is wrong with it, what it says of plugins holds.
                return _said_of_plugins(read_config(found).value, profile or os.environ.get("KEYWRIGHT_PROFILE"))
        except KeywrightError:
            return None


def _said_of_plugins(document: object, profile: str | None) -> tuple[str, ...] | None:
    """The list that the profile has, else the document itself, of what is wrong in another place."""
    whole = document if isinstance(document, Mapping) else {}
    profiles = whole.get("profiles")
    chosen = profiles.get(profile) if isinstance(profiles, Mapping) else None
    for table in (chosen, whole):
        listed = table.get("plugins") if isinstance(table, Mapping) else None
        if isinstance(listed, list):
            return tuple(name for name in listed if isinstance(name, str))
    return None
