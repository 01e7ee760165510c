"""Arguments: the options of every command, the parser of one command, and values as people write them.

A command line is read in two stages. `CommandLine` reads the options of every command, wherever they stand, and finds
the words that name the command. Then the command's own parser reads all of it but those words.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from keywright.cli.io import write_text
from keywright.errors import ConfigError
from keywright.secret import looks_like_a_secret
from keywright.text import did_you_mean

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from keywright.plugins.commands import Command, Commands, Uses

_VALUES = {"--config": "a value", "--profile": "a value", "--store": "a value", "--option": "two values"}
_READ_FIRST = ("--config", "--profile", "--option", "--json", "--debug", "-V", "--version", "-h", "--help")
_FLAG_LETTERS = frozenset("hqvV")
_PLAIN_WORD = "[a-z][a-z-]{0,27}"
_PLAIN_OPTION = f"--{_PLAIN_WORD}"


def add_global_options(parser: argparse.ArgumentParser, uses: Uses = "ring", *, letters: bool = True) -> None:
    """Add the options that every command has, without those that would have no effect; `letters`: short ones too."""
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

    def names(letter: str, word: str) -> tuple[str, ...]:
        return (f"-{letter}", f"--{word}") if letters else (f"--{word}",)

    group.add_argument("--json", action="store_true", help="print JSON: one document, or one a line for lists")
    group.add_argument(*names("q", "quiet"), action="store_true", help="print no notes and warnings")
    group.add_argument(*names("v", "verbose"), action="count", default=0, help="print more")
    group.add_argument("--debug", action="store_true", help="show the traceback of an internal error")
    group.add_argument(*names("V", "version"), action="store_true", help="print the version and exit")


class Found(NamedTuple):
    """What the words of a command line lead to.

    Attributes:
        words: those that name a command, or the beginning of one.
        rest: the arguments without them.
        stray: the next word, if it leads nowhere.
    """

    words: tuple[str, ...]
    rest: list[str]
    stray: str | None = None


class CommandLine:
    """The first stage: the arguments, read before the command is known.

    Attributes:
        options: the values of the options of every command, from anywhere before `--`. Invalid ones are skipped: the
            command's parser reports them.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = list(arguments)
        self.options = argparse.Namespace(
            config=None, profile=None, option=[], json=False, debug=False, version=False, help=False
        )
        before_end = self._arguments[: self._arguments.index("--")] if "--" in self._arguments else self._arguments
        # Most command lines have none of them, and making a parser takes a millisecond.
        if any(one.startswith(_READ_FIRST) for one in before_end):
            self._read_options(before_end)

    def _read_options(self, arguments: list[str]) -> None:
        parser = _first_stage()
        for _ in tuple(arguments):
            try:
                self.options, unknown = parser.parse_known_args(arguments)
            except argparse.ArgumentError as error:
                arguments = [one for one in arguments if one.partition("=")[0] != error.argument_name]
            else:
                self.options.help = self.options.help or "-h" in unknown
                self.options.version = self.options.version or "-V" in unknown
                break

    @cached_property
    def _word_parser(self) -> argparse.ArgumentParser:
        parser = _first_stage()
        parser.add_argument("following", nargs=argparse.REMAINDER)
        return parser

    def find(self, commands: Commands) -> Found:
        """Find the words that name a command. Options of every command may stand before and between them.

        Raises:
            ConfigError: an option before a word is not one of every command, or lacks its value.
        """
        words: tuple[str, ...] = ()
        before: list[str] = []
        rest = self._arguments
        while words not in commands.table:
            place = self._next_word(rest, hint=f"see {' '.join(('keywright', *words))} --help")
            before += rest[:place]
            rest = rest[place:]
            if not rest or not commands.below((*words, rest[0])):
                return Found(words, before + rest, rest[0] if rest else None)
            words += (rest[0],)
            rest = rest[1:]
        return Found(words, before + rest)

    def _next_word(self, arguments: list[str], *, hint: str) -> int:
        """The place of the first argument that is not an option of every command or its value."""
        if arguments and not arguments[0].startswith("-"):
            return 0
        try:
            read, unknown = self._word_parser.parse_known_args(arguments)
        except argparse.ArgumentError as error:
            name = error.argument_name or ""
            if name in _VALUES and name in arguments[-2:]:
                message = f"{name} requires {_VALUES[name]}"
            else:
                message = _unquoted(str(error))
            raise ConfigError(message, hint=hint) from None
        following: list[str] = read.following
        # All but letters such as `-qv`, and what argparse does not take for an option: `-` and `--`.
        options = [*unknown, *(one for one in following[:1] if one.startswith("-"))]
        for option in (one.partition("=")[0] for one in options):
            if len(option) < 2 or not _FLAG_LETTERS.issuperset(option[1:]):
                named = option if re.fullmatch(_PLAIN_OPTION, option) else "the option of a command"
                raise ConfigError(f"{named} must follow the command", hint=hint)
        return len(arguments) - len(following)


