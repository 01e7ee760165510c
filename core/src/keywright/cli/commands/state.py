"""label, disable, enable, compromise, destroy: commands that change an existing version."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from keywright.cli.context import print_info
from keywright.cli.failures import NO
from keywright.cli.parser import add_flag, add_value, pairs_of
from keywright.records import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywright.cli.context import Context
    from keywright.records import RecordInfo

_REASON = "why; it is recorded with the version"


def configure_label(parser: ArgumentParser, _plugins: object) -> None:
    """Arguments of `label`."""
    parser.add_argument("reference", metavar="KEY", help="NAME for the primary, or NAME@N")
    parser.add_argument("labels", metavar="LABEL=VALUE", nargs="+", help="a label to set; LABEL= removes it")


def run_label(arguments: Namespace, context: Context) -> int:
    """Write labels and print the reference."""
    pairs = pairs_of(arguments.labels, "label")
    return print_info(context, context.ring.label(arguments.reference, {name: pairs[name] or None for name in pairs}))


def configure_disable(parser: ArgumentParser, _plugins: object) -> None:
    """Arguments of `disable` and `enable`."""
    parser.add_argument("reference", metavar="KEY", help="NAME@N, or NAME for its primary or its only version")
    add_value(parser, "--reason", "TEXT", _REASON, default="")


configure_enable = configure_disable


def run_disable(arguments: Namespace, context: Context) -> int:
    """Disable and print the reference."""
    return _change(arguments, context, context.ring.disable)


def run_enable(arguments: Namespace, context: Context) -> int:
    """Enable and print the reference."""
    return _change(arguments, context, context.ring.enable)


def configure_compromise(parser: ArgumentParser, _plugins: object) -> None:
    """Arguments of `compromise`."""
    parser.add_argument("reference", metavar="KEY", help="NAME@N, or NAME if it has only one version")
    add_value(parser, "--reason", "TEXT", _REASON, default="")
    add_flag(parser, "--yes", "do not ask")


configure_destroy = configure_compromise


def run_compromise(arguments: Namespace, context: Context) -> int:
    """Ask, mark as compromised and print the reference."""
    info = context.ring.resolve(arguments.reference, for_good=True)
    question = f"Stop {info.reference} (kid {info.kid}) from signing and verifying permanently?"
    if info.state in (State.ENABLED, State.DISABLED) and not context.confirm(question, yes=arguments.yes):
        return _refused(context, info)
    return _change(arguments, context, context.ring.compromise)


def run_destroy(arguments: Namespace, context: Context) -> int:
    """Ask, destroy and print the reference."""
    info = context.ring.resolve(arguments.reference, for_good=True)
    if info.state is State.DESTROYED:
        untaken = "; the reason was not recorded" if arguments.reason else ""
        context.note(f"{info.reference} is already destroyed, nothing was changed{untaken}")
        return print_info(context, info)
    question = f"Destroy the secret of {info.reference} (kid {info.kid}) permanently?"
    if not context.confirm(question, yes=arguments.yes):
        return _refused(context, info)
    return print_info(context, context.ring.destroy(info.reference, reason=arguments.reason))


def _refused(context: Context, info: RecordInfo) -> int:
    context.note("Nothing was changed")
    if context.json:
        print_info(context, info)
    return NO


def _change(arguments: Namespace, context: Context, change: Callable[..., RecordInfo]) -> int:
    info = change(arguments.reference, reason=arguments.reason)
    # A new reason always comes first; a version that was in this state before keeps the one it had.
    if not info.reason.startswith(arguments.reason):
        context.note(f"{info.reference} is already {info.state.value}; the reason was not recorded")
    return print_info(context, info)
