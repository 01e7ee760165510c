"""doctor, plugins, config show, config check, config schema, config path, init: what is installed and configured."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from keywright.cli.commands import core_commands
from keywright.cli.context import print_either
from keywright.cli.failures import NO, exit_code, failure_document
from keywright.cli.io import is_terminal, printable, shown_path, write_file
from keywright.cli.parser import add_flag, add_output, add_value
from keywright.config.model import KEY_SETTINGS
from keywright.errors import ConfigError, KeywrightError, PluginError
from keywright.plugins.discovery import NOT_SEARCHED, passed_over, searched_folders
from keywright.settings.model import is_indirection
from keywright.settings.pointers import shown

if TYPE_CHECKING:
    from keywright.cli.context import Context
    from keywright.config.load import Config
    from keywright.plugins.registry import Registry
    from keywright.settings.model import RawValue, SettingType

_REDACTED: Final = "<secret>"
_PATHS: Final = {"sqlite": "keys.db", "file": "keys"}
_STARTER: Final = """\
# keywright.toml: the configured stores and keys. `keywright config check` checks it.
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


def run_doctor(_arguments: Namespace, context: Context) -> int:
    """Two lines for each problem, `SUBJECT: MESSAGE` and a hint; one document with `--json`. Exit 1 if there is any."""
    _add_all_commands(context.registry)
    problems = []
    for problem in context.ring.examine():
        problems.append(problem._asdict())
        if not context.json:
            context.print(printable(f"{problem.subject}: {problem.message}"))
            context.print(printable(f"  hint: {problem.hint}"))
    if context.json:
        context.print_json({"problems": problems})
    elif not problems:
        context.note(f"No problems found ({_counted(len(context.config.stores), 'store')})")
    return NO if problems else 0


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _add_all_commands(registry: Registry) -> None:
    """Add every command, as no other command line does, so that the registry notes what fails or clashes."""
    registry.add_commands(core_commands(lambda: registry))


def configure_plugins(parser: ArgumentParser, _plugins: object) -> None:
    """Arguments of `plugins`."""
    add_flag(parser, "--check", "exit 1 if anything failed to load")


def run_plugins(arguments: Namespace, context: Context) -> int:
    """A line for each plugin and what it provides; failures on stderr, in the document with `--json`."""
    _add_all_commands(context.registry)
    plugins, failures = context.registry.plugins, context.registry.failures
    if not plugins and not failures and context.config.plugins is None:
        folders = ", ".join(map(shown_path, searched_folders())) or "no folder, as the path is empty"
        raise PluginError(
            f"no plugin is installed; searched {folders}",
            hint="install the distribution keywright, or add plugins with `Registry.add` (docs/guides/embedding.md)",
        )
    if context.json:
        loaded = [plugin._asdict() for plugin in plugins]
        context.print_json({"plugins": loaded, "failures": [failure._asdict() for failure in failures]})
    else:
        rows = [(one.name, f"{one.distribution} {one.version}", ", ".join(one.provides) or "-") for one in plugins]
        context.print_table(("PLUGIN", "DISTRIBUTION", "PROVIDES"), rows)
        for failure in failures:
            context.warn(f"{failure.subject}: {failure.reason}")
        for folder in passed_over():
            context.warn(f"{shown_path(folder)}: {NOT_SEARCHED}", hint="install its plugins, or use another directory")
    return NO if arguments.check and failures else 0


def run_config_show(_arguments: Namespace, context: Context) -> int:
    """A line for each value, `PATH = VALUE  # SOURCE`; a table on a terminal; JSON lines with `--json`.

    Secrets are redacted.
    """
    config = context.config
    values = [(given, _shown_value(given, config, context.registry)) for given in config.values()]
    if is_terminal() and not context.json:
        rows = [(given.path, _toml(value), given.source) for given, value in values]
        context.print_table(("SETTING", "VALUE", "SOURCE"), rows)
        return 0
    for given, value in values:
        document = {"path": given.path, "value": value, "source": given.source}
        print_either(context, document, printable(f"{given.path} = {_toml(value)}  # {given.source}"))
    return 0


