"""The table of commands, and the modules that add one plugin's commands each.

A plugin NAME whose commands are all `keywright NAME …` may name a module in the entry-point group `keywright.commands`.
It has `KEYWRIGHT_API` and `add_commands(commands)`, and is used in place of the plugin's hook `keywright_add_commands`,
so that a command starts without the rest of the plugins. A module that does not fit is a failure of its plugin, whose
hook is then called.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from keywright.plugins.calls import guarded
from keywright.plugins.discovery import COMMANDS, KEYWRIGHT_API, PLUGINS, EntryPoint, find_entry_points

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

Uses = Literal["ring", "config", "plugins", "nothing"]
"""What a command uses, each with all that follows: the key ring, the configuration, the plugins."""


class Command(NamedTuple):
    """One command.

    Attributes:
        path: its words, `("nix", "key", "generate-secret")`.
        help: one line for the list of commands.
        configure: adds its arguments to a parser; called only when the command was asked for.
        run: does it, given the arguments and a `keywright.Context`; returns the exit code.
        examples: command lines that work, for `--help`.
        global_options: whether the parser gets `--config`, `--store` and so on. False for a drop-in replacement
            that has options of its own by those names.
        owner: the plugin that added it, `""` for the core.
        uses: what it uses. Without the ring it has no `--store`, without the configuration no `--profile` and
            `--option` either.
    """

    path: tuple[str, ...]
    help: str
    configure: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Any], int]
    examples: tuple[str, ...]
    global_options: bool
    owner: str
    uses: Uses = "ring"


class Commands:
    """What `keywright_add_commands` adds to.

    Attributes:
        table: the commands by path, in the order in which they were added.
        clashes: pairs of commands that have one path: the one in the table, and the one that was left out.
        owner: the plugin that is adding now, `""` for the core.
    """

    def __init__(self, owner: str = "") -> None:
        """An empty table."""
        self.table: dict[tuple[str, ...], Command] = {}
        self.clashes: list[tuple[Command, Command]] = []
        self.owner = owner

    def add(
        self,
        path: str,
        *,
        help: str,
        configure: Callable[[ArgumentParser], None],
        run: Callable[[Namespace, Any], int],
        examples: Sequence[str],
        global_options: bool = True,
        uses: Uses = "ring",
    ) -> None:
        """Add the command `path`, words separated by spaces: `"nix key generate-secret"`.

        `run(arguments, context)` gets a `keywright.Context` and returns the exit code; errors of keywright's hierarchy
        become a line and their exit code by themselves. `uses` says what it uses (see `Command`), so that an option
        that would have no effect is refused. A path that is taken stays with the command that was added first, except
        that what begins with a plugin's own name is that plugin's; the clash is listed by `keywright plugins`.
        """
        self._add(Command(tuple(path.split()), help, configure, run, tuple(examples), global_options, self.owner, uses))

    def extend(self, other: Commands) -> None:
        """Add the commands of another table, as `add` does."""
        for command in other.table.values():
            self._add(command)

    def below(self, prefix: tuple[str, ...]) -> list[Command]:
        """The commands whose path starts with `prefix`, in the order in which they were added."""
        return [command for path, command in self.table.items() if path[: len(prefix)] == prefix]

    def _add(self, command: Command) -> None:
        first = self.table.get(command.path, command)
        if command.path[:1] == (command.owner,) and first.owner not in ("", command.owner):
            first, command = command, first
        self.table[command.path] = first
        if command is not first:
            self.clashes.append((first, command))


def commands_of(plugin: str, *, allowed: Sequence[str] | None) -> Commands:
    """The commands of one plugin, without importing any other; empty if it names no module for them, or one that fails.

    `allowed` are the plugins that the configuration allows, None: all of them.
    """
    if allowed is not None and plugin not in allowed:
        return Commands()
    found = [one for one in find_entry_points(groups=(PLUGINS, COMMANDS)) if one.name == plugin]
    modules = [one for one in found if one.group == COMMANDS]
    # Two in one group would be two plugins, of which the registry loads neither.
    if len(modules) != 1 or [one.distribution for one in found if one.group == PLUGINS] != [modules[0].distribution]:
        return Commands()
    commands, _ = load_commands(modules[0])
    return commands or Commands()


def load_commands(module: EntryPoint) -> tuple[Commands | None, str]:
    """The commands that a module adds, and `""`; None and the reason if it does not fit or fails."""
    commands, failure = guarded(_commands_in, module)
    if failure:
        failure = (
            f"names the module {module.value} in {COMMANDS}, which is not used: {failure}; correct the module, or "
            "leave the entry point out"
        )
    return commands, failure


def _commands_in(module: EntryPoint) -> Commands:
    __import__(module.value)
    imported = sys.modules[module.value]
    declared = getattr(imported, "KEYWRIGHT_API", None)
    if declared != KEYWRIGHT_API:
        raise TypeError(f"it is for keywright API {declared!r}, and this is {KEYWRIGHT_API}")
    commands = Commands(module.name)
    imported.add_commands(commands)
    if commands.clashes or any(path[:1] != (module.name,) for path in commands.table):
        raise ValueError(f"it adds a command twice, or one that does not begin with {module.name}")
    return commands
