"""The modules that add one plugin's commands each, so that a command starts without the rest of the plugins.

A plugin NAME whose commands are `keywright NAME …` may name such a module in the entry-point group
`keywright.commands`. It adds what the plugin's hook `keywright_add_commands` adds; all that is odd goes by that hook.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from keywright.discovery import COMMANDS, KEYWRIGHT_API, PLUGINS, EntryPoint, find_entry_points
from keywright.plugin_calls import guarded

if TYPE_CHECKING:
    from keywright.cli.commands_table import Commands

__all__ = ["add_commands_of", "faults_of_modules"]


def add_commands_of(plugin: str, commands: Commands, *, allowed: Sequence[str] | None) -> None:
    """Add them, if the plugin names a module for them, and is on the allow-list (None: there is none).

    If anything is odd nothing is added. `faults_of_modules` tells what it is.
    """
    if allowed is not None and plugin not in allowed:
        return
    found = [one for one in find_entry_points(groups=(PLUGINS, COMMANDS)) if one.name == plugin]
    modules = [one for one in found if one.group == COMMANDS]
    # Twice in each group would be two plugins, of which the registry loads neither.
    if len(modules) == 1 and [one.distribution for one in found if one.group == PLUGINS] == [modules[0].distribution]:
        added, _ = guarded(_add, modules[0], type(commands)())
        commands.table.update(added.table if added is not None else {})


def faults_of_modules(plugins: Collection[tuple[str, str]], by_hook: Commands) -> Iterator[tuple[str, str]]:
    """Name and fault, as a sentence without its subject, of each plugin whose module is not as it should be.

    `plugins` are those that loaded, name and distribution; `by_hook` is what their hooks added.
    """
    for one in find_entry_points(groups=(COMMANDS,)):
        if (one.name, one.distribution) in plugins:
            added, failed = guarded(_add, one, type(by_hook)())
            named = f"names the module {one.value} in {COMMANDS}, which"
            if failed:
                yield one.name, f"{named} is not used: {failed}; correct the module, or leave the entry point out"
            elif added is not None and set(added.table) != _paths_of(one.name, by_hook):
                other = "adds other commands than the plugin's hook keywright_add_commands, which --help asks"
                yield one.name, f"{named} {other}; have both add the same, or leave the entry point out"


def _paths_of(plugin: str, commands: Commands) -> set[tuple[str, ...]]:
    """What a plugin added, or would have if it had come first."""
    lost = {second.path for _, second in commands.clashes if second.owner == plugin}
    return lost | {path for path, command in commands.table.items() if command.owner == plugin}


def _add(module: EntryPoint, commands: Commands) -> Commands:
    """`commands`, which were none, with those of a module.

    Raises:
        TypeError, ValueError: it is not as it should be.
        Exception: whatever it raises itself.
    """
    __import__(module.value)
    found = sys.modules[module.value]
    said = getattr(found, "KEYWRIGHT_API", None)
    if said != KEYWRIGHT_API:
        raise TypeError(f"it is for keywright API {said!r}, and this is {KEYWRIGHT_API}")
    commands.owner = module.name
    found.add_commands(commands)
    if commands.clashes or any(path[:1] != (module.name,) for path in commands.table):
        raise ValueError(f"it adds a command twice, or one that does not begin with {module.name}")
    return commands