def _toml(value: object) -> str:
    """A value as TOML would write it on one line; JSON's texts, numbers and booleans are TOML's too."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(name)} = {_toml(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False, default=str)


def configure_config_schema(parser: ArgumentParser, _plugins: object) -> None:
    """Arguments of `config schema`."""
    add_output(parser)


def run_config_schema(arguments: Namespace, context: Context) -> int:
    """Print the JSON Schema of a configuration file with the plugins that are installed."""
    from keywright.config.schema import config_schema

    plugins = context.registry
    tables: tuple[Mapping[str, Any], ...] = (plugins.store_backends, plugins.seals, plugins.key_types)
    backends, seals, key_types = ({name: one.settings for name, one in table.items()} for table in tables)
    schema = config_schema(backends, seals, key_types, plugins.settings)
    text = json.dumps(schema, indent=2) + "\n"
    context.write_result(text.encode(), output=arguments.output, force=arguments.force)
    if context.json and arguments.output not in (None, "-"):
        context.print_json({"output": arguments.output})
    return 0


def run_config_path(arguments: Namespace, context: Context) -> int:
    """Print the path of the file in use; exit 1 without one."""
    from keywright.config.find import find_config

    path = find_config(arguments.config)
    if path is None:
        context.note("No configuration file found, the built-in defaults are used; `keywright init` writes one")
    if context.json:
        context.print_json({"path": path})
    elif path is not None:
        context.print(path)
    return NO if path is None else 0


def configure_init(parser: ArgumentParser, _plugins: object) -> None:
    """Arguments of `init`."""
    add_value(parser, "--backend", "BACKEND", "where keys are kept: sqlite (default) or file", default="sqlite")
    add_flag(parser, "--force", "replace an existing file")


def run_init(arguments: Namespace, context: Context) -> int:
    """Write the file of `--config`, else `keywright.toml` in the current directory, and print its path."""
    if arguments.backend not in _PATHS:
        raise ConfigError(
            f"--backend must be one of {', '.join(_PATHS)}", hint="for another backend edit keywright.toml after init"
        )
    text = _STARTER.replace("BACKEND", arguments.backend).replace("KEYS", _PATHS[arguments.backend])
    from keywright.config.find import working_directory

    name = arguments.config or "keywright.toml"
    path = os.path.normpath(name if os.path.isabs(name) else os.path.join(working_directory(), name))
    write_file(path, text.encode(), force=arguments.force, option="--config")
    print_either(context, {"path": path}, path)
    _note_keys_elsewhere(context)
    return 0


def _note_keys_elsewhere(context: Context) -> None:
    """Note where earlier keys are: without a file they went to the built-in default store, which the new one lacks."""
    from keywright.config.load import config_from

    try:
        default = config_from({}).stores["default"].given["path"].value
    except ConfigError:
        return  # the current directory is gone
    if isinstance(default, str) and os.path.exists(default):
        context.note(f"Keys created so far are in {default}; set stores.local.path to it to continue with them")


def run_config_check(arguments: Namespace, context: Context) -> int:
    """Check the configuration and its profiles, or the one of `--profile`, and print every problem.

    The exit code is that of the last one.
    """
    profiles = [None] if arguments.profile is not None else [None, *_profiles(arguments)]
    faults: list[KeywrightError] = []
    for profile in profiles:
        found = _problems_of(profile, arguments, context)
        known = {str(fault) for fault in faults}
        for fault in found:
            named = profile is None or f"(profile {profile})" in str(fault)
            faults += [] if str(fault) in known else [fault if named else fault.prefixed(f'profile "{profile}": ')]
    if faults:
        return _print_faults(arguments, context, faults)
    config = context.config
    counts = (("store", config.stores), ("seal", config.seals), ("key", config.keys), ("profile", profiles[1:]))
    what = ", ".join(_counted(len(tables), noun) for noun, tables in counts if tables)
    document = {"source": config.source, "problems": []}
    print_either(context, document, printable(f"{config.source}: Configuration is valid ({what})"))
    return 0


def _problems_of(profile: str | None, arguments: Namespace, context: Context) -> list[KeywrightError]:
    """The problems of the configuration with one of its profiles; None: with the one that is chosen."""
    from keywright.config.load import load_config
    from keywright.plugins.registry import Registry
    from keywright.ring.keyring import KeyRing

    problems: list[KeywrightError] = []
    profile = arguments.profile if profile is None else profile
    try:
        config = load_config(arguments.config, profile=profile, options=arguments.option, report=problems.append)
        for sentence in () if problems else _replaced_lists(config):
            context.warn(sentence, hint="lists are not merged: repeat the entries that you want to keep")
        if problems:
            # What refers to a table that was left out would be a problem only because of that.
            stores = {name: table for name, table in config.stores.items() if table.backend != "chain"}
            config = config._replace(stores=stores, keys={})
        registry = Registry.load(config.plugins)
        registry.report = context.warn
        with KeyRing(config, registry, store=context.store) as ring:
            problems += ring.examine_settings()
    except KeywrightError as error:
        problems.append(error)  # without a ring, nothing more can be checked
    return problems


def _profiles(arguments: Namespace) -> list[str]:
    """The names of the profiles in the file; none if it cannot be read, which is a problem of its own."""
    from keywright.config.find import find_config, read_config

    with suppress(KeywrightError):
        found = find_config(arguments.config)
        document = {} if found is None else read_config(found).value
        profiles = document.get("profiles") if isinstance(document, Mapping) else None
        return [str(name) for name in profiles] if isinstance(profiles, Mapping) else []
    return []


def _print_faults(arguments: Namespace, context: Context, faults: list[KeywrightError]) -> int:
    """With `--json` the document has `error`, the last one; `problems`, all; `source`, None if it is unknown."""
    # An invalid seal is found once for each of its stores.
    faults = list({str(fault): fault for fault in faults}.values())
    for fault in faults:
        context.error(fault)
    if context.json:
        errors = [failure_document(fault)["error"] for fault in faults]
        context.print_json({"error": errors[-1], "problems": errors, "source": _source(arguments, context)})
    return exit_code(faults[-1])


def _source(arguments: Namespace, context: Context) -> str | None:
    """The file that is checked, valid or not."""
    from keywright.config.find import find_config

    with suppress(KeywrightError):
        return context.config.source
    with suppress(KeywrightError):
        return find_config(arguments.config)
    return None


def _replaced_lists(config: Config) -> Iterator[str]:
    """One sentence for each list of a plugin's settings that the chosen profile replaces.

    That is how all lists work, but for rules it is easily missed.
    """
    if config.profile is None:
        return
    from keywright.config.find import read_config
    from keywright.config.layers import document_layer

    below = document_layer(read_config(config.source), None).tables["plugin"]
    for name, table in config.plugin.items():
        for setting, given in table.given.items():
            other = below.get(name, {}).get(setting)
            if other is not None and other.source != given.source and isinstance(other.value, list):
                yield f"{given.source}: {given.path} replaces the list in {other.source}"


def _shown_value(given: RawValue, config: Config, plugins: Registry) -> object:
    """The value; if its plugin declares it secret, or does not declare it, only where it comes from."""
    kind = _type_of(given.path, config, plugins)
    pointers: list[object] = given.value if isinstance(given.value, list) else [given.value]
    is_list = pointers is given.value
    if kind in ("table", "values") or (kind == "tables" and is_list):
        return given.value  # a table that looks like an indirection is just a table there
    if pointers and all(map(is_indirection, pointers)):
        sources = [shown(given._replace(value=pointer)) for pointer in pointers]
        return sources if is_list else sources[0]
    return _REDACTED if kind in ("secret", "secrets") else given.value


def _type_of(path: str, config: Config, plugins: Registry) -> SettingType:
    """The type of the setting at `path`, as its owner declares it; an undeclared setting may be a secret."""
    name = path.rpartition(".")[2]
    backends, seals, own = plugins.store_backends, plugins.seals, ("backend", "seal")
    owners: list[tuple[str, tuple[str, ...], Any]] = [
        *((one.path, own, getattr(backends.get(one.backend), "settings", ())) for one in config.stores.values()),
        *((one.path, own[1:], getattr(seals.get(one.seal), "settings", ())) for one in config.seals.values()),
        *((one.path, (), plugins.settings.get(plugin, ())) for plugin, one in config.plugin.items()),
    ]
    place, known, settings = next((one for one in owners if path.startswith(f"{one[0]}.")), ("", (), KEY_SETTINGS))
    if name in known:
        return "text"
    undeclared: SettingType = "secret" if place else "text"
    return next((setting.type for setting in settings if setting.name == name), undeclared)
