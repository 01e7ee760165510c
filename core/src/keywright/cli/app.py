"""From the arguments to an exit code: find the command, load what it needs, and run it."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from keywright.cli.io import check_stdout, fill_closed, flush_stdout, say, write_text
from keywright.errors import ConfigError, KeywrightError, PluginError

if TYPE_CHECKING:
    from argparse import Namespace

    from keywright.cli.parser import CommandLine, Found
    from keywright.config.load import Config
    from keywright.plugins.commands import Command, Commands
    from keywright.plugins.registry import Registry

_HIGHEST_CODE = 255


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line. Returns the exit code; no exception is raised."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["help"]:  # `keywright help WORDS` is `keywright WORDS --help`
        given = [*given[1:], "--help"]
    try:
        fill_closed()
        code = dispatch(given)
        flush_stdout()
    except BaseException as error:  # noqa: BLE001  (the last guard: a traceback shown to a user is a bug)
        from keywright.cli.failures import report

        code = report(given, error)
    return code


def dispatch(given: Sequence[str]) -> int:
    """Find the command that the arguments name and run it. Returns the exit code; errors are raised."""
    from keywright.cli.parser import CommandLine, command_parser, no_such_command

    line = CommandLine(given)
    options, loading = line.options, Loading(line.options)
    commands, found = _find(line, loading)
    if found.stray is not None:
        raise no_such_command(found, commands)
    command = commands.table.get(found.words)
    if options.version and (command is None or command.global_options):
        return print_version(json=options.json)
    if command is None:
        return _without_command(found, commands, options)
    loading.command = command
    return _run(command, command_parser(command).parse(found.rest), loading)


def _find(line: CommandLine, loading: Loading) -> tuple[Commands, Found]:
    """Find the command that the arguments name, and the table that has it; all plugins are loaded only if needed."""
    from keywright.cli.commands import core_commands
    from keywright.plugins.commands import commands_of

    commands = core_commands(lambda: loading.plugins)
    found = line.find(commands)
    plugin = None if found.words else found.stray
    if plugin is not None:
        commands.extend(commands_of(plugin, allowed=loading.allowed))
        found = line.find(commands)
    if found.words in commands.table:
        return commands, found
    commands = core_commands(lambda: loading.plugins)
    loading.plugins.add_commands(commands)
    if plugin is not None and not commands.below((plugin,)):
        loading.check_allowed(plugin)
    return commands, line.find(commands)


def _run(command: Command, arguments: Namespace, loading: Loading) -> int:
    from keywright.cli.context import Context

    as_json = getattr(arguments, "json", False)
    if as_json or getattr(arguments, "output", None) in (None, "-"):
        # Checked before the command runs, or it could create a key and not print its name.
        check_stdout()
    context = Context(lambda: loading.plugins, read_config=lambda: loading.config, json=as_json)
    if command.global_options:
        context.quiet, context.verbose = arguments.quiet, arguments.verbose
        context.store = getattr(arguments, "store", None)
    # The objects of the start stay; from here on garbage is collected again.
    gc.freeze()
    gc.enable()
    try:
        code: object = command.run(arguments, context)
        if not isinstance(code, int) or not 0 <= code <= _HIGHEST_CODE:
            raise TypeError("a command returns an exit code")
        return code
    finally:
        context.close()


def _without_command(found: Found, commands: Commands, options: Namespace) -> int:
    """Print the list of commands, for `--help` or because no command was named."""
    group = " ".join(("keywright", *found.words))
    from keywright.cli.overview import overview

    text = overview(group, commands.below(found.words))
    if options.help:
        write_text(f"{text}\n")
        return 0
    say(text)
    if found.rest:
        raise ConfigError("a command is missing", hint=f"see {group} --help")
    from keywright.cli.failures import USAGE

    return USAGE  # the beginning of a command alone asks what exists


def print_version(*, json: bool) -> int:
    """Print the version of the installed distribution. Returns the exit code.

    Raises:
        PluginError: neither distribution has its metadata.
    """
    from importlib.metadata import PackageNotFoundError, version

    for name in ("keywright", "keywright-core"):
        with suppress(PackageNotFoundError):
            number = version(name)
            write_text(f'{{"name": "{name}", "version": "{number}"}}\n' if json else f"{name} {number}\n")
            return 0
    raise PluginError(
        "the version is unknown: the metadata of keywright-core is missing",
        hint="install it with its *.dist-info directory, which has the version and the list of plugins",
    )


class Loading:
    """The configuration of a command, and the plugins that it allows. Each is loaded when first used.

    Attributes:
        command: the command that was found; None before that.
    """

    def __init__(self, options: Namespace, command: Command | None = None) -> None:
        """`options` are those of every command, as `CommandLine` reads them."""
        self.command = command
        self._options = options
        self._missing: PluginError | None = None

    @cached_property
    def plugins(self) -> Registry:
        """The plugins.

        If a core command needs a configuration, a problem of the configuration is raised here, else by `config`:
        `--help` and commands without a configuration go on with all installed plugins.

        Raises:
            ConfigError: the configuration is invalid.
            PluginError: it allows a plugin that is not installed.
        """
        from keywright.plugins.registry import Registry

        if self._is_strict:
            return Registry.load(self.config.plugins)
        try:
            return Registry.load(self.allowed)
        except PluginError as error:
            self._missing = error
            installed = _installed_plugins()
            return Registry.load([name for name in self.allowed or () if name in installed])

    @property
    def _is_strict(self) -> bool:
        """Whether the command needs a valid configuration."""
        command = self.command
        uses_it = command is not None and not command.owner and command.uses in ("config", "ring")
        return uses_it and not (self._options.help or self._options.version)

    @cached_property
    def config(self) -> Config:
        """The configuration.

        Raises:
            ConfigError: it is invalid.
            PluginError: it allows a plugin that is not installed.
        """
        from keywright.config.load import load_config

        if self.command is not None and not self.command.global_options:
            return load_config()  # such a command has options of its own
        if not self._is_strict:
            _ = self.plugins  # sets `_missing`
        if self._missing is not None:
            raise self._missing
        options = [(name, value) for name, value in self._options.option]
        return load_config(self._options.config, profile=self._options.profile, options=options)

    @cached_property
    def allowed(self) -> tuple[str, ...] | None:
        """The allow-list of the configuration; None without a configuration or a list, or if it cannot be read."""
        from keywright.config.find import find_config

        profile = self._options.profile
        with suppress(KeywrightError):
            found = find_config(self._options.config)
            if found is None:
                return None
            from keywright.config.find import read_config
            from keywright.config.load import load_config

            try:
                # Without `--option`: it cannot name plugins, and a plugin's command may have its own option of that
                # name.
                return load_config(found, profile=profile).plugins
            except KeywrightError:
                # The list of plugins applies even if the rest is invalid.
                return _listed_plugins(read_config(found).value, profile or os.environ.get("KEYWRIGHT_PROFILE"))
        return None

    def check_allowed(self, word: str) -> None:
        """Check that an unknown command does not begin with the name of a plugin that the allow-list leaves out.

        Raises:
            ConfigError: `word` is the name of such a plugin, and it is installed.
        """
        if self.allowed is None or word in self.allowed:
            return
        if word in _installed_plugins():
            raise ConfigError(f'plugin "{word}" is not enabled', hint=f'add "{word}" to the setting `plugins`')


def _installed_plugins() -> set[str]:
    from keywright.plugins.discovery import find_entry_points

    return {one.name for one in find_entry_points()}


def _listed_plugins(document: object, profile: str | None) -> tuple[str, ...] | None:
    """The allow-list of an invalid document: the profile's list, else its own."""
    for path in (("profiles", profile, "plugins"), ("plugins",)):
        found = document
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        if isinstance(found, list):
            return tuple(name for name in found if isinstance(name, str))
    return None
