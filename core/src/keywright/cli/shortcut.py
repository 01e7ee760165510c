"""The commands of one plugin, found without loading any: to load them all is most of what a start takes.

A plugin NAME whose commands are `keywright NAME …` may name the module that adds them in the entry-point group
`keywright.commands`. What is found so is what `keywright_add_commands` would add; all else goes by that hook.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from keywright.discovery import COMMANDS, KEYWRIGHT_API, find_entry_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keywright.cli.commands import Commands

__all__ = ["add_commands_of"]


def add_commands_of(plugin: str, commands: Commands, *, allowed: Sequence[str] | None) -> None:
    """Add them, if the plugin names a module for them and is on the allow-list (None: there is none).

    If anything is odd nothing is added: whoever then loads the plugins hears what it is.
    """
    claimants = [one for one in find_entry_points(group=COMMANDS) if one.name == plugin]
    if len(claimants) != 1 or not (allowed is None or plugin in allowed):
        return
    found = type(commands)()
    found.owner = plugin
    try:
        __import__(claimants[0].value)
        module = sys.modules[claimants[0].value]
        if module.KEYWRIGHT_API != KEYWRIGHT_API:
            return
        module.add_commands(found)
    except Exception:  # noqa: BLE001  (a stranger's code may raise anything; the registry tells of it)
        return
    if not found.clashes and all(path[0] == plugin for path in found.table):
        commands.table.update(found.table)
