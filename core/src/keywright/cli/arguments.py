"""Arguments: which words name the command, what holds for every command, and a parser that quotes nothing."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from keywright.cli.streams import write_text
from keywright.errors import ConfigError
from keywright.text import did_you_mean

if TYPE_CHECKING:
    from keywright.plugins.commands import Command, Commands, Uses

__all__ = [
    "FinishedError",
    "Parser",
    "add_global_options",
    "asked",
    "check_values",
    "command_parser",
    "config_options",
    "first_word",
    "split_command",
]

_VALUES_OF = {"--config": 1, "--profile": 1, "--store": 1, "--option": 2}
_FLAGS = ("--json", "--quiet", "--verbose", "--debug", "--version", "--help")
_FLAG_LETTERS = frozenset("hqv")
_PLAIN_OPTION = "--[a-z][a-z-]{0,27}"


class FinishedError(Exception):
    """The parser itself did what was asked for, such as `--help`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Once(argparse.Action):
    """Stores the value of an option that stands once and is not empty. Where the last one shall win: `store`."""

    _is_given = False

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        if option_string is not None:
            if self._is_given:
                parser.error(f"{option_string} is given twice: leave one out")
            if values == "":
                parser.error(f"{option_string} is empty: give it a value, or leave it out")
            self._is_given = True
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours, and quote no argument: it could be a secret in the wrong place."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.register("action", None, _Once)

    def error(self, message: str) -> NoReturn:
        """Raise the usage error.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"{_unquoted(message)}; see {self.prog} --help")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Raise what tells our own end from that of a plugin that calls `sys.exit`.

        Raises:
            FinishedError: always.
        """
        self._print_message(message or "")
        raise FinishedError(status)

    def _print_message(self, message: str, file: object = None) -> None:  # noqa: ARG002  (argparse's signature)
        write_text(message)

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse all arguments.

        Raises:
            ConfigError: they do not fit; an unknown option is named only if it is nearly a known one, or short and of
                lowercase letters: any other could be a secret.
            FinishedError: help was printed.
        """
        parsed, rest = self.parse_known_intermixed_args(arguments)
        if not rest:
            return parsed
        known = [option for action in self._actions for option in action.option_strings]
        option = next((word.partition("=")[0] for word in rest if word.startswith("-") and word not in ("-", "--")), "")
        if option in _VALUES_OF:
            self.error(f"{option} has no meaning for {self.prog}: leave it out")
        hint = did_you_mean(option, known) if option.isprintable() else ""
        if hint or re.fullmatch(_PLAIN_OPTION, option):
            self.error(f"there is no option {option}{hint}")
        return self.error("there is no such option" if option else "there is an argument too many")


def _unquoted(message: str) -> str:
    """A message of argparse without the argument that it quotes."""
    before, found, _ = message.partition("ignored explicit argument ")
    if found:
        return f"{before}takes no value"
    before, found, after = message.partition("invalid choice: ")
    if found:
        return f"{before}takes one of {after.rpartition('(choose from ')[2].removesuffix(')')}"
    before, found, after = message.partition(": invalid ")
    kind, found, _ = after.partition(" value: ")
    return f"{before}: takes a value of type {kind}" if found else message


def add_global_options(parser: argparse.ArgumentParser, uses: Uses = "ring") -> None:
    """Add the options that every command has, without those that would have no effect."""
    group = parser.add_argument_group("options of every command")
    group.add_argument("--config", metavar="FILE", help="the configuration file to use")
    if uses in ("ring", "config"):
        group.add_argument("--profile", metavar="NAME", help="the profile of the configuration to use")
    if uses == "ring":
        group.add_argument("--store", metavar="NAME", help="the configured store to use")
    if uses in ("ring", "config"):
        group.add_argument(
            "--option", nargs=2, action="append", default=[], metavar=("KEY", "VALUE"),
            help="set one setting, such as --option stores.local.path keys.db",
        )  # fmt: skip
    group.add_argument("--json", action="store_true", help="print JSON: one document, or one a line for lists")
    group.add_argument("-q", "--quiet", action="store_true", help="print no notes and warnings")
    group.add_argument("-v", "--verbose", action="count", default=0, help="say more")
    group.add_argument("--debug", action="store_true", help="show the traceback of an internal error")
    group.add_argument("--version", action="store_true", help="print the version and exit")


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
        add_global_options(parser, command.uses)
    return parser


def asked(arguments: Sequence[str], *options: str) -> bool:
    """Whether one of these options, which take no value, stands among the arguments, that is before `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return not set(options).isdisjoint(arguments[:end])


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


def split_command(
    arguments: Sequence[str], commands: Commands, *, hint: bool = True
) -> tuple[tuple[str, ...], list[str]]:
    """The words that name a command (or the beginning of one), and the arguments without them.

    Global options may stand before, between and after the words. Without `hint`, no error names a likely command.

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
            nearest = did_you_mean(argument, following) if hint else ""
            raise ConfigError(f"there is no such command{nearest}; {group} has: {', '.join(following)}")
        words += (argument,)
        del rest[place]
    return words, rest


def first_word(arguments: Sequence[str]) -> str | None:
    """The first word that may name a command; None if there is none, or an option of a command stands before it."""
    place = 0
    while place < len(arguments):
        argument = arguments[place]
        if not argument.startswith("-"):
            return argument
        try:
            place += 1 + _skipped(argument, ())
        except ConfigError:
            return None
    return None


def check_values(arguments: Sequence[str], group: str) -> None:
    """Check that each global option has its values, where no command was named after it; `group` is for the message.

    Raises:
        ConfigError: the last one has not.
    """
    place, last = 0, ""
    while place < len(arguments):
        last = arguments[place]
        place += 1 + _skipped(last, ())
    if place > len(arguments):
        values = "a value" if _VALUES_OF[last] == 1 else "two values"
        raise ConfigError(f"{last} takes {values}, and the command line ends before that; see {group} --help")


def _skipped(argument: str, words: tuple[str, ...]) -> int:
    """How many values follow a global option that stands before the command is known."""
    name, equals, _ = argument.partition("=")
    if name in _VALUES_OF:
        return 0 if equals else _VALUES_OF[name]
    if argument in _FLAGS or (len(argument) > 1 and _FLAG_LETTERS.issuperset(argument[1:])):
        return 0
    group = " ".join(("keywright", *words))
    raise ConfigError(f"an option of a command goes after its words; see {group} --help")
