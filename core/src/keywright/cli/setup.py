"""plugins, config show, config schema, config path, init."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING

from keywright.cli.builtin import add_core_commands
from keywright.cli.exit_codes import NO
from keywright.cli.reading import add_output
from keywright.cli.shown_settings import shown_value
from keywright.cli.streams import printable
from keywright.errors import ConfigError
from keywright.plugins.commands import Commands

if TYPE_CHECKING:
    from keywright.cli.context import Context
    from keywright.plugins.registry import Registry


def configure_plugins(parser: ArgumentParser, _plugins: Registry) -> None:
    """Arguments of `plugins`."""
    parser.add_argument("--check", action="store_true", help="exit 1 if anything failed to load")


def run_plugins(arguments: Namespace, context: Context) -> int:
    """A line for each plugin and what it provides; failures on stderr, in the document with `--json`."""
    commands = Commands()
    add_core_commands(commands, lambda: context.registry)
    # Commands are added on demand; here, for what fails or clashes when they are.
    context.registry.add_commands(commands)
    plugins, failures = context.registry.plugins, context.registry.failures
    if context.json:
        loaded = [plugin._asdict() for plugin in plugins]
        context.print_json({"plugins": loaded, "failures": [failure._asdict() for failure in failures]})
    else:
        for plugin in plugins:
            context.print(f"{plugin.name}\t{plugin.distribution} {plugin.version}\t{', '.join(plugin.provides) or '-'}")
        for failure in failures:
            context.note(f"keywright: failed: {failure}")
    return NO if arguments.check and failures else 0


def configure_config_show(_parser: ArgumentParser, _plugins: Registry) -> None:
    """`config show` has no arguments of its own."""


def run_config_show(_arguments: Namespace, context: Context) -> int:
    """A line for each value: `PATH = VALUE  # SOURCE`; JSON lines with `--json`. Secrets are redacted."""
    config = context.config
    for given in config.values():
        value = shown_value(given, config, context.registry)
        if context.json:
            context.print_json({"path": given.path, "value": value, "source": given.source})
        else:
            context.print(printable(f"{given.path} = {_toml(value)}  # {given.source}"))
    return 0


def _toml(value: object) -> str:
    """A value as TOML would write it on one line; JSON's texts, numbers and booleans are TOML's too."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(name)} = {_toml(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False, default=str)


def configure_config_schema(parser: ArgumentParser, _plugins: Registry) -> None:
    """Arguments of `config schema`."""
    add_output(parser)


def run_config_schema(arguments: Namespace, context: Context) -> int:
    """Print the JSON Schema of a configuration file with the plugins that are installed."""
    from keywright.config.schema import config_schema

    plugins = context.registry
    schema = config_schema(
        {name: one.settings for name, one in plugins.store_backends.items()},
        {name: one.settings for name, one in plugins.seals.items()},
        {name: one.settings for name, one in plugins.key_types.items()},
        plugins.settings,
    )
    text = json.dumps(schema, indent=2) + "\n"
    context.write_result(text.encode(), output=arguments.output, force=arguments.force)
    if context.json and arguments.output not in (None, "-"):
        context.print_json({"output": arguments.output})
    return 0


def configure_config_path(_parser: ArgumentParser, _plugins: Registry) -> None:
    """`config path` has no arguments of its own."""


def run_config_path(arguments: Namespace, context: Context) -> int:
    """Print the path of the file in use; exit 1 if there is none."""
    from keywright.config.find import find_config

    path = find_config(arguments.config)
    if path is None:
        context.note("keywright: no configuration file is found, the built-in defaults are in use; init writes one")
    if context.json:
        context.print_json({"path": path})
    elif path is not None:
        context.print(path)
    return NO if path is None else 0


_STARTER = """\
# keywright.toml: which stores there are, and what keys should be. `keywright config check` checks it.
# Any setting may be { env = "VARIABLE" } or { file = "PATH" }. Relative paths start from this file.

default_store = "local"

[stores.local]
backend = "BACKEND"
path = "KEYS"

# What `generate`, `ensure` and `rotate` do for this name:
# [keys."cache.example.org"]
# type = "ed25519"
# format = "nix"
# overlap = "14d"

# Chosen by --profile ci or KEYWRIGHT_PROFILE=ci:
# [profiles.ci]
# default_store = "ci"
# [profiles.ci.stores.ci]
# backend = "env"
"""
_PATHS = {"sqlite": "keys.db", "file": "keys"}


def configure_init(parser: ArgumentParser, _plugins: Registry) -> None:
    """Arguments of `init`."""
    parser.add_argument(
        "--backend", metavar="B", default="sqlite", help="where keys are kept: sqlite (default) or file"
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")


def run_init(arguments: Namespace, context: Context) -> int:
    """Write the file of `--config`, else `keywright.toml` in the current directory, and print its path."""
    if arguments.backend not in _PATHS:
        raise ConfigError(
            f"--backend must be one of {', '.join(_PATHS)} here; for others edit keywright.toml after init"
        )
    text = _STARTER.replace("BACKEND", arguments.backend).replace("KEYS", _PATHS[arguments.backend])
    from keywright.cli.output import write_file
    from keywright.config.find import working_directory

    name = arguments.config or "keywright.toml"
    path = os.path.normpath(name if os.path.isabs(name) else os.path.join(working_directory(), name))
    write_file(path, text.encode(), force=arguments.force, option="--config")
    if context.json:
        context.print_json({"path": path})
    else:
        context.print(path)
    _note_keys_elsewhere(context)
    return 0


def _note_keys_elsewhere(context: Context) -> None:
    """Where no file was, keys are in the built-in default store; a new file does not look there."""
    from keywright.config.load import config_from

    try:
        default = config_from({}).stores["default"].given["path"].value
    except ConfigError:
        return  # the current directory is gone
    if isinstance(default, str) and os.path.exists(default):
        context.note(f"keywright: keys made so far are in {default}; set stores.local.path to it to go on with them")
