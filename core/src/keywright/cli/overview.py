"""The list of commands, by task: for `--help` without a command, and when none is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from keywright.cli.parser import terminal_width

if TYPE_CHECKING:
    from keywright.plugins.commands import Command

_TASKS = (
    ("make keys", ("generate", "ensure", "import", "rotate")),
    ("use keys", ("sign", "verify", "export", "convert")),
    ("look at keys", ("list", "show", "label")),
    ("end keys", ("disable", "enable", "compromise", "destroy")),
    ("look after stores", ("migrate", "rewrap", "doctor")),
    ("set up", ("init", "config", "plugins")),
)
_LONGEST_NAME = 26
_OPTIONS = (
    ("--config FILE", "the configuration file to use"),
    ("--profile NAME", "the profile of the configuration to use"),
    ("--store NAME", "the configured store to use"),
    ("--option KEY VALUE", "set one setting"),
    ("--json", "print JSON"),
    ("-q, --quiet; -v, --verbose", "print less, or more"),
    ("--debug", "show the traceback of an internal error"),
    ("-h, --help; -V, --version", "print this, or the version, and exit"),
)


def overview(group: str, commands: Sequence[Command]) -> str:
    """The text. `group` is the beginning of a command line, such as `keywright jose`, that `commands` share."""
    if group != "keywright":
        lines = [f"usage: {group} COMMAND …", "", *_table([(_name(one), one.help) for one in commands])]
        return "\n".join([*lines, "", *_wrapped(f"Run `{group} COMMAND --help` for details and examples.")])
    lines = ["usage: keywright COMMAND …", "", "Make, encode, store and use cryptographic keys."]
    for title, listed in _by_task(commands):
        lines += ["", f"{title}:", *_table([(_name(one), one.help) for one in listed])]
    lines += ["", "options of most commands:", *_table(_OPTIONS)]
    lines += ["", *_wrapped("Run `keywright help COMMAND` for details and examples.")]
    return "\n".join([*lines, "First try: keywright generate cache.example.org"])


def _by_task(commands: Sequence[Command]) -> Iterator[tuple[str, list[Command]]]:
    """Commands of the core by task, then those of each plugin. None is left out."""
    core = [one for one in commands if not one.owner]
    for title, words in _TASKS:
        listed = [one for word in words for one in core if one.path[0] == word]
        core = [one for one in core if one not in listed]
        if listed:
            yield title, listed
    if core:
        yield "more", core
    for owner in dict.fromkeys(one.owner for one in commands if one.owner):
        yield f"of the plugin {owner}", [one for one in commands if one.owner == owner]


def _name(command: Command) -> str:
    return " ".join(command.path)


def _wrapped(text: str, indent: int = 0) -> list[str]:
    return wrap(text, max(terminal_width() - indent, 20), break_long_words=False, break_on_hyphens=False)


def _table(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Two columns, as wide as the terminal. A long name has a line of its own."""
    column = max((len(name) for name, _ in rows if len(name) <= _LONGEST_NAME), default=_LONGEST_NAME)
    indent = " " * (column + 4)
    for name, text in rows:
        lines = _wrapped(text, len(indent))
        if len(name) > column:
            yield f"  {name}"
            yield from (f"{indent}{line}" for line in lines)
        else:
            yield f"  {name:{column}}  {lines[0] if lines else ''}".rstrip()
            yield from (f"{indent}{line}" for line in lines[1:])
