"""From the arguments to an exit code: find the command, run it, and turn what goes wrong into one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keywright.cli.exit_codes import BUG, CLOSED_PIPE, INTERRUPTED, USAGE, exit_code
from keywright.errors import ConfigError, KeywrightError

if TYPE_CHECKING:
    from argparse import Namespace

    from keywright.cli.commands import Command, Commands
    from keywright.config import Config
    from keywright.registry import Registry

__all__ = ["dispatch", "print_version", "run"]


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line. Returns the exit code; nothing is raised, whatever happens."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = dispatch(given)
        sys.stdout.flush()
    except KeywrightError as error:
        code = _tell(given, error, exit_code(error))
    except KeyboardInterrupt:
        _say("keywright: interrupted")
        code = INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough. Python would complain once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = CLOSED_PIPE
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0
    except Exception as error:  # noqa: BLE001  (the last guard: a traceback shown to a user is a bug)
        code = _bug(given, error)
    return code


def dispatch(given: list[str]) -> int:
    """Find the command that the arguments name and run it. Returns the exit code; errors are raised."""
    from keywright.cli.arguments import command_parser, split_command
    from keywright.cli.builtin import add_core_commands
    from keywright.cli.commands import Commands
    from keywright.registry import Registry

    config = _config_of_core_command(given)
    plugins = Registry.load(None if config is None else config.plugins)
    commands = Commands()
    add_core_commands(commands, plugins)
    if config is None:
        plugins.add_commands(commands)
    words, rest = split_command(given, commands)
    command = commands.table.get(words)
    if command is None:
        return _without_command(words, rest, commands)
    return _run(command, command_parser(command).parse(rest), plugins, config)


def _config_of_core_command(given: list[str]) -> Config | None:
    """The configuration, if the arguments name a command of the core that works with one.

    It is read before any plugin is loaded, for it says which may be.
    """
    from keywright.cli.arguments import config_options, split_command
    from keywright.cli.builtin import CONFIG_FREE, add_core_commands
    from keywright.cli.commands import Commands
    from keywright.registry import Registry

    core = Commands()
    add_core_commands(core, Registry())
    try:
        words, rest = split_command(given, core)
    except ConfigError:
        return None
    if words not in core.table or words in CONFIG_FREE or not {"-h", "--help", "--version"}.isdisjoint(rest):
        return None
    return _config(*config_options(rest))


def _run(command: Command, arguments: Namespace, plugins: Registry, config: Config | None) -> int:
    from keywright.cli.context import Context

    if not command.global_options:
        context = Context(plugins, read_config=lambda: _config(None, None, []))
    else:
        context = Context(
            plugins,
            read_config=lambda: config or _config(arguments.config, arguments.profile, arguments.option),
            json=arguments.json,
            quiet=arguments.quiet,
            verbose=arguments.verbose,
            store=arguments.store,
        )
    try:
        return command.run(arguments, context)
    finally:
        context.close()


def _config(path: str | None, profile: str | None, options: Sequence[tuple[str, str]]) -> Config:
    from keywright.config import load_config

    return load_config(path, profile=profile, options=[(key, value) for key, value in options])


def _without_command(words: tuple[str, ...], rest: list[str], commands: Commands) -> int:
    """No command was named: the version, the list of commands, or both as an error."""
    if "--version" in rest:
        return print_version()
    asked = "-h" in rest or "--help" in rest
    text = _overview(words, commands)
    print(text, file=sys.stdout if asked else sys.stderr)
    return 0 if asked else USAGE


def _overview(words: tuple[str, ...], commands: Commands) -> str:
    group = " ".join(("keywright", *words))
    listed = commands.below(words)
    width = max((len(" ".join(command.path)) for command in listed), default=0)
    lines = [f"usage: {group} COMMAND …", ""]
    if not words:
        lines += ["Make, encode, keep and use cryptographic keys.", ""]
    lines += [f"  {' '.join(command.path):{width}}  {command.help}" for command in listed]
    lines += ["", f"{group} COMMAND --help tells more, with an example for each."]
    if not words:
        lines += ["First try: keywright generate cache.example.org"]
    return "\n".join(lines)


def print_version() -> int:
    """Print the version of the installed distribution. Returns the exit code."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        name, number = "keywright", version("keywright")
    except PackageNotFoundError:
        name, number = "keywright-core", version("keywright-core")
    print(f"{name} {number}")  # noqa: T201
    return 0


def _tell(given: list[str], error: KeywrightError, code: int) -> int:
    """Say what went wrong: a line for people, and with `--json` a document for programs."""
    _say(f"keywright: {error}")
    if "--json" in given:
        import json

        told = {"error": {"type": type(error).__name__, "message": str(error), "exit": code}}
        try:
            print(json.dumps(told, sort_keys=True), flush=True)  # noqa: T201
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _bug(given: list[str], error: Exception) -> int:
    kind = type(error).__name__
    if "--debug" in given:
        import traceback

        traceback.print_exc()
    hint = "" if "--debug" in given else "; --debug shows more (check it for secrets before you send it)"
    _say(f"keywright: internal error ({kind}): this is a bug in keywright or a plugin, please report it{hint}")
    return BUG


def _say(line: str) -> None:
    try:
        print(line, file=sys.stderr, flush=True)  # noqa: T201
    except OSError:
        return
