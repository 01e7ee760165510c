"""From the arguments to an exit code: find the command and run it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keywright.cli.streams import check_stdout, fill_closed, flush_stdout, say, write_text
from keywright.errors import ConfigError

if TYPE_CHECKING:
    from argparse import Namespace

    from keywright.cli.loading import Loading
    from keywright.config.load import Config
    from keywright.plugins.commands import Command, Commands

__all__ = ["dispatch", "print_version", "run"]

_HIGHEST_CODE = 255


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line. Returns the exit code; nothing is raised, whatever happens."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        fill_closed()
        code = dispatch(given)
        flush_stdout()
    except BaseException as error:  # noqa: BLE001  (the last guard: a traceback shown to a user is a bug)
        from keywright.cli.failures import tell

        code = tell(given, error)
    return code


def dispatch(given: list[str]) -> int:
    """Find the command that the arguments name and run it. Returns the exit code; errors are raised."""
    from keywright.cli.arguments import asked, command_parser, split_command

    commands, loading = _commands(given)
    words, rest = split_command(given, commands)
    command = commands.table.get(words)
    if asked(rest, "--version") and (command is None or command.global_options):
        return print_version(json=asked(rest, "--json"))
    if command is None:
        return _without_command(words, rest, commands)
    return _run(command, command_parser(command).parse(rest), loading)


def _commands(given: list[str]) -> tuple[Commands, Loading]:
    """The commands that there are, as far as it takes to find the one that the arguments name; and what it may load."""
    from keywright.cli.arguments import first_word
    from keywright.cli.builtin import add_core_commands
    from keywright.cli.loading import Loading
    from keywright.plugins.commands import Commands, commands_of

    commands = Commands()
    add_core_commands(commands, lambda: loading.plugins)
    core = _found(given, commands)
    loading = Loading(given, core)
    if core is None:
        word = first_word(given)
        if word and not commands.below((word,)):
            commands.extend(commands_of(word, allowed=loading.allowed))
        if _found(given, commands) is None:
            commands = Commands()
            add_core_commands(commands, lambda: loading.plugins)
            loading.plugins.add_commands(commands)
            if word and not commands.below((word,)):
                _check_not_left_out(word, loading)
    return commands, loading


def _check_not_left_out(word: str, loading: Loading) -> None:
    """Raises: ConfigError, if that is the name of a plugin that is installed, and not on the allow-list."""
    from keywright.plugins.discovery import find_entry_points

    if loading.allowed is None or word in loading.allowed or all(one.name != word for one in find_entry_points()):
        return
    raise ConfigError(f"there is no such command: the setting `plugins` leaves the plugin {word!r} out; add it there")


def _found(given: list[str], commands: Commands) -> Command | None:
    """The command that the arguments name, if it is one of these."""
    from keywright.cli.arguments import split_command

    try:
        words, _ = split_command(given, commands, hint=False)  # another plugin may have it
    except ConfigError:
        return None
    return commands.table.get(words)


def _run(command: Command, arguments: Namespace, loading: Loading) -> int:
    from keywright.cli.context import Context

    as_json = getattr(arguments, "json", False)
    if as_json or getattr(arguments, "output", None) in (None, "-"):
        # Now, for afterwards a key may be made that nobody hears of.
        check_stdout()
    if command.global_options:
        context = Context(
            lambda: loading.plugins,
            read_config=lambda: loading.config,
            json=as_json,
            quiet=arguments.quiet,
            verbose=arguments.verbose,
            store=getattr(arguments, "store", None),
        )
    else:
        context = Context(lambda: loading.plugins, read_config=_default_config, json=as_json)
    # What the start left behind stays; from here on garbage is collected again.
    gc.freeze()
    gc.enable()
    try:
        code: object = command.run(arguments, context)
        if not isinstance(code, int) or not 0 <= code <= _HIGHEST_CODE:
            raise TypeError("a command returns an exit code")
        return code
    finally:
        context.close()


def _default_config() -> Config:
    from keywright.config.load import load_config

    return load_config()


def _without_command(words: tuple[str, ...], rest: list[str], commands: Commands) -> int:
    """No command was named: the list of commands, as help or as an error.

    Raises:
        ConfigError: an option lacks its value.
    """
    from keywright.cli.arguments import asked, check_values

    text = _overview(words, commands)
    if asked(rest, "-h", "--help"):
        write_text(f"{text}\n")
        return 0
    from keywright.cli.exit_codes import USAGE

    group = " ".join(("keywright", *words))
    check_values(rest, group)
    say(text)
    message = f"no command is named; see {group} --help"
    if rest:  # who says nothing but the beginning of a command asks what there is
        say(f"keywright: {message}")
    if asked(rest, "--json"):
        from keywright.cli.failures import print_failure

        print_failure("ConfigError", message, USAGE)
    return USAGE


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


def print_version(*, json: bool) -> int:
    """Print the version of the installed distribution. Returns the exit code."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        name, number = "keywright", version("keywright")
    except PackageNotFoundError:
        name, number = "keywright-core", version("keywright-core")
    write_text(f'{{"name": "{name}", "version": "{number}"}}\n' if json else f"{name} {number}\n")
    return 0
