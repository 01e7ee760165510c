"""Arguments: which words name the command, what holds for every command, and a parser that quotes nothing."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, NoReturn

from keywright.errors import ConfigError
from keywright.settings import did_you_mean

if TYPE_CHECKING:
    from keywright.cli.commands import Command, Commands

__all__ = ["Parser", "add_global_options", "command_parser", "config_options", "split_command"]

_VALUES_OF = {"--config": 1, "--profile": 1, "--store": 1, "--option": 2}
_FLAGS = ("--json", "-q", "--quiet", "-v", "-vv", "--verbose", "--debug", "--version", "-h", "--help")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours, and quote no argument: it could be a secret in the wrong place."""

    def error(self, message: str) -> NoReturn:
        """Raise the usage error.

        Raises:
            ConfigError: always.
        """
        before, ignored, _ = message.partition("ignored explicit argument")
        if ignored:
            message = f"{before}takes no value"
        raise ConfigError(f"{message}; see {self.prog} --help")

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse all arguments.

        Raises:
            ConfigError: they do not fit; an argument that nobody wants is named only up to its `=`.
        """
        parsed, rest = self.parse_known_intermixed_args(arguments)
        if not rest:
            return parsed
        known = [option for action in self._actions for option in action.option_strings]
        option = next((word.partition("=")[0] for word in rest if word.startswith("--") and word != "--"), None)
        if option is not None and option.isprintable() and len(option) < 40:
            self.error(f"there is no option {option}{did_you_mean(option, known)}")
        return self.error("there is an argument too many")


class _PrintVersion(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from keywright.cli.dispatch import print_version

        parser.exit(print_version())


def add_global_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command has."""
    group = parser.add_argument_group("options of every command")
    group.add_argument("--config", metavar="FILE", help="the configuration file to use")
    group.add_argument("--profile", metavar="NAME", help="the profile of the configuration to use")
    group.add_argument("--store", metavar="NAME", help="the configured store to use")
    group.add_argument(
        "--option", nargs=2, action="append", default=[], metavar=("KEY", "VALUE"),
        help="set one setting, such as --option stores.local.path keys.db",
    )  # fmt: skip
    group.add_argument("--json", action="store_true", help="print JSON: one document, or one a line for lists")
    group.add_argument("-q", "--quiet", action="store_true", help="print no notes and warnings")
    group.add_argument("-v", "--verbose", action="count", default=0, help="say more")
    group.add_argument("--debug", action="store_true", help="show the traceback of an internal error")
    group.add_argument("--version", action=_PrintVersion, nargs=0, help="print the version and exit")


def command_parser(command: Command) -> Parser:
    """The parser of one command, with its own options and, where it wants them, the global ones."""
    program = " ".join(("keywright", *command.path))
    parser = Parser(
        prog=program,
        description=command.help,
        allow_abbrev=False,
        formatter_class=_formatter,
        epilog="\n".join(["examples:", *(f"  {example}" for example in command.examples)]),
    )
    command.configure(parser)
    if command.global_options:
        add_global_options(parser)
    return parser


def config_options(arguments: Sequence[str]) -> tuple[str | None, str | None, list[tuple[str, str]]]:
    """`--config`, `--profile` and `--option`, for reading the configuration before the plugins that it allows.

    What does not fit is passed over: the command's parser will say so.
    """
    named: dict[str, str | None] = {"--config": None, "--profile": None}
    options: list[tuple[str, str]] = []
    place = 0
    while place < len(arguments) and arguments[place] != "--":
        name, equals, value = arguments[place].partition("=")
        following = arguments[place + 1 : place + 1 + _VALUES_OF.get(name, 0)]
        if name in named and equals:
            named[name] = value
        elif name in named and following:
            named[name] = following[0]
        elif name == "--option" and not equals and len(following) == _VALUES_OF[name]:
            options.append((following[0], following[1]))
        place += 1 + (0 if equals else len(following))
    return named["--config"], named["--profile"], options


def _formatter(prog: str) -> argparse.HelpFormatter:
    # Told its width, argparse leaves out an import that costs more than parsing does.
    return argparse.RawDescriptionHelpFormatter(prog, width=_help_width())


@cache
def _help_width() -> int:
    try:
        return min(os.get_terminal_size(1).columns, 100) - 2
    except OSError:
        return 98


def split_command(arguments: Sequence[str], commands: Commands) -> tuple[tuple[str, ...], list[str]]:
    """The words that name a command (or the beginning of one), and the arguments without them.

    Global options may stand before, between and after the words.

    Raises:
        ConfigError: a word leads to no command, or an option of a command stands before its words.
    """
    words: tuple[str, ...] = ()
    rest = list(arguments)
    place = 0
    while place < len(rest) and words not in commands.table:
        argument = rest[place]
        if argument.startswith("-"):
            place += 1 + _skipped(argument, words)
            continue
        following = sorted({command.path[len(words)] for command in commands.below(words)})
        if argument not in following:
            group = " ".join(("keywright", *words))
            hint = did_you_mean(argument, following)
            raise ConfigError(f"there is no such command{hint}; {group} has: {', '.join(following)}")
        words += (argument,)
        del rest[place]
    return words, rest


def _skipped(argument: str, words: tuple[str, ...]) -> int:
    """How many values follow a global option that stands before the command is known."""
    name, equals, _ = argument.partition("=")
    if name in _VALUES_OF:
        return 0 if equals else _VALUES_OF[name]
    if argument in _FLAGS:
        return 0
    group = " ".join(("keywright", *words))
    raise ConfigError(f"an option of a command goes after its words; see {group} --help")
