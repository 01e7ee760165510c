"""The table of commands: who added which path, and what to call when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

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
        run: does it, with the arguments and a `keywright.Context`; returns the exit code.
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
    """What `keywright_add_commands` adds to."""

    def __init__(self) -> None:
        self.table: dict[tuple[str, ...], Command] = {}
        self.clashes: list[tuple[Command, Command]] = []
        self.owner = ""

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
        """Add the command `path`, words parted by spaces: `"nix key generate-secret"`.

        `run(arguments, context)` returns the exit code; errors of keywright's hierarchy become a line and their
        exit code by themselves. `uses` says what it uses (see `Command`), so that an option that would have no
        effect is refused. A path that is taken stays with the first that added it, though what begins with
        a plugin's own name is that plugin's, and the clash is listed by `keywright plugins`.
        """
        words = tuple(path.split())
        command = Command(words, help, configure, run, tuple(examples), global_options, self.owner, uses)
        first = self.table.get(words, command)
        if words[:1] == (command.owner,) and first.owner not in ("", command.owner):
            first, command = command, first
        self.table[words] = first
        if command is not first:
            self.clashes.append((first, command))

    def below(self, prefix: tuple[str, ...]) -> list[Command]:
        """The commands whose path starts with `prefix`, in the order in which they were added."""
        return [command for path, command in self.table.items() if path[: len(prefix)] == prefix]
