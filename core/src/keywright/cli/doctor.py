"""doctor."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from keywright.cli.builtin import add_core_commands
from keywright.cli.exit_codes import NO
from keywright.plugins.commands import Commands

if TYPE_CHECKING:
    from keywright.cli.context import Context
    from keywright.plugins.registry import Registry


def configure_doctor(_parser: ArgumentParser, _plugins: Registry) -> None:
    """`doctor` has no arguments of its own."""


def run_doctor(_arguments: Namespace, context: Context) -> int:
    """A line for each finding, `SUBJECT: WHAT; WAY OUT`; one document with `--json`. Exit 1 if there is any."""
    commands = Commands()
    add_core_commands(commands, lambda: context.registry)
    # Commands are added on demand; here, for what fails or clashes when they are.
    context.registry.add_commands(commands)
    if context.json:
        findings = [finding._asdict() for finding in context.ring.examine()]
        context.print_json({"findings": findings})
        return NO if findings else 0
    found = False
    for finding in context.ring.examine():
        found = True
        context.print(str(finding))
    if not found:
        context.note("keywright: nothing found")
    return NO if found else 0
