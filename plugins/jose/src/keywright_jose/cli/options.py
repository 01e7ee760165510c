"""Options and arguments that several commands have: what they are called, and what their values mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from keywright.errors import ConfigError, FormatError, UnsupportedOperationError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from keywright import Context
    from keywright_jose.jwk.members import Members


def add_key_options(parser: ArgumentParser, key: str, key_file: str) -> None:
    """`--key` or `--key-file`, one of which is needed."""
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--key", metavar="REF", help=key)
    group.add_argument("--key-file", metavar="FILE", help=f"{key_file}; - is stdin")


def add_pairs_option(parser: ArgumentParser, option: str, help: str) -> None:
    """An option of `NAME=TEXT` and `NAME:=JSON`; see `pairs`."""
    parser.add_argument(
        option,
        action="append",
        default=[],
        metavar="NAME=TEXT",
        help=f"{help}, NAME:=JSON if it is not text; may be repeated",
    )


def add_output_options(parser: ArgumentParser) -> None:
    """`-o` and `--force`, of a file for this user alone."""
    parser.add_argument("-o", "--output", metavar="FILE", help="write to FILE, mode 0600, instead of stdout")
    parser.add_argument("--force", action="store_true", help="replace FILE if it is there")


def check_input(arguments: Namespace, what: str) -> None:
    """Refuse to read two things from standard input.

    Raises:
        ConfigError: both the key and the other input, `what`, are to be read there.
    """
    if arguments.key_file == "-" and arguments.file in (None, "-"):
        raise ConfigError(f"the key and the {what} cannot both be read from standard input", hint="name a file for one")


def read_key_file(arguments: Namespace, context: Context) -> Members:
    """The JWK or JWK Set of `--key-file`."""
    from keywright_jose.jwk.inputs import read_keys

    return read_keys(context.read_input(arguments.key_file))


def read_token(arguments: Namespace, context: Context) -> bytes:
    """The token in the file or on standard input, without the line end."""
    return context.read_input(arguments.file).reveal().removesuffix(b"\n").removesuffix(b"\r")


def print_token(token: str, context: Context) -> int:
    """Print a new token. Returns the exit code."""
    if context.json:
        context.print_json({"token": token})
    else:
        context.print(token)
    return 0


@contextmanager
def wrong_call() -> Iterator[None]:
    """Refusals inside are about the value of an option.

    Raises:
        ConfigError: in place of FormatError and UnsupportedOperationError, which are of keys and tokens.
    """
    try:
        yield
    except (FormatError, UnsupportedOperationError) as error:
        raise ConfigError(str(error), hint=error.hint) from None


def seconds_of(text: str, option: str, least: int, most: int, longest: str) -> int:
    """The seconds in the value of an option, such as `15m` or `900`; `longest` is `most` in words.

    Raises:
        ConfigError: it is not a duration, or too short or too long.
    """
    from datetime import timedelta

    from keywright import parse_duration

    try:
        seconds = parse_duration(text if text[-1:].isalpha() else f"{text}s") // timedelta(seconds=1)
    except ValueError:
        seconds = None
    if seconds is None or not least <= seconds <= most:
        raise ConfigError(
            f"{option} takes seconds, or a whole number and a unit (s, m, h, d, w or y) such as 15m, from {least}s to "
            f"{longest}"
        )
    return seconds


def pairs(words: Sequence[str], option: str) -> dict[str, object]:
    """`NAME=TEXT` and `NAME:=JSON` words as a dict; `option` names where they come from in messages: "--claim".

    Raises:
        ConfigError: one is neither, its JSON is not valid, or a name stands twice.
    """
    found: dict[str, object] = {}
    for word in words:
        name, equals, value = word.partition("=")
        is_json = name.endswith(":")
        name = name.removesuffix(":")
        if not equals or not name:
            raise ConfigError(f"{option} takes NAME=TEXT or NAME:=JSON", hint="write it so")
        if name in found:
            raise ConfigError(f"{option} names one thing twice", hint="leave one out")
        found[name] = _json_value(value, option) if is_json else value
    return found


def _json_value(text: str, option: str) -> object:
    from keywright import JsonProblem, read_json
    from keywright_jose.json import MAXIMUM_DEPTH

    value = read_json(text, depth=MAXIMUM_DEPTH - 1)  # it is inside an object
    if isinstance(value, JsonProblem):
        raise ConfigError(f"{option} NAME:=JSON takes one JSON value", hint="for text write NAME=TEXT")
    return value