def _first_stage() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        add_help=False, allow_abbrev=False, exit_on_error=False, formatter_class=_formatter
    )
    # Without the letters, which may stand in one word with those of the command, as in `-qo FILE`.
    add_global_options(parser, letters=False)
    parser.add_argument("--help", action="store_true")
    return parser


# Words that other programs use, and the old name of a command.
_OTHER_WORDS = {
    **dict.fromkeys(("delete", "rm", "remove"), "destroy"),
    **dict.fromkeys(("get", "cat"), "export"),
    **dict.fromkeys(("create", "new", "make"), "generate"),
    "ls": "list",
    "reseal": "rewrap",
}
_RENAMED = {
    "--new-here": "--allow-duplicate",
    "--next": "--as-new-version",
    "--in-use": "--allow-referenced",
}


def no_such_command(found: Found, commands: Commands) -> ConfigError:
    """The error for a stray word."""
    following = sorted({command.path[len(found.words)] for command in commands.below(found.words)})
    stray = found.stray or ""
    meant = _OTHER_WORDS.get(stray, "") if not found.words else ""
    group = " ".join(("keywright", *found.words))
    # Any other word could be a secret.
    subject = f'"{stray}"' if re.fullmatch(_PLAIN_WORD, stray) and not looks_like_a_secret(stray) else "the next word"
    near = f" (did you mean '{meant}'?)" if meant else did_you_mean(stray, following)
    hint = f"see {group} --help" if found.words or near else "`keywright help` lists the commands"
    return ConfigError(f"{subject} is not a command of {group}{near}", hint=hint)


def add_flag(parser: argparse.ArgumentParser, name: str, help_: str) -> None:
    """Add an option without a value."""
    parser.add_argument(name, action="store_true", help=help_)


def add_value(parser: argparse.ArgumentParser, name: str, metavar: str, help_: str, default: str | None = None) -> None:
    """Add an option with a value."""
    parser.add_argument(name, metavar=metavar, default=default, help=help_)


def add_list(parser: argparse.ArgumentParser, name: str, metavar: str, help_: str) -> None:
    """Add an option that may stand any number of times, with the list of its values."""
    parser.add_argument(name, metavar=metavar, action="append", default=[], help=help_)


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add `-o FILE` and `--force`."""
    output = "write to this file, created 0600, instead of stdout (-)"
    parser.add_argument("-o", "--output", metavar="FILE", help=output)
    add_flag(parser, "--force", "let -o replace a file")


class FinishedError(Exception):
    """The parser has done what was requested, such as `--help`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Once(argparse.Action):
    """Store the value of an option that is given once and is not empty. Use `store` where the last value wins."""

    is_given = False

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        if option_string is not None:
            if self.is_given:
                parser.error(f"{option_string} is given twice")
            if values == "":
                parser.error(f"{option_string} is empty", hint="give it a value, or leave it out")
            self.is_given = True
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `ConfigError`. Messages quote no argument: it could be a misplaced secret."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.register("action", None, _Once)

    def error(self, message: str, *, hint: str | None = None) -> NoReturn:
        """Raise the usage error; without a `hint`, it points to the help of the command.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(_unquoted(message), hint=hint or f"see {self.prog} --help")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Raise, instead of `SystemExit`, which a plugin may raise by mistake.

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
        if not any(one == "--help" or (one[:1] == "-" and one[1:2] != "-" and "h" in one) for one in arguments):
            self.usage = self.prog  # argparse formats it for each parsing, and only help shows it
        try:
            parsed, rest = self.parse_known_intermixed_args(arguments)
        except ConfigError:
            # An unknown option is reported before a missing argument.
            for action in self._actions:
                action.required = False
                if isinstance(action, _Once):
                    action.is_given = False
            self._report(self.parse_known_intermixed_args(arguments)[1])
            raise
        self._report(rest)
        return parsed

    def _report(self, rest: Sequence[str]) -> None:
        """Raise the error for arguments that the parser does not know, if any are left."""
        if not rest:
            return
        known = [option for action in self._actions for option in action.option_strings]
        option = next((word.partition("=")[0] for word in rest if word.startswith("-") and word not in ("-", "--")), "")
        if option in _VALUES:
            self.error(f"{option} does not apply to {self.prog}", hint="leave it out")
        if _RENAMED.get(option) in known:
            self.error(f"{option} was renamed in keywright 0.2", hint=f"use {_RENAMED[option]}")
        hint = did_you_mean(option, known) if option.isprintable() else ""
        if hint or re.fullmatch(_PLAIN_OPTION, option):
            self.error(f"{option} is not an option of {self.prog}{hint}")
        if option:
            self.error(f"unknown option of {self.prog}")
        most = sum(not action.option_strings for action in self._actions)
        given = most + sum(word != "--" for word in rest)
        self.error(f"{self.prog} takes {most} argument{'s' if most != 1 else ''}, {given} given")


def _unquoted(message: str) -> str:
    """A message of argparse without the argument that it quotes."""
    before, found, _ = message.partition("ignored explicit argument ")
    if found:
        return f"{before}takes no value"
    before, found, after = message.partition("invalid choice: ")
    if found:
        return f"{before}must be one of {after.rpartition('(choose from ')[2].removesuffix(')')}"
    before, found, after = message.partition(": invalid ")
    kind, found, _ = after.partition(" value: ")
    return f"{before}: takes a value of type {kind}" if found else message


def command_parser(command: Command) -> Parser:
    """The parser of one command, with its own options and, where it wants them, the global ones."""
    parser = Parser(
        prog=" ".join(("keywright", *command.path)),
        description=command.help,
        allow_abbrev=False,
        formatter_class=_formatter,
        epilog="\n".join(["examples:", *(f"  {example}" for example in command.examples)]),
    )
    command.configure(parser)
    if command.global_options:
        add_global_options(parser, command.uses)
    return parser


def terminal_width() -> int:
    """How many columns help may have: those of the terminal but two, at most 98, also without a terminal."""
    try:
        return min(os.get_terminal_size(1).columns, 100) - 2
    except OSError:
        return 98


def _formatter(prog: str) -> argparse.HelpFormatter:
    # Given a width, argparse leaves out an import that costs more than parsing does.
    return argparse.RawDescriptionHelpFormatter(prog, width=terminal_width())


def pairs_of(words: Sequence[str], option: str) -> dict[str, str]:
    """`NAME=VALUE` words as a dict.

    Raises:
        ConfigError: one has no `=`, or a name stands twice.
    """
    pairs: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ConfigError(f"{option} requires NAME=VALUE", hint="such as team=web")
        if name in pairs:
            raise ConfigError(f"{option} gives one name twice", hint="remove one of them")
        pairs[name] = value
    return pairs


def attributes_of(words: Sequence[str]) -> dict[str, object]:
    """`NAME=TEXT` and `NAME:=JSON` words as a dict.

    Raises:
        ConfigError: one is neither, or a name stands twice, in either way of writing or inside the JSON.
    """
    attributes: dict[str, object] = {}
    for word, value in pairs_of(words, "--attribute").items():
        name = word.removesuffix(":")
        if not name:
            raise ConfigError("--attribute requires NAME=VALUE or NAME:=JSON", hint="such as --attribute use=sig")
        if name in attributes:
            raise ConfigError("--attribute gives one name twice", hint="remove one of them")
        attributes[name] = value if name == word else _json_value(value)
    return attributes


def _json_value(text: str) -> object:
    from keywright.strict_json import JsonProblem, read_json

    value = read_json(text)
    if value is JsonProblem.DUPLICATE_MEMBER:
        raise ConfigError("the JSON of --attribute has a member twice", hint="remove one")
    if isinstance(value, JsonProblem):
        raise ConfigError("the value of --attribute NAME:=VALUE is not valid JSON", hint="for text pass NAME=VALUE")
    return value


def time_of(text: str | None, option: str, now: datetime) -> datetime | None:
    """A time: RFC 3339 with a zone, a date (midnight UTC), or a duration from now.

    Raises:
        ConfigError: it is not one of these, or a duration that is too long.
    """
    if text is None:
        return None
    from datetime import UTC, datetime

    from keywright.records import parse_time
    from keywright.text import parse_duration

    try:
        return now + parse_duration(text)
    except ValueError:
        pass
    try:
        if len(text) == len("2027-01-31"):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        return parse_time(text)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{option} is not a valid time or duration",
            hint="use 2027-01-31, 2027-01-31T12:00:00Z, or a duration from now such as 90d, of at most 36500d",
        ) from None


def duration_of(text: str | None, option: str) -> timedelta | None:
    """A duration.

    Raises:
        ConfigError: it is not a duration, or too long.
    """
    if text is None:
        return None
    from keywright.text import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"{option} is not a valid duration", hint=f"use {error}") from None
